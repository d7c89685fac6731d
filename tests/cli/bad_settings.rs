//! Bad settings: all faults at once, each with key and place, exit code 2, nothing started, no secret told.

use std::path::Path;

use crate::program::{SECRET, Said, tandem};

const ACCOUNTS: [(&str, &str); 4] = [
    ("LEADER_CLIENT_ID", "1000000101"),
    ("LEADER_ACCESS_TOKEN", SECRET),
    ("FOLLOWER_CLIENT_ID", "1000000202"),
    ("FOLLOWER_ACCESS_TOKEN", SECRET),
];

fn run(folder: &Path, settings: &str, variables: &[(&str, &str)]) -> Said {
    std::fs::write(folder.join("my.toml"), settings).unwrap();
    tandem(folder, &["run", "--config", "my.toml"], variables)
}

/// Runs with these settings and variables, beside four good account variables. The faults must be these and no
/// others: each is found by the words given, all in one line.
fn check(settings: &str, variables: &[(&str, &str)], faults: &[&[&str]]) {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), settings, &[&ACCOUNTS, variables].concat());
    assert_eq!(said.code, Some(2), "{said:?}");
    assert_eq!(said.out, "");
    let lines: Vec<&str> = said.err.lines().skip(1).filter(|line| !line.is_empty()).collect();
    for words in faults {
        let found = lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
        assert_eq!(found, 1, "one line with {words:?} in\n{}", said.err);
    }
    assert_eq!(lines.len(), faults.len(), "{}", said.err);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing may be started, so nothing is made: {left:?}");
}

const FOLLOWER: &str = "[[follower]]\nid = \"asha\"\n";

fn with_follower(text: &str) -> String {
    format!("{text}\n{FOLLOWER}")
}

#[test]
fn every_fault_of_a_file_comes_at_once_with_key_and_line() {
    let settings = format!(
        "[broker]\n\
         base_url = 5\n\
         connect_timeout_ms = 2.7\n\
         request_deadline_ms = \"5000\"\n\
         colour = \"{SECRET}\"\n\
         [broker.limits]\n\
         orders_per_second = 0\n\
         exit_reserve_pct = true\n\
         [leader]\n\
         access_token_env = \"{SECRET}\"\n\
         local_address = \"::1\"\n\
         [copy]\n\
         on = \"filled\"\n\
         instrument_kinds = [\"OPTIDX\", \"INDEX\"]\n\
         product_map = {{ MTF = \"CO\" }}\n\
         [sizing]\n\
         multiplier = -1.0\n\
         [weather]\n\
         wind = 1\n\
         [[follower]]\n\
         id = \"asha bai\"\n\
         enabled = 1\n\
         [follower.sizing]\n\
         ratio_max = 0\n\
         lot = 2\n"
    );
    check(
        &settings,
        &[],
        &[
            &["my.toml:2:", "broker.base_url", "https:// or http://"],
            &["my.toml:3:", "broker.connect_timeout_ms", "found a number", "whole number"],
            &["my.toml:4:", "broker.request_deadline_ms", "found a text"],
            &["my.toml:5:", "broker.colour", "is not a setting", "base_url, auth_url, stream_url"],
            &["my.toml:7:", "broker.limits.orders_per_second", "from 1"],
            &["my.toml:8:", "broker.limits.exit_reserve_pct", "found true or false"],
            &["my.toml:10:", "leader.access_token_env", "NAME of an environment variable"],
            &["my.toml:11:", "leader.local_address", "IPv4"],
            &["my.toml:13:", "copy.on", "write \"working\" or \"transit\" or \"fill\""],
            &["my.toml:14:", "copy.instrument_kinds", "OPTSTK"],
            &["my.toml:15:", "copy.product_map"],
            &["my.toml:17:", "sizing.multiplier", "above zero"],
            &["my.toml:18:", "weather", "is not a setting", "follower"],
            &["my.toml:21:", "follower[0].id", "label"],
            &["my.toml:22:", "follower[0].enabled", "true or false"],
            &["my.toml:24:", "follower[0].sizing.ratio_max"],
            &["my.toml:25:", "follower[0].sizing.lot ", "is not a setting", "strategy"],
        ],
    );
}

#[test]
fn every_fault_of_following_and_parting_comes_at_once() {
    let settings = "[broker.limits]\n\
         modifications_per_order = 26\n\
         [leader]\n\
         forever_poll_ms = 999\n\
         [copy]\n\
         market_orders = \"protected\"\n\
         price_band_bps = 0\n\
         stop_band_bps = 5001\n\
         at_modification_limit = true\n\
         [parting]\n\
         entry = \"drop\"\n\
         entry_after_ms = 3600001\n\
         exit_after_ms = -1\n\
         chase_interval_ms = 499\n\
         gap = \"exits\"\n\
         exit = \"keep\"\n\
         [alerts]\n\
         slippage_bps_max = 10001\n\
         [[follower]]\n\
         id = \"asha\"\n\
         [follower.broker_limits]\n\
         modifications_per_order = 0\n\
         [follower.copy]\n\
         price_band_bps = \"wide\"\n\
         [follower.parting]\n\
         gap = \"all\"\n\
         chase_interval_ms = 1.5\n\
         [follower.alerts]\n\
         slippage_bps_max = 1\n";
    check(
        settings,
        &[],
        &[
            &["my.toml:2:", "broker.limits.modifications_per_order", "from 1 to 25"],
            &["my.toml:4:", "leader.forever_poll_ms", "from 1000"],
            &["my.toml:6:", "copy.market_orders", "\"as_is\" or \"protected_limit\""],
            &["my.toml:7:", "copy.price_band_bps", "from 1 to 5000"],
            &["my.toml:8:", "copy.stop_band_bps", "from 1 to 5000"],
            &["my.toml:9:", "copy.at_modification_limit", "\"replace\" or \"stop\""],
            &["my.toml:11:", "parting.entry ", "\"cancel\" or \"keep\" or \"chase\""],
            &["my.toml:12:", "parting.entry_after_ms", "from 0 to 3600000"],
            &["my.toml:13:", "parting.exit_after_ms", "from 0 to 3600000"],
            &["my.toml:14:", "parting.chase_interval_ms", "from 500 to 3600000"],
            &["my.toml:15:", "parting.gap", "\"report\" or \"exits_only\" or \"full\""],
            &["my.toml:16:", "parting.exit", "is not a setting", "exit_after_ms"],
            &["my.toml:18:", "alerts.slippage_bps_max", "from 0 to 10000"],
            &["my.toml:22:", "follower[0].broker_limits.modifications_per_order", "from 1 to 25"],
            &["my.toml:24:", "follower[0].copy.price_band_bps", "found a text"],
            &["my.toml:26:", "follower[0].parting.gap", "\"exits_only\""],
            &["my.toml:27:", "follower[0].parting.chase_interval_ms", "found a number"],
            &["my.toml:28:", "follower[0].alerts", "is not a setting", "parting"],
        ],
    );
}

#[test]
fn every_fault_of_copying_and_risk_comes_at_once() {
    let settings = "[leader]\n\
         capital = \"all\"\n\
         [copy]\n\
         enabled = \"yes\"\n\
         window_from = \"9:20\"\n\
         window_until = 15.10\n\
         segments = [\"NSE\"]\n\
         underlyings = [\"Nifty\"]\n\
         underlyings_denied = \"NIFTY\"\n\
         instruments = [1]\n\
         instruments_denied = [\"A,B\"]\n\
         products = [\"NRML\"]\n\
         sides = [\"LONG\"]\n\
         price_drift_bps_max = 0\n\
         conversions = \"follow\"\n\
         [risk]\n\
         at_cap = \"cut\"\n\
         lots_per_order_max = 0\n\
         lots_per_instrument_max = 100001\n\
         order_value_max_rupees = 1.5\n\
         position_share_max_pct = 101\n\
         open_orders_max = 0\n\
         orders_per_day_max = \"many\"\n\
         daily_loss_max_rupees = -20000\n\
         on_daily_loss = \"off\"\n\
         margin = true\n\
         margin_wait_ms = 9\n\
         short_margin_pct = 0\n\
         figures_age_ms_max = 499\n\
         positions_poll_ms = 99\n\
         funds_poll_ms = 300001\n\
         rejections_max = 0\n\
         on_rejections = \"square_off\"\n\
         on_drift = \"off\"\n\
         [spread]\n\
         cover_wait_ms = 600001\n\
         on_missing_cover = \"wait\"\n\
         exit_wait_ms = 60001\n\
         [control]\n\
         socket = 5\n\
         [session]\n\
         calendar_file = false\n\
         [limits]\n\
         max_position_size_pct = 100\n\
         [[follower]]\n\
         id = \"asha\"\n\
         [follower.risk]\n\
         at_cap = \"none\"\n\
         [follower.spread]\n\
         legs = 2\n\
         [follower.limits]\n\
         max_position_size_pct = 100\n";
    check(
        settings,
        &[],
        &[
            &["my.toml:2:", "leader.capital", "\"total\""],
            &["my.toml:4:", "copy.enabled", "true or false"],
            &["my.toml:5:", "copy.window_from", "\"09:20\""],
            &["my.toml:6:", "copy.window_until", "found a number"],
            &["my.toml:7:", "copy.segments", "NSE_FNO"],
            &["my.toml:8:", "copy.underlyings ", "in capitals"],
            &["my.toml:9:", "copy.underlyings_denied", "found a text", "a list of names"],
            &["my.toml:10:", "copy.instruments ", "in quotes"],
            &["my.toml:11:", "copy.instruments_denied", "a list of names"],
            &["my.toml:12:", "copy.products", "MARGIN"],
            &["my.toml:13:", "copy.sides", "\"BUY\", \"SELL\""],
            &["my.toml:14:", "copy.price_drift_bps_max", "from 1 to 10000"],
            &["my.toml:15:", "copy.conversions", "\"alert\" or \"copy\""],
            &["my.toml:17:", "risk.at_cap", "\"scale\" or \"skip\""],
            &["my.toml:18:", "risk.lots_per_order_max", "from 1"],
            &["my.toml:19:", "risk.lots_per_instrument_max", "to 100000"],
            &["my.toml:20:", "risk.order_value_max_rupees", "whole number"],
            &["my.toml:21:", "risk.position_share_max_pct", "from 1 to 100"],
            &["my.toml:22:", "risk.open_orders_max", "from 1"],
            &["my.toml:23:", "risk.orders_per_day_max", "found a text"],
            &["my.toml:24:", "risk.daily_loss_max_rupees", "from 1"],
            &["my.toml:25:", "risk.on_daily_loss", "\"reduce\" or \"halt\" or \"square_off\""],
            &["my.toml:26:", "risk.margin ", "\"estimate\""],
            &["my.toml:27:", "risk.margin_wait_ms", "from 10 to 10000"],
            &["my.toml:28:", "risk.short_margin_pct", "from 1 to 100"],
            &["my.toml:29:", "risk.figures_age_ms_max", "from 500"],
            &["my.toml:30:", "risk.positions_poll_ms", "from 100"],
            &["my.toml:31:", "risk.funds_poll_ms", "to 300000"],
            &["my.toml:32:", "risk.rejections_max", "from 1 to 1000"],
            &["my.toml:33:", "risk.on_rejections", "\"off\" or \"reduce\" or \"halt\""],
            &["my.toml:34:", "risk.on_drift", "\"freeze\" or \"reduce\" or \"halt\""],
            &["my.toml:36:", "spread.cover_wait_ms", "to 600000"],
            &["my.toml:37:", "spread.on_missing_cover", "\"skip\" or \"send\""],
            &["my.toml:38:", "spread.exit_wait_ms", "to 60000"],
            &["my.toml:40:", "control.socket", "a path"],
            &["my.toml:42:", "session.calendar_file", "a path"],
            &["my.toml:43:", "limits is no setting any more", "risk.position_share_max_pct"],
            &["my.toml:48:", "follower[0].risk.at_cap", "\"scale\" or \"skip\""],
            &["my.toml:50:", "follower[0].spread.legs", "is not a setting", "cover_wait_ms"],
            &["my.toml:51:", "follower[0].limits", "is not a setting", "risk"],
        ],
    );
}

#[test]
fn rules_between_limits_come_at_once_too() {
    let settings = "[copy]\n\
         window_from = \"15:10\"\n\
         window_until = \"09:20\"\n\
         underlyings = [\"NIFTY\"]\n\
         underlyings_denied = [\"SENSEX\", \"NIFTY\"]\n\
         [risk]\n\
         positions_poll_ms = 20000\n\
         on_daily_loss = \"halt\"\n\
         [[follower]]\n\
         id = \"asha\"\n\
         [[follower]]\n\
         id = \"bala\"\n\
         client_id_env = \"BALA_CLIENT_ID\"\n\
         [follower.copy]\n\
         instruments = [\"A\"]\n\
         instruments_denied = [\"A\"]\n\
         [follower.risk]\n\
         on_daily_loss = \"square_off\"\n\
         figures_age_ms_max = 4000\n";
    check(
        settings,
        &[("BALA_CLIENT_ID", "1000000303")],
        &[
            &["my.toml:2:", "copy.window_from", "is not before copy.window_until"],
            &["my.toml:5:", "copy.underlyings_denied", "copy.underlyings holds too"],
            &["my.toml:7:", "risk.positions_poll_ms", "not shorter than risk.figures_age_ms_max"],
            &["my.toml:8:", " risk.on_daily_loss", "no bound of the daily loss"],
            &["my.toml:16:", "follower[1].copy.instruments_denied", "copy.instruments holds too"],
            &["my.toml:18:", "follower[1].risk.on_daily_loss", "risk.daily_loss_max_rupees"],
            &["my.toml:19:", "follower[1].risk.figures_age_ms_max", "not shorter"],
        ],
    );
}

#[test]
fn a_broken_line_is_named_but_not_repeated() {
    let settings = format!("[leader]\nname = \"leader\"\naccess_token = {SECRET}\n");
    check(&settings, &[], &[&["my.toml:3:", "is not TOML"]]);
}

#[test]
fn a_missing_file_is_a_bad_setting() {
    let folder = tempfile::tempdir().unwrap();
    let said = tandem(folder.path(), &["run", "--config", "absent.toml"], &ACCOUNTS);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("absent.toml") && said.err.contains("cannot be read"), "{said:?}");
}

#[test]
fn the_environment_is_checked_like_a_file() {
    let variables = [
        ("TANDEM__BROKER__CONNECT_TIMEOUT_MS", "soon"),
        ("TANDEM__BROKER__COLOUR", SECRET),
        ("TANDEM__BROKER__LIMITS", "10"),
        ("TANDEM__FOLLOWER__0__ID", "asha"),
        ("DHAN_ENV", "production"),
        ("TANDEM__PARTING__GAP", "none"),
        ("TANDEM__COPY__STOP_BAND_BPS", "3%"),
        ("SIZING_STRATEGY", "by_luck"),
        ("COPY_RATIO", "0"),
        ("MAX_POSITION_SIZE_PCT", "150"),
    ];
    check(
        FOLLOWER,
        &variables,
        &[
            &["TANDEM__BROKER__CONNECT_TIMEOUT_MS:", "broker.connect_timeout_ms", "whole number"],
            &["TANDEM__BROKER__COLOUR:", "is not a setting"],
            &["TANDEM__BROKER__LIMITS:", "is a section"],
            &["TANDEM__FOLLOWER__0__ID:", "settings file"],
            &["DHAN_ENV:", "prod or sandbox"],
            &["TANDEM__PARTING__GAP:", "parting.gap", "\"report\""],
            &["TANDEM__COPY__STOP_BAND_BPS:", "copy.stop_band_bps", "from 1 to 5000"],
            &["SIZING_STRATEGY:", "sizing.strategy", "\"fixed_ratio\""],
            &["COPY_RATIO:", "sizing.ratio", "above zero"],
            &["MAX_POSITION_SIZE_PCT:", "risk.position_share_max_pct", "from 1 to 100"],
        ],
    );
}

#[test]
fn rules_between_settings_come_at_once_too() {
    let settings = "[broker]\n\
         base_url = \"http://api.example.com/v2\"\n\
         connect_timeout_ms = 6000\n\
         [broker.limits]\n\
         orders_per_second = 20\n\
         orders_per_day = 900\n\
         [clock]\n\
         source = \"lent\"\n\
         lent_url = \"ws://127.0.0.1:9003/sim/clock\"\n\
         [sizing]\n\
         ratio = 0.5\n\
         [recovery]\n\
         lookup_ms_first = 900\n\
         lookup_ms_max = 800\n\
         [log]\n\
         level = \"tandem=louder\"\n\
         [[follower]]\n\
         id = \"asha\"\n\
         [[follower]]\n\
         id = \"asha\"\n";
    check(
        settings,
        &[],
        &[
            &["my.toml:2:", "broker.base_url", "not encrypted"],
            &["my.toml:3:", "broker.connect_timeout_ms", "broker.request_deadline_ms"],
            &["my.toml:5:", "orders_per_second", "broker's own limit of 10"],
            &["default.toml:", "orders_per_hour", "is above orders_per_day"],
            &["my.toml:8:", "clock.source", "not every URL is on this machine"],
            &["my.toml:11:", "sizing.ratio", "has no effect"],
            &["my.toml:13:", "recovery.lookup_ms_first", "recovery.lookup_ms_max"],
            &["my.toml:16:", "log.level"],
            &["my.toml:20:", "follower[1].id", "earlier follower"],
            &["my.toml:19:", "same account as an earlier follower"],
        ],
    );
}

#[test]
fn accounts_need_their_variables() {
    let settings = "[leader]\n\
         access_token_env = \"LEADER_ACCESS_TOKEN\"\n\
         access_token_file = \"leader.token\"\n\
         [[follower]]\n\
         client_id_env = \"ASHA_CLIENT_ID\"\n";
    check(
        settings,
        &[],
        &[
            &["my.toml:3:", "leader.access_token_file", "keep one"],
            &["my.toml:4:", "follower[0].id", "is missing"],
            &["my.toml:5:", "follower[0].client_id_env", "ASHA_CLIENT_ID", "not set"],
        ],
    );
}

#[test]
fn a_renewal_needs_its_proofs_and_nothing_else_takes_them() {
    let settings = "[leader]\n\
         token_renewal = \"totp\"\n\
         pin_env = \"LEADER_PIN\"\n\
         [[follower]]\n\
         id = \"asha\"\n\
         token_renewal = \"broker\"\n\
         pin_file = \"asha.pin\"\n\
         [[follower]]\n\
         id = \"bala\"\n\
         client_id_env = \"BALA_CLIENT_ID\"\n\
         token_renewal = \"totp\"\n\
         pin_env = \"BALA_PIN\"\n\
         pin_file = \"bala.pin\"\n\
         totp_secret_file = \"bala.totp\"\n\
         [broker]\n\
         auth_url = \"http://auth.example.com\"\n\
         reconnect_ms_first = 60000\n\
         reconnect_ms_max = 1000\n\
         [tokens]\n\
         renew_before_s = 86400\n";
    check(
        settings,
        &[("BALA_CLIENT_ID", "1000000303")],
        &[
            &["my.toml:2:", "leader.token_renewal", "totp_secret_env"],
            &["my.toml:7:", "follower[0].pin_file", "has no effect"],
            &["my.toml:13:", "follower[1].pin_file", "keep one of the two"],
            &["my.toml:16:", "broker.auth_url", "not encrypted"],
            &["my.toml:17:", "broker.reconnect_ms_first", "broker.reconnect_ms_max"],
            &["my.toml:20:", "tokens.renew_before_s"],
        ],
    );
}

#[test]
fn somebody_must_follow_and_not_the_leader_itself() {
    check("", &[], &[&["follower", "nobody to copy for"]]);
    check("[[follower]]\nid = \"asha\"\nenabled = false\n", &[], &[&["follower", "nobody to copy for"]]);
    let own = with_follower("").replace("id =", "client_id_env = \"LEADER_CLIENT_ID\"\nid =");
    check(&own, &[], &[&["follower[0].client_id_env", "the leader"]]);
}

#[test]
fn the_sandbox_cannot_be_copied_from() {
    check(FOLLOWER, &[("DHAN_ENV", "sandbox")], &[&["DHAN_ENV:", "no order-update stream", "DHAN_ENV=prod"]]);
}

#[test]
fn every_fault_of_sizing_comes_at_once() {
    let settings = "[leader]\n\
         capital_rupees = 0\n\
         [sizing]\n\
         lots = 0\n\
         risk_pct = 101\n\
         rounding = \"half\"\n\
         minimum = \"one\"\n\
         remainder = \"on\"\n\
         capital = \"all\"\n\
         capital_rupees = 2.5\n\
         intraday_refresh = 30\n\
         [[follower]]\n\
         id = \"asha\"\n\
         [follower.sizing]\n\
         strategy = \"lots\"\n";
    check(
        settings,
        &[],
        &[
            &["my.toml:2:", "leader.capital_rupees", "from 1"],
            &["my.toml:4:", "sizing.lots", "from 1"],
            &["my.toml:5:", "sizing.risk_pct", "from 1 to 100"],
            &["my.toml:6:", "sizing.rounding", "\"down\" or \"nearest\" or \"up\""],
            &["my.toml:7:", "sizing.minimum", "\"skip\" or \"one_lot\""],
            &["my.toml:8:", "sizing.remainder", "true or false"],
            &["my.toml:9:", "sizing.capital ", "\"total\" or \"available\" or \"fixed\""],
            &["my.toml:10:", "sizing.capital_rupees", "whole number"],
            &["my.toml:11:", "sizing.intraday_refresh", "true or false"],
            &["my.toml:15:", "follower[0].sizing.strategy", "\"risk_based\" or \"fixed_lots\""],
        ],
    );
}

#[test]
fn the_faults_of_a_calendar_come_with_those_of_the_settings() {
    let settings = "[session]\ncalendar_file = \"absent.toml\"\n[copy]\nwindow_from = \"15:10\"\nwindow_until = \"09:20\"\n\
         [[follower]]\nid = \"asha\"\n";
    check(
        settings,
        &[],
        &[
            &["absent.toml:1:", "cannot be read", "session.calendar_file"],
            &["my.toml:4:", "copy.window_from", "copy.window_until"],
        ],
    );
}

#[test]
fn a_figure_is_there_where_it_counts_and_nowhere_else() {
    let settings = "[leader]\n\
         capital = \"fixed\"\n\
         [sizing]\n\
         lots = 2\n\
         [[follower]]\n\
         id = \"asha\"\n\
         [follower.sizing]\n\
         capital = \"fixed\"\n\
         ratio = 0.5\n\
         [[follower]]\n\
         id = \"bala\"\n\
         client_id_env = \"BALA_CLIENT_ID\"\n\
         [follower.sizing]\n\
         strategy = \"fixed_ratio\"\n\
         capital_rupees = 5\n";
    check(
        settings,
        &[("BALA_CLIENT_ID", "1000000303")],
        &[
            &["my.toml:2:", "leader.capital ", "leader.capital_rupees"],
            &["my.toml:4:", "sizing.lots", "has no effect", "fixed_lots"],
            &["my.toml:8:", "follower[0].sizing.capital ", "without a sum"],
            &["my.toml:9:", "follower[0].sizing.ratio", "has no effect"],
            &["my.toml:14:", "follower[1].sizing.strategy", "without a ratio"],
            &["my.toml:15:", "follower[1].sizing.capital_rupees", "has no effect"],
        ],
    );
    check(
        "[leader]\ncapital_rupees = 5\n[[follower]]\nid = \"asha\"\n[follower.sizing]\nstrategy = \"fixed_lots\"\n",
        &[],
        &[
            &["my.toml:2:", "leader.capital_rupees", "has no effect", "\"fixed\""],
            &["my.toml:6:", "follower[0].sizing.strategy", "without a number of lots", "set sizing.lots"],
        ],
    );
}

#[test]
fn a_fixed_ratio_needs_its_ratio() {
    check(FOLLOWER, &[("SIZING_STRATEGY", "fixed_ratio")], &[&["SIZING_STRATEGY:", "COPY_RATIO"]]);
}

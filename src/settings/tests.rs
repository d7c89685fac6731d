//! Settings from texts: what they come to, and every fault at once.

use std::path::PathBuf;
use std::time::Duration;

use tandem_domain::gap::GapPolicy;
use tandem_domain::gates::entry::{AtCap, Caps, EntryPolicy, Filters, MarginCheck};
use tandem_domain::instrument::InstrumentKind;
use tandem_domain::order::{Product, Side};
use tandem_domain::policy::{
    AtModificationLimit, Bps, Changes, Conversions, CopyOn, EntryLeftBehind, MarketOrders, MissingCover,
    OnBreach, OnDrift, Parting, RiskPolicy, Spread, Translation,
};
use tandem_domain::price::Money;
use tandem_domain::quantity::Lots;
use tandem_domain::sizing::{CapitalBasis, Minimum, Ratio, Rounding, SizingPolicy, Strategy};

use super::load::DEFAULT_TOML;
use super::schema::LEAVES;
use super::*;

const ONE_FOLLOWER: &str = "[[follower]]\nid = \"asha\"\n";

fn accounts() -> Vec<(String, String)> {
    [("LEADER_CLIENT_ID", "1000000101"), ("FOLLOWER_CLIENT_ID", "1000000202")]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .to_vec()
}

fn sources(text: &str, variables: &[(&str, &str)]) -> Sources {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Sources::new().text("my.toml", text).environment(accounts()).environment(variables)
}

fn load(text: &str, variables: &[(&str, &str)]) -> Settings {
    sources(text, variables).load(Purpose::Copy).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn a_follower_is_all_that_the_defaults_lack() {
    let settings = load(ONE_FOLLOWER, &[]);
    assert_eq!(settings.broker.base_url, "https://api.dhan.co/v2");
    assert_eq!(settings.broker.connect_timeout, Duration::from_millis(500));
    let asha = &settings.followers[0];
    assert_eq!((asha.id.as_str(), asha.client_id.as_str(), asha.enabled), ("asha", "1000000202", true));
    assert_eq!(asha.access_token_env, "FOLLOWER_ACCESS_TOKEN");
    assert_eq!(asha.broker_limits, settings.broker.limits);
    assert_eq!(asha.copy.instrument_kinds.len(), 4);
}

#[test]
fn the_default_file_shows_every_key_there_is() {
    let mut section = String::new();
    let mut shown = std::collections::BTreeSet::new();
    for line in DEFAULT_TOML.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" =") {
            shown.insert(format!("{section}.{key}"));
        }
    }
    for leaf in LEAVES {
        assert!(shown.contains(leaf.key), "{} is not in default.toml", leaf.key);
    }
}

#[test]
fn the_later_layer_wins() {
    let text =
        format!("[sizing]\nstrategy = \"fixed_ratio\"\nratio = 0.1\n[store]\nreaders = 3\n{ONE_FOLLOWER}");
    let settings = load(&text, &[]);
    assert_eq!(settings.sizing.ratio, Ratio::new(1, 10).ok());
    assert_eq!(settings.store.readers, 3);

    let variables = [("TANDEM__SIZING__RATIO", "0.3"), ("TANDEM__STORE__READERS", "4")];
    let settings = load(&text, &variables);
    assert_eq!(settings.sizing.ratio, Ratio::new(3, 10).ok());
    assert_eq!(settings.store.readers, 4);

    let settings = load(&text, &[&variables[..], &[("COPY_RATIO", "1/3"), ("DHAN_ENV", "")]].concat());
    assert_eq!(settings.followers[0].sizing.policy().fixed_ratio, Ratio { numerator: 1, denominator: 3 });
}

#[test]
fn a_follower_overrides_part_of_a_section_and_keeps_the_rest() {
    let settings = load(
        "[broker]\nlocal_address = \"203.0.113.7\"\n\
         [copy]\nproduct_map = { MTF = \"CNC\" }\nentry_age_ms_max = 9000\n\
         [[follower]]\nid = \"asha\"\nlocal_address = \"203.0.113.8\"\naccess_token_file = \"asha.token\"\n\
         [follower.copy]\ninstrument_kinds = [\"FUTIDX\"]\nproduct_map = { MARGIN = \"INTRADAY\" }\n\
         [follower.sizing]\nmultiplier = 2\n\
         [follower.broker_limits]\norders_per_second = 5\n",
        &[],
    );
    let asha = &settings.followers[0];
    assert_eq!(asha.copy.instrument_kinds, [InstrumentKind::IndexFuture]);
    assert_eq!(asha.copy.entry_age_max.as_secs(), 9);
    // A table of its own replaces the map: what one follower maps is no hint for another.
    assert_eq!(asha.copy.product_map.iter().collect::<Vec<_>>(), [(&Product::Margin, &Product::Intraday)]);
    assert_eq!(settings.copy.product_map[&Product::Mtf], Product::Cnc);
    assert_eq!((asha.sizing.multiplier.numerator, asha.sizing.ratio_max), (2, Ratio::ONE));
    assert_eq!((asha.broker_limits.orders_per_second, asha.broker_limits.orders_per_day), (5, 7_000));
    assert_eq!(asha.local_address.map(|address| address.octets()[3]), Some(8));
    assert_eq!(settings.leader.local_address.map(|address| address.octets()[3]), Some(7));
}

#[test]
fn by_default_exits_are_protected_and_nothing_is_opened_again() {
    let settings = load(ONE_FOLLOWER, &[]);
    let asha = &settings.followers[0];
    assert_eq!(asha.copy.on, CopyOn::Working);
    let (market_orders, band) = (MarketOrders::AsIs, Bps::new(300));
    assert_eq!(asha.copy.translation(), Translation { market_orders, price_band: band, stop_band: band });
    assert_eq!(asha.changes(), Changes { per_order_max: 25, at_limit: AtModificationLimit::Replace });
    let seconds = Duration::from_secs;
    let expected = Parting {
        entry: EntryLeftBehind::Cancel,
        entry_after: seconds(10),
        exit_after: seconds(2),
        chase_interval: seconds(2),
        gap: GapPolicy::ExitsOnly,
    };
    assert_eq!(asha.parting.policy(), expected);
    assert_eq!(settings.alerts.slippage_bps_max, 200);
    assert_eq!(settings.leader.forever_poll, seconds(10));
}

#[test]
fn by_default_entries_are_bounded_and_an_ordinary_follower_is_not_stopped() {
    let asha = &load(ONE_FOLLOWER, &[]).followers[0];
    let expected = EntryPolicy {
        is_copying: true,
        window: None,
        filters: Filters::default(),
        age_max: Duration::from_secs(30),
        drift_max: None,
        caps: Caps {
            lots_per_order: Some(Lots(50)),
            lots_per_instrument: Some(Lots(100)),
            order_value: None,
            position_share: None,
            open_orders: Some(50),
            orders_per_day: Some(1_000),
        },
        at_cap: AtCap::Scale,
        daily_loss_max: None,
        figures_age_max: Duration::from_secs(15),
        margin: MarginCheck::Estimate,
        short_margin: Bps::new(1_500),
    };
    assert_eq!(asha.entry_policy(), expected);
    let expected = RiskPolicy {
        on_daily_loss: OnBreach::Reduce,
        rejections_max: 10,
        on_rejections: OnBreach::Reduce,
        on_drift: OnDrift::Freeze,
        positions_poll: Duration::from_secs(5),
        funds_poll: Duration::from_secs(5),
        margin_wait: Duration::from_millis(300),
        conversions: Conversions::Alert,
    };
    assert_eq!(asha.risk_policy(), expected);
    let expected = Spread {
        cover_wait: Duration::from_secs(5),
        on_missing_cover: MissingCover::Skip,
        exit_wait: Duration::from_secs(3),
    };
    assert_eq!(asha.spread.policy(), expected);
}

#[test]
fn a_follower_bounds_his_risk_in_a_way_of_his_own() {
    let settings = load(
        "[copy]\nunderlyings = [\"NIFTY\", \"BANKNIFTY\"]\nwindow_until = \"15:10\"\n\
         [risk]\ndaily_loss_max_rupees = 50000\nat_cap = \"skip\"\n\
         [[follower]]\nid = \"asha\"\n\
         [follower.copy]\nenabled = false\nunderlyings = [\"SENSEX\"]\nsides = [\"BUY\"]\n\
         instruments_denied = [\"SENSEX-Dec2026-85000-CE\"]\nprice_drift_bps_max = 500\n\
         [follower.risk]\ndaily_loss_max_rupees = 20000\non_daily_loss = \"square_off\"\n\
         [follower.spread]\non_missing_cover = \"send\"\n",
        &[("MAX_POSITION_SIZE_PCT", "20"), ("TANDEM__RISK__ORDER_VALUE_MAX_RUPEES", "100000")],
    );
    let asha = &settings.followers[0];
    let policy = asha.entry_policy();
    assert!(!policy.is_copying);
    let (from, until) = policy.window.unwrap();
    assert_eq!((from.to_string(), until.to_string()), ("00:00:00".into(), "15:10:00".into()));
    // A list of her own replaces the common one.
    assert_eq!(policy.filters.underlyings.iter().collect::<Vec<_>>(), ["SENSEX"]);
    assert_eq!(policy.filters.sides.iter().collect::<Vec<_>>(), [&Side::Buy]);
    assert_eq!(policy.filters.instruments_denied.len(), 1);
    assert_eq!(policy.drift_max, Some(Bps::new(500)));
    assert_eq!(policy.daily_loss_max, Some(Money::from_rupees(20_000)));
    assert_eq!(policy.caps.position_share, Some(Bps::new(2_000)));
    assert_eq!(policy.caps.order_value, Some(Money::from_rupees(100_000)));
    assert_eq!((policy.at_cap, asha.risk_policy().on_daily_loss), (AtCap::Skip, OnBreach::SquareOff));
    assert_eq!(asha.spread.on_missing_cover, MissingCover::Send);
    let pairs = settings.effective();
    for (key, value) in [
        ("copy.window_until", "15:10"),
        ("follower[0].copy.window_until", "15:10"),
        ("copy.underlyings", "NIFTY,BANKNIFTY"),
        ("copy.segments", ""),
        ("follower[0].risk.on_daily_loss", "square_off"),
    ] {
        assert!(pairs.contains(&(key.to_owned(), value.to_owned())), "{key}");
    }
}

#[test]
fn by_default_a_share_is_proportional_and_never_more() {
    let asha = &load(ONE_FOLLOWER, &[]).followers[0];
    let expected = SizingPolicy {
        strategy: Strategy::CapitalProportional,
        fixed_ratio: Ratio::ONE,
        fixed_lots: Lots(1),
        risk_share: Bps::new(1_000),
        capital: CapitalBasis::Total,
        fixed_capital: None,
        multiplier: Ratio::ONE,
        ratio_max: Ratio::ONE,
        rounding: Rounding::Down,
        minimum: Minimum::Skip,
        keeps_remainder: true,
    };
    assert_eq!(asha.sizing.policy(), expected);
    assert!(!asha.sizing.intraday_refresh);
}

#[test]
fn each_follower_may_be_sized_in_his_own_way() {
    let settings = load(
        "[leader]\ncapital = \"fixed\"\ncapital_rupees = 2000000\n\
         [[follower]]\nid = \"asha\"\n\
         [follower.sizing]\nstrategy = \"fixed_lots\"\nlots = 3\nrounding = \"nearest\"\nremainder = false\n\
         [[follower]]\nid = \"bala\"\nclient_id_env = \"BALA\"\n\
         [follower.sizing]\nstrategy = \"risk_based\"\nrisk_pct = 5\ncapital = \"fixed\"\n\
         capital_rupees = 300000\nintraday_refresh = true\n",
        &[("BALA", "1000000303")],
    );
    assert_eq!(settings.leader.fixed_capital(), Some(Money::from_rupees(2_000_000)));
    let policies: Vec<_> = settings.followers.iter().map(|follower| follower.sizing.policy()).collect();
    assert_eq!((policies[0].strategy, policies[0].fixed_lots), (Strategy::FixedLots, Lots(3)));
    assert_eq!((policies[0].rounding, policies[0].keeps_remainder), (Rounding::Nearest, false));
    assert_eq!((policies[1].strategy, policies[1].risk_share), (Strategy::RiskBased, Bps::new(500)));
    assert_eq!(policies[1].fixed_capital, Some(Money::from_rupees(300_000)));
    assert!(settings.followers[1].sizing.intraday_refresh);
}

#[test]
fn a_part_of_the_day_may_lack_its_end() {
    let asha = &load(ONE_FOLLOWER, &[("TANDEM__COPY__WINDOW_FROM", "09:20")]).followers[0];
    let (from, until) = asha.copy.window().unwrap();
    assert_eq!((from.to_string(), until.to_string()), ("09:20:00".into(), "23:59:59.999999".into()));
}

#[test]
fn a_follower_parts_in_a_way_of_its_own() {
    let settings = load(
        "[copy]\non = \"fill\"\nprice_band_bps = 500\n\
         [parting]\nexit_after_ms = 0\ngap = \"report\"\n\
         [[follower]]\nid = \"asha\"\n\
         [follower.copy]\non = \"transit\"\nmarket_orders = \"protected_limit\"\nstop_band_bps = 1\n\
         at_modification_limit = \"stop\"\n\
         [follower.parting]\nentry = \"chase\"\nchase_interval_ms = 500\ngap = \"full\"\n\
         [follower.broker_limits]\nmodifications_per_order = 3\n",
        &[("TANDEM__PARTING__ENTRY", "keep"), ("TANDEM__PARTING__ENTRY_AFTER_MS", "4000")],
    );
    let asha = &settings.followers[0];
    assert_eq!(asha.copy.on, CopyOn::Transit);
    let (price_band, stop_band) = (Bps::new(500), Bps::new(1));
    let market_orders = MarketOrders::ProtectedLimit;
    assert_eq!(asha.copy.translation(), Translation { market_orders, price_band, stop_band });
    assert_eq!(asha.changes(), Changes { per_order_max: 3, at_limit: AtModificationLimit::Stop });
    let own = asha.parting.policy();
    assert_eq!((own.entry, own.gap), (EntryLeftBehind::Chase, GapPolicy::Full));
    // What it leaves out is the section's, whichever layer that came from.
    assert_eq!((own.entry_after.as_secs(), own.exit_after.as_secs()), (4, 0));
    assert_eq!(own.chase_interval.as_millis(), 500);
    let common = settings.parting.policy();
    assert_eq!(
        (settings.copy.on, common.entry, common.gap),
        (CopyOn::Fill, EntryLeftBehind::Keep, GapPolicy::Report)
    );
    assert_eq!(settings.broker.limits.modifications_per_order, 25);
}

/// The words in the schema and in the domain are the same, one for one: what passes the one is read by the other.
#[test]
fn every_word_of_a_choice_is_taken() {
    let words: [(&str, Vec<&str>); 12] = [
        ("copy.on", CopyOn::ALL.iter().map(|word| word.as_str()).collect()),
        ("copy.market_orders", MarketOrders::ALL.iter().map(|word| word.as_str()).collect()),
        ("copy.at_modification_limit", AtModificationLimit::ALL.iter().map(|word| word.as_str()).collect()),
        ("parting.entry", EntryLeftBehind::ALL.iter().map(|word| word.as_str()).collect()),
        ("parting.gap", GapPolicy::ALL.iter().map(|word| word.as_str()).collect()),
        ("copy.conversions", Conversions::ALL.iter().map(|word| word.as_str()).collect()),
        ("sizing.rounding", Rounding::ALL.iter().map(|word| word.as_str()).collect()),
        ("risk.at_cap", AtCap::ALL.iter().map(|word| word.as_str()).collect()),
        ("risk.margin", MarginCheck::ALL.iter().map(|word| word.as_str()).collect()),
        ("risk.on_rejections", vec!["off", "reduce", "halt"]),
        ("risk.on_drift", OnDrift::ALL.iter().map(|word| word.as_str()).collect()),
        ("spread.on_missing_cover", MissingCover::ALL.iter().map(|word| word.as_str()).collect()),
    ];
    for (key, words) in words {
        let variable = format!("TANDEM__{}", key.replace('.', "__").to_uppercase());
        for word in words {
            let settings = load(ONE_FOLLOWER, &[(&variable, word)]);
            let pairs = settings.effective();
            assert!(pairs.contains(&(format!("follower[0].{key}"), word.to_owned())), "{key} {word}");
        }
    }
}

#[test]
fn the_sandbox_may_be_checked_but_not_copied_from() {
    let sandbox = [("DHAN_ENV", "sandbox")];
    let settings = sources(ONE_FOLLOWER, &sandbox).load(Purpose::Check).unwrap();
    assert_eq!(settings.broker.base_url, "https://sandbox.dhan.co/v2");
    assert_eq!(settings.broker.stream_url, None);
    assert!(sources(ONE_FOLLOWER, &sandbox).load(Purpose::Copy).is_err());

    let simulated = format!("[broker]\nbase_url = \"http://127.0.0.1:9001/v2/\"\n{ONE_FOLLOWER}");
    assert_eq!(load(&simulated, &[]).broker.base_url, "http://127.0.0.1:9001/v2");
    assert_eq!(load(&simulated, &[("DHAN_ENV", "prod")]).broker.base_url, "https://api.dhan.co/v2");
}

#[test]
fn only_loopback_may_lend_a_clock_and_raise_limits() {
    let simulated = "[broker]\nbase_url = \"http://127.0.0.1:9001/v2\"\nstream_url = \"ws://localhost:9002\"\n\
         instruments_url = \"http://[::1]:9001/instruments.csv\"\nlimits = { orders_per_second = 100 }\n\
         [clock]\nsource = \"lent\"\nlent_url = \"ws://127.0.0.1:9003/sim/clock\"\n[[follower]]\nid = \"asha\"\n";
    let settings = load(simulated, &[]);
    assert!(settings.is_loopback());
    assert_eq!(settings.broker.limits.pacing().windows[0].limit, 100);
    let elsewhere = simulated.replace("ws://localhost:9002", "wss://localhost.example.com");
    assert_eq!(sources(&elsewhere, &[]).load(Purpose::Copy).unwrap_err().0.len(), 2);
    // Instruments are public: where a file is read, the URL that is not used does not count.
    let from_file = simulated.replace("instruments_url", "instruments_file = \"a.csv\" #");
    assert!(load(&from_file, &[]).is_loopback());
}

#[test]
fn lists_and_maps_come_from_the_environment_too() {
    let variables = [
        ("TANDEM__COPY__INSTRUMENT_KINDS", "OPTIDX, FUTIDX"),
        ("TANDEM__COPY__PRODUCT_MAP", "MTF=CNC,MARGIN=INTRADAY"),
        ("TANDEM__BROKER__LIMITS__READS_PER_SECOND", "7"),
        ("LEADERSHIP", "not ours"),
    ];
    let settings = load(ONE_FOLLOWER, &variables);
    assert_eq!(settings.followers[0].copy.policy().kinds.len(), 2);
    assert_eq!(settings.copy.product_map.len(), 2);
    assert_eq!(settings.broker.limits.reads_per_second, 7);
}

#[test]
fn what_is_in_force_names_every_setting_but_no_person() {
    let settings = load(ONE_FOLLOWER, &[("COPY_RATIO", "0.25"), ("SIZING_STRATEGY", "fixed_ratio")]);
    let pairs: std::collections::BTreeMap<_, _> = settings.effective().into_iter().collect();
    for (key, value) in [
        ("broker.limits.orders_per_day", "7000"),
        ("copy.instrument_kinds", "OPTIDX,OPTSTK,OPTFUT,OPTCUR"),
        ("follower[0].sizing.ratio", "1/4"),
        ("follower[0].access_token_env", "FOLLOWER_ACCESS_TOKEN"),
        ("follower[0].parting.entry_after_ms", "10000"),
        ("copy.price_band_bps", "300"),
        ("supervisor.health_interval_s", "30"),
    ] {
        assert_eq!(pairs[key], value, "{key}");
    }
    assert!(!format!("{pairs:?}").contains("10000002"));
}

#[test]
fn the_database_is_found_without_any_account() {
    let found = Sources::new().text("my.toml", "[store]\npath = \"run/mine.db\"\n").load_store().unwrap();
    assert_eq!(found.store.path, PathBuf::from("run/mine.db"));
    assert_eq!(found.log.level, "info");
    assert!(Sources::new().text("my.toml", "[store]\npath = 3\n").load_store().is_err());
}

#[test]
fn a_disabled_follower_needs_no_variables() {
    let text =
        format!("{ONE_FOLLOWER}[[follower]]\nid = \"bala\"\nenabled = false\nclient_id_env = \"BALA\"\n");
    let settings = load(&text, &[]);
    assert_eq!(settings.followers.len(), 2);
    assert_eq!(settings.enabled_followers().count(), 1);
}

#[test]
fn the_example_files_are_good() {
    let live = include_str!("../../config/live.example.toml");
    let settings = load(live, &[]);
    assert!(!settings.is_loopback());
    assert_eq!(settings.followers[0].sizing.multiplier, Ratio { numerator: 1, denominator: 10 });

    let demo = include_str!("../../config/demo.toml");
    let settings = load(demo, &[("ASHA_CLIENT_ID", "1000000202"), ("BALA_CLIENT_ID", "1000000303")]);
    assert!(settings.is_loopback());
    assert_eq!(settings.enabled_followers().count(), 2);
}

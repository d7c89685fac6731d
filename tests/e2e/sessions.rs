//! A22: when entries are opened: hours, holidays, weekends, after-market orders, the owner's window, the day of expiry.
//! Exits pass at any hour.

use std::fs;
use std::time::Duration;

use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::{OrderTerms, Product};

use crate::harness::{ASHA, Broker, Daemon, LEADER, Setup, Stage, buy, limit, sell, until};

/// A calendar of the daemon's own; the broker trades on, so that the leader can place what is too late or too early.
struct OwnCalendar(tempfile::TempDir);

impl OwnCalendar {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("calendar.toml"), text).unwrap();
        Self(folder)
    }

    fn setup(&self) -> Setup {
        let path = self.0.path().join("calendar.toml");
        Setup::new().set(&format!("session.calendar_file = {:?}", path.display().to_string()))
    }
}

/// A session of the derivatives exchange, and one holiday of the year.
fn session(weekend: &str, from: &str, until: &str) -> String {
    format!(
        "weekend = [{weekend}]\n[[session]]\nsegments = [\"NSE_FNO\"]\nfrom = \"{from}\"\nuntil = \"{until}\"\n\
         [[holiday]]\ndate = 2026-12-25\n"
    )
}

/// An entry is skipped for this reason, and nothing is sent.
fn denied(broker: &Broker, daemon: &Daemon, terms: OrderTerms, reason: &str) {
    let before = broker.placements(ASHA).len();
    let order = broker.lead(terms);
    daemon.until_refused(&order, "asha", "skipped", reason);
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), before, "{reason}");
}

fn copied(broker: &Broker, daemon: &Daemon, option: InstrumentKey) {
    let order = broker.lead(buy(option, 260));
    daemon.until_filled(&order, "asha", 130);
}

#[test]
fn a22_before_the_open() {
    let calendar = OwnCalendar::of(&session("\"SAT\", \"SUN\"", "09:30", "15:40"));
    let Stage { broker, daemon } = calendar.setup().stage();
    let option = broker.option();
    denied(&broker, &daemon, buy(option, 260), "market_closed");
    broker.pass_until("2026-12-01 09:30:00");
    copied(&broker, &daemon, option);
    daemon.end();
}

#[test]
fn a22_after_the_close_entries_end_and_exits_pass() {
    let calendar = OwnCalendar::of(&session("\"SAT\", \"SUN\"", "09:15", "09:20"));
    let Stage { broker, daemon } = calendar.setup().stage();
    let option = broker.option();
    copied(&broker, &daemon, option);
    broker.pass_until("2026-12-01 09:20:00");
    denied(&broker, &daemon, buy(option, 260), "market_closed");
    let sold = broker.lead(sell(option, 520));
    daemon.until_filled(&sold, "asha", 130);
    assert_eq!(broker.net(ASHA, option), 0);
    daemon.end();
}

#[test]
fn a22_on_a_holiday() {
    // The broker does not know of it.
    let Stage { broker, daemon } =
        Setup::new().starts("2026-12-25 11:00:00").sim(|sim| sim.holidays.clear()).stage();
    denied(&broker, &daemon, buy(broker.option(), 260), "market_holiday");
    daemon.end();
}

#[test]
fn a22_at_a_weekend() {
    let calendar = OwnCalendar::of(&session("\"TUE\"", "09:15", "15:40"));
    let Stage { broker, daemon } = calendar.setup().stage();
    denied(&broker, &daemon, buy(broker.option(), 260), "market_holiday");
    daemon.end();
}

#[test]
fn a22_an_after_market_order_of_a_saturday_trades_on_monday() {
    let Stage { broker, daemon } = Setup::new().starts("2026-12-05 11:00:00").stage();
    let option = broker.option();
    let order = broker.lead(OrderTerms { after_market: true, ..limit("100.00", buy(option, 260)) });
    daemon.until_status(&order, "asha", "PENDING");
    broker.quiet();
    let copy = broker.only_order(ASHA);
    assert!(copy.terms.after_market && copy.exchange_time.is_none());
    assert_eq!(broker.placement_bodies(ASHA)[0]["afterMarketOrder"], true);
    daemon.end();
    broker.pass_until("2026-12-07 09:16:00");
    assert_eq!((broker.net(LEADER, option), broker.net(ASHA, option)), (260, 130));
}

#[test]
fn a22_an_after_market_order_while_the_market_is_open() {
    // To the broker it is closed, to the calendar not.
    let calendar = OwnCalendar::of(&session("\"SAT\", \"SUN\"", "09:15", "17:00"));
    let Stage { broker, daemon } = calendar.setup().starts("2026-12-01 16:00:00").stage();
    let terms = OrderTerms { after_market: true, ..limit("100.00", buy(broker.option(), 260)) };
    denied(&broker, &daemon, terms, "market_open");
    daemon.end();
}

#[test]
fn a22_a_special_session_stands_in_for_the_day() {
    let special =
        "[[special]]\ndate = 2026-12-01\nsegments = [\"NSE_FNO\"]\nfrom = \"09:16\"\nuntil = \"09:18\"\n";
    let calendar = OwnCalendar::of(&(session("\"TUE\"", "09:15", "15:40") + special));
    let Stage { broker, daemon } = calendar.setup().stage();
    let option = broker.option();
    denied(&broker, &daemon, buy(option, 260), "market_closed");
    broker.pass_until("2026-12-01 09:16:00");
    copied(&broker, &daemon, option);
    broker.pass_until("2026-12-01 09:18:00");
    denied(&broker, &daemon, buy(option, 260), "market_closed");
    daemon.end();
}

#[test]
fn a22_a_year_without_dates_is_told() {
    let Stage { broker, mut daemon } = Setup::new().starts("2027-01-05 11:00:00").stage();
    daemon.expects("the calendar knows no holiday of this year");
    copied(&broker, &daemon, broker.option());
    daemon.end();
}

#[test]
fn a22_the_owners_window() {
    let Stage { broker, daemon } =
        Setup::new().set(r#"copy.window_from = "09:20""#).set(r#"copy.window_until = "09:25""#).stage();
    let option = broker.option();
    denied(&broker, &daemon, buy(option, 260), "outside_window");
    broker.pass_until("2026-12-01 09:20:00");
    copied(&broker, &daemon, option);
    broker.pass_until("2026-12-01 09:25:00");
    denied(&broker, &daemon, buy(option, 260), "outside_window");
    // He holds twelve lots, she two.
    let half = broker.lead(sell(option, 390));
    daemon.until_filled(&half, "asha", 65);
    daemon.end();
}

#[test]
fn a22_a_window_ends_what_is_opened_by_a_raise_too() {
    let Stage { broker, daemon } = Setup::new().set(r#"copy.window_until = "09:20""#).stage();
    let option = broker.option();
    broker.offer(option, &[]);
    let order = broker.lead(limit("95.00", buy(option, 260)));
    daemon.until_status(&order, "asha", "PENDING");
    broker.pass_until("2026-12-01 09:20:00");
    broker.change(LEADER, &order, &crate::harness::to_units(520));
    daemon.until_leader(&order, "is raised", |leader| leader.quantity == 520);
    broker.quiet();
    assert_eq!(broker.asked(ASHA), (1, 0, 0));
    // What it is lowered to, and its end, pass.
    broker.change(LEADER, &order, &crate::harness::to_units(130));
    until("hers is lowered", || (broker.only_order(ASHA).terms.quantity.get() == 65).then_some(()));
    broker.cancel(LEADER, &order);
    daemon.until_status(&order, "asha", "CANCELLED");
    daemon.end();
}

#[test]
fn a22_late_on_the_day_of_expiry() {
    let Stage { broker, daemon } = Setup::new().starts("2026-12-01 15:29:00").stage();
    let today = broker.option_at(0, 26_000, OptionType::Call, "30.00");
    let expiry = broker.sim.with_exchange(|exchange| exchange.contract(today).unwrap().expiry).unwrap();
    assert_eq!(expiry.to_string(), "2026-12-01");
    copied(&broker, &daemon, today);
    broker.pass_until("2026-12-01 15:30:00");
    denied(&broker, &daemon, buy(today, 260), "expiry_day");
    copied(&broker, &daemon, broker.option());
    let sold = broker.lead(sell(today, 520));
    daemon.until_filled(&sold, "asha", 130);
    daemon.end();
}

#[test]
fn a22_too_late_for_what_the_broker_squares_off() {
    let Stage { broker, daemon } =
        Setup::new().starts("2026-12-01 15:19:00").sim(|sim| sim.square_off = None).stage();
    let option = broker.option();
    let intraday = |terms| OrderTerms { product: Product::Intraday, ..terms };
    let bought = broker.lead(intraday(buy(option, 260)));
    daemon.until_filled(&bought, "asha", 130);
    broker.pass_until("2026-12-01 15:20:00");
    denied(&broker, &daemon, intraday(buy(option, 260)), "intraday_cutoff");
    let sold = broker.lead(intraday(sell(option, 520)));
    daemon.until_filled(&sold, "asha", 130);
    copied(&broker, &daemon, broker.option_at(1, 26_200, OptionType::Call, "60.00"));
    daemon.end();
}

/// Two hours in one step: what works goes on working, and what is to come comes.
#[test]
fn f17_a_clock_that_jumps_places_and_cancels_nothing() {
    let Stage { broker, daemon } = Setup::new().stage();
    let option = broker.option();
    let held = broker.lead(buy(option, 260));
    daemon.until_filled(&held, "asha", 130);
    let entry = broker.lead(limit("90.00", buy(option, 130)));
    daemon.until_status(&entry, "asha", "PENDING");
    let exit = broker.lead(limit("110.00", sell(option, 130)));
    daemon.until_status(&exit, "asha", "PENDING");
    broker.quiet();
    let asked = broker.asked(ASHA);
    broker.pass(Duration::from_hours(2));
    broker.quiet();
    assert_eq!(broker.asked(ASHA), asked);
    broker.cancel(LEADER, &entry);
    daemon.until_status(&entry, "asha", "CANCELLED");
    let next = broker.lead(buy(option, 130));
    daemon.until_filled(&next, "asha", 65);
    daemon.end();
}

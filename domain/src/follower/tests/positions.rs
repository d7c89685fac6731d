//! What the accounts' positions say: the owner's own units (D18), what was held before (D24), rows that differ from the
//! account (F16), conversions (D23), the broker's own square-off (D22).

use super::*;
use crate::account::PositionReport;

fn key() -> InstrumentKey {
    terms(BUY, 0).instrument
}

/// A lot.
fn intraday(side: Side) -> OrderTerms {
    OrderTerms { product: Product::Intraday, ..terms(side, 65) }
}

/// The owner holds three lots as margin, and one was copied beside them as intraday.
fn copied_beside_the_owners() -> Desk {
    let mut desk = Desk::new();
    desk.by_hand("M", BUY, 195);
    desk.copies_intraday();
    desk
}

#[test]
fn where_two_products_are_held_the_leaders_own_is_closed() {
    let mut desk = Desk::new();
    desk.bought("M", 130);
    desk.copies_intraday();
    let exit = desk.works("X", intraday(SELL));
    assert_eq!(desk.child("X").terms.product, Product::Intraday, "although more is held as margin");
    desk.leader_fills("X", 65);
    desk.shows(&exit, BrokerStatus::Traded, 65);
    // Nothing is left of it now: what he closes is what is held.
    desk.plan("Y", intraday(SELL));
    assert_eq!(desk.child("Y").terms.product, Product::Margin);
}

/// A read of positions may be behind the fills: the exit leaves in what was bought all the same.
#[test]
fn a_read_that_does_not_add_up_moves_no_product() {
    let mut desk = copied_beside_the_owners();
    desk.shows_net(195, 0);
    desk.plan("X", intraday(SELL));
    assert_eq!(desk.child("X").terms.product, Product::Intraday);
}

/// Nor does one that differs for so long that the difference counts: positions may lag behind the fills.
#[test]
fn a_read_that_proves_a_difference_moves_no_product() {
    let mut desk = copied_beside_the_owners();
    desk.shows_net(195, 0);
    desk.passes(SETTLE);
    assert_eq!(alerts(&desk.shows_net(195, 0)), [&Alert::Drift(key(), -65)]);
    desk.plan("X", intraday(SELL));
    assert_eq!(desk.child("X").terms.product, Product::Intraday, "the rest is the owner's");
}

impl Desk {
    fn copies_intraday(&mut self) {
        let ours = self.works("I", intraday(BUY));
        self.leader_fills("I", 65);
        self.shows(&ours, BrokerStatus::Traded, 65);
    }

    /// The account shows this, a moment after whatever happened before.
    fn shows_net(&mut self, net: i64, carried: i64) -> Vec<Effect> {
        self.shows_positions(vec![position(Product::Margin, net, carried)])
    }

    fn shows_positions(&mut self, positions: Vec<PositionReport>) -> Vec<Effect> {
        self.now = self.now.plus(SECOND);
        self.step(Event::Positions { started_at: self.now, positions })
    }

    fn leader_shows(&mut self, positions: Vec<PositionReport>) -> Vec<Effect> {
        self.now = self.now.plus(SECOND);
        self.step(Event::LeaderPositions { started_at: self.now, positions })
    }

    /// The owner trades by hand, and all of it fills.
    fn by_hand(&mut self, id: &str, side: Side, quantity: u32) -> Vec<Effect> {
        let row = manual(id, terms(side, quantity));
        let filled = OrderReport { status: BrokerStatus::Traded, cumulative: Quantity::new(quantity), ..row };
        self.step(Event::Report(Box::new(filled)))
    }
}

fn sold(effects: &[Effect]) -> Vec<u32> {
    placements(effects).iter().map(|placed| placed.terms.quantity.get()).collect()
}

/// D18: ten lots of the owner's own beside two copied ones.
#[test]
fn the_owners_own_units_are_never_sold() {
    let mut desk = Desk::new();
    let effects = desk.shows_net(650, 650);
    assert_eq!(stored(&effects), stored_as(&[("opening", "0 0 650")]));
    desk.bought("L", 130);
    assert_eq!(alerts(&desk.shows_net(780, 650)), Vec::<&Alert>::new());
    let exit = placed(&desk.executed("X", terms(SELL, 130)));
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 130));
    desk.accepted(&exit.client_order_id, "b-X");
    desk.shows(&exit.client_order_id, BrokerStatus::Traded, 130);
    assert_eq!(alerts(&desk.shows_net(650, 650)), Vec::<&Alert>::new());
    // The leader sells what he never bought: a short of his, and ours.
    assert_eq!(placed(&desk.plan("S", terms(SELL, 65))).purpose, Purpose::Entry);
}

#[test]
fn a_square_off_leaves_what_the_owner_holds() {
    let mut desk = Desk::new();
    desk.shows_net(650, 650);
    desk.bought("L", 130);
    assert_eq!(sold(&desk.step(Event::Control(Control::SquareOff(HaltCause::Operator)))), [130]);
}

#[test]
fn what_the_owner_has_sold_by_hand_is_not_sold_again() {
    for (by_hand, exits) in [(65, vec![65]), (130, vec![]), (195, vec![])] {
        let mut desk = Desk::new();
        desk.bought("L", 130);
        desk.by_hand("M", SELL, by_hand);
        assert_eq!(sold(&desk.executed("X", terms(SELL, 130))), exits, "{by_hand} by hand");
        assert_eq!(alerts(&desk.shows_net(130 - i64::from(by_hand), 0)), Vec::<&Alert>::new());
    }
    // What he buys by hand is his.
    let mut desk = Desk::new();
    desk.bought("L", 130);
    desk.by_hand("M", BUY, 650);
    assert_eq!(sold(&desk.executed("X", terms(SELL, 130))), [130]);
}

#[test]
fn an_exit_that_works_is_trimmed_when_the_owner_sells_by_hand() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    desk.works("T", terms(SELL, 130));
    assert_eq!(changes(&desk.by_hand("M", SELL, 65)), ["1 modify to 65 at 100.00"]);
}

/// D24.
#[test]
fn what_the_leader_held_before_is_recorded_once_and_counts_in_fractions() {
    let mut desk = Desk::new();
    let effects = desk.leader_shows(vec![position(Product::Margin, 650, 650)]);
    assert_eq!(stored(&effects), stored_as(&[("opening", "650 0 0")]));
    assert_eq!(stored(&desk.leader_shows(vec![position(Product::Margin, 650, 650)])), vec![]);
    desk.bought("L", 650);
    // Ten of his twenty: half of our ten.
    assert_eq!(sold(&desk.executed("X", terms(SELL, 650))), [325]);
}

#[test]
fn what_closes_what_the_leader_held_before_is_not_copied() {
    let mut desk = Desk::new();
    desk.leader_shows(vec![position(Product::Margin, 650, 650)]);
    assert_eq!(sold(&desk.executed("X", terms(SELL, 650))), Vec::<u32>::new());
    assert_eq!(desk.outcome("X"), (Outcome::Skipped, Some(DeniedReason::NothingToClose)));
    desk.passes(SECOND);
    // Beyond it he opens a short, and that is.
    assert_eq!(sold(&desk.plan("S", terms(SELL, 65))), [65]);
}

#[test]
fn copies_of_earlier_days_are_closed_today() {
    let mut desk = Desk::new();
    desk.book.restore_carried([(key(), 130)], []);
    desk.leader_shows(vec![position(Product::Margin, 260, 260)]);
    let effects = desk.shows_net(195, 195);
    assert_eq!(stored(&effects), stored_as(&[("opening", "260 130 65")]));
    assert_eq!(sold(&desk.executed("X1", terms(SELL, 130))), [65]);
    let mut next = Desk::new();
    let opening = Opening { instrument: key(), leader: 260, copied: 130, own: 65 };
    next.book.restore_openings([(opening, start())]);
    assert_eq!(sold(&next.executed("X", terms(SELL, 260))), [130], "as it was recorded");
}

/// F16.
#[test]
fn a_difference_seen_twice_freezes_entries_until_it_is_gone() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    let effects = desk.shows_net(65, 0);
    assert_eq!(alerts(&effects), Vec::<&Alert>::new(), "the broker's books may lag behind each other");
    desk.passes(SETTLE);
    let effects = desk.shows_net(65, 0);
    assert_eq!(alerts(&effects), [&Alert::Drift(key(), -65)]);
    desk.plan("L2", terms(BUY, 65));
    assert_eq!(desk.outcome("L2"), (Outcome::Skipped, Some(DeniedReason::LedgerDrift)));
    assert_eq!(alerts(&desk.shows_net(65, 0)), Vec::<&Alert>::new(), "told once");
    // No exit is larger than what the account shows.
    assert_eq!(sold(&desk.executed("X", terms(SELL, 130))), [65]);
}

#[test]
fn a_difference_that_goes_away_is_over() {
    let mut desk = Desk::new();
    desk.bought("L", 130);
    desk.shows_net(0, 0);
    desk.passes(SETTLE);
    desk.shows_net(130, 0);
    assert_eq!(alerts(&desk.shows_net(0, 0)), Vec::<&Alert>::new(), "not twice in a row");
    desk.passes(SETTLE);
    assert_eq!(alerts(&desk.shows_net(0, 0)), [&Alert::Drift(key(), -130)]);
    let effects = desk.shows_net(130, 0);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Over(Alert::Drift(..)))), "{effects:?}");
    assert_eq!(sold(&desk.plan("L2", terms(BUY, 65))), [65]);
}

#[test]
fn positions_read_before_a_fill_was_seen_prove_nothing() {
    let mut desk = Desk::new();
    let ours = desk.works("L", terms(BUY, 130));
    let asked = desk.now;
    desk.now = desk.now.plus(SECOND);
    desk.shows(&ours, BrokerStatus::Traded, 130);
    for _ in 0..3 {
        let stale = Event::Positions { started_at: asked, positions: vec![] };
        assert_eq!(alerts(&desk.step(stale)), Vec::<&Alert>::new());
    }
}

#[test]
fn drift_may_halt_the_account() {
    let mut desk = Desk::with(|settings| settings.risk.on_drift = OnDrift::Halt);
    desk.bought("L", 130);
    let entry = desk.works("L2", terms(BUY, 65));
    desk.shows_net(0, 0);
    desk.passes(SETTLE);
    let effects = desk.shows_net(0, 0);
    assert!(alerts(&effects).contains(&&Alert::Stopped(HaltCause::Drift)), "{effects:?}");
    let asked = requests(&effects);
    assert!(asked.iter().any(|request| request.client_order_id == entry), "{asked:?}");
}

/// D23: the leader converts his two lots from intraday to margin.
#[test]
fn a_conversion_is_told_and_copied_where_the_owner_says_so() {
    for (policy, converts) in [(Conversions::Alert, false), (Conversions::Copy, true)] {
        let mut desk = Desk::with(|settings| settings.risk.conversions = policy);
        let intraday = OrderTerms { product: Product::Intraday, ..terms(BUY, 130) };
        let ours = desk.works("L", intraday);
        desk.leader_fills("L", 130);
        desk.shows(&ours, BrokerStatus::Traded, 130);
        let converted = || vec![position(Product::Margin, 130, 0), position(Product::Intraday, 0, 0)];
        assert_eq!(alerts(&desk.leader_shows(converted())), Vec::<&Alert>::new(), "once may be chance");
        let effects = desk.leader_shows(converted());
        let conversion =
            Conversion { instrument: key(), from: Product::Intraday, to: Product::Margin, units: 130 };
        assert_eq!(alerts(&effects), [&Alert::LeaderConverted(conversion)]);
        let asked: Vec<Conversion> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Convert(conversion) => Some(*conversion),
                _ => None,
            })
            .collect();
        assert_eq!(asked, if converts { vec![conversion] } else { vec![] });
        assert_eq!(alerts(&desk.leader_shows(converted())), Vec::<&Alert>::new(), "told once");
        // Later exits are in the product in which the follower holds it.
        let held = if converts { Product::Margin } else { Product::Intraday };
        desk.shows_positions(vec![position(held, 130, 0)]);
        let exit = placed(&desk.executed("X", terms(SELL, 130)));
        assert_eq!((exit.terms.product, exit.terms.quantity.get()), (held, 130));
    }
}

/// D22: the broker sells the follower's intraday lots by itself, after 15:10.
#[test]
fn the_brokers_own_square_off_is_recognised_and_leaves_nothing_to_be_sold() {
    let mut desk = Desk::new();
    desk.now = start().trading_day().at(chrono::NaiveTime::from_hms_opt(15, 15, 0).unwrap());
    let intraday = OrderTerms { product: Product::Intraday, ..terms(BUY, 130) };
    let ours = desk.works("L", intraday.clone());
    desk.leader_fills("L", 130);
    desk.shows(&ours, BrokerStatus::Traded, 130);
    let sale = OrderReport {
        status: BrokerStatus::Traded,
        cumulative: Quantity::new(130),
        ..manual("broker", OrderTerms { side: SELL, ..intraday.clone() })
    };
    let effects = desk.step(Event::Report(Box::new(sale)));
    assert_eq!(alerts(&effects), [&Alert::SquaredOffByBroker(key(), 130)]);
    assert_eq!(sold(&desk.executed("X", OrderTerms { side: SELL, ..intraday })), Vec::<u32>::new());
}

//! F20: the hours in which the broker's books are still those of the day before.

use super::*;
use crate::account::PositionReport;
use crate::policy::OnBreach;

fn key() -> InstrumentKey {
    terms(BUY, 0).instrument
}

fn at(hour: u64, minute: u64) -> Timestamp {
    start().trading_day().start().plus(Duration::from_secs((hour * 60 + minute) * 60))
}

/// A little after midnight. Copies of the day before hold a lot.
fn night() -> Desk {
    night_with(|_| ())
}

fn night_with(change: impl FnOnce(&mut FollowerSettings)) -> Desk {
    let mut desk = Desk::with(change);
    desk.now = at(0, 1);
    desk.book.restore_carried([(key(), 65)], []);
    desk
}

impl Desk {
    fn hers(&mut self, positions: Vec<PositionReport>) -> Vec<Effect> {
        self.now = self.now.plus(SETTLE);
        self.step(Event::Positions { started_at: self.now, positions })
    }

    fn his(&mut self, positions: Vec<PositionReport>) -> Vec<Effect> {
        self.now = self.now.plus(SETTLE);
        self.step(Event::LeaderPositions { started_at: self.now, positions })
    }
}

fn row_of_yesterday(id: &str, tag: Option<&str>, filled: u32) -> OrderReport {
    let yesterday = start().minus(Duration::from_hours(24));
    OrderReport {
        tag: tag.map(|tag| Tag::from(&ClientOrderId::new(tag).unwrap())),
        status: BrokerStatus::Traded,
        cumulative: Quantity::new(filled),
        ts_event: yesterday,
        ts_exchange: Some(yesterday),
        ts_created: Some(yesterday),
        ..manual(id, terms(BUY, 65))
    }
}

#[test]
fn f20_what_the_books_of_the_day_before_call_carried_is_no_opening() {
    let mut desk = night();
    // The leader bought two lots yesterday and she one, beside one of the owner's own.
    desk.his(vec![position(Product::Margin, 130, 0)]);
    for _ in 0..3 {
        assert_eq!(alerts(&desk.hers(vec![position(Product::Margin, 130, 0)])), Vec::<&Alert>::new());
    }
    let opening = |desk: &Desk| {
        let opening = desk.book.lines[&key()].opening.unwrap();
        (opening.leader, opening.copied, opening.own)
    };
    assert_eq!(opening(&desk), (130, 65, 65));
    // In a new life of the night it is told anew, in one of the day it stands.
    let opened = desk.book.lines[&key()].opening.unwrap();
    for (recorded_at, stands) in [(at(3, 0), false), (at(9, 0), true)] {
        let mut next = night();
        next.book.restore_openings([(opened, recorded_at)]);
        next.now = at(9, 1);
        next.his(vec![position(Product::Margin, 65, 65)]);
        next.hers(vec![position(Product::Margin, 65, 65)]);
        assert_eq!(opening(&next), if stands { (130, 65, 65) } else { (65, 65, 0) });
    }
    // The books turn.
    desk.now = at(9, 0);
    desk.his(vec![position(Product::Margin, 130, 130)]);
    assert_eq!(stored(&desk.hers(vec![position(Product::Margin, 130, 130)])), vec![]);
    assert_eq!(opening(&desk), (130, 65, 65));
    // From now on it stands, whatever is traded.
    desk.his(vec![position(Product::Margin, 0, 0)]);
    assert_eq!(opening(&desk), (130, 65, 65));
}

#[test]
fn f20_what_is_gone_when_the_books_turn_was_not_carried() {
    for hour in [6, 9] {
        let mut desk = night();
        desk.his(vec![position(Product::Margin, 130, 0)]);
        desk.hers(vec![position(Product::Margin, 65, 0)]);
        desk.now = at(hour, 30);
        desk.his(vec![]);
        let effects = desk.hers(vec![]);
        assert_eq!(stored(&effects), stored_as(&[("opening", "0 0 0")]), "at {hour}");
        desk.hers(vec![]);
        assert_eq!(alerts(&desk.hers(vec![])), Vec::<&Alert>::new());
    }
}

#[test]
fn f20_on_a_day_without_a_session_nothing_turns() {
    let mut desk = night_with(|settings| settings.calendar = Arc::new(Calendar::default()));
    desk.now = at(12, 0);
    desk.his(vec![position(Product::Margin, 130, 0)]);
    assert_eq!(
        stored(&desk.hers(vec![position(Product::Margin, 65, 0)])),
        stored_as(&[("opening", "130 65 0")])
    );
    // A session that the calendar does not know: what is filled in it is not held from before.
    desk.now = desk.now.plus(SECOND);
    let sold = OrderReport {
        status: BrokerStatus::Traded,
        cumulative: Quantity::new(65),
        ..manual("M", terms(SELL, 65))
    };
    desk.step(Event::Report(Box::new(sold)));
    desk.hers(vec![position(Product::Margin, 0, 0)]);
    assert_eq!(desk.book.lines[&key()].opening.unwrap().copied, 65);
    assert_eq!(alerts(&desk.hers(vec![position(Product::Margin, 0, 0)])), Vec::<&Alert>::new());
}

#[test]
fn f20_what_the_day_before_has_lost_stops_nobody_today() {
    let lost = PositionReport { realised: Money::from_rupees(-5000), ..position(Product::Margin, 65, 0) };
    let mut desk = night_with(|settings| {
        settings.entry.daily_loss_max = Some(Money::from_rupees(1000));
        settings.risk.on_daily_loss = OnBreach::Halt;
    });
    assert_eq!(alerts(&desk.hers(vec![lost.clone()])), Vec::<&Alert>::new());
    desk.now = at(9, 0);
    assert_ne!(alerts(&desk.hers(vec![lost])), Vec::<&Alert>::new(), "what is lost today does");
}

#[test]
fn f20_orders_of_the_day_before_are_nobodys_today() {
    let mut desk = night();
    let rows = vec![row_of_yesterday("b-1", Some("tdm-yesterday-1"), 65), row_of_yesterday("b-2", None, 65)];
    let read = BookRead { started_at: desk.now, orders: rows.clone(), complete: true };
    assert!(desk.step(Event::Book(read)).is_empty());
    for row in rows {
        let frame = OrderReport { source: EvidenceSource::Stream, ..row };
        assert!(desk.step(Event::Report(Box::new(frame))).is_empty());
    }
    assert_eq!(desk.book.lines.get(&key()).map_or(0, |line| line.external), 0);
}

/// An after-market order may be sent in the night: what looks like it in yesterday's rows is not it.
#[test]
fn f20_no_row_of_the_day_before_keeps_an_order_in_doubt() {
    let mut desk = night_with(|settings| {
        let mut calendar = Calendar::always_open();
        calendar.hours[0].from = chrono::NaiveTime::from_hms_opt(9, 15, 0).unwrap();
        settings.calendar = Arc::new(calendar);
    });
    let ours = desk.sent("L", OrderTerms { after_market: true, ..terms(BUY, 65) });
    desk.answer(&ours, Answer::Lost);
    for _ in 0..2 {
        desk.now = desk.now.plus(SETTLE).plus(SECOND);
        let orders = vec![row_of_yesterday("b-2", None, 65)];
        desk.step(Event::Book(BookRead { started_at: desk.now, orders, complete: true }));
    }
    assert_eq!(desk.book.unknown_count(), 0, "its absence is proven");
}

/// What he bought yesterday he sells by an order for the next session, before the books have turned.
#[test]
fn f20_an_exit_for_the_next_session_is_copied_in_the_night() {
    let mut desk = night();
    desk.his(vec![position(Product::Margin, 130, 0)]);
    desk.hers(vec![position(Product::Margin, 65, 0)]);
    let exit = placed(&desk.plan("X", OrderTerms { after_market: true, ..terms(SELL, 130) }));
    assert_eq!((exit.purpose, exit.terms.quantity.get()), (Purpose::Exit, 65));
    desk.accepted(&exit.client_order_id, "b-X");
    for (hour, carried) in [(6, (130, 65)), (9, (130, 65))] {
        desk.now = at(hour, 31);
        let his = desk.his(vec![position(Product::Margin, 130, carried.0)]);
        let hers = desk.hers(vec![position(Product::Margin, 65, carried.1)]);
        assert_eq!((requests(&his), requests(&hers)), (vec![], vec![]), "it stays as it is");
    }
}

//! In which product an exit leaves while not all is known of what is held where.

use super::flattening::key;
use super::*;

fn in_product(product: Product, side: Side, units: u32) -> OrderTerms {
    OrderTerms { product, ..terms(side, units) }
}

/// A new life: a lot of the copies was carried, and the owner has bought two today.
fn carried_beside_the_owners() -> Desk {
    let mut desk = Desk::new();
    desk.book.restore_openings([(Opening { instrument: key(), leader: 65, copied: 65, own: 0 }, start())]);
    let bought = OrderReport {
        status: BrokerStatus::Traded,
        cumulative: Quantity::new(130),
        ..manual("M", in_product(Product::Intraday, BUY, 130))
    };
    desk.book.restore_external([(bought, start())]);
    desk
}

#[test]
fn what_was_carried_is_closed_in_the_leaders_product_before_positions_were_read() {
    let mut desk = carried_beside_the_owners();
    let exit = placed(&desk.executed("X", terms(SELL, 65)));
    assert_eq!((exit.terms.product, exit.purpose), (Product::Margin, Purpose::Exit));
}

/// The leader has converted, and what is held has not been: the exit waits for the account, whose positions tell.
#[test]
fn an_exit_that_waits_leaves_in_the_product_that_positions_have_told_meanwhile() {
    let mut desk = Desk::new();
    desk.book.restore_openings([(Opening { instrument: key(), leader: 65, copied: 65, own: 0 }, start())]);
    desk.book.unread = Some(Unread::since(desk.now));
    assert_eq!(placements(&desk.executed("X", in_product(Product::Intraday, SELL, 65))), vec![]);
    desk.now = desk.now.plus(SECOND);
    let positions = vec![position(Product::Margin, 65, 65)];
    let mut effects = desk.step(Event::Positions { started_at: desk.now, positions });
    effects.extend(desk.reads(vec![]));
    let exit = placed(&effects);
    assert_eq!((exit.terms.product, exit.terms.quantity.get()), (Product::Margin, 65));
}

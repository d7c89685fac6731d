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

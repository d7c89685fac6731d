//! What one child order should ask for, and the next request that brings it there.

use super::child::{Change, Child, OrderPart};
use super::drive::Aim;
use super::{Moment, REPAIR};
use crate::gates::{clamp, clamp_exit};
use crate::order::{ExitLegs, OrderForm, OrderTerms, OrderType, TimeInForce};
use crate::pacing::Purpose;
use crate::policy::{Bps, MarketOrders};
use crate::price::Price;
use crate::quantity::Quantity;
use crate::time::Timestamp;
use crate::translate::{at_limit, disclosed};

/// The wait between two moves of a chased price doubles this often: an hour's budget must last.
const CHASE_DOUBLINGS_MAX: u32 = 5;
/// A chased limit goes beyond the price by the band once, twice, ... up to this many times.
const CHASE_BANDS_MAX: u16 = 8;

/// Whether a super order's entry is through: only its legs can be changed any more.
pub(super) fn is_entry_done(child: &Child) -> bool {
    matches!(child.terms.form, OrderForm::Super(_)) && child.cumulative >= child.terms.quantity
}

/// What a child asks for as the exchange has it by now.
pub(super) fn standing(child: &Child) -> OrderTerms {
    if child.has_fired { fired(child.terms.clone()) } else { child.terms.clone() }
}

/// What the exchange makes of a stop whose trigger was touched (`dhanhq-v2.md` section 2.9).
pub(super) fn fired(terms: OrderTerms) -> OrderTerms {
    if !terms.order_type.is_stop() {
        return terms;
    }
    OrderTerms { order_type: OrderType::Limit, trigger: Price::ZERO, ..terms }
}

/// What a child of this quantity should ask for.
pub(super) fn desired(child: &Child, units: Quantity, aim: &Aim) -> OrderTerms {
    let mut terms = OrderTerms {
        quantity: units,
        disclosed: disclosed(aim.terms.disclosed, aim.terms.quantity, units, aim.lot),
        // What no change can change.
        product: child.terms.product,
        after_market: child.terms.after_market,
        ..aim.terms.clone()
    };
    if child.has_fired {
        terms = fired(terms);
    }
    if aim.purpose == Purpose::Exit && terms.order_type != OrderType::Market {
        // An exit that the exchange would not take at its price is put at the next that it takes (design, section 4).
        (terms.price, terms.trigger) = clamp_exit(&terms, aim.tick, aim.band);
    }
    if let OrderForm::Forever(Some(second)) = &mut terms.form {
        second.quantity = units;
    }
    terms
}

/// What a child that was not sent yet should ask for.
pub(super) fn as_placed(child: &Child, units: Quantity, aim: &Aim, at: &Moment<'_>) -> OrderTerms {
    let wanted = desired(child, units, aim);
    if is_placed_to_trade(child, aim) {
        marketable(wanted, child.key.attempt.saturating_sub(1), aim, at)
    } else {
        wanted
    }
}

/// What takes the place of a chased order, or makes a gap good, is to trade from the first.
pub(super) fn is_placed_to_trade(child: &Child, aim: &Aim) -> bool {
    aim.is_chase && (child.key.attempt > 1 || aim.leg == REPAIR)
}

/// An order that should trade now.
pub(super) fn marketable(terms: OrderTerms, tries: u16, aim: &Aim, at: &Moment<'_>) -> OrderTerms {
    let terms = OrderTerms { time_in_force: TimeInForce::Day, disclosed: Quantity::ZERO, ..terms };
    match (at.rules.translation.market_orders, aim.reference) {
        (MarketOrders::ProtectedLimit, Some(reference)) => {
            let band = at
                .rules
                .translation
                .price_band
                .get()
                .saturating_mul(u32::from(tries.min(CHASE_BANDS_MAX)) + 1);
            let made = at_limit(terms, reference, Bps::new(band.min(Bps::WHOLE / 2)), aim.tick);
            OrderTerms { price: clamp(made.price, made.side, aim.tick, aim.band), ..made }
        }
        // Without a price of our own the broker's protection stands in.
        (MarketOrders::ProtectedLimit, None) | (MarketOrders::AsIs, _) => {
            OrderTerms { order_type: OrderType::Market, price: Price::ZERO, trigger: Price::ZERO, ..terms }
        }
    }
}

pub(super) fn next_chase(child: &Child, at: &Moment<'_>) -> Timestamp {
    // What takes the place of another goes on waiting where that one was.
    let moves = child.changes.saturating_sub(1).saturating_add(child.key.attempt - 1);
    let doublings = u32::from(moves).min(CHASE_DOUBLINGS_MAX);
    let last = child.ts_changed.or(child.ts_sent).unwrap_or(at.now);
    last.plus(at.rules.parting.chase_interval.saturating_mul(1 << doublings))
}

/// Whether a price that follows the market should move again. The first move is due at once, but for an order that was
/// sent to the market.
pub(super) fn is_chase_due(child: &Child, now: Timestamp, at: &Moment<'_>) -> bool {
    let follows = child.is_chased || child.terms.order_type == OrderType::Market;
    !follows || now >= next_chase(child, at)
}

/// The next request that brings an order nearer to what is wanted of it; none when it is there. A request about one leg
/// leaves the rest of the order as it is: that is the next request's.
pub(super) fn difference(
    has: &OrderTerms,
    wanted: &OrderTerms,
    even_if_same: bool,
    entry_done: bool,
) -> Option<Change> {
    let modify = |part, terms: OrderTerms| Some(Change::Modify { terms, part });
    let by_type = |terms: &OrderTerms| {
        let price = if terms.order_type == OrderType::Market { Price::ZERO } else { terms.price };
        let trigger = if terms.order_type.is_stop() { terms.trigger } else { Price::ZERO };
        (terms.order_type, price, trigger, terms.quantity)
    };
    let main_differs = even_if_same
        || by_type(has) != by_type(wanted)
        || (has.time_in_force, has.disclosed) != (wanted.time_in_force, wanted.disclosed);
    match (has.form, wanted.form) {
        (OrderForm::Super(has_legs), OrderForm::Super(wants)) => {
            if main_differs && !entry_done {
                return modify(OrderPart::Entry, wanted.clone());
            }
            let with = |legs| OrderTerms { form: OrderForm::Super(legs), ..has.clone() };
            match (has_legs.target, wants.target) {
                (Some(_), None) => return Some(Change::Cancel { part: OrderPart::Target }),
                (Some(from), Some(to)) if from != to => {
                    return modify(OrderPart::Target, with(ExitLegs { target: Some(to), ..has_legs }));
                }
                // A leg that was cancelled cannot be added again (`dhanhq-v2.md` section 3.1).
                _ => {}
            }
            match (has_legs.stop, wants.stop) {
                (Some(_), None) => Some(Change::Cancel { part: OrderPart::Stop }),
                (Some(from), Some(to)) if (from, has_legs.trailing) != (to, wants.trailing) => {
                    let legs = ExitLegs { stop: Some(to), trailing: wants.trailing, ..has_legs };
                    modify(OrderPart::Stop, with(legs))
                }
                _ => None,
            }
        }
        (OrderForm::Forever(Some(has_leg)), OrderForm::Forever(Some(wants))) if !main_differs => {
            if has_leg == wants { None } else { modify(OrderPart::Stop, wanted.clone()) }
        }
        (OrderForm::Forever(Some(_)), OrderForm::Forever(Some(_))) => {
            modify(OrderPart::Target, OrderTerms { form: has.form, ..wanted.clone() })
        }
        _ if main_differs => modify(OrderPart::Whole, wanted.clone()),
        _ => None,
    }
}

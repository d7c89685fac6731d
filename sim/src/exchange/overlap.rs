//! Exits beside exits: a target and a stop for the same units. Some brokers take both, some refuse the second one.

use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{OrderTerms, Side};

use super::Exchange;
use super::checks::reject;
use super::order::SimOrder;
use super::request::{ApiError, Source};
use super::settings::OverlappingExits;

/// Seen for shares (`dhanhq-v2.md` section 2.10); for other exits, ours.
const TEXT: &str = "You are trying to sell more than the quantity you currently hold.";

impl Exchange {
    /// Refuses the call that places such an order, where the account is set so.
    pub(super) fn refuse_overlap_at_once(
        &self,
        owner: usize,
        source: Source,
        terms: &OrderTerms,
        besides: Option<&BrokerOrderId>,
    ) -> Result<(), ApiError> {
        let refuses = self.accounts[owner].overlapping_exits == OverlappingExits::RefusedAtOnce;
        let units = i64::from(terms.quantity.get());
        if refuses && source != Source::Broker && self.overlaps(owner, terms, units, besides) {
            return Err(ApiError::order(TEXT));
        }
        Ok(())
    }

    /// Rejects such an order when it arrives, where the account is set so.
    pub(super) fn refuse_overlap_later(&self, order: &SimOrder) -> Result<(), String> {
        let Ok(owner) = self.account_of(&order.account) else { return Ok(()) };
        let refuses = self.accounts[owner].overlapping_exits == OverlappingExits::RejectedLater;
        let units = i64::from(order.remaining().get());
        let exempt = order.source == Source::Broker || order.is_exit();
        if refuses && !exempt && self.overlaps(owner, &order.terms, units, Some(&order.id)) {
            return Err(reject(order, &format!("RMS:<id>:{TEXT}")));
        }
        Ok(())
    }

    /// Refuses a change to more units, in whatever way such orders are refused: a change has no later.
    pub(super) fn refuse_overlap_of_change(
        &self,
        order: &SimOrder,
        changed: &OrderTerms,
    ) -> Result<(), ApiError> {
        let owner = self.account_of(&order.account)?;
        let refuses = self.accounts[owner].overlapping_exits != OverlappingExits::Taken;
        let units = i64::from(changed.quantity.saturating_sub(order.filled).get());
        let grows = changed.quantity > order.terms.quantity;
        if refuses && grows && !order.is_exit() && self.overlaps(owner, changed, units, Some(&order.id)) {
            return Err(ApiError::order(TEXT));
        }
        Ok(())
    }

    /// Whether `units` more would, with what works on the same side besides one order, close more than is held. Never
    /// when nothing else works: one order alone may close and open.
    fn overlaps(
        &self,
        owner: usize,
        terms: &OrderTerms,
        units: i64,
        besides: Option<&BrokerOrderId>,
    ) -> bool {
        let account = &self.accounts[owner];
        let net = account.net(terms.instrument, terms.product);
        let held = if terms.side == Side::Sell { net } else { -net };
        let offered: i64 = account
            .open
            .iter()
            .map(|index| &self.orders[*index])
            .filter(|other| besides != Some(&other.id))
            .filter(|other| {
                (other.terms.instrument, other.terms.product, other.terms.side)
                    == (terms.instrument, terms.product, terms.side)
            })
            .map(|other| i64::from(other.remaining().get()))
            .sum();
        held > 0 && offered > 0 && offered + units > held
    }
}

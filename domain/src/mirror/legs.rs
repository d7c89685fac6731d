//! News of the exit legs of a super order of ours.

use std::sync::Arc;

use super::child::{Change, ChangeState, ChildLeg, IntentState, OrderPart};
use super::evidence::is_brokers_doing;
use super::{Mirror, MirrorEffect, Outcome};
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::order::lifecycle::ChildState;
use crate::order::{BrokerStatus, Leg, OrderForm};
use crate::quantity::Quantity;

/// News of an exit leg of a super order of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegNews {
    /// The leg's own id.
    pub broker_order_id: BrokerOrderId,
    /// Stop or target.
    pub leg: Leg,
    /// The broker's word.
    pub status: BrokerStatus,
    /// Units it has closed.
    pub cumulative: Quantity,
    /// Why it ended.
    pub reason: Option<Arc<str>>,
    /// Whether a read of the whole book tells it, in which what fired was told before what was cancelled.
    pub is_of_whole_book: bool,
}

impl Mirror {
    pub(super) fn on_leg(
        &mut self,
        client_order_id: &ClientOrderId,
        news: LegNews,
        effects: &mut Vec<MirrorEffect>,
    ) {
        let Some(index) = self.position(client_order_id) else { return };
        let child = &mut self.children[index];
        let known = child.legs.iter().position(|leg| leg.broker_order_id == news.broker_order_id);
        let place = known.unwrap_or_else(|| {
            child.legs.push(ChildLeg {
                broker_order_id: news.broker_order_id.clone(),
                leg: news.leg,
                cumulative: Quantity::ZERO,
                has_fired: false,
                is_over: false,
            });
            child.legs.len() - 1
        });
        let closed = child.closed();
        let leg = &mut child.legs[place];
        leg.cumulative = leg.cumulative.max(news.cumulative);
        leg.has_fired |= news.status == BrokerStatus::Triggered || !news.cumulative.is_zero();
        leg.is_over |= news.status.is_terminal();
        self.tell_closed(index, closed, effects);
        let child = &mut self.children[index];
        // When one leg fires the other is cancelled, and that may be told first: only a whole book tells a hand.
        let is_cancelled = news.status == BrokerStatus::Cancelled;
        let by_hand = is_cancelled
            && news.is_of_whole_book
            && !child.legs.iter().any(|leg| leg.has_fired)
            && !is_brokers_doing(news.reason.as_deref());
        let by_us =
            child.cancel_asked || !has_leg(&child.terms.form, news.leg) || is_leaving(child, news.leg);
        let entry_is_through = child.cumulative >= child.terms.quantity;
        if entry_is_through && !child.legs_live_on() && child.is_live() {
            child.state = ChildState::Filled;
        }
        if is_cancelled && is_leaving(child, news.leg) {
            self.see_leg_leave(index);
        }
        if by_hand && !by_us && self.outcome != Outcome::Detached {
            self.detach(effects, client_order_id.clone());
        }
    }

    /// The leg whose cancel is under way is gone.
    fn see_leg_leave(&mut self, index: usize) {
        let before = self.request_state(index);
        let Some(request) = self.children[index].request.as_deref_mut() else { return };
        match request.state {
            ChangeState::Unknown => {
                request.is_seen = true;
                self.record_change(index, before, IntentState::Acked);
                self.take_effect(index);
            }
            ChangeState::Sending => request.is_seen = true,
            // Asked before, and thought without effect: it need not be asked again.
            ChangeState::Planned => {
                let part = request.change.part();
                let child = &mut self.children[index];
                child.request = None;
                child.forget_leg(part);
            }
            ChangeState::Acked => {}
        }
    }
}

fn has_leg(form: &OrderForm, leg: Leg) -> bool {
    match (form, leg) {
        (OrderForm::Super(legs), Leg::StopLoss) => legs.stop.is_some(),
        (OrderForm::Super(legs), Leg::Target) => legs.target.is_some(),
        _ => false,
    }
}

fn is_leaving(child: &super::Child, leg: Leg) -> bool {
    let part = if leg == Leg::Target { OrderPart::Target } else { OrderPart::Stop };
    child.request.as_deref().is_some_and(|request| request.change == Change::Cancel { part })
}

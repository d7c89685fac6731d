//! What an earlier day left without proof (P29): a request that was being sent, or had no answer, when its day ended. It is
//! never sent again, and its book is gone; what tells is what the account has carried into today. Until that shows that
//! nothing came of it, nothing is opened in its instrument.

use crate::account::PositionReport;
use crate::follower::{Alert, Effect, FollowerBook, Record};
use crate::ids::ClientOrderId;
use crate::instrument::InstrumentKey;
use crate::time::Timestamp;

/// A request of an earlier day whose fate nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// Our id of the order.
    pub client_order_id: ClientOrderId,
    /// Which of its requests; 0 for placing.
    pub serial: u32,
    /// Whether it was to cancel the order.
    pub is_cancel: bool,

    /// Whose order it is.
    pub instrument: InstrumentKey,
    /// Units that the account has carried into today if nothing came of it, signed; none if another day has passed since,
    /// so that nothing can tell any more.
    pub expected: Option<i64>,
}

impl FollowerBook {
    /// Takes over what earlier days left without proof. The effects tell it.
    pub fn restore_unproven(&mut self, unproven: Vec<Unproven>) -> Vec<Effect> {
        self.unproven = unproven;
        let mut instruments: Vec<InstrumentKey> = self.unproven.iter().map(|of| of.instrument).collect();
        instruments.sort_unstable();
        instruments.dedup();
        // What was in doubt for long on its own day is told by this name from the next on.
        let told = |instrument| {
            let (now, then) = (Alert::UnresolvedYesterday(instrument), Alert::OutcomeUnknown(instrument));
            [Effect::Alert(now), Effect::Over(then)]
        };
        instruments.into_iter().flat_map(told).collect()
    }

    /// Whether nobody knows what an earlier day left in an instrument.
    pub(in crate::follower) fn is_unproven(&self, instrument: InstrumentKey) -> bool {
        self.unproven.iter().any(|of| of.instrument == instrument)
    }

    /// Settles what the positions prove, once the broker's books have turned.
    pub(in crate::follower) fn prove_by_positions(
        &mut self,
        positions: &[PositionReport],
        started_at: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if self.unproven.is_empty() {
            return;
        }
        let carried = |of: InstrumentKey| -> i64 {
            positions.iter().filter(|held| held.instrument == of).map(|held| held.carried.0).sum()
        };
        let unproven = std::mem::take(&mut self.unproven);
        let (proven, left): (Vec<Unproven>, Vec<Unproven>) = unproven.into_iter().partition(|of| {
            self.have_turned(of.instrument, started_at) && of.expected == Some(carried(of.instrument))
        });
        self.unproven = left;
        for of in proven {
            let instrument = of.instrument;
            effects.push(Effect::Commit { records: vec![Record::Settled(of)], then: None });
            self.thaw(instrument, effects);
        }
    }

    /// The operator has looked: what is there counts as the owner's own. That is no proof, so its row says unknown for ever;
    /// its incident, which is over, is what remembers.
    pub(in crate::follower) fn take_for_own(&mut self, effects: &mut Vec<Effect>) {
        for of in std::mem::take(&mut self.unproven) {
            self.thaw(of.instrument, effects);
        }
    }

    fn thaw(&mut self, instrument: InstrumentKey, effects: &mut Vec<Effect>) {
        if !self.is_unproven(instrument) {
            effects.push(Effect::Over(Alert::UnresolvedYesterday(instrument)));
            self.dirty.insert(instrument);
        }
    }
}

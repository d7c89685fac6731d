//! What an operator says, what the owner changed, and what the leader holds: what else wakes the book.

use std::sync::Arc;

use actix::{Context, Handler};
use tandem_domain::follower::{Event, FollowerBook, Record};
use tandem_domain::mirror::Child;
use tandem_domain::trading::{HaltCause, Trading, TradingState};
use tokio::sync::oneshot;
use tracing::info;

use super::FollowerOrderActor;
use crate::in_flight::Underway;
use crate::messages::{ControlSaid, LeaderPositionsRead, Reload, TradingNow};
use crate::records::Circumstances;

/// Answers that operators wait for.
#[derive(Debug, Default)]
pub(super) struct Controls {
    /// What was said before the rows of the day were read.
    early: Vec<ControlSaid>,
    /// Who waits for the very commit that records what he asked for.
    waiting: Option<Waiting>,
}

/// Somebody who waits until a trading state is durable.
#[derive(Debug)]
pub(super) struct Waiting {
    reply: oneshot::Sender<TradingNow>,
    _underway: Underway,
}

impl FollowerOrderActor {
    pub(super) fn take_early_controls(&mut self, ctx: &mut Context<Self>) {
        for said in std::mem::take(&mut self.controls.early) {
            self.take_control(said, ctx);
        }
    }

    /// The state that results is answered once it is durable: with the commit of its row, or, where nothing changed, with
    /// a commit of nothing, before which everything is decided.
    fn take_control(&mut self, said: ControlSaid, ctx: &mut Context<Self>) {
        let control = said.meant();
        let ControlSaid { reply, underway, .. } = said;
        self.controls.waiting = Some(Waiting { reply, _underway: underway });
        if let Some(control) = control {
            info!(follower = %self.id(), ?control, "an operator speaks");
            self.step(Event::Control(control), ctx);
        }
        if self.controls.waiting.is_some() {
            let around = Circumstances { now: self.params.clock.now(), news: None };
            self.commit(Vec::new(), Vec::new(), None, &around, ctx);
        }
    }

    /// Keeps the trading state among these records in mind, shuts the door that it shuts, and gives back who waits for it.
    /// Only the operator opens the door again, once his word is recorded.
    pub(super) fn notice_trading(&mut self, records: &[Record]) -> Option<Waiting> {
        let trading = records.iter().rev().find_map(|record| match record {
            Record::Trading(trading) => Some(*trading),
            _ => None,
        });
        if let Some(trading) = trading {
            self.enter_trading(trading);
        }
        if trading.is_some() || records.is_empty() { self.controls.waiting.take() } else { None }
    }

    /// From now on the account trades like this.
    pub(super) fn enter_trading(&mut self, trading: Trading) {
        if trading.state != TradingState::Active {
            self.params.trading.shut(trading.state);
        }
        if self.trading.state != trading.state {
            info!(follower = %self.id(), old_state = self.trading.state.as_str(), state = trading.state.as_str(),
                cause = trading.cause.map(HaltCause::as_str), "trading state changes");
        }
        self.trading = trading;
    }

    pub(super) fn answer_control(&self, waiting: Waiting, recorded: Result<(), Arc<str>>) {
        let now = TradingNow {
            trading: self.trading,
            recorded,
            cancelling: self.book.as_ref().map_or(0, being_cancelled),
            units_to_close: self.book.as_ref().map_or(0, |book| book.left_to_close().1),
        };
        // Who asked may have gone.
        waiting.reply.send(now).ok();
    }

    pub(super) fn take_leader_positions(&mut self, read: &LeaderPositionsRead, ctx: &mut Context<Self>) {
        let LeaderPositionsRead { started_at, positions } = read;
        self.step(Event::LeaderPositions { started_at: *started_at, positions: positions.to_vec() }, ctx);
    }
}

/// Orders that still work and are asked, or about to be asked, to end. Only for whoever asks: it looks at every mirror.
fn being_cancelled(book: &FollowerBook) -> usize {
    let is_leaving = |child: &&Child| {
        let is_asked = child.request.as_ref().is_some_and(|request| request.change.is_full_cancel());
        child.is_live() && (child.cancel_asked || is_asked)
    };
    let mirrors = book.outcomes().filter_map(|(leader_order, ..)| book.mirror(leader_order));
    mirrors.map(|mirror| mirror.children.iter().filter(is_leaving).count()).sum()
}

impl Handler<ControlSaid> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, said: ControlSaid, ctx: &mut Self::Context) {
        self.vitals.received();
        if self.book.is_some() {
            self.take_control(said, ctx);
        } else {
            self.controls.early.push(said);
        }
    }
}

impl Handler<LeaderPositionsRead> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, read: LeaderPositionsRead, ctx: &mut Self::Context) {
        self.vitals.received();
        if self.book.is_some() {
            self.take_leader_positions(&read, ctx);
        } else {
            self.leader_positions = Some(read);
        }
    }
}

impl Handler<Reload> for FollowerOrderActor {
    type Result = ();

    fn handle(&mut self, Reload { settings, amo_time, polls }: Reload, ctx: &mut Self::Context) {
        self.vitals.received();
        info!(follower = %self.id(), "the owner changed his settings: in force from now on");
        self.params.settings = (*settings).clone();
        self.params.amo_time = amo_time;
        self.params.polls = polls;
        // What waits for its time was set by the settings of before.
        self.step(Event::Settings(settings), ctx);
    }
}

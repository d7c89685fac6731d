//! The follower's account as its broker and its owner see it: fills, positions, money, people.

#![expect(
    clippy::unnecessary_wraps,
    reason = "what can happen has one shape, whether anything can go wrong in it or not"
)]

use super::exchange::{Asked, By, Kind, LOT, Order, State};
use super::speak;
use super::world::{Checked, World, hold};
use crate::account::PositionReport;
use crate::follower::Event;
use crate::mirror::{COPY, REPAIR};
use crate::pacing::Purpose;
use crate::trading::{Control, HaltCause};

impl World {
    /// What the follower holds because of copies.
    pub(super) fn held(&self, instrument: u32) -> i64 {
        let is_of =
            |order: &&Order| order.asked.instrument == instrument && self.copies.contains_key(&order.tag);
        let ours = self.follower.orders.iter().filter(is_of);
        self.tallies[instrument as usize].carried.copied + ours.map(Order::moved).sum::<i64>()
    }

    /// What his owner holds apart from them.
    pub(super) fn owned(&self, instrument: u32) -> i64 {
        let is_of =
            |order: &&Order| order.asked.instrument == instrument && !self.copies.contains_key(&order.tag);
        let others = self.follower.orders.iter().filter(is_of);
        self.tallies[instrument as usize].carried.own + others.map(Order::moved).sum::<i64>()
    }

    /// An order of the account trades; what was sent to close may not open anything (P6), unless another has closed the
    /// same before it could be told.
    pub(super) fn fill(&mut self, number: usize, units: u32) -> Checked {
        let before = self.follower.orders[number].clone();
        let (instrument, held) = (before.asked.instrument, self.held(before.asked.instrument));
        self.follower.fill(number, units, self.now);
        let order = self.follower.orders[number].clone();
        let units = order.moved() - before.moved();
        self.follower_did(number, "fills");
        let Some(copied) = self.copies.get(&order.tag).copied() else {
            self.look_after_owner(instrument);
            return Ok(());
        };
        if copied.leg == REPAIR {
            self.tallies[instrument as usize].dispute();
        }
        match self.sent_as[&order.tag] {
            Purpose::Entry => {
                let tally = &mut self.tallies[instrument as usize];
                tally.opened(copied.leader, units);
                if held.signum() == -units.signum() {
                    // It was to open, and the leader had left meanwhile.
                    self.blot(instrument, "late entry");
                }
            }
            Purpose::Exit => {
                if copied.leg == COPY && !self.tallies[instrument as usize].uses_of(copied.leader).1 {
                    // What the follower held ahead of the leader, or has too much, stood against an order that opens.
                    self.tallies[instrument as usize].dispute();
                    self.blot(instrument, "crossed");
                }
                let opens = (held + units).signum() == units.signum();
                let raced = self.gated.contains(&order.tag)
                    || self.is_raced(&order)
                    || self.blind.contains(&order.tag);
                hold!(
                    !opens || raced || self.is_blotted(instrument, &["hand"]),
                    "P6: sent to close, F{order} opens: {held} were held"
                );
                if opens {
                    self.blot(instrument, "overlap");
                }
            }
        }
        self.look_after_owner(instrument);
        Ok(())
    }

    /// Whether another of the same side has filled since this one was there.
    fn is_raced(&self, order: &Order) -> bool {
        let sent_at = self.sent_at.get(&order.tag).copied().unwrap_or(i64::MAX);
        self.follower.orders.iter().any(|other| {
            other.number != order.number
                && other.asked.instrument == order.asked.instrument
                && other.asked.buy == order.asked.buy
                && other.filled > 0
                && other.changed_at >= sent_at
        })
    }

    /// His owner has traded against the copies: which units are whose is nobody's knowledge any more.
    fn look_after_owner(&mut self, instrument: u32) {
        if self.owned(instrument).signum() * self.held(instrument).signum() < 0 {
            self.blot(instrument, "owner");
        }
    }

    /// The broker bears no second order that would close the same units.
    pub(super) fn reject_overlap(&mut self, number: usize) {
        let order = self.follower.orders[number].clone();
        let Asked { instrument, buy, units, .. } = order.asked;
        let net = self.held(instrument) + self.owned(instrument);
        let alike = |other: &&Order| {
            other.number != number && other.asked.instrument == instrument && other.asked.buy == buy
        };
        let others: u32 = self.follower.orders.iter().filter(alike).map(Order::may_fill).sum();
        let closes = net != 0 && (net > 0) != buy;
        if self.policies.no_overlap && closes && others > 0 && u64::from(others + units) > net.unsigned_abs()
        {
            self.follower.end(number, State::Rejected, By::Broker, self.now);
            self.blot(instrument, "rejected");
        }
    }

    /// The owner trades for himself, in quantities unlike those of any copy.
    pub(super) fn external(&mut self) -> Checked {
        let copies = &self.copies;
        let mine = self.follower.those(|order| order.is_live() && !copies.contains_key(&order.tag));
        if !self.policies.owner || mine.len() > 1 {
            return Ok(());
        }
        let instrument = self.chance.below(self.policies.instruments);
        let own = self.owned(instrument);
        // Mostly he adds to what is held, of whichever sign.
        let buy =
            if self.chance.percent(80) { self.held(instrument) + own >= 0 } else { self.chance.percent(50) };
        let asked = Asked {
            instrument,
            buy,
            kind: Kind::Limit,
            ioc: false,
            units: LOT + 1,
            disclosed: 0,
            price: 5_000,
            trigger: 0,
        };
        let number = self.follower.place(asked, "by hand".to_owned(), self.now, self.now);
        self.follower_did(number, "is used by hand");
        Ok(())
    }

    /// Rows of every position, of this moment.
    pub(super) fn positions(&self) -> Vec<PositionReport> {
        let row = |instrument: u32| {
            let carried = self.tallies[instrument as usize].carried;
            let net = self.held(instrument) + self.owned(instrument);
            speak::position(instrument, net, carried.copied + carried.own, self.now)
        };
        (0..self.policies.instruments).map(row).collect()
    }

    pub(super) fn leader_positions(&self) -> Vec<PositionReport> {
        let row = |instrument: u32| {
            let carried = self.tallies[instrument as usize].carried.leader;
            speak::position(instrument, self.leader_holds(instrument), carried, self.now)
        };
        (0..self.policies.instruments).map(row).collect()
    }

    pub(super) fn positions_are_asked(&mut self) -> Checked {
        if self.policies.reads_positions && !self.is_call_refused()? {
            self.happened += 1;
            // Two reads are never of one moment, nor is a fill of the moment in which it is asked.
            self.now += 1;
            let rows = self.positions();
            self.position_reads.push((self.time(), rows));
        }
        Ok(())
    }

    pub(super) fn positions_are_told(&mut self) -> Checked {
        let Some((started_at, positions)) = self.chance.take(&mut self.position_reads) else { return Ok(()) };
        self.note(|| format!("positions {:?}", positions.iter().map(|row| row.net.0).collect::<Vec<_>>()));
        self.tell(Event::Positions { started_at, positions })
    }

    /// What is held at this very moment.
    pub(super) fn tell_positions(&mut self) -> Checked {
        self.now += 1;
        let (started_at, positions) = (self.time(), self.positions());
        self.now += 1;
        self.tell(Event::Positions { started_at, positions })
    }

    pub(super) fn leader_positions_are_told(&mut self) -> Checked {
        let (started_at, positions) = (self.time(), self.leader_positions());
        self.tell(Event::LeaderPositions { started_at, positions })
    }

    /// Money, of which the account has so much and no less, whatever it trades: the model asks no broker's price of it.
    pub(super) fn funds_are_told(&mut self) -> Checked {
        if self.is_call_refused()? { Ok(()) } else { self.tell_funds() }
    }

    pub(super) fn tell_funds(&mut self) -> Checked {
        let (started_at, funds) = (self.time(), speak::funds(self.policies.money));
        self.tell(Event::Funds { started_at, funds })
    }

    /// The broker's calculator answers; or does not in time.
    pub(super) fn margin_is_told(&mut self) -> Checked {
        let Some((client_order_id, terms)) = self.chance.take(&mut self.margins) else { return Ok(()) };
        let rupees = 1_000 * i64::from(terms.quantity.get());
        let is_told = self.chance.percent(80) && !self.token.is_dead;
        let required = is_told.then(|| crate::price::Money::from_rupees(rupees));
        self.note(|| format!("margin of {client_order_id}: {required:?}"));
        self.tell(Event::Margin { client_order_id, required })
    }

    /// Somebody stops the account, closes it, lets it trade again.
    pub(super) fn operator_speaks(&mut self) -> Checked {
        if !self.policies.operator {
            return Ok(());
        }
        // Nothing else happens at that very moment.
        self.now += 1;
        let cause = HaltCause::Operator;
        let control = match self.chance.below(6) {
            0 => Control::Reduce(cause),
            1 => Control::Halt { cause, cancel_working: false },
            2 => Control::Halt { cause, cancel_working: true },
            // What is carried is closed by an order of the operator's own then, of which this world knows nothing.
            3 if self.tallies.iter().any(|tally| tally.carried.copied != 0) => {
                Control::Halt { cause, cancel_working: true }
            }
            3 => Control::SquareOff(cause),
            _ => Control::Resume,
        };
        self.note(|| format!("operator: {control:?}"));
        let was_stopped = self.operator.halted || self.operator.reduces;
        match control {
            Control::Resume if was_stopped => {
                (self.operator.reduces, self.operator.halted, self.operator.squares_off) =
                    (false, false, false);
                self.operator.resumed = Some(self.now);
            }
            Control::Resume => {}
            Control::Reduce(_) => self.operator.reduces = true,
            Control::Halt { .. } => self.operator.halted = true,
            Control::SquareOff(_) => (self.operator.halted, self.operator.squares_off) = (true, true),
        }
        if matches!(control, Control::Halt { .. } | Control::SquareOff(_)) {
            self.operator.halted_at = Some(self.now);
        }
        if control != Control::Resume {
            self.operator.has_stopped = true;
            for instrument in 0..self.policies.instruments {
                self.blot(instrument, "stopped");
                if matches!(control, Control::SquareOff(_) | Control::Halt { cancel_working: true, .. }) {
                    self.blot(instrument, "all stopped");
                }
            }
        }
        self.tell(Event::Control(control))?;
        self.now += 1;
        Ok(())
    }
}

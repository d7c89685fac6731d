//! What the leader does, and what the exchange makes of it.

#![expect(
    clippy::unnecessary_wraps,
    reason = "what can happen has one shape, whether anything can go wrong in it or not"
)]

use super::chance::{Chance, lots_of};
use super::exchange::{Asked, By, Kind, LOT, MARKET, Order, State};
use super::world::{Checked, SECOND, Seen, World, hold};
use crate::order::EvidenceSource;

impl World {
    /// What the leader does is drawn from: his own numbers, where he is led by several, so that he does the same before each.
    pub(super) fn luck(&mut self) -> &mut Chance {
        self.leads.as_mut().unwrap_or(&mut self.chance)
    }

    fn leader_asks(&mut self) -> Asked {
        let buy = self.luck().percent(55);
        let kind = self.luck().pick(&[
            Kind::Limit,
            Kind::Limit,
            Kind::Limit,
            Kind::Market,
            Kind::Stop,
            Kind::StopMarket,
        ]);
        let most = self.policies.instruments;
        let instrument = if self.luck().percent(70) { 0 } else { self.luck().below(most) };
        // What he holds is mostly to be closed, all or part of it; sometimes turned round; or he adds to it.
        let held = self.leader_holds(instrument);
        let lots_held = u32::try_from(held.unsigned_abs()).unwrap_or(0) / LOT;
        let (buy, lots) = match self.luck().below(10) {
            0..=3 if held != 0 => (held < 0, 1 + self.luck().below(lots_held)),
            4 | 5 if held != 0 => (held < 0, lots_held),
            6 if held != 0 => (held < 0, lots_held + 1 + self.luck().below(4)),
            7 | 8 if held != 0 => (held > 0, 1 + self.luck().below(6)),
            _ => (buy, 1 + self.luck().below(8)),
        };
        let units = lots * LOT;
        let asked = Asked {
            instrument,
            buy,
            kind,
            ioc: self.luck().percent(8),
            units,
            disclosed: if self.luck().percent(15) { units / 2 / LOT * LOT } else { 0 },
            price: 0,
            trigger: 0,
        };
        self.priced(asked)
    }

    /// What the leader holds, at his broker.
    pub(super) fn leader_holds(&self, instrument: u32) -> i64 {
        let orders = self.leader.orders.iter().filter(|order| order.asked.instrument == instrument);
        self.tallies[instrument as usize].carried.leader + orders.map(Order::moved).sum::<i64>()
    }

    /// The same at a price at which it does not trade at once.
    fn priced(&mut self, asked: Asked) -> Asked {
        let away = 50 + 5 * self.luck().below(150);
        let (price, trigger) = match (asked.kind, asked.buy) {
            (Kind::Market, _) => (0, 0),
            (Kind::Limit, true) => (MARKET - away, 0),
            (Kind::Limit, false) => (MARKET + away, 0),
            (Kind::Stop, true) => (MARKET + away + 20, MARKET + away),
            (Kind::Stop, false) => (MARKET - away - 20, MARKET - away),
            (Kind::StopMarket, true) => (0, MARKET + away),
            (Kind::StopMarket, false) => (0, MARKET - away),
        };
        Asked { price, trigger, ..asked }
    }

    pub(super) fn leader_places(&mut self) -> Checked {
        if self.leader.orders.len() >= self.policies.leader_orders {
            return Ok(());
        }
        let asked = self.leader_asks();
        let number = self.leader.place(asked, String::new(), self.now, self.now);
        self.seen.push(Seen::default());
        self.leader_did(number, "places", false)
    }

    pub(super) fn leader_changes(&mut self) -> Checked {
        let open = self.leader.those(|order| order.state == State::Open);
        let Some(number) = self.luck().some(&open) else { return Ok(()) };
        let order = self.leader.orders[number].clone();
        // A fired stop, or a market order that rests, is a limit by now.
        let mut asked = order.shown();
        match self.luck().below(8) {
            0 | 1 => asked = self.priced(asked),
            2..=4 => asked.units = (1 + self.luck().below(8)) * LOT,
            5 => {
                let kind = self.luck().pick(&[Kind::Limit, Kind::Market, Kind::Stop]);
                asked = self.priced(Asked { kind, ..asked });
            }
            6 => asked.ioc = self.luck().percent(20),
            _ => {
                asked = self.priced(asked);
                asked.units = (1 + self.luck().below(8)) * LOT;
            }
        }
        asked.disclosed = asked.disclosed.min(asked.units);
        if (is_stop(&order.asked) || is_stop(&asked)) && !is_second_later(&order, self.now) {
            return Ok(());
        }
        // What changes nothing is no change, and nobody could see it.
        if asked == order.shown() || self.leader.change(number, asked, self.now).is_err() {
            return Ok(());
        }
        self.leader_did(number, "changes", true)
    }

    pub(super) fn leader_cancels(&mut self) -> Checked {
        let open = self.leader.those(|order| order.state == State::Open);
        let Some(number) = self.luck().some(&open) else { return Ok(()) };
        let taken = self.leader.cancel(number, By::Owner, self.now);
        hold!(taken.is_ok(), "an open order can be cancelled");
        self.leader_did(number, "cancels", false)
    }

    pub(super) fn leader_is_accepted(&mut self) -> Checked {
        let sent = self.leader.those(|order| order.state == State::Transit);
        let Some(number) = self.luck().some(&sent) else { return Ok(()) };
        self.leader.accept(number, self.now);
        self.leader_did(number, "is accepted", false)
    }

    pub(super) fn leader_fills(&mut self) -> Checked {
        let trading = self.leader.those(Order::trades);
        let Some(number) = self.luck().some(&trading) else { return Ok(()) };
        let order = self.leader.orders[number].clone();
        let units = lots_of(self.luck(), &order);
        self.leader.fill(number, units, self.now);
        self.leader_did(number, "fills", false)
    }

    pub(super) fn leader_is_rejected(&mut self) -> Checked {
        let young = self.leader.those(|order| order.is_live() && order.filled == 0);
        let Some(number) = self.luck().some(&young) else { return Ok(()) };
        self.leader.end(number, State::Rejected, By::Broker, self.now);
        self.leader_did(number, "is rejected", false)
    }

    pub(super) fn leader_expires(&mut self) -> Checked {
        let open = self.leader.those(|order| order.state == State::Open);
        let Some(number) = self.luck().some(&open) else { return Ok(()) };
        self.leader.end(number, State::Expired, By::Broker, self.now);
        self.leader_did(number, "expires", false)
    }

    pub(super) fn leader_fires(&mut self) -> Checked {
        let now = self.now;
        let stops = self
            .leader
            .those(|order| order.state == State::Open && !order.trades() && is_second_later(order, now));
        let Some(number) = self.luck().some(&stops) else { return Ok(()) };
        self.leader.fire(number, self.now);
        self.leader_did(number, "fires", false)
    }

    pub(super) fn leader_ioc_ends(&mut self) -> Checked {
        let immediate = self.leader.those(|order| order.asked.ioc && order.trades());
        let Some(number) = self.luck().some(&immediate) else { return Ok(()) };
        self.leader.end(number, State::Cancelled, By::Broker, self.now);
        self.leader_did(number, "is over at once", false)
    }

    fn leader_did(&mut self, number: usize, what: &str, is_change: bool) -> Checked {
        let order = self.leader.orders[number].clone();
        self.note(|| format!("leader {what}: L{order}"));
        self.leader_frames.push((order, is_change));
        self.happened += 1;
        Ok(())
    }

    pub(super) fn leader_frame(&mut self) -> Checked {
        let mut frames = std::mem::take(&mut self.leader_frames);
        let taken = self.luck().take(&mut frames);
        self.leader_frames = frames;
        let Some((order, is_change)) = taken else { return Ok(()) };
        if self.luck().percent(20) {
            self.leader_frames.push((order.clone(), is_change));
        }
        self.hear(&order, is_change, EvidenceSource::Stream)
    }

    pub(super) fn leader_frame_is_lost(&mut self) -> Checked {
        let mut frames = std::mem::take(&mut self.leader_frames);
        self.luck().take(&mut frames);
        self.leader_frames = frames;
        Ok(())
    }
}

const fn is_stop(asked: &Asked) -> bool {
    matches!(asked.kind, Kind::Stop | Kind::StopMarket)
}

/// Of two wishes in one second, and a firing before anybody has read the book, nobody can tell which wish was the last.
const fn is_second_later(order: &Order, now: i64) -> bool {
    now.div_euclid(SECOND) > order.changed_at.div_euclid(SECOND)
}

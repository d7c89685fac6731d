//! What must hold whenever a request leaves, and what becomes of it.

use std::fmt;

use super::exchange::{Asked, Kind, LOT, Order};
use super::policies::{DAY, INSTRUMENT, OPEN, ORDER};
use super::speak::{self, LEADER};
use super::tally::lots;
use super::world::{Checked, Copied, SECOND, Told, World, hold};
use crate::ids::{ChildKey, ClientOrderId};
use crate::mirror::{Ask, COPY, Mirror, Outcome, Request};
use crate::order::{OrderTerms, Side};
use crate::pacing::Purpose;
use crate::policy::CopyOn;

/// Requests a second, and those of them that entries may use.
const A_SECOND: usize = 6;
const ENTRIES_A_SECOND: usize = 4;

impl World {
    /// A request is decided, and leaves once that is durable: what must hold for it.
    pub(super) fn approve(&mut self, request: &Request) -> Checked {
        hold!(!self.token.is_refused, "P15: sent with a token that the broker refuses: {request:?}");
        self.check_turned()?;
        let id = request.client_order_id.as_str().to_owned();
        let Some((key, detached)) = self.key_of(&request.client_order_id) else {
            return Err(format!("a request of nobody's: {request:?}"));
        };
        let copied = Copied {
            leader: speak::number_of(&key.leader_order),
            leg: key.leg,
            slice: key.slice,
            attempt: key.attempt,
        };
        let target = self.seen[copied.leader].target;
        self.note(|| {
            let (serial, purpose, words) = (request.serial, request.purpose, words(&request.ask));
            format!("is to send {serial} {id} {copied} {purpose:?} of {target}: {words}")
        });
        let by_hand = detached && !self.operator.has_stopped;
        hold!(!by_hand, "a detached mirror is left alone: {request:?}");
        self.copies.insert(id.clone(), copied);
        match &request.ask {
            Ask::Place(terms) => {
                self.check_place(copied, &id, terms, request.purpose)?;
                if request.purpose == Purpose::Entry {
                    self.check_counts(&id)?;
                }
                if self.is_blind(speak::asked(terms)) {
                    self.blind.insert(id.clone());
                }
            }
            Ask::Modify { broker_order_id, terms, .. } => {
                let known = &self.follower.orders[speak::number_of(broker_order_id)];
                hold!(known.tag == id, "a change of another's order");
                self.check_kind(copied, terms, known.was_fired)?;
                let raise = terms.quantity.get().saturating_sub(known.worst().max(known.promised));
                if raise > 0 && known.is_live() {
                    self.check_room(copied, raise)?;
                    self.check_purpose(copied, &id, terms, raise, request.purpose)?;
                }
            }
            Ask::Cancel { broker_order_id, .. } => {
                let known = &self.follower.orders[speak::number_of(broker_order_id)];
                hold!(known.tag == id, "a cancel of another's order");
            }
        }
        self.remember(&id, request);
        Ok(())
    }

    fn remember(&mut self, id: &str, request: &Request) {
        if request.purpose == Purpose::Entry {
            self.gated.insert(id.to_owned());
        }
        if let Ask::Place(_) = request.ask {
            self.sent_at.insert(id.to_owned(), self.now);
        }
        let is_entry = request.purpose == Purpose::Entry;
        match &request.ask {
            Ask::Place(_) => {
                let is_new = !self.sent_as.contains_key(id);
                if is_entry && is_new {
                    self.entries_placed.insert(id.to_owned());
                }
                self.sent_as.insert(id.to_owned(), request.purpose);
            }
            Ask::Modify { .. } if is_entry => {
                self.sent_as.insert(id.to_owned(), request.purpose);
            }
            Ask::Modify { .. } | Ask::Cancel { .. } => {}
        }
    }

    fn check_place(&self, copied: Copied, id: &str, terms: &OrderTerms, purpose: Purpose) -> Checked {
        let units = terms.quantity.get();
        hold!(!self.others_live(&copied), "P2: two live orders for one: {copied:?}");
        self.check_room(copied, units)?;
        let freeze = self.policies.freeze_lots.map_or(u32::MAX, |lots| lots * LOT);
        let is_whole = units > 0 && units.is_multiple_of(LOT) && units <= freeze;
        hold!(is_whole, "{units} units in one order");
        self.check_purpose(copied, id, terms, units, purpose)?;
        self.check_kind(copied, terms, false)
    }

    /// What is sent to open passes what the owner and the operator allow; what is sent to close finds something to close.
    fn check_purpose(
        &self,
        copied: Copied,
        id: &str,
        terms: &OrderTerms,
        units: u32,
        purpose: Purpose,
    ) -> Checked {
        match purpose {
            _ if copied.leg == COPY && self.missed.contains(&copied.leader) => {
                Err(format!("P13: a round trip that nobody heard of is gone through: {copied}"))
            }
            Purpose::Entry => {
                self.check_allowed(copied)?;
                self.check_taken_back(copied, terms.side == Side::Buy, units)?;
                self.check_caps(copied, terms.side == Side::Buy, units)
            }
            Purpose::Exit => self.check_exit(copied, id, terms),
        }
    }

    /// Halted, nothing is opened; resumed, nothing by what the leader did before (P17).
    /// What was sent to close may come to open when the leader's orders are allotted anew, and the other way round; then it
    /// counts against the caps.
    fn check_turned(&mut self) -> Checked {
        let mut turned = Vec::new();
        for number in 0..self.seen.len() {
            for child in self.mirror(number).into_iter().flat_map(|mirror| &mirror.children) {
                let tag = child.client_order_id.as_str();
                if child.is_live() && self.sent_as.get(tag).is_some_and(|purpose| *purpose != child.purpose) {
                    turned.push((tag.to_owned(), child.purpose, child.terms.side == Side::Buy));
                }
            }
        }
        for (tag, purpose, buy) in turned {
            self.note(|| format!("{tag} is {purpose:?} by now"));
            self.sent_as.insert(tag.clone(), purpose);
            if purpose == Purpose::Entry {
                self.gated.insert(tag.clone());
                self.check_caps(self.copies[&tag], buy, 0)?;
            }
        }
        Ok(())
    }

    fn check_allowed(&self, copied: Copied) -> Checked {
        let operator = self.operator;
        hold!(!operator.halted && !operator.reduces, "an entry leaves a stopped account: {copied}");
        let since = self.seen[copied.leader].since;
        hold!(operator.resumed.is_none_or(|at| at <= since), "what was stopped comes back: {copied}");
        // By the broker's clock, which knows whole seconds.
        let age_max = i64::try_from(self.settings.entry.age_max.as_micros()).unwrap_or(i64::MAX) + SECOND;
        let is_late = self.mirror(copied.leader).is_some_and(|mirror| {
            mirror.leader.status.is_terminal() && since - mirror.leader.ts_event.micros() > age_max
        });
        hold!(!is_late || copied.leg != COPY, "P13: opened for what was long over: {copied}");
        Ok(())
    }

    /// P8: nothing for what the leader took back.
    fn check_taken_back(&self, copied: Copied, buy: bool, units: u32) -> Checked {
        let Some(ratio) = self.policies.proportion() else { return Ok(()) };
        let order = &self.leader.orders[copied.leader];
        let executed = lots(order.filled.into()) * ratio;
        let out = i64::from((self.worst(copied.leader, COPY) + units) / LOT);
        // One more for what earlier orders have left over.
        let of_it = out <= executed.ceil() + 1;
        // Where the copies of other orders held too much, it closed that first; what it opens then is what he holds.
        let instrument = order.asked.instrument;
        let his = lots(on_side(buy, self.leader_holds(instrument))) * ratio;
        let is_his = self.at_worst(instrument, buy, units) <= (his.ceil() + 1) * i64::from(LOT);
        let owed = !self.seen[copied.leader].gone || of_it || is_his || copied.leg != COPY;
        hold!(owed, "P8: placed after the leader took it back: {copied}");
        Ok(())
    }

    /// An exit finds so much held: of its kind, all that may close together, by what has been told.
    fn check_exit(&self, copied: Copied, id: &str, terms: &OrderTerms) -> Checked {
        let asked = speak::asked(terms);
        let held = self.book.copied_units(speak::key(asked.instrument));
        let closable = if (held > 0) == asked.buy { 0 } else { held.unsigned_abs() };
        let is_stop = |kind: Kind| matches!(kind, Kind::Stop | Kind::StopMarket);
        let others = self.follower.orders.iter().filter(|order| {
            order.asked.instrument == asked.instrument
                && order.asked.buy == asked.buy
                && is_stop(order.asked.kind) == is_stop(asked.kind)
                && order.tag != id
                && self.sent_as.get(&order.tag) == Some(&Purpose::Exit)
        });
        let units = asked.units.saturating_sub(self.counted(id));
        let taken: u32 = others.map(|order| order.worst() - self.counted(&order.tag)).sum();
        hold!(
            self.is_blotted(asked.instrument, &["hand"]) || u64::from(taken + units) <= closable,
            "P6: {copied} is to close {units} units, {taken} are being closed, {held} are held"
        );
        Ok(())
    }

    /// Whether an order of the same side has traded and nobody was told.
    fn is_blind(&self, asked: Asked) -> bool {
        let mut others = self.follower.orders.iter().filter(|order| {
            let is_alike = (order.asked.instrument, order.asked.buy) == (asked.instrument, asked.buy);
            is_alike && self.copies.contains_key(&order.tag)
        });
        others.any(|order| order.filled > self.counted(&order.tag))
    }

    /// Units of an order that the machine knows to be filled; never more than are (P9).
    fn counted(&self, tag: &str) -> u32 {
        let children = self.copies.get(tag).and_then(|copied| self.mirror(copied.leader));
        let mut children = children.into_iter().flat_map(|mirror| &mirror.children);
        let child = children.find(|child| child.client_order_id.as_str() == tag);
        child.map_or(0, |child| child.cumulative.get())
    }

    /// No cap is exceeded, whatever of all that has left fills. A repair is on the other side than the leader's order.
    fn check_caps(&self, copied: Copied, buy: bool, units: u32) -> Checked {
        let caps = self.policies.caps;
        let instrument = self.leader.orders[copied.leader].asked.instrument;
        self.check_exposure(instrument, buy, units)?;
        // What of it closes is bounded by what is held, whatever the first of its units were sent as.
        let closes = self.tallies[instrument as usize].uses_of(copied.leader).1;
        // What filled ahead of him may have closed what he opened later.
        let crossed = self.is_blotted(instrument, &["late entry"]);
        if let Some(lots) = caps[ORDER].filter(|_| !closes && !crossed) {
            let out = self.entry_worst(copied.leader) + units;
            hold!(out <= lots * LOT, "a cap of {lots} lots an order, and {out} units for L{}", copied.leader);
        }
        Ok(())
    }

    /// No more orders than may work at the same time, and be placed in a day; what provably never left is no second one.
    fn check_counts(&self, id: &str) -> Checked {
        let caps = self.policies.caps;
        if let Some(most) = caps[OPEN] {
            let open =
                self.follower.orders.iter().filter(|order| order.is_live() && self.is_entry(&order.tag));
            let open = u32::try_from(open.count()).unwrap_or(u32::MAX);
            hold!(open < most, "a cap of {most} open orders, and {open} entries are");
        }
        if let Some(most) = caps[DAY].filter(|_| !self.sent_as.contains_key(id)) {
            let placed = self.entries_placed.len();
            hold!(placed < most as usize, "a cap of {most} orders a day, and {placed} entries were");
        }
        Ok(())
    }

    pub(super) fn is_entry(&self, tag: &str) -> bool {
        self.sent_as.get(tag) == Some(&Purpose::Entry)
    }

    pub(super) fn is_blotted(&self, instrument: u32, by: &[&str]) -> bool {
        self.blots[instrument as usize].iter().any(|blot| by.contains(blot))
    }

    /// Whether the machine takes an entry to be alive.
    pub(super) fn is_opening(&self, instrument: u32) -> bool {
        let mirrors = (0..self.seen.len()).filter_map(|number| self.mirror(number));
        mirrors.flat_map(|mirror| &mirror.children).any(|child| {
            let is_of = speak::number_of_key(child.terms.instrument) == instrument;
            is_of && child.is_live() && child.purpose == Purpose::Entry
        })
    }

    /// What is held and what may come to be held on a side, with so many units more that are about to leave.
    fn check_exposure(&self, instrument: u32, buy: bool, units: u32) -> Checked {
        let Some(lots) = self.policies.caps[INSTRUMENT] else { return Ok(()) };
        let carried = self.tallies[instrument as usize].carried.copied.unsigned_abs();
        let most = u64::from(lots * LOT).max(carried);
        let (held, coming) = (self.held(instrument), self.entries_out(instrument, buy));
        let at_worst = self.at_worst(instrument, buy, units);
        hold!(
            u64::try_from(at_worst).unwrap_or(0) <= most,
            "a cap of {lots} lots, and {held} are held, {coming} out, {units} more"
        );
        Ok(())
    }

    /// Units that may come to be held on a side.
    fn at_worst(&self, instrument: u32, buy: bool, units: u32) -> i64 {
        on_side(buy, self.held(instrument)) + i64::from(self.entries_out(instrument, buy) + units)
    }

    /// Units of entries in an instrument, on one side, that may yet fill.
    pub(super) fn entries_out(&self, instrument: u32, buy: bool) -> u32 {
        let is_of = |tag: &str, asked: &Asked| {
            (asked.instrument, asked.buy) == (instrument, buy) && self.is_entry(tag)
        };
        let at_broker = self.follower.orders.iter().filter(|order| is_of(&order.tag, &order.asked));
        let units: u32 = at_broker.map(|order| self.most(order) - order.filled).sum();
        let on_the_way = self.underway().filter_map(|request| match &request.ask {
            Ask::Place(terms) => {
                let asked = speak::asked(terms);
                is_of(request.client_order_id.as_str(), &asked).then_some(asked.units)
            }
            _ => None,
        });
        units + on_the_way.sum::<u32>()
    }

    /// What an order may come to, changes on their way there counted in.
    fn most(&self, order: &Order) -> u32 {
        let raised = self.underway().filter_map(|request| match &request.ask {
            Ask::Modify { terms, .. } if request.client_order_id.as_str() == order.tag => {
                Some(terms.quantity.get())
            }
            _ => None,
        });
        if order.is_live() { raised.fold(order.worst(), u32::max) } else { order.worst() }
    }

    fn entry_worst(&self, leader: usize) -> u32 {
        self.worst_where(|tag| {
            self.is_entry(tag)
                && self.copies.get(tag).is_some_and(|copied| (copied.leader, copied.leg) == (leader, COPY))
        })
    }

    /// What the orders of a part may come to: at the broker, and by requests on their way there.
    pub(super) fn worst(&self, leader: usize, leg: u8) -> u32 {
        self.worst_where(|tag| {
            self.copies.get(tag).is_some_and(|copied| (copied.leader, copied.leg) == (leader, leg))
        })
    }

    fn worst_where(&self, is_of: impl Fn(&str) -> bool) -> u32 {
        let at_broker = self.follower.orders.iter().filter(|order| is_of(&order.tag));
        let units: u32 = at_broker.map(|order| self.most(order)).sum();
        let placing = self.underway().filter_map(|request| match &request.ask {
            Ask::Place(terms) if is_of(request.client_order_id.as_str()) => Some(terms.quantity.get()),
            _ => None,
        });
        units + placing.sum::<u32>()
    }

    /// What the broker makes of an order is no wish of the leader's: a stop of his, seen as he asked for it, is copied as
    /// one, fired or not, until it is over and its copy is chased.
    fn check_kind(&self, copied: Copied, terms: &OrderTerms, has_fired: bool) -> Checked {
        let leader = &self.leader.orders[copied.leader];
        let is_stop = matches!(leader.asked.kind, Kind::Stop | Kind::StopMarket);
        let is_known = self.seen[copied.leader].plain == Some(leader.asked);
        let by_order = copied.leg == COPY && self.policies.on != CopyOn::Fill;
        let must_be_stop = is_stop && is_known && by_order && leader.is_live() && !has_fired;
        hold!(
            !must_be_stop || terms.order_type.is_stop(),
            "his stop that fired is copied as a change: {copied}"
        );
        Ok(())
    }

    fn key_of(&self, id: &ClientOrderId) -> Option<(ChildKey, bool)> {
        (0..self.seen.len()).find_map(|number| {
            let mirror = self.mirror(number)?;
            let key = mirror.attempt(id)?.key.clone();
            Some((key, mirror.outcome == Outcome::Detached))
        })
    }

    pub(super) fn mirror(&self, leader: usize) -> Option<&Mirror> {
        self.book.mirror(&speak::broker_order_id(LEADER, leader))
    }

    /// Whether another attempt of the same slice lives at the broker, or is on its way there.
    fn others_live(&self, of: &Copied) -> bool {
        let same = |tag: &str| {
            self.copies
                .get(tag)
                .is_some_and(|other| (other.leader, other.leg, other.slice) == (of.leader, of.leg, of.slice))
        };
        self.follower.orders.iter().any(|order| order.is_live() && same(&order.tag))
            || self
                .underway()
                .any(|request| matches!(request.ask, Ask::Place(_)) && same(request.client_order_id.as_str()))
    }

    /// P5 as the broker would see it: when a placing or a raise leaves, what the copies of a leader's order may come to
    /// at the worst, this included, is within the target on record (a raise the broker said it took counts as made); what
    /// makes a gap good, within what was filled.
    fn check_room(&self, copied: Copied, more: u32) -> Checked {
        let out = self.worst(copied.leader, copied.leg);
        let bound = if copied.leg == COPY {
            self.seen[copied.leader].target
        } else {
            self.filled(copied.leader, COPY)
        };
        let by_hand = self.seen[copied.leader].hand;
        hold!(by_hand || out + more <= bound, "P5: {out} are out, {more} more of {bound}: {copied:?}");
        Ok(())
    }

    pub(super) fn filled(&self, leader: usize, leg: u8) -> u32 {
        self.of(leader, leg).map(|(order, _)| order.filled).sum()
    }

    /// The orders of a part at the broker.
    pub(super) fn of(&self, leader: usize, leg: u8) -> impl Iterator<Item = (&Order, &Copied)> {
        let known =
            self.follower.orders.iter().filter_map(|order| Some((order, self.copies.get(&order.tag)?)));
        known.filter(move |(_, copied)| (copied.leader, copied.leg) == (leader, leg))
    }

    /// P18: never more in a sliding second than the broker takes, entries not more than their share.
    pub(super) fn check_budget(&mut self, purpose: Purpose) -> Checked {
        self.left.push((self.now, purpose));
        let since = self.now - SECOND;
        let recent: Vec<_> = self.left.iter().rev().take_while(|(at, _)| *at > since).collect();
        hold!(recent.len() <= A_SECOND, "P18: {} requests in a second", recent.len());
        let may = purpose == Purpose::Exit || recent.len() <= ENTRIES_A_SECOND;
        hold!(may, "P18: an entry took of the reserve");
        Ok(())
    }

    /// What becomes of a request: whether it arrives, and what is told of it.
    pub(super) fn fate(&mut self, request: &Request) -> (bool, Told) {
        if self.calm || !self.policies.faulty {
            return (true, Told::Truth);
        }
        let is_place = matches!(request.ask, Ask::Place(_));
        let weights = if is_place { [70, 5, 0, 6, 5, 14, 0] } else { [66, 1, 8, 6, 5, 8, 6] };
        let told = [
            Told::Truth,
            Told::Refused,
            Told::InTransit,
            Told::NotSent,
            Told::Busy,
            Told::Lost,
            Told::Hollow,
        ][self.chance.weighted(&weights)];
        let arrives = match told {
            Told::Truth => true,
            Told::Busy | Told::Lost => self.chance.percent(50),
            Told::Refused | Told::InTransit | Told::NotSent | Told::Hollow | Told::TokenRefused => false,
        };
        (arrives, told)
    }

    /// What must hold after every step.
    pub(super) fn check(&mut self) -> Checked {
        self.check_turned()?;
        for instrument in 0..self.policies.instruments {
            self.check_exposure(instrument, false, 0)?;
            self.check_exposure(instrument, true, 0)?;
        }
        for (leader, seen) in self.seen.iter().enumerate() {
            let Some(mirror) = self.mirror(leader) else { continue };
            let is_stopped = self.operator.has_stopped;
            hold!(
                seen.hand || is_stopped || mirror.outcome != Outcome::Detached,
                "detached by nobody: L{leader}"
            );
            for child in &mirror.children {
                let orders = self.follower.orders.iter().filter(|o| o.tag == child.client_order_id.as_str());
                let (mut count, mut filled) = (0, 0);
                for order in orders {
                    (count, filled) = (count + 1, filled + order.filled);
                }
                hold!(count <= 1, "P2: an id placed twice: {:?}", child.key);
                let counted = child.cumulative.get();
                hold!(counted <= filled, "P9: {counted} counted of {filled} filled: {:?}", child.key);
            }
        }
        Ok(())
    }
}

/// Signed units as they stand on a side.
const fn on_side(buy: bool, units: i64) -> i64 {
    if buy { units } else { -units }
}

/// For the reader of a trace.
fn words(ask: &Ask) -> String {
    match ask {
        Ask::Place(terms) => format!("place {:?}", speak::asked(terms)),
        Ask::Modify { terms, .. } => format!("modify to {:?}", speak::asked(terms)),
        Ask::Cancel { .. } => "cancel".to_owned(),
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}.{}.{}.{}", self.leader, self.leg, self.slice, self.attempt)
    }
}

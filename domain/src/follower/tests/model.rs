//! A broker of a few lines, and rows of a few more, that know nothing of the follower's book. What happens to a request
//! is decided when it leaves: whether an order comes of it, when the books show it, and what the sender is told.

use super::*;
use crate::mirror::{Change, ChangeRequest, ChangeState, OrderPart};

/// What becomes of one request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Taken,
    Refused,
    NeverLeft,
    /// "Too many requests", and it meant it.
    BusyRefused,
    /// "Too many requests", and took the order all the same.
    BusyTaken,
    LostBefore,
    LostAfter,
    /// Lost, taken, and shown in the books without its tag.
    LostAfterAndUntagged,
}

/// An order that stands in the broker's book, or will once it is visible.
#[derive(Debug, Clone)]
pub(super) struct BrokerOrder {
    pub(super) row: OrderReport,
    /// Whose it is in truth, whatever tag the books show.
    pub(super) ours: Option<ClientOrderId>,
    visible_at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) orders: Vec<BrokerOrder>,
}

impl Broker {
    /// `shown_after`: how long the books keep silent about a new order; at most the settle time, or P4 could not hold.
    pub(super) fn request(
        &mut self,
        request: &Request,
        fate: Fate,
        shown_after: Duration,
        now: Timestamp,
    ) -> Answer {
        let taken =
            matches!(fate, Fate::Taken | Fate::BusyTaken | Fate::LostAfter | Fate::LostAfterAndUntagged);
        let answer = match &request.ask {
            Ask::Place(terms) => {
                let id = format!("{}", self.orders.len() + 1);
                if taken {
                    let ours = Some(request.client_order_id.clone());
                    let tagged = !matches!(fate, Fate::LostAfterAndUntagged);
                    let tag = ours.as_ref().map(Tag::from).filter(|_| tagged);
                    let row = OrderReport { tag, ts_event: now, ..manual(&id, terms.clone()) };
                    self.orders.push(BrokerOrder { row, ours, visible_at: now.plus(shown_after) });
                }
                Answer::Accepted(broker_id(&id))
            }
            Ask::Modify { broker_order_id, terms, .. } => {
                let is_filled = self.orders.iter().any(|order| {
                    order.row.broker_order_id == *broker_order_id && order.row.cumulative >= terms.quantity
                });
                if is_filled {
                    Answer::Refused(Refused::Other, "so much is filled already".into())
                } else {
                    self.change(broker_order_id, taken, |row| row.terms = terms.clone())
                }
            }
            Ask::Cancel { broker_order_id, .. } => {
                self.change(broker_order_id, taken, |row| row.status = BrokerStatus::Cancelled)
            }
        };
        match fate {
            Fate::Taken => answer,
            Fate::Refused => Answer::Refused(Refused::InTransit, "no".into()),
            Fate::NeverLeft => Answer::NotSent,
            Fate::BusyRefused | Fate::BusyTaken => Answer::Busy,
            Fate::LostBefore | Fate::LostAfter | Fate::LostAfterAndUntagged => Answer::Lost,
        }
    }

    fn change(&mut self, id: &BrokerOrderId, taken: bool, how: impl FnOnce(&mut OrderReport)) -> Answer {
        let living = self.orders.iter_mut().map(|order| &mut order.row);
        let found = living.filter(|row| !row.status.is_terminal()).find(|row| row.broker_order_id == *id);
        let Some(row) = found else { return Answer::Refused(Refused::Over, "it is over".into()) };
        if taken {
            how(row);
        }
        Answer::Accepted(id.clone())
    }

    pub(super) fn by_hand(&mut self, terms: OrderTerms, now: Timestamp) {
        let id = format!("{}", self.orders.len() + 1);
        self.orders.push(BrokerOrder { row: manual(&id, terms), ours: None, visible_at: now });
    }

    pub(super) fn book(&self, now: Timestamp) -> Vec<OrderReport> {
        let visible = self.orders.iter().filter(|order| order.visible_at <= now);
        visible.map(|order| order.row.clone()).collect()
    }

    pub(super) fn lookup(&self, id: &ClientOrderId, now: Timestamp) -> Option<OrderReport> {
        self.book(now).into_iter().find(|row| row.tag == Some(Tag::from(id)))
    }

    pub(super) fn fill(&mut self, at: usize, units: u32) {
        let Some(BrokerOrder { row, .. }) = self.orders.get_mut(at) else { return };
        if row.status.is_terminal() {
            return;
        }
        let filled = (row.cumulative.get() + units).min(row.terms.quantity.get());
        row.cumulative = Quantity::new(filled);
        row.average_price = row.terms.price;
        let complete = filled == row.terms.quantity.get();
        row.status = if complete { BrokerStatus::Traded } else { BrokerStatus::PartTraded };
    }

    pub(super) fn end(&mut self, at: usize, status: BrokerStatus) {
        if let Some(BrokerOrder { row, .. }) = self.orders.get_mut(at)
            && !row.status.is_terminal()
        {
            row.status = status;
        }
    }

    /// Units that may be held at the worst through the orders of these attempts.
    pub(super) fn exposure(&self, attempts: &[ClientOrderId]) -> u32 {
        let units = self.of(attempts).map(|row| {
            if row.status.is_terminal() { row.cumulative.get() } else { row.terms.quantity.get() }
        });
        units.sum()
    }

    /// The orders that came of these attempts.
    pub(super) fn of(&self, attempts: &[ClientOrderId]) -> impl Iterator<Item = &OrderReport> {
        let theirs = |order: &&BrokerOrder| order.ours.as_ref().is_some_and(|ours| attempts.contains(ours));
        self.orders.iter().filter(theirs).map(|order| &order.row)
    }

    /// Bought minus sold, by orders that show their tag.
    pub(super) fn position(&self) -> i64 {
        let ours = self.orders.iter().map(|order| &order.row).filter(|row| row.tag.is_some());
        ours.map(|row| row.terms.side.signed(row.cumulative).0).sum()
    }
}

/// What was made durable of one leader order.
#[derive(Debug, Clone)]
pub(super) struct MappingRow {
    pub(super) leader: Arc<LeaderOrder>,
    pub(super) state: MappingState,
    sizing: Option<crate::sizing::Sizing>,
}

/// A request to change or cancel, as its row has it.
#[derive(Debug, Clone)]
pub(super) struct ChangeRow {
    pub(super) terms: OrderTerms,
    pub(super) part: OrderPart,
    pub(super) is_cancel: bool,
    pub(super) state: IntentState,
    pub(super) sent_at: Timestamp,
}

/// Everything that was made durable.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) mappings: BTreeMap<BrokerOrderId, MappingRow>,
    pub(super) intents: BTreeMap<ClientOrderId, Child>,
    pub(super) changes: BTreeMap<(ClientOrderId, u32), ChangeRow>,
    gaps: BTreeMap<BrokerOrderId, Gap>,
}

impl Rows {
    pub(super) fn store(&mut self, record: &Record, now: Timestamp) {
        match record {
            Record::Mapping { leader, state, sizing, .. } => {
                let row = MappingRow { leader: Arc::clone(leader), state: *state, sizing: *sizing };
                self.mappings.insert(leader.broker_order_id.clone(), row);
            }
            Record::Intent { child, before, .. } => {
                let known = self.intents.insert(child.client_order_id.clone(), row_of(child));
                let stands = known.map(|known| known.recorded.unwrap_or(IntentState::Planned));
                assert_eq!(stands, *before, "the row is not where the book believes it: {child:?}");
            }
            Record::Change { change, .. } => {
                let key = (change.client_order_id.clone(), change.serial);
                let known = self.changes.get(&key);
                assert_eq!(
                    known.map(|row| row.state),
                    change.before,
                    "the row is not where the book believes it"
                );
                let row = ChangeRow {
                    terms: change.terms.clone(),
                    part: change.part,
                    is_cancel: change.is_cancel,
                    state: change.state,
                    sent_at: known.map_or(now, |row| row.sent_at),
                };
                self.changes.insert(key, row);
            }
            Record::Order { client_order_id, report } => {
                let child = self.intents.get_mut(client_order_id).expect("an order row needs its intent");
                child.broker_order_id = Some(report.broker_order_id.clone());
                child.cumulative = child.cumulative.max(report.cumulative);
                child.average_price = child.average_price.max(report.average_price);
                if !child.state.is_terminal() {
                    child.status = Some(report.status.clone());
                    child.shown = Some(report.terms.quantity);
                    child.state = match report.status {
                        BrokerStatus::Traded => ChildState::Filled,
                        BrokerStatus::Cancelled => ChildState::Cancelled,
                        BrokerStatus::Rejected => ChildState::Rejected,
                        BrokerStatus::Expired => ChildState::Expired,
                        _ => ChildState::Working { broker_order_id: report.broker_order_id.clone() },
                    };
                }
            }
            Record::Gap { leader, gap, .. } => {
                self.gaps.insert(leader.broker_order_id.clone(), *gap);
            }
            Record::ChildNote { client_order_id, note } => {
                let child = self.intents.get_mut(client_order_id).expect("a note needs its intent");
                (child.purpose, child.is_retired, child.has_fired) =
                    (note.purpose, note.is_retired, note.has_fired);
                child.noted = *note;
            }
            Record::LeaderEvent(order) => {
                if let Some(row) = self.mappings.get_mut(&order.broker_order_id) {
                    row.leader = Arc::clone(order);
                }
            }
            Record::Settled(_)
            | Record::Drift(..)
            | Record::Converted(_)
            | Record::Fills { .. }
            | Record::Trade(_)
            | Record::External(_)
            | Record::Leg(_)
            | Record::Trading(_)
            | Record::Opening(_) => {}
        }
    }

    /// What a new process makes of them.
    pub(super) fn mirrors(&self) -> Vec<Mirror> {
        let mirrors = self.mappings.values().map(|row| {
            let mut mirror = Mirror::new(Arc::clone(&row.leader));
            let MappingState { outcome, reason, target, .. } = row.state;
            (mirror.outcome, mirror.reason) = (outcome, reason);
            mirror.target = match (target, outcome) {
                (Quantity::ZERO, Outcome::AwaitingLeader) => Target::Undecided,
                (Quantity::ZERO, _) => Target::Gone(reason.unwrap_or(DeniedReason::LeaderGone)),
                (quantity, _) => Target::Open(OrderTerms { quantity, ..row.leader.terms.clone() }),
            };
            mirror.recorded = Some(row.state);
            (mirror.sizing, mirror.is_size_recorded) = (row.sizing, row.sizing.is_some());
            mirror.gap = self.gaps.get(&row.leader.broker_order_id).copied();
            mirror.recorded_gap = mirror.gap;
            let ours = self.intents.values().filter(|c| c.key.leader_order == row.leader.broker_order_id);
            mirror.children = ours.map(|child| self.with_changes(child)).collect();
            mirror.children.sort_by_key(|child| (child.key.leg, child.key.slice, child.key.attempt));
            mirror
        });
        mirrors.collect()
    }

    /// A child as its intent's row and those of its changes tell it.
    fn with_changes(&self, row: &Child) -> Child {
        let mut child = row.clone();
        child.request = None;
        let of_child = (row.client_order_id.clone(), 0)..=(row.client_order_id.clone(), u32::MAX);
        for ((_, serial), change) in self.changes.range(of_child) {
            child.serial = *serial;
            child.changes += u16::from(!change.is_cancel);
            child.cancel_asked |= change.is_cancel;
            child.sent_before.extend(child.ts_changed);
            child.ts_changed = Some(change.sent_at);
            let state = match change.state {
                IntentState::Acked if !change.is_cancel => {
                    child.asked_before.push(std::mem::replace(&mut child.terms, change.terms.clone()));
                    continue;
                }
                IntentState::Sending => ChangeState::Sending,
                IntentState::Unknown => ChangeState::Unknown,
                _ => continue,
            };
            let asked = if change.is_cancel {
                Change::Cancel { part: change.part }
            } else {
                Change::Modify { terms: change.terms.clone(), part: change.part }
            };
            child.request = Some(Box::new(ChangeRequest {
                change: asked,
                state,
                serial: *serial,
                ts_sent: Some(change.sent_at),
                is_seen: false,
                is_chase: false,
            }));
        }
        child
    }

    /// Every attempt of one part of the copy of one leader order.
    pub(super) fn attempts(&self, leader_order: &BrokerOrderId, leg: u8) -> Vec<ClientOrderId> {
        let of_part = |child: &&Child| child.key.leader_order == *leader_order && child.key.leg == leg;
        self.intents.values().filter(of_part).map(|child| child.client_order_id.clone()).collect()
    }
}

/// What the rows of a child tell: nothing of what only its life knows.
fn row_of(child: &Child) -> Child {
    Child {
        state: child.state.clone(),
        broker_order_id: child.broker_order_id.clone(),
        status: child.status.clone(),
        shown: child.shown,
        cumulative: child.cumulative,
        average_price: child.average_price,
        ts_filled: child.ts_filled,
        reason: child.reason.clone(),
        ts_sent: child.ts_sent,
        recorded: child.recorded,
        noted: child.note(),
        noted_quantity: child.terms.quantity,
        is_retired: child.is_retired,
        has_fired: child.has_fired,
        ..Child::planned(child.key.clone(), child.terms.clone(), child.purpose)
    }
}

//! A broker of a few lines, and rows of a few more, that know nothing of the follower's book. What happens to a request
//! is decided when it leaves: whether an order comes of it, when the books show it, and what the sender is told.

use super::*;
use crate::mirror::IntentState;

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
    /// `shown_after`: how long the books keep silent about the order; at most the settle time, or P4 could not hold.
    pub(super) fn request(
        &mut self,
        placement: &Placement,
        fate: Fate,
        shown_after: Duration,
        now: Timestamp,
    ) -> PlaceAnswer {
        let taken =
            matches!(fate, Fate::Taken | Fate::BusyTaken | Fate::LostAfter | Fate::LostAfterAndUntagged);
        let id = format!("{}", self.orders.len() + 1);
        if taken {
            let ours = Some(placement.client_order_id.clone());
            let tag = ours.as_ref().map(Tag::from).filter(|_| !matches!(fate, Fate::LostAfterAndUntagged));
            let row = OrderReport { tag, ts_event: now, ..manual(&id, placement.terms.clone()) };
            self.orders.push(BrokerOrder { row, ours, visible_at: now.plus(shown_after) });
        }
        match fate {
            Fate::Taken => PlaceAnswer::Accepted(broker_id(&id)),
            Fate::Refused => PlaceAnswer::Refused("margin shortfall".into()),
            Fate::NeverLeft => PlaceAnswer::NotSent,
            Fate::BusyRefused | Fate::BusyTaken => PlaceAnswer::Busy,
            Fate::LostBefore | Fate::LostAfter | Fate::LostAfterAndUntagged => PlaceAnswer::Lost,
        }
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
    pub(super) outcome: Outcome,
    pub(super) reason: Option<DeniedReason>,
    pub(super) copied: u64,
    pub(super) target: Quantity,
}

/// Everything that was made durable.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) mappings: BTreeMap<BrokerOrderId, MappingRow>,
    pub(super) intents: BTreeMap<ClientOrderId, Child>,
}

impl Rows {
    pub(super) fn store(&mut self, record: &Record) {
        match record {
            Record::Mapping { leader, outcome, reason, copied, target, .. } => {
                let row = MappingRow {
                    leader: Arc::clone(leader),
                    outcome: *outcome,
                    reason: *reason,
                    copied: u64::from(copied.get()),
                    target: *target,
                };
                self.mappings.insert(leader.broker_order_id.clone(), row);
            }
            Record::Intent { child, before, .. } => {
                let known = self.intents.insert(child.client_order_id.clone(), (**child).clone());
                let stands = known.map(|known| known.recorded.unwrap_or(IntentState::Planned));
                assert_eq!(stands, *before, "the row is not where the book believes it: {child:?}");
            }
            Record::Order { client_order_id, report } => {
                let child = self.intents.get_mut(client_order_id).expect("an order row needs its intent");
                child.broker_order_id = Some(report.broker_order_id.clone());
                child.cumulative = child.cumulative.max(report.cumulative);
                child.average_price = child.average_price.max(report.average_price);
                if !child.state.is_terminal() {
                    child.status = Some(report.status.clone());
                    child.state = match report.status {
                        BrokerStatus::Traded => ChildState::Filled,
                        BrokerStatus::Cancelled => ChildState::Cancelled,
                        BrokerStatus::Rejected => ChildState::Rejected,
                        BrokerStatus::Expired => ChildState::Expired,
                        _ => ChildState::Working { broker_order_id: report.broker_order_id.clone() },
                    };
                }
            }
            Record::LeaderEvent(_) | Record::Fills { .. } | Record::Trade(_) => {}
        }
    }

    /// What a new process makes of them.
    pub(super) fn mirrors(&self) -> Vec<Mirror> {
        let mirrors = self.mappings.values().map(|row| {
            let mut mirror = Mirror::new(Arc::clone(&row.leader));
            mirror.outcome = row.outcome;
            mirror.reason = row.reason;
            mirror.target = match (row.target, row.outcome) {
                (Quantity::ZERO, Outcome::AwaitingLeader) => Target::Undecided,
                (Quantity::ZERO, _) => Target::Gone(row.reason.unwrap_or(DeniedReason::LeaderGone)),
                (quantity, _) => Target::Open(OrderTerms { quantity, ..row.leader.terms.clone() }),
            };
            let ours = self.intents.values().filter(|c| c.key.leader_order == row.leader.broker_order_id);
            mirror.children = ours.cloned().collect();
            mirror.children.sort_by_key(|child| child.key.attempt);
            mirror
        });
        mirrors.collect()
    }

    /// Every attempt for one leader order.
    pub(super) fn attempts(&self, leader_order: &BrokerOrderId) -> Vec<ClientOrderId> {
        let ours = self.intents.values().filter(|child| child.key.leader_order == *leader_order);
        ours.map(|child| child.client_order_id.clone()).collect()
    }
}

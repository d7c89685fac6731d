//! When the absence of an order is evidence (P4, `reliability.md` section 3).
//!
//! Two complete reads of the account's book, both begun at least the settle time after the answer was lost, in
//! which every other order we know to exist appears, and which hold no unexplained order that looks like ours.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::flaw::flawed;
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::mirror::{Child, Mirror};
use crate::order::OrderReport;
use crate::pacing::Purpose;
use crate::time::Timestamp;

/// Complete reads without the order that prove its absence.
const READS_NEEDED: u32 = 2;
/// The same of an exit that the broker turned away with "too many": it most probably never took it, and what is held must
/// go.
const READS_NEEDED_OF_BUSY_EXIT: u32 = 1;

/// One read of the account's order book.
#[derive(Debug)]
pub struct BookRead {
    /// When the request for it left.
    pub started_at: Timestamp,
    /// Its rows.
    pub orders: Vec<OrderReport>,
    /// Whether every row could be read; if not, the read proves no absence.
    pub complete: bool,
}

/// An order whose fate is not proven.
#[derive(Debug)]
pub(super) struct Unknown {
    /// The earliest it may have been sent: orders of others that stood in the book before then are not it.
    sent_from: Timestamp,
    /// The latest it may have been sent: from then on the broker has the settle time to show it.
    sent_until: Timestamp,
    lookups: u32,
    absent_reads: u32,
    look_alike_seen: bool,
    /// The broker probably refused it ("too many"): send it again if it is proven absent in time.
    pub(super) worth_sending_again: bool,
}

impl Unknown {
    pub(super) const fn new(sent_from: Timestamp, sent_until: Timestamp) -> Self {
        Self {
            sent_from,
            sent_until,
            lookups: 0,
            absent_reads: 0,
            look_alike_seen: false,
            worth_sending_again: false,
        }
    }

    pub(super) fn next_lookup(&mut self, first: Duration, max: Duration) -> Duration {
        let delay = first.saturating_mul(1 << self.lookups.min(16)).min(max);
        self.lookups += 1;
        delay
    }
}

/// What the judge may look at.
pub(super) struct Surroundings<'a> {
    pub(super) mirrors: &'a BTreeMap<BrokerOrderId, Mirror>,
    pub(super) leader_of: &'a HashMap<ClientOrderId, BrokerOrderId>,
    pub(super) client_of: &'a HashMap<BrokerOrderId, ClientOrderId>,
    /// Orders of others, and when each was first seen.
    pub(super) external: &'a HashMap<BrokerOrderId, super::external::External>,
    pub(super) settle: Duration,
}

/// What a read proved.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// Proven absent, and whether each is worth sending again.
    pub(super) absent: Vec<(ClientOrderId, bool)>,
    /// Held in doubt by a look-alike; each named once.
    pub(super) look_alikes: Vec<ClientOrderId>,
}

pub(super) fn judge(
    read: &BookRead,
    unknown: &mut BTreeMap<ClientOrderId, Unknown>,
    around: &Surroundings<'_>,
) -> Judgement {
    let mut judgement = Judgement::default();
    if unknown.is_empty() || !read.complete || !shows_all_known(read, around) {
        return judgement;
    }
    for (client_order_id, doubt) in unknown.iter_mut() {
        // A forever order stands in another list, without our id: its absence here proves nothing.
        let Some(child) = child_of(client_order_id, around).filter(|child| !child.is_forever()) else {
            continue;
        };
        if read.started_at < doubt.sent_until.plus(around.settle) && !flawed!(AbsentTooEarly) {
            continue;
        }
        if read.orders.iter().any(|report| looks_like(report, child, doubt.sent_from, around)) {
            if !doubt.look_alike_seen {
                doubt.look_alike_seen = true;
                judgement.look_alikes.push(client_order_id.clone());
            }
            continue;
        }
        doubt.absent_reads += 1;
        let is_busy_exit = doubt.worth_sending_again && child.purpose == Purpose::Exit;
        let needed = if is_busy_exit { READS_NEEDED_OF_BUSY_EXIT } else { READS_NEEDED };
        if doubt.absent_reads >= needed || flawed!(AbsentTooEarly) {
            judgement.absent.push((client_order_id.clone(), doubt.worth_sending_again));
        }
    }
    judgement
}

/// A book that misses orders the broker took is not healthy, whatever its status code says.
fn shows_all_known(read: &BookRead, around: &Surroundings<'_>) -> bool {
    let shown: HashSet<&BrokerOrderId> = read.orders.iter().map(|report| &report.broker_order_id).collect();
    around.client_of.iter().all(|(broker_order_id, client_order_id)| {
        let Some(child) = child_of(client_order_id, around).filter(|child| !child.is_forever()) else {
            return true;
        };
        // The broker's book is today's only; what was taken just now may not show yet.
        let of_another_day = child.key.trading_day != read.started_at.trading_day();
        let recent = child.ts_sent.is_some_and(|sent| sent.plus(around.settle) > read.started_at);
        of_another_day || recent || shown.contains(broker_order_id)
    })
}

/// Somebody else's order is explained only if it stood in the book before ours was sent; at the same moment is not before.
fn looks_like(report: &OrderReport, child: &Child, sent_from: Timestamp, around: &Surroundings<'_>) -> bool {
    let explained = around.client_of.contains_key(&report.broker_order_id)
        || around.external.get(&report.broker_order_id).is_some_and(|known| known.first_seen < sent_from);
    !explained
        && report.terms.instrument == child.terms.instrument
        && report.terms.side == child.terms.side
        && report.terms.quantity == child.terms.quantity
}

fn child_of<'a>(client_order_id: &ClientOrderId, around: &Surroundings<'a>) -> Option<&'a Child> {
    let mirror = around.mirrors.get(around.leader_of.get(client_order_id)?)?;
    mirror.children.iter().find(|child| child.client_order_id == *client_order_id)
}

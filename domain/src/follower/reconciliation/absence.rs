//! When the absence of an order is evidence (P4, `reliability.md` section 3).
//!
//! Two complete reads of the account's book, both begun at least the settle time after the answer was lost, in
//! which every other order we know to exist appears, and which hold no unexplained order that looks like ours.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::calendar::Calendar;
use crate::flaw::flawed;
use crate::follower::external::External;
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::instrument::InstrumentKey;
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
pub(in crate::follower) struct Unknown {
    pub(in crate::follower) instrument: InstrumentKey,
    /// The earliest it may have been sent: orders of others that stood in the book before then are not it.
    sent_from: Timestamp,
    /// The latest it may have been sent: from then on the broker has the settle time to show it.
    sent_until: Timestamp,
    /// Whether a life before left it.
    pub(in crate::follower) is_inherited: bool,
    lookups: u32,
    absent_reads: u32,
    look_alike_seen: bool,
    /// The broker probably refused it ("too many"): send it again if it is proven absent in time.
    pub(in crate::follower) worth_sending_again: bool,
}

impl Unknown {
    pub(in crate::follower) const fn new(
        instrument: InstrumentKey,
        sent_from: Timestamp,
        sent_until: Timestamp,
    ) -> Self {
        Self {
            instrument,
            sent_from,
            sent_until,
            is_inherited: false,
            lookups: 0,
            absent_reads: 0,
            look_alike_seen: false,
            worth_sending_again: false,
        }
    }

    /// The same of one that a life before has left.
    pub(in crate::follower) const fn inherited(
        instrument: InstrumentKey,
        sent_from: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self { is_inherited: true, ..Self::new(instrument, sent_from, now) }
    }

    /// Until when evidence should have ended it.
    pub(in crate::follower) fn due(&self, patience: Duration) -> Timestamp {
        self.sent_until.plus(patience)
    }

    pub(in crate::follower) fn next_lookup(&mut self, first: Duration, max: Duration) -> Duration {
        let delay = first.saturating_mul(1 << self.lookups.min(16)).min(max);
        self.lookups += 1;
        delay
    }
}

/// What the judge may look at.
pub(in crate::follower) struct Surroundings<'a> {
    pub(in crate::follower) mirrors: &'a BTreeMap<BrokerOrderId, Mirror>,
    pub(in crate::follower) leader_of: &'a HashMap<ClientOrderId, BrokerOrderId>,
    pub(in crate::follower) client_of: &'a HashMap<BrokerOrderId, ClientOrderId>,
    /// Orders of others, and when each was first seen.
    pub(in crate::follower) external: &'a HashMap<BrokerOrderId, External>,
    pub(in crate::follower) settle: Duration,
    pub(in crate::follower) calendar: &'a Calendar,
}

/// What a read proved.
#[derive(Debug, Default)]
pub(in crate::follower) struct Judgement {
    /// Proven absent, and whether each is worth sending again.
    pub(in crate::follower) absent: Vec<(ClientOrderId, bool)>,
    /// Held in doubt by a look-alike; each named once.
    pub(in crate::follower) look_alikes: Vec<ClientOrderId>,
}

pub(in crate::follower) fn judge(
    read: &BookRead,
    missing: &BTreeSet<ClientOrderId>,
    unknown: &mut BTreeMap<ClientOrderId, Unknown>,
    around: &Surroundings<'_>,
) -> Judgement {
    let mut judgement = Judgement::default();
    // A book that misses orders the broker took is not healthy, whatever its status code says.
    if unknown.is_empty() || !read.complete || !missing.is_empty() {
        return judgement;
    }
    for (client_order_id, doubt) in unknown.iter_mut() {
        // A forever order stands in another list, without our id: its absence here proves nothing.
        let Some(child) = child_of(client_order_id, around).filter(|child| !child.is_forever()) else {
            continue;
        };
        // Nor does that of an order of another day, in a book of this one (P29).
        if doubt.sent_from.trading_day() != read.started_at.trading_day() && !flawed!(YesterdaySentAgain) {
            continue;
        }
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

/// Orders of ours that the broker took and this read should show, and does not; none of a read that is not complete.
pub(in crate::follower) fn missing(read: &BookRead, around: &Surroundings<'_>) -> BTreeSet<ClientOrderId> {
    if !read.complete {
        return BTreeSet::new();
    }
    let shown: HashSet<&BrokerOrderId> = read.orders.iter().map(|report| &report.broker_order_id).collect();
    let is_missing = |(broker_order_id, client_order_id): &(&BrokerOrderId, &ClientOrderId)| {
        let Some(child) = child_of(client_order_id, around).filter(|child| !child.is_forever()) else {
            return false;
        };
        // The broker's book is today's only: of what was sent before, it shows what waits, and before it has turned nobody
        // knows whether it does. What was taken just now may not show yet.
        let day = child.ts_sent.map_or(child.key.trading_day, Timestamp::trading_day);
        let waits = || {
            child.is_live()
                && child.terms.after_market
                && around.calendar.books_have_turned(child.terms.instrument.segment, read.started_at)
        };
        let of_another_day = day != read.started_at.trading_day() && !waits();
        let recent = child.ts_sent.is_some_and(|sent| sent.plus(around.settle) > read.started_at);
        !(of_another_day || recent || shown.contains(broker_order_id))
    };
    around.client_of.iter().filter(is_missing).map(|(_, client_order_id)| client_order_id.clone()).collect()
}

/// Orders that reads before did not show, since when, and whether a person was told.
#[derive(Debug, Default)]
pub(in crate::follower) struct Lost(BTreeMap<ClientOrderId, (Timestamp, bool)>);

/// Of whom a person is to be told now, and of whom it is so no more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::follower) struct News {
    pub(in crate::follower) lost: Vec<ClientOrderId>,
    pub(in crate::follower) found: Vec<ClientOrderId>,
}

impl Lost {
    /// One read may be unlucky: told is what a second one does not show either that began the settle time after it. A read
    /// that is not complete says nothing of either.
    pub(in crate::follower) fn note(
        &mut self,
        read: &BookRead,
        missing: &BTreeSet<ClientOrderId>,
        settle: Duration,
    ) -> News {
        let mut news = News::default();
        if !read.complete {
            return news;
        }
        self.0.retain(|known, (_, is_told)| {
            let stays = missing.contains(known);
            if !stays && *is_told {
                news.found.push(known.clone());
            }
            stays
        });
        for id in missing {
            let (since, is_told) = self.0.entry(id.clone()).or_insert((read.started_at, false));
            if !*is_told && read.started_at >= since.plus(settle) {
                *is_told = true;
                news.lost.push(id.clone());
            }
        }
        news
    }
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

//! The rows of one copied order, made by hand as the actors make them: what a floor commits, and what databases are
//! filled with beforehand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use tandem_actors::records::{About, Circumstances, News, Owner, writes};
use tandem_actors::store::{IntentTiming, Write};
use tandem_dhan::parse;
use tandem_dhan::wire::decode_frame;
use tandem_domain::follower::{MappingState, Record};
use tandem_domain::ids::{BrokerOrderId, ChildKey, DhanClientId, FollowerId, Tag};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::{Child, IntentState, Outcome};
use tandem_domain::order::lifecycle::ChildState;
use tandem_domain::order::{BrokerStatus, EvidenceSource, Leg, OrderReport};
use tandem_domain::pacing::Purpose;
use tandem_domain::policy::Bps;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Lots, Quantity};
use tandem_domain::sizing::{
    self, CapitalBasis, DayCapital, Minimum, Occasion, Ratio, Rounding, Sizing, SizingPolicy, Strategy,
};
use tandem_domain::time::{Timestamp, TradingDay};

use crate::support::daemon;

/// One follower as a floor knows it.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) id: FollowerId,
    pub(crate) account: DhanClientId,
}

impl Follower {
    pub(crate) fn numbered(number: usize) -> anyhow::Result<Self> {
        Ok(Self {
            id: FollowerId::new(daemon::follower(number))?,
            account: DhanClientId::new(daemon::account(number))?,
        })
    }

    fn owner(&self) -> Owner<'_> {
        Owner { follower: &self.id, account: &self.account }
    }
}

/// What every follower's size comes to: the broker of the bench says that all are equally rich.
pub(crate) fn sizing() -> anyhow::Result<Sizing> {
    let policy = SizingPolicy {
        strategy: Strategy::CapitalProportional,
        fixed_ratio: Ratio::ONE,
        fixed_lots: Lots(1),
        risk_share: Bps::new(1_000),
        capital: CapitalBasis::Total,
        fixed_capital: None,
        multiplier: Ratio::ONE,
        ratio_max: Ratio::ONE,
        rounding: Rounding::Down,
        minimum: Minimum::Skip,
        keeps_remainder: false,
    };
    let capital = Some(Money::from_units(100_000_000_000));
    let capital = DayCapital { leader: capital, follower: capital };
    let lot_size = LotSize::new(65).context("a lot of 65")?;
    let occasion = Occasion { leader_quantity: Quantity::new(65), lot_size, unit_cost: None, held: 0 };
    sizing::propose(&policy, capital, occasion).map_err(|reason| anyhow::anyhow!("{reason}"))
}

/// The report in a frame's text.
pub(crate) fn report(text: &str) -> anyhow::Result<OrderReport> {
    let update = decode_frame(text).items.pop().context("an empty frame")??;
    Ok(parse::order_update(&update)?)
}

/// The leader's order of a first report.
pub(crate) fn leader_order(report: &OrderReport, day: TradingDay, now: Timestamp) -> Arc<LeaderOrder> {
    Arc::new(LeaderOrder {
        account: report.account.clone(),
        trading_day: day,
        broker_order_id: report.broker_order_id.clone(),
        tag: report.tag.clone(),
        leg: report.leg,
        terms: report.terms.clone(),
        status: report.status.clone(),
        cumulative: report.cumulative,
        average_price: report.average_price,
        reason: report.reason.clone(),
        exited: Quantity::ZERO,
        last_price: None,
        forever_parent: None,
        known_fingerprint: tandem_domain::leader::KnownFingerprint::default(),
        ts_event: report.ts_event,
        ts_first_event: report.ts_event,
        ts_first_seen: now,
    })
}

/// A copy on its way.
pub(crate) struct Copy {
    pub(crate) leader: Arc<LeaderOrder>,
    pub(crate) follower: Follower,
    pub(crate) child: Child,
    sizing: Sizing,
    timing: IntentTiming,
}

impl Copy {
    pub(crate) fn new(
        leader: &Arc<LeaderOrder>,
        follower: &Follower,
        sizing: Sizing,
        received: Instant,
        now: Timestamp,
    ) -> Self {
        let key = ChildKey {
            trading_day: leader.trading_day,
            leader_order: leader.broker_order_id.clone(),
            follower: follower.id.clone(),
            leg: 0,
            slice: 0,
            attempt: 1,
        };
        let mut child = Child::planned(key, leader.terms.clone(), Purpose::Entry);
        child.state = ChildState::Sending;
        child.ts_sent = Some(now);
        child.recorded = Some(IntentState::Sending);
        let timing = IntentTiming {
            leader_event: Some(leader.ts_event),
            received: Some(now.minus(received.elapsed())),
            decided: Some(now),
            ..IntentTiming::default()
        };
        Self { leader: Arc::clone(leader), follower: follower.clone(), child, sizing, timing }
    }

    /// The rows that must be durable before the request leaves, but for the leader's event.
    pub(crate) fn decision(&self, now: Timestamp) -> Vec<Write> {
        let around = Circumstances { now, news: Some(self.news(self.timing)) };
        writes(vec![self.mapping(), self.intent(None)], self.follower.owner(), &around)
    }

    /// The rows of the answer.
    pub(crate) fn answer(
        mut self,
        broker_order_id: BrokerOrderId,
        body: String,
        sent: Timestamp,
        now: Timestamp,
    ) -> Vec<Write> {
        let latency = now.since(sent).max(Duration::from_micros(1)).as_micros();
        let news = News {
            request: Some(body),
            response: Some(json!({ "orderId": broker_order_id, "orderStatus": "TRANSIT" }).to_string()),
            ..self.news(IntentTiming {
                committed: Some(sent),
                sent: Some(sent),
                answered: Some(now),
                added_latency_us: u64::try_from(latency).ok(),
                ..self.timing
            })
        };
        let around = Circumstances { now, news: Some(news) };
        self.child.state = ChildState::Working { broker_order_id: broker_order_id.clone() };
        self.child.broker_order_id = Some(broker_order_id.clone());
        let order = Record::Order {
            client_order_id: self.child.client_order_id.clone(),
            report: Box::new(self.taken(broker_order_id, now)),
        };
        // The mapping says already what an acceptance leaves as it is.
        let records = vec![self.intent(Some(IntentState::Sending)), order];
        writes(records, self.follower.owner(), &around)
    }

    fn news(&self, timing: IntentTiming) -> News {
        News {
            about: About::Request(self.child.client_order_id.clone(), 0),
            timing,
            received: None,
            request: None,
            response: None,
            refusal: None,
        }
    }

    fn mapping(&self) -> Record {
        Record::Mapping {
            leader: Arc::clone(&self.leader),
            follower: self.follower.id.clone(),
            state: MappingState {
                outcome: Outcome::Sent,
                reason: None,
                note: None,
                target: self.child.terms.quantity,
                closing: Quantity::ZERO,
                copied: self.child.terms.quantity,
                filled: Quantity::ZERO,
                permit: None,
            },
            sizing: Some(self.sizing),
        }
    }

    fn intent(&self, before: Option<IntentState>) -> Record {
        Record::Intent {
            child: Box::new(self.child.clone()),
            before,
            leader_account: self.leader.account.clone(),
            event: self.leader.fingerprint(),
        }
    }

    fn taken(&self, broker_order_id: BrokerOrderId, now: Timestamp) -> OrderReport {
        OrderReport {
            account: self.follower.account.clone(),
            broker_order_id,
            exchange_order_id: None,
            tag: Some(Tag::from(&self.child.client_order_id)),
            terms: self.child.terms.clone(),
            status: BrokerStatus::Transit,
            cumulative: Quantity::ZERO,
            average_price: Price::ZERO,
            reason: None,
            leg: Leg::Single,
            ts_event: now,
            ts_exchange: None,
            ts_created: Some(now),
            parent: None,
            last_price: None,
            source: EvidenceSource::Book,
        }
    }
}

/// The leader's event as it stands in every job.
pub(crate) fn leader_event(order: &Arc<LeaderOrder>, follower: &Follower, now: Timestamp) -> Vec<Write> {
    let around = Circumstances { now, ..Circumstances::default() };
    writes(vec![Record::LeaderEvent(Arc::clone(order))], follower.owner(), &around)
}

//! What was found at the end of the day: the simulator's own books, and the daemon's database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tandem_actors::store::{DelayRow, IntentKind, MirrorRows, Reader, SlippageSum};
use tandem_dhan::wire::{PlaceOrderRequest, PlaceSuperOrderRequest};
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::mirror::{COPY, Outcome};
use tandem_domain::order::{BrokerStatus, Leg, OrderTerms, OrderType, Product};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_sim::exchange::Exchange;
use tandem_sim::{Operation, RequestRecord};

use super::stage::{Follower, Stage};

/// Begins the tag of every order that Tandem places.
pub(super) const OUR_TAG: &str = "tdm-";
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Signed units by instrument and product; what is flat is left out.
pub(super) type Positions = BTreeMap<(InstrumentKey, Product), i64>;

/// Everything there is to compare.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    pub(super) leader: Books,
    /// One for each follower, in their order.
    pub(super) followers: Vec<FollowerEvidence>,
    /// Frame received to request written, in microseconds, ascending.
    pub(super) added_latencies_us: Vec<u64>,
}

/// One account at the simulator.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    pub(super) orders: Vec<Order>,
    pub(super) fills: usize,
    /// Without those of orders that somebody else placed.
    pub(super) fills_of_copies: usize,
    pub(super) positions: Positions,
    /// The sums of the fills: what the positions must be.
    pub(super) filled: Positions,
}

/// An order as the simulator's book has it at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) id: BrokerOrderId,
    /// Tandem's own number of it; none when somebody else placed it.
    pub(super) ours: Option<String>,
    pub(super) terms: OrderTerms,
    pub(super) status: BrokerStatus,
    pub(super) filled: Quantity,
    /// Requests to change it over the API, refused ones too.
    pub(super) changes: usize,
    /// Its part in a super order.
    pub(super) leg: Leg,
    /// The entry of an exit.
    pub(super) parent: Option<BrokerOrderId>,
}

/// One follower: the simulator's books and requests, and what the daemon has on record.
#[derive(Debug, Clone, Default)]
pub(super) struct FollowerEvidence {
    pub(super) books: Books,
    /// Those that placed something.
    pub(super) requests: Vec<Request>,
    /// How many asked for a change, and for a cancel.
    pub(super) changes: usize,
    pub(super) cancels: usize,
    /// By the leader's order.
    pub(super) recorded: BTreeMap<BrokerOrderId, Recorded>,
    /// Orders that the daemon takes for somebody else's.
    pub(super) external: BTreeSet<BrokerOrderId>,
    pub(super) recorded_fills: usize,
    pub(super) delays: Vec<DelayRow>,
    /// None without fills to compare.
    pub(super) slippage: Option<SlippageSum>,
}

/// A request to place an order, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) tag: String,
    pub(super) order_type: OrderType,
    pub(super) price: Price,
    pub(super) trigger: Price,
}

/// What the daemon says became of one leader order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<DeniedReason>,
    /// Its numbers of the orders it placed for it: those that copy, and those that make good what was filled too much.
    pub(super) copies: Vec<String>,
    pub(super) repairs: Vec<String>,
    /// Units it knows to be filled of the copies.
    pub(super) filled: Quantity,
    /// The broker's last word on each of these orders, as far as it came to the daemon, and the units that it shows.
    pub(super) known: BTreeMap<String, (BrokerStatus, Quantity)>,
}

impl Evidence {
    /// Reads it all, once the daemon has stopped.
    pub(super) fn gather(stage: &Stage, database: &Path) -> anyhow::Result<Self> {
        let reader = open(database)?;
        let day = stage.trading_day;
        let leader = stage.simulator.with_exchange(|exchange| Books::of(exchange, &stage.leader));
        let of_follower = |follower| FollowerEvidence::gather(stage, &reader, follower);
        let followers = stage.followers.iter().map(of_follower).collect::<anyhow::Result<_>>()?;
        Ok(Self { leader, followers, added_latencies_us: reader.added_latencies_us(day)? })
    }
}

impl FollowerEvidence {
    fn gather(stage: &Stage, reader: &Reader, follower: &Follower) -> anyhow::Result<Self> {
        let account = &follower.account;
        let mut books = stage.simulator.with_exchange(|exchange| Books::of(exchange, account));
        let mirrors = reader.mirrors(stage.trading_day, &follower.id)?;
        let recorded = mirrors.into_iter().map(recorded).collect();
        let recorded_fills = reader.trades(stage.trading_day, account)?.len();
        let records = stage.simulator.requests();
        let of_account: Vec<&RequestRecord> =
            records.iter().filter(|record| record.account.as_ref() == Some(account)).collect();
        let count = |of: Operation| of_account.iter().filter(|record| record.operation == of).count();
        for order in &mut books.orders {
            let its_own = |path: &str| path.rsplit('/').next() == Some(order.id.as_str());
            let changes = of_account.iter().filter(|record| record.operation == Operation::Modify);
            order.changes = changes.filter(|record| its_own(&record.path)).count();
        }
        let mut delays = reader.delays(stage.trading_day)?;
        delays.retain(|row| row.follower == follower.id);
        let external = reader.external_orders(stage.trading_day, account)?.into_iter();
        let slippage = reader.slippage(stage.trading_day)?;
        Ok(Self {
            books,
            requests: placements(&of_account)?,
            changes: count(Operation::Modify),
            cancels: count(Operation::Cancel),
            recorded,
            external: external.map(|known| known.order.report.broker_order_id).collect(),
            recorded_fills,
            delays,
            slippage: slippage.into_iter().find(|sum| sum.follower == follower.id),
        })
    }
}

/// Whether the daemon has learnt of everything that happened in the followers' accounts.
pub(super) fn all_known(stage: &Stage, reader: &Reader) -> anyhow::Result<bool> {
    let active = reader.active_orders(stage.trading_day)?;
    for follower in &stage.followers {
        let account = &follower.account;
        let made = stage.simulator.with_exchange(|exchange| Books::of(exchange, account).fills_of_copies);
        let known = reader.trades(stage.trading_day, account)?.len();
        // An order that still works in the daemon's eyes has an end it has not seen.
        if known != made || active.iter().any(|order| order.report.account == *account) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Opens the daemon's database for reading; the daemon may be at work.
pub(super) fn open(database: &Path) -> anyhow::Result<Reader> {
    Reader::open(database, 1, BUSY_TIMEOUT).context("open the daemon's database")
}

impl Order {
    /// Whether somebody placed it in the account himself.
    pub(super) const fn is_foreign(&self) -> bool {
        self.ours.is_none() && self.parent.is_none()
    }
}

impl Books {
    fn of(exchange: &Exchange, account: &DhanClientId) -> Self {
        let orders = exchange.all_orders(account).into_iter().map(|order| Order {
            id: order.id.clone(),
            ours: order.tag.as_deref().filter(|tag| tag.starts_with(OUR_TAG)).map(str::to_owned),
            terms: order.terms.clone(),
            status: order.status.clone(),
            filled: order.filled,
            changes: 0,
            leg: order.leg(),
            parent: order.parent().cloned(),
        });
        let orders: Vec<Order> = orders.collect();
        let foreign: BTreeSet<_> =
            orders.iter().filter(|order| order.is_foreign()).map(|order| &order.id).collect();
        let trades = exchange.all_trades(account);
        let mut filled = Positions::new();
        for trade in &trades {
            *filled.entry((trade.instrument, trade.product)).or_default() +=
                trade.side.signed(trade.quantity).0;
        }
        filled.retain(|_, units| *units != 0);
        let positions = exchange.positions(account).into_iter();
        let positions = positions.map(|row| ((row.instrument, row.product), row.net()));
        let fills_of_copies = trades.iter().filter(|trade| !foreign.contains(&trade.order_id)).count();
        Self {
            fills: trades.len(),
            fills_of_copies,
            orders,
            positions: positions.filter(|(_, units)| *units != 0).collect(),
            filled,
        }
    }
}

fn recorded(mirror: MirrorRows) -> (BrokerOrderId, Recorded) {
    let mapping = mirror.mapping;
    let placed = |is_copy: bool| {
        let intents = mirror.intents.iter();
        let placing = intents.filter(|intent| intent.kind == IntentKind::Place);
        let of_part = placing.filter(|intent| (intent.child.leg == COPY) == is_copy);
        of_part.map(|intent| intent.client_order_id.to_string()).collect()
    };
    // Exits of super orders have no number of ours.
    let known = mirror.orders.iter().filter_map(|order| {
        let tag = order.client_order_id.as_ref()?.to_string();
        Some((tag, (order.report.status.clone(), order.report.terms.quantity)))
    });
    let recorded = Recorded {
        outcome: mapping.outcome,
        reason: mapping.reason,
        copies: placed(true),
        repairs: placed(false),
        filled: mapping.filled,
        known: known.collect(),
    };
    (mapping.key.leader_order, recorded)
}

/// Every request of an account that placed something, from the simulator's own record of what came in.
fn placements(records: &[&RequestRecord]) -> anyhow::Result<Vec<Request>> {
    records
        .iter()
        .filter(|record| record.operation == Operation::Place)
        .map(|record| placement(record))
        .collect()
}

fn placement(record: &RequestRecord) -> anyhow::Result<Request> {
    if record.path.contains("/super/") {
        let body: PlaceSuperOrderRequest = serde_json::from_str(&record.body).context("a request's body")?;
        return Ok(Request {
            tag: body.correlation_id.unwrap_or_default(),
            order_type: body.order_type.parse()?,
            price: body.price.price().context("a price")?,
            trigger: Price::ZERO,
        });
    }
    let body: PlaceOrderRequest = serde_json::from_str(&record.body).context("a request's body")?;
    Ok(Request {
        tag: body.correlation_id.unwrap_or_default(),
        order_type: body.order_type.parse()?,
        price: body.price.price().context("a price")?,
        trigger: match body.trigger_price {
            Some(trigger) => trigger.price().context("a trigger price")?,
            None => Price::ZERO,
        },
    })
}

//! What was found at the end of the day: the simulator's own books, and the daemon's database.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tandem_actors::store::{MirrorRows, Reader};
use tandem_dhan::wire::PlaceOrderRequest;
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::{BrokerStatus, OrderTerms, OrderType, Product};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_sim::Operation;
use tandem_sim::exchange::Exchange;

use super::stage::{Follower, Stage};

/// Begins the tag of every order that Tandem places.
const OUR_TAG: &str = "tdm-";
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
}

/// One follower: the simulator's books and requests, and what the daemon has on record.
#[derive(Debug, Clone, Default)]
pub(super) struct FollowerEvidence {
    pub(super) books: Books,
    pub(super) requests: Vec<Request>,
    /// By the leader's order.
    pub(super) recorded: BTreeMap<BrokerOrderId, Recorded>,
    pub(super) recorded_fills: usize,
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
    /// Its numbers of the orders it placed for it, with the units it asked for.
    pub(super) placed: Vec<(String, Quantity)>,
    /// Units it knows to be filled.
    pub(super) filled: Quantity,
    /// The broker's last word on the order, as far as it came to the daemon.
    pub(super) status: Option<BrokerStatus>,
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
        let books = stage.simulator.with_exchange(|exchange| Books::of(exchange, account));
        let mirrors = reader.mirrors(stage.trading_day, &follower.id)?;
        let recorded = mirrors.into_iter().map(recorded).collect();
        let recorded_fills = reader.trades(stage.trading_day, account)?.len();
        Ok(Self { books, requests: requests(stage, account)?, recorded, recorded_fills })
    }
}

/// Whether the daemon has learnt of everything that happened in the followers' accounts.
pub(super) fn all_known(stage: &Stage, reader: &Reader) -> anyhow::Result<bool> {
    let active = reader.active_orders(stage.trading_day)?;
    for follower in &stage.followers {
        let account = &follower.account;
        let made = stage.simulator.with_exchange(|exchange| exchange.all_trades(account).len());
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

impl Books {
    fn of(exchange: &Exchange, account: &DhanClientId) -> Self {
        let orders = exchange.all_orders(account).into_iter().map(|order| Order {
            id: order.id.clone(),
            ours: order.tag.as_deref().filter(|tag| tag.starts_with(OUR_TAG)).map(str::to_owned),
            terms: order.terms.clone(),
            status: order.status.clone(),
            filled: order.filled,
        });
        let trades = exchange.all_trades(account);
        let mut filled = Positions::new();
        for trade in &trades {
            *filled.entry((trade.instrument, trade.product)).or_default() +=
                trade.side.signed(trade.quantity).0;
        }
        filled.retain(|_, units| *units != 0);
        let positions = exchange.positions(account).into_iter();
        let positions = positions.map(|row| ((row.instrument, row.product), row.net()));
        Self {
            orders: orders.collect(),
            fills: trades.len(),
            positions: positions.filter(|(_, units)| *units != 0).collect(),
            filled,
        }
    }
}

fn recorded(mirror: MirrorRows) -> (BrokerOrderId, Recorded) {
    let mapping = mirror.mapping;
    let recorded = Recorded {
        outcome: mapping.outcome,
        reason: mapping.reason,
        placed: mirror
            .intents
            .iter()
            .map(|intent| (intent.client_order_id.to_string(), intent.terms.quantity))
            .collect(),
        filled: mapping.filled,
        status: mirror.orders.last().map(|order| order.report.status.clone()),
    };
    (mapping.key.leader_order, recorded)
}

/// Every request of the account that placed something, from the simulator's own record of what came in.
fn requests(stage: &Stage, account: &DhanClientId) -> anyhow::Result<Vec<Request>> {
    let records = stage.simulator.requests();
    let placing = records
        .iter()
        .filter(|record| record.operation == Operation::Place && record.account.as_ref() == Some(account));
    placing
        .map(|record| {
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
        })
        .collect()
}

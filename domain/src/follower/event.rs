//! What a follower's book is told.

use std::sync::Arc;

use super::{BookRead, Conversion, FollowerSettings};
use crate::account::{Funds, PositionReport};
use crate::decision::Decision;
use crate::ids::ClientOrderId;
use crate::leader::LeaderOrder;
use crate::mirror::Answer;
use crate::order::{ForeverReport, OrderReport, SuperReport, TradeReport};
use crate::price::Money;
use crate::time::Timestamp;
use crate::trading::Control;

/// Everything that can wake a follower book.
#[derive(Debug)]
pub enum Event {
    /// The leader's order is in this state, and the Sizer says this.
    Plan {
        /// The leader's order.
        order: Arc<LeaderOrder>,
        /// The Sizer's word.
        decision: Decision,
    },
    /// News of the leader that were told together begin, or are all in: what one says of an order makes sense beside the
    /// others only.
    Together(bool),
    /// A released request is durable and leaves now: what the broker's windows count from (P18).
    Left,
    /// The answer to a request.
    Answered {
        /// About which child.
        client_order_id: ClientOrderId,
        /// Zero for placing, otherwise the number of the change or cancel.
        serial: u32,
        /// What came back.
        answer: Answer,
    },
    /// The account's order book.
    Book(BookRead),
    /// One order, by a frame of the account's stream or by a lookup.
    Report(Box<OrderReport>),
    /// The account's list of super orders.
    Supers(Vec<SuperReport>),
    /// The account's list of forever orders.
    Forevers {
        /// When the request for it left.
        started_at: Timestamp,
        /// Its rows.
        orders: Vec<ForeverReport>,
    },
    /// A lookup found nothing, or failed: neither proves anything.
    NotFound(ClientOrderId),
    /// The account's trade book.
    Trades(Vec<TradeReport>),
    /// Whether the leader is heard: his stream or his order book tells what he does. Said after the news it came with.
    LeaderHeard(bool),
    /// The circuit breaker lets entries pass, or not.
    Breaker {
        /// Whether entries are stopped.
        open: bool,
    },
    /// The broker refuses the account's credentials, or takes them again.
    Credentials {
        /// Whether they are refused.
        refused: bool,
    },
    /// An operator, or a limit, asks something of the account.
    Control(Control),
    /// The account's positions, all of them.
    Positions {
        /// When the request for them left.
        started_at: Timestamp,
        /// Its rows.
        positions: Vec<PositionReport>,
    },
    /// The leader's positions, all of them: what he held before today, and in which products.
    LeaderPositions {
        /// When the request for them left.
        started_at: Timestamp,
        /// Its rows.
        positions: Vec<PositionReport>,
    },
    /// The account's money.
    Funds {
        /// When the request for it left.
        started_at: Timestamp,
        /// The figures.
        funds: Funds,
    },
    /// What the broker's calculator says an entry needs; none when it did not say in time.
    Margin {
        /// Which child.
        client_order_id: ClientOrderId,
        /// The money.
        required: Option<Money>,
    },
    /// The broker did not convert what the leader had converted, provably.
    NotConverted(Conversion),
    /// The owner changed his settings.
    Settings(Box<FollowerSettings>),
    /// Send nothing new: the process is stopping. What waits is on record, and waits for the next start.
    Stop,
    /// Time passed.
    Tick,
}

//! What a follower's book wants done, and what a person should know.

use std::time::Duration;

use super::Record;
use crate::gap::Gap;
use crate::gates::DeniedReason;
use crate::ids::{BrokerOrderId, ClientOrderId};
use crate::instrument::InstrumentKey;
use crate::mirror::Approved;
use crate::order::lifecycle::IllegalTransition;
use crate::order::{OrderTerms, Product};
use crate::slippage::FillComparison;
use crate::time::Timestamp;
use crate::trading::HaltCause;

/// Everything a follower book wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Make these durable in one transaction; then, and only then, send `then`.
    Commit {
        /// Facts to store.
        records: Vec<Record>,
        /// The request that may leave once they are durable.
        then: Option<Approved>,
    },
    /// Look for an order by its client order id, after a delay.
    Lookup {
        /// Which.
        client_order_id: ClientOrderId,
        /// How much later.
        after: Duration,
    },
    /// Read the account's order book soon.
    ReadBook,
    /// Read the account's list of super orders: a leg is to be linked to its entry.
    ReadSupers,
    /// Read the account's positions soon.
    ReadPositions,
    /// Ask the broker's calculator what this needs, and answer with [`super::Event::Margin`] in any case.
    AskMargin {
        /// Which child.
        client_order_id: ClientOrderId,
        /// The order.
        terms: OrderTerms,
    },
    /// Convert what is held to another product (`dhanhq-v2.md` section 4.6), as the leader did.
    Convert(Conversion),
    /// Tick at this moment.
    WakeAt(Timestamp),
    /// What was said in this alert is so no more.
    Over(Alert),
    /// A person should know.
    Alert(Alert),
}

/// A part of a position that changes its product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    /// The instrument.
    pub instrument: InstrumentKey,
    /// From this product.
    pub from: Product,
    /// To this one.
    pub to: Product,
    /// Units, signed: what is short is negative.
    pub units: i64,
}

/// What a person should know, in one shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// The account trades less than it did.
    Stopped(HaltCause),
    /// Everything copied is closed.
    SquaredOff,
    /// Units held because of copies that no order can close: their instrument is not known today, they are less than a lot,
    /// or an evening left them against the leader, who has not traded it since.
    CarriedLeft(InstrumentKey, i64),
    /// The broker does not take an order of a square-off, which goes on being tried.
    FlatteningFails,
    /// What is still to be closed of a square-off: instruments, and units in all.
    SquaringOff(usize, u64),
    /// Our rows and the broker's account differ in this instrument by so many units; nothing more is opened in it.
    Drift(InstrumentKey, i64),
    /// An order in this instrument is in doubt for longer than evidence should take: nothing more is opened in it (P3).
    OutcomeUnknown(InstrumentKey),
    /// Of a request of an earlier day in this instrument nobody knows what came of it.
    UnresolvedYesterday(InstrumentKey),
    /// More was closed than was held: the excess is bought or sold back at once.
    Overshot(InstrumentKey, i64),
    /// A sell that the leader has covered was not copied, or not whole, because the follower's cover is missing.
    CoverMissing(BrokerOrderId),
    /// The broker closed a copied position by itself.
    SquaredOffByBroker(InstrumentKey, i64),
    /// The leader converted a position to another product.
    LeaderConverted(Conversion),
    /// The broker refuses the account's credentials: it is halted (P15).
    AccountHalted,
    /// More was filled than was ordered (P10).
    Overfill(ClientOrderId),
    /// An order filled after it had ended (P9).
    LateFill(ClientOrderId),
    /// An order's fate is unknown and a look-alike in the book keeps its absence from being proven.
    LookAlike(ClientOrderId),
    /// An order whose absence was proven, or whose request was refused, is there after all.
    AppearedLate(ClientOrderId),
    /// Two orders carry the tag of one of ours; the second is left alone.
    Duplicate(BrokerOrderId),
    /// An exit was tried as often as is borne, to no avail: it is given up.
    ExitGivenUp(ClientOrderId),
    /// An order carries our tag, and we have no record of it.
    Unrecorded(BrokerOrderId),
    /// The order book does not show an order of ours any more that the broker took.
    Missing(ClientOrderId),
    /// Somebody changed or cancelled a copy: its mirror is detached.
    Detached(ClientOrderId),
    /// The broker offers no order like the leader's: it is not copied.
    NoEquivalent(BrokerOrderId, DeniedReason),
    /// Leader and follower parted.
    CopyGap(BrokerOrderId, Gap),
    /// An order was changed as often as the broker allows, and is left as it is.
    ChangesExhausted(ClientOrderId),
    /// The broker does not take a change or cancel.
    ChangeRefused(ClientOrderId),
    /// The follower's price is worse than the leader's by more than the owner bears.
    Slippage(BrokerOrderId, FillComparison),
    /// An exit leg that belongs to no order we know.
    LegUnlinked(BrokerOrderId),
    /// A message that makes no sense in the state it met.
    Illegal(IllegalTransition),
}

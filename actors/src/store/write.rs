//! What can be written, and the job that carries it.

use std::sync::Arc;

use super::error::StoreError;
use super::instruments::InstrumentsWrite;
use super::rows::{
    AccountOrder, AuditEntry, CarriedOver, ChildNoteRow, ConfigSnapshot, ConvertedRow, DayCapital, DriftRow,
    FillComparison, FundsSnapshot, GapRow, HealthRow, IncidentRow, IncidentSettled, IntentChange, IntentRow,
    LeaderEvent, MappingRow, OpeningRow, PositionsSnapshot, SettledRow, TradingRow,
};
use tandem_domain::order::TradeReport;
use tandem_domain::time::{Timestamp, TradingDay};

/// One row's worth of change. The writes of a job are applied in order, all or none.
///
/// References point backwards: a leader event before its mappings, a mapping before its intents.
#[derive(Debug, Clone)]
pub enum Write {
    /// A state of a leader order.
    LeaderEvent(LeaderEvent),
    /// A state of an order in a follower's account, or of a leg in the leader's.
    AccountOrder(Box<AccountOrder>),
    /// What was decided for a mirror.
    Mapping(Box<MappingRow>),
    /// The fills of a mirror compared.
    FillComparison(Box<FillComparison>),
    /// A gap between a mirror and perfect copying.
    Gap(Box<GapRow>),
    /// A new intent. One that exists already is refused as a constraint, never ignored: the same decision twice is a
    /// fault of the caller (P2).
    Intent(Box<IntentRow>),
    /// A change of an intent's state.
    IntentChange(Box<IntentChange>),
    /// What a child is for, and whether its quantity is free for another, where its state stays.
    ChildNote(ChildNoteRow),
    /// A leader order waits over midnight, or something that copies it does: both are of this day, too.
    CarriedOver(CarriedOver),
    /// A request of an earlier day is settled.
    Settled(SettledRow),
    /// By how many units rows and account differ in an instrument.
    Drift(DriftRow),
    /// What the leader converted, and what of it was copied.
    Converted(ConvertedRow),
    /// What was held in an instrument when the day's copying began; a figure that is on record stands.
    Opening(OpeningRow),
    /// A follower's trading state, with its entry of the audit log; one that stands already changes nothing.
    Trading(TradingRow),
    /// A fill; ignored when it is stored already (P9).
    Trade {
        /// The fill.
        report: Box<TradeReport>,
        /// Its trading day.
        trading_day: TradingDay,
        /// When it reached us.
        ts_init: Timestamp,
    },
    /// All positions of an account.
    Positions(PositionsSnapshot),
    /// An account's funds.
    Funds(FundsSnapshot),
    /// The capital of a day.
    DayCapital(DayCapital),
    /// A part of the day's instrument master.
    Instruments(InstrumentsWrite),
    /// A new incident.
    IncidentOpen(IncidentRow),
    /// The end of one, on whichever day it was told first; closing one that is closed, or was never opened, changes nothing.
    IncidentClose {
        /// Which.
        id: Arc<str>,
        /// When.
        closed_at: Timestamp,
    },
    /// The end of one by an operator's word, with its entry of the audit log. Refused while what is on record says that it
    /// is still so; one that is closed stays as it is.
    IncidentSettled(IncidentSettled),
    /// The end of all that a new life tells anew if it is still so ([`Ending::ByItself`](crate::incident_kinds::Ending)).
    IncidentsOfBefore {
        /// When that life began.
        closed_at: Timestamp,
    },
    /// An actor's health.
    Health(HealthRow),
    /// An entry of the audit log.
    Audit(AuditEntry),
    /// The settings in force.
    Config(ConfigSnapshot),
}

impl Write {
    /// The name of the variant, for errors.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LeaderEvent(_) => "leader event",
            Self::AccountOrder(_) => "account order",
            Self::Mapping(_) => "mapping",
            Self::FillComparison(_) => "fill comparison",
            Self::Gap(_) => "copy gap",
            Self::Intent(_) => "intent",
            Self::IntentChange(_) => "intent change",
            Self::ChildNote(_) => "child note",
            Self::CarriedOver(_) => "order carried over",
            Self::Settled(_) => "settled request",
            Self::Drift(_) => "drift",
            Self::Converted(_) => "conversion",
            Self::Opening(_) => "opening",
            Self::Trading(_) => "trading state",
            Self::Trade { .. } => "trade",
            Self::Positions(_) => "positions",
            Self::Funds(_) => "funds",
            Self::DayCapital(_) => "day capital",
            Self::Instruments(_) => "instruments",
            Self::IncidentOpen(_) => "incident",
            Self::IncidentClose { .. } => "incident close",
            Self::IncidentSettled(_) => "settled incident",
            Self::IncidentsOfBefore { .. } => "incidents of before",
            Self::Health(_) => "health",
            Self::Audit(_) => "audit entry",
            Self::Config(_) => "config",
        }
    }
}

/// Who wrote a job, for fencing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterId {
    /// The actor's name; each follower's actor has its own.
    pub actor: Arc<str>,
    /// Which life of it.
    pub generation: u32,
}

/// Called once with the outcome, on the writer's thread, outside any transaction. Must be short and must not block.
pub type Reply = Box<dyn FnOnce(Committed) + Send>;

/// Writes that are committed together or not at all.
pub struct Job {
    /// Who asks.
    pub writer: WriterId,
    /// What. Empty is legal: its answer proves that everything queued before it is decided.
    pub writes: Vec<Write>,
    /// Whether it is one of a row of which each builds on those before: once one of them is refused, so are those of the
    /// same life behind it ([`StoreError::Behind`](super::StoreError::Behind)).
    pub in_order: bool,
    /// Where the answer goes. Always called, unless the process dies or the reply of another job panics.
    pub reply: Reply,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("writer", &self.writer)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

/// The answer to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// `Ok` means durable, power loss included (P1).
    pub result: Result<(), StoreError>,
    /// How long the transaction took that the job was part of, in microseconds; zero when there was none.
    pub commit_us: u64,
}

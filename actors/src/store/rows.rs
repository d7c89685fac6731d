//! The rows as the actors write and read them: plain structs of domain types, one for each table.
//!
//! What is written and what is read back is the same struct, except where the database fills something in.

use std::sync::Arc;

use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::follower::{Converted, Opening};
use tandem_domain::gap::Gap;
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, ChildKey, ClientOrderId, DhanClientId, FollowerId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::{ChildNote, IntentState, OrderPart, Outcome, Permit};
use tandem_domain::order::{OrderReport, OrderTerms};
use tandem_domain::pacing::Purpose;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::sizing::Sizing;
use tandem_domain::time::{Timestamp, TradingDay};
use tandem_domain::trading::Trading;

use super::codes::{FundsMark, IntentKind, OrderRole};

/// A state of a leader order: a row of the inbox (inserted once for each [`LeaderOrder::fingerprint`], ignored when it
/// comes again) and the newest state in `orders`.
///
/// Every job that rests on the event carries it, so that no intent stands without its event. A job that comes late with
/// an older state adds to the inbox and leaves the newest state alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderEvent {
    /// The merged state.
    pub order: Arc<LeaderOrder>,
    /// When the evidence reached us.
    pub ts_init: Timestamp,
}

/// A state of an order in a watched account, ours or external: a row of the inbox, once for each distinct state, and
/// the newest state in `orders`.
///
/// The store keeps P9 whatever it is given: cumulative quantity only rises, and a terminal order stays terminal. A form
/// that is known is not lost to a report that shows none (the plain order book knows no legs), nor is a parent. All else
/// is replaced, so give the state as merged, not any frame.
///
/// A leg of a super order is an order of its own: `report.parent` names its entry, `client_order_id` is `None` (the id is
/// the entry's), and the role is the entry's. With role `Leader` it is a leg of the leader's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOrder {
    /// The exchange's date on which the order lives.
    pub trading_day: TradingDay,
    /// `Follower` or `External`; `Leader` for a leg of the leader's. An external order becomes a follower's once it is
    /// known to be ours; never the other way.
    pub role: OrderRole,
    /// Our id of it, if we placed it.
    pub client_order_id: Option<ClientOrderId>,
    /// Its state.
    pub report: OrderReport,
    /// When the evidence reached us.
    pub ts_init: Timestamp,
}

/// A leader order of an earlier day that is of this one, too, with everything that copies it: its keys stay those of its own
/// day (P29).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedOver {
    /// The leader's account.
    pub account: DhanClientId,
    /// The day of which its rows are.
    pub trading_day: TradingDay,
    /// The leader's order.
    pub broker_order_id: BrokerOrderId,
    /// The day into which it is carried: later than its own, and than any before.
    pub to: TradingDay,
}

/// Which mirror: one leader order and one follower.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MirrorKey {
    /// The exchange's date on which the leader's order lives.
    pub trading_day: TradingDay,
    /// The leader's account.
    pub leader_account: DhanClientId,
    /// The leader's order.
    pub leader_order: BrokerOrderId,
    /// The follower.
    pub follower: FollowerId,
}

/// What was decided for one mirror. Written whole; the fill comparison beside it is written apart
/// ([`FillComparison`]) and survives.
///
/// `Skipped`, `Voided` and `Detached` are final, save that a share below one lot may grow into one, and that an order
/// given up may turn up at the broker; `Detached` comes after `Sent` only. Anything else is refused with
/// [`super::StoreError::IllegalTransition`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingRow {
    /// Which mirror.
    pub key: MirrorKey,
    /// What became of it.
    pub outcome: Outcome,
    /// Why. Needed with `Skipped` and `Voided`.
    pub reason: Option<DeniedReason>,
    /// How the leader's order was translated where the copy differs from it in kind, one word, such as
    /// `stop_loss_market_as_stop_loss`. `None` leaves what is stored.
    pub note: Option<Arc<str>>,
    /// What the size was computed from. `None` leaves what is stored.
    pub sizing: Option<Sizing>,
    /// Units the follower is to hold or work for this order: the bound of P5.
    pub target: Quantity,
    /// Units of the target that close what the follower holds of the copies; the rest opens.
    pub closing: Quantity,
    /// Units the follower may come to hold at the worst: filled, working and not proven gone. Falls when an order ends
    /// unfilled.
    pub copied: Quantity,
    /// Units filled so far.
    pub filled: Quantity,
    /// What it may open. None in rows of earlier versions; written, it leaves what is stored.
    pub permit: Option<Permit>,
    /// When this was decided.
    pub updated_at: Timestamp,
}

/// The fills of leader and follower compared (scenario D1). Replaces the comparison stored before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillComparison {
    /// Which mirror.
    pub key: MirrorKey,
    /// Units the follower has filled.
    pub filled: Quantity,
    /// The leader's average price.
    pub leader_average: Price,
    /// The follower's average price.
    pub follower_average: Price,
    /// Price difference times filled units; positive when the follower did worse.
    pub slippage: Money,
    /// The difference in whole ticks, rounded toward zero; none when the tick is not known.
    pub slippage_ticks: Option<i64>,
    /// The difference in hundredths of a basis point of the leader's price; none without a leader price.
    pub slippage_bps_x100: Option<i64>,
    /// From the leader's fill to the follower's, in microseconds; negative when the follower was first.
    pub delay_us: Option<i64>,
    /// When this was computed.
    pub updated_at: Timestamp,
}

/// When the news passed which point. All optional: each is written when known, and a `None` leaves what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntentTiming {
    /// The broker's time of the leader event; one-second resolution.
    pub leader_event: Option<Timestamp>,
    /// Frame received.
    pub received: Option<Timestamp>,
    /// Effect decided.
    pub decided: Option<Timestamp>,
    /// Commit answered.
    pub committed: Option<Timestamp>,
    /// Request written.
    pub sent: Option<Timestamp>,
    /// Answer read.
    pub answered: Option<Timestamp>,
    /// Frame received to request written, in microseconds by the monotonic clock.
    pub added_latency_us: Option<u64>,
}

/// A durable decision to ask the broker for something. Inserted once; changed through [`IntentChange`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentRow {
    /// Our id of the child order.
    pub client_order_id: ClientOrderId,
    /// Place, modify or cancel.
    pub kind: IntentKind,
    /// 0 for placing; from 1 for the modifies and cancels of this child, numbered together.
    pub serial: u32,
    /// Which part of the order a change or a cancel is about; none for placing.
    pub part: Option<OrderPart>,
    /// The dedupe key of the child order.
    pub child: ChildKey,
    /// The leader's account.
    pub leader_account: DhanClientId,
    /// The follower's account.
    pub account: DhanClientId,
    /// [`LeaderOrder::fingerprint`] of the leader event that led to it; stored before, or earlier in the same job.
    pub event: Option<i64>,
    /// Exit or entry.
    pub purpose: Purpose,
    /// Of a placing, what may change of it while its state stays. None of changes, and in rows of earlier versions.
    pub note: Option<ChildNote>,
    /// `Planned` when held, `Sending` when it may go at once.
    pub state: IntentState,
    /// Terms asked for; of a cancel, the terms of the order it cancels. A change of one leg states all of the order.
    pub terms: OrderTerms,
    /// The broker's id, once known.
    pub broker_order_id: Option<BrokerOrderId>,
    /// The broker's refusal.
    pub refusal: Option<RefusalRow>,
    /// When the news passed which point.
    pub timing: IntentTiming,
    /// When it was decided.
    pub created_at: Timestamp,
}

impl IntentRow {
    /// The mirror this intent works for.
    pub fn mirror(&self) -> MirrorKey {
        MirrorKey {
            trading_day: self.child.trading_day,
            leader_account: self.leader_account.clone(),
            leader_order: self.child.leader_order.clone(),
            follower: self.child.follower.clone(),
        }
    }
}

/// A refusal as the broker gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRow {
    /// HTTP status, if there was one.
    pub http: Option<u16>,
    /// The broker's code, such as `DH-905`.
    pub code: Option<Arc<str>>,
    /// The broker's words.
    pub text: Arc<str>,
}

/// A change of an intent's state. Refused ([`super::StoreError::IllegalTransition`]) unless the stored state is one of
/// [`super::predecessors`] of its kind, and a second acknowledgement carries the same broker order id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentChange {
    /// Which child order.
    pub client_order_id: ClientOrderId,
    /// Which of its intents.
    pub kind: IntentKind,
    /// Which of the child's; 0 for placing.
    pub serial: u32,
    /// Another part, together with new terms.
    pub part: Option<OrderPart>,
    /// The new state.
    pub state: IntentState,
    /// New terms, for a held intent whose target moved; legal with `Planned` and `Sending` only.
    pub terms: Option<OrderTerms>,
    /// The purpose by now: what was planned as an entry may have come to close. `None` leaves what is stored.
    pub purpose: Option<Purpose>,
    /// The broker's id, once known; needed with `Acked`.
    pub broker_order_id: Option<BrokerOrderId>,
    /// The broker's refusal.
    pub refusal: Option<RefusalRow>,
    /// What was sent, already redacted ([`super::redact`]).
    pub request: Option<String>,
    /// What was answered, already redacted.
    pub response: Option<String>,
    /// Points newly passed.
    pub timing: IntentTiming,
    /// When this became known.
    pub updated_at: Timestamp,
}

/// A request of an earlier day of which nothing came, as far as the account tells; it was being sent, or unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledRow {
    /// Which child order.
    pub client_order_id: ClientOrderId,
    /// Which of its intents.
    pub kind: IntentKind,
    /// Which of the child's; 0 for placing.
    pub serial: u32,
    /// When this became known.
    pub at: Timestamp,
}

/// What changed of the intent to place a child order beside its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildNoteRow {
    /// Which child order.
    pub client_order_id: ClientOrderId,
    /// What its row should say.
    pub note: ChildNote,
    /// When this was decided.
    pub updated_at: Timestamp,
}

/// By how many units our rows and the account differ in an instrument. Takes the place of what stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftRow {
    /// The day.
    pub trading_day: TradingDay,
    /// The follower.
    pub follower: FollowerId,
    /// The instrument.
    pub instrument: InstrumentKey,
    /// Units, signed; zero when they agree again.
    pub units: i64,
    /// When this was seen.
    pub at: Timestamp,
}

/// A conversion of the leader's, as one follower's book saw it. Takes the place of what stood under its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertedRow {
    /// The day.
    pub trading_day: TradingDay,
    /// The follower.
    pub follower: FollowerId,
    /// What was converted.
    pub converted: Converted,
    /// When this was decided.
    pub at: Timestamp,
}

/// Where a follower parted from the leader, and what was done about it: one row for each mirror and kind of gap. Written
/// again, it takes the place of what stood, save for the time it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// Which mirror; its mapping is stored before, or earlier in the same job.
    pub key: MirrorKey,
    /// Kind, size and result.
    pub gap: Gap,
    /// In words.
    pub text: Arc<str>,
    /// When this became known; of a row read back, when it was written last.
    pub at: Timestamp,
}

/// What was held in an instrument when a day's copying began. Each figure stands once it was told; one that is zero may not
/// have been told yet, for the leader's and the follower's positions come apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningRow {
    /// The day.
    pub trading_day: TradingDay,
    /// The follower.
    pub follower: FollowerId,
    /// What was held.
    pub opening: Opening,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// A follower's trading state. Takes the place of what stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradingRow {
    /// The follower.
    pub follower: FollowerId,
    /// The state.
    pub trading: Trading,
    /// Who asked for it: `operator`, or an actor's name. The end of a square-off is the follower's own doing, whoever asked.
    pub actor: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// All positions of an account, as one read of the broker gave them. Takes the place of the day's earlier read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionsSnapshot {
    /// Whose.
    pub account: DhanClientId,
    /// Of which day.
    pub trading_day: TradingDay,
    /// When read.
    pub taken_at: Timestamp,
    /// Empty means flat.
    pub positions: Vec<PositionReport>,
}

/// An account's funds, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundsSnapshot {
    /// Whose.
    pub account: DhanClientId,
    /// Of which day.
    pub trading_day: TradingDay,
    /// When read.
    pub taken_at: Timestamp,
    /// Whether the day begins with it.
    pub mark: FundsMark,
    /// The figures.
    pub funds: Funds,
}

/// The capital an account's ratios of a day are taken from. The first of a day stands; later ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCapital {
    /// The day.
    pub trading_day: TradingDay,
    /// Whose.
    pub account: DhanClientId,
    /// How much.
    pub capital: Money,
    /// When taken.
    pub recorded_at: Timestamp,
}

/// Something a human must know of. Opening one that is open changes nothing; one that was closed is opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRow {
    /// Derived from what is wrong, so that saying it twice opens one.
    pub id: Arc<str>,
    /// Since when.
    pub opened_at: Timestamp,
    /// What kind, one word.
    pub kind: Arc<str>,
    /// Which follower, if one.
    pub follower: Option<FollowerId>,
    /// Which instrument, if one.
    pub instrument: Option<InstrumentKey>,
    /// In words.
    pub text: String,
}

/// An operator has dealt with an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentSettled {
    /// Which.
    pub id: Arc<str>,
    /// What he has to say of it; may be empty.
    pub note: Arc<str>,
    /// Who: `operator`.
    pub actor: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// An incident and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentStory {
    /// What it is.
    pub incident: IncidentRow,
    /// When it ended, if it did.
    pub closed_at: Option<Timestamp>,
    /// What the operator said who closed it, if one did.
    pub note: Option<String>,
}

/// An actor's last word on its health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRow {
    /// Which actor.
    pub actor: Arc<str>,
    /// Which life of it.
    pub generation: u32,
    /// When.
    pub reported_at: Timestamp,
    /// Its observable state, as JSON text.
    pub snapshot: String,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub recorded_at: Timestamp,
    /// Who did it: `operator`, or an actor's name.
    pub actor: Arc<str>,
    /// What, one word.
    pub event: Arc<str>,
    /// To what: an account, a follower, an order.
    pub subject: Option<Arc<str>>,
    /// The rest, as JSON text, already redacted.
    pub details: String,
}

/// The settings in force, flattened, secrets already redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSnapshot {
    /// Hash of the settings.
    pub version: Arc<str>,
    /// When loaded.
    pub loaded_at: Timestamp,
    /// Keys with dots, and their values as text.
    pub entries: Vec<(String, String)>,
}

//! One struct for each table: only what a check looks at. Times are microseconds, quantities units, as stored.

use std::fmt;

/// What is traded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Instrument {
    pub(crate) segment: String,
    pub(crate) security_id: i64,
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.security_id)
    }
}

/// The last four characters: enough to tell accounts apart.
pub(crate) fn masked(account: &str) -> String {
    let kept = account.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    format!("..{}", &account[kept..])
}

/// A row of `orders`.
#[derive(Debug, Clone)]
pub(crate) struct OrderRow {
    pub(crate) account: String,
    pub(crate) day: String,
    /// The day on which it trades: its own, or the one into which it was carried.
    pub(crate) counts_on: String,
    pub(crate) id: String,
    pub(crate) role: String,
    pub(crate) client_order_id: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) instrument: Instrument,
    /// 1 of a purchase, -1 of a sale.
    pub(crate) sign: i64,
    pub(crate) leg: String,
    pub(crate) quantity: i64,
    pub(crate) status: String,
    pub(crate) terminal: bool,
    pub(crate) cumulative: i64,
    pub(crate) exited: i64,
    pub(crate) ts_event: i64,
    pub(crate) ts_first_event: i64,
    pub(crate) updated: i64,
    pub(crate) parent: Option<String>,
}

impl OrderRow {
    pub(crate) fn row(&self) -> String {
        format!("orders {} {} {}", self.day, masked(&self.account), self.id)
    }

    /// Whether it stands for itself: no exit leg of another.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.leg.as_str(), "single" | "entry")
    }
}

/// A row of `order_events`.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) account: String,
    pub(crate) day: String,
    pub(crate) id: String,
    pub(crate) fingerprint: i64,
    pub(crate) status: String,
    pub(crate) cumulative: i64,
    pub(crate) ts_event: i64,
    pub(crate) ts_init: i64,
}

impl EventRow {
    /// Whether the broker said here that the order is over (`dhanhq-v2.md` section 2.7).
    pub(crate) fn is_end(&self) -> bool {
        is_end(&self.status)
    }
}

/// Whether an order of this status is over (`dhanhq-v2.md` sections 2.7 and 3.1).
pub(crate) fn is_end(status: &str) -> bool {
    matches!(status, "TRADED" | "CANCELLED" | "REJECTED" | "EXPIRED" | "CLOSED")
}

/// A row of `trades`.
#[derive(Debug, Clone)]
pub(crate) struct TradeRow {
    pub(crate) account: String,
    pub(crate) day: String,
    pub(crate) order: String,
    pub(crate) id: String,
    pub(crate) instrument: Instrument,
    pub(crate) sign: i64,
    pub(crate) quantity: i64,
    pub(crate) ts_event: i64,
}

impl TradeRow {
    pub(crate) fn row(&self) -> String {
        format!("trades {} {} {} {}", self.day, masked(&self.account), self.order, self.id)
    }
}

/// What a mirror is known by: day, leader's account, leader's order, follower.
pub(crate) type MirrorKey = (String, String, String, String);

/// A row of `copy_mappings`.
#[derive(Debug, Clone)]
pub(crate) struct MappingRow {
    pub(crate) key: MirrorKey,
    pub(crate) outcome: String,
    pub(crate) reason: Option<String>,
    pub(crate) target: i64,
    /// What it was sized to at first, where that is on record.
    pub(crate) sized: Option<i64>,
    pub(crate) filled: i64,
    pub(crate) updated: i64,
}

impl MappingRow {
    pub(crate) fn day(&self) -> &str {
        &self.key.0
    }

    pub(crate) fn leader_account(&self) -> &str {
        &self.key.1
    }

    pub(crate) fn leader_order(&self) -> &str {
        &self.key.2
    }

    pub(crate) fn follower(&self) -> &str {
        &self.key.3
    }

    pub(crate) fn row(&self) -> String {
        format!("copy_mappings {} {} {}", self.key.0, self.key.2, self.key.3)
    }
}

/// A row of `intents`.
#[derive(Debug, Clone)]
pub(crate) struct IntentRow {
    pub(crate) client_order_id: String,
    pub(crate) kind: String,
    pub(crate) serial: i64,
    pub(crate) part: Option<String>,
    pub(crate) day: String,
    /// As that of the leader's order.
    pub(crate) counts_on: String,
    pub(crate) mirror: MirrorKey,
    pub(crate) leg: i64,
    pub(crate) slice: i64,
    pub(crate) attempt: i64,
    pub(crate) account: String,
    pub(crate) event: Option<i64>,
    pub(crate) purpose: String,
    pub(crate) state: String,
    pub(crate) instrument: Instrument,
    pub(crate) sign: i64,
    pub(crate) quantity: i64,
    pub(crate) after_market: bool,
    pub(crate) broker_order_id: Option<String>,
    /// Whether a refusal of the broker's is on record: its status, code or words.
    pub(crate) is_refused_on_record: bool,
    pub(crate) decided: Option<i64>,
    pub(crate) committed: Option<i64>,
    pub(crate) sent: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

impl IntentRow {
    pub(crate) fn is_place(&self) -> bool {
        self.kind == "place"
    }

    pub(crate) fn follower(&self) -> &str {
        &self.mirror.3
    }

    /// Whether the row says that the request never left, or has not yet.
    pub(crate) fn stayed_here(&self) -> bool {
        matches!(self.state.as_str(), "PLANNED" | "NOT_SENT" | "VOIDED")
    }

    /// Whether the row leaves open what became of it.
    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(self.state.as_str(), "SENDING" | "UNKNOWN")
    }

    pub(crate) fn row(&self) -> String {
        format!("intents {}/{} {}", self.client_order_id, self.serial, self.state)
    }
}

/// A row of `copy_gaps`.
#[derive(Debug, Clone)]
pub(crate) struct GapRow {
    pub(crate) mirror: MirrorKey,
}

/// A row of `ledger_openings`.
#[derive(Debug, Clone)]
pub(crate) struct OpeningRow {
    pub(crate) follower: String,
    pub(crate) day: String,
    pub(crate) instrument: Instrument,
    pub(crate) leader: i64,
    pub(crate) copied: i64,
    pub(crate) own: i64,
}

/// A row of `positions`.
#[derive(Debug, Clone)]
pub(crate) struct PositionRow {
    pub(crate) account: String,
    pub(crate) day: String,
    pub(crate) instrument: Instrument,
    pub(crate) net: i64,
    pub(crate) carried: i64,
}

/// A row of `incidents`.
#[derive(Debug, Clone)]
pub(crate) struct IncidentRow {
    pub(crate) id: String,
    pub(crate) opened: i64,
    pub(crate) kind: String,
    pub(crate) follower: Option<String>,
    pub(crate) instrument: Option<Instrument>,
    pub(crate) closed: Option<i64>,
}

/// A row of `audit_log`.
#[derive(Debug, Clone)]
pub(crate) struct AuditRow {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) actor: String,
    pub(crate) event: String,
    pub(crate) subject: Option<String>,
    pub(crate) details: String,
    /// The trading state that it says stands from now on.
    pub(crate) new_state: Option<String>,
    pub(crate) previous_hash: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

/// A row of `trading_states`.
#[derive(Debug, Clone)]
pub(crate) struct TradingRow {
    pub(crate) follower: String,
    pub(crate) state: String,
    pub(crate) cause: Option<String>,
}

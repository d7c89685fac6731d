//! What the broker calls the state of an order, normalised.

use std::fmt;
use std::sync::Arc;

/// The broker's word for an order's state (`dhanhq-v2.md` sections 2.7 and 5.5). The enum is open: an unknown word is
/// kept and means "state unknown", never a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BrokerStatus {
    /// Taken by the broker, not at the exchange.
    Transit,
    /// Resting at the exchange, untriggered stops included.
    Pending,
    /// Partly filled, the rest working.
    PartTraded,
    /// Filled completely.
    Traded,
    /// Cancelled; what was filled before stays filled.
    Cancelled,
    /// Refused by the broker's risk checks or the exchange.
    Rejected,
    /// Unfilled at the close.
    Expired,
    /// A change was accepted; the order rests on. Seen on the stream only.
    Modified,
    /// A leg that fired (super orders).
    Triggered,
    /// Entry and one exit leg done (super orders).
    Closed,
    /// A forever order resting.
    Confirm,
    /// A portal-only word; no meaning is documented.
    Inactive,
    /// A word we do not know, as it came.
    Unknown(Arc<str>),
}

impl BrokerStatus {
    /// Reads a status in any casing and with any separators: `Part_Traded`, `PartTraded`, `PART TRADED`.
    pub fn from_wire(text: &str) -> Self {
        let normal: String =
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
        match normal.as_str() {
            "TRANSIT" => Self::Transit,
            "PENDING" => Self::Pending,
            "PARTTRADED" | "PARTIALLYTRADED" | "PARTIALTRADED" => Self::PartTraded,
            "TRADED" => Self::Traded,
            "CANCELLED" | "CANCELED" => Self::Cancelled,
            "REJECTED" => Self::Rejected,
            "EXPIRED" => Self::Expired,
            "MODIFIED" => Self::Modified,
            "TRIGGERED" => Self::Triggered,
            "CLOSED" => Self::Closed,
            "CONFIRM" | "CONFIRMED" => Self::Confirm,
            "INACTIVE" => Self::Inactive,
            _ => Self::Unknown(text.into()),
        }
    }

    /// Whether the order's life is over: nothing further can fill except late news of fills that happened.
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Traded | Self::Cancelled | Self::Rejected | Self::Expired | Self::Closed)
    }

    /// Whether the exchange has taken the order at some time (the `working` copy mode's condition).
    pub const fn is_accepted(&self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::PartTraded
                | Self::Traded
                | Self::Modified
                | Self::Triggered
                | Self::Confirm
                | Self::Closed
        )
    }

    /// The normalised word, as stored and logged.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Transit => "TRANSIT",
            Self::Pending => "PENDING",
            Self::PartTraded => "PART_TRADED",
            Self::Traded => "TRADED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Modified => "MODIFIED",
            Self::Triggered => "TRIGGERED",
            Self::Closed => "CLOSED",
            Self::Confirm => "CONFIRM",
            Self::Inactive => "INACTIVE",
            Self::Unknown(text) => text,
        }
    }
}

impl fmt::Display for BrokerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_any_spelling() {
        for text in ["Part Traded", "PartTraded", "PART_TRADED", "part-traded"] {
            assert_eq!(BrokerStatus::from_wire(text), BrokerStatus::PartTraded, "{text}");
        }
        assert_eq!(BrokerStatus::from_wire("Traded"), BrokerStatus::Traded);
        assert_eq!(BrokerStatus::from_wire("Vanished").as_str(), "Vanished");
        assert!(!BrokerStatus::from_wire("Vanished").is_terminal());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in
            ["TRANSIT", "PENDING", "PART_TRADED", "TRADED", "CANCELLED", "REJECTED", "EXPIRED", "MODIFIED"]
        {
            assert_eq!(BrokerStatus::from_wire(text).as_str(), text);
        }
    }
}

//! Closed sets of words that stand in tables, and the words for domain values that have none of their own.

use std::str::FromStr;

use tandem_domain::mirror::IntentState;
use tandem_domain::order::{EvidenceSource, Leg};
use tandem_domain::pacing::Purpose;
use thiserror::Error;

/// A word in a table that is not of the set its column holds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no {kind}")]
pub struct UnknownWord {
    /// The set meant.
    pub kind: &'static str,
    /// The word found.
    pub text: String,
}

/// Declares a closed enum whose variants have one word each.
macro_rules! stored_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the table.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { kind: stringify!($name), text: text.to_owned() }),
                }
            }
        }
    };
}

stored_enum! {
    /// Whose order a row is about.
    OrderRole {
        /// The leader's own.
        Leader = "leader",
        /// Placed by us in a follower's account.
        Follower = "follower",
        /// Placed by a human or another program in a watched account.
        External = "external",
    }
}

stored_enum! {
    /// What an intent asks of the broker.
    IntentKind {
        /// A new order.
        Place = "place",
        /// A change of one.
        Modify = "modify",
        /// A cancel of one.
        Cancel = "cancel",
    }
}

/// From which states an intent of this kind may come to this one. The database write is guarded with this list.
///
/// `Planned` again means that the request provably never left, or that a held intent took new terms. What provably never
/// left may be given up in the same moment: trading was stopped at the door. Placing is
/// `Acked` from every state in which a request may have left, whatever was concluded meanwhile: the broker's book
/// outranks our conclusions. A change or a cancel is not: its effect, seen late, shows in the order itself. `Acked`
/// is repeated when the answer and the stream both bring it.
pub const fn predecessors(state: IntentState, kind: IntentKind) -> &'static [IntentState] {
    use IntentState as S;
    match (state, kind) {
        (S::Acked, IntentKind::Modify | IntentKind::Cancel) => &[S::Sending, S::Unknown, S::Acked],
        (S::Sending | S::Voided, IntentKind::Modify | IntentKind::Cancel) => &[S::Planned, S::NotSent],
        (S::Voided, _) => &[S::Planned, S::NotSent, S::Sending],
        (S::Planned, _) => &[S::Planned, S::Sending, S::NotSent],
        (S::Sending, _) => &[S::Planned, S::NotSent, S::Absent],
        (S::Acked, _) => {
            &[S::Planned, S::Sending, S::Unknown, S::Absent, S::NotSent, S::Refused, S::Voided, S::Acked]
        }
        (S::Refused | S::Unknown, _) => &[S::Sending, S::Unknown],
        (S::NotSent, IntentKind::Place) => &[S::Sending, S::NotSent],
        (S::NotSent, _) => &[S::Sending],
        (S::Absent, _) => &[S::Unknown],
    }
}

stored_enum! {
    /// Which of a day's reads of an account's funds a row is.
    FundsMark {
        /// The one the day begins with. The first stands; a second is stored as a refresh.
        StartOfDay = "start_of_day",
        /// Any other.
        Refresh = "refresh",
    }
}

pub(super) const fn leg_word(leg: Leg) -> &'static str {
    match leg {
        Leg::Single => "single",
        Leg::Entry => "entry",
        Leg::StopLoss => "stop_loss",
        Leg::Target => "target",
    }
}

pub(super) fn leg_from_word(text: &str) -> Result<Leg, UnknownWord> {
    match text {
        "single" => Ok(Leg::Single),
        "entry" => Ok(Leg::Entry),
        "stop_loss" => Ok(Leg::StopLoss),
        "target" => Ok(Leg::Target),
        _ => Err(UnknownWord { kind: "Leg", text: text.to_owned() }),
    }
}

pub(super) const fn purpose_word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Exit => "exit",
        Purpose::Entry => "entry",
    }
}

pub(super) fn purpose_from_word(text: &str) -> Result<Purpose, UnknownWord> {
    match text {
        "exit" => Ok(Purpose::Exit),
        "entry" => Ok(Purpose::Entry),
        _ => Err(UnknownWord { kind: "Purpose", text: text.to_owned() }),
    }
}

pub(super) const fn source_word(source: EvidenceSource) -> &'static str {
    match source {
        EvidenceSource::Stream => "stream",
        EvidenceSource::Book => "book",
    }
}

pub(super) fn source_from_word(text: &str) -> Result<EvidenceSource, UnknownWord> {
    match text {
        "stream" => Ok(EvidenceSource::Stream),
        "book" => Ok(EvidenceSource::Book),
        _ => Err(UnknownWord { kind: "EvidenceSource", text: text.to_owned() }),
    }
}

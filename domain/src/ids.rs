//! Typed identifiers. A broker order id cannot be passed where a trade id is meant.
//!
//! Ids made by others are opaque: checked to be non-empty, never parsed. The one id made here, the
//! [`ClientOrderId`], has its alphabet and length checked (`dhanhq-v2.md` section 2.3) and is derived, never random.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::time::TradingDay;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text was empty.
    #[error("{kind} is empty")]
    Empty {
        /// Which id was meant.
        kind: &'static str,
    },
    /// The text has characters or a length the id cannot have.
    #[error("{kind} {text:?}: {rule}")]
    Malformed {
        /// Which id was meant.
        kind: &'static str,
        /// The text refused.
        text: String,
        /// What the id must look like.
        rule: &'static str,
    },
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes any non-empty text.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref().trim();
                if text.is_empty() {
                    return Err(IdError::Empty { kind: stringify!($name) });
                }
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        text_id!(@common $name);
    };
    (@common $name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }
    };
}

text_id!(
    /// A Dhan account, leader or follower, as the broker numbers it.
    DhanClientId
);
text_id!(
    /// A follower as the settings name it: a short label, unique, stable over the years.
    FollowerId
);
text_id!(
    /// The broker's order id (`orderId`, on the stream `orderNo`). Opaque; never a number.
    BrokerOrderId
);
text_id!(
    /// The exchange's order id (`exchangeOrderId`); the broker sends "0" until there is one.
    ExchangeOrderId
);
text_id!(
    /// One fill, as the exchange numbers it (`exchangeTradeId`): the key that counts a fill once (P9).
    TradeId
);

impl DhanClientId {
    /// The last four characters: enough to tell accounts apart in a log, not enough to name a person.
    pub fn masked(&self) -> String {
        let kept = self.0.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        format!("..{}", &self.0[kept..])
    }
}

/// The broker's `correlationId` on somebody's order: ours, another program's, or the broker's own invention
/// (`dhanhq-v2.md` section 2.3). Only its prefix means anything to us.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Takes what the wire carried; empty and the app's `"NA"` are no tag.
    pub fn from_wire(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text != "NA").then(|| Self(text.into()))
    }

    /// What stands on an order of the operator's own, which no broker has: a square-off follows it.
    pub fn square_off() -> Self {
        Self(Self::SQUARE_OFF.into())
    }

    /// The text of [`Tag::square_off`].
    pub const SQUARE_OFF: &'static str = "tdm-square-off";

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether some installation of Tandem placed this order: the cut of copy loops (scenario A21).
    pub fn is_tandem(&self) -> bool {
        self.0.starts_with(ClientOrderId::PREFIX)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.0)
    }
}

impl From<&ClientOrderId> for Tag {
    fn from(id: &ClientOrderId) -> Self {
        Self(id.0.clone())
    }
}

/// Our id of one attempt to place one child order, sent as `correlationId`.
///
/// Derived from (trading day, leader order, follower, leg, slice, attempt), so that the same decision always carries
/// the same id: with its UNIQUE key in the database this is what keeps P2. 24 characters of `[a-z0-9-]`; the broker
/// takes 25 at most, whatever its pages say (`dhanhq-v2.md` section 2.3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientOrderId(Arc<str>);

text_id!(@common ClientOrderId);

impl ClientOrderId {
    /// What every id of every installation begins with, so that none copies another's copies.
    pub const PREFIX: &'static str = "tdm-";
    /// The longest id the broker was seen to take.
    pub const LENGTH_MAX: usize = 25;
    const DIGEST_CHARS: usize = 20;

    /// Checks a text that claims to be one of our ids (from our own database or the broker's book).
    pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
        let text = text.as_ref();
        let legal = text.len() <= Self::LENGTH_MAX
            && text.starts_with(Self::PREFIX)
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !legal {
            return Err(IdError::Malformed {
                kind: "ClientOrderId",
                text: text.to_owned(),
                rule: "at most 25 characters of [A-Za-z0-9_-], beginning with tdm-",
            });
        }
        Ok(Self(text.into()))
    }

    /// Derives the id of one attempt. Equal keys give equal ids, different keys different ones (100 bits of SHA-256).
    pub fn derive(key: &ChildKey) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut hash = Sha256::new();
        // Lengths before texts: no two keys give the same bytes.
        for text in [key.leader_order.as_str(), key.follower.as_str()] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(key.trading_day.to_string().as_bytes());
        hash.update([key.leg]);
        hash.update(key.slice.to_be_bytes());
        hash.update(key.attempt.to_be_bytes());
        let digest = hash.finalize();

        let head = digest.first_chunk::<16>().copied().map_or(0, u128::from_be_bytes);
        let mut text = String::from(Self::PREFIX);
        for place in 1..=Self::DIGEST_CHARS {
            let five_bits = usize::try_from((head >> (128 - 5 * place)) & 31).unwrap_or(0);
            text.push(char::from(ALPHABET[five_bits]));
        }
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What makes a child order's attempt unique: the dedupe key of P2, and of the `intents` table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChildKey {
    /// The exchange's date on which the leader's order lives.
    pub trading_day: TradingDay,
    /// The leader's order.
    pub leader_order: BrokerOrderId,
    /// The follower.
    pub follower: FollowerId,
    /// 0 for an ordinary order; super-order legs are numbered 1 (entry), 2 (stop), 3 (target).
    pub leg: u8,
    /// Which slice of the parent, from 0.
    pub slice: u16,
    /// From 1. Attempt n+1 exists only once n is proven terminal or absent.
    pub attempt: u16,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(leader: &str, follower: &str, leg: u8, slice: u16, attempt: u16) -> ChildKey {
        ChildKey {
            trading_day: TradingDay::from_ymd(2026, 11, 23).unwrap(),
            leader_order: BrokerOrderId::new(leader).unwrap(),
            follower: FollowerId::new(follower).unwrap(),
            leg,
            slice,
            attempt,
        }
    }

    #[test]
    fn the_id_of_a_key_never_changes() {
        let id = ClientOrderId::derive(&key("221261123048117", "asha", 0, 0, 1));
        assert_eq!(id.as_str(), GOLDEN);
    }

    // Frozen: an id derived differently after an update would double every order of the day it was installed.
    const GOLDEN: &str = "tdm-6cjogfovdbbs4lplny4q";

    #[test]
    fn every_part_of_the_key_counts() {
        let ids: HashSet<_> = [
            key("1", "a", 0, 0, 1),
            key("2", "a", 0, 0, 1),
            key("1", "b", 0, 0, 1),
            key("1", "a", 1, 0, 1),
            key("1", "a", 0, 1, 1),
            key("1", "a", 0, 0, 2),
            key("1a", "b", 0, 0, 1),
            key("1", "ab", 0, 0, 1),
        ]
        .iter()
        .map(ClientOrderId::derive)
        .collect();
        assert_eq!(ids.len(), 8);
    }

    proptest! {
        #[test]
        fn a_derived_id_is_legal_on_the_wire(
            leader in "[0-9]{1,15}", follower in "[a-z]{1,30}", leg in 0u8..4, slice in 0u16..200, attempt in 1u16..9
        ) {
            let id = ClientOrderId::derive(&key(&leader, &follower, leg, slice, attempt));
            prop_assert_eq!(id.as_str().len(), 24);
            prop_assert_eq!(ClientOrderId::new(id.as_str()), Ok(id));
        }
    }

    #[test]
    fn a_masked_account_shows_its_end_only() {
        assert_eq!(DhanClientId::new("1000000101").unwrap().masked(), "..0101");
        assert_eq!(DhanClientId::new("101").unwrap().masked(), "..101");
    }

    #[test]
    fn only_our_prefix_is_ours() {
        assert!(Tag::from_wire("tdm-abc").unwrap().is_tandem());
        assert!(!Tag::from_wire("1000000101-1795405500000").unwrap().is_tandem());
        assert!(Tag::from_wire("NA").is_none());
        assert!(Tag::from_wire(" ").is_none());
    }
}

//! What a follower's owner may choose about his copies: when a copy is placed, in which terms, how it is changed, and
//! what happens when leader and follower part.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gap::GapPolicy;
use crate::instrument::coded_enum;
use crate::price::Price;
use crate::trading::{Control, HaltCause};

coded_enum! {
    /// What of a leader's order makes a copy of it due.
    CopyOn {
        /// The exchange has accepted it: it is pending, triggered or filled.
        Working = "working",
        /// The broker has it, even if the exchange may still reject it: earlier, and riskier.
        Transit = "transit",
        /// Each fill of it, to the extent filled: later, and never without a fill of the leader's.
        Fill = "fill",
    }
}

coded_enum! {
    /// In which type the copy of a market order is placed.
    MarketOrders {
        /// As a market order, which the broker turns into a limit order with a protection of its own
        /// (`dhanhq-v2.md` section 2.9).
        AsIs = "as_is",
        /// As a limit order at the price known, moved by the price band: the protection is ours.
        ProtectedLimit = "protected_limit",
    }
}

coded_enum! {
    /// What becomes of an order that must change but has been changed as often as the broker allows.
    AtModificationLimit {
        /// It is cancelled, and an order in the new terms takes its place at the end of the exchange's queue.
        Replace = "replace",
        /// It stays as it is, with an alert.
        Stop = "stop",
    }
}

coded_enum! {
    /// What becomes of an entry that still waits when the leader's has filled.
    EntryLeftBehind {
        /// Its rest is cancelled.
        Cancel = "cancel",
        /// It waits on, as it is.
        Keep = "keep",
        /// Its price is moved after the market, within the price band.
        Chase = "chase",
    }
}

coded_enum! {
    /// What becomes of a sell to open that the leader has covered, when the follower's cover does not fill in time.
    MissingCover {
        /// It is skipped, with an incident.
        Skip = "skip",
        /// It is sent all the same, uncovered.
        Send = "send",
    }
}

coded_enum! {
    /// What becomes of an account that reached a limit of its owner's.
    OnBreach {
        /// It trades on.
        Off = "off",
        /// It opens nothing more; what works goes on working.
        Reduce = "reduce",
        /// It opens nothing more, and its entries that work are cancelled.
        Halt = "halt",
        /// It is halted, and everything copied is closed.
        SquareOff = "square_off",
    }
}

impl OnBreach {
    /// What is asked of the account for this cause; none where it trades on.
    pub const fn control(self, cause: HaltCause) -> Option<Control> {
        match self {
            Self::Off => None,
            Self::Reduce => Some(Control::Reduce(cause)),
            Self::Halt => Some(Control::Halt { cause, cancel_working: false }),
            Self::SquareOff => Some(Control::SquareOff(cause)),
        }
    }
}

coded_enum! {
    /// What becomes of an account when our rows and the broker's differ in an instrument.
    OnDrift {
        /// Nothing is opened in that instrument until they agree again.
        Freeze = "freeze",
        /// Beside that, the account opens nothing more anywhere.
        Reduce = "reduce",
        /// Beside that, the account is halted.
        Halt = "halt",
    }
}

impl OnDrift {
    /// What is asked of the account beside freezing the instrument.
    pub const fn control(self) -> Option<Control> {
        match self {
            Self::Freeze => None,
            Self::Reduce => OnBreach::Reduce.control(HaltCause::Drift),
            Self::Halt => OnBreach::Halt.control(HaltCause::Drift),
        }
    }
}

coded_enum! {
    /// What happens when the leader converts a position to another product.
    Conversions {
        /// A person is told.
        Alert = "alert",
        /// The follower's share is converted, too.
        Copy = "copy",
    }
}

/// Basis points: hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bps(u32);

impl Bps {
    /// Basis points in the whole.
    pub const WHOLE: u32 = 10_000;

    /// That many basis points.
    pub const fn new(bps: u32) -> Self {
        Self(bps)
    }

    /// As a number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// This share of a price, rounded down to 1/10,000 rupee; saturates at the end of the range.
    pub fn of(self, price: Price) -> Price {
        let share = i128::from(price.units()) * i128::from(self.0) / i128::from(Self::WHOLE);
        // Neither factor is negative, so the share is none either.
        Price::from_units(i64::try_from(share).unwrap_or(i64::MAX)).unwrap_or_default()
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bps", self.0)
    }
}

/// How a copy is placed in terms the broker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// The type a market order is copied in.
    pub market_orders: MarketOrders,
    /// How far beyond the price known a limit of ours may stand: protected limits, copies by fill, chases.
    pub price_band: Bps,
    /// How far beyond the trigger the limit stands that a stop-loss-market order is copied with.
    pub stop_band: Bps,
}

/// What happens when leader and follower part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// What becomes of an entry whose leader has filled.
    pub entry: EntryLeftBehind,
    /// From the leader's fill until that is done.
    pub entry_after: Duration,
    /// From the leader's fill until an exit that still waits is chased; exits always are.
    pub exit_after: Duration,
    /// Between two moves of a chased price.
    pub chase_interval: Duration,
    /// Which gaps are made good by orders of our own.
    pub gap: GapPolicy,
}

/// How the legs of a spread wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// How long a sell to open that the leader has covered waits for the follower's cover to fill.
    pub cover_wait: Duration,
    /// What becomes of it then.
    pub on_missing_cover: MissingCover,
    /// How long the sale of a cover waits until the short it covers is bought back.
    pub exit_wait: Duration,
}

/// What a follower's account is watched for, and what follows. What is allowed to be opened at all is in
/// [`EntryPolicy`](crate::gates::entry::EntryPolicy).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiskPolicy {
    /// What follows when the day's loss reaches the entry policy's bound; never [`OnBreach::Off`].
    pub on_daily_loss: OnBreach,
    /// Rejections in a row that count as too many; zero for none.
    pub rejections_max: u32,
    /// What follows then; never [`OnBreach::SquareOff`].
    pub on_rejections: OnBreach,
    /// What follows when our rows and the broker's account differ.
    pub on_drift: OnDrift,
    /// How often the account's positions are read.
    pub positions_poll: Duration,
    /// How often its money is read.
    pub funds_poll: Duration,
    /// How long an entry waits for the word of the broker's margin calculator.
    pub margin_wait: Duration,
    /// What happens when the leader converts a position.
    pub conversions: Conversions,
}

/// Changes of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// How often one order may be changed; the broker's cap is 25 (`dhanhq-v2.md` section 2.4).
    pub per_order_max: u16,
    /// What becomes of an order that must change once more.
    pub at_limit: AtModificationLimit,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_of_a_price_is_rounded_down() {
        let three_percent = Bps::new(300);
        assert_eq!(three_percent.of(Price::from_paise(10_000)), Price::from_paise(300));
        // 3 % of 0.0025 is less than the smallest unit.
        assert_eq!(three_percent.of(Price::from_units(25).unwrap()), Price::ZERO);
        // 3 % of 0.0099 is 0.000297: two units of 0.0001.
        assert_eq!(three_percent.of(Price::from_units(99).unwrap()).units(), 2);
    }

    #[test]
    fn the_whole_and_nothing() {
        let price = Price::from_paise(18_235);
        assert_eq!(Bps::new(Bps::WHOLE).of(price), price);
        assert_eq!(Bps::new(0).of(price), Price::ZERO);
    }

    #[test]
    fn a_share_beyond_the_range_saturates() {
        let highest = Price::from_units(i64::MAX).unwrap();
        assert_eq!(Bps::new(u32::MAX).of(highest), highest);
        assert_eq!(Bps::new(Bps::WHOLE).of(highest), highest);
    }

    proptest! {
        #[test]
        fn up_to_the_whole_a_share_is_never_above_the_price(units in 0..=i64::MAX, bps in 0..=Bps::WHOLE) {
            let price = Price::from_units(units).unwrap();
            prop_assert!(Bps::new(bps).of(price) <= price);
        }
    }

    #[test]
    fn a_breach_asks_what_its_owner_chose() {
        let loss = HaltCause::DailyLoss;
        assert_eq!(OnBreach::Off.control(loss), None);
        assert_eq!(OnBreach::Reduce.control(loss), Some(Control::Reduce(loss)));
        assert_eq!(OnBreach::Halt.control(loss), Some(Control::Halt { cause: loss, cancel_working: false }));
        assert_eq!(OnBreach::SquareOff.control(loss), Some(Control::SquareOff(loss)));
        assert_eq!(OnDrift::Freeze.control(), None);
        assert_eq!(OnDrift::Reduce.control(), Some(Control::Reduce(HaltCause::Drift)));
    }

    #[test]
    fn words_are_read_back() {
        for on in CopyOn::ALL {
            assert_eq!(on.as_str().parse(), Ok(*on));
        }
        assert_eq!("protected_limit".parse(), Ok(MarketOrders::ProtectedLimit));
        assert_eq!("stop".parse(), Ok(AtModificationLimit::Stop));
        assert_eq!("chase".parse(), Ok(EntryLeftBehind::Chase));
        assert!("always".parse::<EntryLeftBehind>().is_err());
    }
}

//! Values the settings hold: exact decimals, closed choices, durations.

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use tandem_dhan::codes::AmoTime;
use tandem_domain::policy::Bps;
use tandem_domain::price::Money;
use tandem_domain::sizing::Ratio;
use thiserror::Error;

/// A text that is no exact positive number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "is no number above zero of at most 6 digits before and after the point (or a fraction such as \"1/3\")"
)]
pub(super) struct RatioTextError;

/// Reads `0.5`, `2` or `1/3` exactly: no float is ever made of a ratio (`style.md` 3.4).
///
/// Few enough digits that a product of two ratios and a quantity stays within 128 bits.
pub(super) fn parse_ratio(text: &str) -> Result<Ratio, RatioTextError> {
    const DECIMALS_MAX: usize = 6;
    const FRACTION_DIGITS_MAX: usize = 12;
    let whole_number = |digits: &str, most: usize| -> Result<u64, RatioTextError> {
        let legal = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if legal { digits.parse().map_err(|_| RatioTextError) } else { Err(RatioTextError) }
    };
    let text = text.trim();
    let (above, below) = if let Some((above, below)) = text.split_once('/') {
        (whole_number(above.trim(), FRACTION_DIGITS_MAX)?, whole_number(below.trim(), FRACTION_DIGITS_MAX)?)
    } else {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let (whole, fraction) = (whole_number(whole, DECIMALS_MAX)?, whole_number(decimals, DECIMALS_MAX)?);
        let scale = decimals.bytes().fold(1, |scale, _| scale * 10);
        (whole * scale + fraction, scale)
    };
    if above == 0 || below == 0 {
        return Err(RatioTextError);
    }
    let divisor = greatest_common_divisor(above, below);
    Ratio::new(above / divisor, below / divisor).map_err(|_| RatioTextError)
}

const fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn ratio_text(ratio: Ratio) -> String {
    match ratio.denominator {
        1 => ratio.numerator.to_string(),
        denominator => format!("{}/{denominator}", ratio.numerator),
    }
}

/// A ratio as text.
pub(super) mod ratio {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use tandem_domain::sizing::Ratio;

    pub(in crate::settings) fn serialize<S: Serializer>(
        ratio: &Ratio,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::ratio_text(*ratio))
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Ratio, D::Error> {
        super::parse_ratio(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A ratio as text, or none.
pub(super) mod optional_ratio {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tandem_domain::sizing::Ratio;

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(in crate::settings) fn serialize<S: Serializer>(
        ratio: &Option<Ratio>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        ratio.map(super::ratio_text).serialize(serializer)
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Ratio>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::parse_ratio(&text).map_err(D::Error::custom)).transpose()
    }
}

/// A whole percentage in basis points.
pub(super) const fn bps(pct: u32) -> Bps {
    const PER_PCT: u32 = 100;
    Bps::new(pct.saturating_mul(PER_PCT))
}

/// Whole rupees; the schema keeps them far below the range.
pub(super) fn money(rupees: u64) -> Money {
    Money::from_rupees(i64::try_from(rupees).unwrap_or(i64::MAX))
}

/// How a time of the day is written: `09:20`.
const TIME_OF_DAY: &str = "%H:%M";

/// Reads `09:20`.
pub(super) fn parse_time(text: &str) -> Option<NaiveTime> {
    let is_whole = text.len() == "09:20".len();
    NaiveTime::parse_from_str(text, TIME_OF_DAY).ok().filter(|_| is_whole)
}

/// A time of the day as text, or none.
pub(super) mod optional_time {
    use chrono::NaiveTime;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(in crate::settings) fn serialize<S: Serializer>(
        time: &Option<NaiveTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.format(super::TIME_OF_DAY).to_string()).serialize(serializer)
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<NaiveTime>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read =
            |text: String| super::parse_time(&text).ok_or_else(|| D::Error::custom("no time of the day"));
        text.map(read).transpose()
    }
}

/// A time of the day as text.
pub(super) mod time_of_day {
    use chrono::NaiveTime;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference to the field")]
    pub(in crate::settings) fn serialize<S: Serializer>(
        time: &NaiveTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.format(super::TIME_OF_DAY).to_string().serialize(serializer)
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<NaiveTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_time(&text).ok_or_else(|| D::Error::custom("no time of the day"))
    }
}

/// Durations written as whole milliseconds; the key ends in `_ms`.
pub(super) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::settings) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Durations written as whole seconds; the key ends in `_s`.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::settings) fn serialize<S: Serializer>(
        span: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(span.as_secs())
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

/// Every time an after-market order may go to the exchange.
const AMO_TIMES: [AmoTime; 4] = [AmoTime::PreOpen, AmoTime::Open, AmoTime::Open30, AmoTime::Open60];

/// Their words.
pub(super) const AMO_TIME_WORDS: &[&str] =
    &[AmoTime::PreOpen.as_str(), AmoTime::Open.as_str(), AmoTime::Open30.as_str(), AmoTime::Open60.as_str()];

/// The time of an after-market order, in the broker's word.
pub(super) mod amo_time {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use tandem_dhan::codes::AmoTime;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference to the field")]
    pub(in crate::settings) fn serialize<S: Serializer>(
        time: &AmoTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(time.as_str())
    }

    pub(in crate::settings) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<AmoTime, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = super::AMO_TIMES.into_iter().find(|time| time.as_str() == word);
        known.ok_or_else(|| D::Error::custom("no time of an after-market order"))
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// How the settings spell each value.
            pub const SPELLINGS: &'static [&'static str] = &[$($text),+];

            /// How the settings spell this value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

choice! {
    /// How an account comes to another token (`token_renewal`).
    TokenRenewal {
        /// Its owner sees to it.
        Off = "off",
        /// By the broker's renewal call.
        Broker = "broker",
        /// By PIN and TOTP.
        Totp = "totp",
    }
}

choice! {
    /// Whose clock sessions, ages and budgets read (`clock.source`).
    ClockSource {
        /// The machine's.
        System = "system",
        /// The simulator's.
        Lent = "lent",
    }
}

choice! {
    /// How log lines are written (`log.format`).
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_exact() {
        for (text, expected) in [
            ("0.5", (1, 2)),
            ("1", (1, 1)),
            ("2.50", (5, 2)),
            ("0.1", (1, 10)),
            ("1/3", (1, 3)),
            ("4 / 6", (2, 3)),
            ("0.000001", (1, 1_000_000)),
            ("999999.999999", (999_999_999_999, 1_000_000)),
        ] {
            let ratio = parse_ratio(text).unwrap();
            assert_eq!((ratio.numerator, ratio.denominator), expected, "{text}");
            assert_eq!(parse_ratio(&ratio_text(ratio)), Ok(ratio), "{text}");
        }
    }

    #[test]
    fn a_time_of_the_day_has_hours_and_minutes() {
        assert_eq!(parse_time("09:20"), NaiveTime::from_hms_opt(9, 20, 0));
        for text in ["", "9:20", "09.20", "24:00", "09:60", "09:20:00", "morning"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_positive_number_is_refused() {
        for text in ["", "0", "0.0", "-1", "+1", "1e3", ".5", "1.", "1/0", "0/2", "1.0000001", "inf", "1,5"] {
            assert_eq!(parse_ratio(text), Err(RatioTextError), "{text}");
        }
    }
}

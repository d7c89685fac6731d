//! Single values: ids, numbers, times.

use chrono::{NaiveDate, NaiveDateTime};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use crate::wire::{Decimal, WireError};

/// A wire word through one of the `codes`.
pub(super) fn word<T>(
    field: &'static str,
    text: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, WireError> {
    read(text.trim()).ok_or_else(|| WireError::new(field, text))
}

pub(super) fn account(field: &'static str, text: &str) -> Result<DhanClientId, WireError> {
    DhanClientId::new(text).map_err(|_| WireError::new(field, text))
}

/// An exact price, or one that a float's noise cannot explain and that is refused.
pub(super) fn price(field: &'static str, value: Decimal) -> Result<Price, WireError> {
    value.price().ok_or_else(|| WireError::new(field, value.get().to_string()))
}

/// An average: to the nearest 1/10,000 rupee.
pub(super) fn average(field: &'static str, value: Decimal) -> Result<Price, WireError> {
    value.rounded_price().ok_or_else(|| WireError::new(field, value.get().to_string()))
}

pub(super) fn money(field: &'static str, value: Decimal) -> Result<Money, WireError> {
    value.money().ok_or_else(|| WireError::new(field, value.get().to_string()))
}

pub(super) fn quantity(field: &'static str, units: i64) -> Result<Quantity, WireError> {
    u32::try_from(units).map(Quantity::new).map_err(|_| WireError::new(field, units.to_string()))
}

/// The units of a fill: there is none of nothing.
pub(super) fn filled(field: &'static str, units: i64) -> Result<Quantity, WireError> {
    quantity(field, units)
        .and_then(|quantity| if quantity.is_zero() { Err(WireError::new(field, "0")) } else { Ok(quantity) })
}

pub(super) fn instrument(
    segment: Option<ExchangeSegment>,
    segment_found: &str,
    security_id: &str,
) -> Result<InstrumentKey, WireError> {
    Ok(InstrumentKey {
        segment: segment.ok_or_else(|| WireError::new("exchangeSegment", segment_found))?,
        security_id: security_id.parse().map_err(|_| WireError::new("securityId", security_id))?,
    })
}

/// A moment in Indian time; none for the sentinel, `NA` and nothing at all.
pub(super) fn moment(field: &'static str, text: &str) -> Result<Option<Timestamp>, WireError> {
    let text = text.trim();
    if text.is_empty() || text == "NA" || text.starts_with("0001-01-01") {
        return Ok(None);
    }
    // Fixed columns before chrono's general parser: two of these are read for each frame.
    let date_time = fixed_columns(text).or_else(|| {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f"))
            .ok()
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
    });
    date_time.map(|at| Some(Timestamp::from_ist(at))).ok_or_else(|| WireError::new(field, text))
}

/// `YYYY-MM-DD HH:MM:SS` and nothing else.
fn fixed_columns(text: &str) -> Option<NaiveDateTime> {
    let bytes: &[u8; 19] = text.as_bytes().try_into().ok()?;
    let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, separator)| bytes[at] != separator) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to]
            .iter()
            .try_fold(0u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    let year = i32::try_from(number(0, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(5, 7)?, number(8, 10)?)?.and_hms_opt(
        number(11, 13)?,
        number(14, 16)?,
        number(17, 19)?,
    )
}

/// The first of several times that there is.
pub(super) fn first_moment(candidates: &[(&'static str, &str)]) -> Result<Option<Timestamp>, WireError> {
    for (field, text) in candidates {
        if let Some(at) = moment(field, text)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_captured_form() {
        for (text, utc) in [
            ("2026-11-23 10:04:11", Some("2026-11-23T04:34:11+00:00")),
            ("2026-11-23T10:04:11", Some("2026-11-23T04:34:11+00:00")),
            ("2026-12-05 09:37:52.0", Some("2026-12-05T04:07:52+00:00")),
            ("2026-11-23", Some("2026-11-22T18:30:00+00:00")),
            ("0001-01-01 00:00:00", None),
            ("0001-01-01", None),
            ("NA", None),
            (" ", None),
        ] {
            let found = moment("t", text).unwrap().map(|at| at.utc().to_rfc3339());
            assert_eq!(found.as_deref(), utc, "{text}");
        }
        for text in ["2026-13-23 10:04:11", "2026-11-23 25:04:11", "yesterday", "1795405500"] {
            assert!(moment("t", text).is_err(), "{text}");
        }
    }

    #[test]
    fn prices_are_rounded_once_and_refused_off_the_grid() {
        for (value, units) in [(182.35, 1_823_500), (0.0025, 25), (182.350_000_000_03, 1_823_500), (0.0, 0)] {
            assert_eq!(price("p", Decimal::new(value)).unwrap().units(), units, "{value}");
        }
        for value in [182.350_02, -0.05, f64::NAN, f64::INFINITY, 1e15] {
            assert!(price("p", Decimal::new(value)).is_err(), "{value}");
        }
        assert_eq!(average("a", Decimal::new(182.316_666_67)).unwrap().units(), 1_823_167);
        assert_eq!(money("m", Decimal::new(-12.5)).unwrap().units(), -125_000);
    }
}

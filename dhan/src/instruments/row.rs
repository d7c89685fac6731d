//! One row into the table.

use chrono::NaiveDate;
use csv::ByteRecord;
use tandem_domain::instrument::{
    InstrumentKey, InstrumentKind, InstrumentRow, InstrumentTableBuilder, OptionContract, SecurityId,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::{LotSize, Quantity};

use super::columns::Columns;
use crate::codes;

/// Why a row is not in the table.
pub(super) enum RowFault {
    /// A segment or kind without a name here.
    NotOurs,
    /// Unreadable.
    Malformed,
}

pub(super) fn push_row(
    builder: &mut InstrumentTableBuilder,
    columns: &Columns,
    record: &ByteRecord,
) -> Result<(), RowFault> {
    let cell = |at: usize| -> Result<&str, RowFault> {
        let bytes = record.get(at).ok_or(RowFault::Malformed)?;
        std::str::from_utf8(bytes).map(str::trim).map_err(|_| RowFault::Malformed)
    };
    let segment = codes::segment(cell(columns.exchange)?, cell(columns.segment)?).ok_or(RowFault::NotOurs)?;
    let kind: InstrumentKind = cell(columns.kind)?.parse().map_err(|_| RowFault::NotOurs)?;
    let security_id: SecurityId = cell(columns.security_id)?.parse().map_err(|_| RowFault::Malformed)?;
    let symbol = cell(columns.symbol)?;
    let option = if kind.is_option() {
        let option_type = codes::option_type(cell(columns.option_type)?).ok_or(RowFault::Malformed)?;
        let strike: Price = cell(columns.strike)?.parse().map_err(|_| RowFault::Malformed)?;
        Some(OptionContract { option_type, strike })
    } else {
        None
    };
    let expiry = expiry(cell(columns.expiry)?)?;
    if option.is_some() && expiry.is_none() {
        return Err(RowFault::Malformed);
    }
    let named_underlying = columns.underlying.map_or(Ok(""), cell)?;
    let underlying = match kind {
        InstrumentKind::Equity | InstrumentKind::Index => "",
        _ if !matches!(named_underlying, "" | "NA") => named_underlying,
        _ => underlying_of(symbol, option.is_some()),
    };
    builder.push(InstrumentRow {
        key: InstrumentKey { segment, security_id },
        kind,
        // In the detailed file an equity's symbol is the company's name; its ticker is the underlying.
        symbol: if kind == InstrumentKind::Equity && !matches!(named_underlying, "" | "NA") {
            named_underlying
        } else {
            symbol
        },
        underlying,
        lot_size: whole_number(cell(columns.lot_size)?).and_then(LotSize::new).unwrap_or(LotSize::ONE),
        tick: tick(kind, cell(columns.tick)?),
        expiry,
        option,
        freeze_quantity: columns
            .freeze_quantity
            .map_or(Ok(""), cell)
            .ok()
            .and_then(whole_number)
            .filter(|&units| units > 0)
            .map(Quantity::new),
        band: columns.band.and_then(|(low, high)| {
            // Rupees, as strikes are. An odd cell costs the band, not the row.
            let price = |at| cell(at).ok()?.parse::<Price>().ok();
            Some((price(low)?, price(high)?))
        }),
    });
    Ok(())
}

/// `YYYY-MM-DD`, with or without a time of day, which is not the session's close; none for `0001-01-01` and nothing.
fn expiry(text: &str) -> Result<Option<NaiveDate>, RowFault> {
    if text.is_empty() || text == "NA" || text.starts_with("0001-01-01") {
        return Ok(None);
    }
    let date = text.get(..10).ok_or(RowFault::Malformed)?;
    date.parse().map(Some).map_err(|_| RowFault::Malformed)
}

/// Paise, except on index rows, where it is rupees (section 8.2). Zero when the file does not say.
fn tick(kind: InstrumentKind, text: &str) -> Price {
    let Ok(number) = text.parse::<Price>() else { return Price::ZERO };
    if kind == InstrumentKind::Index {
        return number;
    }
    Price::from_units(number.units() / 100).unwrap_or(Price::ZERO)
}

/// `65`, `65.0`.
fn whole_number(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit == b'0') {
        return None;
    }
    whole.parse().ok()
}

/// `NIFTY` of `NIFTY-Dec2026-26000-CE`, `BAJAJ-AUTO` of `BAJAJ-AUTO-Dec2026-FUT`.
fn underlying_of(symbol: &str, is_option: bool) -> &str {
    let parts_after = if is_option { 3 } else { 2 };
    symbol.rmatch_indices('-').nth(parts_after - 1).map_or("", |(at, _)| &symbol[..at])
}

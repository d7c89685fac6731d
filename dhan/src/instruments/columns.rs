//! Where the columns lie, in either of the two files.

use csv::ByteRecord;

use super::InstrumentsError;

/// Positions of the columns used.
pub(super) struct Columns {
    pub(super) exchange: usize,
    pub(super) segment: usize,
    pub(super) security_id: usize,
    pub(super) kind: usize,
    pub(super) symbol: usize,
    pub(super) lot_size: usize,
    pub(super) expiry: usize,
    pub(super) strike: usize,
    pub(super) option_type: usize,
    pub(super) tick: usize,
    /// Detailed file only; the compact one leaves options without an underlying.
    pub(super) underlying: Option<usize>,
    /// Newer detailed files only.
    pub(super) freeze_quantity: Option<usize>,
    /// Lowest and highest price; newer detailed files only.
    pub(super) band: Option<(usize, usize)>,
}

impl Columns {
    pub(super) fn find(header: &ByteRecord) -> Result<Self, InstrumentsError> {
        let position = |name: &str| {
            header.iter().position(|column| {
                let column = column.strip_prefix(b"\xef\xbb\xbf").unwrap_or(column);
                column.trim_ascii().eq_ignore_ascii_case(name.as_bytes())
            })
        };
        let needed = |name: &'static str| position(name).ok_or(InstrumentsError::NoColumn(name));

        if position("SEM_SMST_SECURITY_ID").is_some() {
            return Ok(Self {
                exchange: needed("SEM_EXM_EXCH_ID")?,
                segment: needed("SEM_SEGMENT")?,
                security_id: needed("SEM_SMST_SECURITY_ID")?,
                kind: needed("SEM_INSTRUMENT_NAME")?,
                symbol: needed("SEM_TRADING_SYMBOL")?,
                lot_size: needed("SEM_LOT_UNITS")?,
                expiry: needed("SEM_EXPIRY_DATE")?,
                strike: needed("SEM_STRIKE_PRICE")?,
                option_type: needed("SEM_OPTION_TYPE")?,
                tick: needed("SEM_TICK_SIZE")?,
                underlying: None,
                freeze_quantity: None,
                band: None,
            });
        }
        Ok(Self {
            exchange: needed("EXCH_ID")?,
            segment: needed("SEGMENT")?,
            security_id: needed("SECURITY_ID")?,
            kind: needed("INSTRUMENT")?,
            symbol: needed("SYMBOL_NAME")?,
            lot_size: needed("LOT_SIZE")?,
            expiry: needed("SM_EXPIRY_DATE")?,
            strike: needed("STRIKE_PRICE")?,
            option_type: needed("OPTION_TYPE")?,
            tick: needed("TICK_SIZE")?,
            underlying: position("UNDERLYING_SYMBOL"),
            freeze_quantity: position("SM_FREEZE_QTY"),
            band: position("SM_LOWER_LIMIT").zip(position("SM_UPPER_LIMIT")),
        })
    }
}

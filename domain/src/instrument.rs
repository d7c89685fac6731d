//! Instruments, keyed as the broker keys them, and the table of the day.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::price::Price;
use crate::quantity::{LotSize, Quantity};

/// Declares a closed enum whose variants have one text each: the broker's REST spelling, also used in tables.
macro_rules! coded_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text of this value on the REST wire and in tables.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::instrument::UnknownCode;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::instrument::UnknownCode { kind: stringify!($name), text: text.to_owned() }),
                }
            }
        }
    };
}
pub(crate) use coded_enum;

/// A text that is no value of a closed enum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}")]
pub struct UnknownCode {
    /// The enum meant.
    pub kind: &'static str,
    /// The text found.
    pub text: String,
}

coded_enum! {
    /// Exchange and segment (`dhanhq-v2.md` section 8.5).
    ExchangeSegment {
        /// Indices.
        Index = "IDX_I",
        /// NSE equities.
        NseEquity = "NSE_EQ",
        /// NSE equity derivatives.
        NseFno = "NSE_FNO",
        /// NSE currency derivatives.
        NseCurrency = "NSE_CURRENCY",
        /// BSE equities.
        BseEquity = "BSE_EQ",
        /// BSE equity derivatives.
        BseFno = "BSE_FNO",
        /// BSE currency derivatives.
        BseCurrency = "BSE_CURRENCY",
        /// MCX commodities.
        McxCommodity = "MCX_COMM",
    }
}

coded_enum! {
    /// What kind of contract an instrument is (`dhanhq-v2.md` section 8.5).
    InstrumentKind {
        /// An index itself; not tradable.
        Index = "INDEX",
        /// Index future.
        IndexFuture = "FUTIDX",
        /// Index option.
        IndexOption = "OPTIDX",
        /// Share.
        Equity = "EQUITY",
        /// Stock future.
        StockFuture = "FUTSTK",
        /// Stock option.
        StockOption = "OPTSTK",
        /// Commodity future.
        CommodityFuture = "FUTCOM",
        /// Option on a commodity future.
        FutureOption = "OPTFUT",
        /// Currency future.
        CurrencyFuture = "FUTCUR",
        /// Currency option.
        CurrencyOption = "OPTCUR",
    }
}

impl InstrumentKind {
    /// Whether this is an option of any kind: what is copied by default.
    pub const fn is_option(self) -> bool {
        matches!(self, Self::IndexOption | Self::StockOption | Self::FutureOption | Self::CurrencyOption)
    }
}

coded_enum! {
    /// Call or put; in tables and the instrument file `CE` and `PE`.
    OptionType {
        /// Call.
        Call = "CE",
        /// Put.
        Put = "PE",
    }
}

/// The broker's number of an instrument within its segment. Reused after expiry: meaningful for one trading day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecurityId(pub u32);

impl fmt::Display for SecurityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SecurityId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(Self)
    }
}

/// What identifies an instrument today: the only unique key on every surface (`dhanhq-v2.md` section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstrumentKey {
    /// Exchange and segment.
    pub segment: ExchangeSegment,
    /// Number within the segment.
    pub security_id: SecurityId,
}

impl fmt::Display for InstrumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.security_id)
    }
}

/// Strike, side and date of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionContract {
    /// Call or put.
    pub option_type: OptionType,
    /// Strike price.
    pub strike: Price,
}

/// One instrument of the day's master file. Names are shared with the table's pool, so a clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// Key of the day.
    pub key: InstrumentKey,
    /// Kind of contract.
    pub kind: InstrumentKind,
    /// Trading symbol, for people: `NIFTY-Dec2026-26000-CE`. Not unique across weekly expiries.
    pub symbol: Arc<str>,
    /// What the contract is on: `NIFTY`. Empty when the file does not say.
    pub underlying: Arc<str>,
    /// Units in a lot.
    pub lot_size: LotSize,
    /// Tick; zero when not known.
    pub tick: Price,
    /// Date of expiry; none for equities and indices.
    pub expiry: Option<NaiveDate>,
    /// Strike and side of an option.
    pub option: Option<OptionContract>,
    /// The largest quantity the exchange takes in one order, where the file says so.
    pub freeze_quantity: Option<Quantity>,
    /// The lowest and the highest price the exchange takes today, where the file says so.
    pub band: Option<(Price, Price)>,
}

impl Instrument {
    /// The day's band, unless a price that was traded lies outside of it: then the file is old, or means other units.
    pub fn band_around(&self, traded: Option<Price>) -> Option<(Price, Price)> {
        self.band.filter(|(low, high)| traded.is_none_or(|price| (*low..=*high).contains(&price)))
    }
}

/// The instruments of the day, in little memory: 200,000 of them must fit beside everything else in 64 MB.
///
/// Rows are fixed-size and sorted by key; symbols lie in one text; underlyings, of which there are few, are shared.
#[derive(Debug, Default)]
pub struct InstrumentTable {
    rows: Vec<Row>,
    symbols: Box<str>,
    underlyings: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    key: InstrumentKey,
    kind: InstrumentKind,
    option_type: Option<OptionType>,
    symbol_length: u8,
    underlying: u16,
    symbol_offset: u32,
    lot_size: LotSize,
    tick_units: u32,
    freeze_quantity: u32,
    expiry: Option<NaiveDate>,
    strike_units: i64,
    /// Both zero where it is not known.
    band_units: [u32; 2],
}

impl Row {
    fn band(&self) -> Option<(Price, Price)> {
        let [low, high] = self.band_units.map(|units| Price::from_units(units.into()));
        Some((low?, high?)).filter(|(_, high)| !high.is_zero())
    }
}

impl InstrumentTable {
    /// Starts an empty table, to be filled row by row.
    pub fn builder() -> InstrumentTableBuilder {
        InstrumentTableBuilder::default()
    }

    /// The instrument with this key, if the day has it.
    pub fn get(&self, key: InstrumentKey) -> Option<Instrument> {
        let at = self.rows.binary_search_by_key(&key, |row| row.key).ok()?;
        Some(self.instrument(&self.rows[at]))
    }

    /// How many instruments the day has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing is loaded.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = Instrument> {
        self.rows.iter().map(|row| self.instrument(row))
    }

    fn instrument(&self, row: &Row) -> Instrument {
        let from = row.symbol_offset as usize;
        Instrument {
            key: row.key,
            kind: row.kind,
            symbol: self.symbols[from..from + usize::from(row.symbol_length)].into(),
            underlying: self.underlyings[usize::from(row.underlying)].clone(),
            lot_size: row.lot_size,
            tick: Price::from_units(i64::from(row.tick_units)).unwrap_or(Price::ZERO),
            expiry: row.expiry,
            option: row.option_type.map(|option_type| OptionContract {
                option_type,
                strike: Price::from_units(row.strike_units).unwrap_or(Price::ZERO),
            }),
            freeze_quantity: (row.freeze_quantity > 0).then(|| Quantity::new(row.freeze_quantity)),
            band: row.band(),
        }
    }
}

/// Collects rows, then sorts them into an [`InstrumentTable`].
#[derive(Debug, Default)]
pub struct InstrumentTableBuilder {
    rows: Vec<Row>,
    symbols: String,
    underlyings: Vec<Arc<str>>,
    underlying_index: HashMap<Arc<str>, u16>,
}

/// One instrument as a loader gives it to the builder; texts are borrowed from the file's line.
#[derive(Debug, Clone, Copy)]
pub struct InstrumentRow<'a> {
    /// Key of the day.
    pub key: InstrumentKey,
    /// Kind of contract.
    pub kind: InstrumentKind,
    /// Trading symbol; cut at 255 bytes.
    pub symbol: &'a str,
    /// What the contract is on.
    pub underlying: &'a str,
    /// Units in a lot.
    pub lot_size: LotSize,
    /// Tick; zero when not known.
    pub tick: Price,
    /// Date of expiry.
    pub expiry: Option<NaiveDate>,
    /// Strike and side of an option.
    pub option: Option<OptionContract>,
    /// Largest quantity in one order, if known.
    pub freeze_quantity: Option<Quantity>,
    /// Lowest and highest price of the day, if known. One that is empty, or ends above 429,496 rupees (no price does), is
    /// taken for none.
    pub band: Option<(Price, Price)>,
}

impl InstrumentTableBuilder {
    /// Adds one instrument. Of two with one key the later wins.
    pub fn push(&mut self, row: InstrumentRow<'_>) {
        let mut length = row.symbol.len().min(255);
        while !row.symbol.is_char_boundary(length) {
            length -= 1;
        }
        let symbol_offset = u32::try_from(self.symbols.len()).unwrap_or(0);
        self.symbols.push_str(&row.symbol[..length]);
        let underlying = self.intern(row.underlying);
        self.rows.push(Row {
            key: row.key,
            kind: row.kind,
            option_type: row.option.map(|option| option.option_type),
            symbol_length: u8::try_from(length).unwrap_or(u8::MAX),
            underlying,
            symbol_offset,
            lot_size: row.lot_size,
            tick_units: u32::try_from(row.tick.units()).unwrap_or(0),
            freeze_quantity: row.freeze_quantity.map_or(0, Quantity::get),
            expiry: row.expiry,
            strike_units: row.option.map_or(0, |option| option.strike.units()),
            band_units: row.band.and_then(band_units).unwrap_or_default(),
        });
    }

    /// Sorts the rows into the table of the day.
    pub fn build(mut self) -> InstrumentTable {
        self.rows.sort_by_key(|row| row.key);
        self.rows.reverse();
        self.rows.dedup_by_key(|row| row.key);
        self.rows.reverse();
        self.rows.shrink_to_fit();
        InstrumentTable {
            rows: self.rows,
            symbols: self.symbols.into_boxed_str(),
            underlyings: self.underlyings,
        }
    }

    fn intern(&mut self, name: &str) -> u16 {
        if let Some(&index) = self.underlying_index.get(name) {
            return index;
        }
        // Past 65,535 names (the whole market has a few thousand) the rest share the last one.
        let index = u16::try_from(self.underlyings.len()).unwrap_or(u16::MAX);
        if usize::from(index) == self.underlyings.len() {
            let shared: Arc<str> = name.into();
            self.underlyings.push(shared.clone());
            self.underlying_index.insert(shared, index);
        }
        index
    }
}

fn band_units((low, high): (Price, Price)) -> Option<[u32; 2]> {
    let units = [u32::try_from(low.units()).ok()?, u32::try_from(high.units()).ok()?];
    (low < high).then_some(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(security_id: u32, symbol: &str, lot: u32) -> InstrumentRow<'_> {
        InstrumentRow {
            key: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(security_id) },
            kind: InstrumentKind::IndexOption,
            symbol,
            underlying: "NIFTY",
            lot_size: LotSize::new(lot).unwrap(),
            tick: Price::from_paise(5),
            expiry: NaiveDate::from_ymd_opt(2026, 12, 15),
            option: Some(OptionContract {
                option_type: OptionType::Call,
                strike: Price::from_paise(2_600_000),
            }),
            freeze_quantity: None,
            band: None,
        }
    }

    #[test]
    fn finds_by_key_and_keeps_the_later_of_two() {
        let mut builder = InstrumentTable::builder();
        for (id, symbol, lot) in [(43_125, "B", 65), (7, "A", 30), (43_125, "B2", 75)] {
            builder.push(row(id, symbol, lot));
        }
        let table = builder.build();
        assert_eq!(table.len(), 2);
        let found = table.get(row(43_125, "", 1).key).unwrap();
        assert_eq!((&*found.symbol, found.lot_size.get(), &*found.underlying), ("B2", 75, "NIFTY"));
        assert_eq!(table.get(row(8, "", 1).key), None);
    }

    #[test]
    fn a_band_is_kept_where_it_makes_sense() {
        let price = Price::from_paise;
        let table = [
            (Some((price(5), price(30_000))), Some((price(5), price(30_000)))),
            (Some((Price::ZERO, price(30_000))), Some((Price::ZERO, price(30_000)))),
            (Some((price(30_000), price(30_000))), None),
            (Some((Price::ZERO, Price::ZERO)), None),
            (Some((price(5), price(50_000_000))), None),
            (None, None),
        ];
        for (band, expected) in table {
            let mut builder = InstrumentTable::builder();
            builder.push(InstrumentRow { band, ..row(7, "A", 30) });
            assert_eq!(builder.build().get(row(7, "", 1).key).unwrap().band, expected, "{band:?}");
        }
    }

    #[test]
    fn a_row_stays_small() {
        assert!(size_of::<Row>() <= 56, "{}", size_of::<Row>());
    }
}

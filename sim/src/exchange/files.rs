//! The instrument files of the day, exactly in the columns of the real ones (`dhanhq-v2.md` sections 8.2 and 8.4).

use std::fmt::Write as _;

use tandem_domain::instrument::{ExchangeSegment, InstrumentKind};
use tandem_domain::price::{Price, UNITS_PER_RUPEE};

use super::Exchange;
use super::universe::Contract;

const COMPACT_HEADER: &str = "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,\
SEM_TRADING_SYMBOL,SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,\
SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME";

const DETAILED_HEADER: &str = "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,\
UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,\
TICK_SIZE,EXPIRY_FLAG,BRACKET_FLAG,COVER_FLAG,ASM_GSM_FLAG,ASM_GSM_CATEGORY,BUY_SELL_INDICATOR,\
BUY_CO_MIN_MARGIN_PER,SELL_CO_MIN_MARGIN_PER,BUY_CO_SL_RANGE_MAX_PERC,SELL_CO_SL_RANGE_MAX_PERC,\
BUY_CO_SL_RANGE_MIN_PERC,SELL_CO_SL_RANGE_MIN_PERC,BUY_BO_MIN_MARGIN_PER,SELL_BO_MIN_MARGIN_PER,\
BUY_BO_SL_RANGE_MAX_PERC,SELL_BO_SL_RANGE_MAX_PERC,BUY_BO_SL_RANGE_MIN_PERC,SELL_BO_SL_MIN_RANGE,\
BUY_BO_PROFIT_RANGE_MAX_PERC,SELL_BO_PROFIT_RANGE_MAX_PERC,BUY_BO_PROFIT_RANGE_MIN_PERC,\
SELL_BO_PROFIT_RANGE_MIN_PERC,MTF_LEVERAGE,SM_UPPER_LIMIT,SM_LOWER_LIMIT,SM_FREEZE_QTY";

/// Columns from `BUY_CO_MIN_MARGIN_PER` to `MTF_LEVERAGE`, in which the simulator has nothing to say.
const UNUSED_COLUMNS: usize = 17;

impl Exchange {
    /// `api-scrip-master.csv`.
    pub fn compact_csv(&self) -> String {
        let mut text = format!("{COMPACT_HEADER}\n");
        for contract in self.contracts() {
            compact_row(contract, &mut text);
        }
        text
    }

    /// `api-scrip-master-detailed.csv`, with the columns `SM_UPPER_LIMIT`, `SM_LOWER_LIMIT` (the price band in
    /// rupees) and `SM_FREEZE_QTY` that newer files are reported to have.
    pub fn detailed_csv(&self) -> String {
        self.detailed_rows(|_| true)
    }

    /// The detailed file of one segment (`GET /instrument/{exchangeSegment}`).
    pub fn segment_csv(&self, segment: ExchangeSegment) -> String {
        self.detailed_rows(|contract| contract.key.segment == segment)
    }

    fn detailed_rows(&self, wanted: impl Fn(&Contract) -> bool) -> String {
        let mut text = format!("{DETAILED_HEADER}\n");
        for contract in self.contracts().iter().filter(|contract| wanted(contract)) {
            detailed_row(contract, self.band(contract), &mut text);
        }
        text
    }
}

/// `NSE` or `BSE`, and the segment's letter.
fn exchange_and_segment(contract: &Contract) -> (&'static str, &'static str) {
    match contract.key.segment {
        ExchangeSegment::Index if &*contract.underlying == "SENSEX" => ("BSE", "I"),
        ExchangeSegment::Index => ("NSE", "I"),
        ExchangeSegment::BseFno => ("BSE", "D"),
        ExchangeSegment::NseFno => ("NSE", "D"),
        _ => ("NSE", "E"),
    }
}

/// Tick in paise, except on index rows, where the real file has rupees.
fn compact_tick(contract: &Contract) -> String {
    if contract.kind == InstrumentKind::Index {
        return "0.0500".to_owned();
    }
    format!("{}.0000", contract.tick.units() / 100)
}

fn compact_row(contract: &Contract, text: &mut String) {
    let (exchange, segment) = exchange_and_segment(contract);
    let (kind, id, lot) = (contract.kind, contract.key.security_id, contract.lot_size);
    let (symbol, name, tick) = (&contract.trading_symbol, &contract.display_name, compact_tick(contract));
    let head = format!("{exchange},{segment},{id},{kind},0,{symbol},{lot}.0,{name}");
    let expiry = contract.expiry.map(|date| format!("{date} 14:30:00")).unwrap_or_default();
    let flag = if contract.monthly { "M" } else { "W" };
    let tail = match (contract.kind, contract.option) {
        (_, Some(option)) => {
            let strike = option.strike.units() / UNITS_PER_RUPEE;
            format!("{expiry},{strike}.00000,{},{tick},{flag},OP,,", option.option_type)
        }
        (InstrumentKind::IndexFuture, None) => {
            format!("{expiry},-0.01000,XX,{tick},{flag},FUT,,{}", contract.underlying)
        }
        (InstrumentKind::Index, None) => format!("0001-01-01,,XX,{tick},,INDEX,X,{symbol}"),
        _ => format!(",,XX,{tick},NA,ES,EQ,{} LTD", name.to_uppercase()),
    };
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{head},{tail}");
}

fn detailed_row(contract: &Contract, (low, high): (Price, Price), text: &mut String) {
    let (exchange, segment) = exchange_and_segment(contract);
    let expiry = contract.expiry.map_or_else(|| "0001-01-01".to_owned(), |date| date.to_string());
    let (strike, option_type) = contract.option.map_or(("0".to_owned(), "XX".to_owned()), |option| {
        ((option.strike.units() / UNITS_PER_RUPEE).to_string(), option.option_type.to_string())
    });
    let (instrument_type, series, flag) = match contract.kind {
        InstrumentKind::Index => ("INDEX", "X", "NA"),
        InstrumentKind::Equity => ("ES", "EQ", "NA"),
        InstrumentKind::IndexFuture => ("FUT", "NA", "M"),
        _ => ("OP", "NA", if contract.monthly { "M" } else { "W" }),
    };
    let fields = [
        exchange.to_owned(),
        segment.to_owned(),
        contract.key.security_id.to_string(),
        contract.isin.to_string(),
        contract.kind.to_string(),
        underlying_token(contract).to_owned(),
        contract.underlying.to_string(),
        contract.trading_symbol.to_string(),
        contract.display_name.to_string(),
        instrument_type.to_owned(),
        series.to_owned(),
        contract.lot_size.to_string(),
        expiry,
        strike,
        option_type,
        (contract.tick.units() / 100).to_string(),
        flag.to_owned(),
        "N,N,N,NA,A".to_owned(),
    ];
    let unused = "0,".repeat(UNUSED_COLUMNS);
    let freeze = contract.freeze_quantity.map(|freeze| freeze.to_string()).unwrap_or_default();
    let band = if contract.kind == InstrumentKind::Index { ",".to_owned() } else { format!("{high},{low}") };
    let _ = writeln!(text, "{},{unused}{band},{freeze}", fields.join(","));
}

/// The exchange's own token of an underlying, which is not its `IDX_I` id (section 8.4).
fn underlying_token(contract: &Contract) -> &'static str {
    match &*contract.underlying {
        "NIFTY" => "26000",
        "BANKNIFTY" => "26009",
        "FINNIFTY" => "26037",
        "SENSEX" => "1",
        _ => "",
    }
}

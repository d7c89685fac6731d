//! Instrument masters in the broker's detailed form, of any size.

use std::fmt::Write as _;

/// As in the real file (`dhanhq-v2.md` section 8.4).
const HEADER: &str = "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,\
DISPLAY_NAME,INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,\
BRACKET_FLAG,COVER_FLAG,ASM_GSM_FLAG,ASM_GSM_CATEGORY,BUY_SELL_INDICATOR,BUY_CO_MIN_MARGIN_PER,\
SELL_CO_MIN_MARGIN_PER,BUY_CO_SL_RANGE_MAX_PERC,SELL_CO_SL_RANGE_MAX_PERC,BUY_CO_SL_RANGE_MIN_PERC,\
SELL_CO_SL_RANGE_MIN_PERC,BUY_BO_MIN_MARGIN_PER,SELL_BO_MIN_MARGIN_PER,BUY_BO_SL_RANGE_MAX_PERC,\
SELL_BO_SL_RANGE_MAX_PERC,BUY_BO_SL_RANGE_MIN_PERC,SELL_BO_SL_MIN_RANGE,BUY_BO_PROFIT_RANGE_MAX_PERC,\
SELL_BO_PROFIT_RANGE_MAX_PERC,BUY_BO_PROFIT_RANGE_MIN_PERC,SELL_BO_PROFIT_RANGE_MIN_PERC,MTF_LEVERAGE,SM_FREEZE_QTY";

/// Underlyings that share the options.
const UNDERLYINGS: usize = 230;
/// The security id of the first option.
const FIRST: usize = 43_125;
/// A call of one share that a spread sells, and the next higher one, which covers it.
pub(crate) const SOLD: usize = FIRST + 2;
/// What covers it.
pub(crate) const COVER: usize = SOLD + UNDERLYINGS;

/// A file of `count` instruments: the equity and the option that the frames are about, and options of many names.
pub(crate) fn detailed_csv(count: usize) -> String {
    let mut text = format!("{HEADER}\n");
    let unused = "0,".repeat(17);
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "NSE,E,2885,INE002A01018,EQUITY,,RELIANCE,RELIANCE INDUSTRIES LTD,RELIANCE INDUSTRIES,ES,EQ,1,0001-01-01,0,XX,5,\
         NA,N,N,N,NA,A,{unused}"
    );
    for number in 0..count.saturating_sub(1) {
        let (id, strike) = (FIRST + number, 20_000 + 50 * (number / UNDERLYINGS));
        let (name, right) = (number % UNDERLYINGS, if number % 2 == 0 { "CE" } else { "PE" });
        let name = if name == 0 { "NIFTY".to_owned() } else { format!("STOCK{name:03}") };
        let kind = if number % UNDERLYINGS == 0 { "OPTIDX" } else { "OPTSTK" };
        let _ = writeln!(
            text,
            "NSE,D,{id},NA,{kind},26000,{name},{name}-Dec2026-{strike}-{right},{name} 29 DEC {strike} {right},OP,NA,65,\
             2026-12-29,{strike},{right},5,M,N,N,N,NA,A,{unused}1800"
        );
    }
    text
}

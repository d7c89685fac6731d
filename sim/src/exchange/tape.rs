//! The tape of a seed as text: what prices and depth would be if nobody traded.

use std::fmt::Write as _;
use std::time::Duration;

use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::Side;
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;

use super::Exchange;
use super::calendar::Calendar;
use super::ladder::Ladder;
use super::market::Market;
use super::settings::{Depth, Level};

impl Exchange {
    /// CSV of the tape, one row for each second of a session and instrument, from `from` on. It follows from the
    /// seed and the first day alone: orders, prices set by hand and depth set by hand do not show.
    /// Columns: India time, segment, security id, best bid, its units, best ask, its units, last price.
    pub fn tape(&self, instruments: &[InstrumentKey], from: Timestamp, seconds: u32) -> String {
        let calendar = Calendar::new(self.settings.holidays.clone());
        let first_day = self.settings.start.ist().date();
        let mut market = Market::new(self.settings.seed, calendar, self.settings.session, first_day);
        let mut text = String::from("time,segment,security_id,bid,bid_quantity,ask,ask_quantity,last\n");
        for second in 0..seconds {
            let at = from.plus(Duration::from_secs(second.into()));
            if !market.is_open(at) {
                continue;
            }
            market.advance(at);
            let tick = market.position().1.unwrap_or(0);
            for contract in instruments.iter().filter_map(|key| self.contract(*key)) {
                let last = market.last(contract);
                let ladder = Ladder::build(&Depth::Synthetic, &market, contract, tick, last);
                let best = |side| {
                    ladder
                        .best_against(side)
                        .unwrap_or(Level { price: Price::ZERO, quantity: Quantity::ZERO })
                };
                let (bid, ask) = (best(Side::Sell), best(Side::Buy));
                // Writing to a text cannot fail.
                let _ = writeln!(
                    text,
                    "{},{},{},{},{},{},{},{last}",
                    at.ist().format("%Y-%m-%d %H:%M:%S"),
                    contract.key.segment,
                    contract.key.security_id,
                    bid.price,
                    bid.quantity,
                    ask.price,
                    ask.quantity,
                );
            }
        }
        text
    }
}

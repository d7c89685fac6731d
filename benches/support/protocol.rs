//! What the bench tells its broker, what it is told back, and the frames of the leader's orders.

use serde::{Deserialize, Serialize};
use tandem_actors::clock::Clock;

use super::instruments::{COVER, SOLD};

/// Prices count frames: each is this far above the last, in paise.
const TICK_PAISE: u32 = 5;
/// The price of frame 0, in paise.
const PRICE_PAISE: u32 = 10_000;

/// Send frames of one leader.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Command {
    /// Whose stream.
    pub(crate) leader: String,
    /// The number of the first frame and its order; never used twice with one leader.
    pub(crate) first_number: u32,
    /// How many.
    pub(crate) count: u32,
    /// Over how many orders the frames go round; each round after the first reports one lot more of each filled. 0:
    /// every frame is about an order of its own.
    pub(crate) orders: u32,
    /// Every how many orders one is about an equity, which is not copied; 0 for never.
    pub(crate) equity_every: u32,
    /// How long order requests wait for their answer.
    pub(crate) answer_after_ms: u64,
    /// In what manner.
    pub(crate) frames: Frames,
}

/// In what manner frames are sent.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Frames {
    /// One after the requests of the other.
    Closed {
        /// Requests that each frame leads to.
        requests_each: usize,
        /// Between the last request and the next frame.
        pause_us: u64,
    },
    /// By the clock.
    Open {
        /// Frames a second.
        per_second: u32,
        /// Requests that each frame leads to; 0 does not wait for any.
        requests_each: usize,
    },
    /// Two frames at once, a purchase and the sale that it covers; the next two when the follower's sale has come, and a
    /// pause has passed.
    Spread {
        /// Between the last request and the next frames.
        pause_us: u64,
        /// Between the purchase's request and the report that the follower's has filled.
        fill_after_us: u64,
    },
    /// All at once.
    Burst {
        /// Requests to wait for.
        requests: usize,
    },
}

/// Moments in nanoseconds of the machine's monotonic clock.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Stamps {
    /// Frames written.
    pub(crate) sent: Vec<u64>,
    /// The first request of each frame read; of a burst, every request in order of arrival.
    pub(crate) first: Vec<u64>,
    /// The last request of each frame read.
    pub(crate) last: Vec<u64>,
    /// Of spreads, the report written that the follower's cover has filled; the sale's request is the last.
    pub(crate) filled: Vec<u64>,
    /// Frames whose requests stayed away; of a burst, requests.
    pub(crate) lost: usize,
}

impl Command {
    /// The numbers of its frames.
    pub(crate) fn numbers(&self) -> std::ops::Range<u32> {
        self.first_number..self.first_number + self.count
    }

    /// The order that a frame is about.
    pub(crate) fn order(&self, number: u32) -> Order {
        let at = number - self.first_number;
        let (order, lots, lots_traded) =
            if self.orders == 0 { (at, 1, 0) } else { (at % self.orders, 10, at / self.orders) };
        let number = self.first_number + order;
        let kind = match self.frames {
            _ if self.equity_every > 0 && number.is_multiple_of(self.equity_every) => Kind::Equity,
            Frames::Spread { .. } if at.is_multiple_of(2) => Kind::Cover,
            Frames::Spread { .. } => Kind::Sale,
            _ => Kind::Option,
        };
        Order { number, kind, quantity: lots * LOT, traded: lots_traded * LOT }
    }

    /// A frame as it goes over the wire.
    pub(crate) fn frame(&self, number: u32) -> Vec<u8> {
        self.order(number).frame(&self.leader)
    }
}

/// Units in a lot of the option.
const LOT: u32 = 65;

/// What an order is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An option that is bought.
    Option,
    /// A share, which is not copied.
    Equity,
    /// A call that is bought and covers the sale of the next frame.
    Cover,
    /// The sale of a call.
    Sale,
}

/// An order in some state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// Which.
    pub(crate) number: u32,
    /// What it is about.
    pub(crate) kind: Kind,
    /// Units.
    pub(crate) quantity: u32,
    /// Units of them filled.
    pub(crate) traded: u32,
}

/// The broker's id of the leader order of a frame.
pub(crate) fn order_id(number: u32) -> String {
    (221_261_100_000_000 + u64::from(number)).to_string()
}

/// The frame an order's price belongs to.
pub(crate) fn number_of_price(price: &str) -> anyhow::Result<u32> {
    let (rupees, paise) = price.trim().split_once('.').unwrap_or((price.trim(), "0"));
    let rupees: u32 = rupees.parse()?;
    let paise: u32 = format!("{paise:0<2}").parse()?;
    Ok((rupees * 100 + paise - PRICE_PAISE) / TICK_PAISE)
}

impl Order {
    /// The same as it goes over the wire.
    pub(crate) fn frame(&self, leader: &str) -> Vec<u8> {
        server_frame(1, self.text(leader).as_bytes())
    }

    /// What the order stream says of an order of the leader's that the exchange has taken, as captured live.
    pub(crate) fn text(&self, leader: &str) -> String {
        self.text_of(leader, &order_id(self.number), "")
    }

    /// The same of the follower's copy of it, under the broker's id and Tandem's own.
    pub(crate) fn text_of(&self, account: &str, order: &str, tag: &str) -> String {
        let paise = PRICE_PAISE + self.number * TICK_PAISE;
        let (rupees, paise) = (paise / 100, paise % 100);
        let now = Clock::system().now().ist().format("%Y-%m-%d %H:%M:%S");
        let (segment, product, instrument, name) = match self.kind {
            Kind::Equity => ("E", "C", "EQUITY", "CNC"),
            Kind::Option => ("D", "M", "OPTIDX", "MARGIN"),
            Kind::Cover | Kind::Sale => ("D", "M", "OPTSTK", "MARGIN"),
        };
        let security = match self.kind {
            Kind::Equity => 2_885,
            Kind::Option => 43_125,
            Kind::Cover => COVER,
            Kind::Sale => SOLD,
        };
        let side = if self.kind == Kind::Sale { "S" } else { "B" };
        let (quantity, rest) = (self.quantity, self.quantity - self.traded);
        let (status, fills) = match self.traded {
            0 => ("Pending", String::new()),
            traded => {
                let price = format!("{rupees}.{paise:02}");
                let fills =
                    format!(r#""tradedQty":{traded},"tradedPrice":{price},"avgTradedPrice":{price},"#);
                (if rest == 0 { "Traded" } else { "Part_Traded" }, fills)
            }
        };
        format!(
            r#"{{"Data":{{"exchange":"NSE","segment":"{segment}","source":"P","securityId":"{security}","clientId":"{account}","exchOrderNo":"11{order}","orderNo":"{order}","product":"{product}","txnType":"{side}","orderType":"LMT","validity":"DAY","remainingQuantity":{rest},"quantity":{quantity},{fills}"price":{rupees}.{paise:02},"strategyId":"NA","offMktFlag":"0","orderDateTime":"{now}","exchOrderTime":"{now}","lastUpdatedTime":"{now}","remarks":" ","mktType":"NL","reasonDescription":"CONFIRMED","legNo":1,"instrument":"{instrument}","symbol":"NIFTY-Dec2026-2","productName":"{name}","status":"{status}","lotSize":65,"strikePrice":26000,"expiryDate":"2026-12-29","optType":"CE","displayName":"NIFTY 29 DEC 26000 CALL","isin":"NA","series":"XX","goodTillDaysDate":"2026-11-23","refLtp":183.1,"tickSize":0.05,"algoId":"0","multiplier":1,"correlationId":"{tag}"}},"Type":"order_alert"}}"#
        )
    }
}

/// An unmasked WebSocket frame.
pub(crate) fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(length),
        _ => {
            frame.push(126);
            // Frames here are of about a kilobyte.
            frame.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

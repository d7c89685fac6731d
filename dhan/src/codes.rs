//! The letters of the order stream and the words of REST against the domain's enums (`dhanhq-v2.md` sections 5.7, 8.5).
//!
//! The domain's enums carry the REST words themselves (`as_str`, `FromStr`); here is what differs from them.

use tandem_domain::instrument::{ExchangeSegment, OptionType};
use tandem_domain::order::{OrderType, Product, Side, TimeInForce};

/// Segment of the stream's and the instrument file's pair: exchange (`NSE`) and letter (`D`).
pub fn segment(exchange: &str, letter: &str) -> Option<ExchangeSegment> {
    match (exchange, letter) {
        ("NSE" | "BSE" | "MCX", "I") => Some(ExchangeSegment::Index),
        ("NSE", "E") => Some(ExchangeSegment::NseEquity),
        ("NSE", "D") => Some(ExchangeSegment::NseFno),
        ("NSE", "C") => Some(ExchangeSegment::NseCurrency),
        ("BSE", "E") => Some(ExchangeSegment::BseEquity),
        ("BSE", "D") => Some(ExchangeSegment::BseFno),
        ("BSE", "C") => Some(ExchangeSegment::BseCurrency),
        ("MCX", "M") => Some(ExchangeSegment::McxCommodity),
        _ => None,
    }
}

/// The pair of a segment, as the stream and the instrument file write it.
pub const fn segment_letters(segment: ExchangeSegment) -> (&'static str, &'static str) {
    match segment {
        ExchangeSegment::Index => ("NSE", "I"),
        ExchangeSegment::NseEquity => ("NSE", "E"),
        ExchangeSegment::NseFno => ("NSE", "D"),
        ExchangeSegment::NseCurrency => ("NSE", "C"),
        ExchangeSegment::BseEquity => ("BSE", "E"),
        ExchangeSegment::BseFno => ("BSE", "D"),
        ExchangeSegment::BseCurrency => ("BSE", "C"),
        ExchangeSegment::McxCommodity => ("MCX", "M"),
    }
}

/// Side, from the stream's letter or the REST word.
pub fn side(text: &str) -> Option<Side> {
    match text.to_ascii_uppercase().as_str() {
        "B" | "BUY" => Some(Side::Buy),
        "S" | "SELL" => Some(Side::Sell),
        _ => None,
    }
}

/// The stream's letter of a side.
pub const fn side_letter(side: Side) -> &'static str {
    match side {
        Side::Buy => "B",
        Side::Sell => "S",
    }
}

/// Product, from the stream's letter or the REST word.
pub fn product(text: &str) -> Option<Product> {
    match text.to_ascii_uppercase().as_str() {
        "C" | "CNC" => Some(Product::Cnc),
        "I" | "INTRADAY" => Some(Product::Intraday),
        "M" | "MARGIN" => Some(Product::Margin),
        "F" | "MTF" => Some(Product::Mtf),
        "V" | "CO" => Some(Product::Cover),
        "B" | "BO" => Some(Product::Bracket),
        _ => None,
    }
}

/// The stream's letter of a product.
pub const fn product_letter(product: Product) -> &'static str {
    match product {
        Product::Cnc => "C",
        Product::Intraday => "I",
        Product::Margin => "M",
        Product::Mtf => "F",
        Product::Cover => "V",
        Product::Bracket => "B",
    }
}

/// Order type, from the stream's code or the REST word.
pub fn order_type(text: &str) -> Option<OrderType> {
    match text.to_ascii_uppercase().as_str() {
        "LMT" | "LIMIT" => Some(OrderType::Limit),
        "MKT" | "MARKET" => Some(OrderType::Market),
        "SL" | "STOP_LOSS" => Some(OrderType::StopLoss),
        "SLM" | "STOP_LOSS_MARKET" => Some(OrderType::StopLossMarket),
        _ => None,
    }
}

/// The stream's code of an order type.
pub const fn order_type_code(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::Limit => "LMT",
        OrderType::Market => "MKT",
        OrderType::StopLoss => "SL",
        OrderType::StopLossMarket => "SLM",
    }
}

/// Time in force; one spelling everywhere, but not one casing.
pub fn time_in_force(text: &str) -> Option<TimeInForce> {
    match text.to_ascii_uppercase().as_str() {
        "DAY" => Some(TimeInForce::Day),
        "IOC" => Some(TimeInForce::Ioc),
        _ => None,
    }
}

/// Option side, from the instrument file and the stream (`CE`) or REST rows (`CALL`).
pub fn option_type(text: &str) -> Option<OptionType> {
    match text.to_ascii_uppercase().as_str() {
        "CE" | "CALL" => Some(OptionType::Call),
        "PE" | "PUT" => Some(OptionType::Put),
        _ => None,
    }
}

/// The REST word of an option side.
pub const fn option_word(option_type: OptionType) -> &'static str {
    match option_type {
        OptionType::Call => "CALL",
        OptionType::Put => "PUT",
    }
}

/// When an after-market order is sent to the exchange (section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AmoTime {
    /// In the pre-open session.
    PreOpen,
    /// At the open.
    Open,
    /// Half an hour after it.
    Open30,
    /// An hour after it.
    Open60,
}

impl AmoTime {
    /// The word of `amoTime`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreOpen => "PRE_OPEN",
            Self::Open => "OPEN",
            Self::Open30 => "OPEN_30",
            Self::Open60 => "OPEN_60",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_is_read_back() {
        for &value in Side::ALL {
            assert_eq!(side(side_letter(value)), Some(value));
            assert_eq!(side(value.as_str()), Some(value));
        }
        for &value in Product::ALL {
            assert_eq!(product(product_letter(value)), Some(value));
            assert_eq!(product(value.as_str()), Some(value));
        }
        for &value in OrderType::ALL {
            assert_eq!(order_type(order_type_code(value)), Some(value));
            assert_eq!(order_type(value.as_str()), Some(value));
        }
        for &value in ExchangeSegment::ALL {
            let (exchange, letter) = segment_letters(value);
            assert_eq!(segment(exchange, letter), Some(value));
        }
        for &value in OptionType::ALL {
            assert_eq!(option_type(value.as_str()), Some(value));
            assert_eq!(option_type(option_word(value)), Some(value));
        }
        assert_eq!(segment("NSE", "M"), None);
    }
}

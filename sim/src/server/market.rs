//! Quotes (`dhanhq-v2.md` section 7.1).

use std::collections::BTreeMap;

use actix_web::web::{Bytes, Data, ServiceConfig, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use tandem_dhan::wire::{
    Decimal, DepthLevel, DepthSides, FullQuote, LastPriceQuote, Ohlc, OhlcQuote, QuoteAnswer, QuoteRequest,
};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::price::{Money, Price};

use super::answer::{Call, answer};
use super::reply::{Reply, Surface};
use crate::broker::Shared;
use crate::exchange::{Exchange, Level, Quote};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/marketfeed/ltp").route(post().to(last_prices)))
        .service(resource("/marketfeed/ohlc").route(post().to(day_prices)))
        .service(resource("/marketfeed/quote").route(post().to(full_quotes)));
}

/// Levels a side on the wire, padded with zeros.
const LEVELS: usize = 5;
/// The most instruments in one request.
const INSTRUMENTS_MAX: usize = 1000;

async fn last_prices(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    quotes(shared, request, body, |quote, _| LastPriceQuote { last_price: quote.last.into() }).await
}

async fn day_prices(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    quotes(shared, request, body, |quote, _| OhlcQuote { last_price: quote.last.into(), ohlc: ohlc(quote) })
        .await
}

async fn full_quotes(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    quotes(shared, request, body, full).await
}

async fn quotes<T: Serialize>(
    shared: Data<Shared>,
    request: HttpRequest,
    body: Bytes,
    shape: impl Fn(&Quote, &Exchange) -> T,
) -> HttpResponse {
    answer(&shared, &request, &body, Call::read(Surface::MarketData), |broker, account| {
        let Some(wanted) = wanted(&body) else {
            return Ok(Reply::market_data_error(400, "814", "Invalid Request"));
        };
        if wanted.values().map(Vec::len).sum::<usize>() > INSTRUMENTS_MAX {
            return Ok(Reply::market_data_error(400, "804", "Requested number of instruments exceeds limit"));
        }
        let now = broker.exchange.now();
        if shared.settings.rate_limits && !broker.quote_pace.allows(account, now) {
            return Ok(Reply::market_data_error(
                429,
                "805",
                "Too many requests. Further requests may be blocked.",
            ));
        }
        let data = wanted
            .iter()
            .map(|(segment, ids)| (segment.clone(), segment_quotes(&broker.exchange, segment, ids, &shape)));
        Ok(Reply::ok(&QuoteAnswer { data: data.collect(), status: "success".to_owned() }))
    })
    .await
}

/// Segments with their instruments. The official SDK puts `dhanClientId` beside the segments, as into every body: what
/// is no list of numbers is passed over.
fn wanted(body: &[u8]) -> Option<QuoteRequest> {
    let fields: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    let lists = fields.into_iter().filter(|(_, value)| value.is_array());
    lists.map(|(segment, ids)| Some((segment, serde_json::from_value(ids).ok()?))).collect()
}

/// The quotes of one segment; what does not exist is left out, without an error (section 7.1).
fn segment_quotes<T>(
    exchange: &Exchange,
    segment: &str,
    ids: &[u32],
    shape: impl Fn(&Quote, &Exchange) -> T,
) -> BTreeMap<String, T> {
    let Ok(segment) = segment.parse::<ExchangeSegment>() else { return BTreeMap::new() };
    ids.iter()
        .filter_map(|id| {
            let quote = exchange.quote(InstrumentKey { segment, security_id: SecurityId(*id) })?;
            Some((id.to_string(), shape(&quote, exchange)))
        })
        .collect()
}

fn ohlc(quote: &Quote) -> Ohlc {
    Ohlc {
        open: quote.open.into(),
        close: quote.previous_close.into(),
        high: quote.high.into(),
        low: quote.low.into(),
    }
}

/// Volumes and open interest are not simulated and read zero.
fn full(quote: &Quote, exchange: &Exchange) -> FullQuote {
    let total = |levels: &[Level]| levels.iter().map(|level| i64::from(level.quantity.get())).sum();
    let signed = |price: Price| Money::from_units(price.units());
    FullQuote {
        average_price: quote.last.into(),
        buy_quantity: total(&quote.bids),
        sell_quantity: total(&quote.asks),
        depth: DepthSides { buy: padded(&quote.bids), sell: padded(&quote.asks) },
        last_price: quote.last.into(),
        last_trade_time: exchange.now().ist().format("%d/%m/%Y %H:%M:%S").to_string(),
        lower_circuit_limit: quote.lower_circuit.into(),
        upper_circuit_limit: quote.upper_circuit.into(),
        net_change: Decimal::from(signed(quote.last).minus(signed(quote.previous_close))),
        ohlc: ohlc(quote),
        ..FullQuote::default()
    }
}

fn padded(levels: &[Level]) -> Vec<DepthLevel> {
    levels
        .iter()
        .map(|level| DepthLevel {
            quantity: level.quantity.get().into(),
            orders: 1,
            price: level.price.into(),
        })
        .chain(std::iter::repeat_with(DepthLevel::default))
        .take(LEVELS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_read_beside_the_account() {
        let read = wanted(br#"{"NSE_FNO":[43125,7],"dhanClientId":"1000000202"}"#).unwrap();
        assert_eq!(read, QuoteRequest::from([("NSE_FNO".to_owned(), vec![43_125, 7])]));
        assert_eq!(wanted(br#"{"NSE_FNO":["x"]}"#), None);
        assert_eq!(wanted(b"[]"), None);
    }
}

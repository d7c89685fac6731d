//! The handlers of the control API.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Data, Json, Payload, Query, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tandem_dhan::wire::Decimal;
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::price::Money;
use tandem_domain::quantity::Quantity;

use super::{bad_request, books, clock_socket, orders, positions};
use crate::broker::Shared;
use crate::clock::{ClockControl, Rate};
use crate::exchange::{ApiError, Depth, Level, RateLimits};
use crate::faults::{Fault, Operation};
use crate::server::requests;
use crate::settings::{SimDepth, parse_ist};
use crate::simulator::Description;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/sim").route(get().to(describe)))
        .service(resource("/sim/orders").route(post().to(orders::app_order)))
        .service(resource("/sim/fills").route(post().to(orders::fill)))
        .service(resource("/sim/fills/together").route(post().to(orders::fill_together)))
        .service(resource("/sim/rejections").route(post().to(orders::reject)))
        .service(resource("/sim/positions").route(post().to(positions::change)))
        .service(resource("/sim/square_off").route(post().to(positions::square_off)))
        .service(resource("/sim/funds").route(post().to(positions::pay)))
        .service(resource("/sim/faults").route(post().to(inject)))
        .service(resource("/sim/market").route(post().to(change_market)))
        .service(resource("/sim/exchange").route(post().to(change_exchange)))
        .service(resource("/sim/books").route(get().to(all_books)))
        .service(resource("/sim/requests").route(get().to(request_records)))
        .service(resource("/sim/frames").route(get().to(frame_records)))
        .service(resource("/sim/records/clear").route(post().to(clear_records)))
        .service(resource("/sim/tape").route(get().to(tape)))
        .service(resource("/sim/clock").route(get().to(clock)).route(post().to(move_clock)));
}

async fn describe(shared: Data<Shared>, description: Data<Description>) -> HttpResponse {
    let broker = shared.lock();
    let streams: serde_json::Map<_, _> = broker
        .accounts
        .iter()
        .map(|entry| (entry.client_id.to_string(), broker.streams.count(&entry.client_id).into()))
        .collect();
    HttpResponse::Ok().json(json!({
        "simulator": **description,
        "now": broker.now().to_string(),
        "now_us": broker.now().micros(),
        "rate": f64::from(broker.clock.rate()),
        "open_streams": streams,
        "daemons": broker.daemons.count(),
    }))
}

/// A fault and whose.
#[derive(Debug, Deserialize)]
struct FaultOrder {
    account: DhanClientId,
    #[serde(flatten)]
    fault: serde_json::Map<String, serde_json::Value>,
}

async fn inject(shared: Data<Shared>, order: Json<FaultOrder>) -> HttpResponse {
    let FaultOrder { account, fault } = order.into_inner();
    let fault: Fault = match serde_json::from_value(fault.into()) {
        Ok(fault) => fault,
        Err(error) => return bad_request(&error.to_string()),
    };
    if shared.with(|broker| broker.inject(&account, fault)) {
        HttpResponse::Ok().json(json!({"ok": true}))
    } else {
        bad_request(&format!("no account {account}"))
    }
}

/// A change of one instrument's market.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarketOrder {
    segment: ExchangeSegment,
    security_id: u32,
    change: MarketChange,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MarketChange {
    /// The last price becomes so many rupees; the path goes on from there.
    LastPrice(Decimal),
    /// The price stands still, or moves again.
    Freeze(bool),
    /// The depth; `null` for the exchange's default.
    Depth(Option<SimDepth>),
    /// Exactly these levels, best first: `[[rupees, units], ...]`.
    Levels { bids: Vec<(Decimal, u32)>, asks: Vec<(Decimal, u32)> },
    /// Lowest and highest price of an order, in rupees; `null` for the day's own.
    Band(Option<(Decimal, Decimal)>),
}

async fn change_market(shared: Data<Shared>, order: Json<MarketOrder>) -> HttpResponse {
    let MarketOrder { segment, security_id, change } = order.into_inner();
    let instrument = InstrumentKey { segment, security_id: SecurityId(security_id) };
    let outcome = shared.with(|broker| {
        let exchange = &mut broker.exchange;
        Ok::<bool, ApiError>(match change {
            MarketChange::LastPrice(rupees) => {
                exchange.set_last_price(instrument, requests::price(Some(rupees))?)
            }
            MarketChange::Freeze(true) => exchange.freeze_price(instrument),
            MarketChange::Freeze(false) => exchange.release_price(instrument),
            MarketChange::Depth(depth) => exchange.set_depth(instrument, depth.map(SimDepth::exchange)),
            MarketChange::Levels { bids, asks } => {
                let depth = Depth::Fixed { bids: levels(bids)?, asks: levels(asks)? };
                exchange.set_depth(instrument, Some(depth))
            }
            MarketChange::Band(None) => exchange.set_band(instrument, None),
            MarketChange::Band(Some((low, high))) => {
                let band = (requests::price(Some(low))?, requests::price(Some(high))?);
                exchange.set_band(instrument, Some(band))
            }
        })
    });
    match outcome {
        Ok(true) => HttpResponse::Ok().json(json!({"ok": true})),
        Ok(false) => bad_request(&format!("no instrument {instrument}, or no band")),
        Err(error) => bad_request(&error.message),
    }
}

fn levels(wire: Vec<(Decimal, u32)>) -> Result<Vec<Level>, ApiError> {
    wire.into_iter()
        .map(|(rupees, units)| {
            Ok(Level { price: requests::price(Some(rupees))?, quantity: Quantity::new(units) })
        })
        .collect()
}

/// A change of the exchange or of an account's money; what is left out stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExchangeChange {
    latency_ms: Option<u64>,
    rate_limits: Option<bool>,
    depth: Option<SimDepth>,
    account: Option<DhanClientId>,
    capital_rupees: Option<i64>,
}

async fn change_exchange(shared: Data<Shared>, change: Json<ExchangeChange>) -> HttpResponse {
    let change = change.into_inner();
    let known = shared.with(|broker| {
        let exchange = &mut broker.exchange;
        if let Some(ms) = change.latency_ms {
            exchange.set_exchange_latency(Duration::from_millis(ms));
        }
        if let Some(on) = change.rate_limits {
            exchange.set_rate_limits(on.then(RateLimits::default));
        }
        if let Some(depth) = change.depth {
            exchange.set_default_depth(depth.exchange());
        }
        match (&change.account, change.capital_rupees) {
            (Some(account), Some(rupees)) => exchange.set_capital(account, Money::from_rupees(rupees)),
            (None, None) => true,
            _ => false,
        }
    });
    if known {
        HttpResponse::Ok().json(json!({"ok": true}))
    } else {
        bad_request("account and capital_rupees go together, and the account must exist")
    }
}

async fn all_books(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(shared.with(|broker| books::books(broker)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    account: Option<DhanClientId>,
    operation: Option<Operation>,
    #[serde(default)]
    since: u64,
}

async fn request_records(shared: Data<Shared>, which: Query<Which>) -> HttpResponse {
    let broker = shared.lock();
    let wanted: Vec<_> = broker
        .records
        .requests()
        .filter(|record| which.account.is_none() || record.account == which.account)
        .filter(|record| which.operation.is_none_or(|operation| record.operation == operation))
        .filter(|record| record.sequence >= which.since)
        .collect();
    HttpResponse::Ok().json(wanted)
}

async fn frame_records(shared: Data<Shared>, which: Query<Which>) -> HttpResponse {
    let broker = shared.lock();
    let wanted: Vec<_> = broker
        .records
        .frames()
        .filter(|record| which.account.as_ref().is_none_or(|account| record.account == *account))
        .filter(|record| record.sent_ns >= which.since)
        .collect();
    HttpResponse::Ok().json(wanted)
}

async fn clear_records(shared: Data<Shared>) -> HttpResponse {
    shared.lock().records.clear();
    HttpResponse::Ok().json(json!({"ok": true}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TapeQuery {
    seconds: u32,
    /// `NSE_FNO:43125,NSE_EQ:2885`; all instruments when left out.
    instruments: Option<String>,
    /// `YYYY-MM-DD HH:MM:SS`; the start of the clock when left out.
    from: Option<String>,
}

/// The most rows of a tape in one answer: a day of one instrument, a minute of all.
const TAPE_ROWS_MAX: usize = 100_000;

async fn tape(shared: Data<Shared>, query: Query<TapeQuery>) -> HttpResponse {
    let from = match query.from.as_deref().map(parse_ist) {
        None => shared.settings.start,
        Some(Ok(from)) => from,
        Some(Err(error)) => return bad_request(&format!("from: {error}")),
    };
    let broker = shared.lock();
    let instruments = match query.instruments.as_deref().map(parse_instruments) {
        None => broker.exchange.contracts().iter().map(|contract| contract.key).collect(),
        Some(Some(instruments)) => instruments,
        Some(None) => return bad_request("instruments: SEGMENT:security id, with commas between"),
    };
    if instruments.len().saturating_mul(query.seconds as usize) > TAPE_ROWS_MAX {
        return bad_request("more than 100000 rows: ask for fewer instruments or seconds");
    }
    let text = broker.exchange.tape(&instruments, from, query.seconds);
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/csv")).body(text)
}

fn parse_instruments(text: &str) -> Option<Vec<InstrumentKey>> {
    text.split(',')
        .map(|one| {
            let (segment, security_id) = one.trim().split_once(':')?;
            Some(InstrumentKey { segment: segment.parse().ok()?, security_id: security_id.parse().ok()? })
        })
        .collect()
}

#[derive(Debug, Serialize)]
struct ClockState {
    now: String,
    now_us: i64,
    rate: f64,
}

fn clock_state(clock: &ClockControl) -> ClockState {
    let now = clock.now();
    ClockState { now: now.to_string(), now_us: now.micros(), rate: clock.rate().into() }
}

/// The time; with an upgrade to WebSocket, the lent clock.
async fn clock(
    shared: Data<Shared>,
    clock: Data<ClockControl>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, actix_web::Error> {
    if request.headers().contains_key(header::UPGRADE) {
        return clock_socket::accept(&shared, &request, payload);
    }
    Ok(HttpResponse::Ok().json(clock_state(&clock)))
}

/// Where the clock shall go, or how fast.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClockOrder {
    Rate(Rate),
    /// `YYYY-MM-DD HH:MM:SS`, Indian time.
    RunUntil(String),
    /// Simulated seconds.
    RunFor(u64),
}

/// Answers when the clock has got there.
async fn move_clock(clock: Data<ClockControl>, order: Json<ClockOrder>) -> HttpResponse {
    let run = match order.into_inner() {
        ClockOrder::Rate(rate) => {
            clock.set_rate(rate);
            return HttpResponse::Ok().json(clock_state(&clock));
        }
        ClockOrder::RunUntil(text) => match parse_ist(&text) {
            Ok(target) => clock.run_until(target),
            Err(error) => return bad_request(&format!("run_until: {error}")),
        },
        ClockOrder::RunFor(seconds) => clock.run_for(Duration::from_secs(seconds)),
    };
    match run.finished().await {
        Ok(_) => HttpResponse::Ok().json(clock_state(&clock)),
        Err(stopped) => HttpResponse::ServiceUnavailable().json(json!({"error": stopped.to_string()})),
    }
}

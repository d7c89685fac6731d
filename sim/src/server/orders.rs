//! Orders and trades (`dhanhq-v2.md` section 2).

use actix_web::web::{Bytes, Data, Path, ServiceConfig, delete, get, post, put, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;
use tandem_dhan::wire::{ModifyOrderRequest, OrderAnswer, PlaceOrderRequest};
use tandem_domain::ids::DhanClientId;
use tandem_domain::order::Product;
use tandem_domain::price::Price;

use super::answer::{Call, answer};
use super::reply::{Reply, Surface};
use super::{requests, rows};
use crate::broker::{Broker, Shared};
use crate::exchange::{self, ApiError, BracketValues, Exchange, SimOrder, SimTrade, Source};
use crate::faults::Operation;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/orders").route(post().to(place)).route(get().to(book)))
        .service(resource("/orders/slicing").route(post().to(place_sliced)))
        .service(resource("/orders/external/{tag}").route(get().to(by_tag)))
        .service(
            resource("/orders/{order_id}")
                .route(get().to(by_id))
                .route(put().to(modify))
                .route(delete().to(cancel)),
        )
        // The official SDK asks with the slash.
        .service(resource(["/trades", "/trades/"]).route(get().to(trades)))
        .service(resource("/trades/{order_id}").route(get().to(trades_of)))
        .service(resource("/trades/{from}/{to}/{page}").route(get().to(trade_history)));
}

const READ: Call = Call::read(Surface::Trading);

async fn place(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let accept_empty = shared.settings.variants.accept_empty_numbers;
    answer(&shared, &request, &body, Call::write(Operation::Place), |broker, account| {
        let wire: PlaceOrderRequest = requests::order_body(&body, accept_empty)?;
        let taken = place_ordered(&mut broker.exchange, account, Source::Api, &wire)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

/// Places what a body of `POST /orders` asks for. A bracket order (product `BO`) brings its exits as changes of price, a
/// cover order (`CO`) its stop as the trigger (section 2.2).
pub(crate) fn place_ordered(
    exchange: &mut Exchange,
    account: &DhanClientId,
    source: Source,
    wire: &PlaceOrderRequest,
) -> Result<exchange::OrderAnswer, ApiError> {
    let mut request = requests::place(wire)?;
    match request.terms.product {
        Product::Bracket => {
            let values = BracketValues {
                profit: requests::price(wire.bo_profit_value)?,
                stop_loss: requests::price(wire.bo_stop_loss_value)?,
            };
            exchange.place_bracket(account, source, &request, values)
        }
        Product::Cover => {
            let stop = std::mem::replace(&mut request.terms.trigger, Price::ZERO);
            exchange.place_cover(account, source, &request, stop)
        }
        Product::Cnc | Product::Intraday | Product::Margin | Product::Mtf => {
            exchange.place(account, source, &request)
        }
    }
}

async fn place_sliced(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let accept_empty = shared.settings.variants.accept_empty_numbers;
    answer(&shared, &request, &body, Call::write(Operation::Place), |broker, account| {
        let wire: PlaceOrderRequest = requests::order_body(&body, accept_empty)?;
        let taken = broker.exchange.place_sliced(account, Source::Api, &requests::place(&wire)?)?;
        Ok(Reply::ok(&taken.iter().map(order_answer).collect::<Vec<_>>()))
    })
    .await
}

async fn modify(
    shared: Data<Shared>,
    request: HttpRequest,
    order_id: Path<String>,
    body: Bytes,
) -> HttpResponse {
    let accept_empty = shared.settings.variants.accept_empty_numbers;
    answer(&shared, &request, &body, Call::write(Operation::Modify), |broker, account| {
        let wire: ModifyOrderRequest = requests::order_body(&body, accept_empty)?;
        let change = requests::modify(&wire)?;
        let taken = broker.exchange.modify(account, Source::Api, &order_id, &change)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

async fn cancel(shared: Data<Shared>, request: HttpRequest, order_id: Path<String>) -> HttpResponse {
    answer(&shared, &request, &[], Call::write(Operation::Cancel), |broker, account| {
        let taken = broker.exchange.cancel(account, Source::Api, &order_id)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

async fn book(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    answer(&shared, &request, &[], READ, |broker, account| {
        let stale = broker.faults.of(account).stale_book.clone();
        Ok(stale.unwrap_or_else(|| book_as_it_is(broker, account)))
    })
    .await
}

/// The answer to `GET /orders` without faults.
pub(crate) fn book_as_it_is(broker: &Broker, account: &DhanClientId) -> Reply {
    let documented = broker.settings.variants.documented_nulls;
    Reply::ok(&order_rows(broker, &broker.exchange.book(account), documented))
}

async fn by_id(shared: Data<Shared>, request: HttpRequest, order_id: Path<String>) -> HttpResponse {
    let variants = &shared.settings.variants;
    answer(&shared, &request, &[], READ, |broker, account| {
        let found: Vec<&SimOrder> = broker.exchange.order(account, &order_id).into_iter().collect();
        let mut rows = order_rows(broker, &found, variants.documented_nulls);
        Ok(match rows.pop() {
            Some(row) if variants.order_as_object => Reply::ok(&row),
            Some(row) => Reply::ok(&[row]),
            None => Reply::ok(&rows), // 200 [] for an unknown id
        })
    })
    .await
}

async fn by_tag(shared: Data<Shared>, request: HttpRequest, tag: Path<String>) -> HttpResponse {
    let variants = &shared.settings.variants;
    answer(&shared, &request, &[], READ, |broker, account| {
        let found = broker.exchange.orders_by_tag(account, &tag);
        let rows = order_rows(broker, &found, variants.documented_nulls);
        match rows.as_slice() {
            [] => Err(ApiError { http: 404, ..ApiError::order(ApiError::INCORRECT_REQUEST) }),
            [row] if !variants.tag_lookup_as_array => Ok(Reply::ok(row)),
            several => Ok(Reply::ok(&several)),
        }
    })
    .await
}

async fn trades(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    let documented = shared.settings.variants.documented_nulls;
    answer(&shared, &request, &[], READ, |broker, account| {
        Ok(Reply::ok(&trade_rows(broker, &broker.exchange.trades(account), documented)))
    })
    .await
}

async fn trades_of(shared: Data<Shared>, request: HttpRequest, order_id: Path<String>) -> HttpResponse {
    let documented = shared.settings.variants.documented_nulls;
    answer(&shared, &request, &[], READ, |broker, account| {
        Ok(Reply::ok(&trade_rows(broker, &broker.exchange.trades_of(account, &order_id), documented)))
    })
    .await
}

/// Trades of the days from one date to another, twenty on a page, the first page being 0.
async fn trade_history(
    shared: Data<Shared>,
    request: HttpRequest,
    span: Path<(String, String, usize)>,
) -> HttpResponse {
    const PAGE: usize = 20;
    let documented = shared.settings.variants.documented_nulls;
    let (from, to, page) = span.into_inner();
    answer(&shared, &request, &[], READ, |broker, account| {
        let (from, to) =
            (requests::word::<chrono::NaiveDate>(&from)?, requests::word::<chrono::NaiveDate>(&to)?);
        let of_days = |trade: &&SimTrade| (from..=to).contains(&trade.at.trading_day().date());
        let all: Vec<&SimTrade> = broker.exchange.all_trades(account).into_iter().filter(of_days).collect();
        let start = page.saturating_mul(PAGE).min(all.len());
        let rows = &all[start..all.len().min(start + PAGE)];
        Ok(Reply::ok(&trade_rows(broker, rows, documented)))
    })
    .await
}

pub(super) fn order_answer(taken: &exchange::OrderAnswer) -> OrderAnswer {
    OrderAnswer { order_id: taken.order_id.to_string(), order_status: taken.status.as_str().to_owned() }
}

fn order_rows(broker: &Broker, orders: &[&SimOrder], documented: bool) -> Vec<Value> {
    let rows: Vec<_> = orders.iter().map(|order| rows::order(order, &broker.exchange)).collect();
    rows::spelled(&rows, documented)
}

fn trade_rows(broker: &Broker, trades: &[&SimTrade], documented: bool) -> Vec<Value> {
    let rows: Vec<_> = trades.iter().map(|trade| rows::trade(trade, &broker.exchange)).collect();
    rows::spelled(&rows, documented)
}

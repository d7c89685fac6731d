//! Super and forever orders (`dhanhq-v2.md` section 3). For faults and records they count as placing, changing and
//! cancelling like any order.

use actix_web::web::{Bytes, Data, Path, ServiceConfig, delete, get, post, put, resource};
use actix_web::{HttpRequest, HttpResponse};
use tandem_dhan::wire::{
    CreateForeverOrderRequest, ModifyForeverOrderRequest, ModifySuperOrderRequest, PlaceSuperOrderRequest,
};

use super::answer::{Call, answer};
use super::orders::order_answer;
use super::reply::{Reply, Surface};
use super::{requests, rows};
use crate::broker::Shared;
use crate::exchange::Source;
use crate::faults::Operation;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/super/orders").route(post().to(place_super)).route(get().to(super_orders)))
        .service(resource("/super/orders/{order_id}").route(put().to(modify_super)))
        .service(resource("/super/orders/{order_id}/{leg}").route(delete().to(cancel_super)))
        .service(resource("/forever/orders").route(post().to(place_forever)).route(get().to(forever_orders)))
        .service(
            resource("/forever/orders/{order_id}")
                .route(put().to(modify_forever))
                .route(delete().to(cancel_forever)),
        );
}

const READ: Call = Call::read(Surface::Trading);

async fn place_super(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let accept_empty = shared.settings.variants.accept_empty_numbers;
    answer(&shared, &request, &body, Call::write(Operation::Place), |broker, account| {
        let wire: PlaceSuperOrderRequest = requests::order_body(&body, accept_empty)?;
        let taken = broker.exchange.place_super(account, Source::Api, &requests::place_super(&wire)?)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

async fn modify_super(
    shared: Data<Shared>,
    request: HttpRequest,
    order_id: Path<String>,
    body: Bytes,
) -> HttpResponse {
    let accept_empty = shared.settings.variants.accept_empty_numbers;
    answer(&shared, &request, &body, Call::write(Operation::Modify), |broker, account| {
        let wire: ModifySuperOrderRequest = requests::order_body(&body, accept_empty)?;
        let change = requests::modify_super(&wire)?;
        let taken = broker.exchange.modify_super(account, Source::Api, &order_id, &change)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

/// The documentation says 202, the portal 200.
async fn cancel_super(
    shared: Data<Shared>,
    request: HttpRequest,
    path: Path<(String, String)>,
) -> HttpResponse {
    let (order_id, leg) = path.into_inner();
    answer(&shared, &request, &[], Call::write(Operation::Cancel), |broker, account| {
        let taken = broker.exchange.cancel_super(account, Source::Api, &order_id, requests::leg(&leg)?)?;
        Ok(Reply::json(202, &order_answer(&taken)))
    })
    .await
}

async fn super_orders(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    let variants = &shared.settings.variants;
    answer(&shared, &request, &[], READ, |broker, account| {
        let exchange = &broker.exchange;
        Ok(Reply::ok(&rows::super_orders(&exchange.super_orders(account), exchange, variants)))
    })
    .await
}

async fn place_forever(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let accept_empty = shared.settings.variants.accept_empty_numbers;
    answer(&shared, &request, &body, Call::write(Operation::Place), |broker, account| {
        let wire: CreateForeverOrderRequest = requests::order_body(&body, accept_empty)?;
        let taken = broker.exchange.place_forever(account, Source::Api, &requests::place_forever(&wire)?)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

async fn modify_forever(
    shared: Data<Shared>,
    request: HttpRequest,
    order_id: Path<String>,
    body: Bytes,
) -> HttpResponse {
    let accept_empty = shared.settings.variants.accept_empty_numbers;
    answer(&shared, &request, &body, Call::write(Operation::Modify), |broker, account| {
        let wire: ModifyForeverOrderRequest = requests::order_body(&body, accept_empty)?;
        let change = requests::modify_forever(&wire)?;
        let taken = broker.exchange.modify_forever(account, Source::Api, &order_id, &change)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

async fn cancel_forever(shared: Data<Shared>, request: HttpRequest, order_id: Path<String>) -> HttpResponse {
    answer(&shared, &request, &[], Call::write(Operation::Cancel), |broker, account| {
        let taken = broker.exchange.cancel_forever(account, Source::Api, &order_id)?;
        Ok(Reply::ok(&order_answer(&taken)))
    })
    .await
}

async fn forever_orders(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    answer(&shared, &request, &[], READ, |broker, account| {
        let exchange = &broker.exchange;
        Ok(Reply::ok(&rows::forever_orders(&exchange.forever_orders(account), exchange)))
    })
    .await
}

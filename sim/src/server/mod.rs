//! The REST surface (`dhanhq-v2.md` sections 2, 3, 4, 7 and 13) and the instrument files.

mod account;
pub(crate) mod answer;
mod composites;
pub(crate) mod connection;
mod instruments;
mod market;
pub(crate) mod orders;
mod portfolio;
pub(crate) mod reply;
pub(crate) mod requests;
pub(crate) mod rows;
mod sweep;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::{Server, Service};
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::{Data, ServiceConfig, scope, to};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer};

pub(crate) use self::instruments::{COMPACT_PATH, DETAILED_PATH};
pub(crate) use self::orders::book_as_it_is;
pub(crate) use self::reply::Reply;

use self::answer::Arrived;
use self::connection::Connection;
use crate::broker::Shared;

const KEEP_ALIVE: Duration = Duration::from_mins(5);

/// A server on a bound listener; runs when awaited.
pub(crate) fn serve(listener: TcpListener, shared: Arc<Shared>) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::from(shared.clone()))
            .wrap_fn(|request, service| {
                request.extensions_mut().insert(Arrived(Instant::now()));
                service.call(request)
            })
            .service(scope("/v2").configure(trading_routes))
            .configure(instruments::file_routes)
            .configure(account::login_routes)
            .default_service(to(unknown_path))
    })
    .on_connect(Connection::remember)
    .tcp_nodelay(true)
    // Longer than any client's pool: who closes an idle connection is the client's choice.
    .keep_alive(KEEP_ALIVE)
    .workers(1)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

fn trading_routes(config: &mut ServiceConfig) {
    config
        .configure(orders::routes)
        .configure(composites::routes)
        .configure(portfolio::routes)
        .configure(account::routes)
        .configure(market::routes)
        .configure(instruments::redirect_routes);
}

async fn unknown_path(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    let reply = Reply::unknown_path(request.path(), shared.lock().now());
    plain(reply)
}

/// A reply that no frame waits for.
pub(crate) fn plain(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).insert_header(ContentType::json()).body(reply.body)
}

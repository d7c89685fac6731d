//! The control API (`docs/simulator.md`): the app, faults, the market and the positions by hand, the books,
//! the clock.

pub(crate) mod books;
mod clock_socket;
mod orders;
mod positions;
mod routes;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::{Data, JsonConfig, QueryConfig};
use actix_web::{App, HttpResponse, HttpServer, error};
use serde_json::json;

use crate::broker::Shared;
use crate::clock::ClockControl;
use crate::simulator::Description;

/// A server on a bound listener; runs when awaited.
pub(crate) fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    clock: ClockControl,
    description: Description,
) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::from(shared.clone()))
            .app_data(Data::new(clock.clone()))
            .app_data(Data::new(description.clone()))
            .app_data(JsonConfig::default().error_handler(|fault, _| refused(fault.to_string())))
            .app_data(QueryConfig::default().error_handler(|fault, _| refused(fault.to_string())))
            .configure(routes::routes)
    })
    .tcp_nodelay(true)
    .workers(1)
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

fn bad_request(why: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({ "error": why }))
}

fn refused(why: String) -> actix_web::Error {
    error::InternalError::from_response(why.clone(), bad_request(&why)).into()
}

//! The instrument files, and the redirect to one segment's (`dhanhq-v2.md` section 8.1). No token is asked for.

use actix_web::HttpResponse;
use actix_web::http::header::{self, ContentType};
use actix_web::mime::TEXT_CSV_UTF_8;
use actix_web::web::{Data, Path, ServiceConfig, get, resource};
use tandem_dhan::codes;
use tandem_domain::instrument::ExchangeSegment;

use super::plain;
use super::reply::Reply;
use crate::broker::Shared;
use crate::exchange::ApiError;

/// Path of the detailed file, on the host of the REST API.
pub(crate) const DETAILED_PATH: &str = "/api-data/api-scrip-master-detailed.csv";
/// Path of the compact file.
pub(crate) const COMPACT_PATH: &str = "/api-data/api-scrip-master.csv";

pub(super) fn file_routes(config: &mut ServiceConfig) {
    config
        .service(resource(COMPACT_PATH).route(get().to(compact)))
        .service(resource(DETAILED_PATH).route(get().to(detailed)))
        .service(resource("/api-data/segment/{segment}.csv").route(get().to(one_segment)));
}

pub(super) fn redirect_routes(config: &mut ServiceConfig) {
    config.service(resource("/instrument/{segment}").route(get().to(redirect)));
}

async fn compact(shared: Data<Shared>) -> HttpResponse {
    csv(shared.lock().exchange.compact_csv())
}

async fn detailed(shared: Data<Shared>) -> HttpResponse {
    csv(shared.lock().exchange.detailed_csv())
}

async fn one_segment(shared: Data<Shared>, segment: Path<String>) -> HttpResponse {
    let Ok(segment) = segment.parse::<ExchangeSegment>() else { return unknown_segment() };
    let (exchange, letter) = codes::segment_letters(segment);
    let whole = shared.lock().exchange.detailed_csv();
    let wanted = format!("{exchange},{letter},");
    let mut lines = whole.split_inclusive('\n');
    let header = lines.next().unwrap_or_default();
    let rows: String = lines.filter(|line| line.starts_with(&wanted)).collect();
    csv(format!("{header}{rows}"))
}

async fn redirect(segment: Path<String>) -> HttpResponse {
    match segment.parse::<ExchangeSegment>() {
        Ok(segment) => HttpResponse::Found()
            .insert_header((header::LOCATION, format!("/api-data/segment/{segment}.csv")))
            .finish(),
        Err(_) => unknown_segment(),
    }
}

fn unknown_segment() -> HttpResponse {
    plain(Reply::from(ApiError::input(ApiError::GENERIC_INPUT)))
}

fn csv(text: String) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType(TEXT_CSV_UTF_8)).body(text)
}

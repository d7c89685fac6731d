//! Profile, static IP, token renewal and minting (`dhanhq-v2.md` sections 1.4 to 1.6).

use std::net::IpAddr;

use actix_web::web::{Bytes, Data, Query, ServiceConfig, get, post, put, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use tandem_dhan::wire::{IpAnswer, IpError, IpStatus, Profile, RenewedToken, SetIpRequest};
use tandem_domain::ids::DhanClientId;

use super::answer::{Call, answer, answer_named};
use super::reply::{Reply, Surface};
use super::{plain, requests};
use crate::broker::{Broker, Shared};
use crate::exchange::ApiError;
use crate::faults::Operation;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/profile").route(get().to(profile)))
        .service(resource("/ip/getIP").route(get().to(ip_status)))
        .service(resource("/ip/setIP").route(post().to(set_ip)))
        .service(resource("/ip/modifyIP").route(put().to(modify_ip)))
        .service(resource("/RenewToken").route(get().to(renew_token)).route(post().to(not_by_post)));
}

/// What stands on the login host.
pub(super) fn login_routes(config: &mut ServiceConfig) {
    config.service(resource("/app/generateAccessToken").route(post().to(mint_token)));
}

const READ: Call = Call::read(Surface::Trading);
const TOKEN: Call = Call::read_of(Operation::Token);

async fn profile(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    answer(&shared, &request, &[], Call::read(Surface::Profile), |broker, account| {
        let entry = broker.accounts.get(account.as_str()).ok_or_else(ApiError::authentication)?;
        let expires = entry.expires.map(|at| at.ist().format("%d/%m/%Y %H:%M").to_string());
        Ok(Reply::ok(&Profile {
            dhan_client_id: account.to_string(),
            token_validity: expires.unwrap_or_else(|| "31/12/2099 23:59".to_owned()),
            active_segment: "E, D, C, M, ".to_owned(), // as seen live, trailing comma and all
            ddpi: "Active".to_owned(),
            mtf: "Active".to_owned(),
            data_plan: "Active".to_owned(),
            data_validity: "2099-12-31 23:59:00.0".to_owned(),
        }))
    })
    .await
}

async fn ip_status(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    let detected = request.peer_addr().map(|address| address.ip());
    answer(&shared, &request, &[], READ, |broker, account| {
        let entry = broker.accounts.get(account.as_str()).ok_or_else(ApiError::authentication)?;
        let addresses = &entry.addresses;
        let text = |address: Option<IpAddr>| address.map_or_else(String::new, |address| address.to_string());
        let matches = |slot: Option<IpAddr>| slot.is_some() && slot == detected;
        let ip_match_status = match addresses {
            of if matches(of.primary) => "PRIMARY_MATCH",
            of if matches(of.secondary) => "SECONDARY_MATCH",
            of if of.allow(None) => "NOT_CONFIGURED",
            _ => "MISMATCH",
        };
        Ok(Reply::ok(&IpStatus {
            primary_ip: text(addresses.primary),
            secondary_ip: text(addresses.secondary),
            detected_ip: text(detected),
            ip_match_status: ip_match_status.to_owned(),
            orders_allowed: Some(addresses.allow(detected)),
            ..IpStatus::default()
        }))
    })
    .await
}

async fn set_ip(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&shared, &request, &body, READ, |broker, account| change_ip(broker, account, &body)).await
}

async fn modify_ip(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&shared, &request, &body, READ, |broker, account| change_ip(broker, account, &body)).await
}

/// Sets a slot. The broker allows one change a slot in seven days; the simulator does not hold anybody to that.
fn change_ip(broker: &mut Broker, account: &DhanClientId, body: &[u8]) -> Result<Reply, ApiError> {
    let wire: SetIpRequest = requests::body(body)?;
    let Ok(address) = wire.ip.parse::<IpAddr>() else {
        let error = IpError { message: "Invalid IP address".to_owned(), status: "ERROR".to_owned() };
        return Ok(Reply::ok(&[error])); // an error with HTTP 200, as seen live
    };
    let entry = broker.accounts.get_mut(account).ok_or_else(ApiError::authentication)?;
    match wire.ip_flag.as_str() {
        "PRIMARY" => entry.addresses.primary = Some(address),
        "SECONDARY" => entry.addresses.secondary = Some(address),
        _ => return Err(requests::bad_fields()),
    }
    let done = IpAnswer { message: "IP saved successfully".to_owned(), status: "SUCCESS".to_owned() };
    Ok(Reply::ok(&done))
}

async fn renew_token(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    let named =
        request.headers().get("dhanClientId").and_then(|value| value.to_str().ok()).map(str::to_owned);
    answer(&shared, &request, &[], TOKEN, |broker, account| {
        if named.as_deref() != Some(account.as_str()) {
            return Err(requests::bad_fields());
        }
        let access_token = broker.renew_token(account).ok_or_else(ApiError::authentication)?;
        Ok(Reply::ok(&RenewedToken { access_token }))
    })
    .await
}

/// Seen live: a POST is answered with 400.
async fn not_by_post() -> HttpResponse {
    plain(requests::bad_fields().into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MintQuery {
    dhan_client_id: DhanClientId,
    pin: String,
    totp: String,
}

/// The answer to a minting; a secret: no `Debug`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MintedToken {
    dhan_client_id: DhanClientId,
    dhan_client_name: String,
    dhan_client_ucc: String,
    given_power_of_attorney: bool,
    access_token: String,
    /// In India, without a zone.
    expiry_time: String,
}

/// What a wrong PIN or code is answered with was not found anywhere; words with HTTP 200 are the hardest case for a client.
#[derive(Serialize)]
struct Refused {
    status: &'static str,
    message: &'static str,
}

async fn mint_token(shared: Data<Shared>, request: HttpRequest, query: Query<MintQuery>) -> HttpResponse {
    let MintQuery { dhan_client_id, pin, totp } = query.into_inner();
    if shared.lock().accounts.get(dhan_client_id.as_str()).is_none() {
        return plain(ApiError::authentication().into());
    }
    answer_named(&shared, &request, &dhan_client_id, TOKEN, |broker, account| {
        let now = broker.exchange.now();
        if let Err(message) = broker.accounts.proves(account, &pin, &totp, now) {
            return Ok(Reply::ok(&Refused { status: "error", message }));
        }
        let access_token = broker.renew_token(account).ok_or_else(ApiError::authentication)?;
        let entry = broker.accounts.get(account.as_str()).ok_or_else(ApiError::authentication)?;
        let expires = entry.expires.unwrap_or(now);
        Ok(Reply::ok(&MintedToken {
            dhan_client_id: account.clone(),
            dhan_client_name: entry.name.clone(),
            dhan_client_ucc: "ABCD12345E".to_owned(),
            given_power_of_attorney: false,
            access_token,
            expiry_time: expires.ist().format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
        }))
    })
    .await
}

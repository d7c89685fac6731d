//! What moves positions as a whole: conversion, exit of everything, the kill switch (`dhanhq-v2.md` sections 3.4, 3.6,
//! 4.6).

use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;
use tandem_dhan::wire::{ConvertPositionRequest, KillSwitchStatus};
use tandem_domain::ids::DhanClientId;

use super::answer::{Call, answer};
use super::reply::{Reply, Surface};
use super::requests;
use crate::broker::Shared;
use crate::exchange::Source;
use crate::faults::Operation;

const SWEEP: Call = Call::write(Operation::Sweep);

/// 202 and no body, as documented.
pub(super) async fn convert(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&shared, &request, &body, Call::write(Operation::Convert), |broker, account| {
        let wire: ConvertPositionRequest = requests::body(&body)?;
        let conversion = requests::conversion(&wire)?;
        broker.exchange.convert_position(account, Source::Api, &conversion)?;
        Ok(Reply::accepted())
    })
    .await
}

pub(super) async fn exit_all(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    answer(&shared, &request, &[], SWEEP, |broker, account| {
        broker.exchange.exit_all(account, Source::Api)?;
        let message = "All orders and positions exited successfully";
        Ok(Reply::ok(&json!({"status": "SUCCESS", "message": message})))
    })
    .await
}

pub(super) async fn kill_switch(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    answer(&shared, &request, &[], Call::read(Surface::Trading), |broker, account| {
        let on = broker.exchange.kill_switch(account);
        Ok(status(account, if on { "ACTIVATE" } else { "DEACTIVATE" }))
    })
    .await
}

/// The parameter is in the query; prose that calls it a header is wrong (section 3.4).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Turn {
    kill_switch_status: String,
}

pub(super) async fn turn_kill_switch(
    shared: Data<Shared>,
    request: HttpRequest,
    turn: Query<Turn>,
) -> HttpResponse {
    answer(&shared, &request, &[], SWEEP, |broker, account| {
        let on = match turn.kill_switch_status.as_str() {
            "ACTIVATE" => true,
            "DEACTIVATE" => false,
            _ => return Err(requests::bad_fields()),
        };
        broker.exchange.set_kill_switch(account, on)?;
        let word = if on { "activated" } else { "deactivated" };
        Ok(status(account, &format!("Kill Switch has been successfully {word}")))
    })
    .await
}

fn status(account: &DhanClientId, text: &str) -> Reply {
    Reply::ok(&KillSwitchStatus { dhan_client_id: account.to_string(), kill_switch_status: text.to_owned() })
}

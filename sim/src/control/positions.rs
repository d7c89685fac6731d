//! Positions and money by hand: from earlier days, converted in the app, squared off by the broker, paid in and out.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use serde::Deserialize;
use serde_json::json;
use tandem_dhan::wire::ConvertPositionRequest;
use tandem_domain::ids::DhanClientId;
use tandem_domain::price::Money;

use super::bad_request;
use super::orders::done;
use crate::broker::Shared;
use crate::exchange::Source;
use crate::server::{plain, reply::Reply, requests};
use crate::settings::SimCarried;

/// What becomes of an account's positions.
#[derive(Debug, Deserialize)]
pub(super) struct PositionOrder {
    account: DhanClientId,
    #[serde(flatten)]
    action: PositionAction,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PositionAction {
    /// It was there before today.
    Carry(SimCarried),
    /// Somebody converts it in the app. Body as on the REST wire.
    Convert(ConvertPositionRequest),
}

pub(super) async fn change(shared: Data<Shared>, order: Json<PositionOrder>) -> HttpResponse {
    let PositionOrder { account, action } = order.into_inner();
    match action {
        PositionAction::Carry(held) => {
            let carried = shared.with(|broker| {
                held.carried().is_some_and(|carried| broker.exchange.carry(&account, &carried))
            });
            done(carried, &format!("{account} cannot hold {held:?}"))
        }
        PositionAction::Convert(wire) => {
            let converted = shared.with(|broker| {
                let conversion = requests::conversion(&wire)?;
                broker.exchange.convert_position(&account, Source::App, &conversion)
            });
            match converted {
                Ok(()) => HttpResponse::Ok().json(json!({"ok": true})),
                Err(error) => plain(Reply::from(error)),
            }
        }
    }
}

/// Whose INTRADAY positions the broker closes; all when left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SquareOff {
    account: Option<DhanClientId>,
}

pub(super) async fn square_off(shared: Data<Shared>, whose: Json<SquareOff>) -> HttpResponse {
    let known = shared.with(|broker| broker.exchange.square_off_now(whose.account.as_ref()));
    done(known, "no such account")
}

/// Money of an account, in whole rupees.
#[derive(Debug, Deserialize)]
pub(super) struct Payment {
    account: DhanClientId,
    #[serde(flatten)]
    way: Way,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    DepositRupees(u32),
    WithdrawRupees(u32),
}

pub(super) async fn pay(shared: Data<Shared>, payment: Json<Payment>) -> HttpResponse {
    let Payment { account, way } = payment.into_inner();
    let money = match way {
        Way::DepositRupees(rupees) => Money::from_rupees(rupees.into()),
        Way::WithdrawRupees(rupees) => Money::ZERO.minus(Money::from_rupees(rupees.into())),
    };
    if shared.with(|broker| broker.exchange.pay_in(&account, money)) {
        HttpResponse::Ok().json(json!({"ok": true}))
    } else {
        bad_request(&format!("no account {account}, or not so much to withdraw"))
    }
}

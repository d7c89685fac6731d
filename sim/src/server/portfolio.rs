//! Funds, margin, holdings, positions (`dhanhq-v2.md` section 4).

use actix_web::web::{Bytes, Data, ServiceConfig, delete, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use tandem_dhan::wire::{
    Decimal, FundLimit, MarginAnswer, MarginRequest, MultiMarginAnswer, MultiMarginRequest,
};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;

use super::answer::{Call, answer};
use super::reply::{Reply, Surface};
use super::{requests, rows, sweep};
use crate::broker::{Broker, Shared};
use crate::exchange::{ApiError, MarginEstimate};
use crate::faults::Operation;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/positions").route(get().to(positions)).route(delete().to(sweep::exit_all)))
        .service(resource("/positions/convert").route(post().to(sweep::convert)))
        .service(
            resource("/killswitch")
                .route(get().to(sweep::kill_switch))
                .route(post().to(sweep::turn_kill_switch)),
        )
        .service(resource("/holdings").route(get().to(holdings)))
        .service(resource("/fundlimit").route(get().to(funds)))
        .service(resource("/margincalculator").route(post().to(margin)))
        .service(resource("/margincalculator/multi").route(post().to(margin_of_several)));
}

const READ: Call = Call::read(Surface::Trading);
const MARGIN: Call = Call::read_of(Operation::Margin);

async fn positions(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    answer(&shared, &request, &[], Call::read_of(Operation::Positions), |broker, account| {
        let exchange = &broker.exchange;
        let positions = exchange.positions(account);
        let rows: Vec<_> =
            positions.iter().map(|of| rows::position(account.as_str(), of, exchange)).collect();
        Ok(Reply::ok(&rows))
    })
    .await
}

async fn holdings(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    let empty_as_array = shared.settings.variants.empty_holdings_as_array;
    answer(&shared, &request, &[], READ, |broker, account| {
        let exchange = &broker.exchange;
        let rows: Vec<_> = exchange.holdings(account).iter().map(|of| rows::holding(of, exchange)).collect();
        if rows.is_empty() && !empty_as_array {
            return Err(ApiError {
                http: 500,
                error_type: "HOLDING_ERROR",
                code: "DH-1111",
                message: "No holdings available".to_owned(),
            });
        }
        Ok(Reply::ok(&rows))
    })
    .await
}

async fn funds(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    answer(&shared, &request, &[], Call::read_of(Operation::Funds), |broker, account| {
        let funds = broker.exchange.funds(account).ok_or_else(ApiError::authentication)?;
        Ok(Reply::ok(&FundLimit {
            dhan_client_id: account.to_string(),
            available_balance: funds.available.into(),
            sod_limit: funds.start_of_day.into(),
            collateral_amount: funds.collateral.into(),
            utilized_amount: funds.utilised.into(),
            withdrawable_balance: funds.withdrawable.into(),
            ..FundLimit::default()
        }))
    })
    .await
}

async fn margin(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&shared, &request, &body, MARGIN, |broker, account| {
        let wire: MarginRequest = requests::body(&body)?;
        let leg = leg(
            requests::instrument(&wire.exchange_segment, &wire.security_id)?,
            requests::word::<Side>(&wire.transaction_type)?,
            requests::word::<Product>(&wire.product_type)?,
            requests::units(wire.quantity)?,
            requests::price(Some(wire.price))?,
        );
        let estimate = estimate(broker, account, &[leg], false, false)?;
        Ok(Reply::ok(&MarginAnswer {
            total_margin: estimate.total.into(),
            span_margin: estimate.total.into(),
            available_balance: estimate.available.into(),
            insufficient_balance: estimate.insufficient.into(),
            leverage: "1.00".to_owned(),
            ..MarginAnswer::default()
        }))
    })
    .await
}

async fn margin_of_several(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&shared, &request, &body, MARGIN, |broker, account| {
        let wire: MultiMarginRequest = requests::body(&body)?;
        let legs: Vec<OrderTerms> = wire
            .scrip_list
            .iter()
            .map(|scrip| {
                Ok(leg(
                    requests::instrument(&scrip.exchange_segment, &scrip.security_id)?,
                    requests::word::<Side>(&scrip.transaction_type)?,
                    requests::word::<Product>(&scrip.product_type)?,
                    requests::units(scrip.quantity)?,
                    requests::price(Some(scrip.price))?,
                ))
            })
            .collect::<Result<_, ApiError>>()?;
        let estimate = estimate(broker, account, &legs, wire.include_position, wire.include_order)?;
        let total: Decimal = estimate.total.into();
        Ok(Reply::ok(&MultiMarginAnswer {
            total_margin: total,
            span_margin: total,
            fo_margin: total,
            ..MultiMarginAnswer::default()
        }))
    })
    .await
}

/// What a margin is asked about, as an order.
fn leg(
    instrument: InstrumentKey,
    side: Side,
    product: Product,
    quantity: Quantity,
    price: Price,
) -> OrderTerms {
    OrderTerms {
        instrument,
        side,
        product,
        order_type: if price.is_zero() { OrderType::Market } else { OrderType::Limit },
        time_in_force: TimeInForce::Day,
        quantity,
        disclosed: Quantity::ZERO,
        price,
        trigger: Price::ZERO,
        after_market: false,
        form: tandem_domain::order::OrderForm::Ordinary,
    }
}

fn estimate(
    broker: &Broker,
    account: &DhanClientId,
    legs: &[OrderTerms],
    with_positions: bool,
    with_orders: bool,
) -> Result<MarginEstimate, ApiError> {
    broker.exchange.margin(account, legs, with_positions, with_orders).ok_or_else(requests::bad_fields)
}

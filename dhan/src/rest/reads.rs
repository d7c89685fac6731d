//! Order and trade books, lookups, positions, funds, profile, static IP, margin, last prices. Reads may be repeated.

use std::collections::BTreeMap;

use awc::http::Method;
use serde::Serialize;
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{ForeverReport, OrderReport, OrderTerms, SuperReport, TradeReport};
use tandem_domain::price::Price;
use tandem_domain::time::Timestamp;

use super::AccountClient;
use super::answer::{Answer, Book};
use super::error::ReadError;
use crate::parse::{HoldingReport, IpReport, MarginReport, ProfileReport};
use crate::wire::{MarginRequest, QuoteRequest};

impl AccountClient {
    /// Today's orders (`GET /orders`).
    pub async fn orders(&self) -> Result<Book<OrderReport>, ReadError> {
        self.get("/orders", Answer::orders).await
    }

    /// One order by the broker's id; none when the broker does not know it.
    pub async fn order(&self, id: &BrokerOrderId) -> Result<Option<OrderReport>, ReadError> {
        let path = path_segment(id.as_str())
            .map(|id| format!("/orders/{id}"))
            .ok_or_else(|| ReadError::NotSent { why: format!("order id {id} is fit for no path") })?;
        let mut found = self.get(&path, Answer::looked_up).await?;
        match found.iter().find(|order| order.broker_order_id != *id) {
            Some(other) => Err(answered_for_another(&other.broker_order_id)),
            None => Ok(found.pop()),
        }
    }

    /// Every order with this tag. Nothing found is no proof of absence: an order is invisible here while in transit
    /// (`dhanhq-v2.md` section 2.3).
    pub async fn orders_by_tag(&self, id: &ClientOrderId) -> Result<Vec<OrderReport>, ReadError> {
        let found = self.get(&format!("/orders/external/{id}"), Answer::looked_up).await?;
        let has_tag =
            |order: &&OrderReport| order.tag.as_ref().is_some_and(|tag| tag.as_str() == id.as_str());
        match found.iter().find(|order| !has_tag(order)) {
            Some(other) => Err(answered_for_another(&other.broker_order_id)),
            None => Ok(found),
        }
    }

    /// Super orders with their legs (`GET /super/orders`, section 3.1).
    pub async fn supers(&self) -> Result<Book<SuperReport>, ReadError> {
        self.get("/super/orders", Answer::supers).await
    }

    /// Forever orders (`GET /forever/orders`, section 3.2: the documented `/forever/all` does not exist).
    pub async fn forevers(&self) -> Result<Book<ForeverReport>, ReadError> {
        self.get("/forever/orders", Answer::forevers).await
    }

    /// Today's fills (`GET /trades`).
    pub async fn trades(&self) -> Result<Book<TradeReport>, ReadError> {
        self.get("/trades", Answer::trades).await
    }

    /// Positions (`GET /positions`); rows carry no time, so the caller says when it asked.
    pub async fn positions(&self, asked: Timestamp) -> Result<Book<PositionReport>, ReadError> {
        self.get("/positions", |answer| answer.positions(asked)).await
    }

    /// Holdings (`GET /holdings`).
    pub async fn holdings(&self) -> Result<Book<HoldingReport>, ReadError> {
        self.get("/holdings", Answer::holdings).await
    }

    /// Funds (`GET /fundlimit`).
    pub async fn funds(&self) -> Result<Funds, ReadError> {
        self.get("/fundlimit", Answer::funds).await
    }

    /// A check of the token (`GET /profile`).
    pub async fn profile(&self) -> Result<ProfileReport, ReadError> {
        self.get("/profile", Answer::profile).await
    }

    /// Whether orders would be taken from this address (`GET /ip/getIP`).
    pub async fn ip_status(&self) -> Result<IpReport, ReadError> {
        self.get("/ip/getIP", Answer::ip_status).await
    }

    /// What an order would need (`POST /margincalculator`).
    pub async fn margin(&self, terms: &OrderTerms) -> Result<MarginReport, ReadError> {
        let request = MarginRequest {
            dhan_client_id: self.account.as_str().to_owned(),
            exchange_segment: terms.instrument.segment.as_str().to_owned(),
            transaction_type: terms.side.as_str().to_owned(),
            quantity: terms.quantity.get().into(),
            product_type: terms.product.as_str().to_owned(),
            security_id: terms.instrument.security_id.to_string(),
            price: terms.price.into(),
            trigger_price: terms.order_type.is_stop().then(|| terms.trigger.into()),
        };
        self.ask(Method::POST, "/margincalculator", Some(to_json(&request)?), Answer::margin).await
    }

    /// Last prices (`POST /marketfeed/ltp`), one request a second at most; unknown instruments are left out.
    pub async fn ltp(
        &self,
        instruments: &[InstrumentKey],
    ) -> Result<BTreeMap<InstrumentKey, Price>, ReadError> {
        let mut request = QuoteRequest::new();
        for key in instruments {
            request.entry(key.segment.as_str().to_owned()).or_default().push(key.security_id.0);
        }
        self.ask(Method::POST, "/marketfeed/ltp", Some(to_json(&request)?), Answer::last_prices).await
    }

    async fn get<T>(
        &self,
        path: &str,
        read: impl FnOnce(&Answer) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.ask(Method::GET, path, None, read).await
    }

    async fn ask<T>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        read: impl FnOnce(&Answer) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let answer = self.transport.request(method, path, body).await?;
        read(&answer).map_err(|error| error.with_texts(|text| self.transport.scrub(text)))
    }
}

/// Ids of others go into a path only when they cannot mean anything else there.
pub(super) fn path_segment(id: &str) -> Option<&str> {
    let legal =
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    legal.then_some(id)
}

fn to_json(request: &impl Serialize) -> Result<Vec<u8>, ReadError> {
    serde_json::to_vec(request).map_err(|error| ReadError::NotSent { why: error.to_string() })
}

/// Neither found nor not found: the answer is about something else.
fn answered_for_another(order: &BrokerOrderId) -> ReadError {
    ReadError::Failed { why: format!("the answer is about another order, {order}") }
}

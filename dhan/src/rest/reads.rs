//! Order and trade books, lookups, positions, funds, profile, static IP, margin, last prices. Reads may be repeated.

use std::collections::BTreeMap;

use awc::http::Method;
use serde::Serialize;
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::ids::{BrokerOrderId, ClientOrderId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey};
use tandem_domain::order::{ForeverReport, OrderReport, OrderTerms, SuperReport, TradeReport};
use tandem_domain::price::Price;
use tandem_domain::time::Timestamp;

use super::AccountClient;
use super::error::ReadError;
use super::transport::Answer;
use crate::parse::{self, HoldingReport, IpReport, MarginReport, ProfileReport};
use crate::refusal::RefusalClass;
use crate::wire::{
    FundLimit, IpStatus, LastPriceQuote, MarginAnswer, MarginRequest, PositionRow, Profile, QuoteAnswer,
    QuoteRequest, Record, Rows, WireError, decode_row, decode_rows,
};

/// Rows of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book<T> {
    /// Rows read, in the broker's order.
    pub rows: Vec<T>,
    /// Rows that could not be read. The book is complete, and may prove absence, only when there are none.
    pub unreadable: Vec<WireError>,
}

impl<T> Book<T> {
    /// Whether every row was read.
    pub fn is_complete(&self) -> bool {
        self.unreadable.is_empty()
    }

    fn from_rows<R>(rows: Rows<R>, read: impl Fn(&R) -> Result<T, WireError>) -> Self {
        let mut book = Self { rows: Vec::with_capacity(rows.rows.len()), unreadable: rows.unreadable };
        for row in &rows.rows {
            match read(row) {
                Ok(report) => book.rows.push(report),
                Err(error) => book.unreadable.push(error),
            }
        }
        book
    }
}

impl AccountClient {
    /// Today's orders (`GET /orders`).
    pub async fn orders(&self) -> Result<Book<OrderReport>, ReadError> {
        Ok(Book::from_rows(self.rows("/orders").await?, parse::order_row))
    }

    /// One order by the broker's id; none when the broker does not know it.
    pub async fn order(&self, id: &BrokerOrderId) -> Result<Option<OrderReport>, ReadError> {
        let path = path_segment(id.as_str())
            .map(|id| format!("/orders/{id}"))
            .ok_or_else(|| ReadError::NotSent { why: format!("order id {id} is fit for no path") })?;
        let mut found = self.lookup(&path).await?;
        match found.iter().find(|order| order.broker_order_id != *id) {
            Some(other) => Err(answered_for_another(&other.broker_order_id)),
            None => Ok(found.pop()),
        }
    }

    /// Every order with this tag. Nothing found is no proof of absence: an order is invisible here while in transit
    /// (`dhanhq-v2.md` section 2.3).
    pub async fn orders_by_tag(&self, id: &ClientOrderId) -> Result<Vec<OrderReport>, ReadError> {
        let found = self.lookup(&format!("/orders/external/{id}")).await?;
        let has_tag =
            |order: &&OrderReport| order.tag.as_ref().is_some_and(|tag| tag.as_str() == id.as_str());
        match found.iter().find(|order| !has_tag(order)) {
            Some(other) => Err(answered_for_another(&other.broker_order_id)),
            None => Ok(found),
        }
    }

    /// Super orders with their legs (`GET /super/orders`, section 3.1).
    pub async fn supers(&self) -> Result<Book<SuperReport>, ReadError> {
        Ok(Book::from_rows(self.rows_or_none("/super/orders").await?, parse::super_row))
    }

    /// Forever orders (`GET /forever/orders`, section 3.2: the documented `/forever/all` does not exist).
    pub async fn forevers(&self) -> Result<Book<ForeverReport>, ReadError> {
        Ok(Book::from_rows(self.rows_or_none("/forever/orders").await?, parse::forever_row))
    }

    /// Today's fills (`GET /trades`).
    pub async fn trades(&self) -> Result<Book<TradeReport>, ReadError> {
        Ok(Book::from_rows(self.rows("/trades").await?, parse::trade_row))
    }

    /// Positions (`GET /positions`); rows carry no time, so the caller says when it asked. That there are none is said
    /// with an empty list, and was seen said with words, too (section 4.5).
    pub async fn positions(&self, asked: Timestamp) -> Result<Book<PositionReport>, ReadError> {
        let rows = self.rows_or_none("/positions").await?;
        Ok(Book::from_rows(rows, |row: &PositionRow| parse::position(row, asked)))
    }

    /// Holdings. An empty portfolio is an error of the broker's, HTTP 500 with DH-1111 (section 4.4).
    pub async fn holdings(&self) -> Result<Book<HoldingReport>, ReadError> {
        Ok(Book::from_rows(self.rows_or_none("/holdings").await?, parse::holding))
    }

    /// Funds (`GET /fundlimit`).
    pub async fn funds(&self) -> Result<Funds, ReadError> {
        let limit: FundLimit = self.record(Method::GET, "/fundlimit", None).await?;
        parse::funds(&limit).map_err(|error| failed(&error))
    }

    /// A check of the token (`GET /profile`).
    pub async fn profile(&self) -> Result<ProfileReport, ReadError> {
        let profile: Profile = self.record(Method::GET, "/profile", None).await?;
        parse::profile(&profile).map_err(|error| failed(&error))
    }

    /// Whether orders would be taken from this address (`GET /ip/getIP`).
    pub async fn ip_status(&self) -> Result<IpReport, ReadError> {
        let status: IpStatus = self.record(Method::GET, "/ip/getIP", None).await?;
        Ok(parse::ip_report(&status))
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
        let answer: MarginAnswer =
            self.record(Method::POST, "/margincalculator", Some(to_json(&request)?)).await?;
        parse::margin(&answer).map_err(|error| failed(&error))
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
        let body = to_json(&request)?;
        let answer = self.transport.request(Method::POST, "/marketfeed/ltp", Some(body)).await?;
        if answer.is_success()
            && let Ok(quotes) = serde_json::from_slice::<QuoteAnswer<LastPriceQuote>>(&answer.body)
            && quotes.status.eq_ignore_ascii_case("success")
        {
            return last_prices(quotes).map_err(|error| failed(&error));
        }
        Err(answer.read_error(&self.transport))
    }

    /// Rows of a lookup: nothing found in either of its two ways (sections 2.6 and 15, item 11) is no rows.
    async fn lookup(&self, path: &str) -> Result<Vec<OrderReport>, ReadError> {
        let answer = self.transport.request(Method::GET, path, None).await?;
        if answer.http == 404 {
            return match answer.read_error(&self.transport) {
                ReadError::Refused(refusal) if refusal.class == RefusalClass::UnknownOrder => Ok(Vec::new()),
                error => Err(error),
            };
        }
        let book = Book::from_rows(self.rows_of(&answer)?, parse::order_row);
        match book.unreadable.first() {
            Some(error) => Err(failed(error)),
            None => Ok(book.rows),
        }
    }

    async fn rows<T: Record>(&self, path: &str) -> Result<Rows<T>, ReadError> {
        let answer = self.transport.request(Method::GET, path, None).await?;
        self.rows_of(&answer)
    }

    /// Rows of a list that may be answered with an error when there is nothing in it.
    async fn rows_or_none<T: Record>(&self, path: &str) -> Result<Rows<T>, ReadError> {
        let answer = self.transport.request(Method::GET, path, None).await?;
        if says_empty(&answer) {
            return Ok(Rows { rows: Vec::new(), unreadable: Vec::new() });
        }
        self.rows_of(&answer)
    }

    /// Rows, unless the body is a refusal: those come with HTTP 200 too.
    fn rows_of<T: Record>(&self, answer: &Answer) -> Result<Rows<T>, ReadError> {
        if answer.is_success()
            && crate::refusal::read(answer.http, answer_head(answer)).is_none()
            && let Ok(rows) = decode_rows(&answer.body)
        {
            return Ok(rows);
        }
        Err(answer.read_error(&self.transport))
    }

    async fn record<T: Record>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, ReadError> {
        let answer = self.transport.request(method, path, body).await?;
        if answer.is_success()
            && crate::refusal::read(answer.http, &answer.body).is_none()
            && let Ok(record) = decode_row(&answer.body)
        {
            return Ok(record);
        }
        Err(answer.read_error(&self.transport))
    }
}

/// A refusal is short; a book is not read twice to see that it is none.
fn answer_head(answer: &Answer) -> &[u8] {
    const REFUSAL_BYTES_MAX: usize = 4096;
    if answer.body.len() <= REFUSAL_BYTES_MAX { &answer.body } else { &[] }
}

/// How an account without holdings is told so (section 4.4), and one without positions now and then. What one without
/// super or forever orders is told was never seen: the same code, or words that say nothing else.
fn says_empty(answer: &Answer) -> bool {
    const SUBJECTS: [&str; 5] = ["no super order", "no forever order", "no order", "no position", "no data"];
    const ENDS: [&str; 3] = ["found", "available", "exist"];
    crate::refusal::read(answer.http, answer_head(answer)).is_some_and(|refusal| {
        let lower = refusal.text.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        refusal.code == "DH-1111" || has(&SUBJECTS) && has(&ENDS)
    })
}

fn last_prices(quotes: QuoteAnswer<LastPriceQuote>) -> Result<BTreeMap<InstrumentKey, Price>, WireError> {
    let mut prices = BTreeMap::new();
    for (segment, instruments) in quotes.data {
        let segment: ExchangeSegment =
            segment.parse().map_err(|_| WireError::new("data", segment.as_str()))?;
        for (id, quote) in instruments {
            let security_id = id.parse().map_err(|_| WireError::new("securityId", id.as_str()))?;
            let price = quote
                .last_price
                .rounded_price()
                .ok_or_else(|| WireError::new("last_price", quote.last_price.get().to_string()))?;
            prices.insert(InstrumentKey { segment, security_id }, price);
        }
    }
    Ok(prices)
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

fn failed(error: &WireError) -> ReadError {
    ReadError::Failed { why: error.to_string() }
}

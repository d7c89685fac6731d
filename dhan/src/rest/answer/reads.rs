//! What the answer to a read tells.

use std::collections::BTreeMap;

use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey};
use tandem_domain::order::{ForeverReport, OrderReport, SuperReport, TradeReport};
use tandem_domain::price::Price;
use tandem_domain::time::Timestamp;

use super::{Answer, ReadError};
use crate::parse::{self, HoldingReport, IpReport, MarginReport, ProfileReport};
use crate::refusal::{self, RefusalClass};
use crate::wire::{
    FAULTS_MAX, FundLimit, IpStatus, LastPriceQuote, MarginAnswer, PositionRow, Profile, QuoteAnswer, Record,
    Rows, WireError, decode_row, decode_rows,
};

/// Rows of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book<T> {
    /// Rows read, in the broker's order.
    pub rows: Vec<T>,
    /// Rows that could not be read, the first [`FAULTS_MAX`] of them. The book is complete, and may prove absence, only when
    /// there are none.
    pub unreadable: Vec<WireError>,
}

impl<T> Book<T> {
    /// Whether every row was read.
    pub fn is_complete(&self) -> bool {
        self.unreadable.is_empty()
    }

    fn from_rows<R>(rows: Rows<R>, read: impl Fn(&R) -> Result<T, WireError>) -> Self {
        let mut book = Self { rows: Vec::new(), unreadable: rows.unreadable };
        for row in &rows.rows {
            match read(row) {
                Ok(report) => book.rows.push(report),
                Err(error) if book.unreadable.len() < FAULTS_MAX => book.unreadable.push(error),
                Err(_) => {}
            }
        }
        book
    }
}

impl Answer {
    /// Of `GET /orders`.
    pub fn orders(&self) -> Result<Book<OrderReport>, ReadError> {
        Ok(Book::from_rows(self.rows()?, parse::order_row))
    }

    /// Of a lookup by id or by tag: nothing found in either of its two ways (sections 2.6 and 15, item 11) is no rows.
    pub fn looked_up(&self) -> Result<Vec<OrderReport>, ReadError> {
        if self.http == 404 {
            return match self.read_error() {
                ReadError::Refused(refusal) if refusal.class == RefusalClass::UnknownOrder => Ok(Vec::new()),
                error => Err(error),
            };
        }
        let book = self.orders()?;
        match book.unreadable.first() {
            Some(error) => Err(failed(error)),
            None => Ok(book.rows),
        }
    }

    /// Of `GET /super/orders`.
    pub fn supers(&self) -> Result<Book<SuperReport>, ReadError> {
        Ok(Book::from_rows(self.rows_or_none()?, parse::super_row))
    }

    /// Of `GET /forever/orders`.
    pub fn forevers(&self) -> Result<Book<ForeverReport>, ReadError> {
        Ok(Book::from_rows(self.rows_or_none()?, parse::forever_row))
    }

    /// Of `GET /trades`.
    pub fn trades(&self) -> Result<Book<TradeReport>, ReadError> {
        Ok(Book::from_rows(self.rows()?, parse::trade_row))
    }

    /// Of `GET /positions`, asked then. That there are none is said with an empty list, and was seen said with words, too
    /// (section 4.5).
    pub fn positions(&self, asked: Timestamp) -> Result<Book<PositionReport>, ReadError> {
        Ok(Book::from_rows(self.rows_or_none()?, |row: &PositionRow| parse::position(row, asked)))
    }

    /// Of `GET /holdings`. An empty portfolio is an error of the broker's, HTTP 500 with DH-1111 (section 4.4).
    pub fn holdings(&self) -> Result<Book<HoldingReport>, ReadError> {
        Ok(Book::from_rows(self.rows_or_none()?, parse::holding))
    }

    /// Of `GET /fundlimit`.
    pub fn funds(&self) -> Result<Funds, ReadError> {
        parse::funds(&self.record::<FundLimit>()?).map_err(|error| failed(&error))
    }

    /// Of `GET /profile`.
    pub fn profile(&self) -> Result<ProfileReport, ReadError> {
        parse::profile(&self.record::<Profile>()?).map_err(|error| failed(&error))
    }

    /// Of `GET /ip/getIP`.
    pub fn ip_status(&self) -> Result<IpReport, ReadError> {
        Ok(parse::ip_report(&self.record::<IpStatus>()?))
    }

    /// Of `POST /margincalculator`.
    pub fn margin(&self) -> Result<MarginReport, ReadError> {
        parse::margin(&self.record::<MarginAnswer>()?).map_err(|error| failed(&error))
    }

    /// Of `POST /marketfeed/ltp`.
    pub fn last_prices(&self) -> Result<BTreeMap<InstrumentKey, Price>, ReadError> {
        if self.is_success()
            && let Ok(quotes) = serde_json::from_slice::<QuoteAnswer<LastPriceQuote>>(&self.body)
            && quotes.status.eq_ignore_ascii_case("success")
        {
            return last_prices(quotes).map_err(|error| failed(&error));
        }
        Err(self.read_error())
    }

    /// Rows, unless the body is a refusal: those come with HTTP 200 too.
    fn rows<T: Record>(&self) -> Result<Rows<T>, ReadError> {
        if self.is_success()
            && refusal::read(self.http, self.head()).is_none()
            && let Ok(rows) = decode_rows(&self.body)
        {
            return Ok(rows);
        }
        Err(self.read_error())
    }

    /// Rows of a list that may be answered with an error when there is nothing in it.
    fn rows_or_none<T: Record>(&self) -> Result<Rows<T>, ReadError> {
        if self.says_empty() {
            return Ok(Rows { rows: Vec::new(), unreadable: Vec::new() });
        }
        self.rows()
    }

    fn record<T: Record>(&self) -> Result<T, ReadError> {
        if !self.is_success() || refusal::read(self.http, &self.body).is_some() {
            return Err(self.read_error());
        }
        // A record with one odd field is named by that field; what is no such record at all, by its size.
        decode_row(&self.body).map_err(|error| match error.field {
            "body" | "row" => self.read_error(),
            _ => failed(&error),
        })
    }

    /// A refusal is short; a book is not read twice to see that it is none.
    fn head(&self) -> &[u8] {
        const REFUSAL_BYTES_MAX: usize = 4096;
        if self.body.len() <= REFUSAL_BYTES_MAX { &self.body } else { &[] }
    }

    /// How an account without holdings is told so (section 4.4), and one without positions now and then. What one without
    /// super or forever orders is told was never seen: the same code, or words that say nothing else.
    fn says_empty(&self) -> bool {
        const SUBJECTS: [&str; 5] =
            ["no super order", "no forever order", "no order", "no position", "no data"];
        const ENDS: [&str; 3] = ["found", "available", "exist"];
        refusal::read(self.http, self.head()).is_some_and(|refusal| {
            let lower = refusal.text.to_ascii_lowercase();
            let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
            refusal.code == "DH-1111" || has(&SUBJECTS) && has(&ENDS)
        })
    }
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

fn failed(error: &WireError) -> ReadError {
    ReadError::Failed { why: error.to_string() }
}

//! The broker's book: what it says of orders, fills and positions, as JSON.
//!
//! Two forms are read, and may be mixed ([`Book::add`]):
//!
//! - `{"accounts": {"<client id>": {"orders": [..], "trades": [..], "positions": [..]}}}`, as the simulator dumps it
//!   (`GET /sim/books`); `now_us`, if there, is when it was taken;
//! - an answer of `GET /orders`, `/trades` or `/positions` as it came: an array whose rows say by themselves what and
//!   whose they are (`dhanhq-v2.md` sections 2.6, 2.8, 4.5).
//!
//! An account whose orders are there is taken to be there with all of them; the same of trades and positions. Rows have
//! the wire's names. Numbers may be texts, as on the wire.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use thiserror::Error;

use crate::history::Instrument;
use crate::when;

/// Why a text is no book.
#[derive(Debug, Error)]
pub enum BookError {
    /// It is no JSON.
    #[error("the broker's book is no JSON")]
    Json(#[from] serde_json::Error),
    /// It is JSON of another form.
    #[error("{0}")]
    Form(String),
}

/// What the broker says, of one account or several.
#[derive(Debug, Clone, Default)]
pub struct Book {
    pub(crate) orders: BTreeMap<Key, BookOrder>,
    pub(crate) trades: BTreeMap<(Key, String), BookTrade>,
    /// Net units by account and instrument, all products together.
    pub(crate) positions: BTreeMap<(String, Instrument), i64>,
    /// Ids that stand in lists of their own: super and forever orders.
    pub(crate) listed: BTreeSet<Key>,
    /// Accounts whose orders, trades, positions are here, all of them.
    pub(crate) orders_of: BTreeSet<String>,
    pub(crate) trades_of: BTreeSet<String>,
    pub(crate) positions_of: BTreeSet<String>,
    /// When it was taken; the newest time in it where nothing says so. Microseconds since 1970 UTC.
    pub(crate) moment: Option<i64>,
}

/// Account and the broker's order id.
pub(crate) type Key = (String, String);

/// One order as the broker has it.
#[derive(Debug, Clone)]
pub(crate) struct BookOrder {
    pub(crate) account: String,
    pub(crate) id: String,
    pub(crate) tag: Option<String>,
    pub(crate) instrument: Instrument,
    pub(crate) sign: i64,
    pub(crate) status: String,
    pub(crate) quantity: i64,
    pub(crate) filled: i64,
    /// Whether it is an exit leg of another order.
    pub(crate) is_leg: bool,
    pub(crate) created: Option<i64>,
    pub(crate) updated: Option<i64>,
}

impl BookOrder {
    pub(crate) fn row(&self) -> String {
        format!("book: order {} of {}", self.id, crate::history::masked(&self.account))
    }

    pub(crate) fn is_over(&self) -> bool {
        crate::history::is_end(&self.status)
    }

    /// The units it has filled or may yet fill.
    pub(crate) fn exposure(&self) -> i64 {
        if self.is_over() { self.filled } else { self.quantity.max(self.filled) }
    }
}

/// One fill as the broker has it.
#[derive(Debug, Clone)]
pub(crate) struct BookTrade {
    pub(crate) account: String,
    pub(crate) order: String,
    pub(crate) id: String,
    pub(crate) instrument: Instrument,
    pub(crate) sign: i64,
    pub(crate) quantity: i64,
    pub(crate) at: Option<i64>,
}

impl BookTrade {
    pub(crate) fn row(&self) -> String {
        format!("book: trade {} of order {}", self.id, self.order)
    }
}

impl Book {
    /// Reads one text.
    pub fn read(text: &str) -> Result<Self, BookError> {
        let mut book = Self::default();
        book.add(text)?;
        Ok(book)
    }

    /// Takes in another text: another account, or another kind of answer. The newer of two rows with one id stands.
    pub fn add(&mut self, text: &str) -> Result<(), BookError> {
        self.take(&serde_json::from_str(text)?)
    }

    /// Takes in a value that was read already.
    pub fn take(&mut self, value: &Value) -> Result<(), BookError> {
        match value {
            Value::Array(rows) => self.answer(rows)?,
            Value::Object(fields) => self.dump(fields)?,
            _ => {
                return Err(BookError::Form(
                    "the broker's book is neither an object nor an array".to_owned(),
                ));
            }
        }
        let times = self.orders.values().map(|order| order.updated);
        let newest = times.chain(self.trades.values().map(|trade| trade.at)).flatten().max();
        let taken = value["now_us"].as_i64();
        self.moment = self.moment.max(taken.or(newest));
        Ok(())
    }

    /// Whether it shows every order that an account had on a day.
    pub(crate) fn covers(&self, account: &str, day: &str) -> bool {
        let of_it = |at: Option<i64>| at.is_some_and(|at| when::day(at) == day);
        let mut orders = self.orders.values().filter(|order| order.account == account);
        self.orders_of.contains(account) && (of_it(self.moment) || orders.any(|order| of_it(order.created)))
    }

    /// The same of its fills.
    pub(crate) fn covers_fills(&self, account: &str, day: &str) -> bool {
        let of_it = |at: Option<i64>| at.is_some_and(|at| when::day(at) == day);
        let mut trades = self.trades.values().filter(|trade| trade.account == account);
        self.trades_of.contains(account) && (of_it(self.moment) || trades.any(|trade| of_it(trade.at)))
    }

    /// Without the orders and fills of other days. Positions have none.
    pub(crate) fn of_day(&self, day: &str) -> Self {
        let is_of_it = |at: Option<i64>| at.is_none_or(|at| when::day(at) == day);
        let mut book = self.clone();
        book.orders.retain(|_, order| is_of_it(order.created));
        book.trades.retain(|_, trade| is_of_it(trade.at));
        book
    }

    fn dump(&mut self, fields: &Map<String, Value>) -> Result<(), BookError> {
        let Some(accounts) = fields.get("accounts").and_then(Value::as_object) else {
            return Err(BookError::Form("the broker's book has no \"accounts\"".to_owned()));
        };
        for (account, book) in accounts {
            let list = |name: &str| book[name].as_array();
            if let Some(rows) = list("orders") {
                self.orders(rows, account)?;
            }
            if let Some(rows) = list("trades") {
                self.trades(rows, account)?;
            }
            if let Some(rows) = list("positions") {
                self.positions(rows, account)?;
            }
            for rows in ["super_orders", "forever_orders"].into_iter().filter_map(list) {
                self.list(rows, account);
            }
        }
        Ok(())
    }

    /// One answer, as it came. An empty one says nothing, for it does not say of whom.
    fn answer(&mut self, rows: &[Value]) -> Result<(), BookError> {
        let has = |name: &str| rows.first().is_some_and(|row| row.get(name).is_some());
        let mut by_account: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for row in rows {
            let account = text(row, "dhanClientId")
                .ok_or_else(|| BookError::Form(format!("a row without dhanClientId: {row}")))?;
            by_account.entry(account).or_default().push(row.clone());
        }
        for (account, rows) in by_account {
            if has("legDetails") || has("orderFlag") {
                self.list(&rows, &account);
            } else if has("netQty") {
                self.positions(&rows, &account)?;
            } else if has("tradedQuantity") {
                self.trades(&rows, &account)?;
            } else if has("orderStatus") {
                self.orders(&rows, &account)?;
            } else {
                return Err(BookError::Form("rows that are neither orders, trades nor positions".to_owned()));
            }
        }
        Ok(())
    }

    /// Super and forever orders: only that they exist. What they trade stands in the order book.
    fn list(&mut self, rows: &[Value], account: &str) {
        let ids = rows.iter().filter_map(|row| text(row, "orderId"));
        self.listed.extend(ids.map(|id| (account.to_owned(), id)));
    }

    fn orders(&mut self, rows: &[Value], account: &str) -> Result<(), BookError> {
        self.orders_of.insert(account.to_owned());
        for row in rows {
            let order = BookOrder {
                account: account.to_owned(),
                id: needed(row, "orderId")?,
                tag: text(row, "correlationId").filter(|tag| tag != "NA"),
                instrument: instrument(row)?,
                sign: sign(row)?,
                status: needed(row, "orderStatus")?.to_uppercase(),
                quantity: units(row, "quantity")?,
                filled: units(row, "filledQty")?,
                is_leg: matches!(row["legName"].as_str(), Some("STOP_LOSS_LEG" | "TARGET_LEG")),
                created: moment(row, "createTime"),
                updated: moment(row, "updateTime").or_else(|| moment(row, "createTime")),
            };
            self.orders.insert((account.to_owned(), order.id.clone()), order);
        }
        Ok(())
    }

    fn trades(&mut self, rows: &[Value], account: &str) -> Result<(), BookError> {
        self.trades_of.insert(account.to_owned());
        for row in rows {
            let trade = BookTrade {
                account: account.to_owned(),
                order: needed(row, "orderId")?,
                id: needed(row, "exchangeTradeId")?,
                instrument: instrument(row)?,
                sign: sign(row)?,
                quantity: units(row, "tradedQuantity")?,
                at: moment(row, "exchangeTime").or_else(|| moment(row, "createTime")),
            };
            self.trades.insert(((account.to_owned(), trade.order.clone()), trade.id.clone()), trade);
        }
        Ok(())
    }

    fn positions(&mut self, rows: &[Value], account: &str) -> Result<(), BookError> {
        self.positions_of.insert(account.to_owned());
        for row in rows {
            *self.positions.entry((account.to_owned(), instrument(row)?)).or_default() +=
                units(row, "netQty")?;
        }
        Ok(())
    }
}

/// A text, or a number where the broker wrote an id as one. None when empty.
fn text(row: &Value, name: &str) -> Option<String> {
    let text = match &row[name] {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn needed(row: &Value, name: &str) -> Result<String, BookError> {
    text(row, name).ok_or_else(|| BookError::Form(format!("a row without {name}: {row}")))
}

/// A number of units; zero when it is left out, as the broker does.
fn units(row: &Value, name: &str) -> Result<i64, BookError> {
    let Some(text) = text(row, name) else { return Ok(0) };
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    whole.parse().map_err(|_| BookError::Form(format!("{name} is no number of units: {text}")))
}

fn instrument(row: &Value) -> Result<Instrument, BookError> {
    Ok(Instrument { segment: needed(row, "exchangeSegment")?, security_id: units(row, "securityId")? })
}

fn sign(row: &Value) -> Result<i64, BookError> {
    match row["transactionType"].as_str() {
        Some("BUY") => Ok(1),
        Some("SELL") => Ok(-1),
        other => Err(BookError::Form(format!("transactionType is neither BUY nor SELL: {other:?}"))),
    }
}

fn moment(row: &Value, name: &str) -> Option<i64> {
    when::from_india(row[name].as_str()?)
}

//! A day from a table: one row for each state of an order of the leader's (`docs/preview.md`).

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveDateTime;
use csv::StringRecord;
use tandem_actors::store::RecordedState;
use tandem_domain::ids::{BrokerOrderId, DhanClientId};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::leader::{LeaderBook, Merge};
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, Leg, OrderForm, OrderReport, OrderTerms, OrderType, Product, Side,
    TimeInForce,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::{Timestamp, TradingDay};

use super::capital::Given;

/// What a table tells.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) day: TradingDay,
    pub(super) states: Vec<RecordedState>,
    pub(super) told: Given,
}

const NEEDED: [&str; 12] = [
    "time",
    "order_id",
    "status",
    "segment",
    "security_id",
    "side",
    "product",
    "order_type",
    "quantity",
    "price",
    "filled",
    "average_price",
];
const OPTIONAL: [&str; 4] = ["trigger_price", "validity", "disclosed", "last_price"];

/// Reads a table. A fault names its line, and its column where it has one.
pub(super) fn read(text: &str, leader: &DhanClientId) -> Result<Table, String> {
    let told = read_head(text)?;
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let columns = Columns::find(reader.headers().map_err(|error| format!("no table: {error}"))?)?;
    let mut rows = Rows { book: None, leader, known: HashMap::new(), states: Vec::new(), last: None };
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        rows.take(&Row { columns: &columns, record: &record })?;
    }
    let Some(book) = rows.book else { return Err("it has no rows".to_owned()) };
    Ok(Table { day: book.trading_day(), states: rows.states, told })
}

fn broken(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: it has {len} columns, and the header {expected_len}")
        }
        _ => format!("line {line}: {error}"),
    }
}

/// Lines above the header that begin with `#` may tell capital: `# leader_capital = 1000000`, `# capital.asha = 500000`.
fn read_head(text: &str) -> Result<Given, String> {
    let mut told = Given::default();
    for (index, line) in text.lines().enumerate() {
        let Some((key, value)) = line.trim().strip_prefix('#').and_then(|line| line.split_once('=')) else {
            continue;
        };
        let amount =
            || Given::amount(value).map_err(|error| format!("line {}: {}: {error}", index + 1, key.trim()));
        match key.trim() {
            "leader_capital" => told.leader = Some(amount()?),
            key => {
                if let Some(follower) = key.strip_prefix("capital.") {
                    told.followers.insert(follower.trim().to_owned(), amount()?);
                }
            }
        }
    }
    Ok(told)
}

/// Where each column lies.
struct Columns(HashMap<&'static str, usize>);

impl Columns {
    fn find(header: &StringRecord) -> Result<Self, String> {
        let mut found = HashMap::new();
        for (index, name) in header.iter().enumerate() {
            let known = NEEDED.iter().chain(&OPTIONAL).find(|known| name.eq_ignore_ascii_case(known));
            let Some(known) = known else {
                return Err(format!(
                    "the header has a column {name:?} that means nothing here; there are {} and, if wanted, {}",
                    NEEDED.join(", "),
                    OPTIONAL.join(", ")
                ));
            };
            if found.insert(*known, index).is_some() {
                return Err(format!("the header has the column {known} twice"));
            }
        }
        match NEEDED.iter().filter(|name| !found.contains_key(**name)).copied().collect::<Vec<_>>().as_slice()
        {
            [] => Ok(Self(found)),
            missing => Err(format!("the header lacks {}", missing.join(", "))),
        }
    }
}

struct Row<'a> {
    columns: &'a Columns,
    record: &'a StringRecord,
}

impl Row<'_> {
    fn fault(&self, column: &str, why: impl Display) -> String {
        let line = self.record.position().map_or(0, csv::Position::line);
        format!("line {line}, column {column}: {why}")
    }

    fn text(&self, column: &'static str) -> &str {
        self.columns.0.get(column).and_then(|index| self.record.get(*index)).unwrap_or_default()
    }

    fn value<T: FromStr>(&self, column: &'static str, what: &str) -> Result<T, String> {
        let text = self.text(column);
        text.parse().map_err(|_| self.fault(column, format!("{text:?} is no {what}")))
    }

    /// Nothing where the column is not there or empty.
    fn optional<T: FromStr + Default>(&self, column: &'static str, what: &str) -> Result<T, String> {
        if self.text(column).is_empty() { Ok(T::default()) } else { self.value(column, what) }
    }

    fn code<T: FromStr + Display + Copy>(&self, column: &'static str, all: &[T]) -> Result<T, String> {
        let text = self.text(column).to_ascii_uppercase();
        text.parse().map_err(|_| {
            let words: Vec<String> = all.iter().map(ToString::to_string).collect();
            self.fault(column, format!("{:?} is none of {}", self.text(column), words.join(", ")))
        })
    }

    fn time(&self) -> Result<Timestamp, String> {
        let text = self.text("time");
        let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
        let read = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        let wrong =
            || self.fault("time", format!("{text:?} is no time in India such as 2026-12-01 10:00:05"));
        read.map(Timestamp::from_ist).ok_or_else(wrong)
    }

    fn status(&self) -> Result<BrokerStatus, String> {
        match BrokerStatus::from_wire(self.text("status")) {
            BrokerStatus::Unknown(text) => {
                let words = "TRANSIT, PENDING, PART_TRADED, TRADED, CANCELLED, REJECTED, EXPIRED";
                Err(self.fault("status", format!("{:?} is none of {words}", &*text)))
            }
            BrokerStatus::Confirm | BrokerStatus::Triggered | BrokerStatus::Closed => {
                Err(self.fault("status", "super and forever orders cannot be told by a table"))
            }
            status => Ok(status),
        }
    }

    fn terms(&self) -> Result<OrderTerms, String> {
        let product = self.code("product", Product::ALL)?;
        if matches!(product, Product::Cover | Product::Bracket) {
            return Err(self.fault("product", "orders that bring their exits cannot be told by a table"));
        }
        let order_type: OrderType = self.code("order_type", OrderType::ALL)?;
        let validity = if self.text("validity").is_empty() {
            TimeInForce::Day
        } else {
            self.code("validity", TimeInForce::ALL)?
        };
        let terms = OrderTerms {
            instrument: InstrumentKey {
                segment: self.code("segment", ExchangeSegment::ALL)?,
                security_id: SecurityId(self.value("security_id", "number")?),
            },
            side: self.code("side", Side::ALL)?,
            product,
            order_type,
            time_in_force: validity,
            quantity: Quantity::new(self.value("quantity", "number of units")?),
            disclosed: Quantity::new(self.optional("disclosed", "number of units")?),
            price: self.optional("price", "price in rupees")?,
            trigger: self.optional("trigger_price", "price in rupees")?,
            after_market: false,
            form: OrderForm::Ordinary,
        };
        if terms.quantity.is_zero() {
            return Err(self.fault("quantity", "an order is for one unit at least"));
        }
        let has_limit = matches!(order_type, OrderType::Limit | OrderType::StopLoss);
        if has_limit && terms.price.is_zero() {
            return Err(self.fault("price", format!("a {order_type} order has one")));
        }
        if order_type.is_stop() && terms.trigger.is_zero() {
            return Err(self.fault("trigger_price", format!("a {order_type} order has one")));
        }
        Ok(terms)
    }

    fn report(&self, leader: &DhanClientId) -> Result<OrderReport, String> {
        let time = self.time()?;
        let terms = self.terms()?;
        let id = self.text("order_id");
        let broker_order_id = BrokerOrderId::new(id).map_err(|error| self.fault("order_id", error))?;
        let filled: u32 = self.value("filled", "number of units")?;
        if filled > terms.quantity.get() {
            return Err(self.fault("filled", format!("{filled} of {} units", terms.quantity)));
        }
        let average_price: Price = self.optional("average_price", "price in rupees")?;
        if filled > 0 && average_price.is_zero() {
            return Err(self.fault("average_price", "what is filled has one"));
        }
        let last_price: Price = self.optional("last_price", "price in rupees")?;
        Ok(OrderReport {
            account: leader.clone(),
            broker_order_id,
            exchange_order_id: None,
            tag: None,
            terms,
            status: self.status()?,
            cumulative: Quantity::new(filled),
            average_price,
            reason: None,
            leg: Leg::Single,
            parent: None,
            last_price: Some(last_price).filter(|price| !price.is_zero()),
            ts_event: time,
            ts_exchange: None,
            ts_created: Some(time),
            source: EvidenceSource::Book,
        })
    }
}

/// The rows as they are read.
struct Rows<'a> {
    leader: &'a DhanClientId,
    /// None before the first row says which day it is.
    book: Option<LeaderBook>,
    /// Each order's newest row.
    known: HashMap<BrokerOrderId, OrderReport>,
    states: Vec<RecordedState>,
    last: Option<(Timestamp, Timestamp)>,
}

impl Rows<'_> {
    fn take(&mut self, row: &Row<'_>) -> Result<(), String> {
        let report = row.report(self.leader)?;
        let time = report.ts_event;
        let day = self.book.as_ref().map_or(time.trading_day(), LeaderBook::trading_day);
        if time.trading_day() != day {
            return Err(row.fault("time", format!("another day than {day}, which the first row is of")));
        }
        // Two rows are never of one moment: the later stands.
        let now = match self.last {
            Some((last, _)) if time < last => return Err(row.fault("time", "before that of the row above")),
            Some((_, now)) => time.max(now.plus(Duration::from_micros(1))),
            None => time,
        };
        self.last = Some((time, now));
        if let Some(known) = self.known.get(&report.broker_order_id) {
            follows(row, known, &report)?;
        }
        self.known.insert(report.broker_order_id.clone(), report.clone());
        let book = self.book.get_or_insert_with(|| LeaderBook::new(day));
        match book.merge(&report, now) {
            Merge::Changed(order) => self.states.push(RecordedState { order, known_at: now }),
            Merge::Unchanged => {}
            Merge::Contradiction | Merge::NeedsSupers(_) | Merge::NeedsForevers => {
                return Err(row.fault("order_id", "this row contradicts an earlier one of the same order"));
            }
        }
        Ok(())
    }
}

/// Refuses what cannot have become of an order.
fn follows(row: &Row<'_>, before: &OrderReport, after: &OrderReport) -> Result<(), String> {
    let (was, is) = (&before.terms, &after.terms);
    let same = "is not what it was in an earlier row of the order";
    if was.instrument != is.instrument {
        return Err(row.fault("security_id", same));
    }
    if was.side != is.side {
        return Err(row.fault("side", same));
    }
    if was.product != is.product {
        return Err(row.fault("product", same));
    }
    if after.cumulative < before.cumulative {
        return Err(row.fault("filled", "is less than in an earlier row of the order"));
    }
    if before.status.is_terminal() && before.status != after.status {
        return Err(row.fault("status", format!("the order had ended: {}", before.status)));
    }
    Ok(())
}

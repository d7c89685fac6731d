//! What the log says of incidents: a line for each that is opened and for each end, whoever caused it, in one shape.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tandem_domain::trading::{Control, HaltCause, Trading};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::fixtures::{Bench, asha, at};
use crate::alerts::{AlertText, Said};
use crate::incident_kinds::{Ending, KINDS};
use crate::store::apply::{self, Stored};
use crate::store::{HealthRow, IncidentSettled, TradingRow, Write};

/// A line as a channel would read it: its level, and its fields in the order in which they were given.
type Line = (Level, Vec<(&'static str, String)>);

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Line>>>);

struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push((*event.metadata().level(), fields.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What is said of this in the log.
fn lines(said: &[Said]) -> Vec<Line> {
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || said.iter().for_each(Said::log));
    log.0.lock().unwrap().clone()
}

/// What a transaction of these has to say.
fn said_of(connection: &Connection, writes: &[Write]) -> Vec<Said> {
    let mut stored = Stored::default();
    for write in writes {
        assert!(apply::write(connection, &mut stored, write).is_ok(), "{write:?}");
    }
    stored.said
}

/// With a subject that has the separator of names in it.
fn alert(kind: &'static str, seconds: i64) -> AlertText {
    AlertText { kind, subject: "NSE_FNO:1/cnc".to_owned(), text: format!("at {seconds}") }
}

fn opened(kind: &'static str, seconds: i64) -> Write {
    Write::IncidentOpen(alert(kind, seconds).row(Some(&asha()), at(seconds)))
}

fn trading(control: Control, seconds: i64) -> Write {
    let stopped = Trading::ACTIVE.after(Control::Reduce(HaltCause::Operator), at(0));
    let trading = stopped.after(control, at(seconds));
    Write::Trading(TradingRow { follower: asha(), trading, actor: "operator".into(), at: at(seconds) })
}

/// The last word of a process.
fn health(seconds: i64) -> Write {
    Write::Health(HealthRow {
        actor: "supervisor".into(),
        generation: 1,
        reported_at: at(seconds),
        snapshot: "{}".to_owned(),
    })
}

/// What ends one of a kind, apart from whoever opened it.
fn ending(how: Ending, id: &str, seconds: i64) -> Option<Vec<Write>> {
    Some(match how {
        Ending::ByItself => vec![Write::IncidentsOfBefore { closed_at: at(seconds) }],
        Ending::ByEvidence => return None,
        Ending::ByResume => vec![
            trading(Control::Reduce(HaltCause::Operator), seconds - 1),
            trading(Control::Resume, seconds),
        ],
        Ending::ByOperator => vec![Write::IncidentSettled(IncidentSettled {
            id: id.into(),
            note: "looked".into(),
            actor: "operator".into(),
            at: at(seconds),
        })],
    })
}

#[test]
fn every_kind_and_each_of_its_ends_is_told_in_one_shape() {
    let bench = Bench::new();
    let connection = bench.raw();
    for (number, (kind, how)) in (1..).zip(KINDS) {
        let line = |level, message: &str| {
            let fields = [
                ("message", message.to_owned()),
                ("alert", (*kind).to_owned()),
                ("follower", "asha".to_owned()),
                ("subject", "NSE_FNO:1/cnc".to_owned()),
            ];
            vec![(level, fields.to_vec())]
        };
        let check = |said: &[Said], level, message: &str| {
            assert_eq!(lines(said), line(level, message), "{kind}");
        };
        let start = number * 100;
        check(&said_of(&connection, &[opened(kind, start)]), Level::ERROR, &format!("at {start}"));
        // By whoever finds that it is so no more, and said once.
        let end = alert(kind, start).end(Some(&asha()), at(start + 1));
        check(&said_of(&connection, &[end.clone(), end]), Level::INFO, "this is so no more");

        let again = opened(kind, start + 2);
        let Write::IncidentOpen(row) = &again else { unreachable!() };
        let id = row.id.to_string();
        check(&said_of(&connection, &[again]), Level::ERROR, &format!("at {}", start + 2));
        // What is older than the last word of the process before is in its log.
        said_of(&connection, &[health(start + 8)]);
        if let Some(writes) = ending(*how, &id, start + 9) {
            check(&said_of(&connection, &writes), Level::INFO, "this is so no more");
        } else {
            said_of(&connection, &[alert(kind, start).end(Some(&asha()), at(start + 9))]);
        }
    }
}

#[test]
fn what_an_operator_has_looked_at_is_not_told_again() {
    let bench = Bench::new();
    let connection = bench.raw();
    let first = opened("detached", 1);
    let Write::IncidentOpen(row) = &first else { unreachable!() };
    let close = ending(Ending::ByOperator, &row.id, 2).unwrap();
    assert_eq!(said_of(&connection, &[first.clone(), first.clone()]).len(), 2, "while it stands open");
    assert_eq!(said_of(&connection, &close).len(), 1);
    assert_eq!(said_of(&connection, &[first]), []);
}

#[test]
fn what_the_log_of_the_process_before_may_not_have_is_told_at_the_start() {
    let bench = Bench::new();
    let connection = bench.raw();
    said_of(&connection, &[opened("detached", 1), opened("slippage", 2), health(10)]);
    // It dies between a commit and its line; and while nobody runs an operator closes another one.
    said_of(&connection, &[opened("overfill", 20), alert("slippage", 2).end(Some(&asha()), at(30))]);
    let said = said_of(&connection, &[Write::IncidentsOfBefore { closed_at: at(40) }]);
    let told: Vec<(&str, Option<&str>)> =
        said.iter().map(|said| (said.kind.as_str(), said.text.as_deref())).collect();
    assert_eq!(told, [("overfill", Some("at 20")), ("slippage", None)]);
}

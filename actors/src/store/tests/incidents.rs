//! Incidents: each is one thing from the day it was told first to its end, and each has an end.

use tandem_domain::trading::{Control, HaltCause, Trading};

use super::fixtures::{Bench, asha, at, day, instrument, open};
use crate::alerts::AlertText;
use crate::incident_kinds::{Ending, KINDS, ending, that_end};
use crate::store::{
    DriftRow, IncidentSettled, StoreError, TradingRow, Write, control_stopped, settle_stopped,
};

const NEXT_DAY: i64 = 86_400;

/// What somebody tells of asha.
fn told(kind: &'static str, subject: &str, seconds: i64) -> Write {
    let alert = AlertText { kind, subject: subject.to_owned(), text: format!("at {seconds}") };
    Write::IncidentOpen(alert.row(Some(&asha()), at(seconds)))
}

fn id(kind: &str, subject: &str) -> String {
    format!("{}/{kind}/asha/{subject}", day())
}

fn settled(id: &str, seconds: i64) -> IncidentSettled {
    IncidentSettled { id: id.into(), note: "looked".into(), actor: "operator".into(), at: at(seconds) }
}

fn open_kinds(bench: &Bench) -> Vec<String> {
    bench.store.reader.open_incidents().unwrap().iter().map(|row| row.kind.to_string()).collect()
}

fn drift(units: i64, seconds: i64) -> Write {
    Write::Drift(DriftRow {
        follower: asha(),
        trading_day: day(),
        instrument: instrument(),
        units,
        at: at(seconds),
    })
}

#[test]
fn what_is_still_so_on_another_day_is_the_same_incident_and_ends_on_that_day() {
    let bench = Bench::new();
    bench
        .commit(vec![told("account_halted", "..0202", 1), told("account_halted", "..0202", NEXT_DAY)])
        .unwrap();
    let open = bench.store.reader.open_incidents().unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0].id.to_string(), &*open[0].text), (id("account_halted", "..0202"), "at 1"));
    // Another account's is another.
    bench.commit(vec![told("account_halted", "..0303", NEXT_DAY)]).unwrap();
    let Write::IncidentOpen(later) = told("account_halted", "..0202", NEXT_DAY) else { unreachable!() };
    bench.commit(vec![Write::IncidentClose { id: later.id, closed_at: at(NEXT_DAY + 1) }]).unwrap();
    let open = bench.store.reader.open_incidents().unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(open[0].id.ends_with("..0303"));
    // Told again once it was over, it is one of that day.
    bench.commit(vec![told("account_halted", "..0202", NEXT_DAY + 2)]).unwrap();
    assert_eq!(bench.store.reader.open_incidents().unwrap().len(), 2);
    assert_eq!(bench.store.reader.incidents(9).unwrap().len(), 3);
}

#[test]
fn a_new_life_ends_what_it_would_tell_again_and_nothing_else() {
    let bench = Bench::new();
    let all = KINDS.iter().map(|(kind, _)| told(kind, "x", 1)).collect();
    bench.commit(all).unwrap();
    assert_eq!(open_kinds(&bench).len(), KINDS.len());
    bench.commit(vec![Write::IncidentsOfBefore { closed_at: at(2) }]).unwrap();
    let left = open_kinds(&bench);
    assert!(left.iter().all(|kind| ending(kind) != Ending::ByItself), "{left:?}");
    assert_eq!(left.len(), KINDS.len() - that_end(Ending::ByItself).count());
}

#[test]
fn an_operators_word_closes_what_happened_and_is_in_the_audit_log_once() {
    let bench = Bench::new();
    let slipped = id("slippage", "7");
    bench.commit(vec![told("slippage", "7", 5)]).unwrap();
    for _ in 0..2 {
        // By another clock, too: no incident ends before it began.
        bench.commit(vec![Write::IncidentSettled(settled(&slipped, 1))]).unwrap();
    }
    assert!(open_kinds(&bench).is_empty());
    let entries = bench.store.reader.audit_log(9).unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((&*entries[0].actor, &*entries[0].event), ("operator", "incident_closed"));
    assert_eq!(entries[0].subject.as_deref(), Some(&*slipped));
    let story = bench.store.reader.incidents(9).unwrap().remove(0);
    assert_eq!((story.closed_at, story.note.as_deref()), (Some(at(5)), Some("looked")));

    // A new life tells of it again; he has looked. Unless it is another thing by now.
    let again = |text: &str, seconds| {
        let alert = AlertText { kind: "slippage", subject: "7".to_owned(), text: text.to_owned() };
        bench.commit(vec![Write::IncidentOpen(alert.row(Some(&asha()), at(seconds)))]).unwrap();
        open_kinds(&bench).len()
    };
    assert_eq!((again("at 5", 7), again("twice as much", 8)), (0, 1));

    let unknown = bench.commit(vec![Write::IncidentSettled(settled("nothing", 6))]);
    assert_eq!(unknown, Err(StoreError::NoIncident("nothing".into())));
}

#[test]
fn p11_a_word_does_not_end_a_drift_that_is_on_record() {
    let bench = Bench::new();
    let drifted = id("ledger_drift", &instrument().to_string());
    bench.commit(vec![told("ledger_drift", &instrument().to_string(), 1), drift(65, 1)]).unwrap();
    let settle = |seconds| bench.commit(vec![Write::IncidentSettled(settled(&drifted, seconds))]);
    assert!(matches!(settle(2), Err(StoreError::StillSo { .. })));
    assert_eq!(open_kinds(&bench), ["ledger_drift"]);
    // What the night has carried is counted anew: that one is for him to look at.
    assert_eq!(settle(NEXT_DAY), Ok(()));
    bench.commit(vec![told("ledger_drift", &instrument().to_string(), 3), drift(0, 3)]).unwrap();
    assert_eq!(settle(4), Ok(()));
    assert!(open_kinds(&bench).is_empty());
}

fn stopped(control: Control, seconds: i64) -> Write {
    let trading = Trading::ACTIVE.after(control, at(seconds));
    Write::Trading(TradingRow { follower: asha(), trading, actor: "operator".into(), at: at(seconds) })
}

#[test]
fn what_says_that_a_follower_is_stopped_ends_with_his_resume_and_not_before() {
    let bench = Bench::new();
    let square_off = Control::SquareOff(HaltCause::Operator);
    bench
        .commit(vec![
            stopped(square_off, 1),
            told("trading_stopped", "operator", 1),
            told("squared_off", "..0202", 2),
        ])
        .unwrap();
    for open in [id("trading_stopped", "operator"), id("squared_off", "..0202")] {
        let refused = bench.commit(vec![Write::IncidentSettled(settled(&open, 3))]).unwrap_err();
        assert!(refused.to_string().contains("`tandem resume` ends it"), "{refused}");
    }
    let resumed = Trading::ACTIVE.after(square_off, at(1)).after(Control::Resume, at(NEXT_DAY));
    let row = TradingRow { follower: asha(), trading: resumed, actor: "operator".into(), at: at(NEXT_DAY) };
    bench.commit(vec![Write::Trading(row)]).unwrap();
    assert!(open_kinds(&bench).is_empty());
}

#[test]
fn while_no_daemon_runs_a_resume_and_a_word_end_them_too() {
    let bench = Bench::new();
    let in_doubt = instrument().to_string();
    bench
        .commit(vec![
            stopped(Control::Reduce(HaltCause::Operator), 1),
            told("trading_stopped", "operator", 1),
            told("unresolved_yesterday", &in_doubt, 1),
            told("detached", "7", 1),
        ])
        .unwrap();
    let Bench { store, settings, folder: _folder, .. } = bench;
    let words = [id("trading_stopped", "operator"), id("detached", "7"), "nothing".to_owned()];
    let rows: Vec<IncidentSettled> = words.iter().map(|id| settled(id, 2)).collect();
    assert!(settle_stopped(&settings.path, &rows).is_err(), "a daemon has it");
    store.stop();
    let each = settle_stopped(&settings.path, &rows).unwrap();
    assert!(matches!(&each[0], Err(StoreError::StillSo { .. })), "{each:?}");
    assert_eq!(each[1], Ok(()));
    assert!(matches!(&each[2], Err(StoreError::NoIncident(_))), "{each:?}");
    control_stopped(&settings.path, &[asha()], Control::Resume, "operator", at(3)).unwrap();
    let (store, _deaths) = open(&settings);
    assert_eq!(store.reader.open_incidents().unwrap(), []);
}

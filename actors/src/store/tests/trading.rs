//! Trading states: kept over restarts, each change in the audit log.

use tandem_domain::follower::Record;
use tandem_domain::ids::FollowerId;
use tandem_domain::trading::{Control, HaltCause, Trading, TradingState};

use super::fixtures::{Bench, account, asha, at, is_constraint, open};
use crate::records::{Circumstances, Owner, writes};
use crate::store::{ControlError, OpenError, Reader, TradingRow, Write, control_stopped};

const HALT: Control = Control::Halt { cause: HaltCause::Operator, cancel_working: false };

fn row(trading: Trading, seconds: i64) -> Write {
    Write::Trading(TradingRow { follower: asha(), trading, actor: "operator".into(), at: at(seconds) })
}

/// Who did what, oldest first.
fn log(reader: &Reader) -> Vec<String> {
    let entries = reader.audit_log(20).unwrap();
    entries.iter().rev().map(|entry| format!("{} {}", entry.actor, entry.event)).collect()
}

#[test]
fn p17_a_state_outlives_the_process() {
    let bench = Bench::new();
    assert_eq!(bench.store.reader.trading(&asha()).unwrap(), None);
    let halted = Trading::ACTIVE.after(HALT, at(1)).after(Control::SquareOff(HaltCause::Operator), at(2));
    bench.commit(vec![row(halted, 2)]).unwrap();
    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    let (store, _deaths) = open(&settings);
    assert_eq!(store.reader.trading(&asha()).unwrap(), Some(halted));
    assert_eq!(store.reader.trading_states().unwrap(), [(asha(), halted)]);
}

#[test]
fn each_change_is_told_once_with_what_was_and_what_is() {
    let bench = Bench::new();
    let reducing = Trading::ACTIVE.after(Control::Reduce(HaltCause::Operator), at(1));
    let halted = reducing.after(HALT, at(2));
    let squaring = halted.after(Control::SquareOff(HaltCause::Operator), at(3));
    let flat = Trading { is_squaring_off: false, ..squaring };
    let resumed = flat.after(Control::Resume, at(5));
    for (seconds, trading) in (1..).zip([reducing, halted, squaring, flat, resumed]) {
        bench.commit(vec![row(trading, seconds), row(trading, seconds + 10)]).unwrap();
        assert_eq!(bench.store.reader.trading(&asha()).unwrap(), Some(trading));
    }
    let told = [
        "operator reduce",
        "operator halt",
        "operator square_off",
        "follower/asha squared_off",
        "operator resume",
    ];
    assert_eq!(log(&bench.store.reader), told);
    let halt = &bench.store.reader.audit_log(4).unwrap()[3];
    assert_eq!((halt.subject.as_deref(), halt.recorded_at), (Some("asha"), at(2)));
    let details: serde_json::Value = serde_json::from_str(&halt.details).unwrap();
    assert_eq!((&details["old"]["state"], &details["new"]["state"]), (&"reducing".into(), &"halted".into()));
    assert_eq!(details["new"]["cause"], "operator");
}

#[test]
fn p17_a_weaker_state_of_one_who_had_not_heard_is_not_recorded() {
    let bench = Bench::new();
    let all = Control::Halt { cause: HaltCause::Operator, cancel_working: true };
    let stands = || bench.store.reader.trading(&asha()).unwrap().unwrap();
    let halted = Trading::ACTIVE.after(all, at(2));
    bench.commit(vec![row(halted, 2)]).unwrap();
    assert_eq!(stands().stopped_at, Some(at(2)));
    let lost = Control::Reduce(HaltCause::DailyLoss);
    for weaker in [Trading::ACTIVE.after(lost, at(3)), Trading::ACTIVE] {
        bench.commit(vec![row(weaker, 3)]).unwrap();
        assert_eq!(stands(), halted);
    }
    let squaring = halted.after(Control::SquareOff(HaltCause::Operator), at(4));
    bench.commit(vec![row(squaring, 4), row(halted, 5)]).unwrap();
    assert_eq!(stands(), squaring, "only who knows of the square-off ends it");
    let resumed = squaring.after(Control::Resume, at(6));
    bench.commit(vec![row(resumed, 6)]).unwrap();
    assert_eq!((stands(), stands().stopped_at), (resumed, Some(at(4))));
    assert_eq!(log(&bench.store.reader), ["operator halt", "operator square_off", "operator resume"]);
}

#[test]
fn p26_a_halt_without_a_cause_is_refused_and_so_is_its_entry() {
    let bench = Bench::new();
    let halted = Trading { state: TradingState::Halted, ..Trading::ACTIVE };
    is_constraint(bench.commit(vec![row(halted, 1)]), "CHECK");
    assert!(log(&bench.store.reader).is_empty());
}

#[test]
fn what_a_limit_stops_is_told_of_the_follower() {
    let bench = Bench::new();
    let (follower, account) = (asha(), account());
    let owner = Owner { follower: &follower, account: &account };
    let around = Circumstances { now: at(7), news: None };
    let lost = Trading::ACTIVE.after(Control::Reduce(HaltCause::DailyLoss), at(7));
    for trading in [lost, lost.after(HALT, at(8))] {
        bench.commit(writes(vec![Record::Trading(trading)], owner, &around)).unwrap();
    }
    assert_eq!(log(&bench.store.reader), ["follower/asha reduce", "operator halt"]);
}

#[test]
fn p27_an_operator_stops_followers_of_a_daemon_that_does_not_run() {
    let bench = Bench::new();
    let bina = FollowerId::new("bina").unwrap();
    bench.commit(vec![row(Trading::ACTIVE.after(Control::Reduce(HaltCause::DailyLoss), at(1)), 1)]).unwrap();
    let both = [asha(), bina.clone()];
    let path = &bench.settings.path;
    let refused = control_stopped(path, &both, HALT, "operator", at(2)).unwrap_err();
    assert!(matches!(refused, ControlError::Open(OpenError::Locked { .. })), "{refused:?}");

    let Bench { store, settings, folder: _folder, .. } = bench;
    store.stop();
    let halted = control_stopped(&settings.path, &both, HALT, "operator", at(3)).unwrap();
    assert_eq!(halted[1], Trading::ACTIVE.after(HALT, at(3)));
    // Said again it changes nothing.
    assert_eq!(control_stopped(&settings.path, &both, HALT, "operator", at(4)).unwrap(), halted);
    let (store, _deaths) = open(&settings);
    assert_eq!(store.reader.trading_states().unwrap(), [(asha(), halted[0]), (bina, halted[1])]);
    assert_eq!(log(&store.reader), ["operator reduce", "operator halt", "operator halt"]);
}

//! The writer's thread: group commit, fencing, checkpoints, and its end.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tandem_domain::mirror::Outcome;

use super::fixtures::{
    Bench, PATIENCE, child, ground, is_constraint, leader_event, leader_order, mapped, note, open, planned,
};
use crate::store::{IntentState, Job, StoreError, SubmitError, WriterId};

impl Bench {
    /// Holds the writer inside a reply until the sender is dropped; what is submitted meanwhile waits.
    fn hold(&self) -> std::sync::mpsc::Sender<()> {
        let (release, released) = channel::<()>();
        let (entered, inside) = channel();
        let job = Job {
            writer: WriterId { actor: "holder".into(), generation: 1 },
            writes: Vec::new(),
            in_order: false,
            reply: Box::new(move |_| {
                entered.send(()).unwrap();
                released.recv().unwrap_err();
            }),
        };
        self.store.handle.submit(job).unwrap();
        inside.recv_timeout(PATIENCE).unwrap();
        release
    }
}

#[test]
fn jobs_that_wait_share_a_commit_and_a_bad_one_fails_alone() {
    let bench = Bench::new();
    bench.commit(ground()).unwrap();
    let before = bench.store.handle.stats();
    let release = bench.hold();
    let good = bench.submit(vec![note(1)]);
    // The note before the fault must not stay.
    let bad = bench.submit(vec![note(1), planned(&child(0, 1), IntentState::Sending, 131)]);
    let last = bench.submit(vec![planned(&child(0, 1), IntentState::Sending, 130)]);
    assert_eq!(bench.store.handle.stats().queued, 3);
    drop(release);
    good.recv_timeout(PATIENCE).unwrap().result.unwrap();
    is_constraint(bad.recv_timeout(PATIENCE).unwrap().result, "P5");
    let answer = last.recv_timeout(PATIENCE).unwrap();
    answer.result.unwrap();
    assert!(answer.commit_us > 0);
    let after = bench.store.handle.stats();
    assert_eq!(
        (after.commits - before.commits, after.jobs - before.jobs),
        (2, 4),
        "the holder's and one for three"
    );
    assert_eq!((bench.count("audit_log"), bench.count("intents")), (1, 1));
}

#[test]
fn an_event_that_a_refused_job_took_back_is_stored_with_the_next() {
    let bench = Bench::new();
    let event = leader_event(&leader_order());
    let release = bench.hold();
    let refused = bench.submit(vec![event.clone(), planned(&child(0, 1), IntentState::Sending, 130)]);
    let good = bench.submit(vec![event.clone(), mapped(Outcome::Waiting, 130)]);
    let again = bench.submit(vec![event, planned(&child(0, 1), IntentState::Sending, 130)]);
    drop(release);
    is_constraint(refused.recv_timeout(PATIENCE).unwrap().result, "FOREIGN KEY");
    good.recv_timeout(PATIENCE).unwrap().result.unwrap();
    again.recv_timeout(PATIENCE).unwrap().result.unwrap();
    assert_eq!((bench.count("order_events"), bench.count("intents")), (1, 1));
}

#[test]
fn an_answer_means_that_others_can_read_it() {
    let bench = Bench::new();
    for row in 1..=20 {
        bench.commit(vec![note(1)]).unwrap();
        assert_eq!(bench.count("audit_log"), row);
    }
}

#[test]
fn an_older_generation_writes_nothing_more() {
    let bench = Bench::new();
    bench.store.handle.set_generation("asha", 2);
    let release = bench.hold();
    let second = bench.submit_as("asha", 2, vec![note(1)]);
    let other = bench.submit_as("bina", 1, vec![note(1)]);
    // Fenced while its job waits: the check is made when it is its turn, not when it was queued. The writer is
    // inside a reply, so its generations are free to change.
    bench.store.handle.set_generation("asha", 3);
    let third = bench.submit_as("asha", 3, vec![note(1)]);
    drop(release);
    let fenced = second.recv_timeout(PATIENCE).unwrap().result;
    let expected = StoreError::Fenced { actor: "asha".into(), generation: 2, current: 3 };
    assert_eq!(fenced, Err(expected));
    other.recv_timeout(PATIENCE).unwrap().result.unwrap();
    third.recv_timeout(PATIENCE).unwrap().result.unwrap();
    bench.store.handle.set_generation("asha", 1);
    let old = bench.submit_as("asha", 2, vec![note(1)]).recv_timeout(PATIENCE).unwrap().result;
    assert!(matches!(old, Err(StoreError::Fenced { .. })), "generations only rise: {old:?}");
    assert_eq!(bench.count("audit_log"), 2);
}

#[test]
fn what_builds_on_a_refused_job_is_refused() {
    let bench = Bench::new();
    let impossible = || vec![planned(&child(0, 1), IntentState::Sending, 130)];
    let release = bench.hold();
    let before = bench.submit_in_order("asha", 1, vec![note(1)]);
    let refused = bench.submit_in_order("asha", 1, impossible());
    let behind = bench.submit_in_order("asha", 1, vec![note(1)]);
    let quiet = bench.submit_as("asha", 1, vec![note(1)]);
    let other = bench.submit_in_order("bina", 1, vec![note(1)]);
    drop(release);
    let answer = |waiting: std::sync::mpsc::Receiver<crate::store::Committed>| {
        waiting.recv_timeout(PATIENCE).unwrap().result
    };
    assert_eq!([before, quiet, other].map(answer), [Ok(()), Ok(()), Ok(())]);
    is_constraint(answer(refused), "FOREIGN KEY");
    let is_behind = Err(StoreError::Behind { actor: "asha".into(), generation: 1 });
    assert_eq!(answer(behind), is_behind);
    // However much later it comes; the next life begins anew.
    assert_eq!(answer(bench.submit_in_order("asha", 1, vec![note(1)])), is_behind);
    assert_eq!(answer(bench.submit_in_order("asha", 2, vec![note(1)])), Ok(()));
    // What builds on nothing breaks nothing.
    is_constraint(answer(bench.submit_as("bina", 1, impossible())), "FOREIGN KEY");
    assert_eq!(answer(bench.submit_in_order("bina", 1, vec![note(1)])), Ok(()));
    assert_eq!(bench.count("audit_log"), 5);
}

#[test]
fn a_full_queue_says_so() {
    let bench = Bench::with(|settings| settings.queue_capacity = 2);
    let release = bench.hold();
    let waiting = [bench.submit(vec![note(1)]), bench.submit(vec![note(1)])];
    let refused = bench.store.handle.submit(Job {
        writer: WriterId { actor: "test".into(), generation: 1 },
        writes: vec![note(1)],
        in_order: false,
        reply: Box::new(|_| {}),
    });
    assert_eq!(refused, Err(SubmitError::Full));
    assert_eq!(bench.store.handle.stats().queued, 2);
    drop(release);
    for answer in waiting {
        answer.recv_timeout(PATIENCE).unwrap().result.unwrap();
    }
    assert_eq!(bench.count("audit_log"), 2);
}

#[test]
fn an_alert_finds_room_in_a_full_queue() {
    let bench = Bench::with(|settings| settings.queue_capacity = 1);
    let release = bench.hold();
    let waiting = bench.submit(vec![note(1)]);
    let job = || Job {
        writer: WriterId { actor: "test".into(), generation: 1 },
        writes: vec![note(1)],
        in_order: false,
        reply: Box::new(|_| {}),
    };
    assert_eq!(bench.store.handle.submit(job()), Err(SubmitError::Full));
    assert!(bench.store.handle.offer_alert(job()).is_ok());
    drop(release);
    waiting.recv_timeout(PATIENCE).unwrap().result.unwrap();
    bench.commit(Vec::new()).unwrap();
    assert_eq!(bench.count("audit_log"), 2);
}

#[test]
fn a_full_disk_is_fatal_and_leaves_what_was_committed() {
    let bench = Bench::with(|settings| settings.pages_max = Some(200));
    bench.commit(vec![note(100)]).unwrap();
    let release = bench.hold();
    let innocent = bench.submit(vec![note(100)]);
    let huge = bench.submit(vec![note(4_000_000)]);
    drop(release);
    for answer in [innocent, huge] {
        let result = answer.recv_timeout(PATIENCE).unwrap().result;
        assert!(matches!(&result, Err(StoreError::Fatal(reason)) if reason.contains("full")), "{result:?}");
    }
    assert!(bench.deaths.recv_timeout(PATIENCE).unwrap().contains("full"));
    let Bench { store, mut settings, folder: _folder, .. } = bench;
    let refused = store.handle.submit(Job {
        writer: WriterId { actor: "test".into(), generation: 1 },
        writes: Vec::new(),
        in_order: false,
        reply: Box::new(|_| {}),
    });
    assert_eq!(refused, Err(SubmitError::Stopped));
    store.stop();
    // The lock was free when the death was told.
    settings.pages_max = None;
    let (store, _deaths) = open(&settings);
    assert_eq!(store.reader.audit_log(10).unwrap().len(), 1);
    store.stop();
}

#[test]
fn a_database_locked_by_another_process_is_waited_for_and_then_fatal() {
    let bench = Bench::with(|settings| settings.busy_timeout = Duration::from_millis(50));
    let other = bench.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let result = bench.commit(vec![note(1)]);
    assert!(matches!(&result, Err(StoreError::Fatal(reason)) if reason.contains("locked")), "{result:?}");
    bench.deaths.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_writer_that_lost_the_database_stops() {
    let bench = Bench::new();
    bench.raw().execute("UPDATE writer_epoch SET epoch = epoch + 1", []).unwrap();
    let result = bench.commit(vec![note(1)]);
    assert!(matches!(&result, Err(StoreError::Fatal(reason)) if reason.contains("epoch")), "{result:?}");
    bench.deaths.recv_timeout(PATIENCE).unwrap();
    assert_eq!(bench.count("audit_log"), 0);
}

#[test]
fn a_panic_in_the_writer_is_told() {
    let bench = Bench::new();
    let job = Job {
        writer: WriterId { actor: "test".into(), generation: 1 },
        writes: Vec::new(),
        in_order: false,
        reply: Box::new(|_| panic!("on purpose")),
    };
    bench.store.handle.submit(job).unwrap();
    assert_eq!(bench.deaths.recv_timeout(PATIENCE).unwrap(), Arc::from("the writer panicked"));
}

#[test]
fn a_stop_answers_what_was_queued_and_is_no_death() {
    let bench = Bench::new();
    let release = bench.hold();
    let answers: Vec<_> = (0..600).map(|_| bench.submit(vec![note(1)])).collect();
    drop(release);
    let Bench { store, deaths, .. } = bench;
    store.stop();
    for answer in answers {
        answer.try_recv().unwrap().result.unwrap();
    }
    deaths.try_recv().unwrap_err();
}

#[test]
fn the_log_is_copied_and_begun_anew() {
    let bench = Bench::new();
    for _ in 0..100 {
        bench.commit(vec![note(400_000)]).unwrap();
    }
    // The checkpoint comes after the answer.
    let started = Instant::now();
    while bench.store.handle.stats().wal_bytes >= 2 * 1024 * 1024 {
        assert!(started.elapsed() < PATIENCE, "nothing waits and the log is not copied");
        std::thread::yield_now();
    }
    let log = std::fs::metadata(bench.folder.path().join("tandem.db-wal")).unwrap().len();
    assert!(log < 20 * 1024 * 1024, "40 MB were written, the log is {log}");
    assert_eq!(bench.count("audit_log"), 100);
}

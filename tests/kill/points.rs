//! F4: the process ended at each boundary between two effects, and started again.
//!
//! Each time: a first life that leaves something on record, a second that is ended at the point, a leader who goes on
//! while nobody follows him, a third life, calm, the books.

use tandem_actors::faults::FaultPoint;
use tandem_sim::AnswerFault;

use crate::books::{hold_their_share, settle_and_check, until_out_of_doubt};
use crate::harness::{ASHA, BALA, Daemon, Stage, buy, limit, until};
use crate::leader::{LOT, Leader, cancel_all};
use crate::life::{millis, pause, setup, tandem};

/// What `abort` ends a process with.
const SIGABRT: i32 = 6;

/// In which kind of a day a point is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// By starting.
    Starting,
    /// By copying.
    Copying,
    /// By copying from a broker who is slow to answer.
    Waiting,
    /// By being told to halt.
    Halting,
    /// By the night.
    Turning,
}

/// A point that is added comes here, or nothing is built.
const fn day_of(point: FaultPoint) -> Day {
    match point {
        FaultPoint::StoreLocked
        | FaultPoint::StoreChecked
        | FaultPoint::StoreMigrated
        | FaultPoint::StoreOpened
        | FaultPoint::GroundLaid
        | FaultPoint::BreakerStarted
        | FaultPoint::FollowerStarted
        | FaultPoint::SizerStarted
        | FaultPoint::LeaderStarted
        | FaultPoint::FollowerLoaded
        | FaultPoint::FollowerRestored
        | FaultPoint::FollowerBookRead
        | FaultPoint::FollowerPositionsRead
        | FaultPoint::LeaderLoggedIn
        | FaultPoint::LeaderBookRead
        | FaultPoint::LeaderMerged
        | FaultPoint::StoreWatched => Day::Starting,
        FaultPoint::LeaderFrameReceived
        | FaultPoint::SizerTold
        | FaultPoint::FollowerPlanned
        | FaultPoint::BeforeLeaderEventCommit
        | FaultPoint::AfterLeaderEventCommit
        | FaultPoint::BeforePlannedCommit
        | FaultPoint::AfterPlannedCommit
        | FaultPoint::BeforeSendingCommit
        | FaultPoint::AfterSendingCommit
        | FaultPoint::BeforeChangeCommit
        | FaultPoint::AfterChangeCommit
        | FaultPoint::BeforeCancelCommit
        | FaultPoint::AfterCancelCommit
        | FaultPoint::BeforeRequest
        | FaultPoint::AfterAnswer
        | FaultPoint::BeforeAnswerCommit
        | FaultPoint::AfterAnswerCommit
        | FaultPoint::BreakerTold
        | FaultPoint::FillReceived
        | FaultPoint::BeforeFillCommit
        | FaultPoint::AfterFillCommit => Day::Copying,
        FaultPoint::RequestOnWire => Day::Waiting,
        FaultPoint::HaltDoorsShut
        | FaultPoint::BeforeTradingCommit
        | FaultPoint::AfterTradingCommit
        | FaultPoint::HaltAcknowledged => Day::Halting,
        FaultPoint::DayTurned => Day::Turning,
    }
}

/// The leader trades until the daemon is ended.
fn trade_until_over(stage: &mut Stage, leader: &mut Leader) {
    until("the point is reached", || {
        leader.act(&stage.broker);
        pause(millis(60));
        stage.daemon.is_over().then_some(())
    });
}

/// An operator halts all. Whether or not the daemon lives to hear it, what he is told to be recorded must be (P17, P27):
/// where nobody answers, the command writes the rows by itself.
fn halt(daemon: &Daemon) {
    let said = tandem(daemon.folder(), &["halt", "--database", "tandem.db"], &[]);
    assert!(said.status.success(), "{said:?}");
}

fn halted(daemon: &Daemon) -> usize {
    let status = daemon.status();
    let rows = status["trading"].as_array().unwrap();
    rows.iter().filter(|row| row["state"] == "halted").count()
}

/// The second life, up to its end.
fn second_life(stage: &mut Stage, leader: &mut Leader, day: Day, fault: &str) {
    let bytes = stage.daemon.log_bytes();
    if day == Day::Waiting {
        for client_id in [ASHA, BALA] {
            stage.broker.spoil_placements(client_id, 20, AnswerFault::Delay { ms: 100 });
        }
    }
    stage.daemon.start_with(fault);
    match day {
        Day::Starting => {}
        Day::Copying | Day::Waiting => trade_until_over(stage, leader),
        Day::Halting => {
            stage.daemon.until_live_since(bytes);
            halt(&stage.daemon);
            // Where the command wrote the rows, it went by this machine's clock, and the daemon by the simulator's.
            stage.daemon.overlooks("after a halt");
        }
        Day::Turning => {
            stage.daemon.until_live_since(bytes);
            stage.broker.pass_until("2026-12-02 09:20:00");
            stage.broker.lead(buy(leader.options[0], 2 * LOT));
        }
    }
    assert_eq!(stage.daemon.until_signal(), Some(SIGABRT), "{fault}");
}

fn killed_at(point: FaultPoint, seed: u64) {
    let day = day_of(point);
    eprintln!("{point}: {day:?}, seed {seed}");
    let mut stage = setup().stage();
    let mut leader = Leader::new(&stage.broker, seed);
    let [option, _] = leader.options;
    let held = stage.broker.lead(buy(option, 4 * LOT));
    stage.daemon.until_filled(&held, "asha", 2 * LOT);
    stage.daemon.until_filled(&held, "bala", 4 * LOT);
    let resting = stage.broker.lead(limit("95.00", buy(option, 2 * LOT)));
    stage.daemon.until_status(&resting, "asha", "PENDING");
    stage.daemon.until_status(&resting, "bala", "PENDING");
    stage.daemon.kill();

    // Not at the first time only: what is under way differs from one to the next.
    let at = if matches!(day, Day::Copying) { 1 + seed % 3 } else { 1 };
    second_life(&mut stage, &mut leader, day, &format!("{point}=abort@{at}"));
    stage.daemon.assert_promises_kept();
    cancel_all(&stage.broker);
    stage.broker.lead(buy(option, 2 * LOT));

    stage.daemon.start_and_follow();
    if day == Day::Halting {
        assert_eq!(halted(&stage.daemon), 2, "a restart re-arms nobody");
        stage.daemon.run_command(&["resume", "--database", "tandem.db"]);
    }
    until_out_of_doubt(&stage.daemon);
    let after = stage.broker.lead(buy(option, 2 * LOT));
    stage.daemon.until_filled(&after, "asha", LOT);
    hold_their_share(&stage.broker, &stage.daemon, &leader.options);
    leader.close_out(&stage.broker);
    settle_and_check(&stage.broker, &stage.daemon, &leader.options);
    stage.daemon.assert_well_at_rest(&stage.broker);
}

/// Every second point, from this one on: two lanes side by side.
fn lane(first: usize) {
    // A point that failed, alone.
    let only = std::env::var("TANDEM_KILL_POINT").ok();
    for (number, point) in FaultPoint::ALL.iter().enumerate().skip(first).step_by(2) {
        if only.as_ref().is_none_or(|only| only == point.name()) {
            killed_at(*point, number as u64);
        }
    }
}

#[test]
fn f4_killed_at_each_point_first_lane() {
    lane(0);
}

#[test]
fn f4_killed_at_each_point_second_lane() {
    lane(1);
}

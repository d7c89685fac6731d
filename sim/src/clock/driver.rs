//! Moves simulated time: a pump that follows the clock, and runs that negotiate jumps with the daemons.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_domain::time::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::RunUntil;
use crate::broker::{Broker, Shared};

/// How finely the exchange follows the clock.
const PUMP_PERIOD: Duration = Duration::from_millis(2);
/// How long a run waits for news before it looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A daemon that does not confirm a jump within this real time is cut off: one hung daemon may not stop the day.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);
/// Without daemons time jumps in steps, so that the sockets get a turn in between.
const FREE_JUMP_MAX: Duration = Duration::from_mins(1);

/// Runs until the simulator stops.
pub(crate) async fn drive(shared: Arc<Shared>, runs: mpsc::UnboundedReceiver<RunUntil>) {
    tokio::join!(pump(&shared), make_runs(&shared, runs));
}

async fn pump(shared: &Shared) {
    let mut ticks = interval(PUMP_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        shared.with(|broker| broker.send_overdue(Instant::now()));
    }
}

async fn make_runs(shared: &Shared, mut runs: mpsc::UnboundedReceiver<RunUntil>) {
    while let Some(run) = runs.recv().await {
        let reached = run_until(shared, run.target).await;
        // Nobody has to wait for a run.
        let _ = run.arrived.send(reached);
    }
}

/// What a run does next.
enum Step {
    Arrived(Timestamp),
    Ask(u64),
    Jumped,
}

async fn run_until(shared: &Shared, target: Timestamp) -> Timestamp {
    loop {
        let step = shared.with(|broker| {
            let now = broker.exchange.now();
            if now >= target {
                Step::Arrived(now)
            } else if broker.daemons.is_empty() {
                let reached = broker.exchange.advance_to(target.min(now.plus(FREE_JUMP_MAX)));
                broker.clock.jump_to(reached, Instant::now());
                Step::Jumped
            } else {
                Step::Ask(broker.daemons.propose())
            }
        });
        match step {
            Step::Arrived(now) => return now,
            Step::Jumped => tokio::task::yield_now().await,
            Step::Ask(question) => {
                if let Some(told) = negotiate(shared, question, target).await {
                    confirmed(shared, told).await;
                }
            }
        }
    }
}

/// Waits until every daemon has answered, then jumps if all of them are where the simulator is. Answers with the
/// moment told to them; none when the question is void or has to be asked again.
async fn negotiate(shared: &Shared, question: u64, target: Timestamp) -> Option<Timestamp> {
    loop {
        let news = shared.changed.notified();
        match jump_if_agreed(shared, question, target) {
            Outcome::Jumped(told) => return Some(told),
            Outcome::NothingToJump => return None,
            Outcome::Awaited => {
                let _ = timeout(LOOK_AGAIN, news).await;
            }
            Outcome::OutOfDate => {
                let _ = timeout(LOOK_AGAIN, news).await;
                return None;
            }
        }
    }
}

/// What came of a question.
enum Outcome {
    /// All were idle and had received what was sent: the clock has jumped, and they were told this moment.
    Jumped(Timestamp),
    /// The target was reached at the clock's rate, or nobody is left to agree.
    NothingToJump,
    /// A daemon has not answered yet.
    Awaited,
    /// Something is on its way, inside or to a daemon: they have to be asked again once it has arrived.
    OutOfDate,
}

fn jump_if_agreed(shared: &Shared, question: u64, target: Timestamp) -> Outcome {
    let broker = &mut *shared.lock();
    if broker.exchange.now() >= target || broker.daemons.is_empty() {
        return Outcome::NothingToJump;
    }
    let Some(counts) = broker.daemons.all_idle(question) else { return Outcome::Awaited };
    let received =
        counts.iter().all(|of| of.iter().all(|(account, texts)| broker.streams.has_sent(account, *texts)));
    if received && broker.is_quiet() { Outcome::Jumped(jump(broker, target)) } else { Outcome::OutOfDate }
}

/// Jumps to the next moment at which something happens, or to the target. The frames of the jump wait until the
/// daemons have confirmed it.
fn jump(broker: &mut Broker, target: Timestamp) -> Timestamp {
    let reached = broker.exchange.advance_to(target);
    broker.clock.jump_to(reached, Instant::now());
    broker.streams.set_jumping(true);
    broker.dispatch(Instant::now());
    broker.tell_time()
}

/// Waits until every daemon's clock shows the moment told, then lets the frames of the jump go.
async fn confirmed(shared: &Shared, told: Timestamp) {
    let deadline = Instant::now() + CONFIRM_DEADLINE;
    loop {
        let news = shared.changed.notified();
        if release_if_applied(shared, told, deadline) {
            return;
        }
        let _ = timeout(LOOK_AGAIN, news).await;
    }
}

fn release_if_applied(shared: &Shared, told: Timestamp, deadline: Instant) -> bool {
    let broker = &mut *shared.lock();
    if Instant::now() >= deadline {
        tracing::warn!(
            told_us = told.micros(),
            "a daemon did not confirm a jump of the clock and was cut off"
        );
        broker.daemons.drop_laggards(told.micros());
    }
    let applied = broker.daemons.all_applied(told.micros());
    if applied {
        broker.streams.set_jumping(false);
        broker.dispatch(Instant::now());
    }
    applied
}

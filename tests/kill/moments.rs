//! F4, F17: `kill -9` at random moments of busy days, start-up included; and a process that is stopped for a while.

use std::time::{Duration, Instant};

use crate::books::{hold_their_share, settle_and_check};
use crate::harness::{Daemon, Stage, until};
use crate::leader::{Chance, Leader};
use crate::life::{millis, pause, setup};

/// Kills in one day, after which all is looked at.
const KILLS: u32 = 20;
/// Days of each lane; two lanes run side by side, 200 kills in all.
const DAYS: u64 = 5;
/// How many kills in ten meet a start-up.
const IN_START_UP: u32 = 3;
/// The longest that a life follows the leader before it is killed, in milliseconds.
const LIFE_MS_MAX: u32 = 350;
/// How often a process is stopped, and lives on.
const SLEEPS: u32 = 3;
/// For how long: longer than a hung actor is given.
const SLEEP_MS: u32 = 8_000;
/// What it says then.
const STOOD_STILL: &str = "the process stood still: a busy or a suspended machine";
/// The longest that nobody follows him.
const DEATH_MS_MAX: u32 = 150;

/// Acts now and then until the time is over or the wait is.
fn act_until(leader: &mut Leader, stage: &Stage, mut is_over: impl FnMut(&Daemon) -> bool) {
    while !is_over(&stage.daemon) {
        leader.act(&stage.broker);
        let wait = millis(leader.chance.below(200));
        let acted = Instant::now();
        while acted.elapsed() < wait && !is_over(&stage.daemon) {
            pause(millis(3));
        }
    }
}

fn act_for(leader: &mut Leader, stage: &Stage, span: Duration) {
    let begun = Instant::now();
    act_until(leader, stage, |_| begun.elapsed() >= span);
}

/// One day: so many lives, each killed; then one that is left alone, while the leader leaves. What the leader does and how
/// long each life lasts comes of the seed; which of it meets which is time's.
fn day(seed: u64) {
    eprintln!("seed {seed}: TANDEM_KILL_SEED={seed} cargo test --test kill moments");
    let mut stage = setup().stage();
    let mut leader = Leader::new(&stage.broker, seed);
    let mut chance = Chance::new(!seed);
    stage.daemon.kill();
    let start_up = stage.daemon.start_and_follow();
    stage.daemon.kill();
    for _ in 0..KILLS {
        let bytes = stage.daemon.log_bytes();
        stage.daemon.start();
        let span = if chance.below(10) < IN_START_UP {
            start_up * chance.below(100) / 100
        } else {
            act_until(&mut leader, &stage, |daemon| daemon.follows_since(bytes));
            millis(chance.below(LIFE_MS_MAX))
        };
        act_for(&mut leader, &stage, span);
        stage.daemon.kill();
        stage.daemon.assert_promises_kept();
        act_for(&mut leader, &stage, millis(chance.below(DEATH_MS_MAX)));
    }
    stage.daemon.start_and_follow();
    hold_their_share(&stage.broker, &stage.daemon, &leader.options);
    leader.close_out(&stage.broker);
    settle_and_check(&stage.broker, &stage.daemon, &leader.options);
    stage.daemon.assert_well_at_rest(&stage.broker);
}

/// The days with odd seeds, or those with even ones; where a seed is asked for, that day alone.
fn lane(first: u64) {
    let asked = std::env::var("TANDEM_KILL_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    match asked {
        None => (0..DAYS).for_each(|number| day(first + 2 * number)),
        Some(seed) if seed % 2 == first % 2 => day(seed),
        Some(_) => {}
    }
}

#[test]
fn f4_killed_at_random_moments_odd_days() {
    lane(1);
}

#[test]
fn f4_killed_at_random_moments_even_days() {
    lane(2);
}

/// A machine that sleeps, or has no processor for it: nobody hangs, what came meanwhile is judged by its age, and nothing
/// is done twice.
#[test]
fn f17_a_process_that_stood_still_goes_on_by_itself() {
    let stage = setup().set("supervisor.hang_deadline_ms = 5000").stage();
    let mut leader = Leader::new(&stage.broker, 17);
    for _ in 0..SLEEPS {
        act_for(&mut leader, &stage, millis(LIFE_MS_MAX));
        // A busy machine says so as well.
        let told = stage.daemon.log_count(STOOD_STILL);
        stage.daemon.stand_still();
        act_for(&mut leader, &stage, millis(SLEEP_MS));
        stage.daemon.wake();
        until("it says that it stood still", || (stage.daemon.log_count(STOOD_STILL) > told).then_some(()));
    }
    hold_their_share(&stage.broker, &stage.daemon, &leader.options);
    leader.close_out(&stage.broker);
    settle_and_check(&stage.broker, &stage.daemon, &leader.options);
    stage.daemon.assert_well_at_rest(&stage.broker);
    assert_eq!(stage.daemon.log_count("actor hangs"), 0);
}

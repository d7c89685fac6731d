//! The whole core against a model of the world: random days of a leader (orders of every ordinary kind, placed, changed,
//! cancelled, part filled, fired, rejected, expired) through his book, the decision and the follower's book, against a
//! broker of this test's own, which shares no code with the core; answers lost, late, doubled or hollow, frames shuffled
//! and repeated, books and positions read at any time, people's hands, an operator's, a token that ends ([`token`]). Whenever
//! a request leaves, and after every step, P2, P5, P6, P8, P9, P15, P17, P18 and the caps are checked ([`sending`],
//! [`account`]); in the end, when all is calm, P7, P26 and what is held, worked out by an oracle ([`oracle`]).
//!
//! `TANDEM_MODEL_SEED=7` runs one day and prints it; `TANDEM_MODEL_CASES` says how many days, `TANDEM_MODEL_FIRST` from
//! which on, and `TANDEM_MODEL_FAILURES` after how many failures each thread gives up.

mod account;
mod calm;
mod chance;
mod exchange;
mod fraction;
mod keeping;
mod leading;
mod oracle;
mod policies;
mod sending;
mod serving;
mod speak;
mod steps;
mod storing;
mod tally;
mod telling;
mod token;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::chance::Chance;
use self::policies::Policies;
use self::steps::{FOLLOWING, LEADING, PASSING, Step, TRIES, span};
use self::world::{Checked, World, carried, carried_by_leader};
use crate::flaw::{Flaw, with_flaw};

const CASES: u64 = 10_000;
const STEPS_MAX: u32 = 110;

impl World {
    fn drawn(seed: u64, traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let policies = Policies::draw(&mut chance);
        let carried = (0..policies.instruments).map(|_| {
            let leader = carried_by_leader(&mut chance);
            carried(&mut chance, &policies, leader)
        });
        let carried = carried.collect();
        Self::new(chance, policies, carried, traced)
    }

    /// Anything happens.
    fn step(&mut self) -> Checked {
        self.token_turns()?;
        let steps: Vec<(u32, Step)> =
            LEADING.into_iter().chain(FOLLOWING).chain([(PASSING, Self::time_passes as Step)]).collect();
        let weights: Vec<u32> = steps.iter().map(|(weight, _)| *weight).collect();
        let before = self.happened;
        for _ in 0..TRIES {
            let at = self.chance.weighted(&weights);
            steps[at].1(self)?;
            if self.happened != before {
                break;
            }
        }
        Ok(())
    }

    fn time_passes(&mut self) -> Checked {
        let span = span(&mut self.chance);
        self.pass(span)
    }
}

/// One day, up to so many steps and then calm; what failed, if anything, and what happened.
fn day(seed: u64, steps_max: u32, traced: bool) -> (Checked, String) {
    let mut world = World::drawn(seed, traced);
    let checked = live(&mut world, steps_max);
    let trace = world.trace.take().unwrap_or_default().join("\n");
    (checked, format!("{}\n{trace}", world.choices()))
}

fn live(world: &mut World, steps_max: u32) -> Checked {
    let steps = (30 + world.chance.below(STEPS_MAX - 30)).min(steps_max);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let carried = world.carried();
        world.book.restore_carried(carried, []);
        world.arm()?;
        for _ in 0..steps {
            world.step()?;
        }
        world.calm_down()?;
        world.judge()
    }));
    ran.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(words.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
    })
}

/// The days that fail, up to so many, and why.
fn failures(cases: std::ops::Range<u64>, most: usize) -> Vec<(u64, String)> {
    let failed = cases.filter_map(|seed| day(seed, u32::MAX, false).0.err().map(|words| (seed, words)));
    failed.take(most).collect()
}

/// A day that fails, cut to as few steps as still fail, and told.
fn story(seed: u64) -> Option<String> {
    let steps = (0..=STEPS_MAX).chain([u32::MAX]).find(|steps| day(seed, *steps, false).0.is_err())?;
    let (checked, story) = day(seed, steps, true);
    Some(format!("seed {seed}, {steps} steps\n{story}\n{}", checked.err().unwrap_or_default()))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_follower_ends_where_an_oracle_says() {
    if let Some(seed) = number("TANDEM_MODEL_SEED") {
        let failure = story(seed);
        assert!(failure.is_none(), "{}", failure.unwrap_or_default());
        return;
    }
    let first = number("TANDEM_MODEL_FIRST").unwrap_or(0);
    let cases = number("TANDEM_MODEL_CASES").unwrap_or(CASES);
    let most = number("TANDEM_MODEL_FAILURES").map_or(1, |most| usize::try_from(most).unwrap());
    // Two threads: the days have nothing to do with each other.
    let failed: Vec<(u64, String)> = std::thread::scope(|scope| {
        let half = first + cases / 2;
        let running =
            [first..half, half..first + cases].map(|half| scope.spawn(move || failures(half, most)));
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let told = failed.first().and_then(|(seed, _)| story(*seed)).unwrap_or_default();
    let line =
        |(seed, words): &(u64, String)| format!("{seed}: {}", words.lines().next().unwrap_or_default());
    let lines: Vec<String> = failed.iter().map(line).collect();
    assert!(failed.is_empty(), "{told}\n\n{} days failed:\n{}", failed.len(), lines.join("\n"));
}

/// A model that never comes to a matter judges nothing about it.
#[test]
fn the_days_come_to_everything_they_are_to_judge() {
    let mut counts = BTreeMap::new();
    for seed in 0..2_000 {
        let mut world = World::drawn(seed, false);
        if live(&mut world, u32::MAX).is_ok() {
            for word in world.reached() {
                *counts.entry(word).or_insert(0u32) += 1;
            }
        }
    }
    assert_eq!(counts.len(), 55, "{counts:#?}");
}

/// Each broken copy of the machine is caught, nearly all of them within the days of the ordinary run; those that show most
/// seldom are looked for from a later day on.
#[test]
fn broken_copies_are_caught() {
    for (flaw, first) in [
        (Flaw::TimeoutIsRejection, 0),
        (Flaw::FiredStopIsChange, 0),
        (Flaw::TerminalFirstFrameIgnored, 0),
        (Flaw::FillsSummed, 0),
        (Flaw::ExitsByAccountNet, 0),
        (Flaw::AllocationFrozen, 0),
        (Flaw::EntriesLeftAfterExit, 30_000),
        (Flaw::HaltKeepsEntries, 0),
        (Flaw::ExitsRoundedDown, 0),
        (Flaw::EntriesRoundedAlone, 78_000),
        (Flaw::RefusedTokenUsed, 0),
    ] {
        let mut days = first..first + CASES;
        let caught = with_flaw(flaw, || days.any(|seed| day(seed, u32::MAX, false).0.is_err()));
        assert!(caught, "{flaw:?} is not noticed");
    }
}

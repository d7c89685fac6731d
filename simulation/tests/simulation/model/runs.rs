//! Many days; what fails, told so that somebody can follow it; what was never come to.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tandem_actors::store::Bare;
use tandem_domain::flaw::{Flaw, with_flaw};

use super::coverage::{Coverage, ORDINARY, demanded};
use super::day::{STEPS_MAX, Which, live};

/// Days after which a long run tells how far it is.
const TOLD_EVERY: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What one thread has found.
#[derive(Default)]
struct Found {
    failed: Vec<(u64, String)>,
    coverage: Coverage,
}

/// How far all threads are, for whoever waits for a long run.
struct Progress {
    began: Instant,
    days: u64,
    lived: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    fn new(days: u64) -> Self {
        Self { began: Instant::now(), days, lived: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    fn count(&self, is_failed: bool) {
        let lived = self.lived.fetch_add(1, Ordering::Relaxed) + 1;
        let failed = self.failed.fetch_add(u64::from(is_failed), Ordering::Relaxed) + u64::from(is_failed);
        if lived.is_multiple_of(TOLD_EVERY) || lived == self.days {
            let seconds = self.began.elapsed().as_secs();
            let a_second = lived / seconds.max(1);
            println!("{lived} of {} days in {seconds} s, {a_second} a second, {failed} failed", self.days);
        }
    }
}

fn run(seeds: impl Iterator<Item = u64>, failures_max: usize, progress: &Progress) -> Found {
    let tables = Rc::new(Bare::new().unwrap());
    let mut found = Found::default();
    for seed in seeds {
        let lived = live(&tables, Which::whole(seed));
        found.coverage.add(lived.coverage);
        progress.count(lived.checked.is_err());
        if let Err(words) = lived.checked {
            println!("seed {seed}: {}", words.lines().next().unwrap_or_default());
            found.failed.push((seed, words));
            if found.failed.len() >= failures_max {
                break;
            }
        }
    }
    found
}

/// The story of a day that fails, cut to as few steps and deaths as still fail.
fn story(seed: u64) -> Option<String> {
    let tables = Rc::new(Bare::new().unwrap());
    let whole = Which::whole(seed);
    let lived = live(&tables, whole);
    lived.checked.err()?;
    let fails = |which: &Which| live(&tables, *which).checked.is_err();
    let steps = (0..=STEPS_MAX).map(|steps_max| Which { steps_max, ..whole });
    let short = steps.into_iter().find(fails).unwrap_or(whole);
    let few = (0..5).map(|deaths_max| Which { deaths_max, ..short }).find(fails).unwrap_or(short);
    let alone = (0..lived.followers).map(|number| Which { alone: Some(number), ..few });
    let few = alone.into_iter().find(fails).unwrap_or(few);
    let lived = live(&tables, Which { is_traced: true, ..few });
    Some(format!("{few:?}\n{}\n{}", lived.story, lived.checked.err().unwrap_or_default()))
}

fn run_all(seeds: std::ops::Range<u64>, failures_max: usize) -> Found {
    let progress = &Progress::new(seeds.end - seeds.start);
    let threads = std::thread::available_parallelism().map_or(2, |threads| threads.get() as u64);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let own = seeds.clone().filter(move |seed| seed % threads == thread);
                scope.spawn(move || run(own, failures_max, progress))
            })
            .collect();
        threads.into_iter().fold(Found::default(), |mut all, thread| {
            let found = thread.join().unwrap();
            all.failed.extend(found.failed);
            all.coverage.add(found.coverage);
            all
        })
    })
}

#[test]
fn chaos_then_calm() {
    if let Some(seed) = number("TANDEM_SIM_SEED") {
        let failure = story(seed);
        assert!(failure.is_none(), "{}", failure.unwrap_or_default());
        return;
    }
    let first = number("TANDEM_SIM_FIRST").unwrap_or(0);
    let seeds = number("TANDEM_SIM_SEEDS").unwrap_or(ORDINARY);
    let failures_max = number("TANDEM_SIM_FAILURES").unwrap_or(1);
    let mut found = run_all(first..first + seeds, usize::try_from(failures_max).unwrap());
    for (what, times) in &found.coverage.0 {
        println!("{times:>8} {what}");
    }
    let missing: Vec<_> =
        demanded(seeds).into_iter().filter(|what| !found.coverage.0.contains_key(what)).collect();
    found.failed.sort();
    assert!(found.failed.is_empty(), "{}", telling(&found.failed));
    assert!(missing.is_empty(), "too tame: nothing came to {missing:#?}");
}

/// The story of the first that failed, and last a list of all.
fn telling(failed: &[(u64, String)]) -> String {
    let story = failed.first().and_then(|(seed, _)| story(*seed)).unwrap_or_default();
    let line =
        |(seed, words): &(u64, String)| format!("{seed:>8} {}", words.lines().next().unwrap_or_default());
    let lines: Vec<String> = failed.iter().map(line).collect();
    format!("{story}\n\n{} days failed:\n{}", failed.len(), lines.join("\n"))
}

/// Each broken copy is caught within the days of an ordinary run, on a day that comes out right of itself.
#[test]
fn broken_copies_are_caught() {
    for flaw in [
        Flaw::AbsentTooEarly,
        Flaw::CancelLostInRestart,
        Flaw::RoundTripsReplayed,
        Flaw::YesterdaySentAgain,
        Flaw::SecondInstanceWrites,
        Flaw::TimeoutIsRejection,
        Flaw::FillsSummed,
        Flaw::RefusedTokenUsed,
    ] {
        let found = with_flaw(flaw, || run(0..ORDINARY, 1, &Progress::new(u64::MAX)));
        let Some((seed, words)) = found.failed.first() else { panic!("{flaw:?} is not noticed") };
        println!("{flaw:?}: seed {seed}, {}", words.lines().next().unwrap_or_default());
        let honest = live(&Rc::new(Bare::new().unwrap()), Which::whole(*seed));
        assert!(honest.checked.is_ok(), "seed {seed} fails without {flaw:?}, too: {:?}", honest.checked);
    }
}

//! Days of a busy leader under faults that never stop: flat memory and files at the end, nothing broken, everybody flat
//! (`docs/soak.md`).
//!
//! The first day's daemon is killed again and again; the one that is started last lives through all the other days. At the
//! end of each day the faults stop, the leader leaves, and what is left is looked at as the kill tests do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "a long run tells how far it is, and its seed")]

#[path = "../kill/books.rs"]
#[expect(dead_code, reason = "tests/kill uses what is not used here")]
mod books;
#[path = "../e2e/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "tests/e2e uses what is not used here")]
mod harness;
#[path = "../kill/leader.rs"]
mod leader;
#[path = "../kill/life.rs"]
#[expect(dead_code, reason = "tests/kill uses what is not used here")]
mod life;
mod storms;
mod vitals;

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use tandem_sim::Rate;

use books::settle_and_check;
use harness::{Broker, Daemon, Network};
use leader::{Chance, Leader};
use life::{millis, pause, two_followers};
use storms::Storms;
use vitals::Vitals;

/// Trading days: as many as the options that are traded live.
const DAYS: [&str; 5] = ["2026-12-01", "2026-12-02", "2026-12-03", "2026-12-04", "2026-12-07"];
/// How long all days together last, in minutes, unless `TANDEM_SOAK_MINUTES` says something else.
const MINUTES: u64 = 120;
/// How often the daemon of the first day is killed.
const KILLS: u32 = 4;
/// The longest wait between two acts of the leader, in milliseconds.
const ACT_MS_MAX: u32 = 1_500;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// A broker, a daemon, what lies between them, and what goes wrong.
struct Soak {
    daemon: Daemon,
    network: Network,
    broker: Broker,
    storms: Storms,
    chance: Chance,
    seed: u64,
}

impl Soak {
    fn begin(seed: u64) -> Self {
        let setup = two_followers()
            .sim(|sim| sim.rate = Rate::FASTEST)
            .token_files()
            // Of simulated time, ten seconds of which pass in a real one; deadlines are real.
            .set("recovery.settle_ms = 5000")
            .set("copy.entry_age_ms_max = 20000")
            .set("broker.request_deadline_ms = 500")
            .set("broker.stream_ping_s = 1")
            .set("broker.stream_pong_deadline_s = 1")
            .set("broker.reconnect_ms_first = 50")
            .set("broker.reconnect_ms_max = 1000");
        let broker = Broker::start(setup.sim.clone());
        let network = Network::before(&broker);
        let mut daemon = setup.over(&network, &broker).daemon(&broker);
        // It is to complain of its network; what it is not to do, the checker tells.
        daemon.tolerates("");
        let storms = Storms::new(!seed);
        Self { daemon, network, broker, storms, chance: Chance::new(seed), seed }
    }

    /// Trades and suffers for so long.
    fn trade(&mut self, leader: &mut Leader, span: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < span {
            leader.act(&self.broker);
            self.storms.blow(&self.broker, &self.network, &self.daemon);
            pause(millis(self.chance.below(ACT_MS_MAX)));
        }
    }

    /// The storms end, the leader leaves, and all is looked at.
    fn end_day(&mut self, leader: &Leader) {
        self.storms.calm(&self.broker, &self.network);
        leader.close_out(&self.broker);
        settle_and_check(&self.broker, &self.daemon, &leader.options);
        self.daemon.assert_well_at_rest(&self.broker);
    }
}

#[test]
#[ignore = "takes two hours, or as many minutes as TANDEM_SOAK_MINUTES says: `just soak`"]
fn days_under_faults_end_flat() {
    let minutes = number("TANDEM_SOAK_MINUTES").unwrap_or(MINUTES);
    let seed = number("TANDEM_SOAK_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000);
    eprintln!("{minutes} minutes, TANDEM_SOAK_SEED={seed}");
    let day = Duration::from_secs(minutes * 60) / u32::try_from(DAYS.len()).unwrap();
    let mut soak = Soak::begin(seed);
    let mut warm: Option<Vitals> = None;
    for (number, date) in DAYS.into_iter().enumerate() {
        if number > 0 {
            soak.broker.pass_until(&format!("{date} 09:15:05"));
        }
        let mut leader = Leader::new(&soak.broker, soak.seed + number as u64);
        if number == 0 {
            for _ in 0..KILLS {
                soak.trade(&mut leader, day / (KILLS + 1));
                soak.daemon.kill();
                // What must hold at rest is looked at in the evening: here, much waits for accounts that do not answer.
                soak.storms.calm(&soak.broker, &soak.network);
                soak.daemon.start_and_follow();
            }
        }
        soak.trade(&mut leader, if number == 0 { day / (KILLS + 1) } else { day });
        soak.end_day(&leader);
        let vitals = Vitals::of(&soak.daemon);
        eprintln!(
            "{date}: {vitals}, {} orders of the leader's, {}",
            soak.broker.orders(harness::LEADER).len(),
            soak.storms
        );
        match &warm {
            // The first whole day of a life is its warm-up.
            None if number > 0 => warm = Some(vitals),
            None => {}
            Some(warm) => vitals.assert_flat_since(warm),
        }
    }
    soak.daemon.end();
}

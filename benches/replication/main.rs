//! How long a leader's order takes to become the followers' requests, beside the bare cost of the same work.
//!
//! `cargo bench --bench replication`. What is measured and what the columns mean: `docs/benchmarks.md`.
//!
//! How it works: the broker and each program measured are processes of their own on this machine. The broker writes a
//! frame, the program copies it, the broker reads the requests; both moments are stamped in the broker. Programs take
//! turns in rounds, so that what else the machine does meets all of them, and ratios are taken within a round.

#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people: six digits are plenty")]

mod floor;
mod inline;
mod preload;
mod rows;
mod spreads;
#[path = "../support/mod.rs"]
mod support;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use support::daemon::{self, Daemon};
use support::process::{Broker, on_core};
use support::protocol::{Command, Frames, Stamps, order_id};
use support::{count, histogram, spread};

/// Rounds of every comparison.
/// Enough to hold both options of a spread.
const INSTRUMENTS: usize = 1_000;
const ROUNDS: usize = 7;
/// Orders that may go uncopied while a daemon reads what it needs.
const WARM_UP_TRIES: u32 = 24;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("broker") => support::broker::main(),
        Some("floor") => floor::main(&arguments[1..]),
        // Cargo adds words of its own; numbers say which comparisons are wanted, by followers, and "spreads" the spreads.
        _ => {
            let followers: Vec<usize> = arguments.iter().filter_map(|word| word.parse().ok()).collect();
            let spreads = arguments.iter().any(|word| word == "spreads");
            measure(&followers, spreads)
        }
    }
}

fn measure(followers: &[usize], spreads: bool) -> anyhow::Result<()> {
    let is_all = followers.is_empty() && !spreads;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replication");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let bench = Bench { folder };
    preload::make(&bench.preloaded())?;
    std::fs::write(bench.instruments(), support::instruments::detailed_csv(INSTRUMENTS))?;
    println!(
        "databases preloaded with {} leader orders and their copies; figures in microseconds, frame written to \
         request read, both in the broker's process",
        preload::ORDERS
    );
    let mut placements = vec![Placement::FREE];
    if can_pin() {
        placements.push(Placement::PINNED);
    } else {
        println!("pinned runs are left out: no taskset, or one core only");
    }
    for placement in placements {
        for comparison in comparisons() {
            if is_all || followers.contains(&comparison.followers) {
                bench.compare(&comparison, placement)?;
            }
        }
        if is_all || spreads {
            bench.spreads(placement)?;
        }
    }
    if is_all { bench.burst() } else { Ok(()) }
}

/// Which core the broker and the program measured run on, with all their threads.
#[derive(Clone, Copy)]
struct Placement {
    name: &'static str,
    broker: Option<u8>,
    program: Option<u8>,
}

impl Placement {
    const FREE: Self = Self { name: "unpinned", broker: None, program: None };
    const PINNED: Self = Self { name: "pinned", broker: Some(0), program: Some(1) };
}

/// Whether there are two cores and the command that pins to them.
fn can_pin() -> bool {
    on_core("true", Some(1)).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// One table of figures.
struct Comparison {
    followers: usize,
    frames_per_round: u32,
    /// Between the last request of one frame and the next frame.
    pause_us: u64,
    /// Followed by an open-loop run of so many frames a second.
    open_per_second: Option<u32>,
}

fn comparisons() -> [Comparison; 4] {
    [
        Comparison { followers: 1, frames_per_round: 250, pause_us: 3_000, open_per_second: Some(100) },
        Comparison { followers: 1, frames_per_round: 250, pause_us: 0, open_per_second: None },
        Comparison { followers: 10, frames_per_round: 100, pause_us: 8_000, open_per_second: None },
        Comparison { followers: 100, frames_per_round: 30, pause_us: 60_000, open_per_second: None },
    ]
}

/// A program measured, in a process of its own.
struct Variant {
    name: &'static str,
    leader: String,
    process: Process,
    next_number: u32,
    /// Rows are counted from here.
    first_counted: u32,
    /// To the first and to the last request.
    first: Histogram<u64>,
    last: Histogram<u64>,
    lost: usize,
    p50_by_round: Vec<(f64, f64)>,
    database: PathBuf,
}

enum Process {
    Floor(Child),
    Tandem(Daemon),
}

impl Process {
    fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Floor(mut child) => {
                child.kill()?;
                child.wait()?;
                Ok(())
            }
            Self::Tandem(daemon) => daemon.stop(),
        }
    }
}

struct Bench {
    folder: PathBuf,
}

impl Bench {
    fn preloaded(&self) -> PathBuf {
        self.folder.join("preloaded.db")
    }

    fn instruments(&self) -> PathBuf {
        self.folder.join("instruments.csv")
    }

    fn compare(&self, comparison: &Comparison, placement: Placement) -> anyhow::Result<()> {
        let followers = comparison.followers;
        let mut broker = Broker::start(placement.broker)?;
        let mut variants = vec![
            self.floor("floor A: inline commit", "inline", "1000000001", followers, &broker, placement)?,
            self.floor("floor B: writer thread", "thread", "1000000002", followers, &broker, placement)?,
            self.tandem("Tandem", "1000000003", followers, &broker, placement, true)?,
        ];
        for variant in &mut variants {
            variant.warm_up(&mut broker, followers)?;
        }
        for round in 0..ROUNDS {
            for turn in 0..variants.len() {
                let at = (round + turn) % variants.len();
                let frames = Frames::Closed { requests_each: followers, pause_us: comparison.pause_us };
                let stamps = variants[at].send(&mut broker, comparison.frames_per_round, frames)?;
                variants[at].take(&stamps);
            }
        }
        let where_to = placement.name;
        let frames = comparison.frames_per_round;
        println!(
            "\n== {followers} follower(s), {where_to}, closed loop, {} us between, {ROUNDS} rounds of {frames} frames",
            comparison.pause_us
        );
        table(&variants, followers);
        if let Some(per_second) = comparison.open_per_second {
            Self::open_loop(&mut variants, &mut broker, followers, per_second, where_to)?;
        }
        for variant in variants {
            let name = variant.name;
            let (database, leader, frames) =
                (variant.database, variant.leader, variant.first_counted..variant.next_number);
            variant.process.stop()?;
            println!("{name:<24} rows by frame: {}", rows_by_frame(&database, &leader, frames)?);
            if name == "Tandem" {
                let recorded = recorded(&database, &leader)?;
                println!("{name:<24} by its own record, frame received to request handed over: {recorded}");
            }
        }
        Ok(())
    }

    fn open_loop(
        variants: &mut [Variant],
        broker: &mut Broker,
        followers: usize,
        per_second: u32,
        where_to: &str,
    ) -> anyhow::Result<()> {
        println!("\n== {followers} follower(s), {where_to}, open loop, {per_second} frames/s for 15 s each");
        for variant in &mut *variants {
            (variant.first, variant.last, variant.lost) = (histogram(), histogram(), 0);
            let frames = Frames::Open { per_second, requests_each: followers };
            let stamps = variant.send(broker, per_second * 15, frames)?;
            variant.take(&stamps);
        }
        println!("{:<24} {:>8} {:>8} {:>8}", "", "p50", "p99", "max");
        for variant in variants {
            println!("{:<24} {}   lost {}", variant.name, spread(&variant.last), variant.lost);
        }
        Ok(())
    }

    /// Twenty leader orders at once, a broker that takes 100 ms to answer, and the broker's own limits.
    fn burst(&self) -> anyhow::Result<()> {
        let mut broker = Broker::start(None)?;
        let mut variant = self.tandem("Tandem", "1000000004", 1, &broker, Placement::FREE, false)?;
        let mut warm = variant.command(1, Frames::Closed { requests_each: 1, pause_us: 2_000_000 });
        broker.send(&warm)?;
        warm = variant.command(20, Frames::Burst { requests: 20 });
        warm.answer_after_ms = 100;
        let stamps = broker.send(&warm)?;
        let start = *stamps.first.first().context("no request of the burst arrived")?;
        println!(
            "\n== 20 leader orders at once, answers after 100 ms, default limits (10/s, a fifth kept for exits)"
        );
        println!("frames to first request: {} us; lost {}", (start - stamps.sent[0]) / 1_000, stamps.lost);
        let offsets: Vec<String> =
            stamps.first.iter().map(|at| format!("{:.1}", (at - start) as f64 / 1e6)).collect();
        println!("requests after the first, in ms: {}", offsets.join(" "));
        variant.process.stop()
    }

    fn own_folder(&self, name: &str, followers: usize) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(format!("{name}-{followers}"));
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(self.preloaded(), Daemon::database(&folder))?;
        Ok(folder)
    }

    fn floor(
        &self,
        name: &'static str,
        manner: &str,
        leader: &str,
        followers: usize,
        broker: &Broker,
        placement: Placement,
    ) -> anyhow::Result<Variant> {
        let database = Daemon::database(&self.own_folder(manner, followers)?);
        let child = on_core(std::env::current_exe()?, placement.program)
            .args(["floor", manner, &followers.to_string(), leader, &broker.address])
            .arg(&database)
            .stdin(Stdio::null())
            .spawn()
            .context("start a floor")?;
        Ok(Variant::new(name, leader, Process::Floor(child), database))
    }

    fn tandem(
        &self,
        name: &'static str,
        leader: &str,
        followers: usize,
        broker: &Broker,
        placement: Placement,
        unlimited: bool,
    ) -> anyhow::Result<Variant> {
        let folder = self.own_folder("tandem", followers)?;
        let instruments = self.instruments();
        let settings = daemon::Settings {
            folder: &folder,
            broker: &broker.address,
            leader,
            followers,
            instruments: &instruments,
            unlimited,
        };
        let daemon = Daemon::start(&settings, placement.program)?;
        Ok(Variant::new(name, leader, Process::Tandem(daemon), Daemon::database(&folder)))
    }
}

impl Variant {
    fn new(name: &'static str, leader: &str, process: Process, database: PathBuf) -> Self {
        Self {
            name,
            leader: leader.to_owned(),
            process,
            next_number: 0,
            first_counted: 0,
            first: histogram(),
            last: histogram(),
            lost: 0,
            p50_by_round: Vec::new(),
            database,
        }
    }

    fn command(&mut self, count: u32, frames: Frames) -> Command {
        let first_number = self.next_number;
        self.next_number += count;
        Command {
            leader: self.leader.clone(),
            first_number,
            count,
            orders: 0,
            equity_every: 0,
            answer_after_ms: 0,
            frames,
        }
    }

    fn send(&mut self, broker: &mut Broker, count: u32, frames: Frames) -> anyhow::Result<Stamps> {
        let command = self.command(count, frames);
        broker.send(&command)
    }

    /// Caches, connections, and the first reads of a daemon's life. What comes before those reads are done is not
    /// copied, and lost here.
    fn warm_up(&mut self, broker: &mut Broker, followers: usize) -> anyhow::Result<()> {
        let frames = Frames::Closed { requests_each: followers, pause_us: 5_000 };
        let mut tries = 0;
        while self.send(broker, 1, frames)?.lost > 0 {
            tries += 1;
            println!("{}: the first order was not copied to all; trying another", self.name);
            ensure!(tries < WARM_UP_TRIES, "{} copies nothing", self.name);
        }
        self.first_counted = self.next_number;
        self.send(broker, 30, frames)?;
        Ok(())
    }

    fn take(&mut self, stamps: &Stamps) {
        let (mut first, mut last) = (histogram(), histogram());
        for ((sent, to_first), to_last) in stamps.sent.iter().zip(&stamps.first).zip(&stamps.last) {
            count(&mut first, (to_first - sent) / 1_000);
            count(&mut last, (to_last - sent) / 1_000);
        }
        self.lost += stamps.lost;
        self.p50_by_round.push((first.value_at_quantile(0.5) as f64, last.value_at_quantile(0.5) as f64));
        // Both count microseconds to three digits.
        self.first.add(first).ok();
        self.last.add(last).ok();
    }
}

fn table(variants: &[Variant], followers: usize) {
    let several = followers > 1;
    let heads = if several { "to the first request          to the last request" } else { "to the request" };
    println!("{:<24} {heads}", "");
    let one = format!("{:>8} {:>8} {:>8}", "p50", "p99", "max");
    println!("{:<24} {one}{}", "", if several { format!("    {one}") } else { String::new() });
    for variant in variants {
        let last = if several { format!("    {}", spread(&variant.last)) } else { String::new() };
        println!("{:<24} {}{last}   lost {}", variant.name, spread(&variant.first), variant.lost);
    }
    let [a, b, tandem] = variants else { return };
    for (name, over, under) in
        [("Tandem / floor B", tandem, b), ("Tandem / floor A", tandem, a), ("floor B / floor A", b, a)]
    {
        let ratios: Vec<f64> =
            over.p50_by_round.iter().zip(&under.p50_by_round).map(|(over, under)| over.1 / under.1).collect();
        let each: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        println!("{name:<24} median of ratios of p50: {:.3}   rounds: {}", median(ratios), each.join(" "));
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Rows written for each frame, table by table: the same for every variant, or the comparison is none.
fn rows_by_frame(database: &Path, leader: &str, frames: Range<u32>) -> anyhow::Result<String> {
    const COPIES: &str = "WITH copies AS
        (SELECT o.* FROM intents AS i JOIN orders AS o ON o.client_order_id = i.client_order_id
         WHERE i.leader_account = ?1 AND i.leader_order_id >= ?2)";
    let of_leader = "account = ?1 AND broker_order_id >= ?2";
    let events = "JOIN copies AS c ON c.account = e.account AND c.broker_order_id = e.broker_order_id
        AND c.trading_day = e.trading_day";
    let counted = [
        (
            "order_events",
            format!(
                "{COPIES} SELECT (SELECT count(*) FROM order_events WHERE {of_leader})
                     + (SELECT count(*) FROM order_events AS e {events})"
            ),
        ),
        (
            "orders",
            format!(
                "{COPIES} SELECT (SELECT count(*) FROM orders WHERE {of_leader}) + (SELECT count(*) FROM copies)"
            ),
        ),
        (
            "copy_mappings",
            "SELECT count(*) FROM copy_mappings WHERE leader_account = ?1 AND leader_order_id >= ?2"
                .to_owned(),
        ),
        (
            "intents",
            "SELECT count(*) FROM intents WHERE leader_account = ?1 AND leader_order_id >= ?2".to_owned(),
        ),
    ];
    let connection = rusqlite::Connection::open(database)?;
    let (first, frames) = (order_id(frames.start), f64::from(frames.end - frames.start));
    let mut told = Vec::new();
    for (table, count) in counted {
        let rows: u32 = connection.query_row(&count, (leader, &first), |row| row.get(0))?;
        told.push(format!("{table} {:.2}", f64::from(rows) / frames));
    }
    Ok(told.join(", "))
}

/// What the daemon itself recorded of the way through it.
fn recorded(database: &Path, leader: &str) -> anyhow::Result<String> {
    let connection = rusqlite::Connection::open(database)?;
    let mut statement = connection.prepare(
        "SELECT added_latency_us FROM intents WHERE leader_account = ?1 AND added_latency_us NOT NULL",
    )?;
    let mut figures = histogram();
    for latency in statement.query_map([leader], |row| row.get::<_, u64>(0))? {
        count(&mut figures, latency?);
    }
    Ok(format!("p50, p99, max {}", spread(&figures)))
}

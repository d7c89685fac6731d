//! A busy minute: 1,000 leader events a second, each durably given its outcome, in how much memory.
//!
//! `cargo bench --bench sustained`. What is measured and what the figures mean: `docs/benchmarks.md`.
//!
//! How it works: the broker of the bench sends the frames by the clock; the daemon is the built program with 200,000
//! instruments and the broker's own limits. Meanwhile this process reads the daemon's database, as `tandem status`
//! does, and notes when it first sees each outcome there; at the end it counts them.

#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people: six digits are plenty")]

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use support::daemon::{self, Daemon};
use support::process::Broker;
use support::protocol::{Command, Frames, order_id};
use support::{count, histogram, monotonic_ns, spread};

const PER_SECOND: u32 = 1_000;
const SECONDS: u32 = 60;
const FRAMES: u32 = PER_SECOND * SECONDS;
/// One order in so many is about an equity, which is skipped.
const EQUITY_EVERY: u32 = 4;
const INSTRUMENTS: usize = 200_000;
const FOLLOWERS: usize = 1;
const LEADER: &str = "1000000001";
/// Between two looks into the database: the resolution of the lag.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
/// How long the daemon may take to be ready, or to catch up.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("broker") => support::broker::main(),
        _ => measure(),
    }
}

fn measure() -> anyhow::Result<()> {
    minute(
        "6,000 orders with ten events each: all that an account may place in a day, in one minute",
        6_000,
    )?;
    minute("60,000 orders with one event each: more than the broker takes in a week", 0)
}

fn minute(what: &str, orders: u32) -> anyhow::Result<()> {
    println!("\n== {PER_SECOND} events a second for {SECONDS} s; {what}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sustained");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let instruments = folder.join("instruments.csv");
    std::fs::write(&instruments, support::instruments::detailed_csv(INSTRUMENTS))?;
    let mut broker = Broker::start(None)?;
    let settings = daemon::Settings {
        folder: &folder,
        broker: &broker.address,
        leader: LEADER,
        followers: FOLLOWERS,
        instruments: &instruments,
        unlimited: false,
    };
    let daemon = Daemon::start(&settings, None)?;
    let database = Daemon::database(&folder);
    ready(&database, &mut broker)?;
    memory("with 200,000 instruments loaded and stored, 1 order copied", daemon.pid())?;

    let frames = Frames::Open { per_second: PER_SECOND, requests_each: 0 };
    let events = Command { orders, ..command(1, FRAMES, frames) };
    let watch = watch(database.clone(), events.clone());
    let stamps = broker.send(&events)?;
    let sent_over = (stamps.sent[stamps.sent.len() - 1] - stamps.sent[0]) / 1_000_000;
    memory("at the end of the minute", daemon.pid())?;
    let seen = watch.join().map_err(|_| anyhow::anyhow!("the watch panicked"))??;

    println!(
        "{} events sent in {sent_over} ms; {} seen to be on record with an outcome",
        stamps.sent.len(),
        seen.len()
    );
    let mut lag = histogram();
    for (sent, seen) in stamps.sent.iter().zip(&seen) {
        count(&mut lag, seen.saturating_sub(*sent) / 1_000);
    }
    println!("frame written to event and outcome durable and read back, us: p50, p99, max {}", spread(&lag));
    let worst = lag_by_second(&stamps.sent, &seen);
    println!("largest lag of each second, ms: {}", worst.join(" "));
    daemon.stop()?;
    outcomes(&database)
}

fn command(first_number: u32, count: u32, frames: Frames) -> Command {
    let leader = LEADER.to_owned();
    Command { leader, first_number, count, orders: 0, equity_every: EQUITY_EVERY, answer_after_ms: 0, frames }
}

/// Waits until the first order is copied and all instruments are stored.
fn ready(database: &Path, broker: &mut Broker) -> anyhow::Result<()> {
    // Number 0 would be an equity, so the warm-up has a number of its own, after all others.
    let warm = Command {
        equity_every: 0,
        ..command(FRAMES + 1, 1, Frames::Closed { requests_each: 1, pause_us: 0 })
    };
    let stamps = broker.send(&warm)?;
    ensure!(stamps.lost == 0, "the first order was not copied");
    let connection = open(database)?;
    let started = Instant::now();
    let stored = "SELECT count(*) FROM instrument_days";
    while connection.query_row(stored, [], |row| row.get::<_, u32>(0))? == 0 {
        ensure!(started.elapsed() < PATIENCE, "the instruments were not stored");
        wait(LOOK_INTERVAL);
    }
    Ok(())
}

fn open(database: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Notes when each event is first seen on record with its order's outcome, in the order of the frames. Ends when all
/// are, or none comes any more.
fn watch(database: PathBuf, events: Command) -> JoinHandle<anyhow::Result<Vec<u64>>> {
    std::thread::spawn(move || {
        let connection = open(&database)?;
        let day: String =
            connection.query_row("SELECT max(trading_day) FROM copy_mappings", [], |row| row.get(0))?;
        let mut decided = connection.prepare(
            "SELECT o.cumulative FROM orders AS o JOIN copy_mappings AS m ON m.trading_day = o.trading_day
                AND m.leader_account = o.account AND m.leader_order_id = o.broker_order_id
             WHERE o.account = ?1 AND o.trading_day = ?2 AND o.broker_order_id = ?3 AND m.follower_id = ?4
                AND m.outcome <> 'awaiting_leader'",
        )?;
        let mut seen: Vec<u64> = Vec::new();
        let mut last_news = Instant::now();
        while seen.len() < FRAMES as usize && last_news.elapsed() < PATIENCE {
            let before = seen.len();
            for number in events.numbers().skip(before) {
                let order = events.order(number);
                let key = (LEADER, &day, order_id(order.number), daemon::follower(0));
                let filled: Option<u32> = decided.query_row(key, |row| row.get(0)).optional()?;
                if filled.is_none_or(|filled| filled < order.traded) {
                    break;
                }
                seen.push(monotonic_ns());
            }
            if seen.len() > before {
                last_news = Instant::now();
            }
            wait(LOOK_INTERVAL);
        }
        Ok(seen)
    })
}

fn lag_by_second(sent: &[u64], seen: &[u64]) -> Vec<String> {
    let lags: Vec<u64> = sent.iter().zip(seen).map(|(sent, seen)| seen.saturating_sub(*sent)).collect();
    let seconds = lags.chunks(PER_SECOND as usize);
    seconds.map(|second| (second.iter().max().copied().unwrap_or(0) / 1_000_000).to_string()).collect()
}

/// Counts what every order came to, from the rows.
fn outcomes(database: &Path) -> anyhow::Result<()> {
    let connection = open(database)?;
    let events: u32 =
        connection
            .query_row("SELECT count(*) FROM order_events WHERE role = 'leader'", [], |row| row.get(0))?;
    println!("distinct leader events on record: {events}, the first of the warm-up");
    let mut statement = connection.prepare(
        "SELECT outcome, coalesce(reason, ''), count(*) FROM copy_mappings GROUP BY 1, 2 ORDER BY 3 DESC",
    )?;
    let mut total = 0;
    for row in statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, u32>(2)?))
    })? {
        let (outcome, reason, count) = row?;
        total += count;
        println!("  {outcome:<16} {reason:<20} {count:>7}");
    }
    println!("outcomes on record: {total}");
    Ok(())
}

/// Resident memory, now and at its largest, as the system counts it.
fn memory(when: &str, pid: u32) -> anyhow::Result<()> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the daemon is gone")?;
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let (now, peak) = (field("VmRSS:").unwrap_or(0), field("VmHWM:").unwrap_or(0));
    println!("resident {when}: {:.1} MB, largest so far {:.1} MB", megabytes(now), megabytes(peak));
    Ok(())
}

fn megabytes(kibibytes: u64) -> f64 {
    kibibytes as f64 * 1_024.0 / 1e6
}

#[expect(clippy::disallowed_methods, reason = "looking again after a while is what it is for")]
fn wait(pause: Duration) {
    std::thread::sleep(pause);
}

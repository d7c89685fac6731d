//! A daemon's lives: each begun on the same settings and database, most of them ended by a kill.

use std::io::{Read as _, Seek as _, SeekFrom};
#[cfg(feature = "faults")]
use std::os::unix::process::ExitStatusExt as _;
#[cfg(feature = "faults")]
use std::path::Path;
#[cfg(feature = "faults")]
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Broker, Daemon, Follower, Setup, until};

/// The line that says that a daemon follows the leader.
const LIVE: &str = "leader's book merged: live";

/// Two accounts that copy; what is in doubt is settled within a second.
pub(crate) fn setup() -> Setup {
    two_followers().set("recovery.settle_ms = 400")
}

/// A copies half of what the leader trades, B all of it.
pub(crate) fn two_followers() -> Setup {
    Setup::new()
        .followers([
            Follower::ASHA.with("sizing.strategy = \"fixed_ratio\"\nsizing.ratio = 0.5"),
            Follower::BALA.with("sizing.strategy = \"fixed_ratio\"\nsizing.ratio = 1.0"),
        ])
        .sim(|sim| {
            // A token outlives the night.
            sim.token_hours = 0;
            for account in &mut sim.accounts {
                account.capital_rupees = 10_000_000;
            }
        })
        .set("recovery.lookup_ms_first = 50")
        .set("parting.exit_after_ms = 2000")
        .set("risk.positions_poll_ms = 1000")
        .set("leader.book_poll_ms = 1000")
}

/// So many milliseconds.
pub(crate) fn millis(span: u32) -> Duration {
    Duration::from_millis(span.into())
}

/// Lets real time pass.
pub(crate) fn pause(span: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a moment at random is no condition")]
    std::thread::sleep(span);
}

/// Runs the program in a folder, with these variables alone.
#[cfg(feature = "faults")]
pub(crate) fn tandem(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    let command = command.args(arguments).env_clear().envs(variables.iter().copied());
    command.current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

impl Daemon {
    /// The checker may find this.
    #[cfg(feature = "faults")]
    pub(crate) fn overlooks(&mut self, finding: &str) {
        self.overlooked.push(finding.to_owned());
    }

    /// The end of a day, when so much time has passed that nothing counts as under way: the checker's judgement, and what none
    /// of the day's lives may have told of.
    #[track_caller]
    pub(crate) fn assert_well_at_rest(&self, broker: &Broker) {
        self.come_to_rest(broker);
        self.assert_promises_kept();
        self.assert_told_of_no_failure();
    }

    /// Starts it with something armed (`docs/faults.md`).
    #[cfg(feature = "faults")]
    pub(crate) fn start_with(&mut self, fault: &str) {
        self.variables.push(("TANDEM_FAULT".to_owned(), fault.to_owned()));
        self.start();
        self.variables.pop();
    }

    /// Whether it ended by itself.
    #[cfg(feature = "faults")]
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// Waits until a signal ends it; answers with the signal.
    #[cfg(feature = "faults")]
    #[track_caller]
    pub(crate) fn until_signal(&mut self) -> Option<i32> {
        let child = self.child.as_mut().unwrap();
        let status: ExitStatus = until("the daemon is ended", || child.try_wait().unwrap());
        self.child = None;
        status.signal()
    }

    /// The first line with this text that was written since then.
    #[cfg(feature = "faults")]
    pub(crate) fn line_since(&self, bytes: u64, text: &str) -> Option<serde_json::Value> {
        let said = self.said_after(bytes);
        let said = String::from_utf8_lossy(&said);
        said.lines().find(|line| line.contains(text)).and_then(|line| serde_json::from_str(line).ok())
    }

    /// Every line with this text that was written since then.
    #[cfg(feature = "faults")]
    pub(crate) fn lines_since(&self, bytes: u64, text: &str) -> Vec<serde_json::Value> {
        let said = self.said_after(bytes);
        let said = String::from_utf8_lossy(&said);
        let lines = said.lines().filter(|line| line.contains(text));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How long its log is: where the next life's lines begin.
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.folder().join("tandem.log")).map_or(0, |log| log.len())
    }

    /// Whether the life that began there follows the leader.
    pub(crate) fn follows_since(&self, bytes: u64) -> bool {
        self.said_after(bytes).windows(LIVE.len()).any(|window| window == LIVE.as_bytes())
    }

    /// What was logged since then: the whole log grows too long to be read at each look.
    fn said_after(&self, bytes: u64) -> Vec<u8> {
        let mut said = Vec::new();
        let read = std::fs::File::open(self.folder().join("tandem.log")).and_then(|mut log| {
            log.seek(SeekFrom::Start(bytes))?;
            log.read_to_end(&mut said)
        });
        // Not there before the first line is written.
        read.map_or_else(|_| Vec::new(), |_| said)
    }

    /// Waits until the life that began there follows the leader.
    #[track_caller]
    pub(crate) fn until_live_since(&self, bytes: u64) {
        until("the daemon is live", || self.follows_since(bytes).then_some(()));
    }

    /// Stops it where it is: no thread of it runs until it is woken.
    pub(crate) fn stand_still(&self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`Self::stand_still`].
    pub(crate) fn wake(&self) {
        self.signal("CONT");
    }

    /// Starts it, waits until it follows the leader, and says how long that took.
    #[track_caller]
    pub(crate) fn start_and_follow(&mut self) -> Duration {
        let (bytes, began) = (self.log_bytes(), Instant::now());
        self.start();
        self.until_live_since(bytes);
        began.elapsed()
    }
}

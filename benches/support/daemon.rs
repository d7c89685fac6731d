//! The daemon measured: the built program, with settings, tokens and a folder of its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use super::process::on_core;

/// Benches run on the system's clock, at any hour.
const CALENDAR: &str = "always-open.toml";
const ALWAYS_OPEN: &str = "weekend = []\n[[session]]\nsegments = [\"NSE_FNO\", \"NSE_EQ\"]\n\
                           from = \"00:00\"\nuntil = \"24:00\"\n";

/// What differs between the daemons of the benches.
pub(crate) struct Settings<'a> {
    /// Its database, log and settings lie here.
    pub(crate) folder: &'a Path,
    /// Host and port of the broker.
    pub(crate) broker: &'a str,
    /// The leader's account.
    pub(crate) leader: &'a str,
    /// How many followers.
    pub(crate) followers: usize,
    /// The instrument master.
    pub(crate) instruments: &'a Path,
    /// Whether the broker's limits and the caps are lifted, so that neither is what is measured.
    pub(crate) unlimited: bool,
}

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts the built program.
    pub(crate) fn start(settings: &Settings<'_>, core: Option<u8>) -> anyhow::Result<Self> {
        let config = settings.folder.join("bench.toml");
        std::fs::write(&config, settings.text())?;
        std::fs::write(settings.folder.join(CALENDAR), ALWAYS_OPEN)?;
        let mut command = on_core(env!("CARGO_BIN_EXE_tandem"), core);
        command.args(["run", "--config"]).arg(&config).current_dir(settings.folder);
        settings.tokens(&mut command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("start the daemon")?;
        Ok(Self { child })
    }

    /// The database.
    pub(crate) fn database(folder: &Path) -> PathBuf {
        folder.join("tandem.db")
    }

    /// The process, which is the daemon itself also when it was started through `taskset`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator would, and waits until its database is whole.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already, when it was stopped in order.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Settings<'_> {
    fn text(&self) -> String {
        let (broker, instruments) = (self.broker, self.instruments.display());
        let mut text = format!(
            "[broker]\nbase_url = \"http://{broker}/v2\"\nstream_url = \"ws://{broker}\"\n\
             instruments_url = \"http://{broker}/none.csv\"\ninstruments_file = \"{instruments}\"\n"
        );
        if self.unlimited {
            text += "[broker.limits]\norders_per_second = 10000\norders_per_minute = 600000\n\
                     orders_per_hour = 1000000\norders_per_day = 1000000\n\
                     [risk]\nlots_per_instrument_max = 100000\nopen_orders_max = 10000\n\
                     orders_per_day_max = 100000\n";
        }
        // The broker of the bench has no books: reading them would only disturb.
        text += "[recovery]\npoll_ms = 600000\nidle_poll_ms = 600000\n[leader]\nbook_poll_ms = 600000\n\
                 [log]\nfile = \"tandem.log\"\n";
        // Relative to the folder, in which the daemon runs.
        let _ = writeln!(text, "[session]\ncalendar_file = \"{CALENDAR}\"");
        for number in 0..self.followers {
            let id = follower(number);
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "[[follower]]\nid = \"{id}\"\nclient_id_env = \"{}\"\naccess_token_env = \"{}\"",
                variable(number, "CLIENT_ID"),
                variable(number, "ACCESS_TOKEN"),
            );
        }
        text
    }

    fn tokens(&self, command: &mut Command) {
        command.env("LEADER_CLIENT_ID", self.leader).env("LEADER_ACCESS_TOKEN", "bench");
        for number in 0..self.followers {
            command.env(variable(number, "CLIENT_ID"), account(number));
            command.env(variable(number, "ACCESS_TOKEN"), "bench");
        }
    }
}

fn variable(number: usize, what: &str) -> String {
    format!("BENCH{number}_{what}")
}

/// The name of a follower.
pub(crate) fn follower(number: usize) -> String {
    format!("f{number:03}")
}

/// The account of a follower.
pub(crate) fn account(number: usize) -> String {
    (2_000_000_000 + number).to_string()
}

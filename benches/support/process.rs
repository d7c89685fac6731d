//! Child processes, on a core of their own or wherever the system puts them: commands, and the broker's process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};

use super::protocol;

/// A command that runs with all its threads on one core, or wherever the system puts it.
pub(crate) fn on_core(program: impl AsRef<OsStr>, core: Option<u8>) -> Command {
    match core {
        None => Command::new(program),
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &core.to_string()]).arg(program);
            command
        }
    }
}

/// The broker's process.
pub(crate) struct Broker {
    child: Child,
    tell: ChildStdin,
    told: BufReader<ChildStdout>,
    /// Host and port.
    pub(crate) address: String,
}

impl Broker {
    /// This same program, as a broker.
    pub(crate) fn start(core: Option<u8>) -> anyhow::Result<Self> {
        let mut child = on_core(std::env::current_exe()?, core)
            .arg("broker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the broker")?;
        let tell = child.stdin.take().context("the broker takes no input")?;
        let mut told = BufReader::new(child.stdout.take().context("the broker gives no output")?);
        let mut address = String::new();
        told.read_line(&mut address)?;
        Ok(Self { child, tell, told, address: address.trim().to_owned() })
    }

    /// Has frames sent, and waits for the stamps.
    pub(crate) fn send(&mut self, command: &protocol::Command) -> anyhow::Result<protocol::Stamps> {
        writeln!(self.tell, "{}", serde_json::to_string(command)?)?;
        let mut line = String::new();
        ensure!(self.told.read_line(&mut line)? > 0, "the broker ended");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

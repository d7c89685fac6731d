//! `tandem run`: settings, log lines, then the actors.

use std::path::Path;

use anyhow::Context;

use super::{ExitStatus, say_error};
use crate::settings::{Purpose, Sources};
use crate::{telemetry, wiring};

pub(super) fn run(config: &Path) -> anyhow::Result<ExitStatus> {
    let config = config.to_owned();
    let read = move || Sources::new().file(&config).process_environment().load(Purpose::Copy);
    let settings = match read() {
        Ok(settings) => settings,
        Err(faults) => {
            say_error(&faults.to_string());
            return Ok(ExitStatus::BadSettings);
        }
    };
    let log = telemetry::init(&settings.log).context("set up the log lines")?;
    let in_force: Vec<String> =
        settings.effective().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), settings = in_force.join(" "), "settings in force");
    wiring::run(settings, read, log.level())
}

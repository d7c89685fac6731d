//! Actors from settings.

use crate::cli::ExitStatus;
use crate::settings::Settings;

/// Copies until told to stop.
pub fn run(_settings: Settings) -> anyhow::Result<ExitStatus> {
    anyhow::bail!("copying is not wired up yet")
}

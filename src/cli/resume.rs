//! `tandem resume`: a stopped follower trades again.

use super::ExitStatus;
use super::halt::{Order, Target, carry_out};
use crate::control::protocol::Command;

/// Whom to resume.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    target: Target,
}

pub(super) fn resume(Options { target }: Options) -> anyhow::Result<ExitStatus> {
    carry_out(target, Order { command: Command::Resume, watches: false })
}

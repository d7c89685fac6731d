//! What is seen while the day runs: a bar in a terminal, a line each half hour elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use chrono::{NaiveTime, Timelike as _};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tandem_sim::exchange::SimOrder;

use super::books::OUR_TAG;
use super::stage::Stage;

const REDRAW: Duration = Duration::from_millis(100);

/// How far the day is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) leader_orders: usize,
    /// Orders that Tandem placed in the followers' accounts, and fills in these accounts.
    pub(super) copies: usize,
    pub(super) fills: usize,
}

impl Tally {
    pub(super) fn of(stage: &Stage, leader_orders: usize) -> Self {
        stage.simulator.with_exchange(|exchange| {
            let accounts = || stage.followers.iter().map(|follower| &follower.account);
            let orders = accounts().flat_map(|account| exchange.all_orders(account));
            let is_copy =
                |order: &&SimOrder| order.tag.as_deref().is_some_and(|tag| tag.starts_with(OUR_TAG));
            let copies = orders.filter(is_copy).count();
            let fills = accounts().map(|account| exchange.all_trades(account).len()).sum();
            Self { leader_orders, copies, fills }
        })
    }
}

/// Shows it.
pub(super) enum Show {
    Bar(ProgressBar),
    Lines { half_hours: u32 },
}

impl Show {
    /// For a day with so many orders of the leader.
    pub(super) fn new(orders: usize) -> anyhow::Result<Self> {
        if !std::io::stdout().is_terminal() {
            return Ok(Self::Lines { half_hours: 0 });
        }
        let bar = ProgressBar::with_draw_target(
            Some(u64::try_from(orders).unwrap_or(u64::MAX)),
            ProgressDrawTarget::stdout(),
        );
        bar.set_style(
            ProgressStyle::with_template(
                "{spinner} {prefix} [{bar:30}] {pos}/{len} leader orders, {msg}  {elapsed}",
            )?
            .progress_chars("=> "),
        );
        bar.set_prefix("09:15:00");
        bar.set_message("starting");
        bar.enable_steady_tick(REDRAW);
        Ok(Self::Bar(bar))
    }

    /// The clock in the simulator shows this time of day.
    pub(super) fn progress(&mut self, now: NaiveTime, tally: Tally) -> std::io::Result<()> {
        let Tally { leader_orders, copies, fills } = tally;
        match self {
            Self::Bar(bar) => {
                bar.set_prefix(now.format("%H:%M:%S").to_string());
                bar.set_position(u64::try_from(leader_orders).unwrap_or(u64::MAX));
                bar.set_message(format!("{copies} copies, {fills} fills"));
            }
            Self::Lines { half_hours } => {
                let passed = now.num_seconds_from_midnight() / 1800;
                if passed > *half_hours {
                    *half_hours = passed;
                    let time = now.format("%H:%M");
                    say(&format!("{time}  leader orders {leader_orders}, copies {copies}, fills {fills}"))?;
                }
            }
        }
        Ok(())
    }

    /// Takes the bar away: what comes next stands in its place.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Writes lines to standard output.
pub(super) fn say(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

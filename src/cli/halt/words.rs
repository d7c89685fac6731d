//! How a standing is told to people: one line for each follower.

use std::fmt::Write as _;
use std::io::Write as _;

use tandem_domain::time::Timestamp;
use tandem_domain::trading::{HaltCause, TradingState};

use crate::cli::ExitStatus;
use crate::control::protocol::{Command, Standing};

/// What a running daemon answered.
pub(super) fn told(standings: &[Standing]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for standing in standings {
        writeln!(out, "{}", line(standing))?;
    }
    Ok(())
}

/// What was written in the stead of a daemon that does not run, and what that does not do.
pub(super) fn told_to_nobody(standings: &[Standing], command: &Command) -> anyhow::Result<ExitStatus> {
    told(standings)?;
    let more = match command {
        Command::Status | Command::CloseIncidents { .. } => return Ok(ExitStatus::Ok),
        Command::Reduce | Command::Resume => "tandem does not run: this holds from its next start",
        Command::Halt { cancel_working: false } => {
            "tandem does not run: entries that work at the broker are cancelled at its next start, or by hand"
        }
        Command::Halt { cancel_working: true } => {
            "tandem does not run: entries and exits that work at the broker are cancelled at its next start, or by hand"
        }
        Command::SquareOff => {
            "tandem does not run: it squares off at its next start; until then do it by hand in the broker's app"
        }
    };
    writeln!(std::io::stdout().lock(), "{more}")?;
    Ok(ExitStatus::Ok)
}

fn line(standing: &Standing) -> String {
    let mut line = format!("{}: {}", standing.follower, state(standing));
    line.push_str(if standing.recorded { "; recorded" } else { "; NOT RECORDED" });
    if let Some(cancelling) = standing.cancelling.filter(|cancelling| *cancelling > 0) {
        // Writing to a String cannot fail.
        write!(line, "; copies being cancelled: {cancelling}").ok();
    }
    if let Some(problem) = &standing.problem {
        write!(line, "; {problem}").ok();
    }
    line
}

fn state(standing: &Standing) -> String {
    let since = Timestamp::from_micros(standing.since_us).ist().format("%m-%d %H:%M:%S");
    let cause = standing.cause.map_or_else(String::new, |cause| format!(", {}", because(cause)));
    match standing.state {
        TradingState::Active if standing.since_us == 0 => "active".to_owned(),
        state => format!("{state} since {since} IST{cause}"),
    }
}

const fn because(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::Operator => "by an operator",
        HaltCause::DailyLoss => "by the daily loss",
        HaltCause::Rejections => "after rejections",
        HaltCause::Drift => "after drift",
    }
}

/// How a square-off goes.
pub(super) fn progress(standing: &Standing) -> String {
    let follower = &standing.follower;
    if !standing.is_squaring_off {
        return format!("{follower}: flat in what was copied");
    }
    let count = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let mut line = format!(
        "{follower}: squaring off; copies being cancelled: {}, units to close: {}",
        count(standing.cancelling),
        count(standing.units_to_close)
    );
    if let Some(problem) = &standing.problem {
        write!(line, "; {problem}").ok();
    }
    line
}

#[cfg(test)]
mod tests {
    use tandem_domain::ids::FollowerId;

    use super::*;

    fn halted() -> Standing {
        Standing {
            follower: FollowerId::new("asha").unwrap(),
            state: TradingState::Halted,
            cause: Some(HaltCause::Operator),
            // 1 December 2026, 10:00:00 in India.
            since_us: 1_796_099_400_000_000,
            is_squaring_off: false,
            recorded: true,
            problem: None,
            cancelling: Some(2),
            units_to_close: Some(0),
        }
    }

    #[test]
    fn a_line_says_the_state_and_whether_it_is_recorded() {
        assert_eq!(
            line(&halted()),
            "asha: halted since 12-01 10:00:00 IST, by an operator; recorded; copies being cancelled: 2"
        );
        let broken = Standing {
            recorded: false,
            problem: Some("the disk is full".to_owned()),
            cancelling: None,
            ..halted()
        };
        assert_eq!(
            line(&broken),
            "asha: halted since 12-01 10:00:00 IST, by an operator; NOT RECORDED; the disk is full"
        );
        let never =
            Standing { state: TradingState::Active, cause: None, since_us: 0, cancelling: None, ..halted() };
        assert_eq!(line(&never), "asha: active; recorded");
    }

    #[test]
    fn progress_is_told_until_flat() {
        let going = Standing { is_squaring_off: true, units_to_close: Some(130), ..halted() };
        assert_eq!(progress(&going), "asha: squaring off; copies being cancelled: 2, units to close: 130");
        let silent = Standing { cancelling: None, units_to_close: None, ..going };
        assert_eq!(
            progress(&silent),
            "asha: squaring off; copies being cancelled: unknown, units to close: unknown"
        );
        assert_eq!(progress(&halted()), "asha: flat in what was copied");
    }
}

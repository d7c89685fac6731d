//! Stays with a square-off until all is flat, and says how it goes.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use tandem_domain::ids::FollowerId;

use super::words;
use crate::cli::{ExitStatus, say_error};
use crate::control::client::ask;
use crate::control::protocol::{Answer, Command, Request, Standing, VERSION};

/// How often the daemon is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long it may fail to answer: an actor of it may be restarting.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Says each step until nobody squares off any more. Interrupting it ends the watching, not the square-off.
pub(super) async fn until_flat(
    socket: &Path,
    follower: Option<FollowerId>,
    mut standings: Vec<Standing>,
) -> anyhow::Result<ExitStatus> {
    let request = Request { version: VERSION, command: Command::Status, follower };
    let mut heard = Instant::now();
    let mut said: Vec<String> = Vec::new();
    loop {
        let lines: Vec<String> = standings.iter().map(words::progress).collect();
        let mut out = std::io::stdout().lock();
        for line in lines.iter().filter(|line| !said.contains(line)) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        drop(out);
        said = lines;
        if standings.iter().all(|standing| standing.recorded && !standing.is_squaring_off) {
            return Ok(ExitStatus::Ok);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
        match ask(socket, &request).await {
            Ok(Answer::Followers(now)) => {
                standings = now;
                heard = Instant::now();
            }
            Ok(Answer::Refused { .. } | Answer::Incidents(_)) | Err(_) if heard.elapsed() < SILENCE_MAX => {}
            Ok(Answer::Refused { text, .. }) => return Ok(gone(&text)),
            Ok(Answer::Incidents(_)) => return Ok(gone("the daemon does not say how the followers stand")),
            Err(error) => return Ok(gone(&error.to_string())),
        }
    }
}

fn gone(why: &str) -> ExitStatus {
    say_error(&format!(
        "error: {why}. The square-off is on record and goes on when tandem runs again; look at the account"
    ));
    ExitStatus::Failed
}

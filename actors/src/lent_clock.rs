//! Takes time from a simulator: the daemon's side of a lent clock.
//!
//! The lender says what time it is and how fast it runs, and asks before it jumps; the daemon answers as soon as nothing is
//! under way, with the number of order-stream frames it has taken in, so that the lender knows that none is still on
//! the wire. Only for a daemon whose every URL is loopback; the settings see to that.

use std::collections::BTreeMap;
use std::time::Duration;

use awc::ws::{Frame, Message};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tandem_domain::time::Timestamp;
use thiserror::Error;
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::clock::{Clock, ClockSetter};
use crate::in_flight::{FrameCounts, InFlight};

/// How often a proposal waits for quiet, looked at again.
const QUIET_CHECK_INTERVAL: Duration = Duration::from_micros(500);

/// Why there is no lent clock.
#[derive(Debug, Error)]
pub enum LentClockError {
    /// The lender could not be reached.
    #[error("connect to the lender of time at {url}: {why}")]
    Connect {
        /// Its address.
        url: String,
        /// What happened.
        why: String,
    },
    /// The lender ended before it told the time.
    #[error("the lender of time ended before it told the time")]
    Silent,
}

/// What the lender says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromLender {
    Time { now_us: i64, rate: f64 },
    Propose { id: u64 },
}

/// What the daemon says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToLender {
    TimeOk { now_us: i64 },
    Idle { id: u64, frames: BTreeMap<String, u64> },
}

/// Connects to the lender and gives the clock once it knows the time. The connection lives on the arbiter it was made
/// on; when it ends, time stands still, and so does everything that asks it.
pub async fn borrow(url: &str, in_flight: InFlight, frames: FrameCounts) -> Result<Clock, LentClockError> {
    let refuse = |why: String| LentClockError::Connect { url: url.to_owned(), why };
    let client = awc::Client::builder().max_http_version(awc::http::Version::HTTP_11).finish();
    let (_, socket) = client.ws(url).connect().await.map_err(|error| refuse(error.to_string()))?;
    let (clock, setter) = Clock::lent(Timestamp::EPOCH);
    let (told, first) = oneshot::channel();
    let for_task = clock.clone();
    actix_rt::spawn(async move {
        keep_time(socket, setter, in_flight, frames, told).await;
        error!(stands_at = %for_task.now(), "the lender of time is gone: time stands still");
    });
    first.await.map_err(|_| LentClockError::Silent)?;
    Ok(clock)
}

async fn keep_time<S, E>(
    socket: S,
    setter: ClockSetter,
    in_flight: InFlight,
    frames: FrameCounts,
    told: oneshot::Sender<()>,
) where
    S: futures_util::Stream<Item = Result<Frame, E>> + futures_util::Sink<Message> + Unpin,
    E: std::fmt::Display,
{
    let (mut to_lender, mut from_lender) = socket.split();
    let mut told = Some(told);
    while let Some(frame) = from_lender.next().await {
        let answer = match frame {
            Ok(Frame::Text(text)) => match serde_json::from_slice::<FromLender>(&text) {
                Ok(FromLender::Time { now_us, rate }) => {
                    setter.set(Timestamp::from_micros(now_us), permille(rate));
                    if let Some(told) = told.take() {
                        // Whoever asked for the clock may have given up.
                        told.send(()).ok();
                    }
                    ToLender::TimeOk { now_us }
                }
                Ok(FromLender::Propose { id }) => {
                    // Quiet, and the count of frames that went before the quiet.
                    while in_flight.count() > 0 {
                        tokio::time::sleep(QUIET_CHECK_INTERVAL).await;
                    }
                    let counts = frames.snapshot().into_iter();
                    ToLender::Idle {
                        id,
                        frames: counts.map(|(account, count)| (account.to_string(), count)).collect(),
                    }
                }
                Err(error) => {
                    warn!(%error, "the lender of time said something odd");
                    continue;
                }
            },
            Ok(Frame::Ping(payload)) => {
                if to_lender.send(Message::Pong(payload)).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(Frame::Close(_)) => return,
            Ok(_) => continue,
            Err(error) => return warn!(%error, "the connection to the lender of time broke"),
        };
        let Ok(text) = serde_json::to_string(&answer) else { continue };
        if to_lender.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    }
}

/// Rates come as decimals, 0 to 10; whole thousandths are enough.
fn permille(rate: f64) -> u32 {
    if !(0.0..=1000.0).contains(&rate) {
        return 1000;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
    let permille = (rate * 1000.0).round() as u32;
    permille
}

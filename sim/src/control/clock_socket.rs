//! The lent clock over a WebSocket: the simulator's side of `docs/simulator.md`, "The lent clock".

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, Session};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::interval;

use crate::broker::Shared;
use crate::clock::protocol::{ClockMessage, DaemonMessage};

/// How often a quiet daemon is pinged, so that a dead one is noticed.
const PING_PERIOD: Duration = Duration::from_secs(5);

/// Accepts a daemon.
pub(super) fn accept(
    shared: &Arc<Shared>,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, actix_web::Error> {
    let (response, session, messages) = actix_ws::handle(request, payload)?;
    let shared = shared.clone();
    actix_web::rt::spawn(async move {
        let (id, queue) = shared.with(|broker| {
            let time = ClockMessage::Time { now_us: broker.now().micros(), rate: broker.clock.rate().into() };
            broker.daemons.join(time)
        });
        converse(&shared, id, queue, session, messages.aggregate_continuations()).await;
        shared.lock().daemons.leave(id);
        shared.changed.notify_waiters();
    });
    Ok(response)
}

async fn converse(
    shared: &Shared,
    id: u64,
    mut queue: mpsc::UnboundedReceiver<ClockMessage>,
    mut session: Session,
    mut messages: AggregatedMessageStream,
) {
    let mut pings = interval(PING_PERIOD);
    loop {
        let sent = tokio::select! {
            outgoing = queue.recv() => match outgoing {
                Some(message) => match serde_json::to_string(&message) {
                    Ok(text) => session.text(text).await,
                    Err(_) => Ok(()), // numbers and words: always a text
                },
                None => break, // cut off as a laggard
            },
            received = messages.next() => match received {
                Some(Ok(AggregatedMessage::Text(text))) => {
                    hear(shared, id, &text);
                    Ok(())
                }
                Some(Ok(AggregatedMessage::Ping(payload))) => session.pong(&payload).await,
                Some(Ok(AggregatedMessage::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => Ok(()),
            },
            _ = pings.tick() => session.ping(b"").await,
        };
        if sent.is_err() {
            break;
        }
    }
    // Already closed by the daemon: as good.
    let _ = session.close(None).await;
}

fn hear(shared: &Shared, id: u64, text: &str) {
    match serde_json::from_str::<DaemonMessage>(text) {
        Ok(message) => {
            shared.lock().daemons.hear(id, message);
            shared.changed.notify_waiters();
        }
        Err(error) => tracing::warn!(%error, "a daemon said something that is no clock message"),
    }
}

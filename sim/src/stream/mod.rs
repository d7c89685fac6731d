//! The order-update stream: a WebSocket server of its own on raw sockets, so that it can refuse, reset and fall silent
//! exactly as the broker does (`dhanhq-v2.md` section 5).

pub(crate) mod delivery;
mod session;
pub(crate) mod update;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::broker::Shared;

/// Sessions beyond this are turned away: a client that never closes must not take the machine down.
const SESSIONS_MAX: usize = 1000;

/// Accepts until the task is dropped; its sessions end with it.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) if sessions.len() < SESSIONS_MAX => {
                    sessions.spawn_local(session::serve(socket, shared.clone()));
                }
                Ok(_) => tracing::warn!("too many order streams; one was turned away"),
                Err(error) => {
                    tracing::warn!(%error, "an order stream could not be accepted");
                    tokio::time::sleep(Duration::from_millis(10)).await; // out of descriptors: do not spin
                }
            },
            Some(_) = sessions.join_next() => {}
        }
    }
}

//! The real daemon, on a thread of its own.

use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow};
use tokio::sync::oneshot;

use crate::cli::ExitStatus;
use crate::settings::Settings;
use crate::wiring::{self, Reloads};

/// A running daemon. Stops when dropped, without waiting.
pub(super) struct Daemon {
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<anyhow::Result<ExitStatus>>,
    thread: JoinHandle<()>,
}

impl Daemon {
    /// Starts what `tandem run` starts.
    pub(super) fn start(settings: Settings) -> anyhow::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (told, ended) = oneshot::channel();
        let copy = move || {
            let stopped = async {
                // Told to, or nobody is left who could tell.
                stopped.await.ok();
            };
            let ending = actix_rt::System::new().block_on(wiring::copy(settings, stopped, Reloads::never()));
            // Nobody asks any more when the demo was interrupted.
            told.send(ending).ok();
        };
        let thread =
            std::thread::Builder::new().name("daemon".to_owned()).spawn(copy).context("start a thread")?;
        Ok(Self { stop: Some(stop), ended, thread })
    }

    /// Waits for an end that nobody asked for. May be dropped and asked again.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match (&mut self.ended).await {
            Ok(Ok(status)) => anyhow!("the daemon ended by itself with exit code {}", status as u8),
            Ok(Err(error)) => error.context("the daemon ended by itself"),
            Err(_) => anyhow!("the daemon's thread panicked"),
        }
    }

    /// Tells it to stop and waits until it has.
    pub(super) async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        // Ended already: what it ended with is still to be had.
        self.stop.take().map(|stop| stop.send(()).ok());
        let ending = self.ended.await.map_err(|_| anyhow!("the daemon's thread panicked"))?;
        // It has said its last word; only the thread's own end is waited for.
        self.thread.join().map_err(|_| anyhow!("the daemon's thread panicked"))?;
        ending
    }
}

//! The simulator as a whole: ports, a thread of its own, and the handles tests and the demo hold.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::Serialize;
use tandem_domain::ids::DhanClientId;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::broker::Shared;
use crate::broker::records::{FrameRecord, RequestRecord};
use crate::clock::{ClockControl, RunUntil, drive};
use crate::exchange::Exchange;
use crate::faults::{AnswerFault, Fault, Operation};
use crate::server::{self, COMPACT_PATH, DETAILED_PATH};
use crate::settings::SimSettings;
use crate::{control, stream};

/// Why a simulator did not start.
#[derive(Debug, Error)]
pub enum SimError {
    /// The settings contradict themselves.
    #[error("simulator settings: {0}")]
    Settings(String),
    /// A port could not be opened.
    #[error("open port {port} on 127.0.0.1: {source}")]
    Port {
        /// The port asked for; 0 for any.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// The simulator's thread could not be started.
    #[error("start the simulator's thread: {0}")]
    Thread(std::io::Error),
}

/// Where a simulator listens and who may log in: what a client needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Base of the REST API, with `/v2`.
    pub rest_url: String,
    /// Base of the login host, where tokens are minted.
    pub auth_url: String,
    /// The order stream.
    pub stream_url: String,
    /// The control API and the lent clock.
    pub control_url: String,
    /// The detailed instrument file.
    pub instruments_url: String,
    /// The compact instrument file.
    pub compact_instruments_url: String,
    /// The accounts.
    pub accounts: Vec<AccountDescription>,
}

/// One account to log in with. The token is worth nothing outside the simulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountDescription {
    /// Client id.
    pub client_id: DhanClientId,
    /// The token at the start.
    pub access_token: String,
    /// For people.
    pub name: String,
    /// Whole rupees at the start.
    pub capital_rupees: i64,
}

/// A running simulator. Stops when dropped.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    clock: ClockControl,
    faults: Faults,
    description: Description,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The fault switches. Cheap to clone; the same as `POST /sim/faults`.
#[derive(Debug, Clone)]
pub struct Faults {
    shared: Arc<Shared>,
}

/// The simulator's own books. Cheap to clone; the same as `GET /sim/books`.
#[derive(Debug, Clone)]
pub struct Books {
    shared: Arc<Shared>,
}

/// The opened ports.
struct Listeners {
    rest: TcpListener,
    stream: TcpListener,
    control: TcpListener,
}

impl Simulator {
    /// Opens the ports and starts the simulator's thread. When this returns, clients can connect.
    pub fn start(settings: SimSettings) -> Result<Self, SimError> {
        let listeners = Listeners {
            rest: listen(settings.rest_port)?,
            stream: listen(settings.stream_port)?,
            control: listen(settings.control_port)?,
        };
        let shared = Shared::new(settings)?;
        let description = describe(&listeners, &shared.settings)?;
        let (clock, runs) = ClockControl::new(shared.clone());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn({
                let (shared, clock, description) = (shared.clone(), clock.clone(), description.clone());
                move || {
                    let served = serve(listeners, shared, clock, runs, description, stopped);
                    if let Err(error) = actix_rt::System::new().block_on(served) {
                        tracing::error!(%error, "the simulator ended");
                    }
                }
            })
            .map_err(SimError::Thread)?;
        let faults = Faults { shared: shared.clone() };
        Ok(Self { shared, clock, faults, description, stop: Some(stop), thread: Some(thread) })
    }

    /// Base of the REST API: `http://127.0.0.1:<port>/v2`.
    pub fn rest_url(&self) -> String {
        self.description.rest_url.clone()
    }

    /// The order stream: `ws://127.0.0.1:<port>`.
    pub fn stream_url(&self) -> String {
        self.description.stream_url.clone()
    }

    /// The control API: `http://127.0.0.1:<port>`; the lent clock is at `ws://127.0.0.1:<port>/sim/clock`.
    pub fn control_url(&self) -> String {
        self.description.control_url.clone()
    }

    /// The detailed instrument file.
    pub fn instruments_url(&self) -> String {
        self.description.instruments_url.clone()
    }

    /// Everything a client needs to know, for printing.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Looks at the exchange or changes it, at the clock's moment; what comes of it goes out on the streams.
    pub fn with_exchange<T>(&self, act: impl FnOnce(&mut Exchange) -> T) -> T {
        self.shared.with(|broker| act(&mut broker.exchange))
    }

    /// Gives the account a new token, as its owner does on the broker's web site; none when there is no such account.
    pub fn rotate_token(&self, account: &DhanClientId) -> Option<String> {
        self.shared.with(|broker| broker.renew_token(account))
    }

    /// The fault switches.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The books of every account.
    pub fn books(&self) -> Books {
        Books { shared: self.shared.clone() }
    }

    /// The clock.
    pub fn clock(&self) -> &ClockControl {
        &self.clock
    }

    /// The latest REST requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().records.requests().cloned().collect()
    }

    /// The latest order-stream frames, oldest first.
    pub fn frames(&self) -> Vec<FrameRecord> {
        self.shared.lock().records.frames().cloned().collect()
    }

    /// Forgets the records of requests and frames.
    pub fn clear_records(&self) {
        self.shared.lock().records.clear();
    }

    /// How many order streams of the account are logged in.
    pub fn open_streams(&self, account: &DhanClientId) -> usize {
        self.shared.lock().streams.count(account)
    }

    /// How many daemons live on the lent clock.
    pub fn daemons(&self) -> usize {
        self.shared.lock().daemons.count()
    }

    /// Closes every connection and port, and waits for the thread's end.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that has ended by itself needs no telling.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // Its panic is already on standard error; there is nothing left to save here.
            let _ = thread.join();
        }
    }
}

impl Faults {
    /// Injects a fault. False when the account does not exist.
    pub fn inject(&self, account: &DhanClientId, fault: Fault) -> bool {
        self.shared.with(|broker| broker.inject(account, fault))
    }

    /// Spoils the next answers of an operation.
    pub fn next_answers(
        &self,
        account: &DhanClientId,
        operation: Operation,
        count: u32,
        answer: AnswerFault,
    ) -> bool {
        self.inject(account, Fault::NextAnswers { operation, count, answer })
    }

    /// Ends every fault of the account.
    pub fn clear(&self, account: &DhanClientId) -> bool {
        self.inject(account, Fault::Clear)
    }
}

impl Books {
    /// Orders, trades, positions and funds of every account as they are now, late visibility or not.
    pub fn as_json(&self) -> serde_json::Value {
        self.shared.with(|broker| control::books::books(broker))
    }
}

fn listen(port: u16) -> Result<TcpListener, SimError> {
    let opened = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    opened.map_err(|source| SimError::Port { port, source })
}

fn describe(listeners: &Listeners, settings: &SimSettings) -> Result<Description, SimError> {
    let address = |listener: &TcpListener| -> Result<SocketAddr, SimError> {
        listener.local_addr().map_err(|source| SimError::Port { port: 0, source })
    };
    let rest = address(&listeners.rest)?;
    Ok(Description {
        rest_url: format!("http://{rest}/v2"),
        auth_url: format!("http://{rest}"),
        stream_url: format!("ws://{}", address(&listeners.stream)?),
        control_url: format!("http://{}", address(&listeners.control)?),
        instruments_url: format!("http://{rest}{DETAILED_PATH}"),
        compact_instruments_url: format!("http://{rest}{COMPACT_PATH}"),
        accounts: settings
            .accounts
            .iter()
            .map(|account| AccountDescription {
                client_id: account.client_id.clone(),
                access_token: settings.first_token(account),
                name: account.name.clone(),
                capital_rupees: account.capital_rupees,
            })
            .collect(),
    })
}

/// Serves until told to stop.
async fn serve(
    listeners: Listeners,
    shared: Arc<Shared>,
    clock: ClockControl,
    runs: mpsc::UnboundedReceiver<RunUntil>,
    description: Description,
    stopped: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let rest = server::serve(listeners.rest, shared.clone())?;
    let control = control::serve(listeners.control, shared.clone(), clock, description)?;
    let stream = tokio::net::TcpListener::from_std(listeners.stream)?;
    let handles = [rest.handle(), control.handle()];
    let servers = [actix_rt::spawn(rest), actix_rt::spawn(control)];
    tokio::select! {
        () = stream::serve(stream, shared.clone()) => {}
        () = drive(shared, runs) => {}
        // The simulator was stopped, or its owner is gone.
        _ = stopped => {}
    }
    for handle in handles {
        handle.stop(false).await;
    }
    for server in servers {
        // Ends because it was stopped; a panic of it is already on standard error.
        let _ = server.await;
    }
    Ok(())
}

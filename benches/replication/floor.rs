//! The bare cost: a frame parsed, its rows committed once, its requests sent on warm connections. No actors, no
//! decisions, no books.
//!
//! How it works: a child process of the bench, with the wire client that Tandem has (so that frames are parsed and
//! requests are written by the same code, byte for byte) and either plain statements on the socket's own thread, or the
//! Store's writer thread. What follows an answer is recorded as Tandem records it, so that databases grow alike.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use anyhow::Context as _;
use tandem_actors::clock::Clock;
use tandem_actors::store::{Job, Store, StoreHandle, StoreSettings, Write, WriterId};
use tandem_dhan::codes::AmoTime;
use tandem_dhan::rest::{AccountClient, ClientSettings, NewOrder};
use tandem_dhan::stream::{OrderStream, StreamFrame, StreamSettings};
use tandem_dhan::token::TokenSource;
use tandem_domain::ids::DhanClientId;
use tandem_domain::sizing::Sizing;
use tokio::sync::oneshot;

use crate::inline::Inline;
use crate::rows::{Copy, Follower, leader_event, leader_order, sizing};

/// Answers recorded between two copies of the log into the database; about as often as the Store's writer does it.
const ANSWERS_PER_CHECKPOINT: u32 = 32;

/// Where rows are committed.
enum Commit {
    /// On this thread.
    Inline { database: Box<Inline>, answers: Cell<u32> },
    /// On the Store's writer thread.
    Thread(StoreHandle),
}

impl Commit {
    async fn durable(&self, writes: Vec<Write>) -> anyhow::Result<()> {
        match self {
            Self::Inline { database, .. } => database.commit(&writes),
            Self::Thread(handle) => {
                let (told, answer) = oneshot::channel();
                handle.submit(Job {
                    writer: WriterId { actor: "floor".into(), generation: 1 },
                    writes,
                    in_order: false,
                    reply: Box::new(move |committed| {
                        // The one who waits ends with the process only.
                        told.send(committed.result).ok();
                    }),
                })?;
                Ok(answer.await??)
            }
        }
    }

    fn after_answer(&self) -> anyhow::Result<()> {
        let Self::Inline { database, answers } = self else { return Ok(()) };
        answers.set(answers.get() + 1);
        if answers.get() % ANSWERS_PER_CHECKPOINT == 0 { database.checkpoint() } else { Ok(()) }
    }
}

struct Floor {
    commit: Commit,
    clients: Vec<(Follower, AccountClient)>,
    sizing: Sizing,
    clock: Clock,
}

/// Copies until the process is ended. Arguments: `inline` or `thread`, followers, leader, host and port, database.
pub(crate) fn main(arguments: &[String]) -> anyhow::Result<()> {
    let [manner, followers, leader, broker, database] = arguments else {
        anyhow::bail!("a floor is given five arguments");
    };
    actix_rt::System::new().block_on(run(manner, followers.parse()?, leader, broker, Path::new(database)))
}

async fn run(
    manner: &str,
    followers: usize,
    leader: &str,
    broker: &str,
    database: &Path,
) -> anyhow::Result<()> {
    let store = Store::open(&StoreSettings::at(database), |death| end(&death.reason))?;
    let commit = if manner == "inline" {
        store.stop();
        Commit::Inline { database: Box::new(Inline::open(database)?), answers: Cell::new(0) }
    } else {
        Commit::Thread(store.handle.clone())
    };
    let token = || TokenSource::fixed("bench");
    let settings = ClientSettings::new(format!("http://{broker}/v2"));
    let mut clients = Vec::new();
    for number in 0..followers {
        let follower = Follower::numbered(number)?;
        let client = AccountClient::new(&settings, follower.account.clone(), token())?;
        // Warm, as Tandem's connections are after their first reads.
        client.orders().await?;
        clients.push((follower, client));
    }
    let floor = Rc::new(Floor { commit, clients, sizing: sizing()?, clock: Clock::system() });
    let settings = StreamSettings::new(format!("ws://{broker}"));
    let mut stream = OrderStream::connect(&settings, &DhanClientId::new(leader)?, &token()).await?;
    loop {
        let frame = stream.next().await?;
        floor.copy(frame).await?;
    }
}

impl Floor {
    async fn copy(self: &Rc<Self>, frame: StreamFrame) -> anyhow::Result<()> {
        for item in frame.items {
            let (report, now) = (item?, self.clock.now());
            let leader = leader_order(&report, now.trading_day(), now);
            let copies: Vec<Copy> = self
                .clients
                .iter()
                .map(|(follower, _)| Copy::new(&leader, follower, self.sizing, frame.received, now))
                .collect();
            let first = &self.clients.first().context("a floor without followers")?.0;
            let mut writes = leader_event(&leader, first, now);
            writes.extend(copies.iter().flat_map(|copy| copy.decision(now)));
            // One group commit for all followers.
            self.commit.durable(writes).await?;
            for (number, copy) in copies.into_iter().enumerate() {
                let floor = Rc::clone(self);
                actix_rt::spawn(async move {
                    if let Err(error) = floor.send(number, copy).await {
                        end(&error);
                    }
                });
            }
        }
        Ok(())
    }

    async fn send(&self, number: usize, copy: Copy) -> anyhow::Result<()> {
        let sent = self.clock.now();
        let order = NewOrder {
            client_order_id: &copy.child.client_order_id,
            terms: &copy.child.terms,
            amo_time: AmoTime::Open,
        };
        let placed = self.clients[number].1.place(&order).await?;
        let body = self.clients[number].1.place_body(&order);
        let writes = copy.answer(placed.broker_order_id, body, sent, self.clock.now());
        self.commit.durable(writes).await?;
        self.commit.after_answer()
    }
}

/// A floor that fails is none: the broker then waits in vain, and the bench says so.
#[expect(clippy::print_stderr, reason = "there is nowhere else to say it")]
pub(crate) fn end(why: &dyn std::fmt::Display) -> ! {
    eprintln!("a floor failed: {why:#}");
    std::process::exit(1)
}

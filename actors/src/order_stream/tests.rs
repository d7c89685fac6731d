//! The link over a stand-in listener and an address where nobody listens.

use std::sync::Arc;
use std::time::Duration;

use actix::ActorContext;
use tandem_dhan::rest::ClientSettings;
use tandem_dhan::token::TokenSource;
use tandem_domain::ids::DhanClientId;
use tandem_domain::token_life::TokenLimits;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;
use crate::account::ReconnectDelays;
use crate::store::{Reader, Store, StoreHandle, StoreSettings};
use crate::token_keeper::{Renewal, TokenCare};
use crate::vitals::{ActorName, Depth, Vitals};

const LONGEST: Duration = Duration::from_secs(30);

fn account() -> AccountParams {
    AccountParams {
        account: DhanClientId::new("1000000202").unwrap(),
        client: ClientSettings::new("http://127.0.0.1:9"),
        token: TokenSource::fixed("token"),
        care: TokenCare::new(
            TokenLimits { warn_before: Duration::ZERO, renew_before: Duration::ZERO },
            Renewal::Off,
            Arc::default(),
        ),
        reads_per_second: 10,
        reconnect: ReconnectDelays { first: Duration::from_secs(1), max: LONGEST },
    }
}

fn link(frames: &FrameCounts, in_flight: &InFlight) -> OrderStreamLink {
    let settings = StreamSettings::new("ws://127.0.0.1:9");
    OrderStreamLink::new(account(), settings, Clock::system(), frames.clone(), in_flight.clone())
}

#[test]
fn the_pause_after_too_many_connects_is_a_long_one() {
    let mut link = link(&FrameCounts::default(), &InFlight::default());
    let after_login = Duration::ZERO;
    let too_many = StreamError::Refused { refusal: LoginRefusal::TooManyRequests, after_login };
    assert!(link.next_delay(&too_many) >= TOO_MANY_CONNECTS_PAUSE);
    let mute = StreamError::Mute { silent_for: Duration::from_secs(40) };
    link.proved();
    let first = link.next_delay(&mute);
    assert!(first >= Duration::from_secs(1) && first <= Duration::from_secs(2), "{first:?}");
    for _ in 0..20 {
        assert!(link.next_delay(&mute) <= 2 * LONGEST);
    }
    assert!(link.next_delay(&mute) >= LONGEST, "it never gives up");
}

/// A stand-in that gives up after so many losses.
struct Listener {
    link: OrderStreamLink,
    store: StoreHandle,
    vitals: Vitals,
    losses_left: u32,
    told: UnboundedSender<&'static str>,
}

impl Listener {
    fn new(link: OrderStreamLink, store: &Store, losses: u32, told: UnboundedSender<&'static str>) -> Self {
        let (deaths, _) = unbounded_channel();
        let vitals = Vitals::new(ActorName::LeaderStream, 1, Depth::default(), deaths);
        Self { link, store: store.handle.clone(), vitals, losses_left: losses, told }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        connect(self, ctx);
    }
}

impl Listens for Listener {
    fn stream(&mut self) -> &mut OrderStreamLink {
        &mut self.link
    }

    fn client(&self) -> Option<AccountClient> {
        None
    }

    fn wants_stream(&self) -> bool {
        true
    }

    fn voice(&self) -> Voice<'_> {
        Voice { store: &self.store, vitals: &self.vitals, follower: None }
    }

    fn on_connecting(&mut self, _: &mut Self::Context) {
        self.told.send("connecting").unwrap();
    }

    fn on_logged_in(&mut self, _: &mut Self::Context) {
        self.told.send("logged in").unwrap();
    }

    fn on_frame(&mut self, _: StreamFrame, _: &mut Self::Context) {
        self.told.send("frame").unwrap();
    }

    fn on_lost(&mut self, error: &StreamError, ctx: &mut Self::Context) {
        assert!(matches!(error, StreamError::Connect { .. }), "{error}");
        assert_eq!(self.link.state(), LinkState::Lost);
        self.told.send("lost").unwrap();
        self.losses_left -= 1;
        if self.losses_left == 0 {
            ctx.stop();
        }
    }

    fn on_token_refused(&mut self, _: &mut Self::Context) {
        self.told.send("token refused").unwrap();
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreSettings::at(folder.path().join("tandem.db")), |_| {}).unwrap();
    (folder, store)
}

#[test]
fn a_connection_that_cannot_be_made_is_told_and_leaves_nothing_counted() {
    let (frames, in_flight) = (FrameCounts::default(), InFlight::default());
    let (told, mut events) = unbounded_channel();
    let (_folder, store) = store();
    let listener = Listener::new(link(&frames, &in_flight), &store, 1, told);
    actix_rt::System::new().block_on(async move {
        let _address = listener.start();
        assert_eq!(events.recv().await, Some("connecting"));
        assert_eq!(events.recv().await, Some("lost"));
        assert_eq!(events.recv().await, None, "the actor is gone");
    });
    assert!(frames.snapshot().is_empty());
    assert_eq!(in_flight.count(), 0);
}

/// Kinds of alerts that stand after so many tries that came to nothing.
fn alerts_after(tries: u32) -> Vec<String> {
    let (told, mut events) = unbounded_channel();
    let (_folder, store) = store();
    let mut link = link(&FrameCounts::default(), &InFlight::default());
    link.account.reconnect =
        ReconnectDelays { first: Duration::from_millis(1), max: Duration::from_millis(1) };
    link.proved();
    let listener = Listener::new(link, &store, tries, told);
    actix_rt::System::new().block_on(async move {
        let _address = listener.start();
        while events.recv().await.is_some() {}
    });
    let reader: Reader = store.reader.clone();
    store.stop();
    reader.open_incidents().unwrap().iter().map(|row| row.kind.to_string()).collect()
}

#[test]
fn a_person_is_told_after_five_tries_once() {
    assert_eq!(alerts_after(4), Vec::<String>::new());
    assert_eq!(alerts_after(5), [STREAM_LOST]);
    assert_eq!(alerts_after(12), [STREAM_LOST]);
}

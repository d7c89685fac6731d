//! A service on a real socket, over a real store, whose actors are all dead: what must work when nothing else does.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tandem_actors::clock::Clock;
use tandem_actors::in_flight::InFlight;
use tandem_actors::messages::Directory;
use tandem_actors::store::{IncidentRow, Job, Store, StoreSettings, Write as StoreWrite, WriterId};
use tandem_actors::trading_fence::TradingFence;
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::{HaltCause, TradingState};

use super::client::{AskError, ask};
use super::desk::{Desk, DeskParams};
use super::protocol::{Answer, Command, Request, Standing, VERSION};
use super::service::ControlService;

struct Bench {
    service: ControlService,
    store: Store,
    asha: TradingFence,
    bala: TradingFence,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

fn follower(id: &str) -> FollowerId {
    FollowerId::new(id).unwrap()
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&StoreSettings::at(folder.path().join("tandem.db")), |_| {}).unwrap();
        let [asha, bala] = [(); 2].map(|()| TradingFence::new(TradingState::Active));
        let desk = Desk::new(DeskParams {
            followers: vec![(follower("asha"), asha.clone()), (follower("bala"), bala.clone())],
            directory: Directory::default(),
            store: store.handle.clone(),
            reader: store.reader.clone(),
            clock: Clock::system(),
            in_flight: InFlight::default(),
            actor_deadline: Duration::from_millis(50),
        });
        let socket = folder.path().join("tandem.db.sock");
        let service = ControlService::start(socket.clone(), desk).unwrap();
        Self { service, store, asha, bala, socket, _folder: folder }
    }

    fn connect(&self) -> UnixStream {
        let peer = UnixStream::connect(&self.socket).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        peer
    }

    /// What the daemon says to these bytes, after which the peer says nothing more.
    fn says(&self, bytes: &[u8]) -> Value {
        let mut peer = self.connect();
        // The daemon may have had enough before all is written.
        peer.write_all(bytes).ok();
        peer.shutdown(Shutdown::Write).ok();
        heard(&mut peer)
    }

    async fn order(&self, command: Command, of: Option<&str>) -> Vec<Standing> {
        match ask(&self.socket, &Request { version: VERSION, command, follower: of.map(follower) }).await {
            Ok(Answer::Followers(standings)) => standings,
            other => panic!("no standings: {other:?}"),
        }
    }
}

/// One line, as JSON.
fn heard(peer: &mut UnixStream) -> Value {
    let mut text = Vec::new();
    let mut byte = [0];
    while peer.read(&mut byte).is_ok_and(|read| read == 1) && byte != *b"\n" {
        text.push(byte[0]);
    }
    serde_json::from_slice(&text).unwrap()
}

fn refusal(said: &Value) -> (&str, &str) {
    let refused = &said["answer"]["refused"];
    (refused["reason"].as_str().unwrap(), refused["text"].as_str().unwrap())
}

#[tokio::test]
async fn p27_a_halt_works_when_no_actor_answers_and_says_that_it_is_recorded() {
    let bench = Bench::new();
    let standings = bench.order(Command::Halt { cancel_working: false }, Some("asha")).await;
    assert_eq!(standings.len(), 1);
    assert_eq!((standings[0].state, standings[0].cause), (TradingState::Halted, Some(HaltCause::Operator)));
    assert!(standings[0].recorded);
    assert!(standings[0].problem.as_ref().unwrap().contains("actor does not answer"), "{standings:?}");
    assert_eq!(bench.asha.state(), TradingState::Halted);
    assert_eq!(bench.bala.state(), TradingState::Active);
    let row = bench.store.reader.trading(&follower("asha")).unwrap().unwrap();
    assert_eq!((row.state, row.since.micros()), (TradingState::Halted, standings[0].since_us));

    // Again, for all, and further: what stands, stands.
    let standings = bench.order(Command::SquareOff, None).await;
    assert_eq!(standings.iter().map(|one| one.is_squaring_off).collect::<Vec<_>>(), [true, true]);
    assert_eq!(standings[0].since_us, row.since.micros());
    let told: Vec<_> =
        bench.store.reader.audit_log(9).unwrap().iter().rev().map(|entry| entry.event.clone()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0].as_ref(), "halt");
}

#[tokio::test]
async fn a_resume_that_the_actor_did_not_take_in_opens_nothing() {
    let bench = Bench::new();
    bench.order(Command::Reduce, Some("asha")).await;
    let standings = bench.order(Command::Resume, Some("asha")).await;
    assert_eq!((standings[0].state, standings[0].recorded), (TradingState::Reducing, false));
    assert_eq!(bench.asha.state(), TradingState::Reducing);
    let row = bench.store.reader.trading(&follower("asha")).unwrap().unwrap();
    assert_eq!(row.state, TradingState::Reducing);
}

#[tokio::test]
async fn p27_a_halt_that_cannot_be_recorded_holds_and_says_so() {
    let bench = Bench::new();
    let Bench { service, store, asha, socket, _folder, .. } = bench;
    store.stop();
    let request =
        Request { version: VERSION, command: Command::Halt { cancel_working: false }, follower: None };
    let Ok(Answer::Followers(standings)) = ask(&socket, &request).await else { panic!("no standings") };
    assert_eq!((standings[0].state, standings[0].recorded), (TradingState::Halted, false));
    assert!(standings[0].problem.as_ref().unwrap().contains("the store has stopped"), "{standings:?}");
    assert_eq!(asha.state(), TradingState::Halted);
    drop(service);
    assert!(!socket.exists());
    assert!(matches!(ask(&socket, &request).await, Err(AskError::Nobody(_))));
}

#[tokio::test]
async fn incidents_are_closed_each_by_itself_and_it_is_said_which_are_not() {
    let bench = Bench::new();
    let (told, stored) = tokio::sync::oneshot::channel();
    let incident = IncidentRow {
        id: "2026-12-01/detached/asha/7".into(),
        opened_at: Timestamp::from_micros(1),
        kind: "detached".into(),
        follower: Some(follower("asha")),
        instrument: None,
        text: "look".to_owned(),
    };
    let job = Job {
        writer: WriterId { actor: "test".into(), generation: 1 },
        writes: vec![StoreWrite::IncidentOpen(incident)],
        in_order: false,
        reply: Box::new(|committed| told.send(committed.result).unwrap()),
    };
    bench.store.handle.submit(job).unwrap();
    assert_eq!(stored.await.unwrap(), Ok(()));
    let ids = vec!["nothing".into(), "2026-12-01/detached/asha/7".into()];
    let command = Command::CloseIncidents { ids, note: "seen".into() };
    let request = Request { version: VERSION, command, follower: None };
    let Ok(Answer::Incidents(incidents)) = ask(&bench.socket, &request).await else { panic!("no incidents") };
    assert_eq!((incidents[0].is_known, incidents[1].is_known), (false, true), "{incidents:?}");
    assert!(incidents[0].problem.is_some() && incidents[1].problem.is_none(), "{incidents:?}");
    assert!(bench.store.reader.open_incidents().unwrap().is_empty());
    assert_eq!(bench.asha.state(), TradingState::Active, "nothing that is traded changes");

    let Bench { store, socket, service: _service, _folder, .. } = bench;
    store.stop();
    let Ok(Answer::Incidents(incidents)) = ask(&socket, &request).await else { panic!("no incidents") };
    assert!(incidents.iter().all(|one| one.problem.is_some()), "{incidents:?}");
}

#[test]
fn an_unknown_follower_is_told_who_there_is_and_nothing_is_done() {
    let bench = Bench::new();
    let said = bench.says(
        br#"{"version":1,"command":{"halt":{"cancel_working":false}},"follower":"ash"}
"#,
    );
    let (reason, text) = refusal(&said);
    assert_eq!(reason, "unknown_follower");
    assert!(text.contains("asha, bala"), "{text}");
    assert_eq!(bench.asha.state(), TradingState::Active);
}

#[test]
fn rubbish_is_answered_and_harms_nobody() {
    let bench = Bench::new();
    for (bytes, told) in [
        (&b"halt\n"[..], "is no request"),
        (b"\n", "is no request"),
        (b"\xff\xfe\n", "is no request"),
        (br#"{"version":1,"command":{"halt":"#, "in the middle of a line"),
        (&[b'x'; 8192][..], "longer than 4096 bytes"),
        (&[b'['; 4000][..], "in the middle of a line"),
    ] {
        let said = bench.says(bytes);
        let (reason, text) = refusal(&said);
        assert_eq!(reason, "bad_request");
        assert!(text.contains(told), "{text}");
    }
    assert_eq!(bench.asha.state(), TradingState::Active);
}

#[test]
fn slow_peers_hold_up_nobody_and_are_sent_away() {
    let bench = Bench::new();
    let mut slow: Vec<UnixStream> = (0..10).map(|_| bench.connect()).collect();
    for peer in &mut slow {
        peer.write_all(b"{").unwrap();
    }
    let asked = Instant::now();
    let said = bench.says(b"{\"version\":1,\"command\":\"status\"}\n");
    assert_eq!(said["answer"]["followers"].as_array().unwrap().len(), 2);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    for mut peer in slow {
        assert!(refusal(&heard(&mut peer)).1.contains("no whole line came within"));
    }
}

#[test]
fn a_crowd_is_turned_away_and_told_to_come_again() {
    let bench = Bench::new();
    // More than it takes in at once; none says anything.
    let mut crowd: Vec<UnixStream> = (0..40).map(|_| bench.connect()).collect();
    let mut last = crowd.pop().unwrap();
    assert_eq!(heard(&mut last)["answer"]["refused"]["reason"], json!("busy"));
    drop(crowd);
    let mut said = bench.says(b"{\"version\":1,\"command\":\"status\"}\n");
    while said["answer"]["refused"]["reason"] == json!("busy") {
        said = bench.says(b"{\"version\":1,\"command\":\"status\"}\n");
    }
    assert!(said["answer"]["followers"].is_array(), "{said}");
}

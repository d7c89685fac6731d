//! The lent clock, with a small daemon that lives on it.

use std::time::{Duration, Instant};

use awc::ws::{Codec, Frame, Message};
use awc::{BoxedSocket, Client};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tandem_sim::{Rate, SimSettings};
use tokio::time::timeout;

use crate::support::{Desk, FOLLOWER, PATIENCE, still};

const HOUR: Duration = Duration::from_hours(1);

/// A daemon's clock socket.
struct Daemon {
    socket: actix_codec::Framed<BoxedSocket, Codec>,
}

impl Daemon {
    async fn connect(desk: &Desk) -> Self {
        let url = format!("{}/sim/clock", desk.sim.control_url().replace("http", "ws"));
        let (_, socket) = Client::builder().finish().ws(url).connect().await.unwrap();
        Self { socket }
    }

    async fn hear(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("nothing was heard").unwrap().unwrap() {
                Frame::Text(text) => return serde_json::from_slice(&text).unwrap(),
                Frame::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message of a type; others are passed over.
    async fn hear_type(&mut self, kind: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    async fn idle(&mut self, question: &Value, frames: Value) {
        self.say(json!({"type": "idle", "id": question["id"], "frames": frames})).await;
    }

    async fn confirm(&mut self, time: &Value) {
        self.say(json!({"type": "time_ok", "now_us": time["now_us"]})).await;
    }
}

#[actix_rt::test]
async fn without_a_daemon_an_hour_is_free() {
    let desk = Desk::open(still());
    let (began, start) = (Instant::now(), desk.sim.clock().now());
    let reached = desk.sim.clock().run_for(HOUR).finished().await.unwrap();
    assert_eq!(reached.since(start), HOUR);
    assert!(began.elapsed() < PATIENCE);
}

#[actix_rt::test]
async fn the_rate_is_real_time_and_told_to_the_daemons() {
    let desk = Desk::open(SimSettings { rate: Rate::FASTEST, ..still() });
    let mut daemon = Daemon::connect(&desk).await;
    let told = daemon.hear().await;
    assert_eq!((&told["type"], &told["rate"]), (&json!("time"), &json!(10.0)));
    let start = told["now_us"].as_i64().unwrap();
    desk.until(|desk| desk.sim.clock().now().micros() > start + 1_000_000).await;
    desk.sim.clock().set_rate(Rate::STOPPED);
    let told = daemon.hear().await;
    assert_eq!((&told["rate"], &told["now_us"]), (&json!(0.0), &json!(desk.sim.clock().now().micros())));
}

#[actix_rt::test]
async fn time_jumps_only_when_the_daemon_is_idle_and_has_heard_everything() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    let mut daemon = Daemon::connect(&desk).await;
    let start = daemon.hear().await["now_us"].as_i64().unwrap();
    desk.place(desk.resting("cp-1")).await;

    let run = desk.sim.clock().run_for(HOUR);
    let question = daemon.hear_type("propose").await;
    // Two frames were sent and one is counted: the daemon is asked again, and the clock stands.
    daemon.idle(&question, json!({FOLLOWER: 1})).await;
    let again = daemon.hear_type("propose").await;
    assert!(again["id"].as_u64() > question["id"].as_u64());
    assert_eq!(desk.sim.clock().now().micros(), start);

    stream.statuses(2).await;
    daemon.idle(&again, json!({FOLLOWER: 2})).await;
    let jumped = loop {
        let message = daemon.hear().await;
        if message["type"] == "time" {
            break message;
        }
        daemon.idle(&message, json!({FOLLOWER: 2})).await;
    };
    assert_eq!(jumped["now_us"].as_i64(), Some(start + 3_600_000_000), "nothing happens in that hour");
    daemon.confirm(&jumped).await;
    assert_eq!(run.finished().await.unwrap().micros(), start + 3_600_000_000);
}

#[actix_rt::test]
async fn frames_of_a_jump_come_after_the_time_was_applied() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    let mut daemon = Daemon::connect(&desk).await;
    daemon.hear_type("time").await;
    desk.place(desk.resting("cp-1")).await;
    stream.statuses(2).await;

    // At the end of the session the resting order expires.
    let run = desk.sim.clock().run_for(10 * HOUR);
    let mut counted = 2;
    let question = daemon.hear_type("propose").await;
    daemon.idle(&question, json!({FOLLOWER: counted})).await;
    let time = loop {
        let message = daemon.hear().await;
        if message["type"] == "time" {
            break message;
        }
        daemon.idle(&message, json!({FOLLOWER: counted})).await;
    };
    assert!(stream.hears_nothing().await, "held back until the time is applied");
    daemon.confirm(&time).await;
    assert_eq!(stream.statuses(1).await, ["Expired"]);
    counted += 1;

    let finish = async {
        loop {
            let message = daemon.hear().await;
            match message["type"].as_str() {
                Some("time") => daemon.confirm(&message).await,
                _ => daemon.idle(&message, json!({FOLLOWER: counted})).await,
            }
        }
    };
    tokio::select! {
        reached = run.finished() => drop(reached.unwrap()),
        () = finish => {}
    }
}

#[actix_rt::test]
async fn a_busy_daemon_leaves_the_clock_to_its_rate() {
    let desk = Desk::open(SimSettings { rate: Rate::FASTEST, ..still() });
    let mut daemon = Daemon::connect(&desk).await;
    daemon.hear_type("time").await;
    let began = Instant::now();
    desk.sim.clock().run_for(Duration::from_secs(5)).finished().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(400), "five seconds at ten times the speed");
}

#[actix_rt::test]
async fn a_daemon_that_goes_away_holds_up_nobody() {
    let desk = Desk::open(still());
    let mut daemon = Daemon::connect(&desk).await;
    daemon.hear_type("time").await;
    let run = desk.sim.clock().run_for(HOUR);
    daemon.hear_type("propose").await;
    drop(daemon);
    run.finished().await.unwrap();
    assert_eq!(desk.sim.daemons(), 0);
}

//! The order stream: logins that are taken, refused and silently dropped; pings in both directions; deaths of all kinds.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_ws::{CloseCode, CloseReason, Item, Message, MessageStream, Session};
use futures_util::StreamExt;
use tandem_dhan::stream::{LoginRefusal, OrderStream, StreamError, StreamSettings};

use super::server::{TOKEN, account, token};

const FRAME: &str = include_str!("../fixtures/frames/pending.json");

/// Upgrades, waits for the login, and then does as told; the socket stays open until the client leaves.
pub(crate) fn frames_after_login<F>(
    request: HttpRequest,
    body: web::Payload,
    then: impl FnOnce(Session) -> F + 'static,
) -> actix_web::Result<HttpResponse>
where
    F: Future<Output = ()> + 'static,
{
    conversation(request, body, |session, mut messages| async move {
        assert_login(&mut messages).await;
        then(session).await;
        while let Some(Ok(_)) = messages.next().await {}
    })
}

fn conversation<F>(
    request: HttpRequest,
    body: web::Payload,
    then: impl FnOnce(Session, MessageStream) -> F + 'static,
) -> actix_web::Result<HttpResponse>
where
    F: Future<Output = ()> + 'static,
{
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    actix_rt::spawn(then(session, messages));
    Ok(response)
}

async fn assert_login(messages: &mut MessageStream) {
    let Some(Ok(Message::Text(login))) = messages.next().await else { panic!("no login") };
    assert_eq!(
        &*login,
        format!(
            r#"{{"LoginReq":{{"MsgCode":42,"ClientId":"1000000202","Token":"{TOKEN}"}},"UserType":"SELF"}}"#
        )
    );
}

/// A server of one conversation.
fn start<F>(then: impl Fn(Session, MessageStream) -> F + Clone + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + 'static,
{
    let server = HttpServer::new(move || {
        let then = then.clone();
        App::new().route(
            "/",
            web::get().to(move |request: HttpRequest, body: web::Payload| {
                let then = then.clone();
                async move { conversation(request, body, then) }
            }),
        )
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let address = server.addrs()[0];
    actix_rt::spawn(server.run());
    address
}

fn settings(address: SocketAddr) -> StreamSettings {
    StreamSettings::new(format!("ws://{address}/"))
}

async fn connect(address: SocketAddr) -> OrderStream {
    OrderStream::connect(&settings(address), &account(), &token()).await.unwrap()
}

/// How a stream of one conversation ends.
async fn end_of<F>(then: impl Fn(Session, MessageStream) -> F + Clone + Send + 'static) -> StreamError
where
    F: Future<Output = ()> + 'static,
{
    let mut stream = connect(start(then)).await;
    loop {
        if let Err(error) = stream.next().await {
            return error;
        }
    }
}

#[actix_rt::test]
async fn frames_come_in_order_whole_and_in_pieces() {
    let address = start(|mut session, mut messages| async move {
        assert_login(&mut messages).await;
        session.text(FRAME).await.unwrap();
        let (first, rest) = FRAME.as_bytes().split_at(100);
        let (middle, last) = rest.split_at(100);
        session.continuation(Item::FirstText(first.to_vec().into())).await.unwrap();
        session.continuation(Item::Continue(middle.to_vec().into())).await.unwrap();
        session.ping(b"between").await.unwrap();
        session.continuation(Item::Last(last.to_vec().into())).await.unwrap();
        session.text("garbage").await.unwrap();
        while let Some(Ok(_)) = messages.next().await {}
    });
    let mut stream = connect(address).await;
    for _ in 0..2 {
        let frame = stream.next().await.unwrap();
        assert_eq!(frame.items.len(), 1);
        assert_eq!(frame.items[0].as_ref().unwrap().broker_order_id.as_str(), "221261123048117");
    }
    let garbage = stream.next().await.unwrap();
    assert_eq!(garbage.items[0].as_ref().unwrap_err().field, "frame");
}

#[actix_rt::test]
async fn waiting_may_be_given_up_and_taken_up_again() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let address = start(move |mut session, mut messages| {
        let mut wait = wait.clone();
        async move {
            assert_login(&mut messages).await;
            wait.wait_for(|go| *go).await.unwrap();
            session.text(FRAME).await.unwrap();
            while let Some(Ok(_)) = messages.next().await {}
        }
    });
    let mut stream = connect(address).await;
    assert!(tokio::time::timeout(Duration::from_millis(20), stream.next()).await.is_err());
    go.send(true).unwrap();
    assert_eq!(stream.next().await.unwrap().items.len(), 1);
}

#[actix_rt::test]
async fn pings_of_the_server_are_answered() {
    let address = start(|mut session, mut messages| async move {
        assert_login(&mut messages).await;
        session.ping(b"are you there").await.unwrap();
        while let Some(Ok(message)) = messages.next().await {
            if message == Message::Pong((&b"are you there"[..]).into()) {
                session.text(FRAME).await.unwrap();
            }
        }
    });
    // The frame comes only after the pong.
    assert_eq!(connect(address).await.next().await.unwrap().items.len(), 1);
}

#[actix_rt::test]
async fn a_server_that_answers_pings_stays_and_one_that_does_not_is_mute() {
    let quick = |address| StreamSettings {
        ping_interval: Duration::from_millis(30),
        pong_deadline: Duration::from_millis(60),
        ..settings(address)
    };
    let alive = start(|mut session, mut messages| async move {
        assert_login(&mut messages).await;
        let mut pings = 0;
        while let Some(Ok(message)) = messages.next().await {
            if let Message::Ping(payload) = message {
                session.pong(&payload).await.unwrap();
                pings += 1;
            }
            if pings == 5 {
                session.text(FRAME).await.unwrap();
            }
        }
    });
    let mut stream = OrderStream::connect(&quick(alive), &account(), &token()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().items.len(), 1);

    let mute = start(|session, mut messages| async move {
        while let Some(Ok(_)) = messages.next().await {}
        drop(session);
    });
    let mut stream = OrderStream::connect(&quick(mute), &account(), &token()).await.unwrap();
    let error = stream.next().await.unwrap_err();
    assert!(matches!(error, StreamError::Mute { .. }), "{error:?}");
    assert!(!error.suggests_dead_token());
}

#[actix_rt::test]
async fn any_binary_frame_is_a_refused_login() {
    let error = end_of(|mut session, mut messages| async move {
        assert_login(&mut messages).await;
        session.binary(vec![0x32, 0x0A, 0x00, 0x01, 0, 0, 0, 0, 0x27, 0x03]).await.unwrap();
        let _ = session.close(None).await;
    })
    .await;
    assert!(
        matches!(error, StreamError::Refused { refusal: LoginRefusal::Disconnect { reason: 807 }, .. }),
        "{error:?}"
    );
    assert!(error.suggests_dead_token());

    let error = end_of(|mut session, mut messages| async move {
        assert_login(&mut messages).await;
        session.continuation(Item::FirstBinary(vec![0x32].into())).await.unwrap();
        session.continuation(Item::Last(vec![0x0A].into())).await.unwrap();
    })
    .await;
    assert!(
        matches!(error, StreamError::Refused { refusal: LoginRefusal::Binary { length: 2 }, .. }),
        "{error:?}"
    );
}

#[actix_rt::test]
async fn a_text_that_says_429_is_a_refusal() {
    let error = end_of(|mut session, _| async move {
        session.text("429 too many requests").await.unwrap();
    })
    .await;
    assert!(
        matches!(error, StreamError::Refused { refusal: LoginRefusal::TooManyRequests, .. }),
        "{error:?}"
    );
    assert!(!error.suggests_dead_token());
}

#[actix_rt::test]
async fn a_close_soon_after_the_login_says_how_soon() {
    let error = end_of(|session, mut messages| async move {
        assert_login(&mut messages).await;
        let reason = CloseReason { code: CloseCode::Restart, description: Some("recycle".to_owned()) };
        session.close(Some(reason)).await.unwrap();
    })
    .await;
    let StreamError::Closed { after_login, why } = &error else { panic!("{error:?}") };
    assert!(*after_login < StreamError::EARLY && why.contains("recycle"), "{error:?}");
    assert!(error.suggests_dead_token());
}

#[actix_rt::test]
async fn too_large_a_message_ends_the_stream() {
    let oversized = |pieces: bool| {
        start(move |mut session, mut messages| async move {
            assert_login(&mut messages).await;
            let half = vec![b' '; 3000];
            if pieces {
                session.continuation(Item::FirstText(half.clone().into())).await.unwrap();
                session.continuation(Item::Last(half.into())).await.unwrap();
            } else {
                session.text(" ".repeat(6000)).await.unwrap();
            }
            while let Some(Ok(_)) = messages.next().await {}
        })
    };
    for pieces in [false, true] {
        let small = StreamSettings { frame_limit: 5000, ..settings(oversized(pieces)) };
        let mut stream = OrderStream::connect(&small, &account(), &token()).await.unwrap();
        let error = stream.next().await.unwrap_err();
        assert!(matches!(error, StreamError::Protocol { .. }), "{error:?}");
    }
}

/// Upgrades by hand, reads the login, and drops the socket without a close frame.
fn start_resetting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let key = head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
            })
            .unwrap();
        let accept = actix_http::ws::hash_key(key.as_bytes());
        let accept = std::str::from_utf8(&accept).unwrap().to_owned();
        std::io::Write::write_all(
            &mut socket,
            format!("HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n")
                .as_bytes(),
        )
        .unwrap();
        socket.read_exact(&mut byte).unwrap();
    });
    address
}

#[actix_rt::test]
async fn a_reset_right_after_the_login_is_told_as_such() {
    let mut stream = connect(start_resetting()).await;
    let error = stream.next().await.unwrap_err();
    let StreamError::Reset { after_login, .. } = &error else { panic!("{error:?}") };
    assert!(*after_login < StreamError::EARLY);
    assert!(error.suggests_dead_token());
    assert!(!format!("{error} {error:?} {stream:?}").contains(TOKEN));
}

#[actix_rt::test]
async fn refusals_of_the_upgrade_are_typed() {
    for (http, expected) in [
        (429, Some(LoginRefusal::TooManyRequests)),
        (401, Some(LoginRefusal::Upgrade { http: 401 })),
        (503, None),
        (302, None),
    ] {
        let server = super::server::Server::answering(http, "");
        let outcome = OrderStream::connect(&settings(server.address), &account(), &token()).await;
        match outcome.unwrap_err() {
            StreamError::Refused { refusal, .. } => assert_eq!(Some(refusal), expected, "{http}"),
            StreamError::Connect { .. } => assert_eq!(None, expected, "{http}"),
            other => panic!("{http}: {other:?}"),
        }
    }
}

#[actix_rt::test]
async fn a_server_that_never_upgrades_runs_into_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(listener.local_addr().unwrap());
    settings.connect_timeout = Duration::from_millis(50);
    let outcome = OrderStream::connect(&settings, &account(), &token()).await;
    assert!(matches!(outcome, Err(StreamError::Connect { .. })), "{outcome:?}");
    for url in ["", "ws://", "http://host/", "nonsense"] {
        let outcome = OrderStream::connect(&StreamSettings::new(url), &account(), &token()).await;
        assert!(matches!(outcome, Err(StreamError::Connect { .. })), "{url}");
    }
}

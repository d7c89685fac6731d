//! One order-stream connection: upgrade, login, frames, pings, and the ways it can end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_codec::{Framed, FramedParts};
use actix_http::ws::{CloseCode, CloseReason, Codec, Frame as Received, Message};
use futures_util::{SinkExt, StreamExt};
use tandem_dhan::wire::LoginRequest;
use tandem_domain::ids::DhanClientId;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::delivery::{Frame, Mute};
use super::upgrade;
use crate::broker::Shared;
use crate::broker::records::FrameRecord;
use crate::broker::streams::Outgoing;
use crate::faults::{Down, LoginRefusal};

/// A connection that does not upgrade or log in within this real time is ended.
const LOGIN_DEADLINE: Duration = Duration::from_secs(30);
/// How long after the login a reset comes (`dhanhq-v2.md` section 5.2).
const RESET_DELAY: Duration = Duration::from_millis(10);
/// A client that does not read is ended after this real time.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// The feed's disconnect packet: code 50, length 10, segment 1, security 0, reason 807, token expired.
const TOKEN_EXPIRED: [u8; 10] = [0x32, 0x0A, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x27, 0x03];

type Socket = Framed<TcpStream, Codec>;

/// Serves one connection to its end.
pub(super) async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    // A delay of small frames would be ours, not the broker's.
    let _ = socket.set_nodelay(true);
    let refuse = shared.lock().faults.upgrades_refused();
    let Ok(Some(rest)) = timeout(LOGIN_DEADLINE, upgrade::accept(&mut socket, refuse)).await else { return };
    let mut socket = Framed::from_parts(FramedParts::with_read_buf(socket, Codec::new(), rest));

    let Ok(Some(login)) = timeout(LOGIN_DEADLINE, first_text(&mut socket)).await else { return };
    match admit(&shared, &login) {
        Ok(mut session) => {
            let end = session.run(&mut socket).await;
            shared.lock().streams.closed(session.id);
            shared.changed.notify_waiters();
            finish(socket, end).await;
        }
        Err(refusal) => refuse_login(socket, refusal).await,
    }
}

/// The first text message; pings before it are answered.
async fn first_text(socket: &mut Socket) -> Option<bytes::Bytes> {
    loop {
        match socket.next().await?.ok()? {
            Received::Text(text) => return Some(text),
            Received::Ping(payload) => socket.send(Message::Pong(payload)).await.ok()?,
            Received::Close(_) => return None,
            _ => {}
        }
    }
}

/// Checks a login; a good one opens a session, silently.
fn admit(shared: &Arc<Shared>, login: &[u8]) -> Result<Session, LoginRefusal> {
    let broker = &mut *shared.lock();
    let usual = shared.settings.variants.login_refusal;
    let Ok(request) = serde_json::from_slice::<LoginRequest>(login) else { return Err(usual) };
    let now = broker.now();
    let account = match broker.accounts.by_token(&request.login.token, now) {
        Some(entry) if entry.client_id.as_str() == request.login.client_id && request.user_type == "SELF" => {
            entry.client_id.clone()
        }
        _ => return Err(usual),
    };
    let faults = broker.faults.of(&account);
    if faults.down == Down::Refuse {
        return Err(LoginRefusal::Reset);
    }
    if let Some(how) = faults.refuse_login {
        return Err(how);
    }
    if faults.token_refused {
        return Err(usual);
    }
    let (id, queue) = broker.streams.open(account.clone());
    Ok(Session { id, account, queue, shared: shared.clone() })
}

async fn refuse_login(mut socket: Socket, refusal: LoginRefusal) {
    match refusal {
        // A login that got this far is past the upgrade: the nearest thing to a 429 is the code-50 frame.
        LoginRefusal::Code50 | LoginRefusal::Http429 => {
            let _ = socket.send(Message::Binary(TOKEN_EXPIRED.to_vec().into())).await;
            finish(socket, End::Close).await;
        }
        LoginRefusal::Reset => {
            sleep(RESET_DELAY).await;
            finish(socket, End::Reset).await;
        }
    }
}

/// How a session ends.
enum End {
    /// The client closed, or the connection broke.
    Gone,
    /// We say goodbye.
    Close,
    /// We vanish.
    Reset,
}

async fn finish(mut socket: Socket, end: End) {
    match end {
        End::Gone => {}
        End::Close => {
            let goodbye = Message::Close(Some(CloseReason::from(CloseCode::Normal)));
            let _ = timeout(WRITE_DEADLINE, socket.send(goodbye)).await;
        }
        // With no time to linger, closing the socket sends a reset instead of an end of stream.
        End::Reset => drop(socket.io_ref().set_zero_linger()),
    }
}

/// A logged-in connection.
struct Session {
    id: u64,
    account: DhanClientId,
    queue: mpsc::UnboundedReceiver<Outgoing>,
    shared: Arc<Shared>,
}

impl Session {
    async fn run(&mut self, socket: &mut Socket) -> End {
        loop {
            let step = tokio::select! {
                received = socket.next() => self.receive(socket, received).await,
                outgoing = self.queue.recv() => self.send(socket, outgoing).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn receive<E>(
        &mut self,
        socket: &mut Socket,
        received: Option<Result<Received, E>>,
    ) -> Result<(), End> {
        match received {
            Some(Ok(Received::Ping(payload))) if self.answers_pings() => {
                write(socket, Message::Pong(payload)).await
            }
            Some(Ok(Received::Close(reason))) => {
                let _ = write(socket, Message::Close(reason)).await;
                Err(End::Gone)
            }
            // Whatever else the client says after its login is nobody's business.
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(End::Gone),
        }
    }

    async fn send(&mut self, socket: &mut Socket, outgoing: Option<Outgoing>) -> Result<(), End> {
        match outgoing {
            Some(Outgoing::Text(frame)) => self.send_text(socket, frame).await,
            Some(Outgoing::Binary(bytes)) => write(socket, Message::Binary(bytes.into())).await,
            Some(Outgoing::TokenDied) => {
                write(socket, Message::Binary(TOKEN_EXPIRED.to_vec().into())).await?;
                Err(End::Close)
            }
            Some(Outgoing::Close) => Err(End::Close),
            Some(Outgoing::Reset) | None => Err(End::Reset),
        }
    }

    fn answers_pings(&self) -> bool {
        self.shared.lock().faults.of(&self.account).delivery.mute != Mute::Everything
    }

    async fn send_text(&self, socket: &mut Socket, frame: Frame) -> Result<(), End> {
        let sent_ns = self.shared.nanos(Instant::now());
        write(socket, Message::Text(frame.text.into())).await?;
        let record =
            FrameRecord { account: self.account.clone(), order: frame.order, status: frame.status, sent_ns };
        self.shared.frame_sent(self.id, record);
        Ok(())
    }
}

async fn write(socket: &mut Socket, message: Message) -> Result<(), End> {
    match timeout(WRITE_DEADLINE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

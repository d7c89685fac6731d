//! The order-update stream of one account (`dhanhq-v2.md` section 5).
//!
//! It is silent when all is well and often silent when it is not, so this end pings every so often and calls the
//! connection mute when nothing at all comes back. A good login is not answered; a bad one may be a binary frame, a
//! reset, or nothing. Reconnecting, and asking `GET /profile` after an early death, is the caller's.

mod connect;
mod error;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use actix_http::ws::Item;
use awc::ws::{Frame, Message};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tandem_domain::ids::DhanClientId;
use tandem_domain::order::OrderReport;

pub use error::{LoginRefusal, StreamError};

use crate::parse;
use crate::token::TokenSource;
use crate::wire::{self, WireError};
use connect::Socket;

/// How a stream connects and stays alive.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// `wss://api-order-update.dhan.co`.
    pub url: String,
    /// The address to leave from; none means any IPv4 address.
    pub local_address: Option<IpAddr>,
    /// Resolve, connect, handshakes, upgrade, login: each within this.
    pub connect_timeout: Duration,
    /// How often to ping.
    pub ping_interval: Duration,
    /// How long to wait for a sign of life after a ping.
    pub pong_deadline: Duration,
    /// The largest message taken, bytes, in one frame or several.
    pub frame_limit: usize,
    /// PEM certificates to trust beside the public roots.
    pub extra_ca_file: Option<PathBuf>,
}

impl StreamSettings {
    /// Pings every 20 s and waits 20 s for an answer, as clients in the field do (section 5.3).
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            local_address: None,
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(20),
            pong_deadline: Duration::from_secs(20),
            frame_limit: 4 * 1024 * 1024,
            extra_ca_file: None,
        }
    }
}

/// One text of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFrame {
    /// When it had been read, before it was decoded.
    pub received: Instant,
    /// What it held, in order. An error names the order, where readable: ask for that order again; where not, for the
    /// whole book.
    pub items: Vec<Result<OrderReport, WireError>>,
    /// Envelopes of other types, passed over (section 5.4).
    pub other_types: usize,
}

/// A connection, logged in as far as one can tell.
pub struct OrderStream {
    socket: Socket,
    ping_interval: Duration,
    pong_deadline: Duration,
    frame_limit: usize,
    logged_in: Instant,
    life: Life,
    /// A message in several frames, so far.
    partial: Option<Partial>,
}

/// What the connection owes us.
#[derive(Clone, Copy)]
enum Life {
    /// Nothing until then: next ping.
    Heard { ping_at: tokio::time::Instant },
    /// A sign of life until then.
    Pinged { dead_at: tokio::time::Instant },
}

struct Partial {
    is_text: bool,
    bytes: BytesMut,
}

impl std::fmt::Debug for OrderStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderStream").field("logged_in", &self.logged_in).finish_non_exhaustive()
    }
}

impl OrderStream {
    /// Connects with a client of its own and sends the login. Success says only that the login was sent.
    pub async fn connect(
        settings: &StreamSettings,
        account: &DhanClientId,
        token: &TokenSource,
    ) -> Result<Self, StreamError> {
        let socket = connect::open(settings, account, token).await?;
        Ok(Self {
            socket,
            ping_interval: settings.ping_interval,
            pong_deadline: settings.pong_deadline,
            frame_limit: settings.frame_limit,
            logged_in: Instant::now(),
            life: Life::Heard { ping_at: tokio::time::Instant::now() + settings.ping_interval },
            partial: None,
        })
    }

    /// How long ago the login was sent.
    pub fn age(&self) -> Duration {
        self.logged_in.elapsed()
    }

    /// Waits for the next text; meanwhile pings, answers pings, and enforces the deadline. May be dropped and called
    /// again without losing anything. After an error the stream is over.
    pub async fn next(&mut self) -> Result<StreamFrame, StreamError> {
        loop {
            if let Some(message) = self.next_frame().await?
                && let Some(text) = self.take(message).await?
            {
                return self.decode(&text);
            }
        }
    }

    /// The next frame of any kind; none when it was time to ping.
    async fn next_frame(&mut self) -> Result<Option<Frame>, StreamError> {
        let until = match self.life {
            Life::Heard { ping_at } => ping_at,
            Life::Pinged { dead_at } => dead_at,
        };
        match tokio::time::timeout_at(until, self.socket.next()).await {
            Ok(Some(Ok(frame))) => {
                // Any frame is a sign of life.
                self.life = Life::Heard { ping_at: tokio::time::Instant::now() + self.ping_interval };
                Ok(Some(frame))
            }
            Ok(Some(Err(error))) => Err(StreamError::from_protocol(&error, self.age())),
            Ok(None) => Err(StreamError::Reset { after_login: self.age(), why: "end of stream".to_owned() }),
            Err(_) => match self.life {
                Life::Pinged { .. } => {
                    Err(StreamError::Mute { silent_for: self.ping_interval + self.pong_deadline })
                }
                Life::Heard { .. } => {
                    self.life = Life::Pinged { dead_at: tokio::time::Instant::now() + self.pong_deadline };
                    self.send(Message::Ping(Bytes::new())).await?;
                    Ok(None)
                }
            },
        }
    }

    /// Answers, assembles, refuses; a whole text comes out.
    async fn take(&mut self, frame: Frame) -> Result<Option<Bytes>, StreamError> {
        match frame {
            Frame::Text(text) => Ok(Some(text)),
            Frame::Binary(bytes) => Err(self.refused(&bytes)),
            Frame::Continuation(item) => self.assemble(item),
            Frame::Ping(payload) => {
                self.send(Message::Pong(payload)).await?;
                Ok(None)
            }
            Frame::Pong(_) => Ok(None),
            Frame::Close(reason) => Err(StreamError::Closed {
                after_login: self.age(),
                why: reason.map_or_else(String::new, |reason| {
                    format!("{:?} {}", reason.code, reason.description.unwrap_or_default())
                }),
            }),
        }
    }

    fn assemble(&mut self, item: Item) -> Result<Option<Bytes>, StreamError> {
        let (bytes, is_last) = match item {
            Item::FirstText(bytes) | Item::FirstBinary(bytes) if bytes.len() > self.frame_limit => {
                (bytes, false)
            }
            Item::FirstText(bytes) => {
                self.partial = Some(Partial { is_text: true, bytes: bytes.as_ref().into() });
                return Ok(None);
            }
            Item::FirstBinary(bytes) => {
                self.partial = Some(Partial { is_text: false, bytes: bytes.as_ref().into() });
                return Ok(None);
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        let after_login = self.age();
        let Some(partial) = &mut self.partial else {
            return Err(StreamError::Protocol {
                after_login,
                why: "continuation without a beginning".to_owned(),
            });
        };
        if partial.bytes.len() + bytes.len() > self.frame_limit {
            return Err(StreamError::Protocol { after_login, why: "message over the size limit".to_owned() });
        }
        partial.bytes.extend_from_slice(&bytes);
        if !is_last {
            return Ok(None);
        }
        let is_text = partial.is_text;
        let whole = self.partial.take().map(|partial| partial.bytes.freeze()).unwrap_or_default();
        if is_text { Ok(Some(whole)) } else { Err(self.refused(&whole)) }
    }

    fn decode(&self, text: &Bytes) -> Result<StreamFrame, StreamError> {
        let received = Instant::now();
        let text = std::str::from_utf8(text)
            .map_err(|error| StreamError::Protocol { after_login: self.age(), why: error.to_string() })?;
        if let Some(refusal) = LoginRefusal::from_text(text) {
            return Err(StreamError::Refused { refusal, after_login: self.age() });
        }
        let frame = wire::decode_frame(text);
        let items = frame.items.into_iter().map(|item| item.and_then(|update| parse::order_update(&update)));
        Ok(StreamFrame { received, items: items.collect(), other_types: frame.other_types })
    }

    fn refused(&self, bytes: &[u8]) -> StreamError {
        StreamError::Refused { refusal: LoginRefusal::from_binary(bytes), after_login: self.age() }
    }

    /// Sends within the deadline of a sign of life: a peer that no longer reads fills our buffers.
    async fn send(&mut self, message: Message) -> Result<(), StreamError> {
        let after_login = self.age();
        match tokio::time::timeout(self.pong_deadline, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StreamError::from_protocol(&error, after_login)),
            Err(_) => Err(StreamError::Mute { silent_for: self.pong_deadline }),
        }
    }
}

//! One connection to the order stream, from connect to end, as a stream of events.

use futures_util::stream::{Stream, unfold};
use tandem_dhan::stream::{OrderStream, StreamError, StreamFrame, StreamSettings};
use tandem_dhan::token::TokenSource;
use tandem_domain::ids::DhanClientId;

/// What a connection tells.
#[derive(Debug)]
pub(super) enum SessionEvent {
    /// Connected, and the login is sent; the broker answers a good one with silence.
    LoggedIn,
    /// A frame.
    Frame(StreamFrame),
    /// It is over, or there never was one. Always the last event.
    Ended(StreamError),
}

enum Stage {
    Connect(Box<(StreamSettings, DhanClientId, TokenSource)>),
    Connected(Box<OrderStream>),
    Over,
}

pub(super) fn session(
    settings: StreamSettings,
    account: DhanClientId,
    token: TokenSource,
) -> impl Stream<Item = SessionEvent> {
    unfold(Stage::Connect(Box::new((settings, account, token))), async |stage| match stage {
        Stage::Connect(with) => {
            let (settings, account, token) = *with;
            // The token is read afresh for each connection (P15).
            Some(match OrderStream::connect(&settings, &account, &token).await {
                Ok(stream) => (SessionEvent::LoggedIn, Stage::Connected(Box::new(stream))),
                Err(error) => (SessionEvent::Ended(error), Stage::Over),
            })
        }
        Stage::Connected(mut stream) => Some(match stream.next().await {
            Ok(frame) => (SessionEvent::Frame(frame), Stage::Connected(stream)),
            Err(error) => (SessionEvent::Ended(error), Stage::Over),
        }),
        Stage::Over => None,
    })
}

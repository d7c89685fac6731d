//! Opening the socket and logging in.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix_codec::Framed;
use awc::ws::{Codec, Message};
use awc::{BoxedSocket, Client, Connector};
use futures_util::SinkExt;
use secrecy::{ExposeSecret, SecretString};
use tandem_domain::ids::DhanClientId;

use super::{StreamError, StreamSettings};
use crate::tls;
use crate::token::TokenSource;
use crate::wire::LoginRequest;

pub(super) type Socket = Framed<BoxedSocket, Codec>;

/// A client of its own for the socket: an open socket holds one of its client's permits for as long as it lives.
pub(super) async fn open(
    settings: &StreamSettings,
    account: &DhanClientId,
    token: &TokenSource,
) -> Result<Socket, StreamError> {
    check_url(&settings.url)?;
    let token = token.read_for(account).map_err(|error| StreamError::NoToken { why: error.to_string() })?;
    let client = client(settings)?;
    let request = client.ws(&settings.url).max_frame_size(settings.frame_limit);
    // The deadline stands here because the client's own ends before the upgrade's answer is read.
    let (_, mut socket) = within(settings.connect_timeout, request.connect())
        .await?
        .map_err(|error| StreamError::from_connect(&error))?;
    within(settings.connect_timeout, socket.send(login(account, &token)?))
        .await?
        .map_err(|error| StreamError::Connect { why: format!("send login: {error}") })?;
    Ok(socket)
}

fn client(settings: &StreamSettings) -> Result<Client, StreamError> {
    let tls = tls::client_config(settings.extra_ca_file.as_deref())
        .map_err(|error| StreamError::Connect { why: error.to_string() })?;
    let connector = Connector::new()
        .rustls_0_23(tls)
        .timeout(settings.connect_timeout)
        .handshake_timeout(settings.connect_timeout)
        .local_address(settings.local_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    Ok(Client::builder().connector(connector).disable_redirects().disable_timeout().finish())
}

/// The one place where the token leaves its wrapper for the stream.
fn login(account: &DhanClientId, token: &SecretString) -> Result<Message, StreamError> {
    let request = LoginRequest::for_self(account.as_str(), token.expose_secret());
    let text = serde_json::to_string(&request)
        .map_err(|_| StreamError::Connect { why: "login does not serialise".to_owned() })?;
    Ok(Message::Text(text.into()))
}

/// Checked here because awc panics on an address without a host.
fn check_url(url: &str) -> Result<(), StreamError> {
    let fault = || StreamError::Connect { why: format!("{url:?} is no ws or wss address") };
    let parsed: awc::http::Uri = url.parse().map_err(|_| fault())?;
    let legal = matches!(parsed.scheme_str(), Some("ws" | "wss"))
        && parsed.host().is_some_and(|host| !host.is_empty());
    if legal { Ok(()) } else { Err(fault()) }
}

async fn within<T>(limit: Duration, step: impl Future<Output = T>) -> Result<T, StreamError> {
    tokio::time::timeout(limit, step)
        .await
        .map_err(|_| StreamError::Connect { why: format!("no connection within {limit:?}") })
}

//! One request and its whole answer.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use awc::http::Method;
use awc::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use awc::{Client, ClientRequest, ClientResponse, Connector};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use tandem_domain::ids::DhanClientId;

use super::answer::Answer;
use super::{ClientError, ClientSettings};
use crate::tls;
use crate::token::{TokenError, TokenSource};

const ACCESS_TOKEN: HeaderName = HeaderName::from_static("access-token");
const DHAN_CLIENT_ID: HeaderName = HeaderName::from_static("dhanclientid");
const CLIENT_ID: HeaderName = HeaderName::from_static("client-id");
/// Longer than the pauses between the periodic reads that keep connections warm.
const IDLE_MAX: Duration = Duration::from_mins(5);
/// A connection's whole life.
const LIFETIME_MAX: Duration = Duration::from_hours(1);
/// Connections of one account; the broker takes 10 writes a second.
const CONNECTIONS_MAX: usize = 32;

/// The client, the token, and where to send.
pub(super) struct Transport {
    client: Client,
    base_url: String,
    deadline: Duration,
    body_limit: usize,
    account: DhanClientId,
    source: TokenSource,
    token: RefCell<Token>,
}

/// The token as read, and as a header value that `Debug` does not print.
struct Token {
    secret: SecretString,
    header: HeaderValue,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// Nothing left this machine.
    NotSent(String),
    /// It may have been read at the other end.
    Unknown(String),
}

impl Transport {
    pub(super) fn new(
        settings: &ClientSettings,
        account: &DhanClientId,
        source: TokenSource,
    ) -> Result<Self, ClientError> {
        let base_url = check_base_url(&settings.base_url)?;
        let token = read_token(&source, account)?;
        let client_id = HeaderValue::from_str(account.as_str())
            .map_err(|_| ClientError::Account { account: account.clone() })?;
        let client = client(settings, Some(client_id))?;
        Ok(Self {
            client,
            base_url,
            deadline: settings.request_deadline,
            body_limit: settings.body_limit,
            account: account.clone(),
            source,
            token: RefCell::new(token),
        })
    }

    pub(super) fn reload_token(&self) -> Result<bool, TokenError> {
        let token = read_token(&self.source, &self.account)?;
        let is_new = self.token.borrow().secret.expose_secret() != token.secret.expose_secret();
        *self.token.borrow_mut() = token;
        Ok(is_new)
    }

    /// Sends and reads within the deadline. An answer of any HTTP status is an answer.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, NoAnswer> {
        let exchange = self.exchange(method, path, body);
        match tokio::time::timeout(self.deadline, exchange).await {
            Ok(outcome) => outcome.map_err(|fault| self.without_token(fault)),
            Err(_) => Err(NoAnswer::Unknown(format!("no whole answer within {:?}", self.deadline))),
        }
    }

    /// Asks for a new token (`dhanhq-v2.md` section 1.4 e), which alone wants the account in a header of another name.
    pub(super) async fn renewal(&self) -> Result<Answer, NoAnswer> {
        let account = HeaderValue::from_str(self.account.as_str())
            .map_err(|_| NoAnswer::NotSent("the account id is fit for no header".to_owned()))?;
        let request = self
            .client
            .get(format!("{}/RenewToken", self.base_url))
            .insert_header((ACCESS_TOKEN, self.token.borrow().header.clone()))
            .insert_header((DHAN_CLIENT_ID, account));
        let exchange = finish(request, None, self.body_limit);
        match tokio::time::timeout(self.deadline, exchange).await {
            Ok(outcome) => outcome.map_err(|fault| self.without_token(fault)),
            Err(_) => Err(NoAnswer::Unknown(format!("no whole answer within {:?}", self.deadline))),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Answer, NoAnswer> {
        let request = self
            .client
            .request(method, format!("{}{path}", self.base_url))
            .insert_header((ACCESS_TOKEN, self.token.borrow().header.clone()));
        finish(request, body, self.body_limit).await
    }

    /// No error text may carry the token, whatever a library or a server puts into it.
    pub(super) fn scrub(&self, text: &str) -> String {
        text.replace(self.token.borrow().secret.expose_secret(), "[token]")
    }

    fn without_token(&self, fault: NoAnswer) -> NoAnswer {
        match fault {
            NoAnswer::NotSent(why) => NoAnswer::NotSent(self.scrub(&why)),
            NoAnswer::Unknown(why) => NoAnswer::Unknown(self.scrub(&why)),
        }
    }
}

/// A client without an account: no redirects, for they would carry secrets away, and no timeout but the caller's.
pub(super) fn client(
    settings: &ClientSettings,
    client_id: Option<HeaderValue>,
) -> Result<Client, ClientError> {
    let connector = Connector::new()
        .rustls_0_23(tls::client_config(settings.extra_ca_file.as_deref())?)
        .timeout(settings.connect_timeout)
        .handshake_timeout(settings.connect_timeout)
        .conn_keep_alive(IDLE_MAX)
        .conn_lifetime(LIFETIME_MAX)
        .limit(CONNECTIONS_MAX)
        .local_address(settings.local_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let mut builder = Client::builder()
        .connector(connector)
        .disable_redirects()
        .disable_timeout()
        .add_default_header((header::ACCEPT, HeaderValue::from_static("application/json")));
    if let Some(client_id) = client_id {
        builder = builder.add_default_header((CLIENT_ID, client_id));
    }
    Ok(builder.finish())
}

/// Sends a request and reads its answer to the end.
pub(super) async fn finish(
    request: ClientRequest,
    body: Option<Vec<u8>>,
    body_limit: usize,
) -> Result<Answer, NoAnswer> {
    let sent = match body {
        Some(json) => {
            request
                .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
                .send_body(json)
                .await
        }
        None => request.send().await,
    };
    let mut response = sent.map_err(|error| classify(&error))?;
    let http = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let body = read_body(&mut response, body_limit).await.map_err(NoAnswer::Unknown)?;
    Ok(Answer { http, retry_after, body })
}

fn read_token(source: &TokenSource, account: &DhanClientId) -> Result<Token, TokenError> {
    let secret = source.read_for(account)?;
    let mut header =
        HeaderValue::from_str(secret.expose_secret()).map_err(|_| TokenError::NoToken(source.name()))?;
    header.set_sensitive(true);
    Ok(Token { secret, header })
}

/// Checked here because awc panics on an address without a host.
pub(super) fn check_base_url(url: &str) -> Result<String, ClientError> {
    let fault = |why: &str| ClientError::BaseUrl { url: url.to_owned(), why: why.to_owned() };
    let parsed: awc::http::Uri = url.parse().map_err(|_| fault("no URL"))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err(fault("neither http nor https"));
    }
    if parsed.host().is_none_or(str::is_empty) {
        return Err(fault("no host"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

/// Only what is known to fail before a byte of the request leaves is "not sent"; all else is unknown.
fn classify(error: &SendRequestError) -> NoAnswer {
    let before_sending = match error {
        SendRequestError::Url(_) => true,
        SendRequestError::Connect(connect) => matches!(
            connect,
            ConnectError::Resolver(_)
                | ConnectError::NoRecords
                | ConnectError::Unresolved
                | ConnectError::SslIsNotSupported
                | ConnectError::Timeout
                | ConnectError::Io(_)
        ),
        _ => false,
    };
    if before_sending { NoAnswer::NotSent(error.to_string()) } else { NoAnswer::Unknown(error.to_string()) }
}

async fn read_body<S>(response: &mut ClientResponse<S>, limit: usize) -> Result<Bytes, String>
where
    S: futures_util::Stream<Item = Result<Bytes, awc::error::PayloadError>> + Unpin,
{
    let announced = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let body = response.body().limit(limit).await.map_err(|error| format!("read answer: {error}"))?;
    match announced {
        Some(length) if length != body.len() => {
            Err(format!("answer cut short: {} of {length} bytes", body.len()))
        }
        _ => Ok(body),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

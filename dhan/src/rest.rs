//! The REST client of one account: one warm pool of connections, one token, no retries.
//!
//! What this file knows of awc (each fact has a test in `tests/`): it follows redirects with the token in the headers,
//! so redirects are off; its timeout ends with the headers, so one deadline stands around sending and reading; a short
//! body looks whole, so lengths are compared; `Connect(Disconnected)` may come after the whole request was read, so it
//! means "unknown", never "not sent".

mod answer;
mod error;
mod reads;
mod renewal;
mod requests;
mod transport;
mod writes;

use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tandem_domain::ids::DhanClientId;
use thiserror::Error;

pub use answer::{Answer, Book};
pub use error::{OrderRequestError, ReadError};
pub use renewal::{MintSecrets, RenewalError, mint_token};
pub use writes::{CancelOrder, ChangeOrder, ChangedOrder, NewOrder, PlacedOrder};

use crate::tls::TlsError;
use crate::token::{TokenError, TokenSource};
use transport::Transport;

/// How an account's client connects.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// `https://api.dhan.co/v2`, without a slash at the end.
    pub base_url: String,
    /// The address to leave from; none means any IPv4 address. IPv6 is never used by itself: the broker whitelists one
    /// address, and a process that left over IPv6 was refused (`dhanhq-v2.md` section 1.6).
    pub local_address: Option<IpAddr>,
    /// Resolve and connect, and again for the TLS handshake. Keep it well below the deadline: running out here is
    /// known to have sent nothing.
    pub connect_timeout: Duration,
    /// From the call to the last byte of the answer.
    pub request_deadline: Duration,
    /// The largest answer taken, bytes. A full day's order book passes 2 MiB.
    pub body_limit: usize,
    /// PEM certificates to trust beside the public roots.
    pub extra_ca_file: Option<PathBuf>,
}

impl ClientSettings {
    /// The broker's production values: 500 ms to connect, 5 s for a whole request, answers up to 16 MiB.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            local_address: None,
            connect_timeout: Duration::from_millis(500),
            request_deadline: Duration::from_secs(5),
            body_limit: 16 * 1024 * 1024,
            extra_ca_file: None,
        }
    }
}

/// Why a client cannot be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The address of the broker is no URL with scheme and host.
    #[error("{url:?} is no address of a broker: {why}")]
    BaseUrl {
        /// The text.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The account's id has characters that no header takes.
    #[error("{account} is no account id")]
    Account {
        /// The id.
        account: DhanClientId,
    },
    /// The TLS configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// One account's calls. Cheap to clone; clones share the pool of connections and the token.
///
/// Not `Send`: it lives on the thread of one arbiter.
#[derive(Clone)]
pub struct AccountClient {
    account: DhanClientId,
    transport: Rc<Transport>,
}

impl std::fmt::Debug for AccountClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountClient").field("account", &self.account).finish_non_exhaustive()
    }
}

impl AccountClient {
    /// A client of `account`, its token read once now.
    pub fn new(
        settings: &ClientSettings,
        account: DhanClientId,
        token: TokenSource,
    ) -> Result<Self, ClientError> {
        let transport = Transport::new(settings, &account, token)?;
        Ok(Self { account, transport: Rc::new(transport) })
    }

    /// Reads the token afresh; later calls, of all clones, carry it. Says whether it is another one than before.
    pub fn reload_token(&self) -> Result<bool, TokenError> {
        self.transport.reload_token()
    }

    /// The account.
    pub fn account(&self) -> &DhanClientId {
        &self.account
    }
}

//! Fetching a large public file, such as the instrument file, to disk.
//!
//! The only client that follows redirects (`GET /v2/instrument/{segment}` answers with one), and it holds no token:
//! a redirect would carry it away. A short body looks like success, so a length, where announced, is compared here,
//! and the file's own end is checked by its loader.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use awc::http::header;
use awc::{Client, Connector};
use futures_util::StreamExt;
use thiserror::Error;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::tls::{self, TlsError};

/// Redirects followed.
const REDIRECTS_MAX: u8 = 5;

/// How a file is fetched.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// The address to leave from; none means any IPv4 address.
    pub local_address: Option<IpAddr>,
    /// Resolve and connect, and again for the TLS handshake.
    pub connect_timeout: Duration,
    /// From the call to the last byte on disk.
    pub deadline: Duration,
    /// The largest file taken.
    pub bytes_max: u64,
    /// PEM certificates to trust beside the public roots.
    pub extra_ca_file: Option<PathBuf>,
}

impl Default for FetchSettings {
    /// Five minutes and 256 MiB: real files have tens of MB.
    fn default() -> Self {
        Self {
            local_address: None,
            connect_timeout: Duration::from_secs(5),
            deadline: Duration::from_mins(5),
            bytes_max: 256 * 1024 * 1024,
            extra_ca_file: None,
        }
    }
}

/// Why there is no file. All of them may be tried again.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The address is none.
    #[error("{0:?} is no http or https address")]
    Url(String),
    /// The TLS configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The exchange failed.
    #[error("fetch {url}: {why}")]
    Exchange {
        /// From where.
        url: String,
        /// What happened.
        why: String,
    },
    /// The server answered with another status than 200.
    #[error("fetch {url}: HTTP {http}")]
    Status {
        /// From where.
        url: String,
        /// The status.
        http: u16,
    },
    /// It is larger than allowed.
    #[error("fetch {url}: larger than {bytes_max} bytes")]
    TooLarge {
        /// From where.
        url: String,
        /// The limit.
        bytes_max: u64,
    },
    /// It ended before its announced length.
    #[error("fetch {url}: cut short at {received} of {announced} bytes")]
    Cut {
        /// From where.
        url: String,
        /// Bytes received.
        received: u64,
        /// Bytes announced.
        announced: u64,
    },
    /// It did not end in time.
    #[error("fetch {url}: not done within {deadline:?}")]
    Deadline {
        /// From where.
        url: String,
        /// The limit.
        deadline: Duration,
    },
    /// The disk.
    #[error("write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Fetches `url` into the file `to`, which appears (replacing an older one) only when it is whole as far as the
/// transport can tell. Gives its size in bytes.
pub async fn fetch_file(url: &str, settings: &FetchSettings, to: &Path) -> Result<u64, FetchError> {
    check_url(url)?;
    let partial = partial_path(to);
    let outcome = match tokio::time::timeout(settings.deadline, fetch_into(url, settings, &partial)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(FetchError::Deadline { url: url.to_owned(), deadline: settings.deadline }),
    };
    match outcome {
        Ok(bytes) => match tokio::fs::rename(&partial, to).await {
            Ok(()) => Ok(bytes),
            Err(source) => Err(FetchError::Write { path: to.to_owned(), source }),
        },
        Err(error) => {
            // Best effort: the next fetch overwrites it anyway.
            let _ = tokio::fs::remove_file(&partial).await;
            Err(error)
        }
    }
}

async fn fetch_into(url: &str, settings: &FetchSettings, to: &Path) -> Result<u64, FetchError> {
    let exchange = |why: String| FetchError::Exchange { url: url.to_owned(), why };
    let mut response =
        client(settings)?.get(url).send().await.map_err(|error| exchange(error.to_string()))?;
    if response.status() != awc::http::StatusCode::OK {
        return Err(FetchError::Status { url: url.to_owned(), http: response.status().as_u16() });
    }
    let announced = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());

    let write_error = |source| FetchError::Write { path: to.to_owned(), source };
    let mut file = File::create(to).await.map_err(write_error)?;
    let mut received: u64 = 0;
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|error| exchange(error.to_string()))?;
        received += chunk.len() as u64;
        if received > settings.bytes_max {
            return Err(FetchError::TooLarge { url: url.to_owned(), bytes_max: settings.bytes_max });
        }
        file.write_all(&chunk).await.map_err(write_error)?;
    }
    file.sync_all().await.map_err(write_error)?;
    match announced {
        Some(announced) if announced != received => {
            Err(FetchError::Cut { url: url.to_owned(), received, announced })
        }
        _ => Ok(received),
    }
}

fn client(settings: &FetchSettings) -> Result<Client, FetchError> {
    let connector = Connector::new()
        .rustls_0_23(tls::client_config(settings.extra_ca_file.as_deref())?)
        .timeout(settings.connect_timeout)
        .handshake_timeout(settings.connect_timeout)
        .local_address(settings.local_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    Ok(Client::builder().connector(connector).max_redirects(REDIRECTS_MAX).disable_timeout().finish())
}

/// Checked here because awc panics on an address without a host.
fn check_url(url: &str) -> Result<(), FetchError> {
    let legal = url.parse::<awc::http::Uri>().is_ok_and(|parsed| {
        matches!(parsed.scheme_str(), Some("http" | "https"))
            && parsed.host().is_some_and(|host| !host.is_empty())
    });
    if legal { Ok(()) } else { Err(FetchError::Url(url.to_owned())) }
}

fn partial_path(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

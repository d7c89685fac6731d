//! The settings as the broker's clients and the store want them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use tandem_actors::store;
use tandem_dhan::fetch::FetchSettings;
use tandem_dhan::instruments::PLAUSIBLE_ROWS_MIN;
use tandem_dhan::rest::ClientSettings;
use tandem_dhan::stream::StreamSettings;
use tandem_dhan::token::TokenSource;

use super::{BrokerSettings, FollowerSettings, LeaderSettings, Settings, StoreSettings};

/// Where the instrument master is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstrumentSource {
    /// Over HTTP, without a token.
    Url(String),
    /// From disk.
    File(PathBuf),
}

impl BrokerSettings {
    /// Where the instrument master is read from: the file if there is one, else the URL.
    pub fn instruments(&self) -> InstrumentSource {
        match &self.instruments_file {
            Some(path) => InstrumentSource::File(path.clone()),
            None => InstrumentSource::Url(self.instruments_url.clone()),
        }
    }

    /// How an account that leaves from this address reaches the REST API.
    pub fn client(&self, local_address: Option<Ipv4Addr>) -> ClientSettings {
        ClientSettings {
            local_address: local_address.map(IpAddr::V4),
            connect_timeout: self.connect_timeout,
            request_deadline: self.request_deadline,
            extra_ca_file: self.extra_ca_file.clone(),
            ..ClientSettings::new(&self.base_url)
        }
    }

    /// How an account that leaves from this address hears of its orders; none where the broker has no stream.
    pub fn stream(&self, local_address: Option<Ipv4Addr>) -> Option<StreamSettings> {
        Some(StreamSettings {
            local_address: local_address.map(IpAddr::V4),
            ping_interval: self.stream_ping,
            pong_deadline: self.stream_pong_deadline,
            extra_ca_file: self.extra_ca_file.clone(),
            ..StreamSettings::new(self.stream_url.as_ref()?)
        })
    }

    /// How the instrument master is fetched.
    pub fn fetch(&self) -> FetchSettings {
        FetchSettings {
            local_address: self.local_address.map(IpAddr::V4),
            extra_ca_file: self.extra_ca_file.clone(),
            ..FetchSettings::default()
        }
    }
}

impl StoreSettings {
    /// How the database is opened.
    pub fn open_settings(&self) -> store::StoreSettings {
        store::StoreSettings {
            readers: self.readers,
            queue_capacity: self.queue_jobs_max,
            ..store::StoreSettings::at(&self.path)
        }
    }
}

impl LeaderSettings {
    /// Where the leader's token comes from.
    pub fn token(&self) -> TokenSource {
        token(&self.access_token_env, self.access_token_file.as_ref())
    }
}

impl FollowerSettings {
    /// Where the follower's token comes from.
    pub fn token(&self) -> TokenSource {
        token(&self.access_token_env, self.access_token_file.as_ref())
    }
}

fn token(variable: &str, file: Option<&PathBuf>) -> TokenSource {
    match file {
        Some(path) => TokenSource::File(path.clone()),
        None => TokenSource::Env(variable.to_owned()),
    }
}

impl Settings {
    /// Fewest rows a whole instrument file has: a simulator's is small, the broker's never is.
    pub fn instrument_rows_min(&self) -> usize {
        if self.is_loopback() { 1 } else { PLAUSIBLE_ROWS_MIN }
    }
}

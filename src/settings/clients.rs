//! The settings as the broker's clients and the store want them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use tandem_actors::account::ReconnectDelays;
use tandem_actors::store;
use tandem_actors::token_keeper::Renewal;
use tandem_dhan::fetch::FetchSettings;
use tandem_dhan::instruments::PLAUSIBLE_ROWS_MIN;
use tandem_dhan::rest::ClientSettings;
use tandem_dhan::stream::StreamSettings;
use tandem_dhan::token::{SecretSource, TokenSource};
use tandem_domain::token_life::TokenLimits;

use super::{
    BrokerSettings, FollowerSettings, LeaderSettings, Settings, StoreSettings, TokenRenewal, TokenSettings,
};

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

    /// How soon a stream is tried again.
    pub const fn reconnect(&self) -> ReconnectDelays {
        ReconnectDelays { first: self.reconnect_first, max: self.reconnect_max }
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
            pages_max: self.size_mb_max.map(|size| size.saturating_mul(store::PAGES_PER_MB)),
            ..store::StoreSettings::at(&self.path)
        }
    }
}

/// Where one of the two things is that prove an account's owner to the broker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a> {
    /// How its keys begin.
    pub(super) name: &'static str,
    pub(super) variable: Option<&'a String>,
    pub(super) file: Option<&'a PathBuf>,
}

impl Proof<'_> {
    /// The source; validation has seen to it that there is one where it is used.
    fn source(self) -> Option<SecretSource> {
        let variable = || Some(SecretSource::Env(self.variable?.clone()));
        self.file.cloned().map(SecretSource::File).or_else(variable)
    }
}

macro_rules! account_tokens {
    ($settings:ident) => {
        impl $settings {
            /// Where the account's token comes from.
            pub fn token(&self) -> TokenSource {
                match &self.access_token_file {
                    Some(path) => TokenSource::file(path),
                    None => TokenSource::env(&self.access_token_env),
                }
            }

            /// How its token is renewed.
            pub fn renewal(&self, broker: &BrokerSettings) -> Renewal {
                match (self.token_renewal, self.proofs().map(Proof::source)) {
                    (TokenRenewal::Totp, [Some(pin), Some(totp)]) => {
                        let auth = ClientSettings {
                            base_url: broker.auth_url.clone(),
                            ..broker.client(self.local_address)
                        };
                        Renewal::Totp { auth, pin, totp }
                    }
                    (TokenRenewal::Broker, _) => Renewal::Broker,
                    (TokenRenewal::Off | TokenRenewal::Totp, _) => Renewal::Off,
                }
            }

            /// Where its PIN and its TOTP secret are.
            pub(super) fn proofs(&self) -> [Proof<'_>; 2] {
                [
                    Proof { name: "pin", variable: self.pin_env.as_ref(), file: self.pin_file.as_ref() },
                    Proof {
                        name: "totp_secret",
                        variable: self.totp_secret_env.as_ref(),
                        file: self.totp_secret_file.as_ref(),
                    },
                ]
            }
        }
    };
}

account_tokens!(LeaderSettings);
account_tokens!(FollowerSettings);

impl TokenSettings {
    /// The limits of one account's token.
    pub const fn limits(&self) -> TokenLimits {
        TokenLimits { warn_before: self.warn_before, renew_before: self.renew_before }
    }
}

impl Settings {
    /// Fewest rows a whole instrument file has: a simulator's is small, the broker's never is.
    pub fn instrument_rows_min(&self) -> usize {
        if self.is_loopback() { 1 } else { PLAUSIBLE_ROWS_MIN }
    }
}

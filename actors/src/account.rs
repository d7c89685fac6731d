//! What the leader's and the followers' actors need of an account alike: its client, its token, its funds on record.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tandem_dhan::refusal::RefusalClass;
use tandem_dhan::rest::{AccountClient, ClientError, ClientSettings, ReadError};
use tandem_dhan::token::TokenSource;
use tandem_domain::account::Funds;
use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;

use crate::store::{FundsMark, FundsSnapshot, Write};

/// How often funds are read while nothing asks for them.
pub const FUNDS_INTERVAL: Duration = Duration::from_secs(30);

/// How to reach an account.
#[derive(Debug, Clone)]
pub struct AccountParams {
    /// Which.
    pub account: DhanClientId,
    /// Its REST API.
    pub client: ClientSettings,
    /// Where its token is read.
    pub token: TokenSource,
}

impl AccountParams {
    /// A client of the account, its token read now.
    pub fn connect(&self) -> Result<AccountClient, ClientError> {
        AccountClient::new(&self.client, self.account.clone(), self.token.clone())
    }
}

/// Remembers a token that the broker refused, so that it is not tried again and again (P15).
#[derive(Debug, Default)]
pub struct RefusedToken {
    refused: Option<SecretString>,
}

impl RefusedToken {
    /// The token in force was refused.
    pub fn remember(&mut self, source: &TokenSource) {
        self.refused = source.read().ok();
    }

    /// Whether the source holds another one by now.
    pub fn is_replaced(&self, source: &TokenSource) -> bool {
        match (&self.refused, source.read()) {
            (Some(refused), Ok(now)) => refused.expose_secret() != now.expose_secret(),
            (None, Ok(_)) => true,
            (_, Err(_)) => false,
        }
    }
}

/// Whether a read failed because the broker refuses the account's credentials.
pub fn is_credentials_refusal(error: &ReadError) -> bool {
    matches!(error, ReadError::Refused(refusal) if refusal.class == RefusalClass::Credentials)
}

/// Funds as a row.
pub fn funds_row(account: &DhanClientId, funds: Funds, first: bool, now: Timestamp) -> Write {
    Write::Funds(FundsSnapshot {
        account: account.clone(),
        trading_day: now.trading_day(),
        taken_at: now,
        mark: if first { FundsMark::StartOfDay } else { FundsMark::Refresh },
        funds,
    })
}

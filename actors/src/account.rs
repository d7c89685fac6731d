//! What the leader's and the followers' actors need of an account alike: its client, its token, its funds on record.

use std::time::Duration;

use tandem_dhan::refusal::RefusalClass;
use tandem_dhan::rest::{AccountClient, Book, ClientError, ClientSettings, ReadError};
use tandem_dhan::token::TokenSource;
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::ids::DhanClientId;
use tandem_domain::pacing::{Pacer, PacingLimits, Purpose, Window};
use tandem_domain::time::Timestamp;

use crate::clock::Clock;
use crate::store::{FundsMark, FundsSnapshot, PositionsSnapshot, Write};

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
    /// Reads in any second.
    pub reads_per_second: u32,
}

impl AccountParams {
    /// A client of the account, its token read now.
    pub fn connect(&self) -> Result<AccountClient, ClientError> {
        AccountClient::new(&self.client, self.account.clone(), self.token.clone())
    }
}

/// Keeps an account's reads within the broker's limit (`dhanhq-v2.md` section 9.1): whether order-book reads count there
/// is not documented, so they are counted here.
#[derive(Debug)]
pub struct ReadPacer {
    pacer: Pacer,
    clock: Clock,
}

impl ReadPacer {
    /// A pacer that lets `per_second` reads through in any second.
    pub fn new(per_second: u32, clock: Clock) -> Self {
        let windows = vec![Window { limit: per_second, span: Duration::from_secs(1) }];
        let limits = PacingLimits { windows, exit_reserve_pct: 0, guard: Duration::from_millis(20) };
        Self { pacer: Pacer::new(limits), clock }
    }

    /// Takes a read out of the budget; or says how long to wait before asking again.
    pub fn take(&mut self) -> Result<(), Duration> {
        let now = self.clock.now();
        match self.pacer.permit(Purpose::Exit, now) {
            Ok(()) => {
                self.pacer.record(now);
                Ok(())
            }
            Err(at) => Err(self.clock.real_time_until(at).max(Duration::from_millis(1))),
        }
    }
}

/// Whether a read failed because the broker refuses the account's credentials.
pub fn is_credentials_refusal(error: &ReadError) -> bool {
    matches!(error, ReadError::Refused(refusal) if refusal.class == RefusalClass::Credentials)
}

/// A read of all positions as a row; none when a row of it could not be read, for then it does not tell all.
pub fn positions_row(account: &DhanClientId, book: Book<PositionReport>, now: Timestamp) -> Option<Write> {
    book.is_complete().then(|| {
        Write::Positions(PositionsSnapshot {
            account: account.clone(),
            trading_day: now.trading_day(),
            taken_at: now,
            positions: book.rows,
        })
    })
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

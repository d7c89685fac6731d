//! The access token of one account, kept good inside the actor that uses it.
//!
//! Takes the account's token source and how it is cared for; gives a new token to the account's client and tells its actor
//! through [`KeepsToken`]. It looks at a token's file every two seconds and takes what is new there, without a restart; it
//! knows when the token ends and tells a person ahead of it; where the owner wishes it asks the broker for another in time
//! ([`renewing`]). A refused token halts its account alone (P15, P19): nothing is sent with it again, and the account goes
//! on when there is another, or when its file was written again. What must outlive its actor (a token that is nowhere but
//! in memory, how often another was asked for in vain) is in the [`TokenCare`] and [`TokenSource`], which all lives share.
//!
//! [`TokenSource`]: tandem_dhan::token::TokenSource

mod renewing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use serde_json::{Value, json};
use tandem_dhan::rest::ClientSettings;
use tandem_dhan::token::{FileStamp, SecretSource, claims};
use tandem_domain::calendar::Calendar;
use tandem_domain::instrument::ExchangeSegment;
use tandem_domain::time::Timestamp;
use tandem_domain::token_life::{Outlook, RenewalLog, TokenLimits};
use tracing::info;

use crate::account::AccountParams;
use crate::alerts::{AlertText, Voice, close, raise};
use crate::clock::Clock;
use crate::in_flight::InFlight;
use crate::order_stream::Listens;

/// How often the file is looked at. A look costs one system call; what watches files by itself loses those that are
/// replaced whole, as editors and this program do, and sees nothing on some mounts.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

const UNREADABLE: &str = "token_unreadable";
const ENDING: &str = "token_ending";
const NOT_RENEWED: &str = "token_not_renewed";
const NOT_WRITTEN: &str = "token_not_written";

/// How an account comes to another token.
#[derive(Debug, Clone)]
pub enum Renewal {
    /// Its owner sees to it.
    Off,
    /// By the broker's renewal call, while the present one lives.
    Broker,
    /// By PIN and TOTP, at any time.
    Totp {
        /// The login host, `https://auth.dhan.co`.
        auth: ClientSettings,
        /// Where the PIN is.
        pin: SecretSource,
        /// Where the TOTP secret is.
        totp: SecretSource,
    },
}

impl Renewal {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Broker => "broker",
            Self::Totp { .. } => "totp",
        }
    }
}

/// How an account's token is cared for. Clones share the log of renewals, so that no new life of an actor asks sooner.
#[derive(Debug, Clone)]
pub struct TokenCare {
    limits: TokenLimits,
    renewal: Renewal,
    /// Whose hours tell when the day's trading ends.
    calendar: Arc<Calendar>,
    log: Arc<Mutex<RenewalLog>>,
    /// Held while another token is asked for.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl TokenCare {
    /// Care without a history.
    pub fn new(limits: TokenLimits, renewal: Renewal, calendar: Arc<Calendar>) -> Self {
        Self { limits, renewal, calendar, log: Arc::default(), asking: Arc::default() }
    }

    fn log(&self) -> MutexGuard<'_, RenewalLog> {
        // A panic under the lock leaves a count that is one off.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_asking(&self) -> bool {
        self.asking.try_lock().is_err()
    }

    /// Whether another token is expected without a person.
    fn will_renew(&self) -> bool {
        !matches!(self.renewal, Renewal::Off) && !self.log().has_failed()
    }
}

/// An actor with an account whose token is kept.
pub trait KeepsToken: Listens {
    /// Its keeper.
    fn keeper(&mut self) -> &mut TokenKeeper;
    /// Whether the account is halted because its token is refused, or cannot be read.
    fn is_halted_by_token(&self) -> bool;
    /// Another token is there: the client has it if there is a client. The account goes on, and its stream logs in anew.
    fn on_token_taken(&mut self, ctx: &mut Self::Context);
}

/// One account's token.
#[derive(Debug)]
pub struct TokenKeeper {
    account: AccountParams,
    clock: Clock,
    in_flight: InFlight,
    /// The source as it was when the token was read last.
    stamp: FileStamp,
    /// The files of PIN and TOTP secret, as they were looked at last.
    secrets: [FileStamp; 2],
    ends: Option<Timestamp>,
    renew_at: Option<Timestamp>,
    /// When another token took the place of the one before.
    taken: Option<Instant>,
    /// What was told of the present token.
    told: Option<Outlook>,
    /// Kinds of alerts that stand, as far as this life knows.
    said: BTreeSet<&'static str>,
}

/// What the files looked like.
struct Look {
    stamp: FileStamp,
    secrets: [FileStamp; 2],
}

impl TokenKeeper {
    /// A keeper that has looked at nothing.
    pub fn new(account: AccountParams, clock: Clock, in_flight: InFlight) -> Self {
        Self {
            account,
            clock,
            in_flight,
            stamp: FileStamp::default(),
            secrets: [FileStamp::default(); 2],
            ends: None,
            renew_at: None,
            taken: None,
            told: None,
            // A life before may have said any of them.
            said: BTreeSet::from([UNREADABLE, ENDING, NOT_RENEWED, NOT_WRITTEN]),
        }
    }

    /// For health lines and `tandem status`: when the token ends and who renews it, never the token.
    pub fn health(&self) -> (String, Value) {
        let ends = self.ends.map(|at| at.ist().format("%Y-%m-%d %H:%M").to_string());
        let value = json!({
            "ends_us": self.ends.map(Timestamp::micros),
            "ends_ist": ends,
            "renewal": self.account.care.renewal.as_str(),
        });
        ("token".to_owned(), value)
    }

    /// Reads from the token itself when it ends.
    fn note_token(&mut self) {
        let token = self.account.token.read_for(&self.account.account).ok();
        self.ends = token.and_then(|token| claims(&token)?.expires);
        let care = &self.account.care;
        self.renew_at = self.ends.map(|ends| care.limits.renew_at(ends, fastrand::u32(0..=100)));
        self.told = None;
    }

    fn look(&self) -> impl FnOnce() -> Look + Send + use<> {
        let token = self.account.token.clone();
        let secrets = match &self.account.care.renewal {
            Renewal::Totp { pin, totp, .. } => Some([pin.clone(), totp.clone()]),
            Renewal::Off | Renewal::Broker => None,
        };
        move || Look {
            stamp: token.stamp(),
            secrets: secrets.map(|sources| sources.map(|source| source.stamp())).unwrap_or_default(),
        }
    }

    fn subject(&self) -> String {
        self.account.account.masked()
    }

    fn was_just_taken(&self) -> bool {
        // Requests that left with the old token may still be refused while the new one is good.
        let deadline = self.account.client.request_deadline;
        self.taken.is_some_and(|at| at.elapsed() < deadline)
    }
}

/// Begins to keep the token, when the actor starts: before its client is made, so that no change falls in between.
pub fn begin<A: KeepsToken>(actor: &mut A, ctx: &mut Context<A>) {
    let keeper = actor.keeper();
    let Look { stamp, secrets } = keeper.look()();
    (keeper.stamp, keeper.secrets) = (stamp, secrets);
    keeper.note_token();
    watch(actor, ctx);
}

/// The broker refused the token. Says whether the account is to be halted: not while the refusal may have been of a token
/// that was replaced meanwhile, or is being replaced.
pub fn refused<A: KeepsToken>(actor: &mut A, ctx: &mut Context<A>) -> bool {
    let keeper = actor.keeper();
    if keeper.was_just_taken() || keeper.account.care.is_asking() {
        return false;
    }
    // The owner may have replaced the token before the old one died: then there is nothing to halt for.
    let replaced = actor.client().is_some_and(|client| client.reload_token().is_ok_and(|is_new| is_new));
    if replaced {
        take(actor, ctx);
    }
    !replaced
}

/// The token cannot be read, so there is no client.
pub fn unreadable<A: KeepsToken>(actor: &mut A, error: &tandem_dhan::token::TokenError) {
    let text = format!("the access token cannot be read, so nothing is sent with it: {error}");
    say(actor, UNREADABLE, text);
}

fn watch<A: KeepsToken>(actor: &mut A, ctx: &mut Context<A>) {
    let look = actor.keeper().look();
    // On a thread that may wait for a disk.
    let looked = actix_rt::task::spawn_blocking(look);
    ctx.spawn(looked.into_actor(actor).map(|look, actor, ctx| {
        if let Ok(look) = look {
            on_look(actor, &look, ctx);
        }
        ctx.run_later(LOOK_INTERVAL, watch);
    }));
}

fn on_look<A: KeepsToken>(actor: &mut A, look: &Look, ctx: &mut Context<A>) {
    let keeper = actor.keeper();
    if keeper.secrets != look.secrets {
        keeper.secrets = look.secrets;
        keeper.account.care.log().begin_anew();
    }
    if keeper.stamp != look.stamp {
        keeper.stamp = look.stamp;
        on_file_changed(actor, ctx);
    }
    tell_ahead(actor);
    renewing::renew_when_due(actor, ctx);
}

/// The file is another one, or was written again. Whoever writes the same token again wishes that it be tried again.
fn on_file_changed<A: KeepsToken>(actor: &mut A, ctx: &mut Context<A>) {
    let Some(client) = actor.client() else {
        if actor.keeper().account.token.read().is_ok() {
            take(actor, ctx);
        }
        return;
    };
    match client.reload_token() {
        Ok(true) => take(actor, ctx),
        Ok(false) if actor.is_halted_by_token() => take(actor, ctx),
        Ok(false) => {}
        Err(error) => {
            let text = format!("the access token's file changed, and what is there cannot be taken: {error}");
            say(actor, UNREADABLE, text);
        }
    }
}

/// Another token is in force from now on.
fn take<A: KeepsToken>(actor: &mut A, ctx: &mut Context<A>) {
    let keeper = actor.keeper();
    keeper.note_token();
    keeper.taken = Some(Instant::now());
    keeper.account.care.log().begin_anew();
    let (account, ends) = (keeper.subject(), keeper.ends);
    let ends = ends.map(|at| at.ist().to_string());
    info!(account, ends, "another access token is in force");
    for kind in [UNREADABLE, ENDING, NOT_RENEWED] {
        unsay(actor, kind);
    }
    actor.on_token_taken(ctx);
}

/// A person is told while there is time: once that the token ends before the day's trading does, once that it ends soon.
fn tell_ahead<A: KeepsToken>(actor: &mut A) {
    let keeper = actor.keeper();
    let (care, now) = (&keeper.account.care, keeper.clock.now());
    let close = care.calendar.close_of_day(ExchangeSegment::NseFno, now);
    let outlook = care.limits.outlook(keeper.ends, close, now);
    if care.will_renew() || keeper.told == Some(outlook) {
        return;
    }
    let time = |at: Timestamp| at.ist().format("%Y-%m-%d %H:%M IST").to_string();
    let text = match outlook {
        Outlook::EndsBeforeClose(at) => format!("ends at {}, before the close of trading", time(at)),
        Outlook::EndsSoon(at) => format!("ends at {}", time(at)),
        // Once it has ended the broker says so.
        Outlook::Unknown | Outlook::Good | Outlook::Ended(_) => return,
    };
    keeper.told = Some(outlook);
    say(actor, ENDING, format!("the access token {text}: replace it before that"));
}

fn say<A: KeepsToken>(actor: &mut A, kind: &'static str, text: String) {
    let keeper = actor.keeper();
    keeper.said.insert(kind);
    let (subject, now) = (keeper.subject(), keeper.clock.now());
    let Voice { store, vitals, follower } = actor.voice();
    raise(store, vitals, follower, AlertText { kind, subject, text }, now);
}

fn unsay<A: KeepsToken>(actor: &mut A, kind: &'static str) {
    let keeper = actor.keeper();
    if !keeper.said.remove(kind) {
        return;
    }
    let (subject, now) = (keeper.subject(), keeper.clock.now());
    let Voice { store, vitals, follower } = actor.voice();
    close(store, vitals, follower, kind, &subject, now);
}

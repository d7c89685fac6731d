//! Asking the broker for another token: when it is due, one at a time, and what becomes of the answer.
//!
//! Who asks goes on if his actor dies: the token before is dead once the broker has answered, so the answer must reach the
//! file. The next life finds it there.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use secrecy::SecretString;
use tandem_dhan::rest::{AccountClient, MintSecrets, RenewalError, mint_token};
use tandem_dhan::token::{Kept, TokenError};
use tandem_domain::token_life::RenewalFailure;
use tracing::{info, warn};

use super::{KeepsToken, NOT_RENEWED, NOT_WRITTEN, Renewal, TokenKeeper, say, take, unsay};

/// What came of asking.
enum Outcome {
    Renewed(Kept),
    /// There is another token, but a later start will not find it.
    NotWritten(TokenError),
    Failed(RenewalError),
}

pub(super) fn renew_when_due<A: KeepsToken>(actor: &mut A, ctx: &mut Context<A>) {
    let is_halted = actor.is_halted_by_token();
    let client = actor.client();
    let keeper = actor.keeper();
    let (care, now) = (&keeper.account.care, keeper.clock.now());
    let is_near_its_end = keeper.renew_at.is_some_and(|at| at <= now);
    let is_due = match care.renewal {
        Renewal::Off => false,
        // A dead token is not renewed, and there is nothing to renew without a client.
        Renewal::Broker => is_near_its_end && !is_halted && keeper.ends.is_some_and(|ends| now < ends),
        Renewal::Totp { .. } => is_near_its_end || is_halted,
    };
    if !is_due || !care.log().may_ask(now) {
        return;
    }
    let Ok(asking) = care.asking.clone().try_lock_owned() else { return };
    let held = match keeper.account.token.hold() {
        Ok(held) => held,
        Err(error) => return on_failed(actor, RenewalError::NoSecret(error)),
    };
    let underway = keeper.in_flight.begin();
    let (source, ask) = (keeper.account.token.clone(), ask(keeper, client));
    let asked = actix_rt::spawn(async move {
        let outcome = match ask.await {
            Ok(token) => actix_rt::task::spawn_blocking(move || source.keep(held, token)).await,
            Err(error) => return Outcome::Failed(error),
        };
        drop((asking, underway));
        match outcome {
            Ok(Ok(kept)) => Outcome::Renewed(kept),
            Ok(Err(error)) => Outcome::NotWritten(error),
            Err(_) => {
                Outcome::Failed(RenewalError::NoAnswer("the token was lost on its way to its file".into()))
            }
        }
    });
    ctx.spawn(asked.into_actor(actor).map(|outcome, actor, ctx| {
        if let Ok(outcome) = outcome {
            on_outcome(actor, outcome, ctx);
        }
    }));
}

fn ask(
    keeper: &TokenKeeper,
    client: Option<AccountClient>,
) -> impl Future<Output = Result<SecretString, RenewalError>> + use<> {
    let (renewal, account) = (keeper.account.care.renewal.clone(), keeper.account.account.clone());
    let clock = keeper.clock.clone();
    async move {
        match (renewal, client) {
            (Renewal::Broker, Some(client)) => client.renew_token().await,
            (Renewal::Totp { auth, pin, totp }, _) => {
                // Read for this one request, and wiped after it.
                let secrets = MintSecrets::read(&pin, &totp).map_err(RenewalError::NoSecret)?;
                mint_token(&auth, &account, &secrets, clock.now()).await
            }
            (Renewal::Broker, None) | (Renewal::Off, _) => {
                Err(RenewalError::NoAnswer("there is no connection to the account".to_owned()))
            }
        }
    }
}

fn on_outcome<A: KeepsToken>(actor: &mut A, outcome: Outcome, ctx: &mut Context<A>) {
    match outcome {
        Outcome::Renewed(kept) => {
            let account = actor.keeper().subject();
            match kept {
                Kept::Written => info!(account, "access token renewed, and written to its file"),
                Kept::InMemory => {
                    info!(account, "access token renewed, in memory: a later start finds the old one");
                }
                Kept::OwnersStands => {
                    warn!(
                        account,
                        "access token renewed, but its owner wrote another one meanwhile: that one counts"
                    );
                }
            }
            unsay(actor, NOT_WRITTEN);
            go_on(actor, ctx);
        }
        Outcome::NotWritten(error) => {
            let text = format!(
                "the access token was renewed, and its file cannot be written: {error}; a restart would find a dead token, \
                 so mend the file's folder or put a token of your own there"
            );
            say(actor, NOT_WRITTEN, text);
            go_on(actor, ctx);
        }
        Outcome::Failed(error) => on_failed(actor, error),
    }
}

fn go_on<A: KeepsToken>(actor: &mut A, ctx: &mut Context<A>) {
    let keeper = actor.keeper();
    keeper.stamp = keeper.account.token.stamp();
    // Who has no client makes one, with the token that is there now.
    let is_taken = actor.client().is_none_or(|client| client.reload_token().is_ok());
    if is_taken {
        take(actor, ctx);
    }
    let keeper = actor.keeper();
    keeper.account.care.log().renewed(keeper.clock.now());
}

fn on_failed<A: KeepsToken>(actor: &mut A, error: RenewalError) {
    let failure = match error {
        RenewalError::Refused(_) | RenewalError::NoSecret(_) => RenewalFailure::Refused,
        RenewalError::NoAnswer(_) => RenewalFailure::NoAnswer,
    };
    let keeper = actor.keeper();
    let care = &keeper.account.care;
    let is_given_up = {
        let mut log = care.log();
        log.failed(failure, keeper.clock.now(), fastrand::u32(0..=100));
        log.is_given_up()
    };
    let then = match (is_given_up, &care.renewal) {
        (false, _) => "it is asked for again",
        (true, Renewal::Totp { .. }) => {
            "it is asked for no more until the token, the PIN or the TOTP secret is replaced"
        }
        (true, _) => "it is asked for no more until the token is replaced",
    };
    let text =
        crate::store::redact::plain_text(&format!("another access token could not be had: {error}; {then}"));
    say(actor, NOT_RENEWED, text);
}

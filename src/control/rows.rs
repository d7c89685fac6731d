//! The trading states on record, read and written past the followers' actors: when one does not answer, and at the start.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use tandem_actors::store::{Job, Reader, ReaderError, StoreHandle, TradingRow, Write, WriterId};
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::Trading;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a row may take. Reads and commits take milliseconds; a disk that does not answer must not keep an operator
/// from being told so.
const ROW_DEADLINE: Duration = Duration::from_secs(2);

/// Every follower whom the settings last named, or who was ever stopped, with his trading state. Blocks: not for an
/// arbiter.
pub fn followers(reader: &Reader) -> Result<BTreeMap<FollowerId, Trading>, ReaderError> {
    let mut states: BTreeMap<FollowerId, Trading> =
        reader.configured_followers()?.into_iter().map(|follower| (follower, Trading::ACTIVE)).collect();
    states.extend(reader.trading_states()?);
    Ok(states)
}

/// One follower's trading state, in time.
pub(super) async fn recorded(reader: &Reader, follower: &FollowerId) -> Result<Trading, String> {
    let (reader, follower) = (reader.clone(), follower.clone());
    let reading = tokio::task::spawn_blocking(move || reader.trading(&follower));
    match timeout(ROW_DEADLINE, reading).await {
        Ok(Ok(Ok(trading))) => Ok(trading.unwrap_or(Trading::ACTIVE)),
        Ok(Ok(Err(error))) => Err(told(&error)),
        Ok(Err(error)) => Err(told(&error)),
        Err(_) => Err(format!("the database did not answer within {} s", ROW_DEADLINE.as_secs())),
    }
}

/// Makes a follower's trading state durable (P27), with its entry of the audit log, or says why it may not be.
pub(super) async fn record(
    store: &StoreHandle,
    follower: &FollowerId,
    trading: Trading,
    at: Timestamp,
) -> Result<(), String> {
    let (told_to, answer) = oneshot::channel();
    let row = TradingRow { follower: follower.clone(), trading, actor: "operator".into(), at };
    store
        .submit(Job {
            writer: WriterId { actor: "operator".into(), generation: 1 },
            writes: vec![Write::Trading(row)],
            reply: Box::new(move |committed| {
                // Who asked may have stopped waiting.
                told_to.send(committed.result).ok();
            }),
        })
        .map_err(|error| told(&error))?;
    match timeout(ROW_DEADLINE, answer).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(told(&error)),
        Ok(Err(_)) => Err("the store ended before it answered".to_owned()),
        Err(_) => Err(format!("the store did not answer within {} s", ROW_DEADLINE.as_secs())),
    }
}

fn told(error: &impl Display) -> String {
    error.to_string()
}

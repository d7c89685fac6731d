//! What an operator reads and writes past the followers' actors: the trading states on record, when one does not answer and
//! at the start, and the end of incidents.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tandem_actors::store::{
    IncidentSettled, Job, Reader, ReaderError, StoreError, StoreHandle, TradingRow, Write, WriterId,
};
use tandem_domain::ids::FollowerId;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::Trading;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::protocol::IncidentNow;

/// Who asks, in the audit log.
pub const OPERATOR: &str = "operator";

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
    let row = TradingRow { follower: follower.clone(), trading, actor: OPERATOR.into(), at };
    commit(store, Write::Trading(row)).await?.map_err(|error| told(&error))
}

/// Closes an incident by an operator's word, or says why it is open still.
pub(super) async fn settle(store: &StoreHandle, row: IncidentSettled) -> IncidentNow {
    let id = Arc::clone(&row.id);
    match commit(store, Write::IncidentSettled(row)).await {
        Ok(settled) => IncidentNow::of(id, settled),
        Err(problem) => IncidentNow { id, problem: Some(problem), is_known: true },
    }
}

/// What the store made of it, in time; or why nobody knows.
async fn commit(store: &StoreHandle, write: Write) -> Result<Result<(), StoreError>, String> {
    let (told_to, answer) = oneshot::channel();
    store
        .submit(Job {
            writer: WriterId { actor: OPERATOR.into(), generation: 1 },
            writes: vec![write],
            in_order: false,
            reply: Box::new(move |committed| {
                // Who asked may have stopped waiting.
                told_to.send(committed.result).ok();
            }),
        })
        .map_err(|error| told(&error))?;
    match timeout(ROW_DEADLINE, answer).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err("the store ended before it answered".to_owned()),
        Err(_) => Err(format!("the store did not answer within {} s", ROW_DEADLINE.as_secs())),
    }
}

fn told(error: &impl Display) -> String {
    error.to_string()
}

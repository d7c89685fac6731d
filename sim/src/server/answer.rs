//! The way of every call: who calls, what is to go wrong, doing it, answering (or not), writing it down.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use tandem_domain::ids::DhanClientId;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::reply::{Reply, Surface};
use crate::broker::records::{Records, RequestRecord};
use crate::broker::{Broker, Shared};
use crate::exchange::ApiError;
use crate::faults::{AnswerFault, Down, Operation};

/// When the head of a request was read; put there by the outermost middleware.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived(pub(crate) Instant);

/// What a call is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) surface: Surface,
    /// Must come from a whitelisted address (`dhanhq-v2.md` section 1.6).
    pub(crate) from_listed_address: bool,
}

impl Call {
    /// An order write.
    pub(crate) const fn write(operation: Operation) -> Self {
        Self { operation, surface: Surface::Trading, from_listed_address: true }
    }

    /// A read, on some surface.
    pub(crate) const fn read(surface: Surface) -> Self {
        Self { operation: Operation::Read, surface, from_listed_address: false }
    }

    /// A read of the trading surface that can fail by itself.
    pub(crate) const fn read_of(operation: Operation) -> Self {
        Self { operation, ..Self::read(Surface::Trading) }
    }
}

/// What happens to the caller.
enum Fate {
    Answered(Reply),
    Lost,
}

/// Carries out one call.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    request: &HttpRequest,
    body: &[u8],
    call: Call,
    act: impl FnOnce(&mut Broker, &DhanClientId) -> Result<Reply, ApiError>,
) -> HttpResponse {
    let flight = Flight::begin(shared.clone());
    let record = begin_record(shared, request, body, call.operation);
    let caller = check_in(shared, request, call);
    conclude(shared, request, caller, call, (flight, record), act).await
}

/// Carries out a call that names its account in the query, beside secrets that no record keeps.
pub(crate) async fn answer_named(
    shared: &Arc<Shared>,
    request: &HttpRequest,
    account: &DhanClientId,
    call: Call,
    act: impl FnOnce(&mut Broker, &DhanClientId) -> Result<Reply, ApiError>,
) -> HttpResponse {
    let flight = Flight::begin(shared.clone());
    let mut record = begin_record(shared, request, &[], call.operation);
    record.path = request.path().to_owned();
    let faults = shared.lock().faults.of(account).next_answer(call.operation);
    conclude(shared, request, Ok((account.clone(), faults)), call, (flight, record), act).await
}

type Caller = Result<(DhanClientId, Option<AnswerFault>), Fate>;

async fn conclude(
    shared: &Arc<Shared>,
    request: &HttpRequest,
    caller: Caller,
    call: Call,
    (flight, mut record): (Flight, RequestRecord),
    act: impl FnOnce(&mut Broker, &DhanClientId) -> Result<Reply, ApiError>,
) -> HttpResponse {
    let (fate, flight) = carry_out(shared, caller, call, flight, &mut record, act).await;
    if let Fate::Answered(reply) = &fate {
        record.answered = Some(reply.status);
    }
    shared.lock().records.request(record);
    match fate {
        Fate::Answered(reply) => response(reply, flight),
        Fate::Lost => {
            if let Some(connection) = request.conn_data::<Connection>() {
                connection.cut();
            }
            HttpResponse::InternalServerError().finish() // goes nowhere: the connection is shut
        }
    }
}

async fn carry_out(
    shared: &Arc<Shared>,
    caller: Caller,
    call: Call,
    mut flight: Flight,
    record: &mut RequestRecord,
    act: impl FnOnce(&mut Broker, &DhanClientId) -> Result<Reply, ApiError>,
) -> (Fate, Flight) {
    let (account, fault) = match caller {
        Ok(checked_in) => checked_in,
        Err(fate) => return (fate, flight),
    };
    record.account = Some(account.clone());
    match fault {
        Some(AnswerFault::LoseBefore) => return (Fate::Lost, flight),
        Some(AnswerFault::ErrorBefore { status }) => {
            return (Fate::Answered(Reply::broker_failure(status)), flight);
        }
        Some(AnswerFault::Busy) => return (Fate::Answered(ApiError::rate_limit().into()), flight),
        Some(AnswerFault::BusyFor { seconds }) => {
            let busy = Reply { retry_after: Some(seconds), ..ApiError::rate_limit().into() };
            return (Fate::Answered(busy), flight);
        }
        Some(
            AnswerFault::LoseAfter
            | AnswerFault::Delay { .. }
            | AnswerFault::ErrorAfter { .. }
            | AnswerFault::OddRow
            | AnswerFault::OddOrder,
        )
        | None => {}
    }
    let reply = shared.with(|broker| {
        // An answer that is late or never comes holds up no frames.
        if fault.is_none() && !call.operation.is_read() && shared.settings.variants.answer_first {
            flight.goes_first(broker, &account);
        }
        record.executed = true;
        record.simulated_us = broker.exchange.now().micros();
        act(broker, &account).unwrap_or_else(Reply::from)
    });
    let fate = match fault {
        Some(AnswerFault::LoseAfter) => Fate::Lost,
        Some(AnswerFault::ErrorAfter { status }) => Fate::Answered(Reply::broker_failure(status)),
        Some(AnswerFault::OddRow) => Fate::Answered(reply.with_odd_row()),
        Some(AnswerFault::OddOrder) => Fate::Answered(reply.with_odd_order()),
        Some(AnswerFault::Delay { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Fate::Answered(reply)
        }
        _ => Fate::Answered(reply),
    };
    (fate, flight)
}

/// Who calls, and what is to go wrong with the answer; or the call's end at the door.
fn check_in(shared: &Shared, request: &HttpRequest, call: Call) -> Caller {
    let broker = &mut *shared.lock();
    let now = broker.now();
    let face = shared.settings.variants.token_face;
    let refused = || Fate::Answered(Reply::bad_token(call.surface, face));
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());

    let entry =
        text("access-token").and_then(|token| broker.accounts.by_token(token, now)).ok_or_else(refused)?;
    let account = entry.client_id.clone();
    let may_order = entry.addresses.allow(request.peer_addr().map(|address| address.ip()));
    let faults = broker.faults.of(&account);
    match faults.down {
        Down::No => {}
        Down::Refuse => return Err(Fate::Lost),
        Down::Errors => return Err(Fate::Answered(Reply::broker_failure(500))),
    }
    let says = text("client-id");
    let other = says.is_some_and(|client_id| client_id != account.as_str());
    let silent = says.is_none() && call.surface == Surface::MarketData;
    if other || silent || faults.token_refused {
        return Err(refused());
    }
    let fault = faults.next_answer(call.operation);
    if call.from_listed_address && !may_order {
        return Err(Fate::Answered(ApiError::input("Invalid IP").into()));
    }
    Ok((account, fault))
}

fn begin_record(shared: &Shared, request: &HttpRequest, body: &[u8], operation: Operation) -> RequestRecord {
    let arrived = request.extensions().get::<Arrived>().copied().unwrap_or_else(|| Arrived(Instant::now()));
    RequestRecord {
        sequence: 0,
        account: None,
        operation,
        method: request.method().to_string(),
        path: request.uri().to_string(),
        body: Records::body_text(body),
        arrived_ns: shared.nanos(arrived.0),
        simulated_us: 0,
        answered: None,
        executed: false,
    }
}

/// A request whose answer is not out. Its end lets the frames that waited for the answer go.
struct Flight {
    shared: Arc<Shared>,
    first: Option<DhanClientId>,
}

impl Flight {
    fn begin(shared: Arc<Shared>) -> Self {
        shared.lock().requests_open += 1;
        Self { shared, first: None }
    }

    fn goes_first(&mut self, broker: &mut Broker, account: &DhanClientId) {
        broker.streams.await_answer(account);
        self.first = Some(account.clone());
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut broker = self.shared.lock();
        broker.requests_open = broker.requests_open.saturating_sub(1);
        if let Some(account) = &self.first {
            broker.streams.answered(account);
            broker.dispatch(Instant::now());
        }
        drop(broker);
        self.shared.changed.notify_waiters();
    }
}

fn response(reply: Reply, flight: Flight) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // The connection's task drops the body once it is in the write buffer, and flushes before it yields. So what
    // waits for the drop runs on the same thread after the bytes are on the socket.
    let (written, is_written) = oneshot::channel::<()>();
    actix_web::rt::spawn(async move {
        let _ = is_written.await; // "written" is the sender's end
        drop(flight);
    });
    let body = AnswerBody { bytes: Some(reply.body.into()), _written: written };
    let mut answer = HttpResponse::build(status);
    if let Some(seconds) = reply.retry_after {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    answer.insert_header((header::CONTENT_TYPE, ContentType::json())).body(body)
}

/// A whole body whose drop tells that it has been written.
struct AnswerBody {
    bytes: Option<Bytes>,
    _written: oneshot::Sender<()>,
}

impl MessageBody for AnswerBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(self.bytes.take().map(Ok))
    }
}

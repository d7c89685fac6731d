//! A broker that does next to nothing, fast: what stands at the other end of every measurement.
//!
//! How it works: a child process of the bench, on one thread. It takes logins on the order stream, answers order
//! requests at once (or after a delay), answers reads with empty books, and is told over its standard input when to
//! send which frames. It stamps frames as it writes them and requests as it has read them, by the one monotonic clock
//! of the machine, and answers each command with its stamps. So both ends of every figure are taken in one process
//! that is not the one measured.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, mpsc};

use super::monotonic_ns;
use super::protocol::{Command, Frames, Order, Stamps};

/// No answer for this long means that a request will not come.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// What connections and the commander share.
#[derive(Default)]
struct Hub {
    streams: RefCell<HashMap<String, Rc<Mutex<OwnedWriteHalf>>>>,
    /// Order requests since the last command: which frame it copies, and when it had been read.
    arrivals: RefCell<Vec<(u32, u64)>>,
    /// The newest of them that is answered.
    answered: RefCell<Option<Placed>>,
    news: Notify,
    answer_after: Cell<Duration>,
    orders: Cell<u64>,
}

/// Serves until its standard input ends. Prints its address first.
pub(crate) fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve())
}

async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    say(&listener.local_addr()?.to_string())?;
    let hub = Rc::new(Hub::default());
    let accepting = Rc::clone(&hub);
    tokio::task::spawn_local(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).ok();
            let hub = Rc::clone(&accepting);
            // A connection that breaks is the other side's to mend.
            tokio::task::spawn_local(async move { connection(socket, &hub).await.ok() });
        }
    });
    let mut commands = commands();
    while let Some(line) = commands.recv().await {
        let stamps = obey(&hub, serde_json::from_str(&line)?).await?;
        say(&serde_json::to_string(&stamps)?)?;
    }
    Ok(())
}

/// Standard input blocks: it is read on a thread of its own.
fn commands() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

async fn obey(hub: &Hub, command: Command) -> anyhow::Result<Stamps> {
    hub.arrivals.borrow_mut().clear();
    hub.answer_after.set(Duration::from_millis(command.answer_after_ms));
    let stream = logged_in(hub, &command.leader).await?;
    match command.frames {
        Frames::Closed { requests_each, pause_us } => {
            closed(hub, &command, &stream, requests_each, Duration::from_micros(pause_us)).await
        }
        Frames::Spread { pause_us, fill_after_us } => {
            let waits = [fill_after_us, pause_us].map(Duration::from_micros);
            spreads(hub, &command, &stream, waits).await
        }
        Frames::Open { per_second, requests_each } => {
            open(hub, &command, &stream, per_second, requests_each).await
        }
        Frames::Burst { requests } => burst(hub, &command, &stream, requests).await,
    }
}

async fn logged_in(hub: &Hub, leader: &str) -> anyhow::Result<Rc<Mutex<OwnedWriteHalf>>> {
    let search = async {
        loop {
            if let Some(stream) = hub.streams.borrow().get(leader) {
                return Rc::clone(stream);
            }
            hub.news.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), search).await.context("nobody logged in")
}

/// The next frame leaves when all requests of the one before have come, and a pause has passed.
async fn closed(
    hub: &Hub,
    command: &Command,
    stream: &Mutex<OwnedWriteHalf>,
    requests_each: usize,
    pause: Duration,
) -> anyhow::Result<Stamps> {
    let mut stamps = Stamps::default();
    for number in command.numbers() {
        hub.arrivals.borrow_mut().clear();
        let frame = command.frame(number);
        let sent = monotonic_ns();
        stream.lock().await.write_all(&frame).await?;
        if !arrived(hub, requests_each).await {
            stamps.lost += 1;
            continue;
        }
        let arrivals = std::mem::take(&mut *hub.arrivals.borrow_mut());
        if arrivals.iter().any(|(copied, _)| *copied != number) {
            bail!("a request for another frame arrived");
        }
        stamps.sent.push(sent);
        stamps.first.extend(arrivals.iter().map(|(_, at)| *at).min());
        stamps.last.extend(arrivals.iter().map(|(_, at)| *at).max());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(stamps)
}

/// A purchase and the sale that it covers are written at once; the sale is to come once the follower's purchase has
/// filled.
async fn spreads(
    hub: &Hub,
    command: &Command,
    stream: &Mutex<OwnedWriteHalf>,
    [fill_after, pause]: [Duration; 2],
) -> anyhow::Result<Stamps> {
    let mut stamps = Stamps::default();
    for cover in command.numbers().step_by(2) {
        hub.arrivals.borrow_mut().clear();
        let frames = [command.frame(cover), command.frame(cover + 1)].concat();
        let sent = monotonic_ns();
        stream.lock().await.write_all(&frames).await?;
        if !arrived(hub, 1).await {
            stamps.lost += 1;
            continue;
        }
        let [cover_filled, sale_filled] = [cover, cover + 1].map(|number| filled(command.order(number)));
        tokio::time::sleep(fill_after).await;
        let known = report(hub, &cover_filled).await?;
        if !arrived(hub, 2).await {
            stamps.lost += 1;
            continue;
        }
        let arrivals = std::mem::take(&mut *hub.arrivals.borrow_mut());
        let [(first, bought), (second, sold)] = arrivals[..] else { bail!("more than two requests arrived") };
        if (first, second) != (cover, cover + 1) || sold < known {
            bail!("the sale did not wait for its cover");
        }
        stamps.sent.push(sent);
        stamps.first.push(bought);
        stamps.filled.push(known);
        stamps.last.push(sold);
        // All of it fills, and nothing of it is left for the next.
        tokio::time::sleep(fill_after).await;
        report(hub, &sale_filled).await?;
        let leaders = [cover_filled, sale_filled].map(|order| order.frame(&command.leader)).concat();
        stream.lock().await.write_all(&leaders).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(stamps)
}

fn filled(order: Order) -> Order {
    Order { traded: order.quantity, ..order }
}

/// Reports to the follower how his newest order stands. Says when.
async fn report(hub: &Hub, order: &Order) -> anyhow::Result<u64> {
    let placed = hub.answered.borrow_mut().take().context("an order was not answered in time")?;
    let text = order.text_of(&placed.account, &placed.order_id, &placed.tag);
    let stream = logged_in(hub, &placed.account).await?;
    let now = monotonic_ns();
    stream.lock().await.write_all(&super::protocol::server_frame(1, text.as_bytes())).await?;
    Ok(now)
}

/// Frames leave by the clock, whatever has come.
async fn open(
    hub: &Hub,
    command: &Command,
    stream: &Mutex<OwnedWriteHalf>,
    per_second: u32,
    requests_each: usize,
) -> anyhow::Result<Stamps> {
    let mut stamps = Stamps::default();
    let started = tokio::time::Instant::now();
    for number in command.numbers() {
        let due = started + Duration::from_secs(1) * (number - command.first_number) / per_second;
        tokio::time::sleep_until(due).await;
        let frame = command.frame(number);
        stamps.sent.push(monotonic_ns());
        stream.lock().await.write_all(&frame).await?;
    }
    if requests_each == 0 {
        return Ok(stamps);
    }
    arrived(hub, stamps.sent.len() * requests_each).await;
    let mut by_number: HashMap<u32, Vec<u64>> = HashMap::new();
    for (number, at) in hub.arrivals.borrow().iter() {
        by_number.entry(*number).or_default().push(*at);
    }
    let mut sent = Vec::new();
    for (number, at) in command.numbers().zip(std::mem::take(&mut stamps.sent)) {
        match by_number.get(&number) {
            Some(arrivals) if arrivals.len() == requests_each => {
                sent.push(at);
                stamps.first.extend(arrivals.iter().min());
                stamps.last.extend(arrivals.iter().max());
            }
            _ => stamps.lost += 1,
        }
    }
    stamps.sent = sent;
    Ok(stamps)
}

/// All frames in one write; every arrival is told.
async fn burst(
    hub: &Hub,
    command: &Command,
    stream: &Mutex<OwnedWriteHalf>,
    requests: usize,
) -> anyhow::Result<Stamps> {
    let frames: Vec<u8> = command.numbers().flat_map(|number| command.frame(number)).collect();
    let sent = vec![monotonic_ns()];
    stream.lock().await.write_all(&frames).await?;
    arrived(hub, requests).await;
    let mut first: Vec<u64> = hub.arrivals.borrow().iter().map(|(_, at)| *at).collect();
    first.sort_unstable();
    Ok(Stamps { sent, lost: requests.saturating_sub(first.len()), first, ..Stamps::default() })
}

/// Waits for so many requests; false when they stay away.
async fn arrived(hub: &Hub, wanted: usize) -> bool {
    while hub.arrivals.borrow().len() < wanted {
        if tokio::time::timeout(LOST_AFTER, hub.news.notified()).await.is_err() {
            return false;
        }
    }
    true
}

async fn connection(mut socket: TcpStream, hub: &Rc<Hub>) -> anyhow::Result<()> {
    let mut buffer: Vec<u8> = Vec::with_capacity(4096);
    loop {
        if socket.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let read_at = monotonic_ns();
        while let Some((head_end, request_end)) = whole_request(&buffer)? {
            let head = std::str::from_utf8(&buffer[..head_end])?;
            if let Some(key) = header(head, "sec-websocket-key") {
                return stream(socket, key, hub).await;
            }
            let body = std::str::from_utf8(&buffer[head_end..request_end])?;
            let mut placed = None;
            let answer = if head.starts_with("POST /v2/orders ") {
                let number = number_of(body)?;
                hub.arrivals.borrow_mut().push((number, read_at));
                hub.news.notify_one();
                let order_id = 500_000_000_000 + hub.orders.get();
                hub.orders.set(hub.orders.get() + 1);
                if !hub.answer_after.get().is_zero() {
                    tokio::time::sleep(hub.answer_after.get()).await;
                }
                placed = Some(Placed::of(body, order_id.to_string())?);
                format!(r#"{{"orderId":"{order_id}","orderStatus":"TRANSIT"}}"#)
            } else if head.starts_with("GET /v2/fundlimit ") {
                FUNDS.to_owned()
            } else {
                "[]".to_owned()
            };
            let length = answer.len();
            let whole = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
            );
            socket.write_all(whole.as_bytes()).await?;
            if placed.is_some() {
                *hub.answered.borrow_mut() = placed;
            }
            buffer.drain(..request_end);
        }
    }
}

/// Everybody is equally rich, so that the whole quantity is copied, and rich enough for all of it.
const FUNDS: &str =
    r#"{"dhanClientId":"0","availabelBalance":10000000000.0,"sodLimit":10000000000.0,"utilizedAmount":0.0}"#;

/// An order of the follower's.
struct Placed {
    account: String,
    order_id: String,
    tag: String,
}

impl Placed {
    fn of(body: &str, order_id: String) -> anyhow::Result<Self> {
        let body: serde_json::Value = serde_json::from_str(body)?;
        let text = |key: &str| body[key].as_str().map(str::to_owned).context("an order without an owner");
        Ok(Self { account: text("dhanClientId")?, order_id, tag: text("correlationId")? })
    }
}

/// Where the head and the whole of the first request in the buffer end, once it is whole.
fn whole_request(buffer: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(head_end) = buffer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&buffer[..head_end])?;
    let body: usize = header(head, "content-length").map_or(Ok(0), str::parse)?;
    let end = head_end + body;
    Ok((buffer.len() >= end).then_some((head_end, end)))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The frame an order copies: its price says so.
fn number_of(body: &str) -> anyhow::Result<u32> {
    let price = body.split_once(r#""price":"#).context("an order without a price")?.1;
    let end = price.find([',', '}']).unwrap_or(price.len());
    super::protocol::number_of_price(&price[..end])
}

/// An order stream: reads the login and pings, and is written to by the commander.
async fn stream(socket: TcpStream, key: &str, hub: &Rc<Hub>) -> anyhow::Result<()> {
    let accept = actix_http::ws::hash_key(key.as_bytes());
    let accept = std::str::from_utf8(&accept)?;
    let (mut reading, mut writing) = socket.into_split();
    let upgrade = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    );
    writing.write_all(upgrade.as_bytes()).await?;
    let writing = Rc::new(Mutex::new(writing));
    loop {
        let (opcode, payload) = client_frame(&mut reading).await?;
        match opcode {
            1 => {
                let login: serde_json::Value = serde_json::from_slice(&payload)?;
                let leader = login["LoginReq"]["ClientId"].as_str().context("a login without a client")?;
                hub.streams.borrow_mut().insert(leader.to_owned(), Rc::clone(&writing));
                hub.news.notify_one();
            }
            9 => writing.lock().await.write_all(&super::protocol::server_frame(10, &payload)).await?,
            8 => return Ok(()),
            _ => {}
        }
    }
}

/// One masked frame of a client.
async fn client_frame(reading: &mut OwnedReadHalf) -> anyhow::Result<(u8, Vec<u8>)> {
    let first = reading.read_u8().await?;
    let length = match reading.read_u8().await? & 0x7f {
        126 => usize::from(reading.read_u16().await?),
        127 => bail!("a client frame of this length makes no sense here"),
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    reading.read_exact(&mut mask).await?;
    let mut payload = vec![0; length];
    reading.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((first & 0x0f, payload))
}

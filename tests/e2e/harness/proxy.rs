//! A bad network: a proxy between the daemon and the broker that does to bytes what networks do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::Broker;

/// What the network does with one exchange of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// All arrives.
    Fair,
    /// The connection is reset before anything is forwarded.
    ResetBefore,
    /// The request arrives; of the answer so many bytes do, then the connection is reset.
    ResetAfter(usize),
    /// All arrives; the connection is reset as soon as the answer has arrived whole.
    ResetAtEnd,
    /// The request arrives; instead of an answer, the network's end is closed and what the client says is still read.
    HalfClose,
    /// The client's end is closed towards the broker, as if he had said all that he has to say; what comes from there arrives.
    HalfCloseUp,
    /// Nothing arrives, and nobody is told.
    BlackHole,
    /// The request arrives, and of the answer one byte at a time, so long apart.
    Drip(Duration),
}

/// What lies between a daemon and its broker.
pub(crate) struct Network {
    /// Before the orders' interface.
    pub(crate) rest: Proxy,
    /// Before the order streams.
    pub(crate) stream: Proxy,
}

impl Network {
    pub(crate) fn before(broker: &Broker) -> Self {
        let at = broker.sim.description();
        Self { rest: Proxy::before(&at.rest_url), stream: Proxy::before(&at.stream_url) }
    }
}

#[derive(Debug, Default)]
struct Sky {
    /// For requests that begin so, once each, the earliest first.
    next: Vec<(&'static str, Weather)>,
    /// For all others, and for connections that are open; none is fair.
    always: Option<Weather>,
}

impl Sky {
    /// What becomes of bytes of a client whose request before these had that weather.
    fn over(&mut self, bytes: &[u8], before: Weather) -> Weather {
        let is_request =
            ["GET ", "POST ", "PUT ", "DELETE "].iter().any(|word| bytes.starts_with(word.as_bytes()));
        if !is_request {
            // The body of a request that came in pieces, or a frame.
            return self.always.unwrap_or(before);
        }
        let at = self.next.iter().position(|(begins, _)| bytes.starts_with(begins.as_bytes()));
        let once = at.map(|at| self.next.remove(at).1);
        once.or(self.always).unwrap_or(Weather::Fair)
    }
}

/// A proxy on loopback. It lives as long as the test's process.
pub(crate) struct Proxy {
    address: SocketAddr,
    sky: Arc<Mutex<Sky>>,
}

impl Proxy {
    /// Stands before the address of a URL.
    pub(crate) fn before(url: &str) -> Self {
        let upstream = url.split_once("://").unwrap().1;
        let upstream: SocketAddr = upstream.split('/').next().unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, sky) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Sky::default())));
        let above = Arc::clone(&sky);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), sky) = (client, Arc::clone(&above)) else { return };
                // An end of it, in whatever way, concerns this connection only.
                thread::spawn(move || serve(client, upstream, &sky));
            }
        });
        Self { address, sky }
    }

    /// The URL with this proxy in the place of what it stands before.
    pub(crate) fn instead_of(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        format!("{scheme}://{}{path}", self.address)
    }

    /// From now on, for open connections too.
    pub(crate) fn is(&self, weather: Weather) {
        self.sky.lock().unwrap().always = (weather != Weather::Fair).then_some(weather);
    }

    /// For the next request that begins so, as `POST /v2/orders`.
    pub(crate) fn once(&self, begins: &'static str, weather: Weather) {
        self.sky.lock().unwrap().next.push((begins, weather));
    }

    /// Fair again, for all to come.
    pub(crate) fn clear(&self) {
        *self.sky.lock().unwrap() = Sky::default();
    }

    /// Whether all that was to happen once has happened.
    pub(crate) fn is_spent(&self) -> bool {
        self.sky.lock().unwrap().next.is_empty()
    }
}

fn serve(mut client: TcpStream, upstream: SocketAddr, sky: &Arc<Mutex<Sky>>) {
    let Ok(mut server) = TcpStream::connect(upstream) else { return };
    let (Ok(to_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
    // What the latest request is answered with.
    let latest = Arc::new(Mutex::new(Weather::Fair));
    let (above, answered) = (Arc::clone(sky), Arc::clone(&latest));
    thread::spawn(move || answer(to_client, from_server, &above, &answered));
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        let mut latest = latest.lock().unwrap();
        *latest = sky.lock().unwrap().over(&buffer[..read], *latest);
        match *latest {
            Weather::BlackHole => continue,
            Weather::ResetBefore => {
                reset_when_closed(&client);
                break;
            }
            // It may be gone already.
            Weather::HalfClose => drop(client.shutdown(Shutdown::Write)),
            Weather::HalfCloseUp => {
                drop(server.shutdown(Shutdown::Write));
                continue;
            }
            Weather::Fair | Weather::ResetAfter(_) | Weather::ResetAtEnd | Weather::Drip(_) => {}
        }
        if server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // The other half ends with it.
    drop(server.shutdown(Shutdown::Both));
}

fn answer(mut client: TcpStream, mut server: TcpStream, sky: &Mutex<Sky>, latest: &Mutex<Weather>) {
    let mut buffer = vec![0; 64 * 1024];
    let mut lost = false;
    // What has arrived of an answer after which the connection is reset.
    let mut last = Vec::new();
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        // A network loses connections. It never loses bytes between others of one connection.
        if lost {
            continue;
        }
        let weather = sky.lock().unwrap().always.unwrap_or(*latest.lock().unwrap());
        match deliver(&mut client, &buffer[..read], weather) {
            Ok(arrived) => lost = !arrived,
            Err(_) => break,
        }
        if weather == Weather::ResetAtEnd {
            last.extend_from_slice(&buffer[..read]);
            if is_whole(&last) {
                reset_when_closed(&client);
                break;
            }
        }
    }
    // The other half ends with it, and tells the client nothing but what closing tells.
    drop(client.shutdown(Shutdown::Read));
}

/// Whether they arrive; an error ends the connection.
fn deliver(client: &mut TcpStream, bytes: &[u8], weather: Weather) -> io::Result<bool> {
    match weather {
        Weather::Fair | Weather::ResetAtEnd | Weather::HalfCloseUp => client.write_all(bytes)?,
        Weather::ResetAfter(arrive) => {
            client.write_all(&bytes[..arrive.min(bytes.len())])?;
            reset_when_closed(client);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Weather::ResetBefore | Weather::HalfClose | Weather::BlackHole => return Ok(false),
        Weather::Drip(apart) => {
            for byte in bytes {
                #[expect(clippy::disallowed_methods, reason = "the drip itself is what is tested")]
                thread::sleep(apart);
                client.write_all(&[*byte])?;
            }
        }
    }
    Ok(true)
}

/// Whether an answer has its head and as much of a body as that says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

/// Its end is a reset and not an end of the stream.
fn reset_when_closed(stream: &TcpStream) {
    // A socket that is gone cannot be reset.
    drop(socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)));
}

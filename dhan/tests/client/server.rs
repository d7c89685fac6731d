//! A scripted HTTP/1.1 server on the loopback: full control over what is read, answered, cut and closed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tandem_dhan::rest::{AccountClient, ClientSettings};
use tandem_dhan::token::TokenSource;
use tandem_domain::ids::DhanClientId;

pub(crate) const TOKEN: &str = "eyJ-the-secret-token";

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What to do after a request was read whole.
pub(crate) enum Reply {
    /// Write these bytes and keep the connection.
    Raw(Vec<u8>),
    /// Write these bytes, then close.
    RawThenClose(Vec<u8>),
    /// Write these bytes, then hold the connection until the client lets go.
    RawThenHold(Vec<u8>),
}

impl Reply {
    /// A whole, honest answer.
    pub(crate) fn json(http: u16, body: &str) -> Self {
        Self::Raw(
            format!(
                "HTTP/1.1 {http} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Serves until the test process ends; every connection has a thread of its own.
    pub(crate) fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0", script)
    }

    pub(crate) fn start_on(bind: &str, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(bind).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, seen, count) = (Arc::new(script), requests.clone(), connections.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let (script, seen) = (script.clone(), seen.clone());
                std::thread::spawn(move || serve(stream, &*script, &seen));
            }
        });
        Self { address, requests, connections }
    }

    /// Always the same answer.
    pub(crate) fn answering(http: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::start(move |_| Reply::json(http, &body))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v2", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn client(&self) -> AccountClient {
        client(&settings(&self.url()))
    }
}

pub(crate) fn settings(url: &str) -> ClientSettings {
    ClientSettings::new(url)
}

pub(crate) fn client(settings: &ClientSettings) -> AccountClient {
    AccountClient::new(settings, account(), token()).unwrap()
}

pub(crate) fn account() -> DhanClientId {
    DhanClientId::new("1000000202").unwrap()
}

pub(crate) fn token() -> TokenSource {
    TokenSource::fixed(TOKEN)
}

fn serve(stream: TcpStream, script: &dyn Fn(&Request) -> Reply, seen: &Mutex<Vec<Request>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        seen.lock().unwrap().push(request.clone());
        let (bytes, after) = match script(&request) {
            Reply::Raw(bytes) => (bytes, After::Keep),
            Reply::RawThenClose(bytes) => (bytes, After::Close),
            Reply::RawThenHold(bytes) => (bytes, After::Hold),
        };
        if writer.write_all(&bytes).is_err() {
            return;
        }
        match after {
            After::Keep => {}
            After::Close => return,
            After::Hold => {
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
        }
    }
}

enum After {
    Keep,
    Close,
    Hold,
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    Some(Request { line, head, body: String::from_utf8(body).ok()? })
}

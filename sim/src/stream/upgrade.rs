//! The HTTP upgrade of an order stream: as much of RFC 6455 as a server has to check.

use actix_http::ws::hash_key;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request head longer than this is no upgrade.
const HEAD_BYTES_MAX: usize = 8 * 1024;

const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What a client asks for on connecting.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    Unfinished,
    /// An upgrade with this key; the head is so many bytes long.
    Upgrade {
        key: Vec<u8>,
        length: usize,
    },
    Nonsense,
}

/// Reads the request and accepts it, on any path. Answers with what the client sent after the head; none when the
/// connection came to nothing.
pub(super) async fn accept(socket: &mut TcpStream, refuse: bool) -> Option<BytesMut> {
    let mut received = BytesMut::with_capacity(1024);
    loop {
        match read_head(&received) {
            Head::Unfinished if received.len() < HEAD_BYTES_MAX => {
                if socket.read_buf(&mut received).await.ok()? == 0 {
                    return None;
                }
            }
            Head::Upgrade { key, length } => {
                if refuse {
                    socket.write_all(TOO_MANY).await.ok()?;
                    return None;
                }
                socket.write_all(&switching(&key)).await.ok()?;
                return Some(received.split_off(length));
            }
            Head::Unfinished | Head::Nonsense => {
                socket.write_all(BAD_REQUEST).await.ok()?;
                return None;
            }
        }
    }
}

fn switching(key: &[u8]) -> Vec<u8> {
    let mut answer =
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ".to_vec();
    answer.extend(hash_key(key));
    answer.extend(b"\r\n\r\n");
    answer
}

fn read_head(received: &[u8]) -> Head {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return Head::Unfinished };
    let Ok(text) = std::str::from_utf8(&received[..end]) else { return Head::Nonsense };
    let mut lines = text.split("\r\n");
    let is_get = lines.next().is_some_and(|line| line.starts_with("GET "));
    let (mut key, mut is_upgrade) = (None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("sec-websocket-key") {
            key = Some(value.as_bytes().to_vec());
        } else if name.eq_ignore_ascii_case("upgrade") {
            is_upgrade = value.eq_ignore_ascii_case("websocket");
        }
    }
    match key {
        Some(key) if is_get && is_upgrade => Head::Upgrade { key, length: end + 4 },
        _ => Head::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_and_the_rest_is_kept() {
        let request =
            b"GET / HTTP/1.1\r\nhost: x\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: abc==\r\n\r\nrest";
        assert_eq!(read_head(request), Head::Upgrade { key: b"abc==".to_vec(), length: request.len() - 4 });
        assert_eq!(read_head(&request[..40]), Head::Unfinished);
        assert_eq!(read_head(b"POST / HTTP/1.1\r\n\r\n"), Head::Nonsense);
    }

    #[test]
    fn the_answer_proves_that_the_key_was_read() {
        // The example of RFC 6455 section 1.3.
        let answer = String::from_utf8(switching(b"dGhlIHNhbXBsZSBub25jZQ==")).unwrap();
        assert!(answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    }
}

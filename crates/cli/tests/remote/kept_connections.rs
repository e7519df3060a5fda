//! A connection outlives a refusal, or its client is told that it does not.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::http::{Incoming, Response};
use crate::support::patience::PATIENCE;
use crate::support::server::{Server, shared};

/// The server waits no longer for it.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(2);

/// A client that keeps its connection.
struct Kept {
    stream: TcpStream,
    host: String,
}

impl Kept {
    fn to(server: &Server) -> Self {
        let host = server.url.strip_prefix("http://").unwrap().to_owned();
        let stream = Self::connect(&host);
        Self { stream, host }
    }

    fn connect(host: &str) -> TcpStream {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn head(&self, path: &str, headers: &str, length: usize) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-type: application/json\r\n\
             content-length: {length}\r\n\r\n",
            self.host
        )
    }

    fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// One answer, and nothing that comes after it.
    fn answer(&self) -> Response {
        Incoming::read(self.stream.try_clone().unwrap()).finish()
    }

    /// Sends a request in pieces, each once the one before it is there. When the machine stalls, the server
    /// has every right to end the connection: that is tried again on another one.
    fn sends(&mut self, pieces: &[&[u8]]) -> Response {
        for _ in 0..5 {
            let begun = Instant::now();
            self.write(pieces[0]);
            for piece in &pieces[1..] {
                std::thread::sleep(Duration::from_millis(100));
                // It may be over: the answer says so.
                let _ = self.stream.write_all(piece);
            }
            let answer = self.answer();
            if !answer.has("connection") || begun.elapsed() < UNREAD_TIMEOUT {
                return answer;
            }
            self.stream = Self::connect(&self.host);
        }
        panic!("the machine stalls all the time");
    }

    /// Sends the head, and the body once the head is there.
    fn asks(&mut self, path: &str, headers: &str, body: &[u8]) -> Response {
        let head = self.head(path, headers, body.len());
        self.sends(&[head.as_bytes(), body])
    }
}

const STRANGER: &str = "authorization: Bearer zz\r\n";
const EVIL: &str = "authorization: Bearer zz\r\norigin: https://evil.example\r\n";

#[test]
fn a_connection_goes_on_after_a_refusal_that_did_not_wait_for_the_body() {
    let mut client = Kept::to(shared());
    let small = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let large = [b' '; 200 * 1024];
    for body in [&small[..], &large] {
        for (path, headers, status) in [
            ("/mcp", STRANGER, 401),
            ("/mcp", EVIL, 403),
            ("/messages?sessionId=x", STRANGER, 401),
            ("/nowhere", STRANGER, 404),
            ("/", STRANGER, 405),
        ] {
            let answer = client.asks(path, headers, body);
            assert_eq!(answer.status, status, "{path}: {}", answer.brief());
            assert!(!answer.has("connection"), "{path}");
        }
    }
    // In one write, and twice at once.
    let head = client.head("/mcp", STRANGER, large.len());
    let whole = [head.as_bytes(), &large].concat();
    for _ in 0..2 {
        assert_eq!(client.sends(&[&whole]).status, 401);
    }
    // In chunks.
    let head = client.head("/mcp", STRANGER, 0);
    let chunked = head.replace("content-length: 0", "transfer-encoding: chunked");
    let begun = format!("{chunked}5\r\nhello\r\n");
    let answer = client.sends(&[begun.as_bytes(), b"0\r\n\r\n"]);
    assert_eq!(answer.status, 401, "{}", answer.brief());
    assert_eq!(client.asks("/mcp", STRANGER, small).status, 401);
}

#[test]
fn who_is_refused_with_a_body_that_is_too_large_or_does_not_come_is_told_that_the_connection_ends()
{
    let server = shared();
    let is_closed = |answer: &Response| {
        assert_eq!(answer.status, 401, "{}", answer.brief());
        assert_eq!(answer.header("connection"), "close");
    };
    // Its length says it.
    let mut client = Kept::to(server);
    client.write(client.head("/mcp", STRANGER, 300 * 1024));
    is_closed(&client.answer());
    // Its length is not known before.
    let mut client = Kept::to(server);
    let head = client.head("/mcp", STRANGER, 0);
    client.write(head.replace("content-length: 0", "transfer-encoding: chunked"));
    let chunk = format!("4b000\r\n{}\r\n", " ".repeat(0x4b000));
    let _ = client.stream.write_all(chunk.as_bytes());
    is_closed(&client.answer());
    // It does not come.
    let mut client = Kept::to(server);
    client.write(client.head("/mcp", STRANGER, 10));
    is_closed(&client.answer());
    // Its client waits to be asked for it, and is not.
    let mut client = Kept::to(server);
    let expects = format!("{STRANGER}expect: 100-continue\r\n");
    client.write(client.head("/mcp", &expects, 10));
    is_closed(&client.answer());
}

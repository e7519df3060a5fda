//! Between the clients and the server: where requests and answers get lost.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::events::Opened;
use crate::http::{Request, Response, connect, exchange};
use crate::plan::Loss;

/// The header that tells which of the server's lives has answered.
const LIFE: &str = "x-chaos-life";

/// What a client, and what the judge, knows of a request.
pub(crate) enum Outcome {
    Answer(Response),
    /// The client got nothing. If the server had answered, the judge knows what.
    Lost(Option<Response>),
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Where the server is, and which of its lives this is.
    server: Mutex<Option<(SocketAddr, usize)>>,
    next: Mutex<u64>,
    /// What the server answered to requests whose answer was lost, by their number.
    lost: Mutex<HashMap<u64, Response>>,
}

impl Proxy {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                // To the client whatever fails here is a connection that closed.
                std::thread::spawn(move || drop(pass(&shared, stream)));
            }
        });
        Ok(Self { url, shared })
    }

    /// Where the server is now; nowhere while it is dead.
    pub(crate) fn point_to(&self, server: Option<(SocketAddr, usize)>) {
        *self.shared.server.lock().unwrap() = server;
    }

    /// Sends a request through the proxy, which loses of it what it is told to.
    pub(crate) fn send(&self, request: Request, loss: Loss) -> Outcome {
        let number = self.next();
        let loss = match loss {
            Loss::Nothing => "nothing",
            Loss::Request => "request",
            Loss::Answer => "answer",
        };
        let request = request.header("x-chaos", &format!("{number} {loss}"));
        match request.send() {
            Ok(response) => Outcome::Answer(response),
            Err(_) => Outcome::Lost(self.shared.lost.lock().unwrap().remove(&number)),
        }
    }

    /// Sends a request whose answer may be a stream, and comes through as it is made.
    pub(crate) fn open(&self, request: Request) -> Opened {
        let number = self.next();
        let request = request.header("x-chaos", &format!("{number} stream"));
        request.open()
    }

    fn next(&self) -> u64 {
        let mut next = self.shared.next.lock().unwrap();
        *next += 1;
        *next
    }
}

/// Which of the server's lives gave this answer.
pub(crate) fn life(response: &Response) -> usize {
    response.header(LIFE).parse().unwrap_or_default()
}

fn pass(shared: &Shared, client: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let (mut head, mut fate, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.strip_prefix("x-chaos: ") {
            value.trim().clone_into(&mut fate);
            continue;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap_or(0);
        }
        head += &line;
        if line == "\r\n" {
            break;
        }
    }
    let mut request = head.into_bytes();
    let start = request.len();
    request.resize(start + length, 0);
    reader.read_exact(&mut request[start..])?;
    let (number, loss) = fate.split_once(' ').unwrap_or(("0", "nothing"));
    if loss == "request" {
        return Ok(());
    }
    let server = *shared.server.lock().unwrap();
    let (server, life) = server.ok_or_else(|| io::Error::other("there is no server"))?;
    if loss == "stream" {
        return relay(reader.into_inner(), server, life, &request);
    }
    let answer = with_life(exchange(server, &request)?, life);
    if loss == "answer" {
        if let (Ok(response), Ok(number)) = (Response::parse(&answer), number.parse()) {
            shared.lost.lock().unwrap().insert(number, response);
        }
        return Ok(());
    }
    reader.into_inner().write_all(&answer)
}

/// Passes an answer on piece by piece, until one of the two closes.
fn relay(mut client: TcpStream, server: SocketAddr, life: usize, request: &[u8]) -> io::Result<()> {
    let mut server = connect(server)?;
    server.write_all(request)?;
    let (mut ear, far) = (client.try_clone()?, server.try_clone()?);
    // A client says nothing more: when it can be read, it has gone.
    std::thread::spawn(move || {
        let _ = ear.read(&mut [0]);
        far.shutdown(Shutdown::Both)
    });
    let mut buffer = [0; 16 * 1024];
    let mut is_head = true;
    let relayed = loop {
        match server.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(length) => {
                let mut piece = buffer[..length].to_vec();
                if std::mem::take(&mut is_head) {
                    piece = with_life(piece, life);
                }
                if let Err(error) = client.write_all(&piece) {
                    break Err(error);
                }
            }
            Err(error) => break Err(error),
        }
    };
    let _ = client.shutdown(Shutdown::Both);
    relayed
}

/// Tells in a header which of the server's lives has answered: an answer may be read long after the
/// server has died.
fn with_life(mut answer: Vec<u8>, life: usize) -> Vec<u8> {
    if let Some(end) = answer.windows(2).position(|two| two == b"\r\n") {
        let header = format!("\r\n{LIFE}: {life}");
        answer.splice(end..end, header.into_bytes());
    }
    answer
}

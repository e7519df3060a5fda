//! The owner's API, which fails as it is told to.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::jwt;
use crate::plan::FaultKind;

#[derive(Clone)]
pub(crate) struct OwnersApi {
    pub(crate) address: SocketAddr,
    fault: Arc<Mutex<Option<FaultKind>>>,
    calls: Arc<AtomicU64>,
    /// Orders that were cancelled: everybody declines, so none may be.
    cancelled: Arc<AtomicU64>,
    /// What it was told of who asks.
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request for an order, with a token.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) order: u64,
    /// What the token says.
    pub(crate) claims: Value,
}

/// How often it looks whether somebody has come.
const TICK: Duration = Duration::from_millis(2);

impl OwnersApi {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let api = Self {
            address: listener.local_addr()?,
            fault: Arc::default(),
            calls: Arc::default(),
            cancelled: Arc::default(),
            asked: Arc::default(),
        };
        let serving = api.clone();
        std::thread::spawn(move || serving.serve(listener));
        Ok(api)
    }

    /// Takes connections, except while it is absent.
    fn serve(&self, first: TcpListener) -> io::Result<()> {
        let mut listener = Some(first);
        loop {
            if *self.fault.lock().unwrap() == Some(FaultKind::ApiAbsent) {
                listener = None;
                std::thread::sleep(TICK);
                continue;
            }
            let open = match listener.take() {
                Some(open) => open,
                None => TcpListener::bind(self.address)?,
            };
            open.set_nonblocking(true)?;
            match open.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    let api = self.clone();
                    std::thread::spawn(move || drop(api.answer(stream)));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TICK),
                Err(error) => return Err(error),
            }
            listener = Some(open);
        }
    }

    pub(crate) fn fail(&self, fault: Option<FaultKind>) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn cancelled(&self) -> u64 {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Notes who asks for what, by the request's first line and its bearer token.
    fn note(&self, line: &str, token: &str) {
        let path = line.split(' ').nth(1).unwrap_or_default();
        let order = path.rsplit('/').next().and_then(|text| text.parse().ok());
        if let Some(order) = order {
            let claims = jwt::claims(token);
            self.asked.lock().unwrap().push(Asked { order, claims });
        }
    }

    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.starts_with("DELETE ") {
            self.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            let bearer = header.split_once("Bearer ").map(|(_, token)| token.trim());
            if let Some(token) = bearer {
                self.note(&line, token);
            }
            header.clear();
        }
        if header.is_empty() {
            // Whoever asks died before the end of the question.
            return Ok(());
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let fault = *self.fault.lock().unwrap();
        let (status, body) = match fault {
            Some(FaultKind::ApiSlow) => {
                std::thread::sleep(Duration::from_millis(1500));
                ("200 OK", "{\"ok\":true}")
            }
            Some(FaultKind::ApiRateLimited) => ("429 Too Many Requests\r\nRetry-After: 1", "{}"),
            Some(FaultKind::ApiRefuses) => ("500 Internal Server Error", "oh no"),
            Some(FaultKind::ApiGarbled) => ("200 OK", "{\"ok\":"),
            Some(FaultKind::ApiDrops) => return Ok(()),
            _ => ("200 OK", "{\"ok\":true}"),
        };
        let length = body.len();
        write!(
            reader.into_inner(),
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    }
}

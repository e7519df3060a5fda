//! The owner's API, which fails as it is told to.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::plan::FaultKind;

#[derive(Clone)]
pub(crate) struct OwnersApi {
    pub(crate) address: SocketAddr,
    fault: Arc<Mutex<Option<FaultKind>>>,
    calls: Arc<AtomicU64>,
}

impl OwnersApi {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let api = Self {
            address: listener.local_addr()?,
            fault: Arc::default(),
            calls: Arc::default(),
        };
        let serving = api.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let api = serving.clone();
                std::thread::spawn(move || drop(api.answer(stream)));
            }
        });
        Ok(api)
    }

    pub(crate) fn fail(&self, fault: Option<FaultKind>) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
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

//! The owner's API, as tools call it: what it was sent is kept, and it refuses what it is told to.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running API. It answers every request with `{"ok": true}`, or with 401.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    heads: Vec<String>,
    refused: HashSet<String>,
    refuses_all: bool,
}

impl Api {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = Self {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
        };
        let answering = api.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let api = answering.clone();
                std::thread::spawn(move || api.answer(stream.unwrap()));
            }
        });
        api
    }

    /// The bearer tokens that it was sent since this was last asked, in their order.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let heads = self.heads();
        let tokens = heads.iter().filter_map(|head| token(head));
        tokens.map(str::to_owned).collect()
    }

    /// The heads of the requests since this was last asked.
    pub(crate) fn heads(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap().heads)
    }

    /// From now on this token is refused with 401.
    pub(crate) fn refuse(&self, token: &str) {
        self.seen.lock().unwrap().refused.insert(token.to_owned());
    }

    /// Whether every token is.
    pub(crate) fn refuse_all(&self, refuses: bool) {
        self.seen.lock().unwrap().refuses_all = refuses;
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).unwrap_or_default() > 2 {
            head.push_str(&line);
            line.clear();
        }
        let is_refused = {
            let mut seen = self.seen.lock().unwrap();
            let token = token(&head).unwrap_or_default();
            let is_refused = seen.refuses_all || seen.refused.contains(token);
            seen.heads.push(head);
            is_refused
        };
        let (status, body) = match is_refused {
            true => ("401 Unauthorized", "{}"),
            false => ("200 OK", "{\"ok\": true}"),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = reader.into_inner();
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.read(&mut [0; 1]);
    }
}

fn token(head: &str) -> Option<&str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    value.strip_prefix("Bearer ")
}

//! HTTP/1.1 by hand: whatever an attacker could send, a library would mend.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use url::Url;

/// Nothing here takes this long, however busy the machine is; a test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A request, sent exactly as it is put together.
#[derive(Clone)]
pub(crate) struct Request {
    method: &'static str,
    url: Url,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(crate) fn get(url: &str) -> Request {
    request("GET", url)
}

pub(crate) fn post(url: &str) -> Request {
    request("POST", url)
}

pub(crate) fn request(method: &'static str, url: &str) -> Request {
    Request {
        method,
        url: Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

impl Request {
    /// Adds a header; a second one of the same name is sent too.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = encode(fields).into_bytes();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn json(self, value: &Value) -> Self {
        self.body(value.to_string())
            .header("content-type", "application/json")
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The whole answer.
    pub(crate) fn send(self) -> Response {
        self.open().finish()
    }

    /// The answer's head; its body comes piece by piece.
    pub(crate) fn open(self) -> Incoming {
        Incoming::read(self.write())
    }

    /// Nobody waits for the answer: the connection is closed as soon as the request is sent.
    pub(crate) fn abandon(self) {
        drop(self.write());
    }

    /// The connection on which the answer will come: who lets go of it wants none any more.
    pub(crate) fn write(self) -> TcpStream {
        let address = format!(
            "{}:{}",
            self.url.host_str().unwrap(),
            self.url.port_or_known_default().unwrap()
        );
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let mut head = format!("{} {target} HTTP/1.1\r\n", self.method);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            head += &format!("host: {address}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            self.body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses a large body may close before all of it is sent.
        let _ = stream.write_all(&self.body);
        stream
    }
}

/// An answer whose body is still to come.
pub(crate) struct Incoming {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    /// Bytes left of a body of known length; `None` when it is chunked.
    left: Option<usize>,
}

impl Incoming {
    pub(crate) fn read(stream: TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let value = |wanted| headers.iter().find(|(name, _)| name == wanted);
        let left = match (value("transfer-encoding"), value("content-length")) {
            (Some(_), _) => None,
            (None, Some((_, length))) => Some(length.parse().unwrap()),
            (None, None) => Some(0),
        };
        Self {
            status,
            headers,
            reader,
            left,
        }
    }

    /// The next piece of the body; `None` at its end.
    pub(crate) fn piece(&mut self) -> Option<Vec<u8>> {
        let length = match self.left {
            Some(0) => return None,
            Some(length) => length,
            None => {
                let mut line = String::new();
                match self.reader.read_line(&mut line) {
                    Ok(0) => return None,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                    Err(error) => panic!("the stream neither goes on nor ends: {error}"),
                }
                let length = line.split(';').next().unwrap_or_default().trim();
                usize::from_str_radix(length, 16)
                    .unwrap_or_else(|_| panic!("no chunk's length: {line:?}"))
            }
        };
        let mut piece = vec![0; length];
        self.reader.read_exact(&mut piece).unwrap();
        if self.left.is_some() {
            self.left = Some(0);
            return Some(piece);
        }
        let mut end = String::new();
        self.reader.read_line(&mut end).unwrap();
        (length > 0).then_some(piece)
    }

    /// All that is still to come.
    pub(crate) fn finish(mut self) -> Response {
        let mut body = Vec::new();
        while let Some(piece) = self.piece() {
            body.extend(piece);
        }
        Response {
            status: self.status,
            headers: self.headers,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        find(&self.headers, name)
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    /// The header's value, empty without one.
    pub(crate) fn header(&self, name: &str) -> &str {
        find(&self.headers, name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What a failed test shows of it: a page without its style.
    pub(crate) fn brief(&self) -> String {
        let text = self.text();
        let body = text.split("</style>").last().unwrap_or_default();
        let text: String = body.chars().take(600).collect();
        format!("{} {text} {}", self.status, self.header("location"))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.brief()))
    }

    /// The status, and OAuth's error code.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, String) {
        let code = self.json()["error"].as_str().unwrap_or("none").to_owned();
        (self.status, code)
    }

    /// The JSON-RPC message that answers a request, out of a JSON body or a stream of events.
    #[track_caller]
    pub(crate) fn rpc(&self) -> Value {
        if !self.header("content-type").starts_with("text/event-stream") {
            return self.json();
        }
        let text = self.text();
        let messages = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let mut messages = messages.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        messages
            .find(|message| message.get("result").is_some() || message.get("error").is_some())
            .unwrap_or_else(|| panic!("no answer in the stream: {text}"))
    }

    /// Where it redirects to.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        assert!(
            (300..400).contains(&self.status),
            "no redirect: {}",
            self.brief()
        );
        self.header("location").to_owned()
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value)
}

/// A query or a form's body.
pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// A parameter of a URL's query; `None` without one.
pub(crate) fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    let mut values = url.query_pairs().filter(|(known, _)| known == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    assert!(values.next().is_none(), "{name} comes twice in {url}");
    value
}

//! HTTP/1.1 by hand, one request a connection: a connection that ends early must be seen as such.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::events::Opened;

/// Longer than everything that the server itself gives up on.
const PATIENCE: Duration = Duration::from_secs(45);

#[derive(Clone)]
pub(crate) struct Request {
    method: &'static str,
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: String,
}

pub(crate) fn request(method: &'static str, url: &str) -> Request {
    Request {
        method,
        url: Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}")),
        headers: Vec::new(),
        body: String::new(),
    }
}

pub(crate) fn get(url: &str) -> Request {
    request("GET", url)
}

pub(crate) fn post(url: &str) -> Request {
    request("POST", url)
}

impl Request {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn json(mut self, value: &Value) -> Self {
        self.body = value.to_string();
        self.header("content-type", "application/json")
    }

    /// The whole answer, or an error when it does not come whole.
    pub(crate) fn send(&self) -> io::Result<Response> {
        let (address, text) = self.write()?;
        Response::parse(&exchange(address, &text)?)
    }

    /// Sends it; the answer may be a stream.
    pub(crate) fn open(&self) -> Opened {
        let sent = self.write().and_then(|(address, text)| {
            let mut stream = connect(address)?;
            stream.write_all(&text)?;
            Ok(stream)
        });
        sent.map_or(Opened::Nothing, Opened::read)
    }

    /// Where it goes, and its bytes.
    fn write(&self) -> io::Result<(SocketAddr, Vec<u8>)> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        let address = format!("{host}:{port}");
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let mut text = format!("{} {target} HTTP/1.1\r\nhost: {address}\r\n", self.method);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let length = self.body.len();
        text += &format!(
            "content-length: {length}\r\nconnection: close\r\n\r\n{}",
            self.body
        );
        let address = address.parse().map_err(io::Error::other)?;
        Ok((address, text.into_bytes()))
    }
}

/// A connection that waits no longer than the patience.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends this, and reads until the other side closes.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(address)?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Whether the answer was whole shows in it.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
        _ => Ok(answer),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    /// Reads an answer; one that is not whole is an error.
    pub(crate) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let cut = || io::Error::new(ErrorKind::UnexpectedEof, "the answer is not whole");
        let mut response = Self::head(bytes)?;
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let rest = &bytes[end.ok_or_else(cut)? + 4..];
        let body = if response.header("transfer-encoding") == "chunked" {
            unchunked(rest).ok_or_else(cut)?
        } else {
            let length = response.header("content-length").parse().unwrap_or(0);
            rest.get(..length).ok_or_else(cut)?.to_vec()
        };
        response.body = String::from_utf8_lossy(&body).into_owned();
        Ok(response)
    }

    /// Reads the head of an answer.
    pub(crate) fn head(bytes: &[u8]) -> io::Result<Self> {
        let cut = || io::Error::new(ErrorKind::UnexpectedEof, "the answer is not whole");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or_else(cut)?;
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Self {
            status: status.ok_or_else(cut)?,
            headers,
            body: String::new(),
        })
    }

    /// The header's value, empty without one.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.headers.iter().filter(move |(known, _)| known == name);
        of_name.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The JSON-RPC message that answers a request, out of a JSON body or a stream of events.
    pub(crate) fn rpc(&self) -> Option<Value> {
        let is_answer =
            |message: &Value| message.get("result").is_some() || message.get("error").is_some();
        if !self.header("content-type").starts_with("text/event-stream") {
            return Some(self.json()).filter(is_answer);
        }
        let data = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"));
        data.filter_map(|data| serde_json::from_str(data).ok())
            .find(is_answer)
    }

    /// What a report shows of it: no tokens, no style.
    pub(crate) fn brief(&self) -> String {
        let text = self.body.split("</style>").last().unwrap_or_default();
        let text: String = text.chars().take(300).collect();
        format!("{} {text}", self.status)
    }
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = String::from_utf8_lossy(&rest[..end]);
        let length = length.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(length, 16).ok()?;
        rest = &rest[end + 2..];
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length + 2..)?;
    }
}

//! One kept-alive HTTP/1.1 connection that sends what is ready to be sent and waits for the whole
//! answer. It does no more than that: the load should cost the servers' processors next to nothing.

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Result;

const MOST_HEADERS: usize = 64;

/// Where a server is: `http://127.0.0.1:8788/mcp`, taken apart.
#[derive(Clone, Debug)]
pub struct Target {
    authority: String,
    path: String,
}

impl Target {
    /// # Errors
    /// When it is no `http` URL with a path.
    pub fn parse(url: &str) -> Result<Self> {
        let parts = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'));
        let (authority, path) =
            parts.ok_or_else(|| format!("{url:?} is no http URL with a path"))?;
        Ok(Self {
            authority: authority.to_owned(),
            path: format!("/{path}"),
        })
    }

    /// Another path of the same server.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self {
            authority: self.authority.clone(),
            path: path.to_owned(),
        }
    }

    /// The bytes of a GET.
    #[must_use]
    pub fn get(&self, headers: &[(&str, &str)]) -> Vec<u8> {
        self.request("GET", headers)
    }

    /// The bytes of a request without a body.
    #[must_use]
    pub fn request(&self, method: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let Self { authority, path } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The bytes of a POST.
    #[must_use]
    pub fn post(&self, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let Self { authority, path } = self;
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: {authority}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        head.into_bytes()
    }
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer, as it lies in the connection's buffer.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    pub head: &'a [u8],
    /// The body, chunked if it came so.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(self.head);
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    }

    /// All of it, for a message.
    #[must_use]
    pub fn text(&self) -> String {
        let body = String::from_utf8_lossy(self.body);
        format!("{}{body}", String::from_utf8_lossy(self.head))
    }
}

/// An event stream that was opened, and is read until it ends.
#[derive(Debug)]
pub struct EventStream(TcpStream);

impl EventStream {
    /// Reads and forgets what comes, until the server ends the stream.
    pub async fn ended(self) {
        let Self(mut stream) = self;
        // Little, for there are thousands.
        let mut received = [0; 256];
        while let Ok(length @ 1..) = stream.read(&mut received).await {
            // The last chunk: the connection stays, the stream does not.
            if received[..length].ends_with(b"\r\n0\r\n\r\n") || received[..length] == *b"0\r\n\r\n"
            {
                return;
            }
        }
    }
}

/// How much of the buffer an answer takes.
struct Extent {
    status: u16,
    head: usize,
    end: usize,
}

impl Connection {
    /// # Errors
    /// When nobody listens there.
    pub async fn open(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(&target.authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends a request for an event stream and reads until `until` has come; what came, and the stream.
    ///
    /// # Errors
    /// When the connection breaks or the answer is none of 200.
    pub async fn stream(mut self, request: &[u8], until: &str) -> Result<(String, EventStream)> {
        self.received.clear();
        self.stream.write_all(request).await?;
        loop {
            if memmem::find(&self.received, until.as_bytes()).is_some() {
                let came = String::from_utf8_lossy(&self.received).into_owned();
                return Ok((came, EventStream(self.stream)));
            }
            let has_head = memmem::find(&self.received, b"\r\n\r\n").is_some();
            let is_stream = memmem::find(&self.received, b"text/event-stream").is_some();
            if has_head && !is_stream || self.stream.read_buf(&mut self.received).await? == 0 {
                let received = String::from_utf8_lossy(&self.received);
                return Err(format!("no stream with {until:?} but {received:?}").into());
            }
        }
    }

    /// Sends a request and waits for the end of its answer.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is not HTTP.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.received.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                let received = String::from_utf8_lossy(&self.received);
                return Err(format!("the server closed the connection after {received:?}").into());
            }
            if let Some(extent) = extent(&self.received)? {
                return Ok(Answer {
                    status: extent.status,
                    head: &self.received[..extent.head],
                    body: &self.received[extent.head..extent.end],
                });
            }
        }
    }
}

/// Of one whole answer; `None` while there is more to come.
fn extent(received: &[u8]) -> Result<Option<Extent>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(received)? else {
        return Ok(None);
    };
    let header = |name: &str| {
        let mut headers = response.headers.iter();
        let found = headers.find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let status = response.code.unwrap_or_default();
    let body = &received[head..];
    let length = match (header("content-length"), header("transfer-encoding")) {
        (Some(length), _) => Some(length.parse()?).filter(|length| body.len() >= *length),
        (None, Some(_)) => chunked(body)?,
        (None, None) => Some(0),
    };
    Ok(length.map(|length| Extent {
        status,
        head,
        end: head + length,
    }))
}

/// How long a chunked body is, once its last chunk is there.
fn chunked(body: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let Some(line) = memmem::find(&body[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&body[at..at + line])?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        let end = at + line + 2 + size + 2;
        if body.len() < end {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(end));
        }
        at = end;
    }
}

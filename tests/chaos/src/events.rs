//! Streams of events (text/event-stream), read as they come.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::http::Response;

/// The answer to a request that may open a stream.
pub(crate) enum Opened {
    Stream(Events),
    /// Another answer, whole.
    Answer(Response),
    /// None, or not all of it.
    Nothing,
}

/// An open stream.
pub(crate) struct Events {
    /// The answer's head.
    pub(crate) head: Response,
    reader: BufReader<TcpStream>,
    text: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Empty without one.
    pub(crate) id: String,
    /// Its type, `message` unless it says another.
    pub(crate) name: String,
    /// Empty for one that only names a place.
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

impl Opened {
    /// Reads the head of an answer, and the rest too where it is no stream.
    pub(crate) fn read(stream: TcpStream) -> Self {
        Self::try_read(stream).unwrap_or(Self::Nothing)
    }

    fn try_read(stream: TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut head)? == 0 {
                return Ok(Self::Nothing);
            }
        }
        let known = Response::head(&head)?;
        if known.status == 200
            && known
                .header("content-type")
                .starts_with("text/event-stream")
        {
            return Ok(Self::Stream(Events {
                head: known,
                reader,
                text: String::new(),
            }));
        }
        reader.read_to_end(&mut head)?;
        Response::parse(&head).map(Self::Answer)
    }
}

impl Events {
    /// The next event with an id or data; `None` when the stream has ended, however it did.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                let mut event = Event {
                    id: field("id:"),
                    name: field("event:"),
                    data: field("data:"),
                };
                self.text = rest.to_owned();
                if event.name.is_empty() {
                    "message".clone_into(&mut event.name);
                }
                if !event.id.is_empty() || !event.data.is_empty() {
                    return Some(event);
                }
            }
            let chunk = self.chunk()?;
            self.text += &chunk;
        }
    }

    /// One piece of a body in chunks (RFC 9112, section 7.1).
    fn chunk(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        if length == 0 {
            return None;
        }
        let mut chunk = vec![0; length + 2];
        self.reader.read_exact(&mut chunk).ok()?;
        chunk.truncate(length);
        Some(String::from_utf8_lossy(&chunk).replace("\r\n", "\n"))
    }
}

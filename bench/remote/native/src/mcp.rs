//! The messages of an MCP client, as bytes that are ready to be sent.

use memchr::memmem;
use serde_json::{Value, json};

use crate::{
    Result, answer,
    connection::{Answer, Connection, Target},
};

/// How requests to one server look.
#[derive(Clone, Debug)]
pub struct Requests {
    target: Target,
    authorization: Option<String>,
}

/// A session of 2025-11-25.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    requests: &'a Requests,
    id: String,
}

const VERSION: &str = "2025-11-25";
const BOTH_TYPES: (&str, &str) = ("accept", "application/json, text/event-stream");

impl Requests {
    /// Requests to this URL, with this access token if there is one.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self> {
        Ok(Self {
            target: Target::parse(url)?,
            authorization: token.map(|token| format!("Bearer {token}")),
        })
    }

    /// With the access token of the variable `MCP_LOAD_TOKEN`, if it is there.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn of_environment(url: &str) -> Result<Self> {
        Self::new(url, std::env::var("MCP_LOAD_TOKEN").ok().as_deref())
    }

    /// The same requests to another path.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self {
            target: self.target.at(path),
            authorization: self.authorization.clone(),
        }
    }

    /// Where they go.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    fn with_authorization<'a>(&'a self, headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let authorization = self.authorization.as_deref();
        let authorization = authorization.map(|value| ("authorization", value));
        headers.iter().copied().chain(authorization).collect()
    }

    /// A GET that wants an event stream.
    #[must_use]
    pub fn event_stream(&self, headers: &[(&str, &str)]) -> Vec<u8> {
        let accept = ("accept", "text/event-stream");
        let headers = [&[accept], headers].concat();
        self.target.get(&self.with_authorization(&headers))
    }

    /// A POST of a message.
    #[must_use]
    pub fn message(&self, headers: &[(&str, &str)], message: &Value) -> Vec<u8> {
        let first = [("content-type", "application/json"), BOTH_TYPES];
        let headers = [&first, headers].concat();
        let headers = self.with_authorization(&headers);
        self.target.post(&headers, &message.to_string())
    }

    /// A call of a tool that stands for itself (2026-07-28).
    #[must_use]
    pub fn standalone_call(&self, tool: &Tool) -> Vec<u8> {
        let headers = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", tool.name()),
        ];
        let mut params = tool.params();
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
        params["_meta"]["io.modelcontextprotocol/clientInfo"] = client_info();
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        self.message(&headers, &call(&params))
    }

    /// Opens a session.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn open_session(&self, connection: &mut Connection) -> Result<Session<'_>> {
        let initialize = self.message(&[], &initialize(VERSION));
        let answer = connection.exchange(&initialize).await?;
        let id = answer.header("mcp-session-id");
        let id = id.ok_or_else(|| format!("no session was opened: {}", answer.text()))?;
        let session = Session { requests: self, id };
        let answer = connection
            .exchange(&session.message(&initialized()))
            .await?;
        match answer.status {
            202 => Ok(session),
            _ => Err(format!("a notification was refused: {}", answer.text()).into()),
        }
    }
}

impl Session<'_> {
    fn headers(&self) -> [(&str, &str); 2] {
        [
            ("mcp-protocol-version", VERSION),
            ("mcp-session-id", self.id.as_str()),
        ]
    }

    fn message(&self, message: &Value) -> Vec<u8> {
        self.requests.message(&self.headers(), message)
    }

    /// A call of a tool.
    #[must_use]
    pub fn call(&self, tool: &Tool) -> Vec<u8> {
        self.message(&call(&tool.params()))
    }

    /// The GET of the stream that belongs to no request.
    #[must_use]
    pub fn stream(&self) -> Vec<u8> {
        self.requests.event_stream(&self.headers())
    }

    /// The end of it.
    #[must_use]
    pub fn end(&self) -> Vec<u8> {
        let headers = self.headers();
        let headers = self.requests.with_authorization(&headers);
        self.requests.target.request("DELETE", &headers)
    }
}

/// What is called.
#[derive(Clone, Debug)]
pub enum Tool {
    /// `add`, of 17 and 25.
    Add,
    /// `wait` of `clerk-mcp-bench-server`: it reports progress, waits so long, and answers 42.
    Wait {
        /// Seconds.
        seconds: u32,
    },
}

impl Tool {
    fn name(&self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Wait { .. } => "wait",
        }
    }

    fn params(&self) -> Value {
        match self {
            Self::Add => json!({"name": "add", "arguments": answer::arguments()}),
            Self::Wait { seconds } => json!({
                "name": "wait",
                "arguments": {"seconds": seconds},
                "_meta": {"progressToken": 1},
            }),
        }
    }
}

/// Whether this is the answer to 17 + 25.
///
/// # Errors
/// When it is another.
pub fn check(answer: &Answer<'_>) -> Result<()> {
    if answer.status == 200 && memmem::find(answer.body, answer::RIGHT).is_some() {
        return Ok(());
    }
    Err(format!("this is not the answer to 17 + 25: {}", answer.text()).into())
}

/// An `initialize` of this revision.
#[must_use]
pub fn initialize(version: &str) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": client_info(),
        },
    })
}

/// What follows it.
#[must_use]
pub fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

fn client_info() -> Value {
    json!({"name": "mcp-load", "version": "1.0.0"})
}

fn call(params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
}

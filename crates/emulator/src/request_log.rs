//! The last requests, for tests to look at. Secrets never get in: no headers are kept but the
//! content type and the API version, and secret members of queries and bodies are blotted out.

use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// How many requests are kept.
const CAPACITY: usize = 200;
/// Bodies above this are not kept, only their length.
const MAX_BODY: usize = 16 * 1024;
/// Members that hold secrets.
const SECRETS: [&str; 13] = [
    "password",
    "password_digest",
    "totp_secret",
    "backup_codes",
    "ticket",
    "token",
    "secret",
    "jwt",
    "code",
    "code_verifier",
    "nonce",
    "__clerk_db_jwt",
    "__session",
];
const BLOT: &str = "***";

/// The log, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(VecDeque<Value>);

impl RequestLog {
    /// Notes a request.
    pub(crate) fn note<B: AsRef<[u8]>>(
        &mut self,
        request: &Request<B>,
        operation: Option<&str>,
        now: u64,
    ) {
        if self.0.len() == CAPACITY {
            self.0.pop_front();
        }
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let body = request.body().as_ref();
        let parsed = if body.is_empty() || body.len() > MAX_BODY {
            Value::Null
        } else {
            let form = header(CONTENT_TYPE.as_str())
                .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
            if form {
                blotted(fields(body))
            } else {
                serde_json::from_slice(body)
                    .map(blotted)
                    .unwrap_or_default()
            }
        };
        self.0.push_back(json!({
            "at": now,
            "method": request.method().as_str(),
            "url": url(request.uri()),
            "operation": operation,
            "content_type": header(CONTENT_TYPE.as_str()),
            "api_version": header("clerk-api-version"),
            "body": parsed,
            "body_bytes": body.len(),
        }));
    }

    pub(crate) fn view(&self) -> Value {
        json!({ "data": self.0, "total_count": self.0.len() })
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A form as an object of texts.
fn fields(body: &[u8]) -> Value {
    let pairs = form_urlencoded::parse(body);
    let pairs = pairs.map(|(name, value)| (name.into_owned(), json!(value)));
    Value::Object(pairs.collect())
}

fn url(uri: &http::Uri) -> String {
    let Some(query) = uri.query() else {
        return uri.path().to_owned();
    };
    let mut shown = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let hidden = is_secret(&name);
        shown.append_pair(&name, if hidden { BLOT } else { &value });
    }
    format!("{}?{}", uri.path(), shown.finish())
}

fn blotted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let hide = |(name, value): (String, Value)| {
                let value = if is_secret(&name) {
                    json!(BLOT)
                } else {
                    blotted(value)
                };
                (name, value)
            };
            Value::Object(members.into_iter().map(hide).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(blotted).collect(),
        Value::String(text) if ["sk_", "ak_"].iter().any(|start| text.starts_with(start)) => {
            json!(BLOT)
        }
        other => other,
    }
}

/// `ticket` and everything that ends with one of the names, such as `client_secret`.
fn is_secret(name: &str) -> bool {
    SECRETS
        .iter()
        .any(|secret| name == *secret || name.ends_with(&format!("_{secret}")))
}

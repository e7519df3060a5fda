//! From an answer to a result. Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{
    HeaderMap, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use mcp::{Content, ToolResult};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use toolkit::{
    cut::{RESULT_LIMIT, cut_items, json_size},
    text::{escape_invisible, escape_str},
};

use super::{
    fault::ToolFault,
    retry_after,
    schema::RESULT,
    tool::{HttpTool, OutputKind},
};

/// What some servers begin UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Most characters of an API's own words that an error repeats.
const MOST_SAID: usize = 300;

impl HttpTool {
    /// The result that an answer makes.
    ///
    /// # Errors
    /// A status that is no success, another content type, JSON that is none or not as the output
    /// schema says, and what is too large for a result.
    pub fn shape(&self, response: &Response<Bytes>) -> Result<ToolResult, ToolFault> {
        judge(response)?;
        let body = response.body();
        match self.output {
            OutputKind::Json if body.is_empty() => self.empty(response.status().as_u16()),
            OutputKind::Json => {
                let json = self.json(response)?;
                let selected = match &self.output_pointer {
                    None => json,
                    Some(pointer) => json.pointer(pointer).cloned().ok_or_else(|| {
                        let problem = format!("there is nothing at `{pointer}`");
                        ToolFault::InvalidAnswer { problem }
                    })?,
                };
                self.structured(selected)
            }
            OutputKind::Text => {
                let kind = content_type(response.headers());
                let is_text = kind.is_empty() || is_text(&kind);
                self.expect(is_text, &kind, "text")?;
                let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
                Ok(text(&String::from_utf8_lossy(body)))
            }
            kind => self.binary(kind, response),
        }
    }

    /// The JSON of a successful answer.
    pub(crate) fn json(&self, response: &Response<Bytes>) -> Result<Value, ToolFault> {
        let kind = content_type(response.headers());
        self.expect(is_json(&kind), &kind, "JSON")?;
        // RFC 8259 section 8.1: a byte order mark may be ignored.
        let body = response.body();
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        serde_json::from_slice(body).map_err(|error| ToolFault::InvalidAnswer {
            // No part of the answer is in that.
            problem: format!("as JSON it has a fault: {error}"),
        })
    }

    /// What is to be saved of a successful answer; null where it has nothing.
    pub(crate) fn saved(
        &self,
        response: &Response<Bytes>,
    ) -> Result<Map<String, Value>, ToolFault> {
        if self.save.is_empty() || response.body().is_empty() {
            return Ok(Map::new());
        }
        let json = self.json(response)?;
        let saved = self.save.iter().map(|(name, pointer)| {
            let value = json.pointer(pointer).cloned().unwrap_or_default();
            (name.clone(), value)
        });
        Ok(saved.collect())
    }

    /// The result of gathered pages.
    pub(crate) fn pages(
        &self,
        items: Vec<Value>,
        next: Option<Value>,
    ) -> Result<ToolResult, ToolFault> {
        let mut object = Map::new();
        object.insert("items".to_owned(), Value::Array(items));
        object.insert("more".to_owned(), next.is_some().into());
        if let Some(next) = next {
            object.insert("next".to_owned(), next);
        }
        self.finish(object, Some("items"))
    }

    fn structured(&self, value: Value) -> Result<ToolResult, ToolFault> {
        let wrap = self.wraps_output || !value.is_object();
        match value {
            Value::Object(object) if !wrap => self.finish(object, None),
            value => {
                let is_list = value.is_array();
                let object = Map::from_iter([(RESULT.to_owned(), value)]);
                self.finish(object, is_list.then_some(RESULT))
            }
        }
    }

    /// Checks and bounds structured content. `list` names the member whose items may be cut.
    fn finish(
        &self,
        object: Map<String, Value>,
        list: Option<&str>,
    ) -> Result<ToolResult, ToolFault> {
        if let Some(schema) = &self.output_schema {
            schema
                .check(&object)
                .map_err(|fault| ToolFault::InvalidAnswer {
                    problem: fault.problem,
                })?;
        }
        let mut value = Value::Object(object);
        escape_invisible(&mut value);
        let size = json_size(&value);
        let note = if size > RESULT_LIMIT {
            Some(cut(&mut value, list).ok_or(ToolFault::TooLarge {
                limit: RESULT_LIMIT,
            })?)
        } else {
            None
        };
        let Value::Object(object) = value else {
            return Ok(ToolResult::default());
        };
        let mut result = ToolResult::structured(object);
        if let Some(note) = note {
            result.content = vec![Content::Text(result.text()), Content::Text(note)];
        }
        Ok(result)
    }

    fn empty(&self, status: u16) -> Result<ToolResult, ToolFault> {
        if self.output_schema.is_some() {
            let problem = "it is empty".to_owned();
            return Err(ToolFault::InvalidAnswer { problem });
        }
        let status = Map::from_iter([("status".to_owned(), status.into())]);
        Ok(ToolResult::structured(status))
    }

    fn binary(
        &self,
        kind: OutputKind,
        response: &Response<Bytes>,
    ) -> Result<ToolResult, ToolFault> {
        let mime_type = content_type(response.headers());
        let body = response.body();
        if body.is_empty() {
            let problem = "it is empty".to_owned();
            return Err(ToolFault::InvalidAnswer { problem });
        }
        let data = BASE64.encode(body);
        let content = match kind {
            OutputKind::Image => {
                self.expect(mime_type.starts_with("image/"), &mime_type, "an image")?;
                Content::Image { data, mime_type }
            }
            OutputKind::Audio => {
                self.expect(mime_type.starts_with("audio/"), &mime_type, "audio")?;
                Content::Audio { data, mime_type }
            }
            OutputKind::Json | OutputKind::Text | OutputKind::File => Content::Blob {
                uri: self.file_uri(body),
                data,
                mime_type: if mime_type.is_empty() {
                    "application/octet-stream".to_owned()
                } else {
                    mime_type
                },
            },
        };
        Ok(ToolResult::content(vec![content]))
    }

    /// A name for a file, of its content: the API's address is nobody's business.
    fn file_uri(&self, body: &[u8]) -> String {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let short: String = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("clerk-mcp://tools/{}/{short}", self.name())
    }

    fn expect(&self, holds: bool, found: &str, expected: &'static str) -> Result<(), ToolFault> {
        if holds {
            return Ok(());
        }
        let found = if found.is_empty() {
            "no content type".to_owned()
        } else {
            super::fault::shown(found)
        };
        Err(ToolFault::ContentType { found, expected })
    }
}

/// What an answer's status means.
pub(crate) fn judge(response: &Response<Bytes>) -> Result<(), ToolFault> {
    let status = response.status().as_u16();
    Err(match status {
        200..=299 => {
            let encoding = response.headers().get(CONTENT_ENCODING);
            if encoding.is_none_or(|encoding| encoding == "identity") {
                return Ok(());
            }
            let problem = "it is compressed, though that was not asked for".to_owned();
            ToolFault::InvalidAnswer { problem }
        }
        301 | 302 | 303 | 307 | 308 => ToolFault::Redirect { status },
        100..=399 => ToolFault::InvalidAnswer {
            problem: format!("its status is {status}"),
        },
        401 => ToolFault::SignInAgain,
        403 => ToolFault::Forbidden {
            said: said(response),
        },
        404 | 410 => ToolFault::NotFound {
            status,
            said: said(response),
        },
        429 => ToolFault::RateLimited {
            retry_after: retry_after::seconds(response.headers()),
        },
        _ => ToolFault::Refused {
            status,
            retry_after: retry_after::seconds(response.headers()),
            said: said(response),
        },
    })
}

/// An API's own words, cut and escaped: data, not instructions. A page is none.
fn said(response: &Response<Bytes>) -> String {
    let kind = content_type(response.headers());
    let plain = (is_text(&kind) && kind != "text/html") || is_json(&kind);
    if !plain || response.headers().contains_key(CONTENT_ENCODING) {
        return String::new();
    }
    // Enough for the characters, however many bytes each has.
    let start = &response.body()[..response.body().len().min(MOST_SAID * 4)];
    let text = String::from_utf8_lossy(start);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = words.chars().take(MOST_SAID).collect();
    if short.len() < words.len() || start.len() < response.body().len() {
        short.push('…');
    }
    escape_str(&short).into_owned()
}

/// `application/json` of `Application/JSON; charset=utf-8`; nothing when there is none.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next();
    essence.unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(kind: &str) -> bool {
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

fn is_text(kind: &str) -> bool {
    let others = [
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/javascript",
    ];
    kind.starts_with("text/") || is_json(kind) || kind.ends_with("+xml") || others.contains(&kind)
}

fn text(whole: &str) -> ToolResult {
    let mut end = whole.len().min(RESULT_LIMIT);
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    let mut content = vec![Content::Text(escape_str(&whole[..end]).into_owned())];
    if end < whole.len() {
        let note = format!("The first {end} of {} bytes; ask for less.", whole.len());
        content.push(Content::Text(note));
    }
    ToolResult::content(content)
}

/// Leaves out items from the end until the whole fits, and says so; `None` when it cannot.
fn cut(value: &mut Value, list: Option<&str>) -> Option<String> {
    let object = value.as_object_mut()?;
    let mut items = match object.get_mut(list?)?.take() {
        Value::Array(items) => items,
        _ => return None,
    };
    // Where the next page begins says nothing of the items that are left out.
    if object.remove("next").is_some() | object.contains_key("more") {
        object.insert("more".to_owned(), true.into());
    }
    let rest = json_size(value);
    let cut = cut_items(&mut items, RESULT_LIMIT.saturating_sub(rest));
    if cut.kept == 0 {
        return None;
    }
    value
        .as_object_mut()?
        .insert(list?.to_owned(), Value::Array(items));
    let whole = cut.kept + cut.dropped;
    Some(format!(
        "The first {} of {whole} items; ask for less to see the others.",
        cut.kept
    ))
}

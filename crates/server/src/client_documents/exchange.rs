//! One request and its answer.

use http::{HeaderMap, StatusCode, header};
use oauth::FetchedDocument;
use url::Url;

use super::fault::Fault;

/// Asks for a document of at most so many bytes.
pub(super) async fn get(
    client: &reqwest::Client,
    url: &Url,
    most_bytes: usize,
) -> Result<FetchedDocument, Fault> {
    let request = client
        .get(url.clone())
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "identity");
    let mut answer = request.send().await.map_err(|error| Fault::of(&error))?;
    if answer.status() != StatusCode::OK {
        let status = answer.status().as_u16();
        return Err(Fault::Status { status });
    }
    let headers = answer.headers();
    let content_type = joined(headers, &header::CONTENT_TYPE);
    let cache_control = joined(headers, &header::CACHE_CONTROL);
    let encoding = joined(headers, &header::CONTENT_ENCODING);
    if !content_type.as_deref().is_some_and(is_json) {
        return Err(Fault::ContentType);
    }
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(Fault::Encoded);
    }
    let declared = answer.content_length().unwrap_or_default();
    let too_large = Fault::TooLarge {
        kilobytes: most_bytes / 1024,
    };
    if declared > most_bytes as u64 {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Fault::of(&error))? {
        if body.len() + chunk.len() > most_bytes {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(FetchedDocument {
        content_type,
        cache_control,
        body,
    })
}

/// The values of a header, joined by commas; `None` without any that is text.
fn joined(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// `application/json` or `application/…+json`, whatever the parameters. `oauth` looks again; here
/// it saves reading a body that is something else.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

//! An API may say what it was sent. The credential among that is not for the model, nor for whoever
//! reads along with it.

use bytes::Bytes;
use http::Response;

const HIDDEN: &[u8] = b"(a credential, not shown)";
/// What is shorter is no secret, and stands in many a text by chance.
const SHORTEST: usize = 8;

/// The answer without the credential that its request had, `sent` as the value of a header: the text
/// without its scheme, also with the slashes escaped as some JSON writers do; and of a JSON Web Token the
/// signature, without which the rest is none.
#[must_use]
pub fn hide(response: Response<Bytes>, sent: &[u8]) -> Response<Bytes> {
    let secret = sent.rsplit(|byte| *byte == b' ').next().unwrap_or(sent);
    let signature = secret.rsplit(|byte| *byte == b'.').next().unwrap_or(secret);
    // Padding is escaped by some writers, and nothing without the rest.
    let found = [secret, signature].map(|text| trim_padding(text).to_vec());
    let escaped = found.clone().map(|text| escape_slashes(&text));
    response.map(|body| {
        found.iter().chain(&escaped).fold(body, |body, text| {
            match text.len() < SHORTEST || memchr::memmem::find(&body, text).is_none() {
                true => body,
                false => replace(&body, text).into(),
            }
        })
    })
}

fn trim_padding(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b'=');
    end.and_then(|end| text.get(..=end)).unwrap_or_default()
}

fn escape_slashes(text: &[u8]) -> Vec<u8> {
    let escaped = text.iter().flat_map(|byte| match byte {
        b'/' => &b"\\/"[..],
        other => std::slice::from_ref(other),
    });
    escaped.copied().collect()
}

fn replace(body: &[u8], text: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest, text) {
        let (before, found) = rest.split_at(at);
        shown.extend_from_slice(before);
        shown.extend_from_slice(HIDDEN);
        rest = found.get(text.len()..).unwrap_or_default();
    }
    shown.extend_from_slice(rest);
    shown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn shown(header: &str, body: &str) -> String {
        let response = Response::new(Bytes::from(body.to_owned()));
        String::from_utf8(hide(response, header.as_bytes()).into_body().to_vec()).unwrap()
    }

    #[test]
    fn credentials_are_taken_out_of_answers() {
        let hidden = "(a credential, not shown)";
        for (header, body, expected) in [
            (
                "Bearer aaaa.bbbb.cccccccc",
                r#"{"a":"Bearer aaaa.bbbb.cccccccc"}"#,
                format!(r#"{{"a":"Bearer {hidden}"}}"#),
            ),
            (
                "Bearer aaaa.bbbb.cccccccc",
                "cccccccc, cccccccc.",
                format!("{hidden}, {hidden}."),
            ),
            (
                "Basic YWRh/W46c2VjcmV0==",
                r#""YWRh\/W46c2VjcmV0\u003d=""#,
                format!(r#""{hidden}\u003d=""#),
            ),
            (
                "key_1234567890",
                "the key key_1234567890",
                format!("the key {hidden}"),
            ),
            ("Bearer short", "short", "short".to_owned()),
            (
                "Bearer aaaa.bbbb.cccccccc",
                "nothing of it",
                "nothing of it".to_owned(),
            ),
        ] {
            assert_eq!(shown(header, body), expected, "{header}: {body}");
        }
    }
}

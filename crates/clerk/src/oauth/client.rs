use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};

use super::secret::Secret;
use crate::api_url::is_loopback;

/// Who we are to Clerk: an OAuth application of the dashboard.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthClient {
    client_id: String,
    client_secret: Option<Secret>,
    redirect_uri: String,
}

/// Why there is no such OAuth client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OAuthClientError {
    /// The client id is empty or has spaces or characters other than printable ASCII.
    #[error(
        "the client id is empty, or has characters that no client id has\n\
         hint: copy CLERK_CLIENT_ID from the OAuth application in https://dashboard.clerk.com"
    )]
    ClientId,
    /// The redirect URI is no `https` URL, nor `http` on this machine, or has user name or fragment.
    #[error(
        "the redirect URI is no https:// URL without user name and fragment\n\
         hint: it is the public URL with /callback; http:// is for 127.0.0.1, [::1] and localhost only"
    )]
    RedirectUri,
}

impl OAuthClient {
    /// The client `client_id`: confidential when there is a secret, public otherwise. `redirect_uri`
    /// is where Clerk sends the browser back to, exactly as the OAuth application lists it.
    ///
    /// # Errors
    /// [`OAuthClientError`] when the client id or the redirect URI cannot be one.
    pub fn new(
        client_id: impl Into<String>,
        client_secret: Option<Secret>,
        redirect_uri: impl Into<String>,
    ) -> Result<Self, OAuthClientError> {
        let client_id = client_id.into().trim().to_owned();
        if client_id.is_empty() || !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OAuthClientError::ClientId);
        }
        let redirect_uri = redirect_uri.into();
        if !is_redirect_uri(&redirect_uri) {
            return Err(OAuthClientError::RedirectUri);
        }
        Ok(Self {
            client_id,
            client_secret,
            redirect_uri,
        })
    }

    /// The client id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where Clerk sends the browser back to.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Whether it has a secret.
    pub fn is_confidential(&self) -> bool {
        self.client_secret.is_some()
    }

    /// A form for `endpoint`, with the client's authentication: `client_secret_basic` (RFC 6749
    /// section 2.3.1) when there is a secret, the client id in the form otherwise. `None` when
    /// `endpoint` is no URL.
    pub(super) fn form(
        &self,
        endpoint: &str,
        parameters: &[(&str, &str)],
    ) -> Option<http::Request<Bytes>> {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(parameters);
        if self.client_secret.is_none() {
            form.append_pair("client_id", &self.client_id);
        }
        let mut request = http::Request::new(Bytes::from(form.finish()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.parse().ok()?;
        let headers = request.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(secret) = &self.client_secret {
            headers.insert(AUTHORIZATION, self.basic(secret)?);
        }
        Some(request)
    }

    /// Texts that must appear in no message.
    pub(super) fn secret(&self) -> Option<&str> {
        self.client_secret.as_ref().map(Secret::expose)
    }

    /// Both parts are form-encoded before they are joined.
    fn basic(&self, secret: &Secret) -> Option<HeaderValue> {
        let encoded =
            |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let pair = format!("{}:{}", encoded(&self.client_id), encoded(secret.expose()));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("redirect_uri", &self.redirect_uri)
            .finish()
    }
}

fn is_redirect_uri(text: &str) -> bool {
    let Ok(uri) = text.parse::<http::Uri>() else {
        return false;
    };
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains('#');
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let no_user = authority.is_some_and(|authority| !authority.contains('@'));
    let host = uri.host().unwrap_or_default();
    let scheme = match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback(host),
        _ => false,
    };
    plain && no_user && scheme
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECT: &str = "https://mcp.example.com/callback";

    fn client(secret: Option<&str>) -> OAuthClient {
        OAuthClient::new("client:1", secret.map(Secret::new), REDIRECT).unwrap()
    }

    #[test]
    fn a_confidential_client_authenticates_with_basic_alone() {
        let request = client(Some("s%:é "))
            .form("https://clerk.test/oauth/token", &[("code", "a b")])
            .unwrap();
        let value = &request.headers()[AUTHORIZATION];
        assert!(value.is_sensitive());
        let pair = STANDARD
            .decode(value.to_str().unwrap().strip_prefix("Basic ").unwrap())
            .unwrap();
        assert_eq!(pair, b"client%3A1:s%25%3A%C3%A9+");
        assert_eq!(request.body(), "code=a+b");
    }

    #[test]
    fn a_public_client_names_itself() {
        let request = client(None)
            .form("https://clerk.test/oauth/token", &[("code", "x")])
            .unwrap();
        assert!(!request.headers().contains_key(AUTHORIZATION));
        assert_eq!(request.body(), "code=x&client_id=client%3A1");
        assert_eq!(
            request.headers()[CONTENT_TYPE],
            "application/x-www-form-urlencoded"
        );
    }

    #[test]
    fn prints_no_secret() {
        let text = format!("{:?}", client(Some("hidden-value")));
        assert!(
            text.contains("client:1") && !text.contains("hidden"),
            "{text}"
        );
    }

    #[test]
    fn refuses_what_cannot_be_a_client() {
        for id in ["", " ", "a b", "ä"] {
            let error = OAuthClient::new(id, None, REDIRECT).unwrap_err();
            assert_eq!(error, OAuthClientError::ClientId, "{id:?}");
        }
        for uri in [
            "",
            "/callback",
            "http://mcp.example.com/callback",
            "http://localhost.evil.example/callback",
            "https://user@mcp.example.com/callback",
            "https://mcp.example.com/callback#x",
            "custom://callback",
            "https://mcp.example.com/a b",
        ] {
            let error = OAuthClient::new("c", None, uri).unwrap_err();
            assert_eq!(error, OAuthClientError::RedirectUri, "{uri:?}");
        }
        for uri in [REDIRECT, "http://127.0.0.1:8790/callback", "http://[::1]/c"] {
            assert!(OAuthClient::new("c", None, uri).is_ok(), "{uri}");
        }
    }
}

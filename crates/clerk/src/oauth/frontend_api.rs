use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::api_url::{ApiUrl, ApiUrlError, is_loopback};
use crate::secret_key::InstanceKind;

/// Publishable keys come with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where an instance's Frontend API is, which is also the issuer of its OAuth provider: `https` and a
/// host, or `http` on this machine. Without a path, and without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontendApi {
    text: String,
    loopback: bool,
}

/// Why a text is no address of a Frontend API. Never holds the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontendApiError {
    /// It is a key, or a text that is no host.
    #[error(
        "the Clerk Frontend API URL is not a valid URL\n\
         hint: copy CLERK_FRONTEND_API from https://dashboard.clerk.com (API keys); it looks like \
         https://verb-noun-00.clerk.accounts.dev"
    )]
    Invalid,
    /// It is neither `https` nor `http`.
    #[error(
        "the Clerk Frontend API URL must begin with https://\n\
         hint: it looks like https://verb-noun-00.clerk.accounts.dev"
    )]
    Scheme,
    /// It is `http` to another machine: codes and tokens would travel in plain text.
    #[error(
        "the Clerk Frontend API URL must begin with https://, as it leads to another machine\n\
         hint: http:// is for 127.0.0.1, [::1] and localhost only"
    )]
    PlainHttp,
    /// It holds a user name or password.
    #[error(
        "the Clerk Frontend API URL holds a user name or password\n\
         hint: remove what stands before '@'"
    )]
    UserInfo,
    /// It has a path, a query or a fragment.
    #[error(
        "the Clerk Frontend API URL has a path, a query or a fragment\n\
         hint: give https:// and the host alone"
    )]
    NotBare,
}

impl FrontendApi {
    /// Reads an address as `CLERK_FRONTEND_API` holds it: a URL, or a bare host. A slash or `/v1` at
    /// the end is dropped, and so is the scheme's own port.
    ///
    /// # Errors
    /// [`FrontendApiError`] for anything but `https`, or `http` on a loopback host, with a plain host.
    pub fn parse(text: &str) -> Result<Self, FrontendApiError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            with_scheme(text)
        };
        let url = ApiUrl::parse(&with_scheme).map_err(|error| match error {
            ApiUrlError::Invalid => FrontendApiError::Invalid,
            ApiUrlError::Scheme => FrontendApiError::Scheme,
            ApiUrlError::PlainHttp => FrontendApiError::PlainHttp,
            ApiUrlError::UserInfo => FrontendApiError::UserInfo,
            ApiUrlError::QueryOrFragment => FrontendApiError::NotBare,
        })?;
        let (scheme, host) = url
            .as_str()
            .split_once("://")
            .ok_or(FrontendApiError::Invalid)?;
        if host.contains('/') {
            return Err(FrontendApiError::NotBare);
        }
        // A name without a dot is no Clerk instance, but may well be a key in the wrong place.
        if !url.is_loopback() && !host.contains(['.', ':']) {
            return Err(FrontendApiError::Invalid);
        }
        let own_port = if scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(own_port).unwrap_or(host);
        Ok(Self {
            text: format!("{scheme}://{host}"),
            loopback: url.is_loopback(),
        })
    }

    /// The address, which is the issuer too.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it leads to this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for FrontendApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A host with the scheme that Clerk's SDKs give it: `http` on this machine, `https` elsewhere.
fn with_scheme(host: &str) -> String {
    let authority = host.split('/').next().unwrap_or(host);
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    let scheme = if is_loopback(name) { "http" } else { "https" };
    format!("{scheme}://{host}")
}

/// A publishable key, `pk_test_…` or `pk_live_…`. It is public: it names the Frontend API and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishableKey {
    instance: InstanceKind,
    frontend_api: FrontendApi,
}

/// Why a text is no publishable key. Never holds the text, which may be a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishableKeyError {
    /// It is a secret key.
    #[error(
        "this is a secret key, not a publishable key\n\
         hint: CLERK_PUBLISHABLE_KEY starts with pk_; give the sk_ key as CLERK_SECRET_KEY"
    )]
    SecretKey,
    /// It starts with neither `pk_test_` nor `pk_live_`.
    #[error(
        "a Clerk publishable key starts with pk_test_ or pk_live_\n\
         hint: copy it from https://dashboard.clerk.com (API keys), without quotes"
    )]
    UnknownPrefix,
    /// What follows the prefix is no base64 of a host and `$`.
    #[error(
        "the Clerk publishable key names no Frontend API\n\
         hint: copy the whole key from https://dashboard.clerk.com (API keys)"
    )]
    Invalid,
}

impl PublishableKey {
    /// Reads a publishable key. White space around it is ignored.
    ///
    /// # Errors
    /// [`PublishableKeyError`] when it is another kind of key or names no host.
    pub fn parse(text: &str) -> Result<Self, PublishableKeyError> {
        let key = text.trim();
        if key.starts_with("sk_") {
            return Err(PublishableKeyError::SecretKey);
        }
        let (instance, rest) = if let Some(rest) = key.strip_prefix("pk_test_") {
            (InstanceKind::Development, rest)
        } else if let Some(rest) = key.strip_prefix("pk_live_") {
            (InstanceKind::Production, rest)
        } else {
            return Err(PublishableKeyError::UnknownPrefix);
        };
        let host = host_of(rest).ok_or(PublishableKeyError::Invalid)?;
        let frontend_api =
            FrontendApi::parse(&with_scheme(&host)).map_err(|_| PublishableKeyError::Invalid)?;
        Ok(Self {
            instance,
            frontend_api,
        })
    }

    /// Which of the application's instances it belongs to.
    pub fn instance(&self) -> InstanceKind {
        self.instance
    }

    /// The Frontend API that it names.
    pub fn frontend_api(&self) -> &FrontendApi {
        &self.frontend_api
    }
}

/// The host in `base64(host$)`.
fn host_of(base64: &str) -> Option<String> {
    let decoded = String::from_utf8(BASE64.decode(base64).ok()?).ok()?;
    let host = decoded.strip_suffix('$')?;
    (!host.is_empty() && !host.contains("://")).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("https://clerk.example.com", "https://clerk.example.com"),
            (" clerk.example.com\n", "https://clerk.example.com"),
            ("https://Clerk.Example.com/", "https://clerk.example.com"),
            ("https://clerk.example.com:443", "https://clerk.example.com"),
            ("https://clerk.example.com/v1", "https://clerk.example.com"),
            ("clerk.example.com:8443", "https://clerk.example.com:8443"),
            ("http://127.0.0.1:8789", "http://127.0.0.1:8789"),
            ("127.0.0.1:8789", "http://127.0.0.1:8789"),
            ("localhost", "http://localhost"),
            ("http://localhost:80", "http://localhost"),
            ("[::1]:8789", "http://[::1]:8789"),
            ("https://localhost:8789", "https://localhost:8789"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                FrontendApi::parse(text).map(|api| api.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_would_leak_tokens() {
        use FrontendApiError::{Invalid, NotBare, PlainHttp, Scheme, UserInfo};
        let cases = [
            ("http://clerk.example.com", PlainHttp),
            ("http://localhost.evil.example", PlainHttp),
            ("ftp://clerk.example.com", Scheme),
            ("https://user:pw@clerk.example.com", UserInfo),
            ("user@clerk.example.com", UserInfo),
            ("https://clerk.example.com/proxy", NotBare),
            ("clerk.example.com/proxy", NotBare),
            ("https://clerk.example.com?x=1", NotBare),
            ("https://clerk.example.com#x", NotBare),
            ("", Invalid),
            ("https://", Invalid),
            ("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k", Invalid),
            ("sk_test_abcdefgh", Invalid),
            ("a b.example", Invalid),
        ];
        for (text, expected) in cases {
            let error = FrontendApi::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(error.to_string().contains("\nhint: "));
        }
    }

    #[test]
    fn derives_the_address_from_a_publishable_key() {
        let key = |prefix: &str, host: &str| format!("{prefix}{}", STANDARD.encode(host));
        let development = PublishableKey::parse(&key("pk_test_", "a.clerk.accounts.dev$")).unwrap();
        assert_eq!(development.instance(), InstanceKind::Development);
        assert_eq!(
            development.frontend_api().as_str(),
            "https://a.clerk.accounts.dev"
        );
        let production = PublishableKey::parse(&key("pk_live_", "clerk.example.com$")).unwrap();
        assert_eq!(production.instance(), InstanceKind::Production);
        let local = PublishableKey::parse(&key("pk_test_", "127.0.0.1:8789$")).unwrap();
        assert_eq!(local.frontend_api().as_str(), "http://127.0.0.1:8789");
        let unpadded = format!(
            " pk_test_{}\n",
            STANDARD_NO_PAD.encode("clerk.example.com$")
        );
        assert_eq!(
            PublishableKey::parse(&unpadded)
                .unwrap()
                .frontend_api()
                .as_str(),
            "https://clerk.example.com"
        );
    }

    #[test]
    fn refuses_other_keys() {
        use PublishableKeyError::{Invalid, SecretKey, UnknownPrefix};
        let of = |host: &str| format!("pk_test_{}", STANDARD.encode(host));
        let cases = [
            ("sk_test_abcdefgh".to_owned(), SecretKey),
            (String::new(), UnknownPrefix),
            ("pk_dev_x".to_owned(), UnknownPrefix),
            ("pk_test_".to_owned(), Invalid),
            ("pk_test_%%%".to_owned(), Invalid),
            (of("clerk.example.com"), Invalid),
            (of("$"), Invalid),
            (of("user@clerk.example.com$"), Invalid),
            (of("clerk.example.com/x$"), Invalid),
            (of("http://clerk.example.com$"), Invalid),
        ];
        for (text, expected) in cases {
            let error = PublishableKey::parse(&text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("abcdefgh"));
        }
    }
}

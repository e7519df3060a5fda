use serde_json::Value;

use super::error::{OAuthError, OAuthStep};
use super::frontend_api::FrontendApi;
use crate::api_url::is_loopback;
use crate::redact::quoted;

/// What the provider says about itself (RFC 8414, OpenID Connect Discovery), as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// Who issues ID tokens: the address of the Frontend API.
    pub issuer: String,
    /// Where the browser is sent.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are redeemed.
    pub token_endpoint: String,
    /// Where tokens are revoked, if anywhere.
    pub revocation_endpoint: Option<String>,
    /// Where the keys are that sign ID tokens.
    pub jwks_uri: String,
    /// Whether every authorization response names its issuer (RFC 9207).
    pub names_issuer_in_responses: bool,
}

impl ProviderMetadata {
    /// Reads metadata and checks what the rest relies on: the issuer is the Frontend API, endpoints
    /// are `https` (`http` only on this machine, for a Frontend API on this machine), and PKCE with
    /// S256 is not ruled out.
    ///
    /// # Errors
    /// [`OAuthError::Protocol`] with what is wrong.
    pub fn from_json(metadata: &Value, frontend_api: &FrontendApi) -> Result<Self, OAuthError> {
        if !metadata.is_object() {
            return Err(protocol("it is no JSON object".to_owned()));
        }
        let issuer = text(metadata, "issuer")?;
        // RFC 8414 section 3.3: identical, not merely equivalent.
        if issuer != frontend_api.as_str() {
            return Err(OAuthError::Protocol {
                step: OAuthStep::Discovery,
                problem: format!("its issuer is {}, not {frontend_api}", quoted(&issuer)),
                hint: "set CLERK_FRONTEND_API to the issuer, if it is yours".to_owned(),
            });
        }
        let supports = |name: &str, wanted: &str| match metadata.get(name) {
            Some(Value::Array(list)) => list.iter().any(|value| value == wanted),
            _ => true,
        };
        if !supports("code_challenge_methods_supported", "S256") {
            return Err(protocol("it offers no PKCE with S256".to_owned()));
        }
        if !supports("response_types_supported", "code") {
            return Err(protocol("it offers no authorization code flow".to_owned()));
        }
        let endpoint = |name| endpoint(metadata, name, frontend_api);
        Ok(Self {
            authorization_endpoint: endpoint("authorization_endpoint")?,
            token_endpoint: endpoint("token_endpoint")?,
            revocation_endpoint: match metadata.get("revocation_endpoint") {
                None | Some(Value::Null) => None,
                Some(_) => Some(endpoint("revocation_endpoint")?),
            },
            jwks_uri: endpoint("jwks_uri")?,
            names_issuer_in_responses: metadata
                .get("authorization_response_iss_parameter_supported")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            issuer,
        })
    }
}

fn text(metadata: &Value, name: &str) -> Result<String, OAuthError> {
    let text = metadata.get(name).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| protocol(format!("it names no `{name}`")))
}

fn endpoint(
    metadata: &Value,
    name: &str,
    frontend_api: &FrontendApi,
) -> Result<String, OAuthError> {
    let url = text(metadata, name)?;
    let uri = url.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let user = uri
        .as_ref()
        .and_then(http::Uri::authority)
        .is_some_and(|authority| authority.as_str().contains('@'));
    let secure = match uri.as_ref().and_then(http::Uri::scheme_str) {
        Some("https") => !host.is_empty(),
        Some("http") => is_loopback(host) && frontend_api.is_loopback(),
        _ => false,
    };
    if !secure || user || url.contains('#') {
        return Err(protocol(format!(
            "its `{name}` is no https:// URL: {}",
            quoted(&url)
        )));
    }
    Ok(url)
}

fn protocol(problem: String) -> OAuthError {
    OAuthError::Protocol {
        step: OAuthStep::Discovery,
        problem,
        hint: "check CLERK_FRONTEND_API, and whether a proxy stands between".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn api() -> FrontendApi {
        FrontendApi::parse("https://clerk.test").unwrap()
    }

    fn metadata() -> Value {
        json!({
            "issuer": "https://clerk.test",
            "authorization_endpoint": "https://clerk.test/oauth/authorize",
            "token_endpoint": "https://clerk.test/oauth/token",
            "revocation_endpoint": "https://clerk.test/oauth/token/revoke",
            "jwks_uri": "https://clerk.test/.well-known/jwks.json",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        })
    }

    fn problem(changes: &[(&str, Value)]) -> String {
        let mut metadata = metadata();
        for (name, value) in changes {
            metadata[*name] = value.clone();
        }
        let error = ProviderMetadata::from_json(&metadata, &api()).unwrap_err();
        assert!(matches!(error, OAuthError::Protocol { .. }), "{error:?}");
        error.message()
    }

    #[test]
    fn reads_metadata() {
        let read = ProviderMetadata::from_json(&metadata(), &api()).unwrap();
        assert_eq!(read.token_endpoint, "https://clerk.test/oauth/token");
        assert!(!read.names_issuer_in_responses);
        let mut more = metadata();
        more["authorization_response_iss_parameter_supported"] = json!(true);
        more["revocation_endpoint"] = json!(null);
        more["something_new"] = json!({"a": [1]});
        let read = ProviderMetadata::from_json(&more, &api()).unwrap();
        assert!(read.names_issuer_in_responses);
        assert_eq!(read.revocation_endpoint, None);
    }

    #[test]
    fn the_issuer_is_the_frontend_api_to_the_letter() {
        for issuer in [
            "https://clerk.test/",
            "https://CLERK.test",
            "https://evil.test",
        ] {
            let problem = problem(&[("issuer", json!(issuer))]);
            assert!(problem.contains("its issuer is"), "{problem}");
        }
        assert!(problem(&[("issuer", json!(null))]).contains("`issuer`"));
    }

    #[test]
    fn endpoints_are_secure() {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            for url in [
                "http://clerk.test/x",
                "http://127.0.0.1/x",
                "javascript:alert(1)",
                "https://u@clerk.test/x",
                "https://clerk.test/x#y",
                "/x",
                "",
            ] {
                let problem = problem(&[(name, json!(url))]);
                assert!(problem.contains(name), "{problem}");
            }
            assert!(problem(&[(name, json!(null))]).contains(name));
        }
    }

    #[test]
    fn a_local_provider_may_speak_http() {
        let text = metadata()
            .to_string()
            .replace("https://clerk.test", "http://127.0.0.1:8789");
        let local = serde_json::from_str(&text).unwrap();
        let api = FrontendApi::parse("127.0.0.1:8789").unwrap();
        assert!(ProviderMetadata::from_json(&local, &api).is_ok());
    }

    #[test]
    fn pkce_and_the_code_flow_are_needed() {
        let methods = json!(["plain"]);
        assert!(problem(&[("code_challenge_methods_supported", methods)]).contains("S256"));
        assert!(problem(&[("response_types_supported", json!(["token"]))]).contains("code flow"));
        let error = ProviderMetadata::from_json(&json!([]), &api()).unwrap_err();
        assert!(error.to_string().contains("no JSON object"));
    }
}

use form_urlencoded::Serializer;

use super::client::OAuthClient;
use super::metadata::ProviderMetadata;

/// What a person's browser is sent to Clerk with.
///
/// `state` and `nonce` are fresh for each sign-in and cannot be guessed; Clerk wants at least 8
/// characters of `state`. `code_challenge` is the S256 challenge (RFC 7636 section 4.2) of the verifier
/// that [`Provider::redeem_code`](super::Provider::redeem_code) will get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorizationRequest<'a> {
    /// Comes back in the callback, and binds it to this sign-in.
    pub state: &'a str,
    /// Comes back in the ID token, and binds it to this sign-in.
    pub nonce: &'a str,
    /// The PKCE challenge.
    pub code_challenge: &'a str,
    /// What to ask for, such as `profile` and `email`. `openid` is always asked for: without it there
    /// is no ID token.
    pub scopes: &'a [&'a str],
    /// What Clerk must show, whatever it remembers.
    pub prompt: Option<Prompt>,
}

/// What Clerk shows to the person (OpenID Connect Core section 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// Nothing: whoever is not signed in comes back with an error.
    None,
    /// The sign-in page, even to a person who is signed in.
    Login,
    /// The consent page, even to a person who consented before.
    Consent,
}

impl Prompt {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
        }
    }
}

impl ProviderMetadata {
    /// Where to send the person's browser (RFC 6749 section 4.1.1).
    pub fn authorization_url(
        &self,
        client: &OAuthClient,
        request: &AuthorizationRequest<'_>,
    ) -> String {
        let mut scope = String::from("openid");
        for other in request.scopes.iter().filter(|scope| **scope != "openid") {
            scope.push(' ');
            scope.push_str(other);
        }
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", client.client_id())
            .append_pair("redirect_uri", client.redirect_uri())
            .append_pair("scope", &scope)
            .append_pair("state", request.state)
            .append_pair("nonce", request.nonce)
            .append_pair("code_challenge", request.code_challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(prompt) = request.prompt {
            query.append_pair("prompt", prompt.as_str());
        }
        let endpoint = &self.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        format!("{endpoint}{joint}{}", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn metadata(authorization_endpoint: &str) -> ProviderMetadata {
        ProviderMetadata {
            issuer: "https://clerk.test".to_owned(),
            authorization_endpoint: authorization_endpoint.to_owned(),
            token_endpoint: "https://clerk.test/oauth/token".to_owned(),
            revocation_endpoint: None,
            jwks_uri: "https://clerk.test/jwks".to_owned(),
            names_issuer_in_responses: false,
        }
    }

    fn url(endpoint: &str, prompt: Option<Prompt>) -> url::Url {
        let client = OAuthClient::new("c 1".replace(' ', "+"), None, "https://a.test/cb?x=1&y=2");
        let request = AuthorizationRequest {
            state: "state&1=2",
            nonce: "n",
            code_challenge: "challenge",
            scopes: &["email", "openid", "user:org:read"],
            prompt,
        };
        let url = metadata(endpoint).authorization_url(&client.unwrap(), &request);
        url.parse().unwrap()
    }

    #[test]
    fn names_everything_once() {
        let url = url("https://clerk.test/oauth/authorize", Some(Prompt::Login));
        assert_eq!(url.path(), "/oauth/authorize");
        assert_eq!(url.query_pairs().count(), 9);
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "c+1"),
            ("redirect_uri", "https://a.test/cb?x=1&y=2"),
            ("scope", "openid email user:org:read"),
            ("state", "state&1=2"),
            ("nonce", "n"),
            ("code_challenge", "challenge"),
            ("code_challenge_method", "S256"),
            ("prompt", "login"),
        ] {
            assert_eq!(query[name], value, "{name}");
        }
    }

    #[test]
    fn keeps_a_query_of_the_endpoint() {
        let url = url("https://clerk.test/authorize?tenant=1", None);
        let query: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(query[0], ("tenant".to_owned(), "1".to_owned()));
        assert_eq!(query.len(), 9);
        assert!(query.iter().all(|(name, _)| name != "prompt"));
    }
}

//! Who calls the token or revocation endpoint (RFC 6749 section 2.3).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use crate::client::{Client, ClientAuthMethod, ClientId};
use crate::client_assertion::{ASSERTION_TYPE, AssertionFault, UnverifiedAssertion};
use crate::client_keys::ClientKeys;
use crate::error::ErrorResponse;
use crate::parameters::{Parameters, Repeated};
use crate::token::PlainToken;

/// How long a client is asked to wait when its own host does not answer.
const KEYS_RETRY: Duration = Duration::from_secs(30);

/// Why a client is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthFault {
    /// Nothing says who calls.
    #[error(
        "the client does not say who it is\nhint: send `client_id`, in the body, as application/x-www-form-urlencoded"
    )]
    Missing,
    /// Two ways of saying who calls at once (RFC 6749 section 2.3 forbids it).
    #[error("the client says who it is in two ways at once\nhint: use one of them")]
    TwoMethods,
    /// `Authorization` is not what HTTP Basic writes.
    #[error("the header `Authorization` is not valid HTTP Basic")]
    MalformedBasic,
    /// No such client, or its registration has expired.
    #[error("the client is not known (any more)\nhint: register again")]
    Unknown {
        /// Whether it came with HTTP Basic.
        basic: bool,
    },
    /// The secret or the assertion is wrong or missing, or the method is not the registered one.
    #[error(
        "the client could not be authenticated\nhint: check the secret, and that it is sent by the method that was registered; a client that publishes `private_key_jwt` alone needs an assertion"
    )]
    Refused {
        /// Whether it came with HTTP Basic.
        basic: bool,
    },
    /// There were too many wrong secrets for this client.
    #[error(
        "there were too many wrong secrets for this client\nhint: wait, then send the right one"
    )]
    TooManySecrets {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Its assertion is refused.
    #[error(transparent)]
    Assertion(#[from] AssertionFault),
    /// The keys that it publishes, or the document that says where they are, cannot be used.
    #[error("the client's keys cannot be used: {problem}")]
    Keys {
        /// What is wrong with them.
        problem: String,
    },
    /// The keys that it publishes cannot be had now.
    #[error("the client's keys cannot be had right now: {problem}")]
    KeysUnavailable {
        /// What happened.
        problem: String,
    },
}

impl ClientAuthFault {
    /// 401 with a challenge for those who came with HTTP Basic, 400 for requests that make no sense,
    /// 429 after too many wrong secrets, 503 where the client's own host does not answer, 401 `invalid_client` for others (RFC 6749
    /// section 5.2, RFC 7521 section 4.2.1).
    pub(crate) fn response(&self) -> ErrorResponse {
        let (status, code) = match self {
            Self::Missing | Self::TwoMethods => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::MalformedBasic
            | Self::Unknown { .. }
            | Self::Refused { .. }
            | Self::Assertion(_)
            | Self::Keys { .. } => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::TooManySecrets { retry_after } => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let answer = ErrorResponse::of(status, "temporarily_unavailable", self.to_string());
                return ErrorResponse {
                    retry_after: Some(*retry_after),
                    ..answer
                };
            }
            Self::KeysUnavailable { .. } => {
                return ErrorResponse::unavailable(self.to_string(), KEYS_RETRY);
            }
        };
        let basic = matches!(
            self,
            Self::MalformedBasic | Self::Unknown { basic: true } | Self::Refused { basic: true }
        );
        let answer = ErrorResponse::of(status, code, self.to_string());
        ErrorResponse {
            www_authenticate: basic.then(|| "Basic realm=\"token\"".to_owned()),
            ..answer
        }
    }
}

/// Who somebody says they are. Nothing is proven yet.
pub(crate) struct PresentedClient {
    pub(crate) id: ClientId,
    pub(crate) proof: Proof,
}

/// With what somebody proves who they are.
pub(crate) enum Proof {
    /// A secret, or nothing.
    Secret(PresentedSecret),
    /// An assertion. It is right or wrong; it never counts as nothing.
    Assertion(Box<UnverifiedAssertion>),
}

/// A secret as it came, if one came.
pub(crate) struct PresentedSecret {
    secret: Option<PlainToken>,
    basic: bool,
}

/// Proof that a client was authenticated as far as it can be: what goes on needs one of these.
pub(crate) struct AuthenticatedClient(pub(crate) Client);

impl PresentedClient {
    /// Reads the header `Authorization` and the form.
    pub(crate) fn read(
        form: &Parameters,
        authorization: Option<&str>,
    ) -> Result<Self, PresentedFault> {
        let id = form.get("client_id")?;
        let secret = form.get("client_secret")?;
        let assertion = form.get("client_assertion")?;
        let assertion_type = form.get("client_assertion_type")?;
        if assertion.is_some() || assertion_type.is_some() {
            if secret.is_some() || authorization.is_some() {
                return Err(ClientAuthFault::TwoMethods.into());
            }
            return Ok(Self::read_assertion(id, assertion, assertion_type)?);
        }
        let Some(header) = authorization else {
            let id = ClientId(id.ok_or(ClientAuthFault::Missing)?.to_owned());
            let secret = secret.map(PlainToken::presented);
            return Ok(Self::with_secret(id, secret, false));
        };
        if secret.is_some() {
            return Err(ClientAuthFault::TwoMethods.into());
        }
        let (basic_id, basic_secret) = read_basic(header).ok_or(ClientAuthFault::MalformedBasic)?;
        if id.is_some_and(|id| id != basic_id) {
            return Err(ClientAuthFault::TwoMethods.into());
        }
        Ok(Self::with_secret(
            ClientId(basic_id),
            Some(basic_secret),
            true,
        ))
    }

    fn with_secret(id: ClientId, secret: Option<PlainToken>, basic: bool) -> Self {
        let proof = Proof::Secret(PresentedSecret { secret, basic });
        Self { id, proof }
    }

    /// `client_id` may be left out: the assertion says it (RFC 7521 section 4.2).
    fn read_assertion(
        id: Option<&str>,
        assertion: Option<&str>,
        assertion_type: Option<&str>,
    ) -> Result<Self, ClientAuthFault> {
        if assertion_type != Some(ASSERTION_TYPE) {
            return Err(AssertionFault::AssertionType.into());
        }
        let assertion = assertion.ok_or(AssertionFault::Malformed("it is missing"))?;
        let assertion = UnverifiedAssertion::parse(assertion)?;
        let id = match id {
            Some(id) => ClientId(id.to_owned()),
            None => assertion.subject()?,
        };
        let proof = Proof::Assertion(Box::new(assertion));
        Ok(Self { id, proof })
    }
}

impl PresentedSecret {
    /// Checks the secret of `client`, in a time that does not depend on it. A client with a secret
    /// may send it in the header or in the form, whichever of the two it registered: both prove the
    /// same, and libraries differ.
    pub(crate) fn check(
        &self,
        client: Option<Client>,
        keys: &dyn ClientKeys,
    ) -> Result<AuthenticatedClient, ClientAuthFault> {
        let basic = self.basic;
        let client = client.ok_or(ClientAuthFault::Unknown { basic })?;
        let proven = match (client.auth, client.secret, &self.secret) {
            (ClientAuthMethod::None, None, None) => true,
            (
                ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost,
                Some(kept),
                Some(presented),
            ) => {
                let is_right = kept == presented.hash();
                if let Some(retry_after) = keys.presented_secret(&client.id, is_right) {
                    return Err(ClientAuthFault::TooManySecrets { retry_after });
                }
                is_right
            }
            _ => false,
        };
        if proven {
            Ok(AuthenticatedClient(client))
        } else {
            Err(ClientAuthFault::Refused { basic })
        }
    }
}

/// Why nobody can be read from a request.
pub(crate) enum PresentedFault {
    Repeated(Repeated),
    Fault(ClientAuthFault),
}

impl From<Repeated> for PresentedFault {
    fn from(repeated: Repeated) -> Self {
        Self::Repeated(repeated)
    }
}

impl From<ClientAuthFault> for PresentedFault {
    fn from(fault: ClientAuthFault) -> Self {
        Self::Fault(fault)
    }
}

/// `Basic base64(form-encoded id ":" form-encoded secret)` (RFC 6749 section 2.3.1).
fn read_basic(header: &str) -> Option<(String, PlainToken)> {
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let id = form_decode(id);
    (!id.is_empty()).then(|| (id, PlainToken::presented(form_decode(secret))))
}

/// One form-encoded value. `&` and `=` never stand in one unescaped, so they are kept as they are.
fn form_decode(text: &str) -> String {
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect()
}

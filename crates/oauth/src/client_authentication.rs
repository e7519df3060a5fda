//! Who calls the token or revocation endpoint (RFC 6749 section 2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use crate::client::{Client, ClientAuthMethod, ClientId};
use crate::error::ErrorResponse;
use crate::parameters::{Parameters, Repeated};
use crate::token::PlainToken;

/// Why a client is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientAuthFault {
    /// Nothing says who calls.
    #[error("the client does not say who it is\nhint: send `client_id`")]
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
    /// The secret is wrong or missing, or the method is not the registered one.
    #[error(
        "the client could not be authenticated\nhint: check the secret, and that it is sent by the method that was registered"
    )]
    Refused {
        /// Whether it came with HTTP Basic.
        basic: bool,
    },
}

impl ClientAuthFault {
    /// 401 with a challenge for those who came with HTTP Basic, 400 for requests that make no sense,
    /// 401 `invalid_client` for others (RFC 6749 section 5.2).
    pub(crate) fn response(&self) -> ErrorResponse {
        let (status, code) = match self {
            Self::Missing | Self::TwoMethods => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::MalformedBasic | Self::Unknown { .. } | Self::Refused { .. } => {
                (StatusCode::UNAUTHORIZED, "invalid_client")
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

/// Who somebody says they are. Nothing is proven before [`PresentedClient::authenticate`].
pub(crate) struct PresentedClient {
    pub(crate) id: ClientId,
    secret: Option<PlainToken>,
    method: ClientAuthMethod,
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
        let Some(header) = authorization else {
            let id = ClientId(id.ok_or(ClientAuthFault::Missing)?.to_owned());
            let method = match secret {
                Some(_) => ClientAuthMethod::ClientSecretPost,
                None => ClientAuthMethod::None,
            };
            return Ok(Self {
                id,
                secret: secret.map(PlainToken::presented),
                method,
            });
        };
        if secret.is_some() {
            return Err(ClientAuthFault::TwoMethods.into());
        }
        let (basic_id, basic_secret) = read_basic(header).ok_or(ClientAuthFault::MalformedBasic)?;
        if id.is_some_and(|id| id != basic_id) {
            return Err(ClientAuthFault::TwoMethods.into());
        }
        Ok(Self {
            id: ClientId(basic_id),
            secret: Some(basic_secret),
            method: ClientAuthMethod::ClientSecretBasic,
        })
    }

    /// Checks the secret of `client`, in a time that does not depend on it. A client with a secret
    /// may send it in the header or in the form, whichever of the two it registered: both prove the
    /// same, and libraries differ.
    pub(crate) fn authenticate(
        &self,
        client: Option<Client>,
    ) -> Result<AuthenticatedClient, ClientAuthFault> {
        let basic = self.method == ClientAuthMethod::ClientSecretBasic;
        let client = client.ok_or(ClientAuthFault::Unknown { basic })?;
        let proven = match (client.auth, client.secret, &self.secret) {
            (ClientAuthMethod::None, None, None) => true,
            (
                ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost,
                Some(kept),
                Some(presented),
            ) => kept == presented.hash(),
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

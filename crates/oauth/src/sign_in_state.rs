//! What travels to Clerk and back: `state`, the OpenID Connect nonce and the PKCE verifier.
//!
//! All of it is made from the authorization's id, the moment of consent and the server's key. So
//! nothing secret is stored, a form that is submitted twice leads to the very same address, and no
//! `state` exists before there is consent.

use crate::authorization::AuthorizationId;
use crate::base64url;
use crate::pkce::CodeChallenge;
use crate::server_key::{Purpose, ServerKey, ServerKeys};
use crate::time::Timestamp;
use crate::token::PlainToken;

use subtle::ConstantTimeEq as _;

const ID_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// What the request to Clerk carries, and what the answer is checked with.
#[derive(Debug, Clone)]
pub struct UpstreamRequest {
    /// `state`: signed, for one authorization and one consent.
    pub state: String,
    /// `nonce`, which the ID token must repeat.
    pub nonce: String,
    /// `code_verifier`, for the token request alone.
    pub code_verifier: PlainToken,
    /// `code_challenge`, by the method S256.
    pub code_challenge: String,
}

impl UpstreamRequest {
    pub(crate) fn new(id: &AuthorizationId, since: Timestamp, key: &ServerKey) -> Self {
        let parts: [&[u8]; 2] = [id.as_str().as_bytes(), &since.0.to_be_bytes()];
        let text = |purpose| base64url::encode(&key.derive(purpose, &parts));
        let code_verifier = text(Purpose::UpstreamVerifier);
        let challenge = CodeChallenge::of_verifier(&code_verifier);
        Self {
            state: sign(id, since, key),
            nonce: text(Purpose::UpstreamNonce),
            // A verifier of 43 base64url characters always has a challenge.
            code_challenge: challenge.map(|one| one.to_string()).unwrap_or_default(),
            code_verifier: PlainToken::presented(code_verifier),
        }
    }
}

/// A `state` whose signature was checked: for which authorization it was made, and by which key.
pub(crate) struct VerifiedState<'a> {
    pub(crate) id: AuthorizationId,
    pub(crate) since: Timestamp,
    pub(crate) key: &'a ServerKey,
}

impl<'a> VerifiedState<'a> {
    /// `None` unless one of `keys` signed `state`.
    pub(crate) fn read(state: &str, keys: &'a ServerKeys) -> Option<Self> {
        let bytes: [u8; ID_BYTES + TIME_BYTES + 32] = base64url::decode_array(state)?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (time, _) = rest.split_first_chunk::<TIME_BYTES>()?;
        let id = AuthorizationId::parse(&base64url::encode(id))?;
        let since = Timestamp(u64::from_be_bytes(*time));
        let signed_by = |key: &&ServerKey| {
            sign(&id, since, key)
                .as_bytes()
                .ct_eq(state.as_bytes())
                .into()
        };
        let key = keys.iter().find(signed_by)?;
        Some(Self { id, since, key })
    }
}

fn sign(id: &AuthorizationId, since: Timestamp, key: &ServerKey) -> String {
    let time = since.0.to_be_bytes();
    let signature = key.derive(Purpose::State, &[id.as_str().as_bytes(), &time]);
    let id = base64url::decode(id.as_str()).unwrap_or_default();
    base64url::encode(&[id.as_slice(), &time, &signature].concat())
}

use serde_json::Value;

use super::error::{AccessTokenError, NotAccepted};
use crate::jws::Unverified;

/// Categories (`cat` of the header) that Clerk gives tokens which are no OAuth client's.
const SESSION_CATEGORIES: [&str; 2] = ["cl_B7d4PD111AAA", "cl_B7d4PD222AAA"];
const MACHINE_CATEGORY: &str = "cl_B7d4PD333AAA";

/// The most characters of a token that is no JSON Web Token; Clerk's have about 70.
const LONGEST: usize = 512;

/// What a token is by its looks. Nothing in it is believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// An OAuth client's, signed (RFC 9068): `typ` is `at+jwt`.
    OauthJwt,
    /// An OAuth client's that only Clerk can read, `oat_…`.
    OauthOpaque,
    /// A machine's, signed: of the category of such tokens.
    MachineJwt,
    /// A machine's that only Clerk can read, `mt_…`.
    MachineOpaque,
    /// An API key, `ak_…`.
    ApiKey,
}

impl TokenForm {
    /// Whether Clerk has to be asked about such a token.
    #[must_use]
    pub fn is_opaque(self) -> bool {
        matches!(self, Self::OauthOpaque | Self::MachineOpaque | Self::ApiKey)
    }

    /// What this token is by its looks.
    ///
    /// # Errors
    /// [`AccessTokenError`] for session tokens, ID tokens, and what is no token at all.
    pub fn of(token: &str) -> Result<Self, AccessTokenError> {
        let prefixes = [
            ("oat_", Self::OauthOpaque),
            ("mt_", Self::MachineOpaque),
            ("ak_", Self::ApiKey),
        ];
        if let Some((_, form)) = prefixes
            .iter()
            .find(|(prefix, _)| token.starts_with(prefix))
        {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            if token.len() > LONGEST || !token.bytes().all(plain) {
                let problem = "it is longer than Clerk's, or has other characters";
                return Err(AccessTokenError::Malformed { problem });
            }
            return Ok(*form);
        }
        Self::of_jwt(&Unverified::parse(token)?)
    }

    pub(super) fn of_jwt(token: &Unverified<'_>) -> Result<Self, AccessTokenError> {
        let text = |name| token.header.get(name).map(Value::as_str);
        let not_accepted = |what| Err(AccessTokenError::NotAccepted(what));
        match (text("typ"), text("cat")) {
            (_, Some(Some(category))) if SESSION_CATEGORIES.contains(&category) => {
                not_accepted(NotAccepted::SessionToken)
            }
            (None | Some(Some("JWT")), Some(Some(MACHINE_CATEGORY))) => Ok(Self::MachineJwt),
            (_, Some(Some(MACHINE_CATEGORY))) => not_accepted(NotAccepted::OtherToken),
            (Some(Some("at+jwt" | "application/at+jwt")), _) => Ok(Self::OauthJwt),
            // ID tokens, and session tokens of before there were categories.
            _ => not_accepted(NotAccepted::OtherToken),
        }
    }
}

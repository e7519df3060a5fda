//! Access and refresh tokens that come back.

use crate::call::Call;
use crate::clock::SECOND;
use crate::ids::Id;
use crate::signing;
use serde_json::Value;

/// How many characters of an opaque token are its id: `oat_` and 32 hexadecimal digits.
const ID_LENGTH: usize = 36;

/// An access token that this emulator issued, whether it is still good or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReceivedToken {
    pub(super) id: String,
    pub(super) client_id: String,
    pub(super) user_id: String,
    pub(super) scopes: Vec<String>,
    pub(super) organization_id: Option<String>,
    pub(super) audience: Option<String>,
    /// Who acts as the user.
    pub(super) actor: Option<Value>,
    pub(super) jwt: bool,
    pub(super) grant_id: Option<Id>,
    pub(super) revoked: bool,
    pub(super) created_at: u64,
    pub(super) expires_at: u64,
}

impl ReceivedToken {
    /// Reads an access token of either form.
    pub(super) fn access(call: &Call<'_>, text: &str) -> Option<Self> {
        let token = if text.starts_with("oat_") {
            Self::opaque(call, text)
        } else {
            Self::jwt(call, text)
        };
        // A deleted application takes its tokens along.
        token.filter(|token| call.state.oauth.client(&token.client_id).is_some())
    }

    pub(super) fn is_active(&self, now: u64) -> bool {
        !self.revoked && now < self.expires_at
    }

    fn opaque(call: &Call<'_>, text: &str) -> Option<Self> {
        let (id, secret) = text.split_at_checked(ID_LENGTH)?;
        let oauth = &call.state.oauth;
        let token = oauth.access_tokens.get(id)?;
        let grant = oauth.grants.get(&token.grant_id)?;
        (token.secret == secret).then(|| Self {
            id: id.to_owned(),
            client_id: grant.client_id.clone(),
            user_id: grant.user_id.to_string(),
            scopes: token.scopes.clone(),
            organization_id: token.organization_id.as_deref().map(str::to_owned),
            audience: grant.audience.clone(),
            actor: grant.actor.clone(),
            jwt: false,
            grant_id: Some(grant.id.clone()),
            revoked: grant.revoked,
            created_at: token.created_at,
            expires_at: token.expires_at,
        })
    }

    fn jwt(call: &Call<'_>, text: &str) -> Option<Self> {
        let (kind, claims) = signing::read(text)?;
        let claim = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
        if kind != "at+jwt" || claim("iss")? != call.url {
            return None;
        }
        let time = |name: &str| Some(claims.get(name)?.as_u64()?.saturating_mul(SECOND));
        Some(Self {
            id: claim("jti")?,
            client_id: claim("client_id")?,
            user_id: claim("sub")?,
            scopes: super::scope::split(&claim("scope")?),
            organization_id: claims
                .get("org_id")
                .and_then(Value::as_str)
                .map(str::to_owned),
            audience: claim("aud"),
            actor: claims.get("act").cloned(),
            jwt: true,
            grant_id: None,
            revoked: false,
            created_at: time("iat")?,
            expires_at: time("exp")?,
        })
    }
}

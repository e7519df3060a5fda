//! Making tokens.

use super::state::{AccessToken, Grant, RefreshToken, TOKEN_LIFETIME};
use super::userinfo;
use crate::call::Call;
use crate::clock::SECOND;
use crate::ids::{self, Id};
use crate::signing::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What a token is for.
pub(super) struct Subject<'a> {
    pub(super) grant: &'a Grant,
    /// Those of the grant, or fewer.
    pub(super) scopes: Vec<String>,
    /// The organization, as long as the person is a member.
    pub(super) organization_id: Option<Id>,
}

/// The answer of the token endpoint: an access token, a refresh token, and for `openid` an ID
/// token.
pub(super) fn tokens(call: &mut Call<'_>, subject: &Subject<'_>, predecessor: Option<Id>) -> Value {
    let access_token = if call.state.oauth.settings.oauth_jwt_access_tokens {
        jwt_access_token(call, subject)
    } else {
        opaque_access_token(call, subject)
    };
    let refresh_token: Id = format!("clk_refresh_{}", call.ticket()).into();
    let now = call.now;
    call.state.oauth.refresh_tokens.insert(RefreshToken {
        id: refresh_token.clone(),
        grant_id: subject.grant.id.clone(),
        predecessor,
        created_at: now,
    });
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFETIME / SECOND,
        "refresh_token": refresh_token,
        "scope": subject.scopes.join(" "),
    });
    if subject.scopes.iter().any(|scope| scope == "openid") {
        answer["id_token"] = json!(id_token(call, subject, &access_token));
    }
    answer
}

fn token_id(call: &mut Call<'_>) -> String {
    format!("oat_{}", ids::trace(call.random))
}

fn jwt_access_token(call: &mut Call<'_>, subject: &Subject<'_>) -> String {
    let seconds = call.now / SECOND;
    let mut claims = json!({
        "client_id": subject.grant.client_id,
        "exp": seconds + TOKEN_LIFETIME / SECOND,
        "iat": seconds,
        "iss": call.url,
        "jti": token_id(call),
        "nbf": seconds,
        "scope": subject.scopes.join(" "),
        "sub": subject.grant.user_id,
    });
    if let Some(organization) = &subject.organization_id {
        claims["org_id"] = json!(organization);
    }
    if let Some(audience) = &subject.grant.audience {
        claims["aud"] = json!(audience);
    }
    if let Some(actor) = &subject.grant.actor {
        claims["act"] = actor.clone();
    }
    sign(call, Kind::Type("at+jwt"), &claims)
}

fn opaque_access_token(call: &mut Call<'_>, subject: &Subject<'_>) -> String {
    let now = call.now;
    let token = AccessToken {
        id: token_id(call).into(),
        secret: ids::trace(call.random),
        grant_id: subject.grant.id.clone(),
        scopes: subject.scopes.clone(),
        organization_id: subject.organization_id.clone(),
        expires_at: now + TOKEN_LIFETIME,
        created_at: now,
    };
    let text = format!("{}{}", token.id, token.secret);
    call.state.oauth.access_tokens.insert(token);
    text
}

/// OpenID Connect Core, 2 and 3.1.3.6.
fn id_token(call: &mut Call<'_>, subject: &Subject<'_>, access_token: &str) -> String {
    let seconds = call.now / SECOND;
    let digest = Sha256::digest(access_token.as_bytes());
    let mut claims = json!({
        "at_hash": URL_SAFE_NO_PAD.encode(&digest[..16]),
        "aud": subject.grant.client_id,
        "auth_time": subject.grant.authenticated_at / SECOND,
        "exp": seconds + TOKEN_LIFETIME / SECOND,
        "iat": seconds,
        "iss": call.url,
        "jti": ids::trace(call.random),
        "sub": subject.grant.user_id,
    });
    if let Some(nonce) = &subject.grant.nonce {
        claims["nonce"] = json!(nonce);
    }
    if let Some(actor) = &subject.grant.actor {
        claims["act"] = actor.clone();
    }
    if let Some(organization) = &subject.organization_id {
        claims["org_id"] = json!(organization);
    }
    if let (Some(user), Some(claims)) = (
        call.state.user(&subject.grant.user_id),
        claims.as_object_mut(),
    ) {
        claims.extend(userinfo::of_scopes(
            user,
            &call.state.instance.id,
            &subject.scopes,
        ));
    }
    sign(call, Kind::Plain, &claims)
}

fn sign(call: &Call<'_>, kind: Kind, claims: &Value) -> String {
    let kid = &call.state.instance.id;
    call.signing.sign(kid, kind, claims).unwrap_or_default()
}

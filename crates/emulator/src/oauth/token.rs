//! The token endpoint: codes and refresh tokens for tokens (RFC 6749, 4.1.3 and 6).

use super::client_authentication::authenticate;
use super::error::{OAuthError, Outcome};
use super::issue::{self, Subject};
use super::scope;
use super::state::{Application, Grant};
use crate::call::Call;
use crate::error::ApiError;
use crate::ids::Id;
use crate::reply;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Response, StatusCode};
use sha2::{Digest as _, Sha256};

/// `getOAuthToken`.
pub(crate) fn token(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    Ok(exchange(call).unwrap_or_else(|error| error.response()))
}

fn exchange(call: &mut Call<'_>) -> Outcome {
    if let Some(name) = call.form.repeated() {
        let text = format!("The parameter {name} is given more than once.");
        return Err(OAuthError::invalid_request(text));
    }
    let grant_type = call.form.text("grant_type").ok_or_else(|| {
        OAuthError::invalid_request("The parameter grant_type is missing, or the body is no form.")
    })?;
    match grant_type {
        "authorization_code" => {
            let client = authenticate(call)?;
            by_code(call, &client)
        }
        "refresh_token" => {
            let client = authenticate(call)?;
            by_refresh_token(call, &client)
        }
        _ => Err(OAuthError::unsupported_grant_type()),
    }
}

fn by_code(call: &mut Call<'_>, client: &Application) -> Outcome {
    let wrong = |text: &'static str| OAuthError::invalid_grant(text);
    let text = required(call, "code")?;
    let unknown = || wrong("The authorization code is unknown, or was issued to another client.");
    let code = call
        .state
        .oauth
        .codes
        .get(&text)
        .cloned()
        .ok_or_else(unknown)?;
    let grant = call.state.oauth.grants.get(&code.grant_id).cloned();
    let grant = grant
        .filter(|grant| grant.client_id == client.client_id)
        .ok_or_else(unknown)?;
    if code.redeemed {
        // Whoever has it a second time may not be the one who had it first.
        call.state.oauth.revoke_grant(&grant.id);
        return Err(wrong("The authorization code has already been used."));
    }
    if call.now >= code.expires_at {
        return Err(wrong("The authorization code has expired."));
    }
    let given = call.form.text("redirect_uri");
    if given.is_some_and(|uri| uri != code.redirect_uri)
        || (given.is_none() && code.redirect_uri_given)
    {
        return Err(wrong(
            "The redirect_uri is not that of the authorization request.",
        ));
    }
    check_verifier(
        call.form.text("code_verifier"),
        code.code_challenge.as_deref(),
    )?;
    let scopes = grant.scopes.clone();
    if let Some(row) = call.state.oauth.codes.get_mut(&code.id) {
        row.redeemed = true;
    }
    issue_for(call, &grant, scopes, None)
}

/// PKCE (RFC 7636, 4.6).
fn check_verifier(verifier: Option<&str>, challenge: Option<&str>) -> Result<(), OAuthError> {
    match (verifier, challenge) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(OAuthError::invalid_grant(
            "The code_verifier is missing: the authorization request had a code_challenge.",
        )),
        (Some(_), None) => Err(OAuthError::invalid_grant(
            "There is a code_verifier, but the authorization request had no code_challenge.",
        )),
        (Some(verifier), Some(challenge)) => {
            let digest = Sha256::digest(verifier.as_bytes());
            if URL_SAFE_NO_PAD.encode(digest) == challenge {
                Ok(())
            } else {
                let text = "The code_verifier does not match the code_challenge.";
                Err(OAuthError::invalid_grant(text))
            }
        }
    }
}

fn by_refresh_token(call: &mut Call<'_>, client: &Application) -> Outcome {
    let text = required(call, "refresh_token")?;
    let unknown = || {
        OAuthError::invalid_grant(
            "The refresh token is unknown, used up, revoked, or was issued to another client.",
        )
    };
    let token = call.state.oauth.refresh_tokens.get(&text).cloned();
    let token = token.ok_or_else(unknown)?;
    let grant = call.state.oauth.live_grant(&token.grant_id).cloned();
    let grant = grant
        .filter(|grant| grant.client_id == client.client_id)
        .ok_or_else(unknown)?;
    let scopes = match call.form.text("scope") {
        None => grant.scopes.clone(),
        Some(text) => scope::split(text),
    };
    let lost = |scope: &&String| !grant.scopes.contains(scope) || !client.has_scope(scope);
    if let Some(scope) = scopes.iter().find(lost) {
        let text = format!("The scope {scope} was not granted, or the application has lost it.");
        return Err(OAuthError::invalid_scope(text));
    }
    check_user(call, &grant)?;
    // Its arrival proves that the answer with this token arrived, too.
    if let Some(predecessor) = &token.predecessor {
        call.state.oauth.refresh_tokens.remove(predecessor);
    }
    if let Some(row) = call.state.oauth.refresh_tokens.get_mut(&token.id) {
        row.predecessor = None;
    }
    drop_unused_successors(call, &token.id);
    issue_for(call, &grant, scopes, Some(token.id))
}

/// A token that is exchanged a second time takes the place of what the first exchange gave.
fn drop_unused_successors(call: &mut Call<'_>, token: &Id) {
    let tokens = call.state.oauth.refresh_tokens.iter();
    let successors: Vec<Id> = tokens
        .filter(|other| other.predecessor.as_ref() == Some(token))
        .map(|other| other.id.clone())
        .collect();
    for successor in successors {
        call.state.oauth.refresh_tokens.remove(&successor);
    }
}

fn issue_for(
    call: &mut Call<'_>,
    grant: &Grant,
    scopes: Vec<String>,
    predecessor: Option<Id>,
) -> Outcome {
    check_user(call, grant)?;
    let subject = Subject {
        grant,
        scopes,
        organization_id: grant
            .organization_id
            .clone()
            .filter(|id| call.state.membership(id, &grant.user_id).is_some()),
    };
    let answer = issue::tokens(call, &subject, predecessor);
    Ok(reply::not_stored(reply::json(StatusCode::OK, &answer)))
}

/// A banned or deleted person ends what they granted. A locked one does not: a lock keeps
/// strangers from guessing at the sign-in, and does not end sessions either.
fn check_user(call: &Call<'_>, grant: &Grant) -> Result<(), OAuthError> {
    match call.state.user(&grant.user_id) {
        None => Err(OAuthError::invalid_grant("The user no longer exists.")),
        Some(user) if user.banned => Err(OAuthError::invalid_grant("The user is banned.")),
        Some(_) => Ok(()),
    }
}

fn required(call: &Call<'_>, name: &str) -> Result<String, OAuthError> {
    let text = call.form.text(name).map(str::to_owned);
    text.ok_or_else(|| OAuthError::invalid_request(format!("The parameter {name} is missing.")))
}

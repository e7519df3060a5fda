//! The authorization endpoint: to the sign-in page, to the consent page, or back to the client
//! with a code.

use super::error::OAuthError;
use super::request::{AuthorizationRequest, Refusal};
use super::scope;
use super::state::{CODE_LIFETIME, Code, Consent, Grant};
use crate::browser::clients::{self, SignedIn};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::ids::Id;
use crate::pages;
use crate::query::Query;
use crate::reply;
use crate::web;
use bytes::Bytes;
use http::Response;

/// `requestOAuthAuthorize`.
pub(crate) fn by_query(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let given = std::mem::take(&mut call.query);
    Ok(authorize(call, &given))
}

/// `requestOAuthAuthorizePOST`: the same parameters in a form.
pub(crate) fn by_form(call: &mut Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let given = std::mem::take(&mut call.form);
    Ok(authorize(call, &given))
}

fn authorize(call: &mut Call<'_>, given: &Query) -> Response<Bytes> {
    let request = match AuthorizationRequest::read(given, call.state) {
        Ok(request) => request,
        Err(refusal) => return refused(call, &refusal),
    };
    if let Some(user_id) = call.state.browser.auto_sign_in.clone() {
        return automatic(call, &request, &user_id);
    }
    let silent = request.wants("none");
    let send_back = |call: &Call<'_>, error, text: &'static str| {
        let error = OAuthError::bad(error, text);
        request.destination.refuse(call.url, &error)
    };
    let signed_in = clients::current(call);
    let must_sign_in = ["login", "select_account"];
    let asks_to = must_sign_in.iter().any(|prompt| request.wants(prompt));
    let Some(person) = signed_in.filter(|_| !asks_to) else {
        if silent {
            return send_back(call, "login_required", "Nobody is signed in.");
        }
        let back = request.at("/oauth/authorize", &must_sign_in);
        return reply::see_other(&web::link("/sign-in", &[("redirect_url", &back)]));
    };
    if needs_consent(call, &request, &person.user_id) {
        if silent {
            return send_back(call, "consent_required", "The person has not consented.");
        }
        return reply::see_other(&request.at("/oauth/consent", &[]));
    }
    issue_code(call, &request, &person, None)
}

/// Signs in as the person that the seed or the control API names, who consents to everything.
fn automatic(call: &mut Call<'_>, request: &AuthorizationRequest, name: &Id) -> Response<Bytes> {
    let allowed = clients::may_sign_in(call.state, name, call.now);
    if let Err(problem) = allowed {
        let error = OAuthError::bad("access_denied", problem.long_message);
        return request.destination.refuse(call.url, &error);
    }
    let person = SignedIn {
        user_id: name.clone(),
        active_organization_id: None,
        actor: None,
        since: call.now,
    };
    issue_code(call, request, &person, None)
}

/// Answers a request that was refused.
pub(super) fn refused(call: &Call<'_>, refusal: &Refusal) -> Response<Bytes> {
    match refusal {
        Refusal::Sent(destination, error) => destination.refuse(call.url, error),
        Refusal::Shown(error) if web::wants_html(call.headers) => reply::html(
            error.status,
            pages::error(
                "This sign-in link does not work",
                error.error,
                &error.description,
            ),
        ),
        Refusal::Shown(error) => error.response(),
    }
}

/// Whether the person must be asked. What they have allowed before is not asked again, but for
/// clients that registered themselves, and where there is an organization to choose.
fn needs_consent(call: &Call<'_>, request: &AuthorizationRequest, user_id: &Id) -> bool {
    let client = &request.client;
    if client.dynamically_registered || request.wants("consent") {
        return true;
    }
    if !client.consent_screen_enabled {
        return false;
    }
    let chooses = request.has_scope(scope::ORGANIZATION)
        && call.state.memberships_of_user(user_id).next().is_some();
    let allowed = call.state.oauth.consents.iter().any(|consent| {
        consent.client_id == client.client_id
            && consent.user_id == *user_id
            && request
                .scopes
                .iter()
                .all(|scope| consent.scopes.contains(scope))
    });
    chooses || !allowed
}

/// The person's answer to the consent page.
pub(super) fn consented(
    call: &mut Call<'_>,
    request: &AuthorizationRequest,
    person: &SignedIn,
    allowed: bool,
    organization: Option<&str>,
) -> Result<Response<Bytes>, ApiError> {
    if !allowed {
        let error = OAuthError::bad("access_denied", "The person denied the request.");
        return Ok(request.destination.refuse(call.url, &error));
    }
    let organization = match organization {
        Some(id) if request.has_scope(scope::ORGANIZATION) => {
            let found = call.state.organization(id).map(|found| found.id.clone());
            let member = found.filter(|id| call.state.membership(id, &person.user_id).is_some());
            Some(member.ok_or_else(error::organization_not_found_or_unauthorized)?)
        }
        _ => None,
    };
    remember(call, request, &person.user_id);
    Ok(issue_code(call, request, person, organization))
}

fn remember(call: &mut Call<'_>, request: &AuthorizationRequest, user_id: &Id) {
    let client_id = &request.client.client_id;
    let consents = &mut call.state.oauth.consents;
    let known = consents
        .iter_mut()
        .find(|consent| consent.client_id == *client_id && consent.user_id == *user_id);
    match known {
        Some(consent) => {
            for scope in &request.scopes {
                if !consent.scopes.contains(scope) {
                    consent.scopes.push(scope.clone());
                }
            }
        }
        None => consents.push(Consent {
            client_id: client_id.clone(),
            user_id: user_id.clone(),
            scopes: request.scopes.clone(),
        }),
    }
}

fn issue_code(
    call: &mut Call<'_>,
    request: &AuthorizationRequest,
    person: &SignedIn,
    organization: Option<Id>,
) -> Response<Bytes> {
    let organization_id = request
        .has_scope(scope::ORGANIZATION)
        .then(|| organization.or_else(|| default_organization(call, person)))
        .flatten();
    let now = call.now;
    call.state.oauth.sweep(now);
    let grant = Grant {
        id: call.mint("grant"),
        client_id: request.client.client_id.clone(),
        user_id: person.user_id.clone(),
        scopes: request.scopes.clone(),
        organization_id,
        audience: request.audience.clone(),
        nonce: request.nonce.clone(),
        authenticated_at: person.since,
        actor: person.actor.clone(),
        revoked: false,
        created_at: now,
    };
    let code = Code {
        id: format!("clk_code_{}", call.ticket()).into(),
        grant_id: grant.id.clone(),
        redirect_uri: request.destination.redirect_uri.clone(),
        redirect_uri_given: request.redirect_uri_given,
        code_challenge: request.code_challenge.clone(),
        redeemed: false,
        expires_at: now + CODE_LIFETIME,
        created_at: now,
    };
    let response = request.destination.send(call.url, &[("code", &code.id)]);
    call.state.oauth.grants.insert(grant);
    call.state.oauth.codes.insert(code);
    response
}

/// The session's active organization, else the one the person joined first.
fn default_organization(call: &Call<'_>, person: &SignedIn) -> Option<Id> {
    let mut memberships = call.state.memberships_of_user(&person.user_id);
    let first = memberships.next().map(|one| one.organization_id.clone());
    person.active_organization_id.clone().or(first)
}

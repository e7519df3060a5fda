//! OAuth applications, as the Backend API manages them.

use super::scope;
use super::state::Application;
use crate::body::{Body, Kind, Param, Unknown, nullable};
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::ids::{self, Id};
use crate::paging::Page;
use crate::query::contains;
use crate::views;
use serde_json::{Value, json};

const MAX_NAME: usize = 256;
const MAX_TEXT: usize = 1024;

const PARAMS: [Param; 7] = [
    nullable("name", Kind::Text),
    nullable("redirect_uris", Kind::Texts),
    nullable("callback_url", Kind::Text),
    nullable("scopes", Kind::Text),
    nullable("consent_screen_enabled", Kind::Boolean),
    nullable("pkce_required", Kind::Boolean),
    nullable("public", Kind::Boolean),
];

/// `ListOAuthApplications`: newest first.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let page = Page::of(&call.query)?;
    let order = call.query.order(&["created_at", "name"])?;
    let text = call.query.text("name_query");
    let part = text.map(str::to_lowercase);
    let mut rows: Vec<&Application> = call
        .state
        .oauth
        .applications
        .iter()
        .filter(|row| {
            part.as_ref().is_none_or(|part| {
                contains(&row.name, part) || Some(row.client_id.as_str()) == text
            })
        })
        .collect();
    rows.sort_by(|left, right| {
        let attribute = match order.by {
            "name" => left.name.cmp(&right.name),
            _ => left.created_at.cmp(&right.created_at),
        };
        order.directed(attribute.then(left.id.cmp(&right.id)))
    });
    Ok(page.take(rows, |row| view(call, row)).counted())
}

/// `CreateOAuthApplication`: the only answer but that of a rotation that tells the secret.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body = Body::check(&given, &PARAMS, Unknown::Ignored)?;
    let name = body.required_text("name")?.to_owned();
    check_length("name", &name, MAX_NAME)?;
    let redirect_uris = redirect_uris(&body)?.unwrap_or_default();
    if redirect_uris.is_empty() {
        return Err(error::param_missing("redirect_uris"));
    }
    let scopes = match scopes(&body)? {
        Some(scopes) => scopes,
        None => call.state.oauth.settings.default_scopes(),
    };
    let public = body.boolean("public").unwrap_or(false);
    let now = call.now;
    let application = Application {
        id: call.mint("oa"),
        name,
        client_id: client_id(call),
        client_secret: (!public).then(|| call.ticket()),
        client_uri: None,
        logo_uri: None,
        redirect_uris,
        scopes,
        consent_screen_enabled: body.boolean("consent_screen_enabled").unwrap_or(true),
        pkce_required: public || body.boolean("pkce_required").unwrap_or(false),
        dynamically_registered: false,
        created_at: now,
        updated_at: now,
    };
    let view = with_secret(call, &application);
    call.state.oauth.applications.insert(application);
    Ok(view)
}

/// `GetOAuthApplication`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    Ok(view(call, find(call)?))
}

/// `UpdateOAuthApplication`.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut application = find(call)?.clone();
    let given = call.take_object()?;
    let body = Body::check(&given, &PARAMS, Unknown::Refused)?;
    if body.has("name") {
        let name = body.required_text("name")?;
        check_length("name", name, MAX_NAME)?;
        name.clone_into(&mut application.name);
    }
    if let Some(uris) = redirect_uris(&body)? {
        if uris.is_empty() {
            return Err(error::param_nil("redirect_uris"));
        }
        application.redirect_uris = uris;
    }
    if let Some(scopes) = scopes(&body)? {
        application.scopes = scopes;
    }
    if let Some(enabled) = body.boolean("consent_screen_enabled") {
        if application.dynamically_registered && !enabled {
            return Err(error::param_value_invalid(
                "consent_screen_enabled",
                "false",
            ));
        }
        application.consent_screen_enabled = enabled;
    }
    match body.boolean("public") {
        Some(true) => application.client_secret = None,
        Some(false) if application.is_public() => application.client_secret = Some(call.ticket()),
        Some(false) | None => {}
    }
    if let Some(required) = body.boolean("pkce_required") {
        application.pkce_required = required;
    }
    application.pkce_required |= application.is_public();
    application.updated_at = call.now;
    call.state.oauth.applications.insert(application);
    get(call)
}

/// `DeleteOAuthApplication`: with its grants and tokens.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = find(call)?.id.clone();
    call.state.oauth.delete_application(&id);
    Ok(views::deleted("oauth_application", &id))
}

/// `RotateOAuthApplicationSecret`: the old secret is refused from now on.
pub(crate) fn rotate_secret(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut application = find(call)?.clone();
    if !application.is_public() {
        application.client_secret = Some(call.ticket());
        application.updated_at = call.now;
        call.state.oauth.applications.insert(application.clone());
    }
    Ok(with_secret(call, &application))
}

/// The application named by `{oauth_application_id}`.
pub(super) fn find<'a>(call: &'a Call<'_>) -> Result<&'a Application, ApiError> {
    let id = call.param("oauth_application_id");
    let found = call.state.oauth.applications.get(&id);
    found.ok_or_else(|| error::oauth_application_not_found(&id))
}

/// A new `client_id`: 16 letters and digits, as Clerk's are.
pub(super) fn client_id(call: &mut Call<'_>) -> String {
    ids::trace(call.random)[..16].to_owned()
}

/// A redirect URI is absolute, in ASCII and without a fragment; every scheme is allowed.
pub(crate) fn is_redirect_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && scheme.bytes().all(plain)
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
        && !rest.contains('#')
        && uri.len() <= MAX_TEXT
        // A script is no place to send a code to.
        && !["javascript", "data", "vbscript"].contains(&scheme.to_ascii_lowercase().as_str())
}

fn redirect_uris(body: &Body<'_>) -> Result<Option<Vec<String>>, ApiError> {
    let (name, uris) = match body.text("callback_url") {
        _ if body.has("redirect_uris") => ("redirect_uris", body.texts("redirect_uris")),
        Some(url) => ("callback_url", vec![url]),
        None => return Ok(None),
    };
    if let Some(wrong) = uris.iter().find(|uri| !is_redirect_uri(uri)) {
        let text = format!("{wrong} is not a valid URL.");
        return Err(error::param_format_invalid(name, text));
    }
    Ok(Some(uris.into_iter().map(str::to_owned).collect()))
}

fn scopes(body: &Body<'_>) -> Result<Option<Vec<String>>, ApiError> {
    let Some(text) = body.text("scopes") else {
        return Ok(None);
    };
    check_length("scopes", text, MAX_TEXT)?;
    let scopes = scope::split(text);
    match scopes.iter().find(|scope| !scope::is_token(scope)) {
        Some(wrong) => Err(error::param_value_invalid("scopes", wrong)),
        None => Ok(Some(scopes)),
    }
}

fn check_length(name: &str, text: &str, limit: usize) -> Result<(), ApiError> {
    if text.chars().count() > limit {
        return Err(error::param_max_length(name, limit));
    }
    Ok(())
}

fn view(call: &Call<'_>, application: &Application) -> Value {
    let url = call.url;
    let instance: &Id = &call.state.instance.id;
    json!({
        "object": "oauth_application",
        "id": application.id,
        "instance_id": instance,
        "name": application.name,
        "client_id": application.client_id,
        "client_uri": application.client_uri,
        "client_image_url": application.logo_uri,
        "dynamically_registered": application.dynamically_registered,
        "consent_screen_enabled": application.consent_screen_enabled,
        "pkce_required": application.pkce_required,
        "public": application.is_public(),
        "scopes": application.scopes.join(" "),
        "redirect_uris": application.redirect_uris,
        "callback_url": application.redirect_uris.first(),
        "authorize_url": format!("{url}/oauth/authorize"),
        "token_fetch_url": format!("{url}/oauth/token"),
        "user_info_url": format!("{url}/oauth/userinfo"),
        "discovery_url": format!("{url}/.well-known/openid-configuration"),
        "token_introspection_url": format!("{url}/oauth/token_info"),
        "created_at": application.created_at,
        "updated_at": application.updated_at,
    })
}

/// `client_secret` is empty for a public client.
fn with_secret(call: &Call<'_>, application: &Application) -> Value {
    let mut view = view(call, application);
    view["client_secret"] = json!(application.client_secret.as_deref().unwrap_or_default());
    view
}

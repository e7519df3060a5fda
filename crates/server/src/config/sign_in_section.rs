//! `[sign_in]`.

use oauth::ScopeSet;
use url::Url;

use super::{
    fault::{Place, Wrong},
    load::origin,
    model::{ClerkOauth, ClerkTokens, OwnersApp, SignIn},
    origin::{Origin, OriginError},
    quantity::switch,
    settings::{self, Setting},
    sources::Reading,
    tools_section::prefixed,
};
use crate::{MCP_PATH, SSE_PATH, scope_mapping::ScopeMapping};

/// What stands for the address of the MCP endpoint, and of HTTP+SSE where that is on, so that they are
/// not written twice.
const OWN_RESOURCE: &str = "resource";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    ClerkOauth,
    App,
    ClerkTokens,
}

/// Settings that only some modes make use of.
const OF_SOME_MODES: [(&Setting, &[Mode]); 12] = [
    (&settings::CLIENT_ID, &[Mode::ClerkOauth]),
    (
        &settings::SIGN_IN_SESSION,
        &[Mode::ClerkOauth, Mode::ClerkTokens],
    ),
    (
        &settings::ORGANIZATIONS,
        &[Mode::ClerkOauth, Mode::ClerkTokens],
    ),
    (&settings::APP_URL, &[Mode::App]),
    (&settings::AUTHORIZED_PARTIES, &[Mode::App]),
    (&settings::AUDIENCE, &[Mode::ClerkTokens]),
    (&settings::CLIENT_IDS, &[Mode::ClerkTokens]),
    (&settings::ANY_CLIENT, &[Mode::ClerkTokens]),
    (&settings::MACHINE, &[Mode::ClerkTokens]),
    (&settings::API_KEYS, &[Mode::ClerkTokens]),
    (&settings::READ_SCOPES, &[Mode::ClerkTokens]),
    (&settings::WRITE_SCOPES, &[Mode::ClerkTokens]),
];

pub(super) fn sign_in(
    reading: &Reading<'_>,
    public_url: Option<&Origin>,
    sse: bool,
) -> Option<SignIn> {
    let mode = reading.required(&settings::SIGN_IN_MODE, |text| match text {
        "clerk-oauth" => Ok(Mode::ClerkOauth),
        "app" => Ok(Mode::App),
        "clerk-tokens" => Ok(Mode::ClerkTokens),
        _ => Err(Wrong::new(
            "it is no way to sign in",
            "use clerk-oauth, app or clerk-tokens",
        )),
    });
    if let Some(mode) = mode {
        warn_of_others(reading, mode);
    }
    // With a mode that cannot be read, the default's faults are told as well.
    let read = match mode.unwrap_or(Mode::ClerkOauth) {
        Mode::ClerkOauth => clerk_oauth(reading).map(SignIn::ClerkOauth),
        Mode::App => app(reading).map(SignIn::App),
        Mode::ClerkTokens => clerk_tokens(reading, public_url, sse).map(SignIn::ClerkTokens),
    };
    mode?;
    read
}

/// What has no effect is told: somebody may rely on it.
fn warn_of_others(reading: &Reading<'_>, mode: Mode) {
    let (what, hint) = match mode {
        Mode::ClerkOauth => (
            "it has no effect when people sign in with clerk-oauth",
            "remove it, or set sign_in.mode to the way that it is for",
        ),
        Mode::App => (
            "it has no effect when people sign in through your application",
            "remove it, or set sign_in.mode to the way that it is for",
        ),
        Mode::ClerkTokens => (
            "it has no effect when Clerk is the authorization server",
            "remove it, or set sign_in.mode to the way that it is for",
        ),
    };
    for (setting, modes) in OF_SOME_MODES {
        if modes.contains(&mode) {
            continue;
        }
        match given_at(reading, setting) {
            Some(place @ Place::File { .. }) => reading.warn(place, what, hint),
            // That one may be there for something else.
            Some(Place::Variable(name)) if name != "CLERK_CLIENT_ID" => {
                reading.warn(Place::Variable(name), what, hint);
            }
            _ => {}
        }
    }
    if mode != Mode::ClerkTokens {
        return;
    }
    let of_oauth = settings::ALL
        .iter()
        .filter(|setting| setting.key.starts_with("oauth."));
    for setting in of_oauth {
        if let Some(place @ Place::File { .. }) = given_at(reading, setting) {
            reading.warn(place, what, hint);
        }
    }
    for table in ["oauth.scopes", "oauth.clients"] {
        for entry in reading.entries(table) {
            reading.warn(entry.place.clone(), what, hint);
        }
    }
}

fn clerk_oauth(reading: &Reading<'_>) -> Option<ClerkOauth> {
    let client_id = reading.required(&settings::CLIENT_ID, client_id);
    let client_secret = reading.global_secret(&settings::CLIENT_SECRET);
    let organizations = reading.required(&settings::ORGANIZATIONS, switch);
    let ticket_sessions = ticket_sessions(reading);
    Some(ClerkOauth {
        client_id: client_id?,
        client_secret: client_secret?.map(|(_, secret)| secret),
        organizations: organizations?,
        ticket_sessions: ticket_sessions?,
    })
}

fn client_id(text: &str) -> Result<String, Wrong> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    // A client may be its metadata document's URL.
    if text.is_empty() || text.len() > 2_000 || !visible {
        let hint = "copy it from the OAuth application in https://dashboard.clerk.com";
        return Err(Wrong::new("it is no client id", hint));
    }
    Ok(text.to_owned())
}

/// `session = "ticket"`.
fn ticket_sessions(reading: &Reading<'_>) -> Option<bool> {
    let given = reading.optional(&settings::SIGN_IN_SESSION, |text| match text {
        "ticket" => Ok(()),
        _ => Err(Wrong::new(
            "it is no way to get a session",
            "write session = \"ticket\", or leave it out",
        )),
    });
    Some(given?.is_some())
}

fn app(reading: &Reading<'_>) -> Option<OwnersApp> {
    let app = reading.required(&settings::APP_URL, app_url);
    let more = reading.list(reading.given(&settings::AUTHORIZED_PARTIES), origin);
    let (url, own) = app?;
    let mut authorized_parties = vec![own];
    authorized_parties.extend(more?);
    Some(OwnersApp {
        url,
        authorized_parties,
    })
}

fn clerk_tokens(
    reading: &Reading<'_>,
    public_url: Option<&Origin>,
    sse: bool,
) -> Option<ClerkTokens> {
    let list = |setting: &'static Setting, check: fn(&str) -> Result<String, Wrong>| {
        reading.list(reading.given(setting), check)
    };
    let audience = list(&settings::AUDIENCE, audience);
    let client_ids = list(&settings::CLIENT_IDS, client_id);
    let any_client = reading.required(&settings::ANY_CLIENT, switch);
    let machine = reading.optional(&settings::MACHINE, |text| {
        prefixed(text, "mch_", "mch_2abc…, as the Clerk dashboard shows it")
    });
    let api_keys = reading.required(&settings::API_KEYS, switch);
    let organizations = reading.required(&settings::ORGANIZATIONS, switch);
    let ticket_sessions = ticket_sessions(reading);
    let read = list(&settings::READ_SCOPES, scope);
    let write = list(&settings::WRITE_SCOPES, scope);
    // Clients that know HTTP+SSE alone ask for a token for its address.
    let paths = [MCP_PATH, SSE_PATH];
    let paths = if sse { &paths[..] } else { &paths[..1] };
    let in_full = |audience: String| match (&*audience, public_url) {
        (OWN_RESOURCE, Some(url)) => paths.iter().map(|path| url.join(path)).collect(),
        _ => vec![audience],
    };
    let tokens = ClerkTokens {
        audience: audience?.into_iter().flat_map(in_full).collect(),
        client_ids: client_ids?,
        any_client: any_client?,
        machine: machine?,
        api_keys: api_keys?,
        organizations: organizations?,
        ticket_sessions: ticket_sessions?,
        scopes: ScopeMapping {
            read: read?,
            write: write?,
        },
    };
    check_for_whom(reading, &tokens)?;
    Some(tokens)
}

/// All tokens of an instance have one issuer and one key. Only their audience or their client tells
/// that one was meant for this server: not to ask must be somebody's decision.
fn check_for_whom(reading: &Reading<'_>, tokens: &ClerkTokens) -> Option<()> {
    let place = given_at(reading, &settings::ANY_CLIENT);
    let place = place.unwrap_or_else(|| Place::Setting("sign_in".to_owned()));
    let is_narrowed = !tokens.audience.is_empty() || !tokens.client_ids.is_empty();
    match (tokens.any_client, is_narrowed) {
        (true, true) => {
            let problem = "`any_client` is true, but `audience` or `client_ids` says otherwise";
            let hint = "remove `any_client`, or the other two";
            reading.fault(Wrong::new(problem, hint).at(place));
            None
        }
        (false, false) => {
            let problem = "it is not said which OAuth tokens of the Clerk instance are meant for this \
                           server";
            let hint = "register the address of the MCP endpoint as an MCP server in the Clerk \
                        dashboard and write audience = \"resource\", which is that address; or name \
                        OAuth clients, client_ids = [\"…\"]; or write any_client = true, if tokens \
                        given for anything else may be used here too";
            reading.fault(Wrong::new(problem, hint).at(place));
            None
        }
        (true, false) => {
            reading.warn(
                place,
                "tokens of every OAuth client of the instance count here, whatever people gave them \
                 for",
                "name an `audience`, or the `client_ids`",
            );
            Some(())
        }
        (false, true) => Some(()),
    }
}

fn audience(text: &str) -> Result<String, Wrong> {
    let good = !text.is_empty() && text.len() <= 2_000;
    if !good || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let hint = "write \"resource\", or as Clerk has it, such as https://mcp.example.com/mcp";
        return Err(Wrong::new("it is no audience", hint));
    }
    Ok(text.to_owned())
}

fn scope(text: &str) -> Result<String, Wrong> {
    match ScopeSet::parse(text) {
        Some(set) if set.len() == 1 && set.contains(text) => Ok(text.to_owned()),
        _ => Err(Wrong::new(
            "it is no scope",
            "write each by itself, as the Clerk dashboard has it",
        )),
    }
}

/// Where a setting was given a value other than its default.
fn given_at(reading: &Reading<'_>, setting: &Setting) -> Option<Place> {
    let place = reading.given(setting)?.place;
    (!matches!(place, Place::Setting(_))).then_some(place)
}

/// A URL that may have a path, and its origin.
fn app_url(text: &str) -> Result<(Url, Origin), Wrong> {
    let hint = "write it like https://app.example.com, without /auth/mcp, which is added";
    let wrong = |error: OriginError| Wrong::new(error.to_string(), hint);
    let url = Url::parse(text.trim()).map_err(|_| wrong(OriginError::Invalid))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new("it has a query or a fragment", hint));
    }
    if url
        .path()
        .trim_end_matches('/')
        .ends_with(crate::sign_in::APP_ROUTE)
    {
        return Err(Wrong::new("it ends with /auth/mcp", hint));
    }
    let mut without_path = url.clone();
    without_path.set_path("");
    let origin = Origin::parse(without_path.as_str()).map_err(wrong)?;
    Ok((url, origin))
}

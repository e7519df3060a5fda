//! `[sign_in]`.

use url::Url;

use super::{
    fault::{Place, Wrong},
    load::origin,
    model::{ClerkOauth, OwnersApp, SignIn},
    origin::{Origin, OriginError},
    quantity::switch,
    settings::{self, Setting},
    sources::Reading,
};

#[derive(Clone, Copy)]
enum Mode {
    ClerkOauth,
    App,
}

pub(super) fn sign_in(reading: &Reading<'_>) -> Option<SignIn> {
    let mode = reading.required(&settings::SIGN_IN_MODE, |text| match text {
        "clerk-oauth" => Ok(Mode::ClerkOauth),
        "app" => Ok(Mode::App),
        "clerk-tokens" => Err(Wrong::new(
            "this way to sign in is not in this version",
            "use clerk-oauth or app",
        )),
        _ => Err(Wrong::new(
            "it is no way to sign in",
            "use clerk-oauth or app",
        )),
    });
    // With a mode that cannot be read, the default's faults are told as well.
    let read = match mode.unwrap_or(Mode::ClerkOauth) {
        Mode::ClerkOauth => clerk_oauth(reading).map(SignIn::ClerkOauth),
        Mode::App => app(reading).map(SignIn::App),
    };
    mode?;
    read
}

fn clerk_oauth(reading: &Reading<'_>) -> Option<ClerkOauth> {
    let client_id = reading.required(&settings::CLIENT_ID, |text| {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > 200 || !visible {
            let hint = "copy it from the OAuth application in https://dashboard.clerk.com";
            return Err(Wrong::new("it is no client id", hint));
        }
        Ok(text.to_owned())
    });
    let client_secret = reading.global_secret(&settings::CLIENT_SECRET);
    let organizations = reading.required(&settings::ORGANIZATIONS, switch);
    let ticket_sessions = ticket_sessions(reading);
    for setting in [&settings::APP_URL, &settings::AUTHORIZED_PARTIES] {
        if let Some(place) = given_at(reading, setting) {
            reading.warn(
                place,
                "it has no effect when people sign in with clerk-oauth",
                "remove it, or set sign_in.mode = \"app\" to sign in through your application",
            );
        }
    }
    Some(ClerkOauth {
        client_id: client_id?,
        client_secret: client_secret?.map(|(_, secret)| secret),
        organizations: organizations?,
        ticket_sessions: ticket_sessions?,
    })
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
    for setting in [
        &settings::CLIENT_ID,
        &settings::ORGANIZATIONS,
        &settings::SIGN_IN_SESSION,
    ] {
        // A variable may be there for something else.
        if let Some(place @ Place::File { .. }) = given_at(reading, setting) {
            reading.warn(
                place,
                "it has no effect when people sign in through your application",
                "remove it, or set sign_in.mode = \"clerk-oauth\"",
            );
        }
    }
    let (url, own) = app?;
    let mut authorized_parties = vec![own];
    authorized_parties.extend(more?);
    Some(OwnersApp {
        url,
        authorized_parties,
    })
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

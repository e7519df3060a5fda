//! `[clerk]`.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use clerk::{ApiUrl, ApiVersion, InstanceKind, SecretKey};
use url::Url;

use super::{
    fault::{Place, Wrong, shown},
    load::origin,
    model::ClerkConfig,
    origin::Origin,
    settings,
    sources::{Reading, missing},
};

pub(super) fn clerk(reading: &Reading<'_>) -> Option<ClerkConfig> {
    let api_url = reading.required(&settings::API_URL, |text| {
        ApiUrl::parse(text).map_err(|error| Wrong::of(&error))
    });
    let api_version = reading.required(&settings::API_VERSION, |text| {
        ApiVersion::parse(text).map_err(|error| Wrong::of(&error))
    });
    let secret_key = secret_key(reading);
    let publishable = reading.optional(&settings::PUBLISHABLE_KEY, PublishableKey::parse);
    let frontend_api = reading.optional(&settings::FRONTEND_API, |text| {
        // Clerk's dashboard shows it without a scheme too.
        let bare = !text.contains("://") && !text.contains(':');
        origin(&if bare {
            format!("https://{text}")
        } else {
            text.to_owned()
        })
    });
    if let (Some((place, key)), Some(Some(publishable))) = (&secret_key, &publishable)
        && !matches!(place, Place::Setting(_))
        && key.instance() != publishable.instance
    {
        let problem = format!(
            "this is a key of the {} instance, and the publishable key is of the {} instance",
            key.instance(),
            publishable.instance
        );
        let hint = "copy both from the same instance of https://dashboard.clerk.com (API keys)";
        reading.fault(Wrong::new(problem, hint).at(place.clone()));
    }
    let frontend_api = agreed(reading, frontend_api?, publishable?);
    Some(ClerkConfig {
        api_url: api_url?,
        api_version: api_version?,
        frontend_api: frontend_api?,
        secret_key: secret_key?.1,
    })
}

fn secret_key(reading: &Reading<'_>) -> Option<(Place, SecretKey)> {
    let setting = &settings::SECRET_KEY;
    let Some((place, secret)) = reading.global_secret(setting)? else {
        if let Some(stand_in) = reading.stand_in(setting) {
            let key = |text: &str| SecretKey::parse(text).map_err(|error| Wrong::of(&error));
            return Some((stand_in.place.clone(), reading.parsed(&stand_in, key)?));
        }
        reading.fault(missing(setting, Place::Setting(setting.key.to_owned())));
        return None;
    };
    match SecretKey::parse(secret.expose()) {
        Ok(key) => Some((place, key)),
        Err(error) => {
            reading.fault(Wrong::of(&error).at(place));
            None
        }
    }
}

fn agreed(
    reading: &Reading<'_>,
    given: Option<Origin>,
    publishable: Option<PublishableKey>,
) -> Option<Url> {
    let place = |setting| {
        let given = reading.given(setting);
        given.map_or_else(
            || Place::Setting(setting.key.to_owned()),
            |given| given.place,
        )
    };
    let origin = match (given, publishable) {
        (Some(given), Some(key)) if given.authority() != key.frontend_api.authority() => {
            let problem = format!(
                "{} is not the Frontend API that the publishable key names, {}",
                shown(given.as_str()),
                shown(key.frontend_api.as_str())
            );
            let hint = "remove one of them, or copy both from the same Clerk instance";
            reading.fault(Wrong::new(problem, hint).at(place(&settings::FRONTEND_API)));
            return None;
        }
        (Some(given), _) => given,
        (None, Some(key)) => key.frontend_api,
        (None, None) if let Some(stand_in) = reading.stand_in(&settings::FRONTEND_API) => {
            reading.parsed(&stand_in, origin)?
        }
        (None, None) => {
            let hint = "set CLERK_PUBLISHABLE_KEY (pk_…), which names the Frontend API, or \
                        CLERK_FRONTEND_API";
            let problem = "the Frontend API, where people sign in, is not known";
            reading.fault(Wrong::new(problem, hint).at(place(&settings::FRONTEND_API)));
            return None;
        }
    };
    Url::parse(origin.as_str()).ok()
}

/// A publishable key: `pk_test_` or `pk_live_`, and in base64 the Frontend API's host and a `$`.
#[derive(Debug)]
struct PublishableKey {
    instance: InstanceKind,
    frontend_api: Origin,
}

impl PublishableKey {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let hint = "copy it from https://dashboard.clerk.com (API keys); it starts with pk_test_ or \
                    pk_live_";
        let (instance, rest) = if let Some(rest) = text.strip_prefix("pk_test_") {
            (InstanceKind::Development, rest)
        } else if let Some(rest) = text.strip_prefix("pk_live_") {
            (InstanceKind::Production, rest)
        } else {
            return Err(Wrong::new("it is no publishable key", hint));
        };
        let host = STANDARD_NO_PAD
            .decode(rest.trim_end_matches('='))
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let frontend_api = host
            .as_deref()
            .and_then(|host| host.strip_suffix('$'))
            .and_then(|host| Origin::parse(&format!("https://{host}")).ok())
            .ok_or_else(|| Wrong::new("it names no Frontend API; a part may be missing", hint))?;
        Ok(Self {
            instance,
            frontend_api,
        })
    }
}

//! `[oauth]` and `[cimd.test]`.

use std::collections::BTreeMap;

use oauth::{KeySet, KeySource, RedirectUri, ScopeDefinition, ScopePolicy, ScopeSet};

use super::{
    document::{Entry, Raw},
    fault::{Place, Wrong, shown},
    model::{CimdTest, ClientConfig, OAuthConfig},
    origin::Origin,
    quantity::{duration, integer, switch},
    settings,
    sources::{Reading, missing},
};
use crate::access::{READ_SCOPE, WRITE_SCOPE};

/// A client secret shorter than this can be guessed.
const SHORTEST_SECRET: usize = 20;

pub(super) fn oauth(reading: &Reading<'_>) -> Option<OAuthConfig> {
    let lifetime =
        |setting, least, most| reading.required(setting, |text| duration(text, (least, most)));
    let access = lifetime(&settings::ACCESS_TOKEN_LIFETIME, "1s", "24h");
    let idle = lifetime(&settings::REFRESH_IDLE_LIFETIME, "1m", "365d");
    let total = lifetime(&settings::REFRESH_TOTAL_LIFETIME, "1m", "730d");
    let code = lifetime(&settings::CODE_LIFETIME, "1s", "10m");
    if let (Some(idle), Some(total)) = (idle, total)
        && total < idle
        && let Some(given) = reading.given(&settings::REFRESH_TOTAL_LIFETIME)
    {
        let problem = "it is shorter than `oauth.refresh_idle_lifetime`";
        let hint = "make it the longer one of the two";
        reading.fault(Wrong::new(problem, hint).at(given.place));
    }
    let dynamic_registration = reading.required(&settings::DYNAMIC_REGISTRATION, switch);
    let registrations = reading.required(&settings::REGISTRATIONS_PER_HOUR, |text| {
        integer(text, 1..=100_000).map(|number| number as u32)
    });
    let schemes = reading.list(
        reading.given(&settings::PRIVATE_USE_SCHEMES),
        private_use_scheme,
    );
    let documents = reading.required(&settings::CLIENT_ID_METADATA_DOCUMENTS, switch);
    let scopes = scopes(reading);
    let clients = clients(reading, schemes.as_deref().unwrap_or_default());
    Some(OAuthConfig {
        access_token_lifetime: access?,
        refresh_idle_lifetime: idle?,
        refresh_total_lifetime: total?,
        code_lifetime: code?,
        dynamic_registration: dynamic_registration?,
        registrations_per_hour: registrations?,
        private_use_schemes: schemes?,
        client_id_metadata_documents: documents?,
        scopes: scopes?,
        clients: clients?,
    })
}

/// Schemes that run code, read files, or are the web's own: never an application's.
const FORBIDDEN_SCHEMES: [&str; 12] = [
    "http",
    "https",
    "javascript",
    "data",
    "file",
    "blob",
    "about",
    "vbscript",
    "ftp",
    "mailto",
    "ws",
    "wss",
];

fn private_use_scheme(text: &str) -> Result<String, Wrong> {
    let scheme = text.to_ascii_lowercase();
    let begins = scheme.starts_with(|first: char| first.is_ascii_lowercase());
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    if !begins || !scheme.bytes().all(plain) {
        let hint = "write it like com.example.app, without `:` and what follows";
        return Err(Wrong::new("it is no URI scheme", hint));
    }
    if FORBIDDEN_SCHEMES.contains(&scheme.as_str()) {
        let hint = "name a scheme of an application's own, such as com.example.app";
        return Err(Wrong::new("this scheme is no application's own", hint));
    }
    Ok(scheme)
}

fn scopes(reading: &Reading<'_>) -> Option<ScopePolicy> {
    let definition = |value: &str, title: &str, description: &str| ScopeDefinition {
        value: value.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
    };
    let mut offered = vec![
        definition(
            READ_SCOPE,
            "Read",
            "Use the tools that look things up and change nothing.",
        ),
        definition(
            WRITE_SCOPE,
            "Make changes",
            "Use the tools that create, change and remove things.",
        ),
    ];
    let mut whole = true;
    for entry in reading.entries("oauth.scopes") {
        let value = reading.required_in(entry, &settings::SCOPE_VALUE, |text| {
            let one = ScopeSet::parse(text).filter(|set| set.len() == 1 && set.contains(text));
            if one.is_none() || text == "offline_access" {
                let hint = "use one word of printable ASCII such as app:reports, without quotes \
                            and backslashes";
                return Err(Wrong::new("it is no scope", hint));
            }
            if offered.iter().any(|known| known.value == text) {
                let hint = "tools:read and tools:write are always there; remove this one";
                return Err(Wrong::new("this scope is there already", hint));
            }
            Ok(text.to_owned())
        });
        let title = reading.required_in(entry, &settings::SCOPE_TITLE, prose);
        let description = reading.required_in(entry, &settings::SCOPE_DESCRIPTION, prose);
        match (value, title, description) {
            (Some(value), Some(title), Some(description)) => {
                offered.push(definition(&value, &title, &description));
            }
            _ => whole = false,
        }
    }
    let first = reading.list(reading.given(&settings::FIRST_SCOPES), |text| {
        let known: Vec<&str> = offered.iter().map(|scope| scope.value.as_str()).collect();
        match known.contains(&text) {
            true => Ok(text.to_owned()),
            false => Err(Wrong::new(
                "this scope is not offered",
                format!(
                    "name one of {}, or define it in [[oauth.scopes]]",
                    known.join(", ")
                ),
            )),
        }
    })?;
    if first.is_empty() {
        let wrong = Wrong::new("no scope is named", "name at least tools:read");
        let place = reading
            .given(&settings::FIRST_SCOPES)
            .map(|given| given.place);
        reading.fault(wrong.at(place?));
        return None;
    }
    let first = ScopeSet::parse(&first.join(" "))?;
    let policy = ScopePolicy::new(offered, first).ok();
    whole.then_some(policy).flatten()
}

fn prose(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 300 || text.chars().any(char::is_control) {
        let hint = "use 1 to 300 characters on one line";
        return Err(Wrong::new(
            "it is empty, too long or has control characters",
            hint,
        ));
    }
    Ok(text.to_owned())
}

fn clients(reading: &Reading<'_>, schemes: &[String]) -> Option<Vec<ClientConfig>> {
    let entries = reading.entries("oauth.clients");
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let read: Vec<Option<ClientConfig>> = entries
        .iter()
        .map(|entry| client(reading, entry, schemes, &mut variables))
        .collect();
    read.into_iter().collect()
}

fn client(
    reading: &Reading<'_>,
    entry: &Entry,
    schemes: &[String],
    variables: &mut BTreeMap<String, String>,
) -> Option<ClientConfig> {
    let client_id = reading.required_in(entry, &settings::CLIENT_CLIENT_ID, client_id);
    let name = reading.required_in(entry, &settings::CLIENT_NAME, prose);
    let uris = reading.given_in(entry, &settings::CLIENT_REDIRECT_URIS);
    let redirect_uris = reading.list(uris, |text| redirect_uri(text, schemes));
    if redirect_uris.as_ref().is_some_and(Vec::is_empty) {
        reading.fault(missing(
            &settings::CLIENT_REDIRECT_URIS,
            entry.place.clone(),
        ));
    }
    let client_id = client_id?;
    let variable = secret_variable(&client_id);
    if let Some(other) = variables.insert(variable.clone(), client_id.clone()) {
        let problem = if other == client_id {
            format!("the client {} is there twice", shown(&client_id))
        } else {
            format!(
                "{} and {} would share {variable}",
                shown(&client_id),
                shown(&other)
            )
        };
        let wrong = Wrong::new(problem, "give one of them another client_id");
        reading.fault(wrong.at(entry.place.clone()));
    }
    let secret = reading.secret(&settings::CLIENT_CLIENT_SECRET, &variable, &entry.values)?;
    if let Some((place, secret)) = &secret
        && secret.expose().chars().count() < SHORTEST_SECRET
    {
        let problem = format!("the secret has fewer than {SHORTEST_SECRET} characters");
        let hint = "make one with `openssl rand -base64 32`";
        reading.fault(Wrong::new(problem, hint).at(place.clone()));
    }
    let keys = client_keys(reading, entry)?;
    if let (Some((place, _)), Some(_)) = (&secret, &keys) {
        let problem = "the client has both a secret and keys";
        let hint = "remove one of them: it proves who it is in one way";
        reading.fault(Wrong::new(problem, hint).at(place.clone()));
    }
    Some(ClientConfig {
        client_id,
        name: name?,
        redirect_uris: redirect_uris?,
        secret: secret.map(|(_, secret)| secret),
        keys,
    })
}

/// `Some(None)` when there are none.
fn client_keys(reading: &Reading<'_>, entry: &Entry) -> Option<Option<KeySource>> {
    let file = reading.given_in(entry, &settings::CLIENT_JWKS_FILE);
    let uri = reading.given_in(entry, &settings::CLIENT_JWKS_URI);
    match (file, uri) {
        (None, None) => Some(None),
        (None, Some(given)) => {
            let source = reading.parsed(&given, |text| {
                KeySource::at(text).map_err(|fault| Wrong::of(&fault))
            });
            source.map(Some)
        }
        (Some(given), None) => {
            let text = reading.file(&given.place, &reading.path(&given)?)?;
            match KeySet::parse(text.as_bytes()) {
                Ok(keys) => Some(Some(KeySource::Inline(keys))),
                Err(fault) => {
                    reading.fault(Wrong::of(&fault).at(given.place));
                    None
                }
            }
        }
        (Some(given), Some(_)) => {
            let problem = "the client's keys are in two places";
            let hint = "remove `jwks_file` or `jwks_uri`";
            reading.fault(Wrong::new(problem, hint).at(given.place));
            None
        }
    }
}

fn client_id(text: &str) -> Result<String, Wrong> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(plain) {
        let hint = "use up to 128 letters, digits, `.`, `_` and `-`";
        return Err(Wrong::new("it is no client id", hint));
    }
    Ok(text.to_owned())
}

/// The variable of a client's secret: `CLERK_MCP_CLIENT_SECRET_MY_APP` of `my-app`.
fn secret_variable(client_id: &str) -> String {
    let name = client_id.chars().map(|character| {
        if character.is_ascii_alphanumeric() {
            character.to_ascii_uppercase()
        } else {
            '_'
        }
    });
    "CLERK_MCP_CLIENT_SECRET_".chars().chain(name).collect()
}

/// By the authorization server's own rules, which would stop the server at its start.
fn redirect_uri(text: &str, schemes: &[String]) -> Result<String, Wrong> {
    match RedirectUri::parse(text, schemes) {
        Ok(_) => Ok(text.to_owned()),
        Err(fault) => Err(Wrong::of(&fault)),
    }
}

/// `Some(None)` when there is none.
pub(super) fn cimd_test(
    reading: &Reading<'_>,
    public_url: Option<&Origin>,
) -> Option<Option<CimdTest>> {
    let hosts = reading.given(&settings::CIMD_HOSTS);
    let ca_file = reading.given(&settings::CIMD_CA_FILE);
    let Some(place) = hosts
        .as_ref()
        .or(ca_file.as_ref())
        .map(|given| given.place.clone())
    else {
        return Some(None);
    };
    if !public_url?.is_loopback() {
        let problem = "this is for tests, and `public_url` is not this machine";
        let hint =
            "remove [cimd.test]: with it, clients could have documents on hosts they do not own";
        reading.fault(Wrong::new(problem, hint).at(place));
        return None;
    }
    reading.warn(
        place,
        "client metadata documents of test hosts are believed",
        "remove [cimd.test] when the test is over",
    );
    let mut mapped = Some(BTreeMap::new());
    if let Some(given) = hosts
        && let Raw::Map(pairs) = given.raw
    {
        for (host, address) in pairs {
            match test_host(&host, &address) {
                Ok(address) => drop(mapped.as_mut().map(|mapped| mapped.insert(host, address))),
                Err(wrong) => {
                    reading.fault(wrong.at(given.place.clone()));
                    mapped = None;
                }
            }
        }
    }
    let ca_pem = match ca_file {
        Some(given) => Some(pem(reading, &given.place, &reading.path(&given)?)?),
        None => None,
    };
    Some(Some(CimdTest {
        hosts: mapped?,
        ca_pem,
    }))
}

fn test_host(host: &str, address: &str) -> Result<std::net::SocketAddr, Wrong> {
    if Origin::parse(&format!("https://{host}")).is_ok_and(|origin| origin.authority() == host)
        && !host.contains(':')
    {
        return address
            .parse()
            .ok()
            .filter(|address: &std::net::SocketAddr| {
                address.ip().is_loopback() && address.port() != 0
            })
            .ok_or_else(|| {
                Wrong::new(
                    format!("{} is no loopback address with a port", shown(address)),
                    "write it like 127.0.0.1:4443",
                )
            });
    }
    Err(Wrong::new(
        format!("{} is no host name", shown(host)),
        "write it like client.example, in small letters and without a port",
    ))
}

fn pem(reading: &Reading<'_>, place: &Place, path: &std::path::Path) -> Option<String> {
    let text = reading.file(place, path)?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        let problem = format!(
            "the file {} holds no certificate",
            shown(&path.to_string_lossy())
        );
        let wrong = Wrong::new(problem, "it must be a certificate authority in PEM");
        reading.fault(wrong.at(place.clone()));
        return None;
    }
    Some(text)
}

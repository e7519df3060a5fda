//! What the consent page tells a person.

use url::Url;

use crate::authorization::{Authorization, AuthorizationId, Stage};
use crate::client::{ClientId, ClientOrigin};
use crate::redirect_uri::{RedirectKind, RedirectUri};
use crate::scope::{ScopeDefinition, ScopeSet};
use crate::settings::Settings;

/// Everything on the consent page. Texts are the client's own unless said otherwise: escape them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentPage {
    /// The one thing that the form carries.
    pub handle: AuthorizationId,
    /// The client's name, without characters that are invisible or turn the text around.
    pub client_name: Option<String>,
    /// How far the name can be believed.
    pub identity: ClientIdentity,
    /// The client's home page, an http(s) URL.
    pub client_uri: Option<String>,
    /// Its logo, an http(s) URL.
    pub logo_uri: Option<String>,
    /// Its privacy policy, an http(s) URL.
    pub policy_uri: Option<String>,
    /// Its terms of service, an http(s) URL.
    pub tos_uri: Option<String>,
    /// Where the answer goes: a host, with its port if it names one, or a scheme.
    pub redirect_host: String,
    /// What that is. Loopback and private-use deserve a warning: any program on the person's machine
    /// could be behind them.
    pub redirect_kind: RedirectKind,
    /// What is asked for, each with a tick box.
    pub scopes: Vec<ScopeDefinition>,
    /// Those of the scopes that go beyond what this person has allowed this client before. Empty when
    /// nobody is known yet, or they have allowed it nothing: then all of it is new, and none of it more
    /// than the rest.
    pub new_scopes: ScopeSet,
    /// Whether the consent may be remembered.
    pub can_remember: bool,
    /// Who signed in, when the page is shown after the sign-in.
    pub person: Option<String>,
}

/// How far a client's name can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientIdentity {
    /// The server's owner configured it.
    Configured,
    /// This host vouches for it: its metadata document is there.
    Domain(String),
    /// It registered itself, under whatever name it liked.
    SelfRegistered,
}

impl ConsentPage {
    pub(crate) fn new(
        authorization: &Authorization,
        new_scopes: ScopeSet,
        settings: &Settings,
    ) -> Self {
        let client = &authorization.client;
        let request = &authorization.request;
        let redirect = RedirectUri::parse(&request.redirect_uri, &settings.private_use_schemes);
        let redirect = redirect.ok();
        let kind = redirect
            .as_ref()
            .map_or(RedirectKind::PrivateUse, RedirectUri::kind);
        let person = match &authorization.stage {
            Stage::Confirm { person, .. } => Some(
                person
                    .display_name
                    .clone()
                    .unwrap_or_else(|| person.user_id.clone()),
            ),
            _ => None,
        };
        Self {
            handle: authorization.id.clone(),
            client_name: client.shown_name(),
            identity: identity(client.origin, &request.client_id),
            client_uri: client.client_uri.clone(),
            logo_uri: client.logo_uri.clone(),
            policy_uri: client.policy_uri.clone(),
            tos_uri: client.tos_uri.clone(),
            redirect_host: redirect
                .as_ref()
                .map(RedirectUri::shown)
                .unwrap_or_default(),
            redirect_kind: kind,
            scopes: request
                .scope
                .iter()
                .filter_map(|scope| settings.scopes.definition(scope).cloned())
                .collect(),
            new_scopes,
            can_remember: can_remember(kind),
            person,
        }
    }
}

/// A consent is remembered only where the answer surely reaches the same party again. Behind a
/// loopback address or a private-use scheme may be another program tomorrow.
pub(crate) fn can_remember(kind: RedirectKind) -> bool {
    kind == RedirectKind::Https
}

/// How far the name of a client can be believed that became known in this way.
pub(crate) fn identity(origin: ClientOrigin, id: &ClientId) -> ClientIdentity {
    match origin {
        ClientOrigin::Configured => ClientIdentity::Configured,
        ClientOrigin::Registered => ClientIdentity::SelfRegistered,
        ClientOrigin::MetadataDocument => {
            let url = Url::parse(id.as_str()).ok();
            match url.as_ref().and_then(Url::host_str) {
                Some(host) => ClientIdentity::Domain(host.to_owned()),
                None => ClientIdentity::SelfRegistered,
            }
        }
    }
}

/// What a client calls itself, as far as it can be shown to people.
pub(crate) fn shown_name(name: Option<&str>) -> Option<String> {
    name.map(visible).filter(|name| !name.is_empty())
}

/// `text` without control characters and without those that are invisible or change the direction
/// of writing: with them one name can look like another.
fn visible(text: &str) -> String {
    let hidden = |character: char| {
        character.is_control()
            || matches!(character,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.chars()
        .filter(|character| !hidden(*character))
        .collect::<String>()
        .trim()
        .to_owned()
}

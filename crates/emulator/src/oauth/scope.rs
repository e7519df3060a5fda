//! Scopes: Clerk's own, and those that an application has besides.

use crate::state::State;

/// Lets the client know the person's organization, which they choose on the consent page.
pub(crate) const ORGANIZATION: &str = "user:org:read";

/// What a client gets that asks for nothing, unless the instance says otherwise.
pub(crate) const DEFAULTS: [&str; 2] = ["profile", "email"];

/// Clerk's scopes and what the consent page says of them.
pub(crate) const BUILT_IN: [(&str, &str); 7] = [
    ("openid", "Know who you are"),
    ("profile", "See your name, your username and your picture"),
    ("email", "See your e-mail address"),
    ("public_metadata", "See your public metadata"),
    ("private_metadata", "See your private metadata"),
    ("offline_access", "Keep this access while you are away"),
    (ORGANIZATION, "See your organization"),
];

/// The built-in scopes that this instance has.
pub(crate) fn supported(state: &State) -> Vec<&'static str> {
    let names = BUILT_IN.iter().map(|(name, _)| *name);
    let enabled = state.instance.organizations.enabled;
    names
        .filter(|name| enabled || *name != ORGANIZATION)
        .collect()
}

/// What the consent page says of a scope; a scope of the application speaks for itself.
pub(crate) fn description(scope: &str) -> Option<&'static str> {
    let found = BUILT_IN.iter().find(|(name, _)| *name == scope);
    found.map(|(_, description)| *description)
}

/// The scopes of a space-separated text, each once.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split_ascii_whitespace() {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}

/// Is it a scope token (RFC 6749, 3.3)?
pub(crate) fn is_token(scope: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !scope.is_empty() && scope.bytes().all(allowed)
}

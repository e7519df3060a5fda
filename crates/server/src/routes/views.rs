//! What the rules know, as the pages show it.

use oauth::{ScopeDefinition, ScopeSet};
use pages::{ClientIdentity, ScopeView};

/// A client's name, or what stands in its place.
pub(super) fn client_name(name: Option<&str>) -> &str {
    name.unwrap_or("A client without a name")
}

/// How far the name can be believed.
pub(super) fn identity(identity: &oauth::ClientIdentity) -> ClientIdentity<'_> {
    match identity {
        oauth::ClientIdentity::Configured => ClientIdentity::Configured,
        oauth::ClientIdentity::Domain(host) => ClientIdentity::VerifiedDomain(host),
        oauth::ClientIdentity::SelfRegistered => ClientIdentity::Registered,
    }
}

/// Scopes, with those of `new` marked.
pub(super) fn scopes<'a>(scopes: &'a [ScopeDefinition], new: &ScopeSet) -> Vec<ScopeView<'a>> {
    let views = scopes.iter().map(|scope| ScopeView {
        value: &scope.value,
        title: &scope.title,
        description: &scope.description,
        is_new: new.contains(&scope.value),
    });
    views.collect()
}

//! Applications and MCP servers that whoever runs the emulator asks for: they outlive a reset.

use super::scope;
use super::state::Application;
use crate::clock::Random;
use crate::ids;
use crate::state::State;

/// What an application must have at least.
#[derive(Debug, Clone)]
pub(crate) struct Ensured {
    pub(crate) client_id: String,
    /// None makes it a public client.
    pub(crate) client_secret: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
}

impl Ensured {
    /// Adds the application, or what is missing from it.
    pub(crate) fn apply(&self, state: &mut State, random: &mut dyn Random, now: u64) {
        let known = state.oauth.client(&self.client_id).cloned();
        let mut application = known.unwrap_or_else(|| Application {
            id: ids::mint("oa", now, random),
            name: self.client_id.clone(),
            client_id: self.client_id.clone(),
            client_secret: None,
            client_uri: None,
            logo_uri: None,
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            consent_screen_enabled: true,
            pkce_required: self.client_secret.is_none(),
            dynamically_registered: false,
            created_at: now,
            updated_at: now,
        });
        application.client_secret.clone_from(&self.client_secret);
        for uri in &self.redirect_uris {
            if !application.redirect_uris.contains(uri) {
                application.redirect_uris.push(uri.clone());
            }
        }
        for (name, _) in scope::BUILT_IN {
            if !application.has_scope(name) {
                application.scopes.push(name.to_owned());
            }
        }
        state.oauth.applications.insert(application);
    }
}

/// An MCP server that takes Clerk's tokens.
#[derive(Debug, Clone)]
pub(crate) struct EnsuredMcpServer {
    resource: String,
}

impl EnsuredMcpServer {
    pub(crate) fn at(resource: &str) -> Self {
        Self {
            resource: resource.trim_end_matches('/').to_owned(),
        }
    }

    /// Lets tokens be for it, and its clients register themselves.
    pub(crate) fn apply(&self, state: &mut State) {
        let oauth = &mut state.oauth;
        oauth.settings.dynamic_oauth_client_registration = true;
        if !oauth.resources.contains(&self.resource) {
            oauth.resources.push(self.resource.clone());
        }
    }
}

//! OAuth applications and the settings around them.

use super::build::{Builder, duplicate, value};
use super::{OAuthApplicationSeed, Seed, SeedError};
use crate::oauth::applications::is_redirect_uri;
use crate::oauth::scope;
use crate::oauth::state::Application;

impl Builder {
    /// The switches of the instance, and its OAuth applications.
    pub(super) fn oauth(&mut self, seed: &Seed) -> Result<(), SeedError> {
        let settings = &mut self.state.oauth.settings;
        let given = &seed.instance;
        if let Some(enabled) = given.dynamic_oauth_client_registration {
            settings.dynamic_oauth_client_registration = enabled;
        }
        if let Some(enabled) = given.oauth_jwt_access_tokens {
            settings.oauth_jwt_access_tokens = enabled;
        }
        for resource in &given.oauth_resources {
            if !is_redirect_uri(resource) || !resource.starts_with("http") {
                let problem = format!("{resource:?} is not the address of an MCP server");
                return Err(value("instance.oauth_resources", &problem));
            }
            let resource = resource.trim_end_matches('/').to_owned();
            self.state.oauth.resources.push(resource);
        }
        if let Some(name) = &given.auto_sign_in {
            let user = self.find_user("instance.auto_sign_in", name)?;
            self.state.browser.auto_sign_in = Some(user);
        }
        for (position, application) in seed.oauth_applications.iter().enumerate() {
            self.oauth_application(&format!("oauth_applications[{position}]"), application)?;
        }
        Ok(())
    }

    fn oauth_application(
        &mut self,
        place: &str,
        given: &OAuthApplicationSeed,
    ) -> Result<(), SeedError> {
        let id = self.id(place, "oa", given.id.as_ref())?;
        if self.state.oauth.applications.contains(&id) {
            return Err(duplicate(place, "id", &id));
        }
        if given.client_id.is_empty()
            || !given.client_id.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let problem = "the client_id is visible ASCII characters without spaces";
            return Err(value(place, problem));
        }
        if self.state.oauth.client(&given.client_id).is_some() {
            return Err(duplicate(place, "client_id", &given.client_id));
        }
        if given.client_secret.as_deref() == Some("") {
            let problem = "the client_secret is empty: a public client has none at all";
            return Err(value(place, problem));
        }
        if given.redirect_uris.is_empty() {
            return Err(value(place, "there is no redirect URI"));
        }
        if let Some(wrong) = given.redirect_uris.iter().find(|uri| !is_redirect_uri(uri)) {
            return Err(value(place, &format!("{wrong:?} is not a redirect URI")));
        }
        let scopes = match &given.scopes {
            None => self.state.oauth.settings.default_scopes(),
            Some(scopes) => scopes.clone(),
        };
        if let Some(wrong) = scopes.iter().find(|scope| !scope::is_token(scope)) {
            return Err(value(place, &format!("{wrong:?} is not a scope")));
        }
        self.state.oauth.applications.insert(Application {
            id,
            name: given.name.clone(),
            client_id: given.client_id.clone(),
            client_secret: given.client_secret.clone(),
            client_uri: None,
            logo_uri: None,
            redirect_uris: given.redirect_uris.clone(),
            scopes,
            consent_screen_enabled: given.consent_screen_enabled,
            pkce_required: given.pkce_required || given.client_secret.is_none(),
            dynamically_registered: false,
            created_at: self.now,
            updated_at: self.now,
        });
        Ok(())
    }
}

//! JWT templates, machines and API keys.

use super::build::{Builder, duplicate, is_plain, missing, value};
use super::{ApiKeySeed, JwtTemplateSeed, MachineSeed, Seed, SeedError};
use crate::api_keys::{self, ApiKey};
use crate::ids::Id;
use crate::jwt_templates::{self, JwtTemplate};
use crate::machines;
use crate::machines::state::{KEY_PREFIX, Machine, Scope};

impl Builder {
    pub(super) fn tokens(&mut self, seed: &Seed) -> Result<(), SeedError> {
        for (position, template) in seed.jwt_templates.iter().enumerate() {
            self.jwt_template(&format!("jwt_templates[{position}]"), template)?;
        }
        for (position, machine) in seed.machines.iter().enumerate() {
            self.machine(&format!("machines[{position}]"), machine)?;
        }
        for (position, machine) in seed.machines.iter().enumerate() {
            self.machine_scopes(&format!("machines[{position}]"), machine)?;
        }
        for (position, key) in seed.api_keys.iter().enumerate() {
            self.api_key(&format!("api_keys[{position}]"), key)?;
        }
        Ok(())
    }

    fn machine(&mut self, place: &str, given: &MachineSeed) -> Result<(), SeedError> {
        let id = self.id(place, "mch", given.id.as_ref())?;
        let secret_key = self.secret(place, "secret_key", given.secret_key.as_ref())?;
        let all = &mut self.state.machines.all;
        if all.contains(&id) {
            return Err(duplicate(place, "id", &id));
        }
        if !machines::is_name(&given.name) {
            return Err(value(
                place,
                "the name is empty, or longer than 255 characters",
            ));
        }
        if all.iter().any(|other| other.name == given.name) {
            return Err(duplicate(place, "name", &given.name));
        }
        if all.iter().any(|other| other.secret_key == secret_key) {
            return Err(value(place, "the secret_key is that of another machine"));
        }
        let lifetime = given
            .default_token_ttl
            .unwrap_or(machines::DEFAULT_TOKEN_LIFETIME);
        if !(1..=machines::MAX_TOKEN_LIFETIME).contains(&lifetime) {
            let problem = "the default_token_ttl is 1 to 315360000 seconds";
            return Err(value(place, problem));
        }
        all.insert(Machine {
            id,
            name: given.name.clone(),
            scopes: Vec::new(),
            default_token_ttl: lifetime,
            secret_key,
            old_keys: Vec::new(),
            created_at: self.now,
            updated_at: self.now,
        });
        Ok(())
    }

    /// Machines may name machines that come later.
    fn machine_scopes(&mut self, place: &str, given: &MachineSeed) -> Result<(), SeedError> {
        let mut scopes = Vec::with_capacity(given.scopes.len());
        for name in &given.scopes {
            let to = self.find_machine(place, name)?;
            scopes.push(Scope::to(&to, self.now));
        }
        let own = self.find_machine(place, &given.name)?;
        if let Some(machine) = self.state.machines.all.get_mut(&own) {
            machine.scopes = scopes;
        }
        Ok(())
    }

    fn find_machine(&self, place: &str, name: &str) -> Result<Id, SeedError> {
        let mut all = self.state.machines.all.iter();
        let found = all.find(|machine| machine.name == name || &*machine.id == name);
        let id = found.map(|machine| machine.id.clone());
        id.ok_or_else(|| missing(place, "machine", name))
    }

    fn api_key(&mut self, place: &str, given: &ApiKeySeed) -> Result<(), SeedError> {
        let id = match &given.id {
            Some(id) if api_keys::is_id(id) => Id::from(id.as_str()),
            Some(id) => {
                let problem = format!("{id:?} is not ak_ and 32 hexadecimal digits");
                return Err(value(place, &problem));
            }
            None => {
                let number = self.state.api_keys.len() + 1;
                Id::from(format!("{}{number:032x}", api_keys::SECRET_PREFIX))
            }
        };
        let secret = self.secret(place, "secret", given.secret.as_ref())?;
        if self.state.api_keys.contains(&id) {
            return Err(duplicate(place, "id", &id));
        }
        if self
            .state
            .api_keys
            .iter()
            .any(|other| other.secret == secret)
        {
            return Err(value(place, "the secret is that of another key"));
        }
        if !api_keys::is_name(&given.name) {
            let problem = "the name has fewer than 3 characters, or space at its ends";
            return Err(value(place, problem));
        }
        let organization = self.state.organization_by_id_or_slug(&given.subject);
        let subject = match organization {
            Some(organization) => organization.id.clone(),
            None => self.find_user(place, &given.subject)?,
        };
        let expires_at = given.expires_at.as_ref();
        let expires_at = expires_at.map(|when| self.time(place, Some(when), self.now));
        self.state.api_keys.insert(ApiKey {
            id,
            kind: api_keys::DEFAULT_TYPE.to_owned(),
            name: given.name.clone(),
            description: given.description.clone(),
            subject,
            claims: given
                .claims
                .clone()
                .map_or_else(Default::default, Into::into),
            scopes: given.scopes.clone(),
            secret,
            revoked: given.revoked,
            revocation_reason: None,
            expires_at: expires_at.transpose()?,
            created_by: None,
            last_used_at: None,
            created_at: self.now,
            updated_at: self.now,
        });
        Ok(())
    }

    /// A secret as given, or a made-up one.
    fn secret(
        &mut self,
        place: &str,
        what: &str,
        given: Option<&String>,
    ) -> Result<String, SeedError> {
        let Some(secret) = given else {
            let id = self.made_up_id("ak");
            return Ok(id.to_string());
        };
        if secret.strip_prefix(KEY_PREFIX).is_some_and(is_plain) {
            return Ok(secret.clone());
        }
        // What was given is not repeated: it may be a secret of another kind.
        let problem = format!("a {what} is ak_, and then ASCII letters, digits, `_` and `-`");
        Err(value(place, &problem))
    }

    fn jwt_template(&mut self, place: &str, given: &JwtTemplateSeed) -> Result<(), SeedError> {
        let id = self.id(place, "jtmp", given.id.as_ref())?;
        let templates = &mut self.state.jwt_templates;
        if templates.contains(&id) {
            return Err(duplicate(place, "id", &id));
        }
        if !jwt_templates::is_name(&given.name) {
            let problem = "a name is 1 to 255 letters, digits, `-`, `_` and `.`";
            return Err(value(place, problem));
        }
        if templates.iter().any(|other| other.name == given.name) {
            return Err(duplicate(place, "name", &given.name));
        }
        if let Some(claim) = jwt_templates::reserved_claim(&given.claims) {
            let problem = format!("the claim {claim:?} is reserved: templates cannot set it");
            return Err(value(place, &problem));
        }
        let lifetime = given.lifetime.unwrap_or(jwt_templates::DEFAULT_LIFETIME);
        if !jwt_templates::is_lifetime(lifetime) {
            let problem = "the lifetime is 30 to 315360000 seconds";
            return Err(value(place, problem));
        }
        let allowed_clock_skew = given
            .allowed_clock_skew
            .unwrap_or(jwt_templates::DEFAULT_CLOCK_SKEW);
        if !jwt_templates::is_clock_skew(allowed_clock_skew) {
            let problem = "the allowed_clock_skew is 0 to 300 seconds";
            return Err(value(place, problem));
        }
        templates.insert(JwtTemplate {
            id,
            name: given.name.clone(),
            claims: given.claims.clone(),
            lifetime,
            allowed_clock_skew,
            created_at: self.now,
            updated_at: self.now,
        });
        Ok(())
    }
}

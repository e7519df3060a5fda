//! What tokens are made of: JWT templates.

use super::build::{Builder, duplicate, value};
use super::{JwtTemplateSeed, Seed, SeedError};
use crate::jwt_templates::{self, JwtTemplate};

impl Builder {
    pub(super) fn tokens(&mut self, seed: &Seed) -> Result<(), SeedError> {
        for (position, template) in seed.jwt_templates.iter().enumerate() {
            self.jwt_template(&format!("jwt_templates[{position}]"), template)?;
        }
        Ok(())
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

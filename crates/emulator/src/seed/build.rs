//! From a seed to a state.

use super::system::{ADMIN, MEMBER, MEMBER_PERMISSIONS, PERMISSIONS};
use super::time::When;
use super::{ContactDetails, ContactSeed, Seed, SeedError, UserSeed, generate};
use crate::clock::{DAY, HOUR};
use crate::emulator::DEFAULT_SECRET_KEY;
use crate::format;
use crate::ids::{self, Id};
use crate::model::{
    ExternalAccount, Identification, Instance, OrganizationSettings, Password, Permission, Role,
    User, Verification,
};
use crate::state::State;

/// Ids of rows that have none in the seed carry this time (2024-06-01), so that they are the same
/// whenever the emulator starts.
pub(super) const ID_TIME: u64 = 1_717_200_000_000;
/// Clerk's limit of members for a new organization.
const DEFAULT_MEMBERSHIPS: u64 = 5;

pub(super) fn build(seed: &Seed, now: u64) -> Result<State, SeedError> {
    let mut builder = Builder {
        state: State::new(instance(seed)?),
        now,
        minted: 0,
    };
    builder.permissions(seed)?;
    builder.roles(seed)?;
    for (position, user) in seed.users.iter().enumerate() {
        builder.user(&format!("users[{position}]"), user)?;
    }
    for (position, organization) in seed.organizations.iter().enumerate() {
        builder.organization(&format!("organizations[{position}]"), organization)?;
    }
    for (position, invitation) in seed.invitations.iter().enumerate() {
        builder.invitation(&format!("invitations[{position}]"), invitation)?;
    }
    builder.oauth(seed)?;
    builder.tokens(seed)?;
    if let Some(generate) = seed.generate {
        generate::add(&mut builder.state, generate, now);
    }
    Ok(builder.state)
}

/// How the secret keys of Clerk start.
const KEY_PREFIXES: [&str; 2] = ["sk_test_", "sk_live_"];

fn instance(seed: &Seed) -> Result<Instance, SeedError> {
    let given = &seed.instance;
    for (position, key) in given.secret_keys.iter().enumerate() {
        let rest = KEY_PREFIXES
            .iter()
            .find_map(|prefix| key.strip_prefix(prefix));
        if !rest.is_some_and(is_plain) {
            // What was given is not repeated: it may be a secret of another kind.
            return Err(value(
                &format!("instance.secret_keys[{position}]"),
                "a secret key is sk_test_ or sk_live_, and then ASCII letters, digits, `_` and `-`",
            ));
        }
    }
    let mut secret_keys = given.secret_keys.clone();
    if secret_keys.is_empty() {
        secret_keys.push(DEFAULT_SECRET_KEY.to_owned());
    }
    Ok(Instance {
        id: match &given.id {
            Some(id) => checked_id("instance", "ins", id)?,
            None => ids::fixed("ins", "Local"),
        },
        environment_type: given
            .environment_type
            .clone()
            .unwrap_or_else(|| "development".to_owned()),
        allowed_origins: given.allowed_origins.clone(),
        secret_keys,
        organizations: OrganizationSettings {
            enabled: given.organizations_enabled.unwrap_or(true),
            max_allowed_memberships: given.max_allowed_memberships.unwrap_or(DEFAULT_MEMBERSHIPS),
            creator_role: ADMIN.to_owned(),
            admin_delete_enabled: true,
            domains_enabled: false,
            slug_disabled: false,
            domains_enrollment_modes: vec!["manual_invitation".to_owned()],
            domains_default_role: MEMBER.to_owned(),
        },
    })
}

pub(super) struct Builder {
    pub(super) state: State,
    pub(super) now: u64,
    /// How many ids were made up.
    pub(super) minted: u64,
}

impl Builder {
    /// The given id, or the next made-up one.
    pub(super) fn id(
        &mut self,
        place: &str,
        prefix: &str,
        given: Option<&String>,
    ) -> Result<Id, SeedError> {
        match given {
            Some(id) => checked_id(place, prefix, id),
            None => Ok(self.made_up_id(prefix)),
        }
    }

    pub(super) fn made_up_id(&mut self, prefix: &str) -> Id {
        self.minted += 1;
        ids::derived(prefix, ID_TIME + self.minted * 1000, self.minted)
    }

    fn permissions(&mut self, seed: &Seed) -> Result<(), SeedError> {
        let created_at = self.now.saturating_sub(400 * DAY);
        for (key, name, description) in PERMISSIONS {
            let permission = Permission {
                id: ids::fixed("perm", &key_name(key)),
                key: key.to_owned(),
                name: name.to_owned(),
                description: description.to_owned(),
                system: true,
                created_at,
                updated_at: created_at,
            };
            self.state.permissions.insert(permission);
        }
        for (position, given) in seed.permissions.iter().enumerate() {
            let place = format!("permissions[{position}]");
            if self
                .state
                .permissions
                .iter()
                .any(|permission| permission.key == given.key)
            {
                return Err(duplicate(&place, "permission", &given.key));
            }
            let id = match &given.id {
                Some(id) => checked_id(&place, "perm", id)?,
                None => ids::fixed("perm", &key_name(&given.key)),
            };
            self.state.permissions.insert(Permission {
                id,
                key: given.key.clone(),
                name: given.name.clone(),
                description: given.description.clone(),
                system: false,
                created_at,
                updated_at: created_at,
            });
        }
        Ok(())
    }

    fn roles(&mut self, seed: &Seed) -> Result<(), SeedError> {
        let all = self
            .state
            .permissions
            .iter()
            .map(|permission| permission.key.clone())
            .collect();
        let member = MEMBER_PERMISSIONS.map(str::to_owned).to_vec();
        self.role(None, ADMIN, "Admin", "Role with elevated permissions", all);
        self.role(
            None,
            MEMBER,
            "Member",
            "Role with non-privileged permissions",
            member,
        );
        for (position, given) in seed.roles.iter().enumerate() {
            let place = format!("roles[{position}]");
            if self.state.role(&given.key).is_some() {
                return Err(duplicate(&place, "role", &given.key));
            }
            let exists = |key: &String| self.state.permissions.iter().any(|one| one.key == *key);
            if let Some(unknown) = given.permissions.iter().find(|key| !exists(key)) {
                return Err(missing(&place, "permission", unknown));
            }
            let permissions = given.permissions.clone();
            let id = given.id.as_deref();
            let id = id.map(|id| checked_id(&place, "role", id)).transpose()?;
            self.role(id, &given.key, &given.name, &given.description, permissions);
        }
        Ok(())
    }

    fn role(
        &mut self,
        id: Option<Id>,
        key: &str,
        name: &str,
        description: &str,
        permissions: Vec<String>,
    ) {
        let created_at = self.now.saturating_sub(400 * DAY);
        self.state.roles.insert(Role {
            id: id.unwrap_or_else(|| ids::fixed("role", &key_name(key))),
            key: key.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            is_creator_eligible: key == ADMIN,
            permissions,
            created_at,
            updated_at: created_at,
        });
    }

    fn user(&mut self, place: &str, given: &UserSeed) -> Result<(), SeedError> {
        let id = self.id(place, "user", given.id.as_ref())?;
        if self.state.users().contains(&id) {
            return Err(duplicate(place, "id", &id));
        }
        let created_at = self.time(place, given.created_at.as_ref(), self.now)?;
        let optional =
            |when: Option<&When>| when.map(|when| self.time(place, Some(when), 0)).transpose();
        let last_active_at = optional(given.last_active_at.as_ref())?;
        let last_sign_in_at = optional(given.last_sign_in_at.as_ref())?.or(last_active_at);
        let emails = self.contacts(place, &given.email_addresses, "e-mail address", created_at)?;
        let phones = self.contacts(place, &given.phone_numbers, "phone number", created_at)?;
        let wallets = self.contacts(place, &given.web3_wallets, "web3 wallet", created_at)?;
        if let Some(username) = &given.username {
            format::username(username).map_err(|error| value(place, &error.long_message))?;
            if self.state.user_with_username(username).is_some() {
                return Err(duplicate(place, "username", username));
            }
        }
        if let Some(external_id) = &given.external_id
            && self.state.user_with_external_id(external_id).is_some()
        {
            return Err(duplicate(place, "external_id", external_id));
        }
        let external_accounts = given
            .external_accounts
            .iter()
            .map(|account| ExternalAccount {
                id: self.made_up_id("eac"),
                identification_id: self.made_up_id("idn"),
                provider: account.provider.clone(),
                provider_user_id: account.provider_user_id.clone(),
                email_address: account.email_address.clone(),
                created_at,
            });
        let external_accounts = external_accounts.collect();
        self.state.add_user(User {
            id,
            external_id: given.external_id.clone(),
            username: given.username.clone(),
            first_name: given.first_name.clone(),
            last_name: given.last_name.clone(),
            locale: given.locale.clone(),
            primary_email: emails.first().map(|one| one.id.clone()),
            primary_phone: phones.first().map(|one| one.id.clone()),
            primary_wallet: wallets.first().map(|one| one.id.clone()),
            emails,
            phones,
            wallets,
            external_accounts,
            password: given.password.as_deref().map(Password::of),
            password_updated_at: given.password.as_ref().map(|_| created_at),
            totp_enabled: given.totp_enabled,
            mfa_enabled_at: given.totp_enabled.then_some(created_at),
            public_metadata: given.public_metadata.clone(),
            private_metadata: given.private_metadata.clone(),
            unsafe_metadata: given.unsafe_metadata.clone(),
            banned: given.banned,
            locked_until: given.locked.then_some(self.now + HOUR),
            delete_self_enabled: true,
            create_organization_enabled: true,
            last_sign_in_at,
            last_active_at,
            created_at,
            updated_at: last_active_at.unwrap_or(created_at),
            ..User::default()
        });
        Ok(())
    }

    fn contacts(
        &mut self,
        place: &str,
        given: &[ContactSeed],
        what: &'static str,
        created_at: u64,
    ) -> Result<Vec<Identification>, SeedError> {
        let mut contacts: Vec<Identification> = Vec::with_capacity(given.len());
        for contact in given {
            let details = match contact {
                ContactSeed::Verified(value) => ContactDetails {
                    value: value.clone(),
                    id: None,
                    verified: true,
                },
                ContactSeed::Detailed(details) => details.clone(),
            };
            let (text, owner) = match what {
                "e-mail address" => {
                    let checked = format::email("email_address", &details.value);
                    checked.map_err(|error| value(place, &error.long_message))?;
                    (
                        details.value.to_lowercase(),
                        self.state.user_with_email(&details.value),
                    )
                }
                "phone number" => {
                    let number = format::phone("phone_number", &details.value)
                        .map_err(|error| value(place, &error.long_message))?;
                    let owner = self.state.user_with_phone(&number);
                    (number, owner)
                }
                _ => (
                    details.value.clone(),
                    self.state.user_with_wallet(&details.value),
                ),
            };
            if contacts.iter().any(|one| one.value == text) {
                let problem = format!("{what} {text:?} is given twice");
                return Err(value(place, &problem));
            }
            if owner.is_some() {
                return Err(duplicate(place, what, &text));
            }
            contacts.push(Identification {
                id: self.id(place, "idn", details.id.as_ref())?,
                value: text,
                verification: match (details.verified, what) {
                    (false, _) => Verification::None,
                    (true, "web3 wallet") => Verification::Admin,
                    (true, _) => Verification::Code,
                },
                reserved: false,
                created_at,
                updated_at: created_at,
            });
        }
        Ok(contacts)
    }

    /// A user by id, e-mail address, username or external id.
    pub(super) fn find_user(&self, place: &str, name: &str) -> Result<Id, SeedError> {
        let by_id = self.state.user(name).map(|user| &user.id);
        by_id
            .or_else(|| self.state.user_with_email(name))
            .or_else(|| self.state.user_with_username(name))
            .or_else(|| self.state.user_with_external_id(name))
            .cloned()
            .ok_or_else(|| missing(place, "user", name))
    }

    pub(super) fn find_role(&self, place: &str, key: &str) -> Result<String, SeedError> {
        let role = self.state.role(key).map(|role| role.key.clone());
        role.ok_or_else(|| missing(place, "role", key))
    }

    pub(super) fn time(
        &self,
        place: &str,
        given: Option<&When>,
        default: u64,
    ) -> Result<u64, SeedError> {
        let Some(when) = given else {
            return Ok(default);
        };
        when.at(self.now).ok_or_else(|| {
            value(
                place,
                &format!(
                    "{when} is not a time: write -30d, +7d, 2026-01-31T12:00:00Z or milliseconds"
                ),
            )
        })
    }
}

/// An id that a seed gives: the prefix of its kind, `_`, and what Clerk's ids are made of.
fn checked_id(place: &str, prefix: &str, id: &str) -> Result<Id, SeedError> {
    let rest = id
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'));
    if rest.is_some_and(is_plain) {
        return Ok(Id::from(id));
    }
    let problem =
        format!("{id:?} is not an id: write {prefix}_ and then ASCII letters, digits, `_` and `-`");
    Err(value(place, &problem))
}

/// Is it a text of ASCII letters, digits, `_` and `-`?
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The letters of a key, for its id: `org:sys_profile:manage` gives `SysProfileManage`.
fn key_name(key: &str) -> String {
    let words = key
        .trim_start_matches("org:")
        .split(|c: char| !c.is_ascii_alphanumeric());
    let name: String = words
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
        })
        .collect();
    name.chars().take(23).collect()
}

pub(super) fn value(place: &str, problem: &str) -> SeedError {
    SeedError::Value {
        place: place.to_owned(),
        problem: problem.to_owned(),
    }
}

pub(super) fn duplicate(place: &str, what: &'static str, value: &str) -> SeedError {
    SeedError::Duplicate {
        place: place.to_owned(),
        what,
        value: value.to_owned(),
    }
}

pub(super) fn missing(place: &str, what: &'static str, value: &str) -> SeedError {
    SeedError::Missing {
        place: place.to_owned(),
        what,
        value: value.to_owned(),
    }
}

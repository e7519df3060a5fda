//! Seeds: what an emulated instance starts with, as data in TOML, YAML or JSON.

mod build;
mod generate;
mod oauth;
mod organizations;
mod saas;
mod system;
mod time;
mod tokens;

use crate::model::Metadata;
use crate::state::State;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::When;

/// What an emulated instance starts with. The [default](Self::default) is a small SaaS business:
/// 30 users and 5 organizations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    #[serde(default)]
    pub(crate) instance: InstanceSeed,
    /// Permissions besides Clerk's own.
    #[serde(default)]
    pub(crate) permissions: Vec<PermissionSeed>,
    /// Roles besides `org:admin` and `org:member`.
    #[serde(default)]
    pub(crate) roles: Vec<RoleSeed>,
    #[serde(default)]
    pub(crate) users: Vec<UserSeed>,
    #[serde(default)]
    pub(crate) organizations: Vec<OrganizationSeed>,
    #[serde(default)]
    pub(crate) invitations: Vec<InvitationSeed>,
    /// Clients of the OAuth provider.
    #[serde(default)]
    pub(crate) oauth_applications: Vec<OAuthApplicationSeed>,
    #[serde(default)]
    pub(crate) jwt_templates: Vec<JwtTemplateSeed>,
    #[serde(default)]
    pub(crate) machines: Vec<MachineSeed>,
    #[serde(default)]
    pub(crate) api_keys: Vec<ApiKeySeed>,
    #[serde(default)]
    pub(crate) generate: Option<GenerateSeed>,
}

impl Default for Seed {
    fn default() -> Self {
        saas::seed()
    }
}

impl Seed {
    /// Reads a seed.
    ///
    /// # Errors
    /// If the text is not of the format or says something that seeds do not have. Contradictions
    /// between its parts are found by [`Emulator::new`](crate::Emulator::new).
    pub fn parse(text: &str, format: SeedFormat) -> Result<Self, SeedError> {
        let parsed = match format {
            SeedFormat::Toml => toml::from_str(text).map_err(|error| error.to_string()),
            SeedFormat::Yaml => serde_saphyr::from_str(text).map_err(|error| error.to_string()),
            SeedFormat::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
        };
        parsed.map_err(|problem| SeedError::Syntax { format, problem })
    }

    /// The state at a time in milliseconds.
    pub(crate) fn build(&self, now: u64) -> Result<State, SeedError> {
        build::build(self, now)
    }
}

/// The formats a seed is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedFormat {
    /// `.toml`
    Toml,
    /// `.yaml` or `.yml`
    Yaml,
    /// `.json`
    Json,
}

impl SeedFormat {
    /// The format of a file, from its extension (without the dot).
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl fmt::Display for SeedFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Toml => "TOML",
            Self::Yaml => "YAML",
            Self::Json => "JSON",
        })
    }
}

/// Why a seed or a snapshot was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The text cannot be read.
    #[error("the seed is not readable as {format}: {problem}")]
    Syntax {
        /// The format it was read in.
        format: SeedFormat,
        /// What the parser says.
        problem: String,
    },
    /// A value has the wrong form.
    #[error("{place}: {problem}")]
    Value {
        /// The row, such as `users[3]`.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Two rows share what must be unique.
    #[error("{place}: {what} {value:?} is already taken by another row")]
    Duplicate {
        /// The row that comes second.
        place: String,
        /// What is shared.
        what: &'static str,
        /// The shared value.
        value: String,
    },
    /// A row names another that does not exist.
    #[error("{place}: there is no {what} {value:?}")]
    Missing {
        /// The row that names it.
        place: String,
        /// What it names.
        what: &'static str,
        /// The name.
        value: String,
    },
    /// The value is not a snapshot.
    #[error("this is not a snapshot of the emulator: {problem}")]
    Snapshot {
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InstanceSeed {
    pub(crate) id: Option<String>,
    pub(crate) environment_type: Option<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) secret_keys: Vec<String>,
    pub(crate) max_allowed_memberships: Option<u64>,
    pub(crate) organizations_enabled: Option<bool>,
    pub(crate) dynamic_oauth_client_registration: Option<bool>,
    pub(crate) oauth_jwt_access_tokens: Option<bool>,
    /// Addresses of MCP servers that tokens may be for.
    pub(crate) oauth_resources: Vec<String>,
    /// A user, by id, e-mail address, username or external id.
    pub(crate) auto_sign_in: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PermissionSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) key: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) key: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) permissions: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserSeed {
    pub(crate) id: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) email_addresses: Vec<ContactSeed>,
    pub(crate) phone_numbers: Vec<ContactSeed>,
    pub(crate) web3_wallets: Vec<ContactSeed>,
    pub(crate) external_accounts: Vec<ExternalAccountSeed>,
    pub(crate) password: Option<String>,
    pub(crate) public_metadata: Metadata,
    pub(crate) private_metadata: Metadata,
    pub(crate) unsafe_metadata: Metadata,
    pub(crate) banned: bool,
    pub(crate) locked: bool,
    pub(crate) totp_enabled: bool,
    pub(crate) created_at: Option<When>,
    pub(crate) last_active_at: Option<When>,
    pub(crate) last_sign_in_at: Option<When>,
}

/// A verified text, or a text with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a contact is a text, or a table with `value` and perhaps `id` and `verified`"
)]
pub(crate) enum ContactSeed {
    Verified(String),
    Detailed(ContactDetails),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactDetails {
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default = "yes")]
    pub(crate) verified: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExternalAccountSeed {
    pub(crate) provider: String,
    pub(crate) provider_user_id: String,
    pub(crate) email_address: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    /// Made of the name if absent.
    #[serde(default)]
    pub(crate) slug: Option<String>,
    #[serde(default)]
    pub(crate) max_allowed_memberships: Option<u64>,
    #[serde(default)]
    pub(crate) public_metadata: Metadata,
    #[serde(default)]
    pub(crate) private_metadata: Metadata,
    /// A user, by id, e-mail address, username or external id.
    #[serde(default)]
    pub(crate) created_by: Option<String>,
    #[serde(default)]
    pub(crate) created_at: Option<When>,
    #[serde(default)]
    pub(crate) members: Vec<MemberSeed>,
    #[serde(default)]
    pub(crate) invitations: Vec<InvitationSeed>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// By id, e-mail address, username or external id.
    pub(crate) user: String,
    /// `org:member` if absent.
    #[serde(default = "member")]
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) public_metadata: Metadata,
    #[serde(default)]
    pub(crate) private_metadata: Metadata,
    #[serde(default)]
    pub(crate) created_at: Option<When>,
}

fn member() -> String {
    system::MEMBER.to_owned()
}

/// An invitation to the application or, within an organization, to that organization.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) email_address: String,
    /// For organizations; `org:member` if absent.
    #[serde(default)]
    pub(crate) role: Option<String>,
    /// For organizations: who invites.
    #[serde(default)]
    pub(crate) inviter: Option<String>,
    /// `pending`, `accepted`, `revoked` or `expired`.
    #[serde(default)]
    pub(crate) status: Option<String>,
    #[serde(default)]
    pub(crate) public_metadata: Metadata,
    #[serde(default)]
    pub(crate) private_metadata: Metadata,
    #[serde(default)]
    pub(crate) created_at: Option<When>,
    #[serde(default)]
    pub(crate) expires_at: Option<When>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthApplicationSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) client_id: String,
    /// A public client has none.
    #[serde(default)]
    pub(crate) client_secret: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    /// `profile` and `email` if absent.
    #[serde(default)]
    pub(crate) scopes: Option<Vec<String>>,
    #[serde(default = "yes")]
    pub(crate) consent_screen_enabled: bool,
    #[serde(default)]
    pub(crate) pkce_required: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JwtTemplateSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) claims: Metadata,
    /// Seconds; 60 if absent.
    #[serde(default)]
    pub(crate) lifetime: Option<u64>,
    /// Seconds; 5 if absent.
    #[serde(default)]
    pub(crate) allowed_clock_skew: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineSeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    /// Made up if absent, and the same in every run.
    #[serde(default)]
    pub(crate) secret_key: Option<String>,
    /// The machines it may talk to, by id or name.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// Seconds; 3600 if absent.
    #[serde(default)]
    pub(crate) default_token_ttl: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeySeed {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    /// A user by id, e-mail address, username or external id, or an organization by id or slug.
    pub(crate) subject: String,
    /// Made up if absent, and the same in every run.
    #[serde(default)]
    pub(crate) secret: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    pub(crate) claims: Option<Metadata>,
    #[serde(default)]
    pub(crate) revoked: bool,
    #[serde(default)]
    pub(crate) expires_at: Option<When>,
}

/// Rows to make up, for load tests. The same numbers give the same rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GenerateSeed {
    pub(crate) users: u64,
    pub(crate) organizations: u64,
    /// Members of each generated organization, taken from the generated users.
    pub(crate) members_per_organization: u64,
}

//! What the emulated instance holds. Times are Unix milliseconds.

use crate::clock::MINUTE;
use crate::ids::Id;
use crate::table::Row;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Free-form data of a user, organization, membership or invitation.
pub(crate) type Metadata = Map<String, Value>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) id: Id,
    pub(crate) external_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) emails: Vec<Identification>,
    pub(crate) phones: Vec<Identification>,
    pub(crate) wallets: Vec<Identification>,
    pub(crate) external_accounts: Vec<ExternalAccount>,
    pub(crate) primary_email: Option<Id>,
    pub(crate) primary_phone: Option<Id>,
    pub(crate) primary_wallet: Option<Id>,
    pub(crate) password: Option<Password>,
    pub(crate) password_updated_at: Option<u64>,
    pub(crate) totp_enabled: bool,
    pub(crate) backup_codes_enabled: bool,
    pub(crate) mfa_enabled_at: Option<u64>,
    pub(crate) public_metadata: Metadata,
    pub(crate) private_metadata: Metadata,
    pub(crate) unsafe_metadata: Metadata,
    pub(crate) banned: bool,
    /// The end of the lock: the user is locked before it.
    pub(crate) locked_until: Option<u64>,
    pub(crate) delete_self_enabled: bool,
    pub(crate) create_organization_enabled: bool,
    pub(crate) create_organizations_limit: Option<u64>,
    pub(crate) bypass_client_trust: bool,
    pub(crate) legal_accepted_at: Option<u64>,
    pub(crate) last_sign_in_at: Option<u64>,
    pub(crate) last_active_at: Option<u64>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl User {
    /// The text of the primary e-mail address.
    pub(crate) fn email(&self) -> Option<&str> {
        primary(&self.emails, self.primary_email.as_ref())
    }

    /// The text of the primary phone number.
    pub(crate) fn phone(&self) -> Option<&str> {
        primary(&self.phones, self.primary_phone.as_ref())
    }

    /// The text of the primary web3 wallet.
    pub(crate) fn wallet(&self) -> Option<&str> {
        primary(&self.wallets, self.primary_wallet.as_ref())
    }

    /// What a person would call this account: e-mail, phone, username or wallet.
    pub(crate) fn identifier(&self) -> Option<&str> {
        self.email()
            .or(self.phone())
            .or(self.username.as_deref())
            .or(self.wallet())
    }

    /// First and last name.
    pub(crate) fn name(&self) -> Option<String> {
        let parts: Vec<&str> = [&self.first_name, &self.last_name]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    /// How a list of people shows this one.
    pub(crate) fn label(&self) -> String {
        let identifier = || self.identifier().map(str::to_owned);
        self.name()
            .or_else(identifier)
            .unwrap_or_else(|| self.id.to_string())
    }

    /// `role` of the public metadata, by which applications like to tell people apart.
    pub(crate) fn role(&self) -> Option<&str> {
        self.public_metadata.get("role")?.as_str()
    }

    pub(crate) fn is_locked(&self, now: u64) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// Whether a ticket, or a first factor alone, does not sign them in.
    pub(crate) fn has_second_factor(&self) -> bool {
        self.totp_enabled || self.backup_codes_enabled
    }

    pub(crate) fn has_email(&self, address: &str) -> bool {
        self.emails
            .iter()
            .any(|email| email.value.eq_ignore_ascii_case(address))
    }
}

fn primary<'a>(all: &'a [Identification], id: Option<&Id>) -> Option<&'a str> {
    let id = id?;
    all.iter()
        .find(|one| one.id == *id)
        .map(|one| one.value.as_str())
}

/// An e-mail address, phone number or web3 wallet of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identification {
    pub(crate) id: Id,
    pub(crate) value: String,
    pub(crate) verification: Verification,
    #[serde(default)]
    pub(crate) reserved: bool,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl Identification {
    pub(crate) fn is_verified(&self) -> bool {
        self.verification != Verification::None
    }
}

/// How an identification was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verification {
    /// Not verified.
    None,
    /// By the Backend API.
    Admin,
    /// By a code its owner typed.
    Code,
    /// By accepting an invitation.
    Ticket,
}

/// An account at an OAuth provider that a user signed in with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExternalAccount {
    pub(crate) id: Id,
    pub(crate) identification_id: Id,
    /// Such as `oauth_google`.
    pub(crate) provider: String,
    pub(crate) provider_user_id: String,
    pub(crate) email_address: String,
    pub(crate) created_at: u64,
}

/// How a password is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Password {
    /// One of Clerk's names for hashers, such as `sha256`.
    pub(crate) hasher: String,
    pub(crate) digest: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) slug: String,
    /// 0 is no limit.
    pub(crate) max_allowed_memberships: u64,
    pub(crate) admin_delete_enabled: bool,
    pub(crate) public_metadata: Metadata,
    pub(crate) private_metadata: Metadata,
    pub(crate) created_by: Option<Id>,
    pub(crate) role_set_key: Option<String>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub(crate) id: Id,
    pub(crate) organization_id: Id,
    pub(crate) user_id: Id,
    /// The key of a role, such as `org:admin`.
    pub(crate) role: String,
    pub(crate) public_metadata: Metadata,
    pub(crate) private_metadata: Metadata,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

/// Where an invitation is in its life. A pending one expires by the clock alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvitationStatus {
    Pending,
    Accepted,
    Revoked,
    Expired,
}

impl InvitationStatus {
    pub(crate) const NAMES: [&str; 4] = ["pending", "accepted", "revoked", "expired"];

    pub(crate) fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    fn at(self, now: u64, expires_at: Option<u64>) -> Self {
        match (self, expires_at) {
            (Self::Pending, Some(expiry)) if now >= expiry => Self::Expired,
            _ => self,
        }
    }
}

/// An invitation to sign up to the application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) id: Id,
    pub(crate) email_address: String,
    pub(crate) stored_status: InvitationStatus,
    pub(crate) public_metadata: Metadata,
    pub(crate) ticket: String,
    pub(crate) redirect_url: Option<String>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl Invitation {
    pub(crate) fn status(&self, now: u64) -> InvitationStatus {
        self.stored_status.at(now, self.expires_at)
    }
}

/// An invitation to join an organization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrganizationInvitation {
    pub(crate) id: Id,
    pub(crate) organization_id: Id,
    pub(crate) email_address: String,
    pub(crate) role: String,
    pub(crate) inviter_id: Option<Id>,
    pub(crate) stored_status: InvitationStatus,
    pub(crate) public_metadata: Metadata,
    pub(crate) private_metadata: Metadata,
    pub(crate) ticket: String,
    pub(crate) redirect_url: Option<String>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

impl OrganizationInvitation {
    pub(crate) fn status(&self, now: u64) -> InvitationStatus {
        self.stored_status.at(now, self.expires_at)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: Id,
    pub(crate) user_id: Id,
    pub(crate) client_id: Id,
    pub(crate) revoked: bool,
    /// Ended or removed by the person.
    #[serde(default)]
    pub(crate) closed: Option<Closed>,
    /// Who acts as the user.
    #[serde(default)]
    pub(crate) actor: Option<Value>,
    pub(crate) active_organization_id: Option<Id>,
    pub(crate) last_active_at: u64,
    pub(crate) expire_at: u64,
    pub(crate) abandon_at: u64,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

/// How a person leaves a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Closed {
    Ended,
    Removed,
}

/// How long an impersonation lasts that nobody uses.
pub(crate) const IMPERSONATION_IDLE: u64 = 10 * MINUTE;

impl Session {
    /// Notes that the session is in use.
    pub(crate) fn touch(&mut self, now: u64) {
        self.last_active_at = now;
        self.updated_at = now;
        if self.actor.is_some() {
            self.abandon_at = now + IMPERSONATION_IDLE;
        }
    }

    pub(crate) fn status(&self, now: u64) -> &'static str {
        if self.revoked {
            "revoked"
        } else if let Some(closed) = self.closed {
            match closed {
                Closed::Ended => "ended",
                Closed::Removed => "removed",
            }
        } else if now >= self.expire_at {
            "expired"
        } else if now >= self.abandon_at {
            "abandoned"
        } else {
            "active"
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) id: Id,
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) is_creator_eligible: bool,
    /// Keys of permissions.
    pub(crate) permissions: Vec<String>,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Permission {
    pub(crate) id: Id,
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// Clerk's own (`org:sys_...`) rather than the application's.
    pub(crate) system: bool,
    pub(crate) created_at: u64,
    pub(crate) updated_at: u64,
}

/// Settings of the instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: Id,
    pub(crate) environment_type: String,
    pub(crate) allowed_origins: Vec<String>,
    /// Secret keys that open the Backend API.
    pub(crate) secret_keys: Vec<String>,
    pub(crate) organizations: OrganizationSettings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrganizationSettings {
    pub(crate) enabled: bool,
    pub(crate) max_allowed_memberships: u64,
    pub(crate) creator_role: String,
    pub(crate) admin_delete_enabled: bool,
    pub(crate) domains_enabled: bool,
    pub(crate) slug_disabled: bool,
    pub(crate) domains_enrollment_modes: Vec<String>,
    pub(crate) domains_default_role: String,
}

macro_rules! rows {
    ($($kind:ty),*) => {$(
        impl Row for $kind {
            fn id(&self) -> &Id {
                &self.id
            }
            fn created_at(&self) -> u64 {
                self.created_at
            }
        }
    )*};
}
rows!(
    User,
    Organization,
    Membership,
    Invitation,
    OrganizationInvitation,
    Session,
    Role,
    Permission
);

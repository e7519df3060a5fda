//! Rows as Clerk answers them.

use crate::model::{
    ExternalAccount, Identification, Invitation, InvitationStatus, Membership, Organization,
    OrganizationInvitation, Permission, Role, Session, User, Verification,
};
use crate::state::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

/// What a user has left before a lockout; the emulator counts no failed attempts.
const VERIFICATION_ATTEMPTS: u64 = 100;

pub(crate) fn user(user: &User, instance_id: &str, now: u64) -> Value {
    let locked = user.is_locked(now);
    let lockout = user
        .locked_until
        .filter(|_| locked)
        .map(|until| (until - now).div_ceil(1000));
    let image = image_url(instance_id, &user.id, &initials(user));
    let list = |all: &[Identification], view: fn(&Identification) -> Value| -> Vec<Value> {
        all.iter().map(view).collect()
    };
    let accounts: Vec<Value> = user
        .external_accounts
        .iter()
        .map(external_account)
        .collect();
    let second_factor = user.has_second_factor();
    json!({
        "id": user.id,
        "object": "user",
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "locale": user.locale,
        "image_url": image,
        "has_image": false,
        "primary_email_address_id": user.primary_email,
        "primary_phone_number_id": user.primary_phone,
        "primary_web3_wallet_id": user.primary_wallet,
        "password_enabled": user.password.is_some(),
        "password_last_updated_at": user.password_updated_at,
        "two_factor_enabled": second_factor,
        "totp_enabled": user.totp_enabled,
        "backup_code_enabled": user.backup_codes_enabled,
        "email_addresses": list(&user.emails, email_address),
        "phone_numbers": list(&user.phones, phone_number),
        "web3_wallets": list(&user.wallets, web3_wallet),
        "passkeys": [],
        "external_accounts": accounts,
        "saml_accounts": [],
        "enterprise_accounts": [],
        "public_metadata": user.public_metadata,
        "private_metadata": user.private_metadata,
        "unsafe_metadata": user.unsafe_metadata,
        "external_id": user.external_id,
        "last_sign_in_at": user.last_sign_in_at,
        "banned": user.banned,
        "locked": locked,
        "lockout_expires_in_seconds": lockout,
        "verification_attempts_remaining": if locked { 0 } else { VERIFICATION_ATTEMPTS },
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "delete_self_enabled": user.delete_self_enabled,
        "create_organization_enabled": user.create_organization_enabled,
        "create_organizations_limit": user.create_organizations_limit,
        "bypass_client_trust": user.bypass_client_trust,
        "last_active_at": user.last_active_at,
        "mfa_enabled_at": user.mfa_enabled_at,
        "mfa_disabled_at": null,
        "legal_accepted_at": user.legal_accepted_at,
        "profile_image_url": image,
    })
}

pub(crate) fn email_address(email: &Identification) -> Value {
    json!({
        "id": email.id,
        "object": "email_address",
        "email_address": email.value,
        "reserved": email.reserved,
        "verification": verification(email, "email_code"),
        "linked_to": [],
        "matches_sso_connection": false,
        "created_at": email.created_at,
        "updated_at": email.updated_at,
    })
}

fn phone_number(phone: &Identification) -> Value {
    json!({
        "id": phone.id,
        "object": "phone_number",
        "phone_number": phone.value,
        "reserved_for_second_factor": false,
        "default_second_factor": false,
        "reserved": phone.reserved,
        "verification": verification(phone, "phone_code"),
        "linked_to": [],
        "backup_codes": null,
        "created_at": phone.created_at,
        "updated_at": phone.updated_at,
    })
}

fn web3_wallet(wallet: &Identification) -> Value {
    json!({
        "id": wallet.id,
        "object": "web3_wallet",
        "web3_wallet": wallet.value,
        "verification": verification(wallet, ""),
        "created_at": wallet.created_at,
        "updated_at": wallet.updated_at,
    })
}

fn verification(identification: &Identification, code_strategy: &str) -> Value {
    let (object, strategy) = match identification.verification {
        Verification::None => return Value::Null,
        Verification::Admin => ("verification_admin", "admin"),
        Verification::Code => ("verification_otp", code_strategy),
        Verification::Ticket => ("verification_ticket", "ticket"),
    };
    json!({
        "object": object,
        "status": "verified",
        "strategy": strategy,
        "attempts": null,
        "expire_at": null,
    })
}

fn external_account(account: &ExternalAccount) -> Value {
    json!({
        "object": "external_account",
        "id": account.id,
        "provider": account.provider,
        "identification_id": account.identification_id,
        "provider_user_id": account.provider_user_id,
        "approved_scopes": "email openid profile",
        "email_address": account.email_address,
        "first_name": "",
        "last_name": "",
        "image_url": null,
        "username": null,
        "public_metadata": {},
        "label": null,
        "created_at": account.created_at,
        "updated_at": account.created_at,
        "verification": {
            "object": "verification_oauth",
            "status": "verified",
            "strategy": account.provider,
            "attempts": null,
            "expire_at": account.created_at + 600_000,
        },
    })
}

/// What of an organization is shown on request only.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OrganizationExtras {
    pub(crate) counts: bool,
    pub(crate) elevated: bool,
}

pub(crate) fn organization(
    state: &State,
    organization: &Organization,
    extras: OrganizationExtras,
    now: u64,
) -> Value {
    let image = organization_image_url(organization, &state.instance.id);
    let mut view = json!({
        "object": "organization",
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "image_url": image,
        "has_image": false,
    });
    if extras.counts {
        view["members_count"] = json!(state.members_count(&organization.id));
        view["pending_invitations_count"] = json!(crate::memberships::pending_invitations(
            state,
            &organization.id,
            now
        ));
    }
    if extras.elevated {
        view["missing_member_with_elevated_permissions"] = json!(
            !crate::memberships::has_administrator(state, &organization.id, None)
        );
    }
    view["max_allowed_memberships"] = json!(organization.max_allowed_memberships);
    view["admin_delete_enabled"] = json!(organization.admin_delete_enabled);
    view["public_metadata"] = json!(organization.public_metadata);
    view["private_metadata"] = json!(organization.private_metadata);
    if let Some(creator) = &organization.created_by {
        view["created_by"] = json!(creator);
    }
    view["role_set_key"] = json!(organization.role_set_key);
    view["created_at"] = json!(organization.created_at);
    view["updated_at"] = json!(organization.updated_at);
    view
}

pub(crate) fn membership(state: &State, membership: &Membership, now: u64) -> Value {
    let role = state.role(&membership.role);
    let permissions = role
        .map(|role| role.permissions.clone())
        .unwrap_or_default();
    let in_organization = state
        .organization(&membership.organization_id)
        .map(|it| organization(state, it, OrganizationExtras::default(), now));
    let mut view = json!({
        "object": "organization_membership",
        "id": membership.id,
        "public_metadata": membership.public_metadata,
        "private_metadata": membership.private_metadata,
        "role": membership.role,
        "role_name": role.map(|role| &role.name),
        "permissions": permissions,
        "created_at": membership.created_at,
        "updated_at": membership.updated_at,
        "organization": in_organization,
    });
    if let Some(user) = state.user(&membership.user_id) {
        view["public_user_data"] = public_user_data(user, &state.instance.id);
    }
    view
}

pub(crate) fn organization_invitation(
    state: &State,
    invitation: &OrganizationInvitation,
    url: &str,
    now: u64,
) -> Value {
    let status = invitation.status(now);
    let inviter = invitation.inviter_id.as_ref().and_then(|id| state.user(id));
    let inviter_data = inviter.map(|user| {
        json!({
            "user_id": user.id,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "image_url": image_url(&state.instance.id, &user.id, &initials(user)),
            "has_image": false,
            "identifier": user.identifier().unwrap_or_default(),
        })
    });
    let pending = status == InvitationStatus::Pending;
    json!({
        "object": "organization_invitation",
        "id": invitation.id,
        "email_address": invitation.email_address,
        "role": invitation.role,
        "role_name": state.role(&invitation.role).map_or("", |role| role.name.as_str()),
        "organization_id": invitation.organization_id,
        "inviter_id": invitation.inviter_id,
        "public_inviter_data": inviter_data,
        "status": status.name(),
        "public_metadata": invitation.public_metadata,
        "private_metadata": invitation.private_metadata,
        "url": pending.then(|| ticket_url(url, &invitation.ticket)),
        "expires_at": invitation.expires_at,
        "created_at": invitation.created_at,
        "updated_at": invitation.updated_at,
    })
}

/// An organization invitation with `public_organization_data`.
pub(crate) fn organization_invitation_with_organization(
    state: &State,
    invitation: &OrganizationInvitation,
    url: &str,
    now: u64,
) -> Value {
    let mut view = organization_invitation(state, invitation, url, now);
    if let Some(organization) = state.organization(&invitation.organization_id) {
        view["public_organization_data"] = json!({
            "id": organization.id,
            "name": organization.name,
            "slug": organization.slug,
            "image_url": image_url(&state.instance.id, &organization.id, &first_letter(&organization.name)),
            "has_image": false,
        });
    }
    view
}

pub(crate) fn invitation(invitation: &Invitation, url: &str, now: u64) -> Value {
    let status = invitation.status(now);
    let mut view = json!({
        "object": "invitation",
        "id": invitation.id,
        "email_address": invitation.email_address,
        "public_metadata": invitation.public_metadata,
        "revoked": status == InvitationStatus::Revoked,
        "status": status.name(),
    });
    if status == InvitationStatus::Pending {
        view["url"] = json!(ticket_url(url, &invitation.ticket));
    }
    view["expires_at"] = json!(invitation.expires_at);
    view["created_at"] = json!(invitation.created_at);
    view["updated_at"] = json!(invitation.updated_at);
    view
}

pub(crate) fn session(session: &Session, now: u64) -> Value {
    json!({
        "object": "session",
        "id": session.id,
        "client_id": session.client_id,
        "user_id": session.user_id,
        "status": session.status(now),
        "last_active_organization_id": session.active_organization_id,
        "actor": session.actor,
        "last_active_at": session.last_active_at,
        "expire_at": session.expire_at,
        "abandon_at": session.abandon_at,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
    })
}

pub(crate) fn role(state: &State, role: &Role) -> Value {
    let held = state
        .permissions
        .iter()
        .filter(|permission| role.permissions.contains(&permission.key));
    json!({
        "object": "role",
        "id": role.id,
        "name": role.name,
        "key": role.key,
        "description": role.description,
        "is_creator_eligible": role.is_creator_eligible,
        "permissions": held.map(permission).collect::<Vec<_>>(),
        "created_at": role.created_at,
        "updated_at": role.updated_at,
    })
}

pub(crate) fn permission(permission: &Permission) -> Value {
    json!({
        "object": "permission",
        "id": permission.id,
        "name": permission.name,
        "key": permission.key,
        "description": permission.description,
        "type": if permission.system { "system" } else { "user" },
        "created_at": permission.created_at,
        "updated_at": permission.updated_at,
    })
}

/// `{object, id, deleted: true}`.
pub(crate) fn deleted(object: &str, id: &str) -> Value {
    json!({ "object": object, "id": id, "deleted": true })
}

pub(crate) fn ticket_url(url: &str, ticket: &str) -> String {
    format!("{url}/v1/tickets/accept?ticket={ticket}")
}

/// The address of a default avatar, in the form of Clerk's image service.
fn image_url(instance_id: &str, resource_id: &str, initials: &str) -> String {
    let description = json!({
        "type": "default",
        "iid": instance_id,
        "rid": resource_id,
        "initials": initials,
    });
    format!(
        "https://img.clerk.com/{}",
        STANDARD_NO_PAD.encode(description.to_string())
    )
}

/// What everybody in an organization may see of a user.
pub(crate) fn public_user_data(user: &User, instance_id: &str) -> Value {
    let image = user_image_url(user, instance_id);
    json!({
        "user_id": user.id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "image_url": image,
        "has_image": false,
        "identifier": user.identifier(),
        "username": user.username,
        "banned": user.banned,
        "profile_image_url": image,
    })
}

/// The address of a user's picture.
pub(crate) fn user_image_url(user: &User, instance_id: &str) -> String {
    image_url(instance_id, &user.id, &initials(user))
}

/// The address of an organization's logo.
pub(crate) fn organization_image_url(organization: &Organization, instance_id: &str) -> String {
    let initials = first_letter(&organization.name);
    image_url(instance_id, &organization.id, &initials)
}

fn initials(user: &User) -> String {
    [&user.first_name, &user.last_name]
        .into_iter()
        .flatten()
        .map(|name| first_letter(name))
        .collect()
}

fn first_letter(name: &str) -> String {
    name.chars()
        .next()
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default()
}

//! What the shortcodes of JWT templates stand for.

use crate::clock::SECOND;
use crate::model::{Identification, Session, User};
use crate::state::State;
use crate::views;
use serde_json::{Map, Value, json};

/// All shortcodes of a session, as one tree: `{{user.id}}` is its member `id` of `user`. Without an
/// active organization there is neither `org` nor `org_membership`.
pub(super) fn of(state: &State, session: &Session) -> Value {
    let mut tree = json!({ "session": { "actor": session.actor } });
    if let Some(user) = state.user(&session.user_id) {
        tree["user"] = of_user(state, user);
    }
    let organization = session.active_organization_id.as_ref();
    if let Some(organization) = organization.and_then(|id| state.organization(id))
        && let Some(membership) = state.membership(&organization.id, &session.user_id)
    {
        tree["org"] = json!({
            "id": organization.id,
            "name": organization.name,
            "slug": organization.slug,
            "role": membership.role,
            "image_url": views::organization_image_url(organization, &state.instance.id),
            "has_image": false,
            "public_metadata": organization.public_metadata,
        });
        tree["org_membership"] = json!({ "public_metadata": membership.public_metadata });
    }
    tree
}

/// Times are seconds, as in other claims. Private metadata is no part of a token.
fn of_user(state: &State, user: &User) -> Value {
    let image = views::user_image_url(user, &state.instance.id);
    let organizations: Map<String, Value> = state
        .memberships_of_user(&user.id)
        .map(|membership| {
            let id = membership.organization_id.to_string();
            (id, json!(membership.role))
        })
        .collect();
    json!({
        "id": user.id,
        "external_id": user.external_id,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "full_name": user.name(),
        "locale": user.locale,
        "primary_email_address": user.email(),
        "email_verified": is_verified(&user.emails, user.email()),
        "primary_phone_number": user.phone(),
        "phone_number_verified": is_verified(&user.phones, user.phone()),
        "primary_web3_wallet": user.wallet(),
        "image_url": image,
        "profile_image_url": image,
        "has_image": false,
        "two_factor_enabled": user.has_second_factor(),
        "public_metadata": user.public_metadata,
        "unsafe_metadata": user.unsafe_metadata,
        "organizations": organizations,
        "last_sign_in_at": user.last_sign_in_at.map(|time| time / SECOND),
        "created_at": user.created_at / SECOND,
        "updated_at": user.updated_at / SECOND,
    })
}

fn is_verified(all: &[Identification], primary: Option<&str>) -> bool {
    let mut all = all.iter();
    primary.is_some_and(|text| all.any(|one| one.value == text && one.is_verified()))
}

//! Rows made up by number, for load tests.

use super::GenerateSeed;
use super::system::{ADMIN, MEMBER};
use crate::clock::MINUTE;
use crate::ids::{self, Id, mix};
use crate::model::{Identification, Membership, Metadata, Organization, User, Verification};
use crate::state::State;

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Ben", "Chloe", "Dario", "Elena", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Kavya",
    "Liam", "Maya", "Noor", "Oscar", "Priya",
];
const LAST_NAMES: [&str; 16] = [
    "Adler", "Brooks", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito",
    "Jensen", "Kim", "Lopez", "Moreau", "Novak", "Okafor", "Patel",
];

/// Adds the rows. Users are one minute apart, the last one created now.
pub(super) fn add(state: &mut State, generate: GenerateSeed, now: u64) {
    let start = |count: u64| now.saturating_sub(count.saturating_mul(MINUTE));
    let first_user = start(generate.users);
    let mut user_ids: Vec<Id> = Vec::new();
    for number in 0..generate.users {
        let user = user(number, first_user + number * MINUTE);
        if generate.organizations > 0 {
            user_ids.push(user.id.clone());
        }
        state.add_user(user);
    }
    let first_organization = start(generate.organizations);
    for number in 0..generate.organizations {
        let created_at = first_organization + number * MINUTE;
        let organization = organization(number, created_at);
        let id = organization.id.clone();
        state.add_organization(organization);
        let members = generate.members_per_organization.min(user_ids.len() as u64);
        for position in 0..members {
            let count = user_ids.len() as u64;
            let user = (number.wrapping_mul(members).wrapping_add(position)) % count;
            let Some(user_id) = usize::try_from(user)
                .ok()
                .and_then(|user| user_ids.get(user))
            else {
                continue;
            };
            let role = if position == 0 { ADMIN } else { MEMBER };
            let key = number.wrapping_mul(members).wrapping_add(position);
            state.add_membership(Membership {
                id: ids::derived("orgmem", created_at, mix(key)),
                organization_id: id.clone(),
                user_id: user_id.clone(),
                role: role.to_owned(),
                public_metadata: Metadata::new(),
                private_metadata: Metadata::new(),
                created_at,
                updated_at: created_at,
            });
        }
    }
}

fn user(number: u64, created_at: u64) -> User {
    let hash = mix(number);
    let pick = |names: &[&str; 16], shift: u32| names[(hash >> shift) as usize & 15].to_owned();
    let email = Identification {
        id: ids::derived("idn", created_at, number),
        value: format!("user{number}@load.example.com"),
        verification: if hash >> 8 & 7 == 0 {
            Verification::None
        } else {
            Verification::Code
        },
        reserved: false,
        created_at,
        updated_at: created_at,
    };
    User {
        id: ids::derived("user", created_at, number),
        external_id: Some(format!("load-{number}")),
        first_name: Some(pick(&FIRST_NAMES, 0)),
        last_name: Some(pick(&LAST_NAMES, 4)),
        primary_email: Some(email.id.clone()),
        emails: vec![email],
        banned: hash >> 16 & 127 == 0,
        delete_self_enabled: true,
        create_organization_enabled: true,
        last_sign_in_at: Some(created_at),
        last_active_at: Some(created_at),
        created_at,
        updated_at: created_at,
        ..User::default()
    }
}

fn organization(number: u64, created_at: u64) -> Organization {
    Organization {
        id: ids::derived("org", created_at, number),
        name: format!("Load Test {number}"),
        slug: format!("load-test-{number}"),
        max_allowed_memberships: 0,
        admin_delete_enabled: true,
        public_metadata: Metadata::new(),
        private_metadata: Metadata::new(),
        created_by: None,
        role_set_key: None,
        created_at,
        updated_at: created_at,
    }
}

//! The default seed: a small SaaS business called Northwind Metrics, with the kinds of users a
//! support team meets. Its ids are fixed, so that documents and tests can name them: a user's id
//! is made of their name, `user_2EmuAvaMitchell000000000000`.

use super::time::When;
use super::{
    ContactDetails, ContactSeed, ExternalAccountSeed, InstanceSeed, InvitationSeed, MemberSeed,
    OAuthApplicationSeed, OrganizationSeed, PermissionSeed, RoleSeed, Seed, UserSeed,
};
use crate::ids;
use crate::model::Metadata;
use serde_json::{Value, json};

/// Whether a person's e-mail address is verified, if they have one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Email {
    Verified,
    Unverified,
    None,
}
use Email::{None as NoEmail, Unverified, Verified};

/// First name, last name, domain of the e-mail address, its state, locale, plan, days since
/// sign-up, hours since they were last active (0: never).
type Person = (
    &'static str,
    &'static str,
    &'static str,
    Email,
    &'static str,
    &'static str,
    u32,
    u32,
);

#[rustfmt::skip]
const PEOPLE: [Person; 30] = [
    ("Ava", "Mitchell", "northwind.example", Verified, "en-US", "enterprise", 364, 1),
    ("Noah", "Tanaka", "northwind.example", Verified, "ja-JP", "enterprise", 358, 3),
    ("Priya", "Raman", "northwind.example", Verified, "en-IN", "enterprise", 351, 20),
    ("Lucas", "Moreau", "lumen.example", Verified, "fr-FR", "pro", 340, 5),
    ("Sofia", "Rossi", "lumen.example", Verified, "it-IT", "pro", 331, 49),
    ("Mateo", "Garcia", "lumen.example", Unverified, "es-MX", "pro", 320, 700),
    ("Emma", "Lindqvist", "fjord.example", Verified, "sv-SE", "pro", 302, 8),
    ("Oliver", "Novak", "fjord.example", Verified, "cs-CZ", "free", 290, 120),
    ("Zainab", "Okafor", "fjord.example", Verified, "en-NG", "free", 281, 2),
    ("Liam", "Byrne", "example.com", Verified, "en-IE", "free", 270, 1900),
    ("Mia", "Schneider", "example.com", Verified, "de-DE", "pro", 255, 30),
    ("Ethan", "Cho", "example.com", NoEmail, "ko-KR", "free", 243, 96),
    ("Isabella", "Costa", "example.com", Verified, "pt-BR", "free", 230, 4000),
    ("Arjun", "Patel", "quarry.example", Verified, "en-GB", "enterprise", 214, 6),
    ("Chloe", "Dubois", "quarry.example", Verified, "fr-CA", "enterprise", 203, 12),
    ("Daniel", "Weiss", "quarry.example", Verified, "de-AT", "enterprise", 190, 260),
    ("Hana", "Kovacs", "example.org", Verified, "hu-HU", "free", 177, 50),
    ("Omar", "Haddad", "example.org", Unverified, "ar-LB", "free", 160, 0),
    ("Grace", "Kim", "example.org", Verified, "en-US", "pro", 149, 7),
    ("Felix", "Andersen", "example.net", Verified, "da-DK", "free", 131, 800),
    ("Yara", "Silva", "example.net", NoEmail, "pt-PT", "free", 118, 0),
    ("Tom", "Baker", "example.net", Verified, "en-AU", "pro", 102, 25),
    ("Nina", "Petrova", "tidepool.example", Verified, "bg-BG", "pro", 88, 9),
    ("Samuel", "Adeyemi", "tidepool.example", Verified, "en-GB", "pro", 73, 31),
    ("Leila", "Farsi", "tidepool.example", Verified, "fa-IR", "free", 61, 90),
    ("Jack", "O'Connor", "example.com", Verified, "en-IE", "free", 45, 400),
    ("Amelia", "Wright", "example.com", Unverified, "en-GB", "free", 30, 0),
    ("Kenji", "Sato", "example.org", Verified, "ja-JP", "free", 14, 60),
    ("Elif", "Demir", "example.net", Verified, "tr-TR", "free", 6, 40),
    ("Ruby", "Nguyen", "example.com", Verified, "vi-VN", "free", 1, 11),
];

pub(super) fn seed() -> Seed {
    Seed {
        instance: InstanceSeed::default(),
        permissions: permissions(),
        roles: vec![billing_role()],
        users: PEOPLE.iter().map(user).collect(),
        organizations: organizations(),
        invitations: invitations(),
        oauth_applications: vec![mcp_server()],
        jwt_templates: Vec::new(),
        machines: Vec::new(),
        api_keys: Vec::new(),
        generate: None,
    }
}

/// The OAuth application of an MCP server on this machine, as `clerk-mcp dev` runs one.
fn mcp_server() -> OAuthApplicationSeed {
    let redirect_uris = [
        "http://127.0.0.1:8788/callback",
        "http://localhost:8788/callback",
    ];
    let scopes = [
        "openid",
        "profile",
        "email",
        "offline_access",
        "user:org:read",
        "public_metadata",
    ];
    OAuthApplicationSeed {
        id: Some(ids::fixed("oa", "ClerkMcp").to_string()),
        name: "clerk-mcp".to_owned(),
        client_id: "clerk_mcp_emulated".to_owned(),
        client_secret: Some("emulated-client-secret".to_owned()),
        redirect_uris: redirect_uris.map(str::to_owned).to_vec(),
        scopes: Some(scopes.map(str::to_owned).to_vec()),
        consent_screen_enabled: true,
        pkce_required: false,
    }
}

/// The letters of a name, as ids have them.
fn plain(first: &str, last: &str) -> String {
    [first, last]
        .concat()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

fn user(person: &Person) -> UserSeed {
    let (first, last, domain, email, locale, plan, days, hours) = *person;
    let name = plain(first, last);
    let active = (hours > 0).then(|| When::ago(&format!("{hours}h")));
    let mut user = UserSeed {
        id: Some(ids::fixed("user", &name).to_string()),
        first_name: Some(first.to_owned()),
        last_name: Some(last.to_owned()),
        locale: Some(locale.to_owned()),
        public_metadata: object(json!({ "plan": plan })),
        unsafe_metadata: object(json!({ "onboarding": { "completed": hours > 0 } })),
        created_at: Some(When::ago(&format!("{days}d"))),
        last_active_at: active.clone(),
        last_sign_in_at: active,
        ..UserSeed::default()
    };
    if email != NoEmail {
        let local = format!("{}.{}", first, last.replace('\'', "")).to_lowercase();
        user.email_addresses
            .push(ContactSeed::Detailed(ContactDetails {
                value: format!("{local}@{domain}"),
                id: Some(ids::fixed("idn", &name).to_string()),
                verified: email == Verified,
            }));
    }
    add_particulars(&mut user, &name);
    user
}

/// What only this person has.
fn add_particulars(user: &mut UserSeed, name: &str) {
    let contact = |text: &str| vec![ContactSeed::Verified(text.to_owned())];
    match name {
        "AvaMitchell" => {
            user.username = Some("ava_mitchell".to_owned());
            user.external_id = Some("crm-1001".to_owned());
            user.password = Some("correct horse battery staple".to_owned());
            user.totp_enabled = true;
            user.phone_numbers = contact("+14155550101");
            user.public_metadata = object(json!({ "plan": "enterprise", "role": "admin" }));
            user.private_metadata = object(json!({
                "stripe_customer_id": "cus_EmuAvaMitchell",
                "notes": "Founder. Prefers e-mail.",
            }));
        }
        "NoahTanaka" => {
            user.username = Some("noah_t".to_owned());
            user.external_id = Some("crm-1002".to_owned());
            user.external_accounts = vec![google(
                "109876543210987654321",
                "noah.tanaka@northwind.example",
            )];
            user.public_metadata = object(json!({ "plan": "enterprise", "role": "engineer" }));
        }
        "PriyaRaman" => {
            user.external_id = Some("crm-1003".to_owned());
            user.phone_numbers = contact("+919876543210");
            user.public_metadata = object(json!({ "plan": "enterprise", "role": "finance" }));
        }
        "LucasMoreau" => {
            user.username = Some("lucas_moreau".to_owned());
            user.password = Some("tour-eiffel-1889".to_owned());
            user.public_metadata = object(json!({ "plan": "pro", "role": "premium" }));
            user.email_addresses
                .push(ContactSeed::Verified("lucas@moreau.example".to_owned()));
        }
        "LiamByrne" => {
            user.banned = true;
            user.private_metadata = object(json!({ "ban_reason": "chargeback fraud" }));
        }
        "IsabellaCosta" => {
            user.banned = true;
            user.private_metadata = object(json!({ "ban_reason": "spam" }));
        }
        "OliverNovak" => user.locked = true,
        "TomBaker" => user.locked = true,
        "EthanCho" => user.phone_numbers = contact("+821055501234"),
        "YaraSilva" => {
            user.username = Some("yara_silva".to_owned());
            user.first_name = None;
            user.last_name = None;
        }
        "MiaSchneider" => {
            user.public_metadata = object(json!({ "plan": "pro", "role": "premium" }));
            user.phone_numbers = contact("+4915155501234");
        }
        "ArjunPatel" => {
            user.external_id = Some("crm-1014".to_owned());
            user.private_metadata = object(json!({ "stripe_customer_id": "cus_EmuArjunPatel" }));
        }
        "GraceKim" => {
            user.public_metadata = object(json!({ "plan": "pro", "role": "premium" }));
            user.web3_wallets = contact("0x52908400098527886E0F7030069857D2E4169EE7");
        }
        "RubyNguyen" => {
            user.unsafe_metadata = object(json!({
                "onboarding": { "completed": false, "step": "invite-team" },
                "theme": "dark",
            }));
        }
        _ => {}
    }
}

fn google(provider_user_id: &str, email_address: &str) -> ExternalAccountSeed {
    ExternalAccountSeed {
        provider: "oauth_google".to_owned(),
        provider_user_id: provider_user_id.to_owned(),
        email_address: email_address.to_owned(),
    }
}

fn permissions() -> Vec<PermissionSeed> {
    let permission = |key: &str, name: &str, description: &str| PermissionSeed {
        id: None,
        key: key.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
    };
    vec![
        permission(
            "org:invoices:read",
            "Read invoices",
            "See the invoices of an organization.",
        ),
        permission(
            "org:invoices:manage",
            "Manage invoices",
            "Pay and dispute invoices.",
        ),
        permission(
            "org:reports:read",
            "Read reports",
            "See the reports of an organization.",
        ),
    ]
}

fn billing_role() -> RoleSeed {
    let permissions = [
        "org:sys_memberships:read",
        "org:sys_billing:read",
        "org:sys_billing:manage",
        "org:invoices:read",
        "org:invoices:manage",
    ];
    RoleSeed {
        id: None,
        key: "org:billing".to_owned(),
        name: "Billing".to_owned(),
        description: "Pays the invoices and sees the members".to_owned(),
        permissions: permissions.map(str::to_owned).to_vec(),
    }
}

fn organizations() -> Vec<OrganizationSeed> {
    const ADMIN: &str = "org:admin";
    const MEMBER: &str = "org:member";
    const BILLING: &str = "org:billing";
    vec![
        OrganizationSeed {
            max_allowed_memberships: Some(50),
            public_metadata: object(json!({ "plan": "enterprise", "region": "us-west" })),
            private_metadata: object(json!({ "stripe_customer_id": "cus_EmuNorthwind" })),
            members: vec![
                member("AvaMitchell", ADMIN, 364),
                member("NoahTanaka", MEMBER, 350),
                member("PriyaRaman", BILLING, 349),
                member("GraceKim", MEMBER, 120),
            ],
            invitations: vec![
                invitation("Northwind1", "new.engineer@northwind.example", "pending", 3),
                invitation("Northwind2", "grace.kim@example.org", "accepted", 121),
                invitation("Northwind3", "contractor@example.net", "revoked", 60),
                invitation("Northwind4", "too.late@example.net", "expired", 90),
            ],
            ..organization("Northwind Metrics", "northwind-metrics", "AvaMitchell", 364)
        },
        OrganizationSeed {
            max_allowed_memberships: Some(5),
            public_metadata: object(json!({ "plan": "pro", "region": "eu-west" })),
            members: vec![
                member("LucasMoreau", ADMIN, 338),
                member("SofiaRossi", ADMIN, 330),
                member("MateoGarcia", MEMBER, 319),
            ],
            invitations: vec![invitation(
                "Lumen1",
                "stagiaire@lumen.example",
                "pending",
                10,
            )],
            ..organization("Lumen Studio", "lumen-studio", "LucasMoreau", 338)
        },
        OrganizationSeed {
            max_allowed_memberships: Some(3),
            public_metadata: object(json!({ "plan": "pro", "region": "eu-north" })),
            members: vec![
                member("EmmaLindqvist", ADMIN, 300),
                member("OliverNovak", MEMBER, 288),
                member("ZainabOkafor", BILLING, 280),
            ],
            ..organization("Fjord Logistics", "fjord-logistics", "EmmaLindqvist", 300)
        },
        OrganizationSeed {
            max_allowed_memberships: Some(0),
            public_metadata: object(json!({ "plan": "enterprise", "region": "eu-west" })),
            members: vec![
                member("ArjunPatel", ADMIN, 213),
                member("ChloeDubois", MEMBER, 202),
                member("DanielWeiss", BILLING, 189),
                member("AvaMitchell", MEMBER, 100),
            ],
            ..organization("Quarry & Sons", "quarry-and-sons", "ArjunPatel", 213)
        },
        OrganizationSeed {
            public_metadata: object(json!({ "plan": "pro", "trial": true })),
            members: vec![
                member("NinaPetrova", ADMIN, 87),
                member("SamuelAdeyemi", MEMBER, 72),
                member("LeilaFarsi", MEMBER, 60),
            ],
            invitations: vec![invitation(
                "Tidepool1",
                "elif.demir@example.net",
                "pending",
                2,
            )],
            ..organization("Tidepool Labs", "tidepool-labs", "NinaPetrova", 87)
        },
    ]
}

fn organization(name: &str, slug: &str, creator: &str, days: u32) -> OrganizationSeed {
    OrganizationSeed {
        id: Some(ids::fixed("org", &plain(name, "")).to_string()),
        name: name.to_owned(),
        slug: Some(slug.to_owned()),
        created_by: Some(ids::fixed("user", creator).to_string()),
        created_at: Some(When::ago(&format!("{days}d"))),
        ..OrganizationSeed::default()
    }
}

fn member(name: &str, role: &str, days: u32) -> MemberSeed {
    MemberSeed {
        user: ids::fixed("user", name).to_string(),
        role: role.to_owned(),
        created_at: Some(When::ago(&format!("{days}d"))),
        ..MemberSeed::default()
    }
}

/// An invitation to an organization, made so many days ago.
fn invitation(id: &str, email_address: &str, status: &str, days: u32) -> InvitationSeed {
    InvitationSeed {
        id: Some(ids::fixed("orginv", id).to_string()),
        email_address: email_address.to_owned(),
        status: Some(status.to_owned()),
        created_at: Some(When::ago(&format!("{days}d"))),
        ..InvitationSeed::default()
    }
}

fn invitations() -> Vec<InvitationSeed> {
    let rows = [
        ("Invited1", "beta.tester@example.com", "pending", 1),
        ("Invited2", "ruby.nguyen@example.com", "accepted", 2),
        ("Invited3", "competitor@example.org", "revoked", 20),
        ("Invited4", "forgot.about.it@example.net", "expired", 75),
        ("Invited5", "new.hire@northwind.example", "pending", 5),
    ];
    let invited = rows
        .into_iter()
        .map(|(id, email_address, status, days)| InvitationSeed {
            id: Some(ids::fixed("inv", id).to_string()),
            public_metadata: object(json!({ "source": "referral" })),
            ..invitation(id, email_address, status, days)
        });
    invited.collect()
}

fn object(value: Value) -> Metadata {
    match value {
        Value::Object(map) => map,
        _ => Metadata::new(),
    }
}

//! `CreateUser`.

use super::password;
use crate::body::{Body, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::clock::HOUR;
use crate::error::{self, ApiError};
use crate::format;
use crate::ids::Id;
use crate::model::{Identification, User, Verification};
use crate::state::State;
use crate::views;
use serde_json::Value;

const PARAMS: [Param; 30] = [
    nullable("external_id", Kind::Text),
    nullable("first_name", Kind::Text),
    nullable("last_name", Kind::Text),
    nullable("locale", Kind::Text),
    param("email_address", Kind::Texts),
    param("email_address_identification_status", Kind::Texts),
    param("phone_number", Kind::Texts),
    param("phone_number_identification_status", Kind::Texts),
    param("web3_wallet", Kind::Texts),
    nullable("username", Kind::Text),
    nullable("password", Kind::Text),
    nullable("password_digest", Kind::Text),
    nullable("password_hasher", Kind::Text),
    nullable("skip_password_checks", Kind::Boolean),
    nullable("skip_password_requirement", Kind::Boolean),
    nullable("totp_secret", Kind::Text),
    param("backup_codes", Kind::Texts),
    param("public_metadata", Kind::Object),
    param("private_metadata", Kind::Object),
    param("unsafe_metadata", Kind::Object),
    nullable("delete_self_enabled", Kind::Boolean),
    nullable("legal_accepted_at", Kind::Text),
    nullable("skip_legal_checks", Kind::Boolean),
    nullable("skip_user_requirement", Kind::Boolean),
    nullable("create_organization_enabled", Kind::Boolean),
    nullable("create_organizations_limit", Kind::Integer),
    nullable("created_at", Kind::Text),
    nullable("bypass_client_trust", Kind::Boolean),
    nullable("banned", Kind::Boolean),
    nullable("locked", Kind::Boolean),
];

/// `CreateUser`. At least one of e-mail address, phone number, web3 wallet and username is needed.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let body = Body::check(&given, &PARAMS, Unknown::Refused)?;
    let now = call.now;
    let mut user = User {
        external_id: owned(&body, "external_id"),
        first_name: owned(&body, "first_name"),
        last_name: owned(&body, "last_name"),
        locale: owned(&body, "locale"),
        username: owned(&body, "username"),
        password: password::from_body(&body)?,
        totp_enabled: body.has("totp_secret"),
        backup_codes_enabled: !body.texts("backup_codes").is_empty(),
        public_metadata: body.metadata("public_metadata")?.unwrap_or_default(),
        private_metadata: body.metadata("private_metadata")?.unwrap_or_default(),
        unsafe_metadata: body.metadata("unsafe_metadata")?.unwrap_or_default(),
        banned: body.boolean("banned") == Some(true),
        locked_until: (body.boolean("locked") == Some(true)).then_some(now + HOUR),
        delete_self_enabled: body.boolean("delete_self_enabled").unwrap_or(true),
        create_organization_enabled: body.boolean("create_organization_enabled").unwrap_or(true),
        create_organizations_limit: body.integer("create_organizations_limit", 0, u64::MAX)?,
        bypass_client_trust: body.boolean("bypass_client_trust") == Some(true),
        legal_accepted_at: body.past_time("legal_accepted_at", now)?,
        created_at: body.past_time("created_at", now)?.unwrap_or(now),
        updated_at: now,
        ..User::default()
    };
    user.password_updated_at = user.password.as_ref().map(|_| now);
    user.mfa_enabled_at = (user.totp_enabled || user.backup_codes_enabled).then_some(now);
    check_names(&user)?;
    check_free(call.state, &user, None)?;

    user.emails = identifications(call, &body, Contact::Email)?;
    user.phones = identifications(call, &body, Contact::Phone)?;
    user.wallets = identifications(call, &body, Contact::Wallet)?;
    let nameless = user.username.is_none()
        && user.emails.is_empty()
        && user.phones.is_empty()
        && user.wallets.is_empty();
    if nameless {
        return Err(error::data_missing(&[
            "email_address",
            "phone_number",
            "username",
        ]));
    }
    user.primary_email = first(&user.emails);
    user.primary_phone = first(&user.phones);
    user.primary_wallet = first(&user.wallets);
    user.id = call.mint("user");
    let view = views::user(&user, &call.state.instance.id, now);
    call.state.add_user(user);
    Ok(view)
}

/// The rules for the texts of a user that stand alone.
pub(super) fn check_names(user: &User) -> Result<(), ApiError> {
    if let Some(username) = &user.username {
        format::username(username)?;
    }
    if let Some(locale) = &user.locale {
        format::locale(locale)?;
    }
    for (name, value) in [
        ("first_name", &user.first_name),
        ("last_name", &user.last_name),
    ] {
        if value
            .as_ref()
            .is_some_and(|value| value.chars().count() > 256)
        {
            return Err(error::param_max_length(name, 256));
        }
    }
    Ok(())
}

/// Username and external id are free, or already this user's.
pub(super) fn check_free(state: &State, user: &User, id: Option<&str>) -> Result<(), ApiError> {
    let taken = |owner: Option<&Id>| owner.is_some_and(|owner| Some(&**owner) != id);
    if let Some(username) = &user.username
        && taken(state.user_with_username(username))
    {
        return Err(error::identifier_exists("username"));
    }
    if let Some(external_id) = &user.external_id
        && taken(state.user_with_external_id(external_id))
    {
        return Err(error::identifier_exists("external_id"));
    }
    Ok(())
}

/// A way to reach a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Email,
    Phone,
    Wallet,
}

impl Contact {
    fn param(self) -> &'static str {
        match self {
            Self::Email => "email_address",
            Self::Phone => "phone_number",
            Self::Wallet => "web3_wallet",
        }
    }

    /// The text to keep, if it has the right form and nobody has it.
    fn accept(self, state: &State, text: &str) -> Result<String, ApiError> {
        let param = self.param();
        let (value, owner) = match self {
            Self::Email => {
                format::email(param, text)?;
                (text.to_lowercase(), state.user_with_email(text))
            }
            Self::Phone => {
                let number = format::phone(param, text)?;
                let owner = state.user_with_phone(&number);
                (number, owner)
            }
            Self::Wallet => {
                format::wallet(param, text)?;
                (text.to_owned(), state.user_with_wallet(text))
            }
        };
        if owner.is_some() {
            Err(error::identifier_exists(param))
        } else {
            Ok(value)
        }
    }
}

fn identifications(
    call: &mut Call<'_>,
    body: &Body<'_>,
    contact: Contact,
) -> Result<Vec<Identification>, ApiError> {
    let param = contact.param();
    let texts = body.texts(param);
    let statuses = statuses(body, contact, texts.len())?;
    let mut all: Vec<Identification> = Vec::with_capacity(texts.len());
    for (position, text) in texts.into_iter().enumerate() {
        let value = contact.accept(call.state, text)?;
        if all.iter().any(|one| one.value == value) {
            return Err(error::param_duplicate(param));
        }
        let reserved = statuses
            .get(position)
            .is_some_and(|status| *status == "reserved");
        all.push(Identification {
            id: call.mint("idn"),
            value,
            verification: if reserved {
                Verification::None
            } else {
                Verification::Admin
            },
            reserved,
            created_at: call.now,
            updated_at: call.now,
        });
    }
    Ok(all)
}

/// The parallel array of statuses: as long as the texts, or empty.
fn statuses<'a>(
    body: &Body<'a>,
    contact: Contact,
    expected: usize,
) -> Result<Vec<&'a str>, ApiError> {
    let param = match contact {
        Contact::Email => "email_address_identification_status",
        Contact::Phone => "phone_number_identification_status",
        Contact::Wallet => return Ok(Vec::new()),
    };
    let statuses = body.texts(param);
    let allowed = ["verified", "reserved"];
    if let Some(wrong) = statuses.iter().find(|status| !allowed.contains(status)) {
        return Err(error::param_value_not_allowed(param, wrong, &allowed));
    }
    if !statuses.is_empty() && statuses.len() != expected {
        let reason = format!(
            "{param} must contain one item for each {}.",
            contact.param()
        );
        return Err(error::param_format_invalid(param, reason));
    }
    Ok(statuses)
}

fn first(all: &[Identification]) -> Option<Id> {
    all.first().map(|one| one.id.clone())
}

fn owned(body: &Body<'_>, name: &str) -> Option<String> {
    body.text(name)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

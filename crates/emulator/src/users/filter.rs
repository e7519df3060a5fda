//! Which users a list is about: the filters of `GetUserList` and `ListOrganizationMemberships`.

use crate::error::{self, ApiError};
use crate::model::{Identification, User};
use crate::query::{Query, Signed, contains};
use crate::state::State;

/// The filters of one request, checked.
pub(crate) struct Filter<'a> {
    emails: Vec<String>,
    phones: Vec<&'a str>,
    usernames: Vec<String>,
    wallets: Vec<String>,
    ids: Signed<'a>,
    external_ids: Signed<'a>,
    organization_ids: Signed<'a>,
    query: Option<String>,
    email_query: Option<String>,
    phone_query: Option<String>,
    username_query: Option<String>,
    name_query: Option<String>,
    banned: Option<bool>,
    provider: Option<(&'a str, Vec<&'a str>)>,
    created: Range,
    last_active: Range,
    last_active_since: Option<u64>,
    last_sign_in: Range,
}

/// After and before, both without the bound itself.
#[derive(Default)]
struct Range {
    after: Option<u64>,
    before: Option<u64>,
}

impl<'a> Filter<'a> {
    /// The filters every list of users takes.
    pub(crate) fn shared(query: &'a Query) -> Result<Self, ApiError> {
        let lower = |name| -> Result<Vec<String>, ApiError> {
            Ok(query
                .list(name)?
                .into_iter()
                .map(str::to_lowercase)
                .collect())
        };
        let part = |name| query.text(name).map(str::to_lowercase);
        Ok(Self {
            emails: lower("email_address")?,
            phones: query.list("phone_number")?,
            usernames: lower("username")?,
            wallets: lower("web3_wallet")?,
            ids: query.signed_list("user_id")?,
            external_ids: Signed::default(),
            organization_ids: Signed::default(),
            query: part("query"),
            email_query: part("email_address_query"),
            phone_query: part("phone_number_query"),
            username_query: part("username_query"),
            name_query: part("name_query"),
            banned: None,
            provider: None,
            created: Range::of(query, "created_at_after", "created_at_before")?,
            last_active: Range::of(query, "last_active_at_after", "last_active_at_before")?,
            last_active_since: None,
            last_sign_in: Range::default(),
        })
    }

    /// The filters of `GetUserList` and `GetUsersCount`.
    pub(crate) fn of_users(query: &'a Query) -> Result<Self, ApiError> {
        let mut filter = Self::shared(query)?;
        filter.external_ids = query.signed_list("external_id")?;
        filter.organization_ids = query.signed_list("organization_id")?;
        filter.banned = query.boolean("banned")?;
        filter.last_active_since = query.number("last_active_at_since")?;
        filter.last_sign_in = Range::of(query, "last_sign_in_at_after", "last_sign_in_at_before")?;
        let provider_user_ids = query.list("provider_user_id")?;
        filter.provider = match (query.text("provider"), provider_user_ids.is_empty()) {
            (None, true) => None,
            (Some(provider), false) => Some((provider, provider_user_ids)),
            (Some(_), true) => {
                return Err(error::param_required_with("provider_user_id", "provider"));
            }
            (None, false) => {
                return Err(error::param_required_with("provider", "provider_user_id"));
            }
        };
        Ok(filter)
    }

    pub(crate) fn admits(&self, state: &State, user: &User) -> bool {
        self.admits_lists(state, user) && self.admits_texts(user) && self.admits_times(user)
    }

    fn admits_lists(&self, state: &State, user: &User) -> bool {
        let one_of = |wanted: &[String], values: &[Identification]| {
            wanted.is_empty()
                || values
                    .iter()
                    .any(|one| wanted.contains(&one.value.to_lowercase()))
        };
        one_of(&self.emails, &user.emails)
            && (self.phones.is_empty()
                || user
                    .phones
                    .iter()
                    .any(|phone| self.phones.contains(&phone.value.as_str())))
            && (self.usernames.is_empty()
                || user
                    .username
                    .as_ref()
                    .is_some_and(|name| self.usernames.contains(&name.to_lowercase())))
            && one_of(&self.wallets, &user.wallets)
            && self.ids.admits(|id| *id == *user.id)
            && self
                .external_ids
                .admits(|id| user.external_id.as_deref() == Some(id))
            && self.banned.is_none_or(|banned| user.banned == banned)
            && (self.organization_ids.is_empty()
                || self.organization_ids.admits(|id| {
                    state
                        .memberships_of_user(&user.id)
                        .any(|one| &*one.organization_id == id)
                }))
            && self.provider.as_ref().is_none_or(|(provider, ids)| {
                user.external_accounts.iter().any(|account| {
                    account.provider == *provider
                        && ids.contains(&account.provider_user_id.as_str())
                })
            })
    }

    fn admits_texts(&self, user: &User) -> bool {
        let any = |values: &[Identification], part: &str| {
            values.iter().any(|one| contains(&one.value, part))
        };
        let username = |part: &str| {
            user.username
                .as_ref()
                .is_some_and(|text| contains(text, part))
        };
        let holds = |part: &Option<String>, test: &dyn Fn(&str) -> bool| {
            part.as_ref().is_none_or(|part| test(part))
        };
        holds(&self.email_query, &|part| any(&user.emails, part))
            && holds(&self.phone_query, &|part| any(&user.phones, part))
            && holds(&self.username_query, &|part| username(part))
            && holds(&self.name_query, &|part| has_name(user, part))
            && holds(&self.query, &|part| {
                any(&user.emails, part)
                    || any(&user.phones, part)
                    || any(&user.wallets, part)
                    || username(part)
                    || contains(&user.id, part)
                    || has_name(user, part)
            })
    }

    fn admits_times(&self, user: &User) -> bool {
        self.created.admits(Some(user.created_at))
            && self.last_active.admits(user.last_active_at)
            && self.last_sign_in.admits(user.last_sign_in_at)
            && self
                .last_active_since
                .is_none_or(|since| user.last_active_at.is_some_and(|time| time >= since))
    }
}

/// Does the first name, the last name or the full name contain the part?
fn has_name(user: &User, part: &str) -> bool {
    match (user.first_name.as_deref(), user.last_name.as_deref()) {
        (Some(first), Some(last)) if part.contains(' ') => {
            contains(&format!("{first} {last}"), part)
        }
        (first, last) => [first, last]
            .into_iter()
            .flatten()
            .any(|name| contains(name, part)),
    }
}

impl Range {
    fn of(query: &Query, after: &str, before: &str) -> Result<Self, ApiError> {
        Ok(Self {
            after: query.number(after)?,
            before: query.number(before)?,
        })
    }

    fn admits(&self, time: Option<u64>) -> bool {
        self.after
            .is_none_or(|after| time.is_some_and(|time| time > after))
            && self
                .before
                .is_none_or(|before| time.is_some_and(|time| time < before))
    }
}

//! Organizations.

use crate::body::{Body, Change, Kind, Param, Unknown, nullable, param};
use crate::call::Call;
use crate::clock::SECOND;
use crate::error::{self, ApiError};
use crate::format;
use crate::ids::Id;
use crate::memberships;
use crate::metadata;
use crate::model::{Membership, Metadata, Organization};
use crate::paging::Page;
use crate::query::{Query, contains};
use crate::state::State;
use crate::version::Version;
use crate::views::{self, OrganizationExtras};
use serde_json::Value;

const CREATE_PARAMS: [Param; 8] = [
    param("name", Kind::Text),
    nullable("created_by", Kind::Text),
    nullable("private_metadata", Kind::Object),
    nullable("public_metadata", Kind::Object),
    nullable("slug", Kind::Text),
    nullable("max_allowed_memberships", Kind::Integer),
    nullable("created_at", Kind::Text),
    nullable("role_set_key", Kind::Text),
];

const UPDATE_PARAMS: [Param; 8] = [
    nullable("name", Kind::Text),
    nullable("slug", Kind::Text),
    nullable("max_allowed_memberships", Kind::Integer),
    nullable("admin_delete_enabled", Kind::Boolean),
    nullable("created_at", Kind::Text),
    nullable("role_set_key", Kind::Text),
    // Until version 2026-05-12.
    param("public_metadata", Kind::Object),
    param("private_metadata", Kind::Object),
];

const METADATA_PARAMS: [Param; 2] = [
    param("public_metadata", Kind::Object),
    param("private_metadata", Kind::Object),
];

/// `ListOrganizations`.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let (query, state, now) = (&call.query, &*call.state, call.now);
    let page = Page::of(query)?;
    let extras = extras(query)?;
    let order = query.order(&["name", "created_at", "members_count"])?;
    let text = query.text("query");
    let part = text.map(str::to_lowercase);
    let users = query.signed_list("user_id")?;
    let ids = query.signed_list("organization_id")?;

    let admits = |organization: &&Organization| {
        let has_member = |id: &str| {
            state
                .memberships_of_user(id)
                .any(|m| m.organization_id == organization.id)
        };
        part.as_ref().is_none_or(|part| {
            Some(&*organization.id) == text
                || contains(&organization.name, part)
                || contains(&organization.slug, part)
        }) && users.admits(has_member)
            && ids.admits(|id| *id == *organization.id)
    };
    let mut rows: Vec<&Organization> = state.organizations().iter().filter(admits).collect();
    rows.sort_by(|left, right| {
        let attribute = match order.by {
            "name" => left.name.to_lowercase().cmp(&right.name.to_lowercase()),
            "members_count" => state
                .members_count(&left.id)
                .cmp(&state.members_count(&right.id)),
            _ => std::cmp::Ordering::Equal,
        };
        let age = (left.created_at, &left.id).cmp(&(right.created_at, &right.id));
        order.directed(attribute.then(age))
    });
    Ok(page
        .take(rows, |row| views::organization(state, row, extras, now))
        .counted())
}

/// `CreateOrganization`. The creator becomes a member with the creator role.
pub(crate) fn create(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let given = call.take_object()?;
    let body = Body::check(&given, &CREATE_PARAMS, Unknown::Ignored)?;
    let settings = call.state.instance.organizations.clone();
    let name = body.required_text("name")?;
    format::organization_name(name)?;
    let slug = match body.change("slug") {
        Change::Set(_) if settings.slug_disabled => return Err(error::param_unknown("slug")),
        Change::Set(slug) => free_slug(call.state, slug, None)?,
        _ => slug_of(call.state, name, call.now),
    };
    let creator = match body.text("created_by") {
        Some(id) => {
            let user = call
                .state
                .user(id)
                .ok_or_else(|| error::organization_creator_not_found(id))?;
            Some(user.id.clone())
        }
        None => None,
    };
    let limit = body.integer("max_allowed_memberships", 0, u64::MAX)?;
    let created_at = body.past_time("created_at", call.now)?.unwrap_or(call.now);
    let organization = Organization {
        name: name.to_owned(),
        slug,
        max_allowed_memberships: limit.unwrap_or(settings.max_allowed_memberships),
        admin_delete_enabled: settings.admin_delete_enabled,
        public_metadata: body.metadata("public_metadata")?.unwrap_or_default(),
        private_metadata: body.metadata("private_metadata")?.unwrap_or_default(),
        created_by: creator.clone(),
        role_set_key: body.text("role_set_key").map(str::to_owned),
        created_at,
        updated_at: call.now,
        id: call.mint("org"),
    };
    let id = organization.id.clone();
    call.state.add_organization(organization);
    if let Some(user_id) = creator {
        let membership = Membership {
            id: call.mint("orgmem"),
            organization_id: id.clone(),
            user_id,
            role: settings.creator_role,
            public_metadata: Metadata::new(),
            private_metadata: Metadata::new(),
            created_at: call.now,
            updated_at: call.now,
        };
        call.state.add_membership(membership);
    }
    view(call, &id, OrganizationExtras::default())
}

/// `GetOrganization`: by id or by slug.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let extras = extras(&call.query)?;
    let id = call.organization()?.id.clone();
    view(call, &id, extras)
}

/// `UpdateOrganization`. Since version 2026-05-12 metadata is refused here; before, it is replaced.
pub(crate) fn update(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let mut organization = call.organization()?.clone();
    if call.version >= Version::METADATA_APART
        && let Some(param) = METADATA_PARAMS
            .iter()
            .find(|one| given.contains_key(one.name))
    {
        return Err(error::param_deprecated(
            param.name,
            "Use PATCH /v1/organizations/{organization_id}/metadata or PUT /v1/organizations/{organization_id}/metadata instead.",
        ));
    }
    let body = Body::check(&given, &UPDATE_PARAMS, Unknown::Refused)?;
    if body.has("name") {
        let name = body.required_text("name")?;
        format::organization_name(name)?;
        name.clone_into(&mut organization.name);
    }
    if let Change::Set(slug) = body.change("slug") {
        if call.state.instance.organizations.slug_disabled {
            return Err(error::param_unknown("slug"));
        }
        organization.slug = free_slug(call.state, slug, Some(&organization.id))?;
    }
    if let Some(limit) = body.integer("max_allowed_memberships", 0, u64::MAX)? {
        organization.max_allowed_memberships = limit;
    }
    if let Some(enabled) = body.boolean("admin_delete_enabled") {
        organization.admin_delete_enabled = enabled;
    }
    if let Some(created_at) = body.past_time("created_at", call.now)? {
        organization.created_at = created_at;
    }
    if let Some(key) = body.text("role_set_key") {
        organization.role_set_key = Some(key.to_owned());
    }
    set_metadata(
        &mut organization,
        body.metadata("public_metadata")?,
        body.metadata("private_metadata")?,
        call.now,
    );
    save(call, organization)
}

/// `DeleteOrganization`: with its memberships and invitations.
pub(crate) fn delete(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.organization()?.id.clone();
    let organization = call.state.delete_organization(&id);
    let mut answer = views::deleted("organization", &id);
    if let Some(organization) = organization {
        answer["slug"] = Value::String(organization.slug);
    }
    Ok(answer)
}

/// `MergeOrganizationMetadata`: a deep merge.
pub(crate) fn merge_metadata(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let mut organization = call.organization()?.clone();
    let body = Body::check(&given, &METADATA_PARAMS, Unknown::Refused)?;
    let merged = |name: &str, current| match body.object(name) {
        Some(changes) => metadata::merged(name, current, changes).map(Some),
        None => Ok(None),
    };
    let public = merged("public_metadata", &organization.public_metadata)?;
    let private = merged("private_metadata", &organization.private_metadata)?;
    set_metadata(&mut organization, public, private, call.now);
    save(call, organization)
}

/// `ReplaceOrganizationMetadata`.
pub(crate) fn replace_metadata(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let given = call.take_object()?;
    let mut organization = call.organization()?.clone();
    let body = Body::check(&given, &METADATA_PARAMS, Unknown::Refused)?;
    let public = body.metadata("public_metadata")?;
    let private = body.metadata("private_metadata")?;
    set_metadata(&mut organization, public, private, call.now);
    save(call, organization)
}

/// Refuses `adding` more members when members and pending invitations would pass the limit.
pub(crate) fn check_quota(
    state: &State,
    organization: &Organization,
    adding: usize,
    now: u64,
) -> Result<(), ApiError> {
    let limit = organization.max_allowed_memberships;
    let members = state.members_count(&organization.id);
    let pending = memberships::pending_invitations(state, &organization.id, now);
    let total = u64::try_from(members + pending + adding).unwrap_or(u64::MAX);
    if limit > 0 && total > limit {
        return Err(error::membership_quota_exceeded(limit));
    }
    Ok(())
}

fn extras(query: &Query) -> Result<OrganizationExtras, ApiError> {
    Ok(OrganizationExtras {
        counts: query.boolean("include_members_count")? == Some(true),
        elevated: query.boolean("include_missing_member_with_elevated_permissions")? == Some(true),
    })
}

fn view(call: &Call<'_>, id: &Id, extras: OrganizationExtras) -> Result<Value, ApiError> {
    let organization = call
        .state
        .organization(id)
        .ok_or_else(error::organization_not_found)?;
    Ok(views::organization(
        call.state,
        organization,
        extras,
        call.now,
    ))
}

fn save(call: &mut Call<'_>, organization: Organization) -> Result<Value, ApiError> {
    let id = organization.id.clone();
    call.state
        .change_organization(&id, |row| *row = organization);
    view(call, &id, OrganizationExtras::default())
}

fn set_metadata(
    organization: &mut Organization,
    public: Option<Metadata>,
    private: Option<Metadata>,
    now: u64,
) {
    if let Some(public) = public {
        organization.public_metadata = public;
    }
    if let Some(private) = private {
        organization.private_metadata = private;
    }
    organization.updated_at = now;
}

fn free_slug(state: &State, slug: &str, own: Option<&Id>) -> Result<String, ApiError> {
    format::slug(slug)?;
    match state.organization_with_slug(slug) {
        Some(owner) if Some(owner) != own => Err(error::identifier_exists("slug")),
        _ => Ok(slug.to_owned()),
    }
}

/// A slug made of the name, with the time in seconds behind it if the plain one is taken.
/// `now` is in milliseconds.
pub(crate) fn slug_of(state: &State, name: &str, now: u64) -> String {
    let words: Vec<String> = name
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let plain = if words.is_empty() {
        "organization".to_owned()
    } else {
        words.join("-")
    };
    if state.organization_with_slug(&plain).is_none() {
        return plain;
    }
    let mut number = now / SECOND;
    loop {
        let slug = format!("{plain}-{number}");
        if state.organization_with_slug(&slug).is_none() {
            return slug;
        }
        number += 1;
    }
}

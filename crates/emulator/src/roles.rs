//! Roles and permissions of organizations.

use crate::call::Call;
use crate::error::{self, ApiError};
use crate::ids::Id;
use crate::model::{Permission, Role};
use crate::paging::Page;
use crate::query::{Order, Query, contains};
use crate::views;
use serde_json::Value;

const ORDERS: [&str; 3] = ["created_at", "name", "key"];

/// `ListOrganizationRoles`.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let (page, order) = (Page::of(&call.query)?, call.query.order(&ORDERS)?);
    let rows = found(&call.query, order, call.state.roles.iter());
    Ok(page
        .take(rows, |row| views::role(call.state, row))
        .counted())
}

/// `GetOrganizationRole`.
pub(crate) fn get(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let role = call.state.roles.get(&call.param("organization_role_id"));
    Ok(views::role(
        call.state,
        role.ok_or_else(|| error::role_not_found(None))?,
    ))
}

/// `ListOrganizationPermissions`.
pub(crate) fn list_permissions(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let (page, order) = (Page::of(&call.query)?, call.query.order(&ORDERS)?);
    let rows = found(&call.query, order, call.state.permissions.iter());
    Ok(page.take(rows, views::permission).counted())
}

/// `GetOrganizationPermission`.
pub(crate) fn get_permission(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.organizations_enabled()?;
    let permission = call.state.permissions.get(&call.param("permission_id"));
    permission
        .map(views::permission)
        .ok_or_else(error::permission_not_found)
}

/// What roles and permissions are searched and ordered by.
trait Named {
    fn parts(&self) -> (&Id, &str, &str, u64);
}

impl Named for Role {
    fn parts(&self) -> (&Id, &str, &str, u64) {
        (&self.id, &self.name, &self.key, self.created_at)
    }
}

impl Named for Permission {
    fn parts(&self) -> (&Id, &str, &str, u64) {
        (&self.id, &self.name, &self.key, self.created_at)
    }
}

/// Those with the id of `query`, or with it in their name or key.
fn found<'a, T: Named>(
    query: &Query,
    order: Order,
    all: impl Iterator<Item = &'a T>,
) -> Vec<&'a T> {
    let text = query.text("query");
    let part = text.map(str::to_lowercase);
    let mut rows: Vec<&T> = all
        .filter(|row| {
            let (id, name, key, _) = row.parts();
            part.as_ref().is_none_or(|part| {
                Some(&**id) == text || contains(name, part) || contains(key, part)
            })
        })
        .collect();
    rows.sort_by(|left, right| {
        let (
            (left_id, left_name, left_key, left_time),
            (right_id, right_name, right_key, right_time),
        ) = (left.parts(), right.parts());
        let attribute = match order.by {
            "name" => left_name.cmp(right_name),
            "key" => left_key.cmp(right_key),
            _ => left_time.cmp(&right_time),
        };
        order.directed(attribute.then(left_id.cmp(right_id)))
    });
    rows
}

//! The operations table. A new tool is a new row in one of these files.

mod invitations;
mod memberships;
mod organization_invitations;
mod organizations;
mod users;

use crate::operation::{Binding, Json, Kind, Operation, Parameter, local, path};
use clerk::IdKind;

/// Every tool, in the order in which clients see them.
pub static OPERATIONS: &[&[Operation]] = &[
    users::OPERATIONS,
    organizations::OPERATIONS,
    memberships::OPERATIONS,
    organization_invitations::OPERATIONS,
    invitations::OPERATIONS,
];

/// Every tool, flat.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().flat_map(|rows| rows.iter())
}

/// The tool of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Operation> {
    all().find(|operation| operation.name == name)
}

const ORGANIZATION_ID: Parameter = path(
    "organizationId",
    "organization_id",
    Kind::Id(IdKind::Organization),
)
.bound_to(Binding::Organization);

const INCLUDE_URL: Parameter = local("includeUrl", Kind::Boolean)
    .about("Show the ticket URL: whoever has it can join")
    .backend_only();

/// What every deletion answers.
const DELETED: &[(&str, Json)] = &[
    ("object", Json::String),
    ("id", Json::String),
    ("deleted", Json::Boolean),
];

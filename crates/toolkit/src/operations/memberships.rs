use super::ORGANIZATION_ID;
use crate::operation::{
    Category, Hints, Json, Kind, ListForm, MemberRule, Operation, Output, Parameter, Run, Scope,
    body, delete, get, patch, path, post, query,
};
use clerk::IdKind;

const MEMBER_ID: Parameter = path("userId", "user_id", Kind::Id(IdKind::User)).required();

const ROLE: Parameter = body("role", "role", Kind::Text)
    .required()
    .about("A role's key: org:member");

const MEMBERSHIP: Output = Output::Object(&[
    ("id", Json::String),
    ("role", Json::String),
    ("permissions", Json::Array),
    ("public_metadata", Json::Object),
    ("organization", Json::Object),
    ("public_user_data", Json::Any),
    ("created_at", Json::Integer),
]);

const ORDERS: &[&str] = &[
    "created_at",
    "email_address",
    "first_name",
    "last_name",
    "phone_number",
    "username",
];

const fn manager(member: MemberRule) -> Scope {
    Scope::Organization {
        permission: Some("org:sys_memberships:manage"),
        member,
    }
}

pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        name: "getOrganizationMembershipList",
        category: Category::Organizations,
        title: "List members",
        description: "The members of an organization with role, permissions and public user data, \
                      filtered by role or person. query is a partial match over name, e-mail, \
                      username and id.",
        run: Run::Requests(&[get(
            "ListOrganizationMemberships",
            "/organizations/{organization_id}/memberships",
        )]),
        parameters: &[
            ORGANIZATION_ID.required(),
            query("query", "query", Kind::Text),
            query("role", "role", Kind::TextList),
            query("userId", "user_id", Kind::IdList(IdKind::User)),
            query("emailAddress", "email_address", Kind::TextList),
            query("orderBy", "order_by", Kind::OrderBy(ORDERS)),
        ],
        hints: Hints::READ,
        scope: Scope::Organization {
            permission: Some("org:sys_memberships:read"),
            member: MemberRule::None,
        },
        output: Output::List(ListForm::Paged),
    },
    Operation {
        name: "createOrganizationMembership",
        category: Category::Organizations,
        title: "Add member",
        description: "Adds a user to an organization with a role, at once and without an \
                      invitation.",
        run: Run::Requests(&[post(
            "CreateOrganizationMembership",
            "/organizations/{organization_id}/memberships",
        )]),
        parameters: &[
            ORGANIZATION_ID.required(),
            body("userId", "user_id", Kind::Id(IdKind::User)).required(),
            ROLE,
        ],
        hints: Hints::CREATE,
        scope: manager(MemberRule::Grants),
        output: MEMBERSHIP,
    },
    Operation {
        name: "updateOrganizationMembership",
        category: Category::Organizations,
        title: "Change a member's role",
        description: "Gives a member of an organization another role in place of the present one.",
        run: Run::Requests(&[patch(
            "UpdateOrganizationMembership",
            "/organizations/{organization_id}/memberships/{user_id}",
        )]),
        parameters: &[ORGANIZATION_ID.required(), MEMBER_ID, ROLE],
        hints: Hints::UPDATE,
        scope: manager(MemberRule::Regrades),
        output: MEMBERSHIP,
    },
    Operation {
        name: "updateOrganizationMembershipMetadata",
        category: Category::Organizations,
        title: "Update membership metadata",
        description: "Merges into the metadata of a user's membership in an organization at every \
                      depth; null removes a key.",
        run: Run::Requests(&[patch(
            "UpdateOrganizationMembershipMetadata",
            "/organizations/{organization_id}/memberships/{user_id}/metadata",
        )]),
        parameters: &[
            ORGANIZATION_ID.required(),
            MEMBER_ID,
            body("publicMetadata", "public_metadata", Kind::Metadata),
            body("privateMetadata", "private_metadata", Kind::Metadata),
        ],
        hints: Hints::UPDATE,
        scope: Scope::Instance,
        output: MEMBERSHIP,
    },
    Operation {
        name: "deleteOrganizationMembership",
        category: Category::Organizations,
        title: "Remove member",
        description: "Removes a user from an organization; they lose access to it at once. The \
                      user account stays.",
        run: Run::Requests(&[delete(
            "DeleteOrganizationMembership",
            "/organizations/{organization_id}/memberships/{user_id}",
        )]),
        parameters: &[ORGANIZATION_ID.required(), MEMBER_ID],
        hints: Hints::REMOVE,
        scope: manager(MemberRule::Removes),
        output: MEMBERSHIP,
    },
];

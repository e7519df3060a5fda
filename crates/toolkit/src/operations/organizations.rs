use super::{DELETED, ORGANIZATION_ID};
use crate::operation::{
    Binding, Category, Hints, Json, Kind, ListForm, MemberRule, Operation, Output, Parameter, Run,
    Scope, body, delete, get, patch, path, post, query,
};
use clerk::IdKind;

const ORGANIZATION: Output = Output::Object(&[
    ("id", Json::String),
    ("name", Json::String),
    ("slug", Json::Any),
    ("members_count", Json::Any),
    ("max_allowed_memberships", Json::Integer),
    ("public_metadata", Json::Object),
    ("created_by", Json::Any),
    ("created_at", Json::Integer),
]);

const ORDERS: &[&str] = &["name", "created_at", "members_count"];

const MAX_MEMBERSHIPS: Parameter = body(
    "maxAllowedMemberships",
    "max_allowed_memberships",
    Kind::Integer(0, 1_000_000_000),
)
.about("0: no limit")
.backend_only();

const fn member_with(permission: Option<&'static str>) -> Scope {
    Scope::Organization {
        permission,
        member: MemberRule::None,
    }
}

pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        name: "getOrganization",
        category: Category::Organizations,
        title: "Get organization",
        description: "One organization by id or slug.",
        run: Run::Requests(&[get("GetOrganization", "/organizations/{organization_id}")]),
        parameters: &[
            ORGANIZATION_ID,
            path("slug", "organization_id", Kind::Slug)
                .bound_to(Binding::OrganizationAlias)
                .about("Instead of organizationId"),
            query(
                "includeMembersCount",
                "include_members_count",
                Kind::Boolean,
            ),
        ],
        hints: Hints::READ,
        scope: member_with(None),
        output: ORGANIZATION,
    },
    Operation {
        name: "getOrganizationList",
        category: Category::Organizations,
        title: "List organizations",
        description: "Organizations that match every filter given. query is a partial match over \
                      name, slug and id. `-` before an id excludes it.",
        run: Run::Requests(&[get("ListOrganizations", "/organizations")]),
        parameters: &[
            query("query", "query", Kind::Text),
            query("userId", "user_id", Kind::IdList(IdKind::User)).about("Having these members"),
            query(
                "organizationId",
                "organization_id",
                Kind::IdList(IdKind::Organization),
            ),
            query(
                "includeMembersCount",
                "include_members_count",
                Kind::Boolean,
            ),
            query("orderBy", "order_by", Kind::OrderBy(ORDERS)),
        ],
        hints: Hints::READ,
        scope: Scope::Instance,
        output: Output::List(ListForm::Paged),
    },
    Operation {
        name: "createOrganization",
        category: Category::Organizations,
        title: "Create organization",
        description: "Creates an organization. createdBy becomes its first admin; without it the \
                      organization has no members.",
        run: Run::Requests(&[post("CreateOrganization", "/organizations")]),
        parameters: &[
            body("name", "name", Kind::Text).required(),
            body("slug", "slug", Kind::Slug),
            body("createdBy", "created_by", Kind::Id(IdKind::User)).bound_to(Binding::User),
            MAX_MEMBERSHIPS,
            body("publicMetadata", "public_metadata", Kind::Metadata).backend_only(),
            body("privateMetadata", "private_metadata", Kind::Metadata).backend_only(),
        ],
        hints: Hints::CREATE,
        scope: Scope::CreateOrganization,
        output: ORGANIZATION,
    },
    Operation {
        name: "updateOrganization",
        category: Category::Organizations,
        title: "Update organization",
        description: "Sets an organization's name, slug or member limit; what is left out stays. \
                      Metadata is merged, in a second request; null removes a key.",
        run: Run::Requests(&[
            patch("UpdateOrganization", "/organizations/{organization_id}"),
            patch(
                "MergeOrganizationMetadata",
                "/organizations/{organization_id}/metadata",
            ),
        ]),
        parameters: &[
            ORGANIZATION_ID.required(),
            body("name", "name", Kind::Text),
            body("slug", "slug", Kind::Slug),
            MAX_MEMBERSHIPS,
            body("publicMetadata", "public_metadata", Kind::Metadata)
                .in_request(1)
                .backend_only(),
            body("privateMetadata", "private_metadata", Kind::Metadata)
                .in_request(1)
                .backend_only(),
        ],
        hints: Hints::UPDATE,
        scope: member_with(Some("org:sys_profile:manage")),
        output: ORGANIZATION,
    },
    Operation {
        name: "updateOrganizationMetadata",
        category: Category::Organizations,
        title: "Update organization metadata",
        description: "Merges into an organization's metadata at every depth; null removes a key. \
                      Public: the app's frontend can read it. Private: backend only.",
        run: Run::Requests(&[patch(
            "MergeOrganizationMetadata",
            "/organizations/{organization_id}/metadata",
        )]),
        parameters: &[
            ORGANIZATION_ID.required(),
            body("publicMetadata", "public_metadata", Kind::Metadata),
            body("privateMetadata", "private_metadata", Kind::Metadata),
        ],
        hints: Hints::UPDATE,
        scope: Scope::Instance,
        output: ORGANIZATION,
    },
    Operation {
        name: "deleteOrganization",
        category: Category::Organizations,
        title: "Delete organization",
        description: "Deletes an organization with its memberships and invitations, for good. Its \
                      users stay.",
        run: Run::Requests(&[delete(
            "DeleteOrganization",
            "/organizations/{organization_id}",
        )]),
        parameters: &[ORGANIZATION_ID.required()],
        hints: Hints::REMOVE,
        scope: member_with(Some("org:sys_profile:delete")),
        output: Output::Object(DELETED),
    },
];

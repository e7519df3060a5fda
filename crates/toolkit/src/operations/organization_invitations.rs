use super::{INCLUDE_URL, ORGANIZATION_ID};
use crate::operation::{
    Binding, Category, Hints, Json, Kind, ListForm, MemberRule, Operation, Output, Run, Scope,
    body, get, path, post, query,
};
use clerk::IdKind;

const INVITATION: Output = Output::Object(&[
    ("id", Json::String),
    ("email_address", Json::String),
    ("role", Json::String),
    ("organization_id", Json::String),
    ("status", Json::String),
    ("url", Json::Any),
    ("expires_at", Json::Any),
]);

const fn manager(member: MemberRule) -> Scope {
    Scope::Organization {
        permission: Some("org:sys_memberships:manage"),
        member,
    }
}

pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        name: "getOrganizationInvitationList",
        category: Category::Organizations,
        title: "List organization invitations",
        description: "The invitations to join an organization, by status.",
        run: Run::Requests(&[get(
            "ListOrganizationInvitations",
            "/organizations/{organization_id}/invitations",
        )]),
        parameters: &[
            ORGANIZATION_ID.required(),
            query("status", "status", super::invitations::STATUS),
            query("emailAddress", "email_address", Kind::Text),
            query(
                "orderBy",
                "order_by",
                Kind::OrderBy(&["created_at", "email_address"]),
            ),
            INCLUDE_URL,
        ],
        hints: Hints::READ,
        scope: manager(MemberRule::None),
        output: Output::List(ListForm::Paged),
    },
    Operation {
        name: "createOrganizationInvitation",
        category: Category::Organizations,
        title: "Invite to organization",
        description: "Invites an e-mail address into an organization with a role. Clerk sends the \
                      e-mail; the person joins when they accept.",
        run: Run::Requests(&[post(
            "CreateOrganizationInvitation",
            "/organizations/{organization_id}/invitations",
        )]),
        parameters: &[
            ORGANIZATION_ID.required(),
            body("emailAddress", "email_address", Kind::Email).required(),
            body("role", "role", Kind::Text)
                .required()
                .about("A role's key: org:member"),
            body("inviterUserId", "inviter_user_id", Kind::Id(IdKind::User))
                .bound_to(Binding::User),
            body("redirectUrl", "redirect_url", Kind::Url).backend_only(),
            body("publicMetadata", "public_metadata", Kind::Metadata).backend_only(),
            INCLUDE_URL,
        ],
        hints: Hints::INVITE,
        scope: manager(MemberRule::Grants),
        output: INVITATION,
    },
    Operation {
        name: "revokeOrganizationInvitation",
        category: Category::Organizations,
        title: "Revoke organization invitation",
        description: "Revokes a pending invitation to an organization; its link stops working.",
        run: Run::Requests(&[post(
            "RevokeOrganizationInvitation",
            "/organizations/{organization_id}/invitations/{invitation_id}/revoke",
        )]),
        parameters: &[
            ORGANIZATION_ID.required(),
            path(
                "invitationId",
                "invitation_id",
                Kind::Id(IdKind::OrganizationInvitation),
            )
            .required(),
            body(
                "requestingUserId",
                "requesting_user_id",
                Kind::Id(IdKind::User),
            )
            .bound_to(Binding::User),
        ],
        hints: Hints::REMOVE,
        scope: manager(MemberRule::None),
        output: INVITATION,
    },
];

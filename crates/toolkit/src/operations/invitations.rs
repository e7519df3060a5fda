use super::INCLUDE_URL;
use crate::operation::{
    Category, ClerkOperation, Hints, Json, Kind, ListForm, Method, Operation, Output, Run, Scope,
    body, path, post, query,
};
use clerk::IdKind;

pub(super) const STATUS: Kind = Kind::OneOf(&["pending", "accepted", "revoked", "expired"]);

const INVITATION: Output = Output::Object(&[
    ("id", Json::String),
    ("email_address", Json::String),
    ("status", Json::String),
    ("public_metadata", Json::Any),
    ("url", Json::Any),
    ("created_at", Json::Integer),
]);

pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        name: "getInvitationList",
        category: Category::Invitations,
        title: "List invitations",
        description: "Invitations to the application (not to an organization), by status. query \
                      is a partial match over e-mail address and id.",
        run: Run::Requests(&[ClerkOperation {
            id: "ListInvitations",
            method: Method::Get,
            path: "/invitations",
            query: &[("paginated", "true")],
        }]),
        parameters: &[
            query("status", "status", STATUS),
            query("query", "query", Kind::Text),
            query(
                "orderBy",
                "order_by",
                Kind::OrderBy(&["created_at", "email_address", "expires_at"]),
            ),
            INCLUDE_URL,
        ],
        hints: Hints::READ,
        scope: Scope::Instance,
        output: Output::List(ListForm::Paged),
    },
    Operation {
        name: "createInvitation",
        category: Category::Invitations,
        title: "Invite to application",
        description: "Invites an e-mail address to sign up. Clerk sends the e-mail unless notify \
                      is false. publicMetadata is copied to the user on sign-up. ignoreExisting: \
                      invite even if already invited or registered.",
        run: Run::Requests(&[post("CreateInvitation", "/invitations")]),
        parameters: &[
            body("emailAddress", "email_address", Kind::Email).required(),
            body("redirectUrl", "redirect_url", Kind::Url),
            body("publicMetadata", "public_metadata", Kind::Metadata),
            body("notify", "notify", Kind::Boolean),
            body("ignoreExisting", "ignore_existing", Kind::Boolean),
            INCLUDE_URL,
        ],
        hints: Hints::INVITE,
        scope: Scope::Instance,
        output: INVITATION,
    },
    Operation {
        name: "revokeInvitation",
        category: Category::Invitations,
        title: "Revoke invitation",
        description: "Revokes a pending invitation to the application; its link stops working.",
        run: Run::Requests(&[post(
            "RevokeInvitation",
            "/invitations/{invitation_id}/revoke",
        )]),
        parameters: &[path(
            "invitationId",
            "invitation_id",
            Kind::Id(IdKind::Invitation),
        )
        .required()],
        hints: Hints::REMOVE,
        scope: Scope::Instance,
        output: INVITATION,
    },
];

use crate::operation::{
    Binding, Category, Hints, Json, Kind, ListForm, Operation, Output, Parameter, Run, Scope, body,
    get, local, patch, path, query,
};
use clerk::IdKind;

const USER_ID: Parameter = path("userId", "user_id", Kind::Id(IdKind::User))
    .required()
    .bound_to(Binding::User);

const USER: Output = Output::Object(&[
    ("id", Json::String),
    ("username", Json::Any),
    ("first_name", Json::Any),
    ("last_name", Json::Any),
    ("email_addresses", Json::Array),
    ("phone_numbers", Json::Array),
    ("public_metadata", Json::Object),
    ("unsafe_metadata", Json::Object),
    ("banned", Json::Boolean),
    ("locked", Json::Boolean),
    ("created_at", Json::Integer),
    ("last_sign_in_at", Json::Any),
]);

const ORDERS: &[&str] = &[
    "created_at",
    "updated_at",
    "email_address",
    "web3wallet",
    "first_name",
    "last_name",
    "phone_number",
    "username",
    "last_active_at",
    "last_sign_in_at",
];

pub(super) static OPERATIONS: &[Operation] = &[
    Operation {
        name: "getUserId",
        category: Category::Users,
        title: "Current user id",
        description: "The id of the signed-in user this session acts for, or null when the tools \
                      run with the instance's own key.",
        run: Run::SessionUserId,
        parameters: &[],
        hints: Hints::READ,
        scope: Scope::Anyone,
        output: Output::Plain(&[("userId", Json::Any)]),
    },
    Operation {
        name: "getUser",
        category: Category::Users,
        title: "Get user",
        description: "One user by id: names, e-mail addresses, phone numbers, metadata, security \
                      state. To find an id, use getUserList.",
        run: Run::Requests(&[get("GetUser", "/users/{user_id}")]),
        parameters: &[USER_ID],
        hints: Hints::READ,
        scope: Scope::OwnUser,
        output: USER,
    },
    Operation {
        name: "getUserCount",
        category: Category::Users,
        title: "Count users",
        description: "How many users there are, or how many match the filters. Times as in \
                      getUserList.",
        run: Run::Requests(&[get("GetUsersCount", "/users/count")]),
        parameters: &[
            query("query", "query", Kind::Text),
            query(
                "organizationId",
                "organization_id",
                Kind::IdList(IdKind::Organization),
            ),
            query("banned", "banned", Kind::Boolean),
            query("createdAtAfter", "created_at_after", Kind::Time),
            query("createdAtBefore", "created_at_before", Kind::Time),
            query("lastActiveAtAfter", "last_active_at_after", Kind::Time),
            query("lastActiveAtBefore", "last_active_at_before", Kind::Time),
        ],
        hints: Hints::READ,
        scope: Scope::Instance,
        output: Output::Plain(&[("total_count", Json::Integer)]),
    },
    Operation {
        name: "getUserList",
        category: Category::Users,
        title: "List users",
        description: "Users that match every filter given. query is a partial match over e-mail, \
                      phone, username, id and name. Times: ISO date, 7d (ago) or Unix ms. `-` \
                      before a user, organization or external id excludes it. Metadata cannot be \
                      filtered here: use findUsers. To read far, page with startingAfter (last \
                      id), not offset.",
        run: Run::Requests(&[get("GetUserList", "/users")]),
        parameters: &[
            query("query", "query", Kind::Text),
            query("emailAddress", "email_address", Kind::TextList),
            query("phoneNumber", "phone_number", Kind::TextList),
            query("externalId", "external_id", Kind::TextList),
            query("username", "username", Kind::TextList),
            query("web3Wallet", "web3_wallet", Kind::TextList),
            query("userId", "user_id", Kind::IdList(IdKind::User)),
            query(
                "organizationId",
                "organization_id",
                Kind::IdList(IdKind::Organization),
            ),
            query("emailAddressQuery", "email_address_query", Kind::Text),
            query("phoneNumberQuery", "phone_number_query", Kind::Text),
            query("usernameQuery", "username_query", Kind::Text),
            query("nameQuery", "name_query", Kind::Text),
            query("banned", "banned", Kind::Boolean),
            query("createdAtAfter", "created_at_after", Kind::Time),
            query("createdAtBefore", "created_at_before", Kind::Time),
            query("lastActiveAtAfter", "last_active_at_after", Kind::Time),
            query("lastActiveAtBefore", "last_active_at_before", Kind::Time),
            query("lastActiveAtSince", "last_active_at_since", Kind::Time),
            query("lastSignInAtAfter", "last_sign_in_at_after", Kind::Time),
            query("lastSignInAtBefore", "last_sign_in_at_before", Kind::Time),
            query("provider", "provider", Kind::Text).about("With providerUserId: oauth_google"),
            query("providerUserId", "provider_user_id", Kind::TextList),
            query("startingAfter", "starting_after", Kind::Id(IdKind::User)),
            query("orderBy", "order_by", Kind::OrderBy(ORDERS)),
        ],
        hints: Hints::READ,
        scope: Scope::Instance,
        output: Output::List(ListForm::Bare),
    },
    Operation {
        name: "findUsers",
        category: Category::Users,
        title: "Find users by any condition",
        description: "Reads through users for what Clerk cannot filter: metadata at a pointer, or \
                      what is missing. All conditions must hold. Narrow by query or times first: \
                      it reads every remaining user, 500 a request. Newest first, at most \
                      maxResults; go on with startingAfter (last id).",
        run: Run::FindUsers,
        parameters: &[
            local("where", Kind::Conditions),
            local("without", Kind::Several(crate::find_users::WITHOUT)),
            query("query", "query", Kind::Text),
            query(
                "organizationId",
                "organization_id",
                Kind::IdList(IdKind::Organization),
            ),
            query("banned", "banned", Kind::Boolean),
            query("createdAtAfter", "created_at_after", Kind::Time),
            query("createdAtBefore", "created_at_before", Kind::Time),
            query("lastActiveAtAfter", "last_active_at_after", Kind::Time),
            query("lastActiveAtBefore", "last_active_at_before", Kind::Time),
            query("startingAfter", "starting_after", Kind::Id(IdKind::User)),
            local("maxResults", Kind::Integer(1, 500)).about("Default 20"),
            local("fields", Kind::Pointers),
        ],
        hints: Hints::READ,
        scope: Scope::Instance,
        output: Output::Plain(&[
            ("data", Json::Array),
            ("scanned", Json::Integer),
            ("has_more", Json::Boolean),
            ("hint", Json::String),
        ]),
    },
    Operation {
        name: "updateUser",
        category: Category::Users,
        title: "Update user",
        description: "Sets a user's names, username or profile image; what is left out stays. For \
                      metadata use updateUserMetadata.",
        run: Run::Requests(&[patch("UpdateUser", "/users/{user_id}")]),
        parameters: &[
            USER_ID,
            body("firstName", "first_name", Kind::Text),
            body("lastName", "last_name", Kind::Text),
            body("username", "username", Kind::Text),
            body("profileImageUrl", "profile_image_url", Kind::Url),
        ],
        hints: Hints::UPDATE,
        scope: Scope::OwnUser,
        output: USER,
    },
    Operation {
        name: "updateUserMetadata",
        category: Category::Users,
        title: "Update user metadata",
        description: "Merges into a user's metadata at every depth; null removes a key. Public: \
                      the app's frontend can read it. Private: backend only. Unsafe: the user \
                      can change it.",
        run: Run::Requests(&[patch("UpdateUserMetadata", "/users/{user_id}/metadata")]),
        parameters: &[
            USER_ID,
            body("publicMetadata", "public_metadata", Kind::Metadata),
            body("privateMetadata", "private_metadata", Kind::Metadata),
            body("unsafeMetadata", "unsafe_metadata", Kind::Metadata),
        ],
        hints: Hints::UPDATE,
        scope: Scope::Instance,
        output: USER,
    },
    Operation {
        name: "updateUserPublicMetadata",
        category: Category::Users,
        title: "Update public user metadata",
        description: "Merges into a user's public metadata, which the app's frontend can read. \
                      Null removes a key.",
        run: Run::Requests(&[patch("UpdateUserMetadata", "/users/{user_id}/metadata")]),
        parameters: &[
            USER_ID,
            body("metadata", "public_metadata", Kind::Metadata).required(),
        ],
        hints: Hints::UPDATE,
        scope: Scope::Instance,
        output: USER,
    },
    Operation {
        name: "updateUserUnsafeMetadata",
        category: Category::Users,
        title: "Update unsafe user metadata",
        description: "Merges into a user's unsafe metadata, which the user can change in the \
                      browser. Null removes a key.",
        run: Run::Requests(&[patch("UpdateUserMetadata", "/users/{user_id}/metadata")]),
        parameters: &[
            USER_ID,
            body("metadata", "unsafe_metadata", Kind::Metadata).required(),
        ],
        hints: Hints::UPDATE,
        scope: Scope::OwnUser,
        output: USER,
    },
    Operation {
        name: "getUserOrganizationMembershipList",
        category: Category::Users,
        title: "List a user's organizations",
        description: "The organizations a user belongs to, each with the user's role and \
                      permissions in it.",
        run: Run::Requests(&[get(
            "UsersGetOrganizationMemberships",
            "/users/{user_id}/organization_memberships",
        )]),
        parameters: &[USER_ID],
        hints: Hints::READ,
        scope: Scope::OwnOrganizations,
        output: Output::List(ListForm::Paged),
    },
];

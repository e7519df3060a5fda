//! The roles and permissions that every instance has.

/// Clerk's own permissions: key, name, description.
pub(super) const PERMISSIONS: [(&str, &str, &str); 8] = [
    (
        "org:sys_profile:manage",
        "Manage organization",
        "Permission to manage an organization.",
    ),
    (
        "org:sys_profile:delete",
        "Delete organization",
        "Permission to delete an organization.",
    ),
    (
        "org:sys_memberships:read",
        "Read members",
        "Permission to read the members of an organization.",
    ),
    (
        "org:sys_memberships:manage",
        "Manage members",
        "Permission to manage the members of an organization.",
    ),
    (
        "org:sys_domains:read",
        "Read domains",
        "Permission to read the domains of an organization.",
    ),
    (
        "org:sys_domains:manage",
        "Manage domains",
        "Permission to manage the domains of an organization.",
    ),
    (
        "org:sys_billing:read",
        "Read billing",
        "Permission to read the billing of an organization.",
    ),
    (
        "org:sys_billing:manage",
        "Manage billing",
        "Permission to manage the billing of an organization.",
    ),
];

/// What an ordinary member may do.
pub(super) const MEMBER_PERMISSIONS: [&str; 2] =
    ["org:sys_memberships:read", "org:sys_billing:read"];

/// The key of the role of administrators.
pub(super) const ADMIN: &str = "org:admin";
/// The key of the role of ordinary members.
pub(super) const MEMBER: &str = "org:member";

//! The vocabulary of the operations table: what a row can say.
//!
//! A row is data. What becomes of it is decided by pure functions elsewhere: [`crate::schema`]
//! (what a model is shown), [`crate::arguments`] (what it may send), [`crate::request`] (what goes
//! to Clerk), [`crate::shape`] (what comes back) and `scope` (who may).

use clerk::IdKind;

/// One tool: a Clerk operation as a model sees it.
#[derive(Debug)]
pub struct Operation {
    /// The flat MCP name, as `@clerk/agent-toolkit` spelled it: `getUser`.
    pub name: &'static str,
    /// What `--tools` patterns group by.
    pub category: Category,
    /// A short name for people.
    pub title: &'static str,
    /// At most 60 words, written for a model.
    pub description: &'static str,
    /// What running it does.
    pub run: Run,
    /// What it takes; paging and `fields` are added by [`Output`].
    pub parameters: &'static [Parameter],
    /// What clients may assume about it.
    pub hints: Hints,
    /// Who may call it when the toolkit is bound to a session.
    pub scope: Scope,
    /// What its answer looks like.
    pub output: Output,
}

/// The groups of `--tools`: `users`, `organizations`, `invitations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Users, their metadata and their memberships.
    Users,
    /// Organizations, their members and their invitations.
    Organizations,
    /// Invitations to the application itself.
    Invitations,
}

impl Category {
    /// The name in patterns.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Organizations => "organizations",
            Self::Invitations => "invitations",
        }
    }
}

/// What running a tool does.
#[derive(Debug)]
pub enum Run {
    /// Sends these requests in order. With several, one whose body would be empty is left out.
    Requests(&'static [ClerkOperation]),
    /// Answers the bound session's user id, without a request.
    SessionUserId,
    /// Pages through users (see [`crate::find_users`]).
    FindUsers,
}

/// An operation of Clerk's Backend API.
#[derive(Debug)]
pub struct ClerkOperation {
    /// `operationId` in Clerk's OpenAPI file.
    pub id: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path template below `/v1`, such as `/users/{user_id}`.
    pub path: &'static str,
    /// Query parameters that are always sent.
    pub query: &'static [(&'static str, &'static str)],
}

/// An HTTP method that can stand in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Post,
    Patch,
    Delete,
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// MCP tool annotations (specification, "Tool annotations").
#[derive(Clone, Copy, Debug)]
pub struct Hints {
    /// Changes nothing.
    pub read_only: bool,
    /// Takes something away that cannot be put back with the same ease.
    pub destructive: bool,
    /// Twice is the same as once.
    pub idempotent: bool,
    /// Reaches people or systems beyond Clerk (it sends e-mail).
    pub open_world: bool,
}

impl Hints {
    /// Reads.
    pub const READ: Self = Self {
        read_only: true,
        destructive: false,
        idempotent: true,
        open_world: false,
    };
    /// Sets what it is given.
    pub const UPDATE: Self = Self {
        read_only: false,
        ..Self::READ
    };
    /// Adds something each time.
    pub const CREATE: Self = Self {
        idempotent: false,
        ..Self::UPDATE
    };
    /// Sends an e-mail to somebody.
    pub const INVITE: Self = Self {
        open_world: true,
        ..Self::CREATE
    };
    /// Removes or revokes.
    pub const REMOVE: Self = Self {
        destructive: true,
        ..Self::UPDATE
    };
}

/// One argument of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The argument's name: `userId`.
    pub name: &'static str,
    /// Its name at Clerk: `user_id`.
    pub wire: &'static str,
    /// Where in the request it goes.
    pub location: Location,
    /// What it may be.
    pub kind: Kind,
    /// Must be given.
    pub required: bool,
    /// For the model; empty where name and type say it all.
    pub description: &'static str,
    /// What a session binds it to.
    pub binding: Binding,
    /// Clerk lets only a backend set it, never the signed-in person: absent from bound toolkits.
    pub backend_only: bool,
}

/// Where an argument goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// Fills `{wire}` in the path. Several parameters may name one placeholder: exactly one is given.
    Path,
    /// A query parameter; lists repeat it.
    Query,
    /// A member of the JSON body of the request with this index.
    Body(usize),
    /// Not sent: it steers the toolkit itself.
    Local,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An id with its prefix.
    Id(IdKind),
    /// One path segment that is no id: a slug.
    Slug,
    /// Any text.
    Text,
    /// An e-mail address.
    Email,
    /// An absolute http(s) URL.
    Url,
    /// `true` or `false`.
    Boolean,
    /// A whole number in this range, inclusive.
    Integer(i64, i64),
    /// A moment: see [`crate::time_expression`].
    Time,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// One of these, with `+` or `-` before it.
    OrderBy(&'static [&'static str]),
    /// Up to 100 texts.
    TextList,
    /// Up to 100 ids; where Clerk knows exclusion, `-` before an id leaves it out.
    IdList(IdKind),
    /// A JSON object, kept as it is.
    Metadata,
    /// JSON pointers.
    Pointers,
    /// Conditions of `findUsers`.
    Conditions,
    /// Several of these names.
    Several(&'static [&'static str]),
}

/// What a bound session does to a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nothing.
    Free,
    /// It is the session's user.
    User,
    /// It is the session's organization, when one is bound.
    Organization,
    /// It names an organization another way (a slug): gone when one is bound.
    OrganizationAlias,
}

/// Who may call a tool through a toolkit bound to a session. Unbound toolkits hold the secret key's
/// whole power and are not asked. The rule behind the table: a bound toolkit does what the person
/// could do through Clerk's Frontend API, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nobody: it reads or writes the whole instance.
    Instance,
    /// Everybody.
    Anyone,
    /// The person, about themselves.
    OwnUser,
    /// The person, about all their organizations: gone when one organization is bound.
    OwnOrganizations,
    /// A person whom Clerk lets create organizations; gone when one organization is bound.
    CreateOrganization,
    /// A member of the organization, with this permission where one is named.
    Organization {
        /// A Clerk permission, such as `org:sys_memberships:manage`; `None` asks membership only.
        permission: Option<&'static str>,
        /// What it does to a member.
        member: MemberRule,
    },
}

/// Limits on what a member may do to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRule {
    /// It concerns no member.
    None,
    /// Hands out the role in `role`: no permission that the caller lacks.
    Grants,
    /// Changes the role of `userId`: not the caller's own, nobody who holds more than the caller,
    /// and to no role that holds more.
    Regrades,
    /// Removes `userId`: themselves freely, others who hold no more than the caller.
    Removes,
}

/// What an answer looks like.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// One object with (at least) these members.
    Object(&'static [(&'static str, Json)]),
    /// A list; adds `limit` and `offset`.
    List(ListForm),
    /// Its own members; adds nothing but the schema.
    Plain(&'static [(&'static str, Json)]),
}

/// How Clerk answers a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// A bare array, with no total: one row more than asked tells whether more remains.
    Bare,
    /// `{data, total_count}`.
    Paged,
}

/// A JSON type, for terse output schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Json {
    String,
    Integer,
    Boolean,
    Object,
    Array,
    /// Anything, null included.
    Any,
}

const fn parameter(
    name: &'static str,
    wire: &'static str,
    location: Location,
    kind: Kind,
) -> Parameter {
    Parameter {
        name,
        wire,
        location,
        kind,
        required: false,
        description: "",
        binding: Binding::Free,
        backend_only: false,
    }
}

/// A path parameter.
#[must_use]
pub const fn path(name: &'static str, wire: &'static str, kind: Kind) -> Parameter {
    parameter(name, wire, Location::Path, kind)
}

/// A query parameter.
#[must_use]
pub const fn query(name: &'static str, wire: &'static str, kind: Kind) -> Parameter {
    parameter(name, wire, Location::Query, kind)
}

/// A member of the first request's body.
#[must_use]
pub const fn body(name: &'static str, wire: &'static str, kind: Kind) -> Parameter {
    parameter(name, wire, Location::Body(0), kind)
}

/// An argument that is not sent to Clerk.
#[must_use]
pub const fn local(name: &'static str, kind: Kind) -> Parameter {
    parameter(name, name, Location::Local, kind)
}

impl Parameter {
    /// Must be given.
    #[must_use]
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// What the model is told about it.
    #[must_use]
    pub const fn about(self, description: &'static str) -> Self {
        Self {
            description,
            ..self
        }
    }

    /// What a session makes of it.
    #[must_use]
    pub const fn bound_to(self, binding: Binding) -> Self {
        Self { binding, ..self }
    }

    /// Only for unbound toolkits.
    #[must_use]
    pub const fn backend_only(self) -> Self {
        Self {
            backend_only: true,
            ..self
        }
    }

    /// Goes into the body of the request with this index.
    #[must_use]
    pub const fn in_request(self, index: usize) -> Self {
        Self {
            location: Location::Body(index),
            ..self
        }
    }
}

/// `GET`.
#[must_use]
pub const fn get(id: &'static str, path: &'static str) -> ClerkOperation {
    ClerkOperation {
        id,
        method: Method::Get,
        path,
        query: &[],
    }
}

/// `POST`.
#[must_use]
pub const fn post(id: &'static str, path: &'static str) -> ClerkOperation {
    ClerkOperation {
        id,
        method: Method::Post,
        path,
        query: &[],
    }
}

/// `PATCH`.
#[must_use]
pub const fn patch(id: &'static str, path: &'static str) -> ClerkOperation {
    ClerkOperation {
        id,
        method: Method::Patch,
        path,
        query: &[],
    }
}

/// `DELETE`.
#[must_use]
pub const fn delete(id: &'static str, path: &'static str) -> ClerkOperation {
    ClerkOperation {
        id,
        method: Method::Delete,
        path,
        query: &[],
    }
}

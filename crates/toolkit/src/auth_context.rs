use clerk::{IdError, IdKind, check_id};
use serde_json::{Map, Value};

/// The signed-in person a toolkit acts for. A toolkit with one is *bound*: it does what this person
/// could do through Clerk's Frontend API, and no more. Without one it has the secret key's power.
///
/// User and organization decide what the tools reach, and the role narrows it. What the person may
/// do is read from Clerk at each call. Everything else here is told to the model
/// ([`ClerkToolkit::inject_session_claims`](crate::ClerkToolkit::inject_session_claims)) and decides
/// nothing: Clerk leaves system permissions out of tokens, and a token may be older than a change.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthContext {
    user_id: String,
    session_id: Option<String>,
    organization_id: Option<String>,
    organization_slug: Option<String>,
    role: Option<String>,
    permissions: Vec<String>,
    actor: Option<Value>,
    claims: Map<String, Value>,
}

impl AuthContext {
    /// Binds to a user.
    ///
    /// # Errors
    /// When `user_id` is no user id.
    pub fn new(user_id: impl Into<String>) -> Result<Self, IdError> {
        let user_id = user_id.into();
        check_id(IdKind::User, &user_id)?;
        Ok(Self {
            user_id,
            session_id: None,
            organization_id: None,
            organization_slug: None,
            role: None,
            permissions: Vec::new(),
            actor: None,
            claims: Map::new(),
        })
    }

    /// Names the session.
    ///
    /// # Errors
    /// When `session_id` is no session id.
    pub fn with_session(mut self, session_id: impl Into<String>) -> Result<Self, IdError> {
        let session_id = session_id.into();
        check_id(IdKind::Session, &session_id)?;
        self.session_id = Some(session_id);
        Ok(self)
    }

    /// Binds to one of the user's organizations as well: no other can be named.
    ///
    /// # Errors
    /// When `organization_id` is no organization id.
    pub fn with_organization(
        mut self,
        organization_id: impl Into<String>,
    ) -> Result<Self, IdError> {
        let organization_id = organization_id.into();
        check_id(IdKind::Organization, &organization_id)?;
        self.organization_id = Some(organization_id);
        Ok(self)
    }

    /// The bound organization's slug, for the model. It binds nothing: the id does.
    #[must_use]
    pub fn with_organization_slug(mut self, slug: impl Into<String>) -> Self {
        self.organization_slug = Some(slug.into());
        self
    }

    /// Narrows what the user's membership allows to what this role (its key, `org:member`) allows.
    /// It never widens.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The custom permissions that the session's token names, for the model.
    #[must_use]
    pub fn with_permissions(mut self, permissions: Vec<String>) -> Self {
        self.permissions = permissions;
        self
    }

    /// Who really acts, when the user is impersonated (`act`).
    #[must_use]
    pub fn with_actor(mut self, actor: Value) -> Self {
        self.actor = Some(actor).filter(|actor| !actor.is_null());
        self
    }

    /// The session's own claims, for the model.
    #[must_use]
    pub fn with_claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = claims;
        self
    }

    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The session's id.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The bound organization's id.
    #[must_use]
    pub fn organization_id(&self) -> Option<&str> {
        self.organization_id.as_deref()
    }

    /// The bound organization's slug.
    #[must_use]
    pub fn organization_slug(&self) -> Option<&str> {
        self.organization_slug.as_deref()
    }

    /// The role that narrows.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// The custom permissions of the token.
    #[must_use]
    pub fn permissions(&self) -> &[String] {
        &self.permissions
    }

    /// Who really acts.
    #[must_use]
    pub fn actor(&self) -> Option<&Value> {
        self.actor.as_ref()
    }

    /// The session's own claims.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Ids only: claims are the owner's data.
impl std::fmt::Debug for AuthContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthContext")
            .field("user_id", &self.user_id)
            .field("session_id", &self.session_id)
            .field("organization_id", &self.organization_id)
            .field("role", &self.role)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

/// From session tokens; with the feature `session-token`.
#[cfg(feature = "session-token")]
impl AuthContext {
    /// The context of a verified session token. The organization and the role of the token bind; an
    /// organization's role only narrows what the membership allows at the moment of a call.
    #[must_use]
    pub fn from_session_claims(claims: clerk::SessionClaims) -> Self {
        let organization = claims.organization;
        let (organization_id, organization_slug, role, permissions) = match organization {
            Some(organization) => (
                Some(organization.id),
                organization.slug,
                organization.role,
                organization.permissions,
            ),
            None => (None, None, None, Vec::new()),
        };
        Self {
            user_id: claims.user_id,
            session_id: Some(claims.session_id),
            organization_id,
            organization_slug,
            role,
            permissions,
            actor: claims.actor,
            claims: claims.raw,
        }
    }

    /// Verifies a session token (version 1 or 2) and binds to whom it names.
    ///
    /// # Errors
    /// [`clerk::SessionTokenError`] with what is wrong.
    pub async fn from_session_token(
        client: &clerk::Client,
        token: &str,
        policy: &clerk::SessionTokenPolicy,
    ) -> Result<Self, clerk::SessionTokenError> {
        client
            .verify_session_token(token, policy)
            .await
            .map(Self::from_session_claims)
    }
}

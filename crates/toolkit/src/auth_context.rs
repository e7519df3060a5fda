use clerk::{IdError, IdKind, check_id};

/// The signed-in person a toolkit acts for. A toolkit with one is *bound*: it does what this person
/// could do through Clerk's Frontend API, and no more. Without one it has the secret key's power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthContext {
    user_id: String,
    organization_id: Option<String>,
    role: Option<String>,
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
            organization_id: None,
            role: None,
        })
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

    /// Narrows what the user's membership allows to what this role (its key, `org:member`) allows.
    /// It never widens.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The bound organization's id.
    #[must_use]
    pub fn organization_id(&self) -> Option<&str> {
        self.organization_id.as_deref()
    }

    /// The role that narrows.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }
}

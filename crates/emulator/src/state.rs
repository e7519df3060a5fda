//! The state of the emulated instance, its indexes, and the rules that must hold between rows.

use crate::api_keys::ApiKey;
use crate::browser::state::BrowserState;
use crate::ids::Id;
use crate::jwt_templates::JwtTemplate;
use crate::machines::state::Machines;
use crate::model::{
    Instance, Invitation, Membership, Organization, OrganizationInvitation, Permission, Role,
    Session, User,
};
use crate::oauth::state::OAuthState;
use crate::table::Table;
use crate::tickets::Ticket;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Everything that a snapshot keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Milliseconds added to the caller's clock.
    pub(crate) clock_offset: i64,
    pub(crate) instance: Instance,
    pub(crate) permissions: Table<Permission>,
    pub(crate) roles: Table<Role>,
    users: Table<User>,
    organizations: Table<Organization>,
    memberships: Table<Membership>,
    pub(crate) organization_invitations: Table<OrganizationInvitation>,
    pub(crate) invitations: Table<Invitation>,
    pub(crate) sessions: Table<Session>,
    #[serde(default)]
    pub(crate) tickets: Table<Ticket>,
    #[serde(default)]
    pub(crate) jwt_templates: Table<JwtTemplate>,
    #[serde(default)]
    pub(crate) machines: Machines,
    #[serde(default)]
    pub(crate) api_keys: Table<ApiKey>,
    #[serde(default)]
    pub(crate) oauth: OAuthState,
    #[serde(default)]
    pub(crate) browser: BrowserState,
    #[serde(skip)]
    index: Index,
}

/// Ways to find a row other than by its id. Texts are in lower case.
#[derive(Debug, Clone, Default, PartialEq)]
struct Index {
    user_by_email: HashMap<String, Id>,
    user_by_phone: HashMap<String, Id>,
    user_by_wallet: HashMap<String, Id>,
    user_by_username: HashMap<String, Id>,
    user_by_external_id: HashMap<String, Id>,
    user_by_email_id: HashMap<Id, Id>,
    organization_by_slug: HashMap<String, Id>,
    membership_by_pair: HashMap<(Id, Id), Id>,
    memberships_by_organization: HashMap<Id, BTreeSet<(u64, Id)>>,
    memberships_by_user: HashMap<Id, BTreeSet<(u64, Id)>>,
}

impl State {
    pub(crate) fn new(instance: Instance) -> Self {
        Self {
            clock_offset: 0,
            instance,
            permissions: Table::default(),
            roles: Table::default(),
            users: Table::default(),
            organizations: Table::default(),
            memberships: Table::default(),
            organization_invitations: Table::default(),
            invitations: Table::default(),
            sessions: Table::default(),
            tickets: Table::default(),
            jwt_templates: Table::default(),
            machines: Machines::default(),
            api_keys: Table::default(),
            oauth: OAuthState::default(),
            browser: BrowserState::default(),
            index: Index::default(),
        }
    }

    /// Builds the indexes of a state that was read from a snapshot.
    pub(crate) fn reindex(&mut self) {
        self.index = Index::default();
        for user in self.users.iter() {
            self.index.add_user(user);
        }
        for organization in self.organizations.iter() {
            self.index.add_organization(organization);
        }
        for membership in self.memberships.iter() {
            self.index.add_membership(membership);
        }
    }

    pub(crate) fn users(&self) -> &Table<User> {
        &self.users
    }

    pub(crate) fn organizations(&self) -> &Table<Organization> {
        &self.organizations
    }

    pub(crate) fn memberships(&self) -> &Table<Membership> {
        &self.memberships
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.get(id)
    }

    pub(crate) fn add_user(&mut self, user: User) {
        self.index.add_user(&user);
        self.users.insert(user);
    }

    /// Changes a user and keeps the indexes right.
    pub(crate) fn change_user(&mut self, id: &str, change: impl FnOnce(&mut User)) {
        if let Some(mut user) = self.users.remove(id) {
            self.index.remove_user(&user);
            change(&mut user);
            self.index.add_user(&user);
            self.users.insert(user);
        }
    }

    /// Deletes a user with their memberships and sessions.
    pub(crate) fn delete_user(&mut self, id: &str) -> Option<User> {
        let user = self.users.remove(id)?;
        self.index.remove_user(&user);
        for membership in self.membership_ids_of_user(id) {
            self.delete_membership(&membership);
        }
        self.drop_sessions(|session| &*session.user_id == id);
        Some(user)
    }

    pub(crate) fn user_with_email(&self, address: &str) -> Option<&Id> {
        self.index.user_by_email.get(&address.to_lowercase())
    }

    pub(crate) fn user_with_phone(&self, number: &str) -> Option<&Id> {
        self.index.user_by_phone.get(number)
    }

    pub(crate) fn user_with_wallet(&self, wallet: &str) -> Option<&Id> {
        self.index.user_by_wallet.get(&wallet.to_lowercase())
    }

    pub(crate) fn user_with_username(&self, username: &str) -> Option<&Id> {
        self.index.user_by_username.get(&username.to_lowercase())
    }

    pub(crate) fn user_with_external_id(&self, external_id: &str) -> Option<&Id> {
        self.index.user_by_external_id.get(external_id)
    }

    pub(crate) fn user_with_email_id(&self, id: &str) -> Option<&User> {
        self.users.get(self.index.user_by_email_id.get(id)?)
    }

    pub(crate) fn organization(&self, id: &str) -> Option<&Organization> {
        self.organizations.get(id)
    }

    pub(crate) fn organization_by_id_or_slug(&self, key: &str) -> Option<&Organization> {
        self.organizations.get(key).or_else(|| {
            self.organizations
                .get(self.index.organization_by_slug.get(key)?)
        })
    }

    pub(crate) fn organization_with_slug(&self, slug: &str) -> Option<&Id> {
        self.index.organization_by_slug.get(slug)
    }

    pub(crate) fn add_organization(&mut self, organization: Organization) {
        self.index.add_organization(&organization);
        self.organizations.insert(organization);
    }

    pub(crate) fn change_organization(&mut self, id: &str, change: impl FnOnce(&mut Organization)) {
        if let Some(mut organization) = self.organizations.remove(id) {
            self.index.organization_by_slug.remove(&organization.slug);
            change(&mut organization);
            self.add_organization(organization);
        }
    }

    /// Deletes an organization with its memberships and invitations, and clears it from the
    /// sessions where it was active.
    pub(crate) fn delete_organization(&mut self, id: &str) -> Option<Organization> {
        let organization = self.organizations.remove(id)?;
        self.index.organization_by_slug.remove(&organization.slug);
        for membership in self.membership_ids_of_organization(id) {
            self.delete_membership(&membership);
        }
        let invitations: Vec<Id> = self
            .organization_invitations
            .iter()
            .filter(|invitation| &*invitation.organization_id == id)
            .map(|invitation| invitation.id.clone())
            .collect();
        for invitation in invitations {
            self.organization_invitations.remove(&invitation);
        }
        self.leave_active_organization(|_| true, id);
        Some(organization)
    }

    pub(crate) fn membership(&self, organization_id: &Id, user_id: &Id) -> Option<&Membership> {
        let pair = (organization_id.clone(), user_id.clone());
        self.memberships
            .get(self.index.membership_by_pair.get(&pair)?)
    }

    pub(crate) fn memberships_of_organization(
        &self,
        id: &str,
    ) -> impl DoubleEndedIterator<Item = &Membership> {
        self.index
            .memberships_by_organization
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|(_, id)| self.memberships.get(id))
    }

    pub(crate) fn memberships_of_user(
        &self,
        id: &str,
    ) -> impl DoubleEndedIterator<Item = &Membership> {
        self.index
            .memberships_by_user
            .get(id)
            .into_iter()
            .flatten()
            .filter_map(|(_, id)| self.memberships.get(id))
    }

    pub(crate) fn members_count(&self, organization_id: &str) -> usize {
        self.index
            .memberships_by_organization
            .get(organization_id)
            .map_or(0, BTreeSet::len)
    }

    pub(crate) fn add_membership(&mut self, membership: Membership) {
        self.index.add_membership(&membership);
        self.memberships.insert(membership);
    }

    /// Changes a membership in place: not its organization, its user or its time of creation.
    pub(crate) fn change_membership(&mut self, id: &str, change: impl FnOnce(&mut Membership)) {
        if let Some(membership) = self.memberships.get_mut(id) {
            change(membership);
        }
    }

    pub(crate) fn delete_membership(&mut self, id: &str) -> Option<Membership> {
        let membership = self.memberships.remove(id)?;
        self.index.remove_membership(&membership);
        let organization_id = membership.organization_id.clone();
        self.leave_active_organization(
            |session| session.user_id == membership.user_id,
            &organization_id,
        );
        Some(membership)
    }

    pub(crate) fn role(&self, key: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.key == key)
    }

    /// Does this role hold the permission?
    pub(crate) fn role_allows(&self, role: &str, permission: &str) -> bool {
        self.role(role)
            .is_some_and(|role| role.permissions.iter().any(|key| key == permission))
    }

    /// Revokes the active sessions of a user.
    pub(crate) fn revoke_sessions(&mut self, user_id: &str, now: u64) {
        for id in self.session_ids(|session| &*session.user_id == user_id) {
            if let Some(session) = self.sessions.get_mut(&id)
                && session.status(now) == "active"
            {
                session.revoked = true;
                session.updated_at = now;
            }
        }
    }

    fn drop_sessions(&mut self, of: impl Fn(&Session) -> bool) {
        for id in self.session_ids(of) {
            self.sessions.remove(&id);
        }
    }

    fn leave_active_organization(&mut self, of: impl Fn(&Session) -> bool, organization_id: &str) {
        let in_organization = |session: &Session| {
            session.active_organization_id.as_deref() == Some(organization_id) && of(session)
        };
        for id in self.session_ids(in_organization) {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.active_organization_id = None;
            }
        }
    }

    fn session_ids(&self, of: impl Fn(&Session) -> bool) -> Vec<Id> {
        self.sessions
            .iter()
            .filter(|session| of(session))
            .map(|s| s.id.clone())
            .collect()
    }

    fn membership_ids_of_organization(&self, id: &str) -> Vec<Id> {
        self.memberships_of_organization(id)
            .map(|membership| membership.id.clone())
            .collect()
    }

    fn membership_ids_of_user(&self, id: &str) -> Vec<Id> {
        self.memberships_of_user(id)
            .map(|membership| membership.id.clone())
            .collect()
    }
}

impl Index {
    fn add_user(&mut self, user: &User) {
        for email in &user.emails {
            self.user_by_email
                .insert(email.value.to_lowercase(), user.id.clone());
            self.user_by_email_id
                .insert(email.id.clone(), user.id.clone());
        }
        for phone in &user.phones {
            self.user_by_phone
                .insert(phone.value.clone(), user.id.clone());
        }
        for wallet in &user.wallets {
            self.user_by_wallet
                .insert(wallet.value.to_lowercase(), user.id.clone());
        }
        if let Some(username) = &user.username {
            self.user_by_username
                .insert(username.to_lowercase(), user.id.clone());
        }
        if let Some(external_id) = &user.external_id {
            self.user_by_external_id
                .insert(external_id.clone(), user.id.clone());
        }
    }

    fn remove_user(&mut self, user: &User) {
        for email in &user.emails {
            self.user_by_email.remove(&email.value.to_lowercase());
            self.user_by_email_id.remove(&email.id);
        }
        for phone in &user.phones {
            self.user_by_phone.remove(&phone.value);
        }
        for wallet in &user.wallets {
            self.user_by_wallet.remove(&wallet.value.to_lowercase());
        }
        if let Some(username) = &user.username {
            self.user_by_username.remove(&username.to_lowercase());
        }
        if let Some(external_id) = &user.external_id {
            self.user_by_external_id.remove(external_id);
        }
    }

    fn add_organization(&mut self, organization: &Organization) {
        self.organization_by_slug
            .insert(organization.slug.clone(), organization.id.clone());
    }

    fn add_membership(&mut self, membership: &Membership) {
        let (organization, user) = (&membership.organization_id, &membership.user_id);
        let key = (membership.created_at, membership.id.clone());
        let pair = (organization.clone(), user.clone());
        self.membership_by_pair.insert(pair, membership.id.clone());
        self.memberships_by_user
            .entry(user.clone())
            .or_default()
            .insert(key.clone());
        self.memberships_by_organization
            .entry(organization.clone())
            .or_default()
            .insert(key);
    }

    fn remove_membership(&mut self, membership: &Membership) {
        let (organization, user) = (&membership.organization_id, &membership.user_id);
        let key = (membership.created_at, membership.id.clone());
        self.membership_by_pair
            .remove(&(organization.clone(), user.clone()));
        if let Some(set) = self.memberships_by_user.get_mut(user) {
            set.remove(&key);
        }
        if let Some(set) = self.memberships_by_organization.get_mut(organization) {
            set.remove(&key);
        }
    }
}

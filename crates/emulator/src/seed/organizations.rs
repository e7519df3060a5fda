//! Organizations with their members, and invitations.

use super::build::{Builder, ID_TIME, duplicate, value};
use super::system::MEMBER;
use super::{InvitationSeed, MemberSeed, OrganizationSeed, SeedError};
use crate::clock::DAY;
use crate::format;
use crate::ids::{self, Id};
use crate::invitations::DEFAULT_DAYS;
use crate::model::{
    Invitation, InvitationStatus, Membership, Organization, OrganizationInvitation,
};
use crate::organizations;

impl Builder {
    pub(super) fn organization(
        &mut self,
        place: &str,
        given: &OrganizationSeed,
    ) -> Result<(), SeedError> {
        let id = self.id(place, "org", given.id.as_ref())?;
        if self.state.organization(&id).is_some() {
            return Err(duplicate(place, "id", &id));
        }
        let slug = match &given.slug {
            Some(slug) => slug.clone(),
            None => organizations::slug_of(&self.state, &given.name, ID_TIME),
        };
        format::slug(&slug).map_err(|error| value(place, &error.long_message))?;
        if self.state.organization_with_slug(&slug).is_some() {
            return Err(duplicate(place, "slug", &slug));
        }
        let created_by = given
            .created_by
            .as_ref()
            .map(|name| self.find_user(place, name))
            .transpose()?;
        let created_at = self.time(place, given.created_at.as_ref(), self.now)?;
        let default_limit = self.state.instance.organizations.max_allowed_memberships;
        self.state.add_organization(Organization {
            id: id.clone(),
            name: given.name.clone(),
            slug,
            max_allowed_memberships: given.max_allowed_memberships.unwrap_or(default_limit),
            admin_delete_enabled: true,
            public_metadata: given.public_metadata.clone(),
            private_metadata: given.private_metadata.clone(),
            created_by,
            role_set_key: None,
            created_at,
            updated_at: created_at,
        });
        for (position, member) in given.members.iter().enumerate() {
            self.member(
                &format!("{place}.members[{position}]"),
                &id,
                created_at,
                member,
            )?;
        }
        for (position, invitation) in given.invitations.iter().enumerate() {
            let place = format!("{place}.invitations[{position}]");
            self.organization_invitation(&place, &id, invitation)?;
        }
        Ok(())
    }

    fn member(
        &mut self,
        place: &str,
        organization_id: &Id,
        organization_created_at: u64,
        given: &MemberSeed,
    ) -> Result<(), SeedError> {
        let user_id = self.find_user(place, &given.user)?;
        if self.state.membership(organization_id, &user_id).is_some() {
            return Err(duplicate(place, "member", &given.user));
        }
        let role = self.find_role(place, &given.role)?;
        let created_at = self.time(place, given.created_at.as_ref(), organization_created_at)?;
        let membership = Membership {
            id: self.id(place, "orgmem", given.id.as_ref())?,
            organization_id: organization_id.clone(),
            user_id,
            role,
            public_metadata: given.public_metadata.clone(),
            private_metadata: given.private_metadata.clone(),
            created_at,
            updated_at: created_at,
        };
        self.state.add_membership(membership);
        Ok(())
    }

    fn organization_invitation(
        &mut self,
        place: &str,
        organization_id: &Id,
        given: &InvitationSeed,
    ) -> Result<(), SeedError> {
        let role = self.find_role(place, given.role.as_deref().unwrap_or(MEMBER))?;
        let inviter_id = given
            .inviter
            .as_ref()
            .map(|name| self.find_user(place, name))
            .transpose()?;
        let (created_at, expires_at, stored_status) = self.invitation_life(place, given)?;
        let id = self.id(place, "orginv", given.id.as_ref())?;
        let ticket = self.ticket();
        self.state
            .organization_invitations
            .insert(OrganizationInvitation {
                id,
                organization_id: organization_id.clone(),
                email_address: given.email_address.to_lowercase(),
                role,
                inviter_id,
                stored_status,
                public_metadata: given.public_metadata.clone(),
                private_metadata: given.private_metadata.clone(),
                ticket,
                redirect_url: None,
                expires_at: Some(expires_at),
                created_at,
                updated_at: created_at,
            });
        Ok(())
    }

    pub(super) fn invitation(
        &mut self,
        place: &str,
        given: &InvitationSeed,
    ) -> Result<(), SeedError> {
        let (created_at, expires_at, stored_status) = self.invitation_life(place, given)?;
        let id = self.id(place, "inv", given.id.as_ref())?;
        let ticket = self.ticket();
        self.state.invitations.insert(Invitation {
            id,
            email_address: given.email_address.to_lowercase(),
            stored_status,
            public_metadata: given.public_metadata.clone(),
            ticket,
            redirect_url: None,
            expires_at: Some(expires_at),
            created_at,
            updated_at: created_at,
        });
        Ok(())
    }

    /// When an invitation was made, when it ends, and its status.
    fn invitation_life(
        &self,
        place: &str,
        given: &InvitationSeed,
    ) -> Result<(u64, u64, InvitationStatus), SeedError> {
        format::email("email_address", &given.email_address)
            .map_err(|error| value(place, &error.long_message))?;
        let created_at = self.time(place, given.created_at.as_ref(), self.now)?;
        let default_expiry = created_at + DEFAULT_DAYS * DAY;
        let expires_at = self.time(place, given.expires_at.as_ref(), default_expiry)?;
        let status = match given.status.as_deref() {
            None | Some("pending") => InvitationStatus::Pending,
            Some("accepted") => InvitationStatus::Accepted,
            Some("revoked") => InvitationStatus::Revoked,
            Some("expired") => InvitationStatus::Expired,
            Some(other) => {
                return Err(value(
                    place,
                    &format!("{other:?} is not a status of invitations"),
                ));
            }
        };
        Ok((created_at, expires_at, status))
    }

    fn ticket(&mut self) -> String {
        self.minted += 1;
        (0..4)
            .map(|part| format!("{:016x}", ids::mix(self.minted * 4 + part)))
            .collect()
    }
}

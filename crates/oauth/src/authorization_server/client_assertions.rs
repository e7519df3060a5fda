//! Clients that prove who they are by an assertion (`private_key_jwt`).

use crate::client::{Client, ClientId};
use crate::client_assertion::{AssertionFault, UnverifiedAssertion};
use crate::client_authentication::{AuthenticatedClient, ClientAuthFault};
use crate::client_keys::{BELIEVED_UNANSWERED, ClientKeys, KeySource, may_be_renewed};
use crate::client_metadata_document as document;
use crate::error::TokenError;
use crate::time::Timestamp;

use super::AuthorizationServer;

impl AuthorizationServer {
    /// Checks the assertion of the client `id`, and uses it up.
    ///
    /// In this order: what needs no key; the client, whose metadata document is fetched anew when it
    /// is not fresh, for it says which keys count; the signature; that it was not used before. So
    /// nothing is fetched for what cannot be right, and only the client itself uses its identifiers up.
    pub(super) async fn check_assertion(
        &self,
        id: &ClientId,
        assertion: &UnverifiedAssertion,
        machine: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<AuthenticatedClient, TokenError> {
        let issuer = self.settings.issuer();
        let single_use = assertion
            .check(id, issuer, &self.token_endpoint(), now)
            .map_err(ClientAuthFault::from)?;
        let client = self.client_with_keys(id, machine, now).await?;
        let client = match self.verify(&client, assertion, machine, now).await {
            Ok(()) => client,
            Err(ClientAuthFault::Assertion(AssertionFault::Signature))
                if self.may_have_new_keys(&client, now) =>
            {
                let renewed = self.renewed_document(id, machine, now).await?;
                self.verify(&renewed, assertion, machine, now).await?;
                renewed
            }
            Err(fault) => return Err(fault.into()),
        };
        let (id, until) = (single_use.id, single_use.until);
        match self.store.use_assertion(id, until).await? {
            true => Ok(AuthenticatedClient(client)),
            false => Err(ClientAuthFault::from(AssertionFault::Replayed).into()),
        }
    }

    /// Whether a key of the client's has signed the assertion, with an algorithm of the client's.
    async fn verify(
        &self,
        client: &Client,
        assertion: &UnverifiedAssertion,
        machine: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<(), ClientAuthFault> {
        let keys = client.assertion_keys.as_ref();
        let keys = keys.ok_or(AssertionFault::NotOffered)?;
        if !keys.algorithms.contains(&assertion.algorithm()) {
            return Err(AssertionFault::Algorithm.into());
        }
        let url = match &keys.source {
            KeySource::Inline(keys) => return Ok(assertion.verify(keys, machine).await?),
            KeySource::At(url) => url,
        };
        let kept = self.key_sets.get(url, machine, now).await?;
        match assertion.verify(&kept.keys, machine).await {
            Err(AssertionFault::Signature) if kept.may_be_renewed(now) => {
                let renewed = self.key_sets.renew(url, machine, now).await?;
                Ok(assertion.verify(&renewed.keys, machine).await?)
            }
            verdict => Ok(verdict?),
        }
    }

    /// The client of this identifier. A metadata document that is not fresh is fetched; while its host
    /// does not answer, what was kept counts for a day.
    async fn client_with_keys(
        &self,
        id: &ClientId,
        machine: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<Client, TokenError> {
        let unknown = || ClientAuthFault::Unknown { basic: false };
        if !self.is_by_document(id) {
            return Ok(self.known_client(id, now).await?.ok_or_else(unknown)?);
        }
        // Nobody becomes known here: where codes may go is decided at the authorization endpoint.
        let kept = self.store.client_document(id).await?.ok_or_else(unknown)?;
        if !kept.fresh_until.has_passed(now) {
            return Ok(kept.client);
        }
        match self.renewed_document(id, machine, now).await {
            Err(TokenError::Client(ClientAuthFault::KeysUnavailable { .. }))
                if !kept.fresh_until.after(BELIEVED_UNANSWERED).has_passed(now) =>
            {
                Ok(kept.client)
            }
            renewed => renewed,
        }
    }

    /// Whether the client's document, which holds its keys, may be fetched again before its time.
    fn may_have_new_keys(&self, client: &Client, now: Timestamp) -> bool {
        let keys = client.assertion_keys.as_ref();
        let inline = keys.is_some_and(|keys| matches!(keys.source, KeySource::Inline(_)));
        inline && self.is_by_document(&client.id) && may_be_renewed(client.created_at, now)
    }

    /// Fetches the client's metadata document.
    async fn renewed_document(
        &self,
        id: &ClientId,
        machine: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<Client, TokenError> {
        let refused = |fault: document::DocumentFault| match fault {
            document::DocumentFault::Fetch(fault) => ClientAuthFault::from(fault),
            fault => ClientAuthFault::Keys {
                problem: fault.to_string(),
            },
        };
        let url = document::document_url(id).map_err(refused)?;
        let fetched = machine
            .document(&url)
            .await
            .map_err(ClientAuthFault::from)?;
        let schemes = &self.settings.private_use_schemes;
        let read = document::read(id, &fetched, schemes, now).map_err(refused)?;
        self.store.put_client_document(&read).await?;
        Ok(read.client)
    }
}

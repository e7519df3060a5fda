//! The revocation endpoint (RFC 7009).

use crate::client_keys::ClientKeys;
use crate::error::TokenError;
use crate::grant::GrantId;
use crate::parameters::Parameters;
use crate::time::Timestamp;
use crate::token::PlainToken;

use super::AuthorizationServer;

impl AuthorizationServer {
    /// Revokes the grant to which the form's `token` belongs, be it an access or a refresh token, and
    /// with it all of its tokens. Gives back the grant that ended: streams and caches are to be told.
    /// `None` when nothing happened, which is answered with 200 all the same: the token was unknown,
    /// or another client's.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn revoke(
        &self,
        form: &Parameters,
        authorization: Option<&str>,
        keys: &dyn ClientKeys,
        now: Timestamp,
    ) -> Result<Option<GrantId>, TokenError> {
        let client = self.authenticate(form, authorization, keys, now).await?.0;
        let token = form.get("token")?.ok_or(TokenError::Missing("token"))?;
        // A hint of the kind would only save a look-up (RFC 7009 section 2.1).
        form.get("token_type_hint")?;
        let token = PlainToken::presented(token).hash();
        Ok(self.store.revoke_token(token, &client.id, now).await?)
    }
}

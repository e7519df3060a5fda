use http::Method;
use serde_json::{Map, Value, json};

use super::claims::AccessTokenClaims;
use super::error::{AccessTokenError, NotAccepted};
use super::form::TokenForm;
use super::policy::AccessTokenPolicy;
use crate::client::Client;
use crate::error::Error;
use crate::jws::Unverified;
use crate::request::Request;

/// Access tokens that are no session's; with the feature `oauth`.
impl Client {
    /// Verifies an access token at the time of the client's [`Env`](crate::Env): a signed one with
    /// the instance's keys, another by asking Clerk (`verifyOAuthAccessToken`, `verifyM2MToken`,
    /// `verifyApiKey`). Clerk is asked only about kinds that the policy accepts.
    ///
    /// What is signed is believed until it expires: Clerk does not revoke it, nor does this say
    /// whether its user may still be signed in.
    ///
    /// # Errors
    /// [`AccessTokenError`] with what is wrong; [`AccessTokenError::Unavailable`] when Clerk could
    /// not be asked.
    pub async fn verify_access_token(
        &self,
        token: &str,
        policy: &AccessTokenPolicy,
    ) -> Result<AccessTokenClaims, AccessTokenError> {
        let form = TokenForm::of(token)?;
        let (accepted, otherwise) = match form {
            TokenForm::OauthJwt | TokenForm::OauthOpaque => {
                (policy.takes_oauth(), NotAccepted::OauthToken)
            }
            TokenForm::MachineJwt | TokenForm::MachineOpaque => {
                (policy.machine.is_some(), NotAccepted::MachineToken)
            }
            TokenForm::ApiKey => (policy.api_keys, NotAccepted::ApiKey),
        };
        if !accepted {
            return Err(AccessTokenError::NotAccepted(otherwise));
        }
        let now = || self.env().now();
        match form {
            TokenForm::OauthJwt => {
                let claims = self.signed_claims(token).await?;
                AccessTokenClaims::of_oauth_jwt(&claims, now(), policy)
            }
            TokenForm::MachineJwt => {
                let claims = self.signed_claims(token).await?;
                AccessTokenClaims::of_machine_jwt(&claims, now(), policy)
            }
            TokenForm::OauthOpaque => {
                let answer = self.ask_about_oauth(token).await?;
                AccessTokenClaims::of_oauth_answer(&answer, now(), policy)
            }
            TokenForm::MachineOpaque => {
                let request = Request::new("verifyM2MToken", Method::POST, "/m2m_tokens/verify");
                let answer = self.ask(request, json!({ "token": token })).await?;
                AccessTokenClaims::of_machine_answer(&answer, now(), policy)
            }
            TokenForm::ApiKey => {
                let request = Request::new("verifyApiKey", Method::POST, "/api_keys/verify");
                let answer = self.ask(request, json!({ "secret": token })).await?;
                AccessTokenClaims::of_api_key_answer(&answer, now())
            }
        }
    }

    /// Whether Clerk says that somebody else acts as the user of this access token of an OAuth client
    /// (`act` of what `verifyOAuthAccessToken` answers), whatever else is to be said of the token.
    ///
    /// # Errors
    /// [`AccessTokenError::Ended`] when Clerk does not know it; [`AccessTokenError::Unavailable`] when
    /// Clerk could not be asked.
    pub async fn is_impersonated(&self, access_token: &str) -> Result<bool, AccessTokenError> {
        let answer = self.ask_about_oauth(access_token).await?;
        Ok(answer.get("act").is_some_and(|act| !act.is_null()))
    }

    async fn ask_about_oauth(&self, token: &str) -> Result<Map<String, Value>, AccessTokenError> {
        let request = Request::new(
            "verifyOAuthAccessToken",
            Method::POST,
            "/oauth_applications/access_tokens/verify",
        );
        self.ask(request, json!({ "access_token": token })).await
    }

    async fn signed_claims(&self, token: &str) -> Result<Map<String, Value>, AccessTokenError> {
        let token = Unverified::parse(token)?;
        let keys = self.keys_with(token.kid()).await.map_err(unavailable)?;
        Ok(token.verify(&keys)?)
    }

    async fn ask(
        &self,
        request: Request,
        body: Value,
    ) -> Result<Map<String, Value>, AccessTokenError> {
        match self.send(&request.body(body)).await {
            Ok(answer) => match answer.body {
                Value::Object(answer) => Ok(answer),
                _ => Err(AccessTokenError::Claim {
                    claim: "object",
                    problem: "is missing: Clerk's answer is none",
                }),
            },
            // 404: no such token. 400 and 422: none of the form that Clerk gives.
            Err(Error::Api(error)) if matches!(error.status, 400 | 404 | 422) => {
                Err(AccessTokenError::Ended)
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: Error) -> AccessTokenError {
    AccessTokenError::Unavailable(Box::new(error))
}

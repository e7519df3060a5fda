use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method};
use serde_json::Value;

use super::error::{FrontendError, of_answer};
use super::session::{TicketSession, of_sign_in};
use crate::oauth::{FrontendApi, Secret};
use crate::transport::Transport;

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("clerk-mcp/", env!("CARGO_PKG_VERSION")));

/// An instance's Frontend API, as a native application speaks to it. Clones are cheap.
#[derive(Clone)]
pub struct FrontendClient {
    api: FrontendApi,
    transport: Arc<dyn Transport>,
}

/// One call.
pub(super) struct Call<'a> {
    /// Its name in Clerk's OpenAPI file and in messages.
    pub(super) operation: &'static str,
    /// Below `/v1`, with its parameters encoded.
    pub(super) path: &'a str,
    pub(super) form: &'a [(&'a str, &'a str)],
    /// Who we are, as the last answer said; nothing at first.
    pub(super) client_token: Option<&'a Secret>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) body: Value,
    /// Who we are from now on, where the answer says so.
    pub(super) client_token: Option<Secret>,
}

impl FrontendClient {
    /// The Frontend API at `api`. Sends nothing.
    pub fn new(api: FrontendApi, transport: Arc<dyn Transport>) -> Self {
        Self { api, transport }
    }

    /// Where it is.
    pub fn api(&self) -> &FrontendApi {
        &self.api
    }

    /// Redeems an actor token or a sign-in token (`createSignIn` with `strategy=ticket`). The ticket
    /// is used up by it.
    ///
    /// # Errors
    /// [`FrontendError::Refused`] for a ticket that is used, revoked, too old or unknown, and for a
    /// person who may not sign in; [`FrontendError::NotSignedIn`] when Clerk asks for more, such as a
    /// second factor; the others when there is no answer to use.
    pub async fn sign_in_with_ticket(
        &self,
        ticket: &Secret,
    ) -> Result<TicketSession, FrontendError> {
        let call = Call {
            operation: "createSignIn",
            path: "/client/sign_ins",
            form: &[("strategy", "ticket"), ("ticket", ticket.expose())],
            client_token: None,
        };
        let answer = self.send(&call).await?;
        of_sign_in(self, call.operation, answer)
    }

    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, FrontendError> {
        let message = self.message(call)?;
        let answer =
            self.transport
                .send(message)
                .await
                .map_err(|error| FrontendError::Unavailable {
                    operation: call.operation,
                    message: format!("{}: {}", self.api, error.message),
                    retry_after: None,
                })?;
        let client_token = answer.headers().get(AUTHORIZATION);
        let client_token = client_token
            .and_then(|token| token.to_str().ok())
            .map(|token| token.strip_prefix("Bearer ").unwrap_or(token).trim())
            .filter(|token| !token.is_empty())
            .map(Secret::new);
        let body = of_answer(call, &answer)?;
        Ok(Answer { body, client_token })
    }

    fn message(&self, call: &Call<'_>) -> Result<http::Request<Bytes>, FrontendError> {
        let unusable = |what: &str| FrontendError::Protocol {
            operation: call.operation,
            problem: format!("{what} cannot be sent"),
        };
        let mut form = Serializer::new(String::new());
        form.extend_pairs(call.form);
        let address = format!("{}/v1{}?_is_native=1", self.api, call.path);
        let mut message = http::Request::new(Bytes::from(form.finish()));
        *message.method_mut() = Method::POST;
        *message.uri_mut() = address.parse().map_err(|_| unusable("its address"))?;
        let token = call.client_token.map(Secret::expose).unwrap_or_default();
        let mut token = HeaderValue::from_str(token).map_err(|_| unusable("the client's token"))?;
        token.set_sensitive(true);
        let headers = message.headers_mut();
        headers.insert(AUTHORIZATION, token);
        headers.insert(CONTENT_TYPE, FORM);
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, AGENT);
        Ok(message)
    }
}

impl fmt::Debug for FrontendClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontendClient")
            .field("api", &self.api.as_str())
            .finish_non_exhaustive()
    }
}

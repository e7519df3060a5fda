//! The application, and which of its parts answers.

use std::fmt;

use bytes::Bytes;
use clerk::{Client, SessionTokenPolicy, access_token::AccessTokenPolicy};
use http::{Method, Request, Response, StatusCode};
use pages::DemoRefusal;

use crate::{OPENAPI, api, bridge, orders::Orders, reply, site};

/// The largest request body that is accepted, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// What an application is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where browsers reach the application: an origin, such as `http://127.0.0.1:8787`.
    pub url: String,
    /// Where browsers reach Clerk's Frontend API: an origin. It is the issuer of tokens too.
    pub clerk_url: String,
    /// The MCP server: an origin. Session tokens are sent to its `/callback`, and nowhere else.
    pub mcp_url: String,
    /// What the MCP server is to Clerk as an OAuth client. The API accepts the access tokens that people
    /// let Clerk give it, and no other client's.
    pub mcp_client_id: String,
    /// The application's Clerk instance, by its secret key.
    pub client: Client,
}

/// A small application that signs people in with Clerk.
pub struct DemoApp {
    pub(crate) url: String,
    pub(crate) clerk_url: String,
    pub(crate) mcp_url: String,
    pub(crate) client: Client,
    pub(crate) sessions: SessionTokenPolicy,
    pub(crate) access_tokens: AccessTokenPolicy,
    pub(crate) orders: Orders,
}

impl DemoApp {
    /// The application, with the orders that everybody has from the start.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            url,
            clerk_url,
            mcp_url,
            mcp_client_id,
            client,
        } = parts;
        Self {
            // As an owner should: this instance's tokens, made for this site or by its backend.
            sessions: SessionTokenPolicy::default()
                .issuer(&clerk_url)
                .authorized_parties([&url])
                .require_session_category(),
            access_tokens: AccessTokenPolicy::new(&clerk_url).clients([mcp_client_id]),
            orders: Orders::new(client.env().now()),
            url,
            clerk_url,
            mcp_url,
            client,
        }
    }

    /// The only address that a session token is ever sent to.
    pub(crate) fn callback(&self) -> String {
        format!("{}/callback", self.mcp_url)
    }

    /// Answers a request. Its URI may be absolute or just path and query.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        if request.body().len() > MAX_BODY_BYTES {
            return reply::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                &format!("a request holds {MAX_BODY_BYTES} bytes at most"),
            );
        }
        if path == "/api" || path.starts_with("/api/") {
            return api::answer(self, &request).await;
        }
        let known = matches!(path, "/" | bridge::PATH | "/openapi.yaml");
        if !known {
            return reply::refusal(StatusCode::NOT_FOUND, DemoRefusal::NotFound);
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return reply::method_not_allowed("GET");
        }
        match path {
            "/" => site::home(self, &request).await,
            bridge::PATH => bridge::sign_in(self, &request).await,
            _ => reply::text("application/yaml", OPENAPI),
        }
    }
}

impl fmt::Debug for DemoApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoApp")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

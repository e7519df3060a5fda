//! Every setting, declared once: the loader and docs/CONFIGURATION.md read this table.

/// A setting of the configuration.
#[derive(Debug)]
pub(super) struct Setting {
    /// Its path in the file; `[]` marks a table that may be repeated: `access[].tools`.
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    pub(super) env: Option<&'static str>,
    pub(super) flag: Option<&'static str>,
    /// What holds when it is not given, as it would be written.
    pub(super) default: Option<&'static str>,
    /// What the reference says in place of a default.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the reference, which a test makes")
    )]
    pub(super) otherwise: &'static str,
    /// For the reference: what it is, and its bounds.
    pub(super) about: &'static str,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Switch,
    Integer,
    /// Texts; a variable separates them by commas.
    List,
    /// A table of texts.
    Map,
    /// Never in the file: from a variable, or from the file that `<key>_file` or `<VARIABLE>_FILE`
    /// names.
    Secret,
}

impl Setting {
    const fn new(key: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            key,
            kind,
            env: None,
            flag: None,
            default: None,
            otherwise: "none",
            about,
        }
    }

    const fn text(key: &'static str, about: &'static str) -> Self {
        Self::new(key, Kind::Text, about)
    }

    const fn env(self, name: &'static str) -> Self {
        Self {
            env: Some(name),
            ..self
        }
    }

    const fn flag(self, name: &'static str) -> Self {
        Self {
            flag: Some(name),
            ..self
        }
    }

    const fn default(self, value: &'static str) -> Self {
        Self {
            default: Some(value),
            ..self
        }
    }

    const fn otherwise(self, text: &'static str) -> Self {
        Self {
            otherwise: text,
            ..self
        }
    }

    const fn required(self) -> Self {
        self.otherwise("required")
    }

    /// The key of a secret's file.
    pub(super) fn file_key(&self) -> String {
        format!("{}_file", self.key)
    }
}

macro_rules! settings {
    ($($name:ident = $setting:expr;)*) => {
        $(pub(super) static $name: Setting = $setting;)*
        /// Every setting, in the reference's order.
        pub(super) static ALL: &[&Setting] = &[$(&$name),*];
    };
}

settings! {
    PUBLIC_URL = Setting::text("public_url",
        "Where clients reach the server: scheme, host and port alone. `https`, or `http` on this \
         machine (127.0.0.1, [::1], localhost)")
        .env("CLERK_MCP_PUBLIC_URL").flag("--public-url")
        .otherwise("`http://` and `bind`, when that is loopback; else required");
    BIND = Setting::text("bind", "The address and port to listen on")
        .env("CLERK_MCP_BIND").flag("--bind").default("127.0.0.1:8788");
    NAME = Setting::text("name", "What the pages call the server; up to 60 characters")
        .env("CLERK_MCP_NAME").default("Clerk");
    TRUSTED_PROXIES = Setting::new("trusted_proxies", Kind::List,
        "Addresses or networks (`10.0.0.0/8`) of the proxies whose forwarded headers are believed")
        .env("CLERK_MCP_TRUSTED_PROXIES").default("");
    ALLOWED_ORIGINS = Setting::new("allowed_origins", Kind::List,
        "Origins besides `public_url` whose pages may call the MCP endpoint")
        .env("CLERK_MCP_ALLOWED_ORIGINS").default("");
    COOKIE_ENCRYPTION_KEY = Setting::new("cookie_encryption_key", Kind::Secret,
        "The key that seals cookies, state and grants: 32 bytes as base64 or hexadecimal \
         (`openssl rand -base64 32`), or any text of at least 32 characters. To change it, put the \
         new one before the old one, with a comma: the first seals, all open")
        .env("COOKIE_ENCRYPTION_KEY")
        .otherwise("required; on a loopback `public_url`, one is made and kept beside the database");

    SECRET_KEY = Setting::new("clerk.secret_key", Kind::Secret,
        "The secret key of the Clerk instance, `sk_test_…` or `sk_live_…`")
        .env("CLERK_SECRET_KEY").required();
    PUBLISHABLE_KEY = Setting::text("clerk.publishable_key",
        "The publishable key of the same instance; it names the Frontend API")
        .env("CLERK_PUBLISHABLE_KEY").otherwise("this or `clerk.frontend_api` is required");
    FRONTEND_API = Setting::text("clerk.frontend_api",
        "The Frontend API, `https://clerk.example.com`: where people sign in. Must agree with the \
         publishable key when both are given")
        .env("CLERK_FRONTEND_API").otherwise("of the publishable key");
    API_URL = Setting::text("clerk.api_url", "The Backend API")
        .env("CLERK_API_URL").default("https://api.clerk.com");
    API_VERSION = Setting::text("clerk.api_version", "The version of the Backend API")
        .env("CLERK_API_VERSION").default("2026-05-12");

    SIGN_IN_MODE = Setting::text("sign_in.mode",
        "How people sign in. `clerk-oauth`: this server is an OAuth application of the Clerk \
         instance, whose redirect URI is `public_url` with `/callback`. `app`: your application, where \
         people have a session of Clerk's, lends it to this server at its route `/auth/mcp` \
         (guides/sign-in-through-your-app.md). `clerk-tokens`: Clerk itself is the authorization \
         server of MCP clients, and this server takes its tokens (guides/clerk-as-authorization-server.md)")
        .default("clerk-oauth");
    CLIENT_ID = Setting::text("sign_in.client_id", "For `clerk-oauth`: the client id of that OAuth application")
        .env("CLERK_CLIENT_ID").otherwise("required for `clerk-oauth`");
    CLIENT_SECRET = Setting::new("sign_in.client_secret", Kind::Secret,
        "For `clerk-oauth`: its client secret")
        .env("CLERK_CLIENT_SECRET").otherwise("none: a public application, protected by PKCE");
    ORGANIZATIONS = Setting::new("sign_in.organizations", Kind::Switch,
        "For `clerk-oauth`: whether people pick an organization when they sign in (scope \
         `user:org:read`). With `app` it is the session's active one; with `clerk-tokens`, whether \
         clients are told to ask for that scope")
        .default("false");
    SIGN_IN_SESSION = Setting::text("sign_in.session",
        "For `clerk-oauth` and `clerk-tokens`, which have no Clerk sessions: `ticket` starts one for each \
         sign-in whose tools over your API need it (a sign-in token redeemed at the Frontend API), and \
         revokes it with the sign-in (guides/http-tools.md)")
        .otherwise("none are started");
    APP_URL = Setting::text("sign_in.app_url",
        "For `app`: your application's URL. Its route `/auth/mcp` is where people sign in")
        .env("APP_URL").otherwise("required for `app`");
    AUTHORIZED_PARTIES = Setting::new("sign_in.authorized_parties", Kind::List,
        "For `app`: origins besides that of `app_url` that session tokens may be made for (`azp`)")
        .env("CLERK_AUTHORIZED_PARTIES").default("");
    AUDIENCE = Setting::new("sign_in.audience", Kind::List,
        "For `clerk-tokens`: whom tokens of OAuth clients must be for (`aud`), one of these. `resource` \
         is the address of the MCP endpoint, `public_url` with `/mcp`, as it is registered at Clerk, and \
         with `/sse` unless `transports.sse` is false")
        .env("CLERK_MCP_AUDIENCE")
        .otherwise("for `clerk-tokens` this, `client_ids` or `any_client` is required");
    CLIENT_IDS = Setting::new("sign_in.client_ids", Kind::List,
        "For `clerk-tokens`: the OAuth clients at Clerk whose tokens count. With `audience`, both must \
         hold")
        .env("CLERK_MCP_CLIENT_IDS");
    ANY_CLIENT = Setting::new("sign_in.any_client", Kind::Switch,
        "For `clerk-tokens`: whether the tokens of every OAuth client of the instance count, whatever \
         they were given for").default("false");
    MACHINE = Setting::text("sign_in.machine",
        "For `clerk-tokens`: the machine at Clerk that this server is, `mch_…`. M2M tokens of machines \
         that may talk to it count; rules with `machine` say what they may call")
        .env("CLERK_MCP_MACHINE").otherwise("none: M2M tokens are refused");
    API_KEYS = Setting::new("sign_in.api_keys", Kind::Switch,
        "For `clerk-tokens`: whether API keys of users count").default("false");
    READ_SCOPES = Setting::new("sign_in.read_scopes", Kind::List,
        "For `clerk-tokens`: Clerk's scopes that stand for `tools:read`; a token needs all of them")
        .otherwise("none: every token that counts may read");
    WRITE_SCOPES = Setting::new("sign_in.write_scopes", Kind::List,
        "For `clerk-tokens`: Clerk's scopes that stand for `tools:write`; a token needs all of them")
        .otherwise("none: every token that counts may write");

    DATABASE = Setting::text("storage.path", "The SQLite file; it is made when it is missing")
        .env("CLERK_MCP_DATABASE").flag("--database").default("clerk-mcp.db");

    ACCESS_TOKEN_LIFETIME = Setting::text("oauth.access_token_lifetime",
        "How long an access token lives; 1s to 24h").default("15m");
    REFRESH_IDLE_LIFETIME = Setting::text("oauth.refresh_idle_lifetime",
        "How long a refresh token lives unused; 1m to 365d").default("30d");
    REFRESH_TOTAL_LIFETIME = Setting::text("oauth.refresh_total_lifetime",
        "How long a sign-in lasts in all; up to 730d, no less than `refresh_idle_lifetime`. Values that \
         tools keep go when they were not used for as long")
        .default("180d");
    CODE_LIFETIME = Setting::text("oauth.code_lifetime",
        "How long an authorization code lives; 1s to 10m").default("60s");
    DYNAMIC_REGISTRATION = Setting::new("oauth.dynamic_registration", Kind::Switch,
        "Whether clients may register themselves (RFC 7591)")
        .env("CLERK_MCP_DYNAMIC_REGISTRATION").default("true");
    REGISTRATIONS_PER_HOUR = Setting::new("oauth.registrations_per_hour", Kind::Integer,
        "How many registrations one address may make in an hour; 1 to 100000").default("20");
    PRIVATE_USE_SCHEMES = Setting::new("oauth.private_use_schemes", Kind::List,
        "URI schemes of applications that redirect URIs may have, such as `com.example.app`. The \
         default are those of well-known clients; `[]` allows none")
        .default("claude,cursor,vscode,vscode-insiders,windsurf");
    CLIENT_ID_METADATA_DOCUMENTS = Setting::new("oauth.client_id_metadata_documents", Kind::Switch,
        "Whether a client id may be the URL of the client's metadata document").default("true");

    FIRST_SCOPES = Setting::new("oauth.first_scopes", Kind::List,
        "The scopes that clients are told to ask for before anybody has signed in; the person may untick \
         each. With `tools:write` among them, people whose client cannot ask for more later (those made \
         with version 1 of the TypeScript SDK) can use tools that change something")
        .default("tools:read");
    SCOPE_VALUE = Setting::text("oauth.scopes[].value", "The scope, besides `tools:read` and \
         `tools:write`, as clients ask for it").required();
    SCOPE_TITLE = Setting::text("oauth.scopes[].title", "A few words for the consent page").required();
    SCOPE_DESCRIPTION = Setting::text("oauth.scopes[].description",
        "A sentence for the consent page").required();

    CLIENT_CLIENT_ID = Setting::text("oauth.clients[].client_id",
        "The client id: up to 128 letters, digits, `.`, `_`, `-`").required();
    CLIENT_NAME = Setting::text("oauth.clients[].name", "What the consent page calls it").required();
    CLIENT_REDIRECT_URIS = Setting::new("oauth.clients[].redirect_uris", Kind::List,
        "Its redirect URIs").required();
    CLIENT_CLIENT_SECRET = Setting::new("oauth.clients[].secret", Kind::Secret,
        "Its secret, at least 20 characters. `<ID>` is the client id in capitals, `_` for all but \
         letters and digits")
        .env("CLERK_MCP_CLIENT_SECRET_<ID>").otherwise("none");
    CLIENT_JWKS_FILE = Setting::text("oauth.clients[].jwks_file",
        "Instead of a secret: a file with its public keys (a JSON Web Key Set), with which it signs who \
         it is (`private_key_jwt`, RS256 or ES256)")
        .otherwise("none");
    CLIENT_JWKS_URI = Setting::text("oauth.clients[].jwks_uri",
        "Instead of a file: the `https` URL where it publishes them, on the public internet. With \
         neither secret nor keys it is a public client")
        .otherwise("none");

    CIMD_HOSTS = Setting::new("cimd.test.hosts", Kind::Map,
        "For tests, on a loopback `public_url` only: hosts of metadata documents that are this \
         machine, as `{ \"client.example\" = \"127.0.0.1:4443\" }`");
    CIMD_CA_FILE = Setting::text("cimd.test.ca_file",
        "For tests: the certificate authority (PEM) of those hosts");

    TOOLS_ENABLED = Setting::new("policy.enabled", Kind::List,
        "The tools that exist here: `*`, `users`, `users.getUser`, `getUser`").default("*");
    TOOLS_READ_ONLY = Setting::new("policy.read_only", Kind::Switch,
        "Offer only tools that change nothing, whatever else is configured").default("false");
    TOOLS_PRIVATE_METADATA = Setting::new("policy.allow_private_metadata", Kind::Switch,
        "Let private metadata through in results").default("false");
    TOOLS_CONFIRM = Setting::text("policy.confirm",
        "When a person is asked before destructive calls: `auto` (where the client can ask), \
         `always` (refuse where it cannot) or `never`").default("auto");

    ACCESS_TOOLS = Setting::new("access[].tools", Kind::List, "The tools, as in `policy.enabled`").required();
    ACCESS_CLERK = Setting::text("access[].clerk",
        "With what power Clerk tools run: `session` (what the person could do themselves) or \
         `instance` (everything the secret key can do; needs a condition)").default("session");
    ACCESS_EVERYONE = Setting::new("access[].everyone", Kind::Switch,
        "`true` for a rule without conditions").default("false");
    ACCESS_ROLE = Setting::new("access[].role", Kind::List, "`role` in public metadata");
    ACCESS_ORGANIZATION_ROLE = Setting::new("access[].organization_role", Kind::List,
        "Role in an organization, `org:admin`; of the one picked at sign-in, if one was");
    ACCESS_ORGANIZATION_PERMISSION = Setting::new("access[].organization_permission", Kind::List,
        "Permission in an organization, `org:sys_memberships:manage`; in the same one as the role");
    ACCESS_USER = Setting::new("access[].user", Kind::List, "User id, `user_…`");
    ACCESS_EMAIL_DOMAIN = Setting::new("access[].email_domain", Kind::List,
        "Domain of a verified e-mail address; subdomains are others");
    ACCESS_SCOPE = Setting::new("access[].scope", Kind::List, "OAuth scope that the person granted");
    ACCESS_MACHINE = Setting::new("access[].machine", Kind::List,
        "Machine, `mch_…`: the rule is about machines, and has no other condition. One without it is \
         about people, `everyone` included");

    IMPERSONATION_CEILING = Setting::text("impersonation.ceiling",
        "With it, rules may name the tool `callApiAs`, which calls the API of `[api]` as another person \
         (guides/impersonation.md): how long a session of one may last; 1s to 30m")
        .otherwise("nobody acts as anybody else");
    IMPERSONATION_ALLOW_LIVE = Setting::new("impersonation.allow_live", Kind::Switch,
        "Whether people of a production instance may be acted as").default("false");
    IMPERSONATION_EXPOSE_TOKENS = Setting::new("impersonation.expose_tokens", Kind::Switch,
        "Whether results hold the session token that was used: for demonstrations").default("false");
    IMPERSONATION_TEMPLATE = Setting::text("impersonation.template",
        "The JWT template whose tokens the API takes").otherwise("none: session tokens");

    MAX_SESSIONS = Setting::new("limits.max_sessions", Kind::Integer,
        "MCP sessions open at the same time; 1 to 1000000").default("10000");
    MAX_SESSIONS_PER_PERSON = Setting::new("limits.max_sessions_per_person", Kind::Integer,
        "MCP sessions of one person through whatever clients, of one client 100; beyond, the oldest makes room; 1 to 1000000").default("500");
    SESSION_IDLE = Setting::text("limits.session_idle",
        "How long an MCP session may be silent; 1s to 7d").default("30m");
    MAX_CALLS = Setting::new("limits.max_calls", Kind::Integer,
        "Calls under way at the same time, 503 beyond; 1 to 1000000").default("1000");
    MAX_CALLS_PER_PERSON = Setting::new("limits.max_calls_per_person", Kind::Integer,
        "Calls of one person under way at the same time, half of them through one client, 429 beyond; 1 to 1000000")
        .default("512");
    CALLS_PER_SECOND = Setting::new("limits.calls_per_second", Kind::Integer,
        "Calls that one person may begin in a second, ten seconds' worth at once, 429 beyond; 0 is without bound, at most 1000000")
        .default("100");
    MAX_STREAMS = Setting::new("limits.max_streams", Kind::Integer,
        "Streams open at the same time, 503 beyond; 1 to 1000000").default("20000");
    MAX_STREAMS_PER_PERSON = Setting::new("limits.max_streams_per_person", Kind::Integer,
        "Streams that one person has open through whatever clients, 429 beyond; 1 to 1000000").default("1000");
    MAX_STREAMS_PER_CLIENT = Setting::new("limits.max_streams_per_client", Kind::Integer,
        "Streams that one person has open through one client, 429 beyond; 1 to 1000000").default("200");
    PEOPLE_PER_SECOND = Setting::new("limits.people_per_second", Kind::Integer,
        "About how many people Clerk is asked in a second, two requests each, whose clients only wait to hear \
         that their tools have changed; each is asked about once a minute at most. Where Clerk is the \
         authorization server, its tokens that clients wait with take turns with them, three requests each at \
         most. 0 asks about nobody who calls nothing; at most 1000")
        .default("1");
    MAX_CONNECTIONS = Setting::new("limits.max_connections", Kind::Integer,
        "Connections open at the same time, 503 beyond; 1 to 1000000").default("30000");
    MAX_CONNECTIONS_PER_ADDRESS = Setting::new("limits.max_connections_per_address", Kind::Integer,
        "Connections from one address, or one IPv6 network, 429 beyond; those of `trusted_proxies` are not counted; 1 to 1000000").default("2000");
    MAX_BODY = Setting::text("limits.max_body",
        "The largest request body; 1KiB to 64MiB").default("4MiB");
    SHUTDOWN_GRACE = Setting::text("limits.shutdown_grace",
        "How long calls in flight may take to finish at shutdown; 0s to 10m").default("30s");
    AUDIT_QUEUE = Setting::new("limits.audit_queue", Kind::Integer,
        "Audit rows that wait to be written; 1 to 1000000").default("10000");

    AUDIT_FILE = Setting::text("audit.file", "A file for audit rows, one JSON object a line, instead of the database")
        .env("CLERK_MCP_AUDIT_LOG").otherwise("the database");
    AUDIT_KEEP = Setting::text("audit.keep", "How long audit rows stay in the database; 1d to 3650d, \
         or `forever`. Those of a file stay")
        .default("90d");

    TRANSPORTS_SSE = Setting::new("transports.sse", Kind::Switch,
        "Whether `/sse` serves clients of HTTP+SSE, the transport of revision 2024-11-05")
        .default("true");

    DEMO_TOOLS = Setting::new("demo.tools", Kind::Switch,
        "The demonstration's tools `add` and `generateImage`").default("false");
}

/// The setting of this key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    ALL.iter().copied().find(|setting| setting.key == key)
}

/// The secret whose file this key names.
pub(super) fn find_secret_file(key: &str) -> Option<&'static Setting> {
    let key = key.strip_suffix("_file")?;
    find(key).filter(|setting| setting.kind == Kind::Secret)
}

/// Every key that the file may hold.
pub(super) fn keys() -> impl Iterator<Item = String> {
    ALL.iter().map(|setting| match setting.kind {
        Kind::Secret => setting.file_key(),
        _ => setting.key.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_variables_and_flags_are_distinct() {
        let distinct = |names: Vec<&str>| {
            let set: BTreeSet<&&str> = names.iter().collect();
            assert_eq!(set.len(), names.len(), "{names:?}");
        };
        distinct(ALL.iter().map(|setting| setting.key).collect());
        distinct(ALL.iter().filter_map(|setting| setting.env).collect());
        distinct(ALL.iter().filter_map(|setting| setting.flag).collect());
    }

    #[test]
    fn every_secret_has_a_variable_and_no_default() {
        for setting in ALL.iter().filter(|setting| setting.kind == Kind::Secret) {
            assert!(
                setting.env.is_some() && setting.default.is_none(),
                "{setting:?}"
            );
        }
    }
}

//! The configuration of `clerk-mcp serve`: a TOML file, the environment over it, flags over both.
//!
//! Each setting is declared once (`settings`); the loader and docs/CONFIGURATION.md both read that
//! table. Loading is pure: environment and files come from the caller, and all faults come back at
//! once.

mod keys;
mod model;
mod origin;
mod secret;

pub use keys::{Key, KeyError, Keys};
pub use model::{
    AuditConfig, CimdTest, ClerkConfig, ClerkOauth, ClientConfig, Config, Limits, OAuthConfig,
    ScopeConfig, SignIn, StorageConfig, ToolsConfig, TrustedProxies,
};
pub use origin::{Origin, OriginError};
pub use secret::Secret;

//! The configuration of `clerk-mcp serve`: a TOML file, the environment over it, flags over both.
//!
//! Each setting is declared once (`settings`); the loader and docs/CONFIGURATION.md both read that
//! table. Loading is pure: environment and files come from the caller, and all faults come back at
//! once.

mod clerk_section;
mod document;
mod environment;
mod fault;
mod http_tools_section;
mod impersonation_section;
mod keys;
mod load;
mod model;
mod oauth_section;
mod origin;
mod quantity;
#[cfg(test)]
mod reference;
mod rust_tools_section;
#[cfg(test)]
mod rust_tools_tests;
mod secret;
mod settings;
mod sign_in_section;
mod sources;
#[cfg(test)]
mod tests;
mod tools_section;
mod unknown_variables;

pub use environment::Environment;
pub use fault::{ConfigFault, Place, Warning};
pub use keys::Keys;
pub use model::{
    AuditConfig, CimdTest, ClerkConfig, ClerkOauth, ClerkTokens, ClientConfig, Config,
    Impersonation, Limits, OAuthConfig, OwnersApp, SignIn, StorageConfig, ToolsConfig,
    TrustedProxies,
};
pub use origin::{Origin, OriginError};
pub use secret::Secret;
pub use sources::{Flags, Sources};

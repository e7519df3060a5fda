//! Tools over the owner's own API, as data: `[api]` and `[[tools]]` of the configuration, or the
//! operations of an OpenAPI file.
//!
//! An [`HttpTool`] is a definition whose parts are known to fit together. It makes requests
//! ([`HttpTool::build`]) and results ([`HttpTool::shape`]), both pure; [`ApiTool`] calls it.
//!
//! - A request goes to the base URL, whatever the arguments hold: they fill places for values, each
//!   encoded for where it stands, and can change neither host nor the structure of the path nor which
//!   headers there are. JSON bodies are made as values, never as text.
//! - A redirect is followed only below the base URL. Time and size of an answer are bounded while it
//!   arrives.
//! - The credential of a request comes from [`Credential`]; the token of the MCP client is not within
//!   reach.

mod body;
mod build;
mod credential;
mod credential_entry;
mod definitions;
mod entry;
mod executor;
pub(crate) mod fault;
mod fields;
mod listing;
mod machine_entry;
mod openapi;
mod pagination;
mod path;
mod reader;
mod retry_after;
pub(crate) mod schema;
mod shape;
mod source;
mod template;
mod tool;
mod transport;

pub use self::{
    build::{LARGEST_REQUEST, LONGEST_ADDRESS},
    credential::{
        Credential, CredentialFault, CredentialHeader, CredentialKind, FixedCredentials,
        StaticHeader,
    },
    definitions::{Definitions, HttpTools, MOST_TOOLS},
    executor::{ApiTool, SavedValues, Surroundings},
    fault::{ArgumentFault, DefinitionFault, ToolFault},
    listing::CATEGORY,
    machine_entry::MachineConfig,
    openapi::LARGEST_FILE,
    template::Values,
    tool::{Api, DEFAULT_MAX_RESPONSE, DEFAULT_RETRIES, DEFAULT_TIMEOUT, HttpTool, OutputKind},
    transport::{HttpTransport, Transport, TransportFault},
};
pub(crate) use self::{
    definitions::{BASE_URL_VARIABLE, line_of},
    fault::Told,
    tool::title_of,
};

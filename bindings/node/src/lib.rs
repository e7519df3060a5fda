//! The toolkit for Node. JavaScript gets one class, [`Toolkit`], that takes and gives JSON in text:
//! the tools, what they take, what they answer and every error come from here.
//!
//! An error crosses as the message of a JavaScript error, in JSON (see `failure.rs`); the package's
//! `errors.js` makes the error of the right class of it. A panic becomes an error, too.

mod cancel;
mod clients;
mod definitions;
mod failure;
mod guard;
mod machine;
mod member;
mod options;
mod toolkit_class;

pub use cancel::Cancel;
pub use toolkit_class::Toolkit;

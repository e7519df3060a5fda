//! Something of the host's that goes along with a caller.

use std::{any::Any, fmt, sync::Arc};

/// What the host of a server knows of a caller besides, for tools of its own: this crate hands it on
/// and never looks. `Debug` shows none of it, and two are equal if they are one and the same.
#[derive(Clone, Default)]
pub struct Attached(Option<Arc<dyn Any + Send + Sync>>);

impl Attached {
    /// Hands this on.
    #[must_use]
    pub fn new<T: Any + Send + Sync>(value: Arc<T>) -> Self {
        Self(Some(value))
    }

    /// What was handed on, if it is a `T`.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.clone()?.downcast().ok()
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Attached(…)",
            None => "Attached",
        })
    }
}

impl PartialEq for Attached {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for Attached {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_comes_back_as_what_it_is_alone_and_is_never_shown() {
        let secret = Arc::new("a secret".to_owned());
        let attached = Attached::new(Arc::clone(&secret));
        assert_eq!(attached.get::<String>(), Some(secret));
        assert_eq!(attached.get::<u8>(), None);
        assert_eq!(attached, attached.clone());
        assert_ne!(attached, Attached::new(Arc::new("a secret".to_owned())));
        assert_ne!(attached, Attached::default());
        assert!(!format!("{attached:?}").contains("secret"));
    }
}

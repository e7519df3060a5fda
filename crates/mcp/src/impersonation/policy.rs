use std::time::Duration;

use clerk::InstanceKind;

use super::error::ImpersonationError;

/// How long an impersonation may last where nothing else is said.
pub const DEFAULT_CEILING: Duration = Duration::from_secs(10 * 60);

/// How long one may last at most, whatever is said.
pub const LONGEST_CEILING: Duration = Duration::from_secs(30 * 60);

/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// What somebody who may say so has allowed. The default is ten minutes, on development instances,
/// and shows no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    ceiling: Duration,
    allow_live: bool,
    expose_tokens: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ceiling: DEFAULT_CEILING,
            allow_live: false,
            expose_tokens: false,
        }
    }
}

impl Policy {
    /// How long a session may last: whole seconds, from one second to half an hour.
    ///
    /// # Errors
    /// `invalid_arguments` for anything else.
    pub fn with_ceiling(self, ceiling: Duration) -> Result<Self, ImpersonationError> {
        if ceiling.as_secs() == 0 || ceiling > LONGEST_CEILING || ceiling.subsec_nanos() != 0 {
            return Err(ImpersonationError::invalid(
                format!("an impersonation cannot last {ceiling:?}"),
                "it lasts whole seconds, from 1s to 30m",
            ));
        }
        Ok(Self { ceiling, ..self })
    }

    /// Whether people of a production instance may be impersonated.
    #[must_use]
    pub fn allow_live(self, allow_live: bool) -> Self {
        Self { allow_live, ..self }
    }

    /// Whether results of [`CallApiAs`](super::CallApiAs) hold the session token that was used: for
    /// demonstrations.
    #[must_use]
    pub fn expose_tokens(self, expose_tokens: bool) -> Self {
        Self {
            expose_tokens,
            ..self
        }
    }

    /// How long a session may last.
    #[must_use]
    pub fn ceiling(&self) -> Duration {
        self.ceiling
    }

    /// Whether results hold session tokens.
    #[must_use]
    pub fn exposes_tokens(&self) -> bool {
        self.expose_tokens
    }

    /// # Errors
    /// `live_instance` for a production instance that is not allowed.
    pub(super) fn check_instance(&self, instance: InstanceKind) -> Result<(), ImpersonationError> {
        if instance == InstanceKind::Production && !self.allow_live {
            return Err(ImpersonationError::refused(
                "live_instance",
                "this is a production instance: nobody of it is impersonated unless that is allowed",
                "allow it with --allow-live, or `allow_live = true` in [impersonation]",
            ));
        }
        Ok(())
    }
}

/// Why somebody acts as somebody else: what the audit keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Reads a reason: one to 500 characters; invisible ones are written out.
    ///
    /// # Errors
    /// `invalid_arguments` when there is none, or too much.
    pub fn parse(text: &str) -> Result<Self, ImpersonationError> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > LONGEST_REASON {
            return Err(ImpersonationError::invalid(
                format!("a reason of {length} characters is none"),
                "say in a sentence why, such as \"ticket 4711: invoice page is empty\"; at most 500 \
                 characters",
            ));
        }
        let line = text.replace(['\n', '\t'], " ");
        Ok(Self(toolkit::text::escape_str(&line).into_owned()))
    }

    /// The reason, on one line.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_ceiling_is_at_most_half_an_hour() {
        let with = |ceiling| Policy::default().with_ceiling(ceiling);
        assert_eq!(Policy::default().ceiling(), Duration::from_secs(600));
        assert_eq!(with(LONGEST_CEILING).unwrap().ceiling(), LONGEST_CEILING);
        for refused in [
            Duration::ZERO,
            Duration::from_millis(1_500),
            LONGEST_CEILING + Duration::from_secs(1),
        ] {
            assert_eq!(with(refused).unwrap_err().code, "invalid_arguments");
        }
    }

    #[test]
    fn production_has_to_be_allowed() {
        let policy = Policy::default();
        assert!(policy.check_instance(InstanceKind::Development).is_ok());
        let error = policy.check_instance(InstanceKind::Production).unwrap_err();
        assert_eq!(error.code, "live_instance");
        let allowed = policy.allow_live(true);
        assert!(allowed.check_instance(InstanceKind::Production).is_ok());
    }

    #[test]
    fn a_reason_is_a_line_that_forges_nothing() {
        let reason = Reason::parse("  ticket 7\n{\"outcome\":\"ok\"}\u{202e} ").unwrap();
        assert_eq!(reason.as_str(), "ticket 7 {\"outcome\":\"ok\"}\\u{202e}");
        for refused in ["", " \n\t", &"x".repeat(501)] {
            assert_eq!(
                Reason::parse(refused).unwrap_err().code,
                "invalid_arguments"
            );
        }
        assert!(Reason::parse(&"ä".repeat(500)).is_ok());
    }
}

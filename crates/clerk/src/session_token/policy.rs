use std::time::Duration;

/// Clerk's SDKs allow this much between two clocks.
const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// What a session token must be, beyond signed by the instance and in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionTokenPolicy {
    clock_skew: Duration,
    issuer: Option<String>,
    authorized_parties: Vec<String>,
    requires_authorized_party: bool,
    requires_session_category: bool,
}

impl Default for SessionTokenPolicy {
    /// 5 s between clocks; any issuer, since the key already belongs to one instance; any authorized
    /// party.
    fn default() -> Self {
        Self {
            clock_skew: DEFAULT_CLOCK_SKEW,
            issuer: None,
            authorized_parties: Vec::new(),
            requires_authorized_party: false,
            requires_session_category: false,
        }
    }
}

impl SessionTokenPolicy {
    /// How far the clocks of Clerk and of this machine may differ.
    #[must_use]
    pub fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.clock_skew = clock_skew;
        self
    }

    /// The only issuer (`iss`): the address of the instance's Frontend API. A slash at its end does
    /// not matter.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The origins (`azp`) whose tokens are accepted, such as `https://app.example.com`. Name them
    /// wherever a token may come in a cookie, which a sibling domain can set or send. A token without
    /// `azp`, as the Backend API makes them, passes unless one is
    /// [required](Self::require_authorized_party).
    #[must_use]
    pub fn authorized_parties<P: Into<String>>(
        mut self,
        parties: impl IntoIterator<Item = P>,
    ) -> Self {
        self.authorized_parties = parties.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses tokens without `azp`, as Clerk's SDKs do once authorized parties are named.
    #[must_use]
    pub fn require_authorized_party(mut self) -> Self {
        self.requires_authorized_party = true;
        self
    }

    /// Refuses tokens of JWT templates, whose claims are the owner's to choose, and tokens that do not
    /// say what they are (`cat` in the header).
    #[must_use]
    pub fn require_session_category(mut self) -> Self {
        self.requires_session_category = true;
        self
    }

    pub(super) fn requires_session_category(&self) -> bool {
        self.requires_session_category
    }

    pub(super) fn clock_skew_ms(&self) -> u64 {
        u64::try_from(self.clock_skew.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn expected_issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    pub(super) fn accepts_party(&self, azp: Option<&str>) -> bool {
        let trimmed = |party: &str| party.trim_end_matches('/').to_owned();
        match azp {
            None => !self.requires_authorized_party,
            Some(_) if self.authorized_parties.is_empty() => true,
            Some(azp) => self
                .authorized_parties
                .iter()
                .any(|party| trimmed(party) == trimmed(azp)),
        }
    }
}

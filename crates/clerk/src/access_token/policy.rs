use std::time::Duration;

/// Clerk's SDKs allow this much between two clocks.
const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Which access tokens count. Under a new policy none does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokenPolicy {
    pub(super) issuer: String,
    pub(super) clock_skew: Duration,
    pub(super) audiences: Vec<String>,
    pub(super) clients: Vec<String>,
    pub(super) any_client: bool,
    pub(super) machine: Option<String>,
    pub(super) api_keys: bool,
}

impl AccessTokenPolicy {
    /// For tokens of this issuer: the address of the instance's Frontend API. A slash at its end does
    /// not matter.
    #[must_use]
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.trim_end_matches('/').to_owned(),
            clock_skew: DEFAULT_CLOCK_SKEW,
            audiences: Vec::new(),
            clients: Vec::new(),
            any_client: false,
            machine: None,
            api_keys: false,
        }
    }

    /// OAuth access tokens for one of these audiences (`aud`); a slash at the end does not matter.
    /// With [`AccessTokenPolicy::clients`] both must hold.
    #[must_use]
    pub fn audiences<A: Into<String>>(mut self, audiences: impl IntoIterator<Item = A>) -> Self {
        self.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// OAuth access tokens of these clients (`client_id`).
    #[must_use]
    pub fn clients<C: Into<String>>(mut self, clients: impl IntoIterator<Item = C>) -> Self {
        self.clients = clients.into_iter().map(Into::into).collect();
        self
    }

    /// OAuth access tokens of every client of the instance, for whatever they were given.
    #[must_use]
    pub fn any_client(mut self) -> Self {
        self.any_client = true;
        self
    }

    /// Tokens of machines that Clerk allows to talk to this one, `mch_…`: those that name it in their
    /// scopes.
    #[must_use]
    pub fn machine(mut self, machine: impl Into<String>) -> Self {
        self.machine = Some(machine.into());
        self
    }

    /// API keys of users.
    #[must_use]
    pub fn api_keys(mut self) -> Self {
        self.api_keys = true;
        self
    }

    pub(super) fn takes_oauth(&self) -> bool {
        self.any_client || !self.audiences.is_empty() || !self.clients.is_empty()
    }

    pub(super) fn clock_skew_ms(&self) -> u64 {
        u64::try_from(self.clock_skew.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether a token for these audiences is for one of ours.
    pub(super) fn accepts_audience(&self, given: &[String]) -> bool {
        let trimmed = |text: &str| text.trim_end_matches('/').to_owned();
        let is_ours = |audience: &String| {
            let mut own = self.audiences.iter();
            own.any(|own| trimmed(own) == trimmed(audience))
        };
        self.audiences.is_empty() || given.iter().any(is_ours)
    }

    pub(super) fn accepts_client(&self, client_id: &str) -> bool {
        self.clients.is_empty() || self.clients.iter().any(|own| own == client_id)
    }
}

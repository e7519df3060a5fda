//! Scopes (RFC 6749 section 3.3): the sets that clients ask for and people grant, and what this
//! server offers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A scope-token that asks for refresh tokens. It is accepted and changes nothing: refresh tokens
/// are given to every client that may use them, so it is never shown to people nor in challenges.
const OFFLINE_ACCESS: &str = "offline_access";

/// Scopes in the order in which they were named, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(Vec<String>);

impl ScopeSet {
    /// Reads `scope`: scope-tokens separated by single spaces. Lenient about more than one space,
    /// as every known server is. `None` when a token holds a character that RFC 6749 forbids.
    pub fn parse(text: &str) -> Option<Self> {
        text.split(' ').filter(|token| !token.is_empty()).try_fold(
            Self::default(),
            |mut set, token| {
                is_scope_token(token).then(|| {
                    set.insert(token);
                    set
                })
            },
        )
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there is no scope at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `scope` is one of these.
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|one| one == scope)
    }

    /// Whether every scope of `other` is one of these.
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|scope| self.contains(scope))
    }

    /// Those of these scopes for which `keep` says yes.
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(
            self.iter()
                .filter(|scope| keep(scope))
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Those of these scopes that are in `other` too.
    pub fn intersection(&self, other: &Self) -> Self {
        self.filter(|scope| other.contains(scope))
    }

    /// These scopes, then those of `other` that are new.
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        other.iter().for_each(|scope| all.insert(scope));
        all
    }

    fn insert(&mut self, scope: &str) {
        if !self.contains(scope) {
            self.0.push(scope.to_owned());
        }
    }
}

/// As `scope` is written in requests and answers.
impl fmt::Display for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(" "))
    }
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_scope_token(token: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    !token.is_empty() && token.bytes().all(allowed)
}

/// A scope that this server offers, as the consent page explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeDefinition {
    /// The scope-token, for example `tools:read`.
    pub value: String,
    /// What it allows, in a few words.
    pub title: String,
    /// What it allows, in a sentence.
    pub description: String,
}

/// Why a [`ScopePolicy`] cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopePolicyError {
    /// RFC 6749 forbids this text as a scope.
    #[error(
        "`{0}` is no scope\nhint: a scope is printable ASCII without spaces, quotes and backslashes"
    )]
    Grammar(String),
    /// Two definitions name the same scope.
    #[error("the scope `{0}` is defined twice\nhint: remove one of the two")]
    Twice(String),
    /// The first challenge asks for a scope that is not offered.
    #[error("the scope `{0}` is asked for first, but it is not offered\nhint: define it")]
    NotOffered(String),
    /// Nothing is asked for first, so that nobody could ever be let in.
    #[error("no scope is asked for first\nhint: name at least one, `tools:read` for example")]
    NothingFirst,
}

/// The scopes that this server offers, and those it asks for first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopePolicy {
    offered: Vec<ScopeDefinition>,
    first: ScopeSet,
}

impl ScopePolicy {
    /// A policy that offers `offered`, and asks for `first` when nobody is signed in and when a
    /// client asks for no scope of its own.
    ///
    /// # Errors
    /// [`ScopePolicyError`] says which definition is wrong.
    pub fn new(offered: Vec<ScopeDefinition>, first: ScopeSet) -> Result<Self, ScopePolicyError> {
        for (index, definition) in offered.iter().enumerate() {
            let value = &definition.value;
            if !is_scope_token(value) || value == OFFLINE_ACCESS {
                return Err(ScopePolicyError::Grammar(value.clone()));
            }
            if offered
                .iter()
                .take(index)
                .any(|earlier| &earlier.value == value)
            {
                return Err(ScopePolicyError::Twice(value.clone()));
            }
        }
        let policy = Self { offered, first };
        if policy.first.is_empty() {
            return Err(ScopePolicyError::NothingFirst);
        }
        let missing = policy
            .first
            .iter()
            .find(|scope| policy.definition(scope).is_none());
        match missing.map(str::to_owned) {
            Some(missing) => Err(ScopePolicyError::NotOffered(missing)),
            None => Ok(policy),
        }
    }

    /// Every scope on offer, as consent pages explain them.
    pub fn offered(&self) -> &[ScopeDefinition] {
        &self.offered
    }

    /// What the first challenge asks for, and what a request without `scope` means.
    pub fn first(&self) -> &ScopeSet {
        &self.first
    }

    /// How a scope is explained; `None` when it is not offered.
    pub fn definition(&self, scope: &str) -> Option<&ScopeDefinition> {
        self.offered
            .iter()
            .find(|definition| definition.value == scope)
    }

    /// What a client that asks for `requested` can get: those of the scopes that are offered here.
    /// Others are left out silently, as RFC 6749 section 3.3 allows; the answer names what was granted.
    /// Nothing asked, or `offline_access` alone, means what the client registered, else
    /// [`ScopePolicy::first`].
    ///
    /// What a client registered is no bound: clients register the scopes of the first challenge, and
    /// ask for more once a tool needs more. The person decides on each.
    ///
    /// `None` when nothing remains: `invalid_scope`.
    pub fn grantable(
        &self,
        requested: Option<&ScopeSet>,
        registered: Option<&ScopeSet>,
    ) -> Option<ScopeSet> {
        let offered = |set: &ScopeSet| set.filter(|scope| self.definition(scope).is_some());
        let named = requested.map(|set| set.filter(|scope| scope != OFFLINE_ACCESS));
        let granted = match named.filter(|set| !set.is_empty()) {
            Some(named) => offered(&named),
            None => registered
                .map(offered)
                .filter(|set| !set.is_empty())
                .unwrap_or_else(|| offered(&self.first)),
        };
        (!granted.is_empty()).then_some(granted)
    }
}

/// `tools:read`, which is asked for first, and `tools:write`.
impl Default for ScopePolicy {
    fn default() -> Self {
        let definition = |value: &str, title: &str, description: &str| ScopeDefinition {
            value: value.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
        };
        Self {
            offered: vec![
                definition(
                    "tools:read",
                    "Use tools that read",
                    "Look up what you may see: your profile, your organizations and what else your role allows.",
                ),
                definition(
                    "tools:write",
                    "Use tools that change things",
                    "Create, change and delete what your role allows you to.",
                ),
            ],
            first: ScopeSet(vec!["tools:read".to_owned()]),
        }
    }
}

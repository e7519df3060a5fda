//! What must hold of tokens: as much as the judge surely knows, and no more.
//!
//! The server's clock is not read: a token was issued somewhere between the request and its answer.
//! So there is a time when it surely lives, one when it is surely over, and one between, of which
//! nothing is said.

use std::time::Duration;

use crate::plan::Foreign;

/// The lifetimes of the configuration, which are the defaults.
const ACCESS_LIFETIME: Duration = Duration::from_secs(15 * 60);
const REFRESH_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const GRANT_LIFETIME: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// Of the access tokens that Clerk issues.
const CLERKS_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How far Clerk's clock is ahead for a while, more than which no fault of the plan moves it alone.
const CLERK_AHEAD: Duration = Duration::from_secs(10 * 60);
/// By how much the server lets clocks differ (5 s), and the second that Clerk's times are rounded to.
const SKEW: Duration = Duration::from_secs(6);
/// How long the server believes that Clerk has not revoked a token.
const BELIEVED_UNREVOKED: Duration = Duration::from_secs(30);
const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// Half of what the server remembers a redeemed code for.
pub(crate) const CODE_REMEMBERED: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    Access,
    Refresh,
    /// An access token of Clerk's that says itself from when until when it is good.
    Signed {
        from: Duration,
        until: Duration,
    },
    /// One that only Clerk can read.
    Opaque,
    /// What never counts.
    Foreign(Foreign),
}

/// A secret that was issued between two moments.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) value: String,
    pub(crate) earliest: Duration,
    pub(crate) latest: Duration,
}

impl Token {
    fn lifetime(&self) -> Duration {
        match self.kind {
            Kind::Code => CODE_LIFETIME,
            Kind::Access => ACCESS_LIFETIME,
            Kind::Refresh => REFRESH_LIFETIME,
            Kind::Signed { .. } | Kind::Opaque => CLERKS_LIFETIME,
            Kind::Foreign(_) => Duration::ZERO,
        }
    }

    /// Surely not over yet for a server that has answered by `now`.
    pub(crate) fn lives(&self, now: Duration) -> bool {
        match self.kind {
            Kind::Signed { from, until } => now >= from && now < until,
            Kind::Opaque => now + CLERK_AHEAD < self.earliest + self.lifetime(),
            _ => now < self.earliest + self.lifetime(),
        }
    }

    /// Surely over for a server that is asked from `now` on.
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        now >= self.over_from()
    }

    fn over_from(&self) -> Duration {
        match self.kind {
            Kind::Signed { until, .. } => until + SKEW,
            Kind::Opaque => self.latest + self.lifetime() + CLERK_AHEAD,
            _ => self.latest + self.lifetime(),
        }
    }
}

/// What a client holds, and what the judge remembers of it.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) begun: Duration,
    pub(crate) code: Token,
    /// The newest, and those before.
    pub(crate) access: Vec<Token>,
    /// The current refresh token: fresh, or presented with no answer yet.
    pub(crate) refresh: Token,
    /// When it was first presented.
    pub(crate) presented: Option<Duration>,
    /// The successor in an answer that was lost: spent once, not acknowledged.
    pub(crate) successor: Option<String>,
    /// The one before: still good, because nobody has presented its successor.
    pub(crate) previous: Option<Token>,
    /// Those whose successor was used: presenting one ends the grant.
    pub(crate) replaced: Vec<Token>,
}

impl Grant {
    /// Whether this refresh token of the grant surely lives.
    pub(crate) fn refreshes(&self, token: &Token, now: Duration) -> bool {
        token.lives(now) && now < self.begun + GRANT_LIFETIME
    }

    /// The refresh token was rotated: what was fresh is the one before, and the one before that is
    /// over, because its successor has been used.
    pub(crate) fn rotate(&mut self, access: Token, refresh: Token) {
        self.replaced.extend(self.previous.take());
        self.previous = Some(std::mem::replace(&mut self.refresh, refresh));
        self.access.push(access);
        self.presented = None;
        self.successor = None;
    }

    /// The grant has ended: everything is worth nothing from now on.
    pub(crate) fn ended(self) -> impl Iterator<Item = Dead> {
        let refresh = [self.refresh].into_iter().chain(self.previous);
        let all = self.access.into_iter().chain(refresh).chain(self.replaced);
        all.chain([self.code]).map(|token| Dead {
            token,
            from: Duration::ZERO,
        })
    }

    /// Nobody uses the grant any more. What is spent is dead already, the rest once it is over.
    pub(crate) fn left(self) -> impl Iterator<Item = Dead> {
        let refresh = [self.refresh].into_iter().chain(self.previous);
        let living = self.access.into_iter().chain(refresh).map(|token| Dead {
            from: token.over_from(),
            token,
        });
        let spent = self.replaced.into_iter().chain([self.code]);
        living.chain(spent.map(|token| Dead {
            token,
            from: Duration::ZERO,
        }))
    }
}

/// What a client has from Clerk.
#[derive(Clone, Debug)]
pub(crate) struct ClerkGrant {
    /// The one that is used, and others: each counts until it is over.
    pub(crate) access: Vec<Token>,
    pub(crate) refresh: String,
    pub(crate) id_token: String,
}

impl ClerkGrant {
    /// Clerk has revoked it by `now`: what is signed lives on, and the rest is believed for a moment.
    pub(crate) fn revoked(self, now: Duration) -> impl Iterator<Item = Dead> {
        self.access.into_iter().map(move |token| {
            let is_signed = matches!(token.kind, Kind::Signed { .. });
            let from = match is_signed {
                true => token.over_from(),
                false => token.over_from().min(now + BELIEVED_UNREVOKED),
            };
            Dead { token, from }
        })
    }

    /// Nobody uses it any more.
    pub(crate) fn left(self) -> impl Iterator<Item = Dead> {
        self.access.into_iter().map(|token| Dead {
            from: token.over_from(),
            token,
        })
    }
}

/// A token that must not be taken from some moment on, whatever happens.
#[derive(Clone, Debug)]
pub(crate) struct Dead {
    pub(crate) token: Token,
    pub(crate) from: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn token(kind: Kind, value: &str, minute: u32) -> Token {
        Token {
            kind,
            value: value.to_owned(),
            earliest: MINUTE * minute,
            latest: MINUTE * (minute + 1),
        }
    }

    fn grant() -> Grant {
        Grant {
            begun: Duration::ZERO,
            code: token(Kind::Code, "code", 0),
            access: vec![token(Kind::Access, "access 0", 0)],
            refresh: token(Kind::Refresh, "refresh 0", 0),
            presented: None,
            successor: None,
            previous: None,
            replaced: Vec::new(),
        }
    }

    #[test]
    fn nothing_is_said_between_surely_living_and_surely_over() {
        let access = token(Kind::Access, "access", 0);
        assert!(access.lives(MINUTE * 14) && !access.is_over(MINUTE * 14));
        assert!(!access.lives(MINUTE * 15) && !access.is_over(MINUTE * 15));
        assert!(!access.lives(MINUTE * 16) && access.is_over(MINUTE * 16));
    }

    #[test]
    fn a_token_of_clerks_is_judged_by_what_it_says_and_a_revoked_one_a_moment_later() {
        let kind = Kind::Signed {
            from: MINUTE * 10,
            until: MINUTE * 20,
        };
        let signed = token(kind, "signed", 0);
        assert!(!signed.lives(MINUTE * 9) && signed.lives(MINUTE * 10));
        assert!(!signed.lives(MINUTE * 20) && !signed.is_over(MINUTE * 20));
        assert!(signed.is_over(MINUTE * 20 + SKEW));
        // Issued at most a minute apart, and for Clerk it may be ten minutes later or earlier.
        let opaque = token(Kind::Opaque, "opaque", 0);
        let day = MINUTE * 24 * 60;
        assert!(opaque.lives(day - MINUTE * 11) && !opaque.lives(day - MINUTE * 10));
        assert!(!opaque.is_over(day + MINUTE * 10) && opaque.is_over(day + MINUTE * 11));
        let grant = ClerkGrant {
            access: vec![signed.clone(), opaque],
            refresh: String::new(),
            id_token: String::new(),
        };
        let from: Vec<Duration> = grant.revoked(MINUTE).map(|dead| dead.from).collect();
        assert_eq!(from, [MINUTE * 20 + SKEW, MINUTE * 3 / 2]);
    }

    #[test]
    fn the_token_before_is_spent_once_its_successor_was_used() {
        let mut grant = grant();
        for number in 1..=2 {
            let of = |kind: &str| format!("{kind} {number}");
            let access = token(Kind::Access, &of("access"), number);
            grant.rotate(access, token(Kind::Refresh, &of("refresh"), number));
        }
        assert_eq!(grant.refresh.value, "refresh 2");
        assert_eq!(
            grant.previous.as_ref().map(|token| &*token.value),
            Some("refresh 1")
        );
        assert_eq!(grant.replaced[0].value, "refresh 0");
        let from = |dead: Vec<Dead>, value: &str| {
            let found = dead.into_iter().find(|dead| dead.token.value == value);
            found.map(|dead| dead.from)
        };
        let left: Vec<Dead> = grant.clone().left().collect();
        assert_eq!(left.len(), 7);
        assert_eq!(from(left.clone(), "refresh 0"), Some(Duration::ZERO));
        assert_eq!(from(left, "access 2"), Some(MINUTE * 18));
        assert!(grant.ended().all(|dead| dead.from.is_zero()));
    }
}

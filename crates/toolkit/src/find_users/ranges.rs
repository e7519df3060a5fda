/// A part of all users by `created_at`, from `from` (inclusive) up to `to` (exclusive), in Unix
/// milliseconds; open where `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    from: Option<u64>,
    to: Option<u64>,
}

impl Range {
    pub(super) const ALL: Self = Self {
        from: None,
        to: None,
    };

    /// Clerk does not document whether its bounds belong to the range, so that one millisecond more
    /// is asked for on either side; [`Range::holds`] then decides.
    pub(super) fn after(&self) -> Option<u64> {
        self.from.map(|from| from.saturating_sub(1))
    }

    pub(super) fn before(&self) -> Option<u64> {
        self.to
    }

    pub(super) fn holds(&self, created_at: Option<u64>) -> bool {
        match created_at {
            Some(at) => self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to),
            None => *self == Self::ALL || self.to.is_none(),
        }
    }
}

/// Splits the time from `oldest` to `newest` into at most `parts` ranges, newest first. The first
/// and the last are open, so that together they hold every user.
pub(super) fn split(oldest: u64, newest: u64, parts: usize) -> Vec<Range> {
    let span = newest.saturating_sub(oldest);
    let parts = (parts as u64).clamp(1, span.max(1));
    let edge = |index: u64| {
        oldest
            + u64::try_from(u128::from(span) * u128::from(index) / u128::from(parts))
                .unwrap_or(span)
    };
    (0..parts)
        .rev()
        .map(|index| Range {
            from: (index > 0).then(|| edge(index)),
            to: (index + 1 < parts).then(|| edge(index + 1)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_moment_is_in_exactly_one_range(oldest in 0_u64..1 << 41, span in 0_u64..1 << 40,
                                                parts in 1_usize..9, at in 0_u64..1 << 42) {
            let ranges = split(oldest, oldest + span, parts);
            prop_assert_eq!(ranges.iter().filter(|range| range.holds(Some(at))).count(), 1);
        }

        #[test]
        fn a_user_without_a_time_is_in_exactly_one_range(parts in 1_usize..9) {
            let ranges = split(1_000, 2_000, parts);
            prop_assert_eq!(ranges.iter().filter(|range| range.holds(None)).count(), 1);
        }

        #[test]
        fn newer_ranges_come_first(oldest in 0_u64..1 << 41, span in 10_u64..1 << 40) {
            let ranges = split(oldest, oldest + span, 4);
            for pair in ranges.windows(2) {
                prop_assert_eq!(pair[0].from, pair[1].to);
            }
        }
    }
}

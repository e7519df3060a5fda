//! The packed permissions of a version 2 token.
//!
//! `fea` lists features with their scope (`o:dashboard,u:beta,uo:teams`), `per` the actions, and
//! number i of `fpm` belongs to the i-th feature *of the organization*: its bit j, lowest first,
//! says whether action j is allowed there.

/// The permissions (`org:dashboard:manage`), feature by feature.
///
/// A part that cannot be read gives none: too few permissions do no harm.
pub(super) fn decode(features: &str, actions: &str, masks: &str) -> Vec<String> {
    let Some(features) = organization_features(features) else {
        return Vec::new();
    };
    if actions.is_empty() || masks.is_empty() {
        return Vec::new();
    }
    let actions: Vec<&str> = actions.split(',').map(str::trim).collect();
    let masks = masks.split(',').map(str::trim);
    let mut permissions = Vec::new();
    for (feature, mask) in features.into_iter().zip(masks) {
        let bits = lowest_bits(mask, actions.len());
        let allowed = actions.iter().zip(bits).filter(|(_, allowed)| *allowed);
        permissions.extend(allowed.map(|(action, _)| format!("org:{feature}:{action}")));
    }
    permissions
}

/// The features of scope `o`, `uo` or `ou`. `None` if one has no scope: then their order is unsure.
fn organization_features(features: &str) -> Option<Vec<&str>> {
    let mut of_organization = Vec::new();
    for part in features.split(',').filter(|part| !part.is_empty()) {
        let (scope, name) = part.trim().split_once(':')?;
        if matches!(scope, "o" | "uo" | "ou") {
            of_organization.push(name);
        }
    }
    Some(of_organization)
}

/// The `count` lowest bits of a decimal number of any length; none if it is no number.
fn lowest_bits(decimal: &str, count: usize) -> Vec<bool> {
    if decimal.is_empty() || !decimal.bytes().all(|digit| digit.is_ascii_digit()) {
        return Vec::new();
    }
    let mut digits: Vec<u8> = decimal.bytes().map(|digit| digit - b'0').collect();
    let mut bits = Vec::with_capacity(count);
    while bits.len() < count {
        // Halves the number, digit by digit; what is left over is the lowest bit.
        let mut rest = 0;
        for digit in &mut digits {
            let value = rest * 10 + *digit;
            *digit = value / 2;
            rest = value % 2;
        }
        bits.push(rest == 1);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn decodes_the_documented_example() {
        let permissions = decode("o:dashboard,o:teams", "manage,read", "3,2");
        assert_eq!(
            permissions,
            [
                "org:dashboard:manage",
                "org:dashboard:read",
                "org:teams:read"
            ]
        );
    }

    #[test]
    fn features_of_users_have_no_mask() {
        assert_eq!(
            decode("u:beta,uo:teams,o:api", "read", "0,1"),
            ["org:api:read"]
        );
    }

    #[test]
    fn what_cannot_be_read_gives_none() {
        for (features, actions, masks) in [
            ("", "read", "1"),
            ("o:a", "", "1"),
            ("o:a", "read", ""),
            ("o:a", "read", "-1"),
            ("o:a", "read", "x"),
            ("a,o:b", "read", "1,1"),
        ] {
            assert!(decode(features, actions, masks).is_empty(), "{features}");
        }
    }

    /// Decimal digits of a number given by its bits, lowest first.
    fn decimal(bits: &[bool]) -> String {
        let mut digits = vec![0_u8];
        for bit in bits.iter().rev() {
            let mut carry = u8::from(*bit);
            for digit in digits.iter_mut().rev() {
                let value = *digit * 2 + carry;
                *digit = value % 10;
                carry = value / 10;
            }
            if carry > 0 {
                digits.insert(0, carry);
            }
        }
        digits.iter().map(|d| char::from(b'0' + d)).collect()
    }

    fn feature() -> impl Strategy<Value = (bool, String)> {
        (any::<bool>(), "[a-z_]{1,6}")
    }

    proptest! {
        #[test]
        fn decodes_what_was_encoded(
            features in prop::collection::btree_map("[a-z_]{1,6}", any::<bool>(), 0..8),
            actions in prop::collection::btree_set("[a-z_]{1,6}", 1..90),
            held in prop::collection::vec(any::<bool>(), 720),
        ) {
            let actions: Vec<_> = actions.into_iter().collect();
            let mut expected = BTreeSet::new();
            let (mut fea, mut fpm) = (Vec::new(), Vec::new());
            for (index, (name, of_organization)) in features.iter().enumerate() {
                fea.push(format!("{}:{name}", if *of_organization { "o" } else { "u" }));
                if !of_organization {
                    continue;
                }
                let bits = &held[index * 90..][..actions.len()];
                fpm.push(decimal(bits));
                expected.extend(actions.iter().zip(bits).filter(|(_, held)| **held)
                    .map(|(action, _)| format!("org:{name}:{action}")));
            }
            let decoded = decode(&fea.join(","), &actions.join(","), &fpm.join(","));
            prop_assert_eq!(decoded.len(), expected.len());
            prop_assert_eq!(decoded.into_iter().collect::<BTreeSet<_>>(), expected);
        }

        #[test]
        fn never_panics(f in ".{0,20}", (_, a) in feature(), m in "[0-9,]{0,40}") {
            decode(&f, &a, &m);
        }
    }
}

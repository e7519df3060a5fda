//! Session tokens of Clerk.

use clerk::{JsonWebKeySet, SessionTokenPolicy, verify_session_token};

use crate::parts::text;

const KEYS: &str = include_str!("../../../crates/clerk/tests/support/keys/session.jwks.json");
const NOW: u64 = 1_790_000_000_000;

/// The one token that the instance has signed: for the user `user_a` in the session `sess_a`.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Imluc190ZXN0IiwiY2F0IjoiY2xfQjdkNFBEMTExQUFBIn0.eyJ2IjoyLCJzdWIiOiJ1c2VyX2EiLCJzaWQiOiJzZXNzX2EiLCJzdHMiOiJhY3RpdmUiLCJpc3MiOiJodHRwczovL2NsZXJrLnRlc3QiLCJpYXQiOjE3OTAwMDAwMDAsImV4cCI6MTc5MDAwMDA2MH0.MfUf-qWWvC7mqDP_l4R8L4ahETZmP5Y9AqAWxV9aSTgXU6pIzkTMl4Ic5x0rwzJYba78WghoshAeXE-qmHKFWbqfO_BRnccfTdo78uKWwh8dWnosiBadNuwEyWD7WP9NRw5u_eK0icTTkOYNfvoYleqDFJOdIx_sKoaTQ467mxxvsWfHEVhmNoCvmWWEcRoxmFZ1Ksrx4NJShUgswmiAXU9wgQT-GEx2EEfT9c7e14PSalpJPHXxgIHzXJgwtATNSgb6By5AWTUzQeEWyYc4_5csam5xvVVtUDlL1R27gapw87wkmt0shd588pAmoI3Ec80UYU5cbLGTjoH93t57iQ";

pub(crate) const SEEDS: &[&str] = &[
    TOKEN,
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyX2EifQ.",
    "eyJhbGciOiJIUzI1NiIsImtpZCI6Imluc190ZXN0IiwiY2F0IjoiY2xfQjdkNFBEMTExQUFBIn0.eyJzdWIiOiJ1c2VyX2EiLCJzaWQiOiJzZXNzX2EifQ.AAAA",
    "..",
];

pub(crate) fn run(input: &[u8]) -> bool {
    let Some(token) = text(input) else {
        return false;
    };
    let keys = JsonWebKeySet::parse(KEYS).unwrap();
    match verify_session_token(token, &keys, NOW, &SessionTokenPolicy::default()) {
        Ok(claims) => {
            assert_eq!(token, TOKEN);
            assert_eq!(
                (claims.user_id.as_str(), claims.session_id.as_str()),
                ("user_a", "sess_a")
            );
            true
        }
        Err(error) => {
            assert_ne!(token, TOKEN);
            let shown = format!("{error} {error:?}");
            assert!(token.len() < 20 || !shown.contains(token), "{shown}");
            assert_eq!(error.status(), 401);
            false
        }
    }
}

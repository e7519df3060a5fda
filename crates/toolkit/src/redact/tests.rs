use super::*;
use proptest::prelude::*;
use serde_json::json;

const SCOPED: Policy = Policy {
    private_metadata: false,
    ticket_urls: false,
};
const ALLOWED: Policy = Policy {
    private_metadata: true,
    ticket_urls: true,
};

fn redacted(mut value: Value, policy: &Policy) -> (Value, Redacted) {
    let counts = redact(&mut value, policy);
    (value, counts)
}

#[test]
fn removes_private_metadata_at_every_depth() {
    let value = json!({
        "private_metadata": {"a": 1},
        "data": [{"privateMetadata": [1], "id": "u1"}],
        "public_metadata": {"plan": "pro", "private_metadata": {}, "note": "private_metadata"},
    });
    let (result, counts) = redacted(value.clone(), &SCOPED);
    assert_eq!(
        result,
        json!({"data": [{"id": "u1"}], "public_metadata": {"plan": "pro", "note": "private_metadata"}})
    );
    assert_eq!(
        counts,
        Redacted {
            private_metadata: 2,
            ..Redacted::default()
        }
    );
    assert_eq!(
        redacted(value.clone(), &ALLOWED),
        (value, Redacted::default())
    );
}

#[test]
fn hides_what_signs_somebody_in() {
    for kind in TICKET_OBJECTS {
        let value = json!({"object": kind, "id": "x", "url": "https://a.example/1", "token": "t"});
        let (result, counts) = redacted(value.clone(), &SCOPED);
        let hidden = json!(REDACTION_MARKER);
        assert_eq!(
            result,
            json!({"object": kind, "id": "x", "url": hidden, "token": hidden})
        );
        assert_eq!(counts.ticket_urls, 2);
        assert_eq!(
            redacted(value.clone(), &ALLOWED),
            (value, Redacted::default())
        );
    }
    let domain = json!({"object": "domain", "url": "https://a.example/1"});
    assert_eq!(redacted(domain.clone(), &SCOPED).0, domain);
}

#[test]
fn recognises_ticket_urls_anywhere() {
    let tickets = [
        "https://a.example/v1/tickets/accept?ticket=ey",
        "https://a.example/?x=1&__clerk_ticket=ey",
        "https://a.example/#/in?__clerk_db_jwt=dvb_1",
        "https://a.example/?rotating_token=r",
        "https://a.example/?__clerk%5Fticket=ey",
        "https://a.example/?redirect_url=https%3A%2F%2Fb.example%2F%3F__clerk_ticket%3Dey",
        "https://a.example/?r=https%253A%252F%252Fb%252F%253Fticket%253Dey",
        "Join: https://a.example/?a=1&amp;__clerk_ticket=ey !",
        "/sign-up?ticket=ey",
    ];
    for ticket in tickets {
        let (result, counts) = redacted(json!({"public_metadata": {"deep": [ticket]}}), &SCOPED);
        assert_eq!(
            result["public_metadata"]["deep"][0], REDACTION_MARKER,
            "{ticket}"
        );
        assert_eq!(
            counts,
            Redacted {
                ticket_urls: 1,
                ..Redacted::default()
            }
        );
    }
    for text in [
        "https://a.example/ticket?id=1",
        "https://a.example/?ticket=",
        "https://a.example/?ticket_id=7",
        "which? ticket=5",
        "%",
        "%zz%4",
        "?=&=",
    ] {
        assert_eq!(redacted(json!(text), &SCOPED).0, text);
    }
}

#[test]
fn hides_secrets_but_not_the_owners_data() {
    let names = [
        "token",
        "jwt",
        "secret",
        "client_secret",
        "secret_key",
        "ticket",
        "password",
        "password_digest",
        "totp_secret",
        "backup_codes",
        "signing_secret",
        "api_key",
        "access_token",
        "refresh_token",
        "nonce",
        "clientSecret",
        "Api-Key",
    ];
    for name in names {
        for secret in [json!("s"), json!(["s", "t"])] {
            let (result, counts) = redacted(json!([{name: secret.clone()}]), &ALLOWED);
            assert_eq!(result, json!([{name: REDACTION_MARKER}]), "{name}");
            assert_eq!(
                counts,
                Redacted {
                    secrets: 1,
                    ..Redacted::default()
                }
            );
            for metadata in ["public_metadata", "unsafeMetadata", "private_metadata"] {
                let own = json!({metadata: {"x": {name: secret.clone(), "object": "invitation", "url": "u"}}});
                assert_eq!(redacted(own.clone(), &ALLOWED).0, own);
            }
        }
        for plain in [
            json!(null),
            json!(true),
            json!(""),
            json!([]),
            json!([""]),
            json!({"enabled": true}),
        ] {
            let value = json!({name: plain});
            assert_eq!(
                redacted(value.clone(), &SCOPED),
                (value, Redacted::default())
            );
        }
    }
    let nested = json!({"password": {"secret": "s"}, "token": [null, "s", {"jwt": "s"}]});
    let hidden = REDACTION_MARKER;
    assert_eq!(
        redacted(nested, &SCOPED).0,
        json!({"password": {"secret": hidden}, "token": [null, hidden, {"jwt": hidden}]})
    );
    let similar = json!({"token_id": "a", "password_enabled": "b", "secrets_count": "c"});
    assert_eq!(redacted(similar.clone(), &SCOPED).0, similar);
}

#[test]
fn finds_markers_in_every_disguise() {
    assert_eq!(squash(REDACTION_MARKER), SQUASHED_MARKER);
    for text in [
        REDACTION_MARKER,
        "[REDACTED by Clerk-MCP]",
        "see [redacted by clerk-mcp]!",
        "redacted by clerk-mcp",
        "[redacted  by\u{200b} clerk_mcp]",
        "\\u005bredacted\\u0020by\\u{20}clerk-mcp\\u005d",
        "%5Bredacted%20by%20clerk-mcp%5D",
        "%255Bredacted%2520by%2520clerk-mcp",
        "redacted+by+clerk-mcp",
        "&#91;redacted by clerk-mcp&#93;",
    ] {
        assert_eq!(
            find_marker(&json!({"a/b": [1, {"~": text}]})).unwrap(),
            "/a~1b/1/~0",
            "{text}"
        );
        assert_eq!(
            find_marker(&json!({text: 1})).unwrap().matches('/').count(),
            1
        );
        assert_eq!(find_marker(&json!(text)).unwrap(), "");
    }
    for text in [
        "",
        "redacted",
        "by clerk-mcp",
        "redacted by somebody",
        "\\u",
        "\\u{",
        "\\u12é",
    ] {
        assert_eq!(find_marker(&json!([text, {text: null}])), None);
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[/?&=%#0-9a-f]{0,8}(__clerk_ticket=x)?".prop_map(Value::from),
        Just(json!("SECRET")),
    ];
    let key = prop_oneof![
        "private_?[mM]etadata|public_metadata|object|url|token|secret|backup_codes|data|id",
        any::<String>(),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Whether something is left that [`SCOPED`] hides.
fn leaks(value: &Value, in_metadata: bool) -> bool {
    match value {
        Value::String(text) => holds_ticket(text),
        Value::Array(items) => items.iter().any(|item| leaks(item, in_metadata)),
        Value::Object(object) => object.iter().any(|(key, member)| {
            is_named(key, &PRIVATE_METADATA)
                || (!in_metadata && is_named(key, &SECRETS) && *member == json!("SECRET"))
                || leaks(member, in_metadata || is_named(key, &METADATA))
        }),
        _ => false,
    }
}

#[test]
fn what_was_hidden_in_a_list_stays_as_it_is() {
    let (once, counts) = redacted(json!({ "token": [["a"], [["b", "c"]]] }), &SCOPED);
    assert_eq!(counts.secrets, 2);
    let (twice, again) = redacted(once.clone(), &SCOPED);
    assert_eq!(twice, once);
    assert!(again.is_empty());
    // A secret beside a marker is one still.
    let (list, counts) = redacted(json!({ "token": [REDACTION_MARKER, "d"] }), &SCOPED);
    assert_eq!(
        (list, counts.secrets),
        (json!({ "token": REDACTION_MARKER }), 1)
    );
}

proptest! {
    #[test]
    fn nothing_leaks_and_twice_is_once(value in document()) {
        let (once, counts) = redacted(value.clone(), &SCOPED);
        prop_assert!(!leaks(&once, false), "{}", once);
        let changed = counts.ticket_urls + counts.secrets > 0;
        prop_assert_eq!(find_marker(&once).is_some(), changed);
        let (twice, again) = redacted(once.clone(), &SCOPED);
        prop_assert_eq!(twice, once);
        prop_assert!(again.is_empty());
    }

    #[test]
    fn markers_are_found_wherever_they_are(
        before in any::<String>(), after in any::<String>(), value in document(),
    ) {
        let text = format!("{before}{REDACTION_MARKER}{after}");
        let written = json!([value, {"x": text.to_uppercase()}]);
        let pointer = find_marker(&written).unwrap();
        prop_assert!(written.pointer(&pointer).is_some());
    }

    #[test]
    fn any_text_is_answered(text in prop_oneof![any::<String>(), "[%u\\\\{}0-9a-f?=é]{0,20}"]) {
        let _ = (holds_ticket(&text), holds_marker(&text), percent_decode(&text), unescape(&text));
    }
}

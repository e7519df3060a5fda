//! Ids and path segments: what is let through stays one segment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use clerk_mcp_clerk::{IdError, IdKind, Request, check_id, check_segment, encode_segment};
use http::Method;
use proptest::prelude::*;

#[test]
fn ids_of_their_kind_pass() {
    for (kind, id) in [
        (IdKind::User, "user_2abcDEF1234567890abcdefghij"),
        (IdKind::User, "user_legacy-42"),
        (IdKind::Organization, "org_2abc"),
        (IdKind::OrganizationInvitation, "orginv_2abc"),
        (IdKind::Invitation, "inv_2abc"),
        (IdKind::Membership, "orgmem_2abc"),
        (IdKind::Session, "sess_2abc"),
        (IdKind::EmailAddress, "idn_2abc"),
    ] {
        assert_eq!(check_id(kind, id), Ok(()), "{id}");
    }
}

#[test]
fn a_wrong_prefix_says_what_was_given() {
    let cases = [
        (
            IdKind::User,
            "org_2abc",
            "\"org_2abc\" is not the id of a user\n\
             hint: the id of a user starts with user_; the given one is that of an organization",
        ),
        (
            IdKind::Invitation,
            "orginv_2abc",
            "\"orginv_2abc\" is not the id of an invitation\n\
             hint: the id of an invitation starts with inv_; the given one is that of an \
             organization invitation",
        ),
        (
            IdKind::User,
            "ada@example.com",
            "\"ada@example.com\" is not the id of a user\n\
             hint: the id of a user starts with user_; the given value looks like an email \
             address: look up the id first",
        ),
        (
            IdKind::Session,
            "2abc",
            "\"2abc\" is not the id of a session\nhint: the id of a session starts with sess_",
        ),
        (
            IdKind::PhoneNumber,
            "sk_test_abcdef",
            "(a value that looks like a secret, not shown) is not the id of a phone number\n\
             hint: the id of a phone number starts with idn_",
        ),
    ];
    for (kind, value, expected) in cases {
        assert_eq!(check_id(kind, value).unwrap_err().to_string(), expected);
    }
}

#[test]
fn ids_that_would_leave_their_place_are_refused() {
    for value in [
        "",
        "user_",
        "user_a/b",
        "user_a%2Fb",
        "user_..",
        "user_a?b",
        "user_a#b",
        "user_a b",
        "user_a\n",
        "user_ä",
        "user_a\\b",
        "user_a.b",
        "USER_a",
        " user_a",
    ] {
        assert!(check_id(IdKind::User, value).is_err(), "{value:?}");
    }
    let long = format!("user_{}", "a".repeat(251));
    assert_eq!(
        check_id(IdKind::User, &long),
        Err(IdError::TooLong { length: 256 })
    );
    assert_eq!(check_id(IdKind::User, &long[..255]), Ok(()));
}

#[test]
fn every_prefix_is_recognised() {
    for kind in IdKind::ALL {
        let found = IdKind::of(&format!("{}1", kind.prefix())).unwrap();
        assert_eq!(found.prefix(), kind.prefix());
    }
    assert_eq!(IdKind::of("ada"), None);
}

#[test]
fn segments_that_leave_their_place_are_refused() {
    for value in [
        "",
        ".",
        "..",
        "..;",
        ".;x=1",
        "..%3b",
        "..%253B",
        "a/b",
        "/",
        "a\\b",
        "a?b",
        "a#b",
        "a\u{0}",
        "a\nb",
        "\u{7f}",
        "\u{85}",
        "%2e",
        "%2E%2e",
        ".%2e",
        "%252e%252e",
        "a%2fb",
        "a%252Fb",
        "a%25252fb",
        "%5c",
        "%3f",
        "%23",
        "%00",
        "%250a",
        "..%2f",
    ] {
        assert!(check_segment(value).is_err(), "{value:?}");
    }
    let mut deep = "..".to_owned();
    for _ in 0..30 {
        deep = deep.replace('.', "%2e").replace('%', "%25");
        if deep.len() > 255 {
            break;
        }
        assert!(check_segment(&deep).is_err(), "{deep:?}");
    }
    for value in [
        "acme", "100%", "a.b", "...", "ä", "a b", "a@b.c", "%zz", "a%20b", "{x}", "~",
    ] {
        assert_eq!(check_segment(value), Ok(()), "{value:?}");
    }
    assert_eq!(
        check_segment(&"a".repeat(256)),
        Err(IdError::TooLong { length: 256 })
    );
}

#[test]
fn a_request_builds_its_address() {
    let request = Request::new(
        "updateMember",
        Method::PATCH,
        "/organizations/{slug}/m/{user_id}",
    )
    .path_parameter("slug", "a {user_id} b")
    .unwrap()
    .path_parameter("user_id", "user_1")
    .unwrap()
    .query("user_id", "a")
    .query("user_id", "b&c=d")
    .query(String::from("q[]"), "ä /?#");
    assert_eq!(
        request.path_and_query().unwrap(),
        "/organizations/a%20%7Buser_id%7D%20b/m/user_1\
         ?user_id=a&user_id=b%26c%3Dd&q%5B%5D=%C3%A4%20%2F%3F%23"
    );
}

#[test]
fn a_request_refuses_what_does_not_fit() {
    let request = || Request::new("getUser", Method::GET, "/users/{user_id}");
    assert_eq!(
        request().path_and_query().unwrap_err().to_string(),
        "getUser: the parameter user_id has no value\nhint: give a value for user_id"
    );
    assert_eq!(
        request().path_parameter("id", "1").unwrap_err().to_string(),
        "getUser: the path has no parameter \"id\"\nhint: use a name that the path has"
    );
    assert_eq!(
        request()
            .path_parameter("user_id", "../clients")
            .unwrap_err()
            .to_string(),
        "user_id: \"../clients\" cannot be one part of an address\n\
         hint: it must not be '.' or '..', nor hold '/', '\\', '?', '#' or control characters, \
         also not percent-encoded"
    );
    assert_eq!(
        request()
            .path_parameter("user_id", "")
            .unwrap_err()
            .to_string(),
        "user_id: the value is empty\nhint: give a value"
    );
}

#[test]
fn debug_shows_neither_body_nor_query_values() {
    let request = Request::new("createUser", Method::POST, "/users")
        .query("q", "ada@example.com")
        .body(serde_json::json!({"password": "hunter2"}));
    let shown = format!("{request:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("ada@"),
        "{shown}"
    );
    assert!(shown.contains("createUser"), "{shown}");
}

fn one_segment_after_parsing(value: &str) -> Result<(), TestCaseError> {
    let path = Request::new("x", Method::GET, "/a/{value}/b")
        .path_parameter("value", value)
        .unwrap()
        .query("q", value)
        .path_and_query()
        .unwrap();
    let url = url::Url::parse(&format!("https://api.clerk.com/v1{path}")).unwrap();
    let segments: Vec<&str> = url.path_segments().unwrap().collect();
    let encoded = encode_segment(value);
    prop_assert_eq!(segments, vec!["v1", "a", encoded.as_str(), "b"]);
    prop_assert_eq!(url.fragment(), None);
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    prop_assert_eq!(pairs, vec![("q".to_owned(), value.to_owned())]);
    let uri: http::Uri = format!("https://api.clerk.com/v1{path}").parse().unwrap();
    prop_assert_eq!(uri.path(), url.path());
    Ok(())
}

/// What a proxy sees that decodes once too often.
fn stays_one_segment_when_decoded(value: &str) -> Result<(), TestCaseError> {
    let url = url::Url::parse("https://x/v1/a")
        .unwrap()
        .join(&format!("a/{value}/b"));
    if let Ok(url) = url {
        prop_assert_eq!(url.path_segments().unwrap().count(), 4, "{}", url);
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_passes_as_segment_stays_one_segment(value in "[%./\\\\?#a-f0-9 é{}:@&=+]{1,20}") {
        if check_segment(&value).is_ok() {
            one_segment_after_parsing(&value)?;
            stays_one_segment_when_decoded(&value)?;
        }
    }

    #[test]
    fn whatever_passes_of_any_text_stays_one_segment(value in ".{0,40}") {
        if check_segment(&value).is_ok() {
            one_segment_after_parsing(&value)?;
        }
    }

    #[test]
    fn whatever_passes_as_id_passes_as_segment(body in "[A-Za-z0-9_%./-]{0,40}") {
        let value = format!("user_{body}");
        if check_id(IdKind::User, &value).is_ok() {
            prop_assert_eq!(check_segment(&value), Ok(()));
            prop_assert_eq!(encode_segment(&value), value.as_str());
            one_segment_after_parsing(&value)?;
        }
    }
}

//! Lists of users: filters, orderings, pages.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{AVA, DAY, Fixture, NOAH, NORTHWIND, NOW, PRIYA, pluck, seed};
use proptest::prelude::*;

fn ids(fixture: &Fixture, query: &str) -> Vec<String> {
    pluck(
        &fixture.get(&format!("/v1/users?limit=500&{query}")).ok(),
        "id",
    )
}

#[test]
fn ten_newest_users_come_first() {
    let users = Fixture::new().get("/v1/users").ok();
    let users = users.as_array().unwrap();
    assert_eq!(users.len(), 10);
    assert_eq!(users[0]["first_name"], "Ruby");
    assert!(
        users
            .windows(2)
            .all(|pair| pair[0]["created_at"].as_u64() > pair[1]["created_at"].as_u64())
    );
}

#[test]
fn every_filter_filters() {
    let fixture = Fixture::new();
    let cases = [
        (
            "email_address=ava.mitchell@northwind.example&email_address=nobody@example.com",
            1,
        ),
        ("phone_number=%2B14155550101", 1),
        ("external_id=crm-1001&external_id=crm-1002", 2),
        ("external_id=-crm-1001", 29),
        ("username=AVA_mitchell", 1),
        ("web3_wallet=0x52908400098527886E0F7030069857D2E4169EE7", 1),
        ("query=mitchell", 1),
        ("query=ava%20mitch", 1),
        ("query=northwind.example", 3),
        ("email_address_query=LUMEN", 3),
        ("phone_number_query=55501", 3),
        ("username_query=lucas", 1),
        ("name_query=connor", 1),
        ("banned=true", 2),
        ("banned=false", 28),
        (
            "provider=oauth_google&provider_user_id=109876543210987654321",
            1,
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&fixture, query).len(), expected, "{query}");
        let count = fixture.get(&format!("/v1/users/count?{query}")).ok();
        assert_eq!(count["total_count"], expected, "{query}");
    }
    assert_eq!(
        ids(&fixture, &format!("user_id={AVA}&user_id=%2B{NOAH}")).len(),
        2
    );
    assert_eq!(ids(&fixture, &format!("user_id=-{AVA}")).len(), 29);
    let of_northwind = ids(&fixture, &format!("organization_id={NORTHWIND}"));
    assert!(of_northwind.contains(&PRIYA.to_owned()) && of_northwind.len() == 4);
    assert_eq!(
        ids(&fixture, &format!("organization_id=-{NORTHWIND}")).len(),
        26
    );
}

#[test]
fn times_bound_a_list() {
    let fixture = Fixture::new();
    let month_ago = NOW - 30 * DAY;
    assert_eq!(
        ids(&fixture, &format!("created_at_after={month_ago}")).len(),
        3
    );
    assert_eq!(
        ids(&fixture, &format!("created_at_before={month_ago}")).len(),
        26
    );
    let day_ago = NOW - DAY;
    let active = ids(&fixture, &format!("last_active_at_after={day_ago}")).len();
    let idle = ids(&fixture, &format!("last_active_at_before={day_ago}")).len();
    assert_eq!(active + idle, 27, "three users were never active");
    assert_eq!(
        ids(&fixture, &format!("last_sign_in_at_after={day_ago}")).len(),
        active
    );
    assert_eq!(
        ids(&fixture, &format!("last_sign_in_at_before={day_ago}")).len(),
        idle
    );
    assert_eq!(
        ids(
            &fixture,
            &format!("last_active_at_since={}", NOW - 3_600_000)
        )
        .len(),
        1
    );
}

#[test]
fn every_order_orders_all() {
    let fixture = Fixture::new();
    let names = [
        "created_at",
        "updated_at",
        "email_address",
        "web3wallet",
        "first_name",
        "last_name",
        "phone_number",
        "username",
        "last_active_at",
        "last_sign_in_at",
    ];
    for name in names {
        for sign in ["", "%2B", "-"] {
            assert_eq!(
                ids(&fixture, &format!("order_by={sign}{name}")).len(),
                30,
                "{sign}{name}"
            );
        }
    }
    let list = fixture
        .get("/v1/users?order_by=first_name&limit=2&order_by=created_at")
        .ok();
    assert_eq!(pluck(&list, "first_name"), ["Amelia", "Arjun"]);
    let last = fixture
        .get("/v1/users?order_by=-last_active_at&limit=1")
        .ok();
    assert_eq!(pluck(&last, "id"), [AVA]);
}

#[test]
fn wrong_queries_are_refused() {
    let fixture = Fixture::new();
    let refused = |query: &str, code: &str| {
        fixture
            .get(&format!("/v1/users?{query}"))
            .refused(422, code);
    };
    refused("order_by=shoe_size", "form_param_value_invalid");
    refused("limit=0", "form_param_value_invalid");
    refused("limit=501", "form_param_value_too_large");
    refused("offset=-1", "form_param_type_invalid");
    refused("banned=perhaps", "form_param_type_invalid");
    refused("created_at_after=yesterday", "form_param_type_invalid");
    refused("provider=oauth_google", "form_conditional_param_missing");
    refused("provider_user_id=1", "form_conditional_param_missing");
    refused(
        &"user_id=user_1&".repeat(101),
        "form_param_array_size_exceeded",
    );
    refused("starting_after=user_nobody", "form_resource_not_found");
    refused(
        &format!("starting_after={AVA}&order_by=username"),
        "form_conditional_param_disallowed",
    );
    refused(
        &format!("starting_after={AVA}&offset=1"),
        "form_conditional_param_disallowed",
    );
}

#[test]
fn a_hundred_thousand_users_are_walked_by_cursor() {
    let fixture = Fixture::seeded(&seed("generate = { users = 100000 }"));
    assert_eq!(fixture.get("/v1/users/count").ok()["total_count"], 100_000);
    let page = fixture.get("/v1/users?limit=500&offset=99000").ok();
    let cursor = page[499]["id"].as_str().unwrap();
    let last = fixture
        .get(&format!("/v1/users?limit=500&starting_after={cursor}"))
        .ok();
    assert_eq!(last.as_array().unwrap().len(), 500);
    let end = last[499]["id"].as_str().unwrap();
    assert_eq!(
        fixture.get(&format!("/v1/users?starting_after={end}")).ok(),
        serde_json::json!([])
    );
}

/// Every page of a walk, until one is empty.
fn walk(fixture: &Fixture, mut uri: impl FnMut(&[String]) -> String) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let page = pluck(&fixture.get(&uri(&seen)).ok(), "id");
        if page.is_empty() {
            return seen;
        }
        seen.extend(page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_walks_give_each_user_once(users in 0_u64..60, limit in 1_usize..25, ascending: bool) {
        let fixture = Fixture::seeded(&seed(&format!("generate = {{ users = {users} }}")));
        let order = if ascending { "created_at" } else { "-created_at" };
        let by_cursor = walk(&fixture, |seen| match seen.last() {
            Some(last) => format!("/v1/users?limit={limit}&order_by={order}&starting_after={last}"),
            None => format!("/v1/users?limit={limit}&order_by={order}"),
        });
        let by_offset = walk(&fixture, |seen| {
            format!("/v1/users?limit={limit}&order_by={order}&offset={}", seen.len())
        });
        prop_assert_eq!(by_cursor.len() as u64, users);
        prop_assert_eq!(&by_cursor, &by_offset);
        let mut unique = by_cursor.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), by_cursor.len());
    }
}

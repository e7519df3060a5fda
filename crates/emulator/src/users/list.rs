//! `GetUserList` and `GetUsersCount`.

use super::filter::Filter;
use crate::call::Call;
use crate::error::{self, ApiError};
use crate::model::User;
use crate::paging::Page;
use crate::query::Order;
use crate::views;
use serde_json::{Value, json};
use std::cmp::Ordering;

const ORDERS: [&str; 10] = [
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

/// `GetUserList`: a bare array. A page after a cursor costs the same wherever it is.
pub(crate) fn list(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (query, state, now) = (&call.query, &*call.state, call.now);
    let page = Page::of(query)?;
    let order = query.order(&ORDERS)?;
    let filter = Filter::of_users(query)?;
    let cursor = query.text("starting_after");
    if cursor.is_some() && order.by != "created_at" {
        return Err(error::param_not_allowed_with("starting_after", "order_by"));
    }
    if cursor.is_some() && page.offset > 0 {
        return Err(error::param_not_allowed_with("offset", "starting_after"));
    }

    let table = state.users();
    let in_order: Box<dyn Iterator<Item = &User>> = match (cursor, order.descending) {
        (Some(cursor), descending) => {
            let last = state
                .user(cursor)
                .ok_or_else(|| error::form_resource_not_found("starting_after"))?;
            if descending {
                Box::new(table.before(last))
            } else {
                Box::new(table.after(last))
            }
        }
        (None, true) if order.by == "created_at" => Box::new(table.iter().rev()),
        (None, false) if order.by == "created_at" => Box::new(table.iter()),
        (None, _) => {
            let mut rows: Vec<&User> = table
                .iter()
                .filter(|user| filter.admits(state, user))
                .collect();
            rows.sort_by(|left, right| compare(order, left, right));
            Box::new(rows.into_iter())
        }
    };
    let rows = in_order
        .filter(|user| filter.admits(state, user))
        .skip(page.offset)
        .take(page.limit)
        .map(|user| views::user(user, &state.instance.id, now));
    Ok(Value::Array(rows.collect()))
}

/// `GetUsersCount`.
pub(crate) fn count(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let filter = Filter::of_users(&call.query)?;
    let state = &*call.state;
    let total = state
        .users()
        .iter()
        .filter(|user| filter.admits(state, user))
        .count();
    Ok(json!({ "object": "total_count", "total_count": total }))
}

/// Orders two users by an attribute, then by time of creation and id.
pub(crate) fn compare(order: Order, left: &User, right: &User) -> Ordering {
    let text = |of: fn(&User) -> Option<&str>| {
        order.compare(
            of(left).map(str::to_lowercase),
            of(right).map(str::to_lowercase),
        )
    };
    let time = |of: fn(&User) -> Option<u64>| order.compare(of(left), of(right));
    let attribute = match order.by {
        "email_address" => text(User::email),
        "phone_number" => text(User::phone),
        "web3wallet" => text(User::wallet),
        "username" => text(|user| user.username.as_deref()),
        "first_name" => text(|user| user.first_name.as_deref()),
        "last_name" => text(|user| user.last_name.as_deref()),
        "updated_at" => time(|user| Some(user.updated_at)),
        "last_active_at" => time(|user| user.last_active_at),
        "last_sign_in_at" => time(|user| user.last_sign_in_at),
        _ => Ordering::Equal,
    };
    let age = (left.created_at, &left.id).cmp(&(right.created_at, &right.id));
    attribute.then(order.directed(age))
}

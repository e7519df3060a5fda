//! The orders of everybody. Pure but for the lock: ids and first orders follow from the person's id.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

/// The most orders that one person may place.
const MOST_ORDERS: usize = 100;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// All prices are in it.
pub(crate) const CURRENCY: &str = "EUR";

/// Something to order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Product {
    /// What the API calls it.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    /// Of one, in cents.
    price: u64,
}

/// The shop's products, also named in openapi.yaml.
pub(crate) const PRODUCTS: [Product; 5] = [
    product("desk-lamp", "Desk lamp", 4_900),
    product("enamel-mug", "Enamel mug", 1_400),
    product("field-notebook", "Field notebook", 950),
    product("canvas-bag", "Canvas bag", 2_600),
    product("fountain-pen", "Fountain pen", 3_250),
];

const fn product(key: &'static str, name: &'static str, price: u64) -> Product {
    Product { key, name, price }
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    Shipped,
    Delivered,
}

impl Status {
    pub(crate) const ALL: [Self; 3] = [Self::Open, Self::Shipped, Self::Delivered];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
        }
    }
}

/// An order of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) product: &'static Product,
    pub(crate) quantity: u32,
    pub(crate) note: Option<String>,
    pub(crate) status: Status,
    /// Unix milliseconds.
    pub(crate) placed_at: u64,
    /// Who placed it: the person, or whoever acted as them.
    pub(crate) placed_by: String,
}

impl Order {
    /// Of the whole order, in cents.
    fn cents(&self) -> u64 {
        self.product.price * u64::from(self.quantity)
    }

    /// For people, such as `49.00 EUR`.
    pub(crate) fn total(&self) -> String {
        let cents = self.cents();
        format!("{}.{:02} {CURRENCY}", cents / 100, cents % 100)
    }

    /// When it was placed, by RFC 3339 in UTC.
    pub(crate) fn placed_at(&self) -> String {
        let moment = i64::try_from(self.placed_at).ok();
        let moment = moment.and_then(DateTime::from_timestamp_millis);
        moment.map_or_else(String::new, |moment| {
            moment.to_rfc3339_opts(SecondsFormat::Secs, true)
        })
    }

    pub(crate) fn view(&self) -> Value {
        json!({
            "id": self.id,
            "product": self.product.key,
            "quantity": self.quantity,
            "note": self.note,
            "status": self.status.name(),
            "total": { "cents": self.cents(), "currency": CURRENCY },
            "placed_at": self.placed_at(),
            "placed_by": self.placed_by,
        })
    }
}

/// What is wanted of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) status: Option<Status>,
    /// The id of the last order of the page before.
    pub(crate) after: Option<&'a str>,
    pub(crate) limit: usize,
}

/// Everybody's orders.
#[derive(Debug)]
pub(crate) struct Orders {
    /// What the first orders are counted from, Unix milliseconds.
    since: u64,
    /// By person, oldest first; from the first time that somebody asks.
    all: Mutex<HashMap<String, Vec<Order>>>,
}

impl Orders {
    pub(crate) fn new(since: u64) -> Self {
        Self {
            since,
            all: Mutex::default(),
        }
    }

    /// A page of somebody's orders, newest first, and whether there are more. `None` when the page
    /// before ended with an order that is not theirs.
    pub(crate) fn list(&self, user_id: &str, page: Page<'_>) -> Option<(Vec<Order>, bool)> {
        let mut all = self.all();
        let orders = of(&mut all, user_id, self.since);
        let end = match page.after {
            None => orders.len(),
            Some(id) => orders.iter().position(|order| order.id == id)?,
        };
        let wanted = |order: &&Order| page.status.is_none_or(|status| order.status == status);
        let mut found = orders[..end].iter().rev().filter(wanted);
        let listed = found.by_ref().take(page.limit).cloned().collect();
        Some((listed, found.next().is_some()))
    }

    /// An order, if it is this person's.
    pub(crate) fn get(&self, user_id: &str, id: &str) -> Option<Order> {
        let mut all = self.all();
        let orders = of(&mut all, user_id, self.since);
        orders.iter().find(|order| order.id == id).cloned()
    }

    pub(crate) fn count(&self, user_id: &str) -> usize {
        of(&mut self.all(), user_id, self.since).len()
    }

    /// Places an order. `None` when the person has too many.
    pub(crate) fn place(
        &self,
        user_id: &str,
        placed_by: &str,
        (product, quantity, note): (&'static Product, u32, Option<String>),
        now: u64,
    ) -> Option<Order> {
        let mut all = self.all();
        let orders = of(&mut all, user_id, self.since);
        if orders.len() >= MOST_ORDERS {
            return None;
        }
        let order = Order {
            id: id(user_id, orders.len()),
            product,
            quantity,
            note,
            status: Status::Open,
            placed_at: now,
            placed_by: placed_by.to_owned(),
        };
        orders.push(order.clone());
        Some(order)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Vec<Order>>> {
        // Whoever panicked left the orders of some earlier moment.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of<'a>(
    all: &'a mut HashMap<String, Vec<Order>>,
    user_id: &str,
    since: u64,
) -> &'a mut Vec<Order> {
    all.entry(user_id.to_owned())
        .or_insert_with(|| first_orders(user_id, since))
}

/// What everybody has ordered before: three to six orders, the older ones delivered, the last one open.
fn first_orders(user_id: &str, since: u64) -> Vec<Order> {
    let count = 3 + usize::from(digest(user_id, 0, "count")[0] % 4);
    let orders = (0..count).map(|index| {
        let [product, quantity, hours, ..] = digest(user_id, index, "order");
        let age = count - index;
        let days = u64::try_from(age).unwrap_or_default() * 6;
        Order {
            id: id(user_id, index),
            product: &PRODUCTS[usize::from(product) % PRODUCTS.len()],
            quantity: 1 + u32::from(quantity % 5),
            note: None,
            status: match age {
                1 => Status::Open,
                2 => Status::Shipped,
                _ => Status::Delivered,
            },
            placed_at: since.saturating_sub(days * DAY_MS - u64::from(hours % 24) * DAY_MS / 24),
            placed_by: user_id.to_owned(),
        }
    });
    orders.collect()
}

/// The id of somebody's order by its number: the same in every run, so that examples can name it.
fn id(user_id: &str, index: usize) -> String {
    let number = u64::from_be_bytes(digest(user_id, index, "id")) >> 16;
    format!("ord_{number:012x}")
}

/// FNV-1a, 64 bits: spreads what it is given. Nothing secret rests on it.
pub(crate) fn digest(text: &str, index: usize, what: &str) -> [u8; 8] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let number = index.to_string();
    for part in [text, "\0", &number, "\0", what] {
        for byte in part.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    // The last bytes hardly reach the upper bits without this.
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOON: u64 = 1_780_000_000_000;
    const AVA: &str = "user_2EmuAvaMitchell000000000000";

    fn page(limit: usize) -> Page<'static> {
        Page {
            status: None,
            after: None,
            limit,
        }
    }

    #[test]
    fn everybody_has_orders_of_their_own_the_same_in_every_run() {
        let (one, other) = (Orders::new(NOON), Orders::new(NOON));
        let mut ids = HashSet::new();
        for person in 0..200 {
            let user = format!("user_{person}");
            let (orders, more) = one.list(&user, page(100)).unwrap();
            assert_eq!(
                (orders.clone(), more),
                other.list(&user, page(100)).unwrap()
            );
            assert!((3..=6).contains(&orders.len()) && !more);
            assert_eq!(orders[0].status, Status::Open);
            assert!(
                orders
                    .windows(2)
                    .all(|pair| pair[0].placed_at > pair[1].placed_at)
            );
            assert!(orders.iter().all(|order| order.placed_at <= NOON));
            ids.extend(orders.into_iter().map(|order| order.id));
        }
        assert!(ids.len() >= 600, "ids are distinct: {}", ids.len());
    }

    #[test]
    fn nobody_reads_an_order_of_somebody_else() {
        let orders = Orders::new(NOON);
        let (own, _) = orders.list(AVA, page(1)).unwrap();
        let id = own[0].id.as_str();
        assert_eq!(orders.get(AVA, id).as_ref(), Some(&own[0]));
        assert_eq!(orders.get("user_other", id), None);
        let after = Page {
            after: Some(id),
            ..page(1)
        };
        assert!(orders.list("user_other", after).is_none());
    }

    #[test]
    fn pages_follow_each_other_until_the_end() {
        let orders = Orders::new(NOON);
        let (whole, _) = orders.list(AVA, page(100)).unwrap();
        let mut read: Vec<Order> = Vec::new();
        loop {
            let last = read.last().map(|order| order.id.clone());
            let next = Page {
                after: last.as_deref(),
                ..page(2)
            };
            let (some, more) = orders.list(AVA, next).unwrap();
            read.extend(some);
            if !more {
                break;
            }
        }
        assert_eq!(read, whole);
        let open = Page {
            status: Some(Status::Open),
            ..page(100)
        };
        assert_eq!(
            orders.list(AVA, open).unwrap(),
            (vec![whole[0].clone()], false)
        );
    }

    #[test]
    fn a_new_order_is_the_newest_and_there_is_an_end_to_them() {
        let orders = Orders::new(NOON);
        let before = orders.count(AVA);
        let new = || (&PRODUCTS[1], 3, Some("ring twice".to_owned()));
        let placed = orders.place(AVA, "user_operator", new(), NOON).unwrap();
        assert_eq!(placed.total(), "42.00 EUR");
        assert_eq!(placed.placed_by, "user_operator");
        assert_eq!(orders.count(AVA), before + 1);
        assert_eq!(orders.list(AVA, page(1)).unwrap().0, [placed]);
        while orders.place(AVA, AVA, new(), NOON).is_some() {}
        assert_eq!(orders.count(AVA), MOST_ORDERS);
        assert!(orders.place("user_other", AVA, new(), NOON).is_some());
    }
}

//! The application's one page: the orders of whoever is signed in.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use pages::{DemoHomePage, DemoOrder, DemoPerson};

use crate::{
    app::DemoApp,
    bearer::operator,
    browser::{Address, Visitor, sign_in_url, visitor},
    orders::Page,
    reply,
};

/// How many orders the page shows.
const SHOWN: usize = 20;

pub(crate) async fn home(app: &DemoApp, request: &Request<Bytes>) -> Response<Bytes> {
    let visitor = match visitor(app, request).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let address = Address::of(request);
    if address.was_checked() {
        return reply::redirect(&address.with(&[]));
    }
    let sign_in_url = sign_in_url(app, "/");
    let api_url = format!("{}/api", app.url);
    let mcp_home = format!("{}/", app.mcp_url);
    let page = |person, orders| DemoHomePage {
        person,
        orders,
        sign_in_url: &sign_in_url,
        api_url: &api_url,
        mcp_home: &mcp_home,
    };
    let Visitor::SignedIn(claims, _) = visitor else {
        return reply::page(StatusCode::OK, page(None, Vec::new()).render());
    };
    let user_id = claims.user_id.as_str();
    let whole = Page {
        status: None,
        after: None,
        limit: SHOWN,
    };
    let orders = app.orders.list(user_id, whole);
    let (orders, _) = orders.unwrap_or_default();
    let placed: Vec<String> = orders.iter().map(|order| order.placed_at()).collect();
    let shown = orders.iter().zip(&placed).map(|(order, placed)| DemoOrder {
        id: &order.id,
        product: order.product.name,
        quantity: order.quantity,
        total: order.total(),
        status: order.status.name(),
        placed_on: placed.split('T').next().unwrap_or_default(),
    });
    // Names are a courtesy: without Clerk's answer the page shows ids.
    let person = Named::of(app, user_id).await;
    let actor = match operator(claims.actor.as_ref()) {
        Some(actor) => Some(Named::of(app, actor).await.name),
        None => None,
    };
    let person = DemoPerson {
        name: &person.name,
        email: &person.email,
        actor: actor.as_deref(),
    };
    reply::page(StatusCode::OK, page(Some(person), shown.collect()).render())
}

/// What Clerk calls somebody.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) email: String,
}

impl Named {
    /// By what Clerk says, or else by the id.
    async fn of(app: &DemoApp, user_id: &str) -> Self {
        let user = crate::api::user(app, user_id).await;
        user.map_or_else(
            |_| Self {
                name: user_id.to_owned(),
                email: String::new(),
            },
            |user| Self::read(user_id, &user),
        )
    }

    /// Of a user as the Backend API shows it.
    pub(crate) fn read(user_id: &str, user: &serde_json::Value) -> Self {
        let text = |name: &str| user.get(name).and_then(serde_json::Value::as_str);
        let names = ["first_name", "last_name"].into_iter().filter_map(text);
        let name = names.collect::<Vec<_>>().join(" ");
        let primary = text("primary_email_address_id");
        let addresses = user.get("email_addresses").and_then(|all| all.as_array());
        let email = addresses.into_iter().flatten().find(|address| {
            let id = address.get("id").and_then(serde_json::Value::as_str);
            id.is_some() && id == primary
        });
        let email = email.and_then(|address| address.get("email_address"));
        Self {
            name: if name.trim().is_empty() {
                user_id.to_owned()
            } else {
                name
            },
            email: email
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

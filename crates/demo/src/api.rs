//! `/api`: what belongs to whoever the bearer token's session belongs to. openapi.yaml describes it.

use bytes::Bytes;
use clerk::IdKind;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::DemoApp,
    avatar,
    bearer::{self, Caller},
    orders::{PRODUCTS, Page, Product, Status},
    reply,
    site::Named,
};

/// The most orders of one page, and how many there are unless another number is asked for.
const MOST_LISTED: usize = 100;
const LISTED: usize = 20;
/// The most of a product in one order.
const MOST_OF_ONE: u32 = 100;
/// The longest note, characters.
const LONGEST_NOTE: usize = 200;

pub(crate) async fn answer(app: &DemoApp, request: &Request<Bytes>) -> Response<Bytes> {
    let caller = match bearer::caller(app, request.headers()).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let path = request.uri().path();
    let below = path.strip_prefix("/api").unwrap_or(path);
    let segments: Vec<&str> = below.split('/').skip(1).collect();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    match segments[..] {
        ["orders"] if reads => list_orders(app, &caller, request),
        ["orders"] if *request.method() == Method::POST => place_order(app, &caller, request),
        ["orders"] => reply::method_not_allowed("GET, POST"),
        ["orders", _] | ["profile"] | ["avatar"] | ["hello"] if !reads => {
            reply::method_not_allowed("GET")
        }
        ["orders", id] => match app.orders.get(caller.user_id(), id) {
            Some(order) => found(&caller, order.view()),
            None => reply::error(StatusCode::NOT_FOUND, "not_found", "you have no such order"),
        },
        ["profile"] => profile(app, &caller).await,
        ["avatar"] => avatar(&caller),
        ["hello"] => hello(app, &caller).await,
        _ => reply::error(
            StatusCode::NOT_FOUND,
            "not_found",
            "the API has no such path: see /openapi.yaml",
        ),
    }
}

/// An answer, with who acts as whom where somebody does.
fn found(caller: &Caller, body: Value) -> Response<Bytes> {
    reply::json(StatusCode::OK, &said_by(caller, body))
}

fn said_by(caller: &Caller, mut body: Value) -> Value {
    if let (Some(acting), Value::Object(members)) = (caller.acting(), &mut body) {
        members.insert("acting".to_owned(), acting);
    }
    body
}

fn invalid(parameter: &str, problem: &str) -> Response<Bytes> {
    let message = format!("`{parameter}` {problem}");
    reply::error(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_request",
        &message,
    )
}

/// `listOrders`: newest first.
fn list_orders(app: &DemoApp, caller: &Caller, request: &Request<Bytes>) -> Response<Bytes> {
    let (mut status, mut after, mut limit) = (None, None, LISTED);
    let query = request.uri().query().unwrap_or_default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "status" => match Status::ALL.into_iter().find(|one| one.name() == value) {
                Some(found) => status = Some(found),
                None => return invalid("status", "is none of open, shipped, delivered"),
            },
            "limit" => match value.parse() {
                Ok(number) if (1..=MOST_LISTED).contains(&number) => limit = number,
                _ => return invalid("limit", "is no number from 1 to 100"),
            },
            "cursor" => after = Some(value.into_owned()),
            _ => return invalid(&name, "is no parameter of this list"),
        }
    }
    let page = Page {
        status,
        after: after.as_deref(),
        limit,
    };
    let Some((orders, more)) = app.orders.list(caller.user_id(), page) else {
        return invalid("cursor", "is none that this list gave you");
    };
    let next = orders
        .last()
        .filter(|_| more)
        .map(|order| order.id.as_str());
    let body = json!({
        "data": orders.iter().map(|order| order.view()).collect::<Vec<_>>(),
        "next_cursor": next,
    });
    found(caller, body)
}

/// The body of `createOrder`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    product: String,
    quantity: u32,
    note: Option<String>,
}

impl NewOrder {
    /// What is ordered, or the parameter that is wrong and why.
    fn checked(
        self,
    ) -> Result<(&'static Product, u32, Option<String>), (&'static str, &'static str)> {
        let product = PRODUCTS.iter().find(|product| product.key == self.product);
        let product = product.ok_or(("product", "is no product of this shop"))?;
        if !(1..=MOST_OF_ONE).contains(&self.quantity) {
            return Err(("quantity", "is no number from 1 to 100"));
        }
        let note = self.note.filter(|note| !note.is_empty());
        if note
            .as_ref()
            .is_some_and(|note| note.chars().count() > LONGEST_NOTE)
        {
            return Err(("note", "is longer than 200 characters"));
        }
        Ok((product, self.quantity, note))
    }
}

/// `createOrder`.
fn place_order(app: &DemoApp, caller: &Caller, request: &Request<Bytes>) -> Response<Bytes> {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let message = "send the order as application/json";
        return reply::error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
        );
    }
    let order: NewOrder = match serde_json::from_slice(request.body()) {
        Ok(order) => order,
        Err(error) => {
            let message = format!("the body is no order: {error}");
            return reply::error(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_request",
                &message,
            );
        }
    };
    let ordered = match order.checked() {
        Ok(ordered) => ordered,
        Err((parameter, problem)) => return invalid(parameter, problem),
    };
    let placed_by = caller.operator().unwrap_or(caller.user_id());
    let now = app.client.env().now();
    let placed = app.orders.place(caller.user_id(), placed_by, ordered, now);
    let Some(order) = placed else {
        let message = "you have 100 orders, and this shop keeps no more";
        return reply::error(StatusCode::CONFLICT, "too_many_orders", message);
    };
    let mut response = reply::json(StatusCode::CREATED, &said_by(caller, order.view()));
    if let Ok(location) = HeaderValue::try_from(format!("/api/orders/{}", order.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// `getProfile`: what Clerk says of the person, and what the token says of the session.
async fn profile(app: &DemoApp, caller: &Caller) -> Response<Bytes> {
    let user = match user(app, caller.user_id()).await {
        Ok(user) => user,
        Err(refusal) => return refusal,
    };
    let named = Named::read(caller.user_id(), &user);
    let organization = caller.organization.as_ref().map(|organization| {
        json!({
            "id": organization.id,
            "slug": organization.slug,
            "role": organization.role,
        })
    });
    let body = json!({
        "user_id": caller.user_id(),
        "name": named.name,
        "email_address": Some(named.email).filter(|email| !email.is_empty()),
        "organization": organization,
        "plan": caller.plan,
        "orders": app.orders.count(caller.user_id()),
    });
    found(caller, body)
}

/// `getAvatar`.
fn avatar(caller: &Caller) -> Response<Bytes> {
    match avatar::png(caller.user_id()) {
        Ok(png) => reply::bytes(StatusCode::OK, "image/png", png),
        Err(error) => reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "drawing_failed",
            &error.to_string(),
        ),
    }
}

/// `sayHello`: greets the person, and repeats the token that the call came with. No API should do that;
/// here it shows what becomes of tokens in the results of tools.
async fn hello(app: &DemoApp, caller: &Caller) -> Response<Bytes> {
    let user = match user(app, caller.user_id()).await {
        Ok(user) => user,
        Err(refusal) => return refusal,
    };
    let named = Named::read(caller.user_id(), &user);
    let body = json!({
        "greeting": format!("Hello, {}!", named.name),
        "token": caller.token,
    });
    found(caller, body)
}

/// The user as Clerk knows them (`GetUser`).
pub(crate) async fn user(app: &DemoApp, user_id: &str) -> Result<Value, Response<Bytes>> {
    let asked = clerk::check_id(IdKind::User, user_id).and_then(|_| {
        clerk::Request::new("GetUser", Method::GET, "/users/{user_id}")
            .path_parameter("user_id", user_id)
    });
    let asked = asked.map_err(|_| bearer::unavailable())?;
    let answer = app.client.send(&asked).await;
    answer
        .map(|answer| answer.body)
        .map_err(|_| bearer::unavailable())
}

//! The API: what it gives, to whom, and that the OpenAPI file says so.

use http::{Method, Request};
use serde_json::{Value, json};

use crate::world::{APP, AVA, Got, NOAH, PRIYA, World};
use bytes::Bytes;

/// Holds an answer to what the OpenAPI file says of the operation and the status.
#[track_caller]
fn as_described(path: &str, method: &str, got: &Got) -> Value {
    let file: Value = serde_saphyr::from_str(clerk_mcp_demo::OPENAPI).unwrap();
    let mut response = &file["paths"][path][method]["responses"][got.status.to_string()];
    if let Some(reference) = response["$ref"].as_str() {
        response = file.pointer(&reference[1..]).unwrap();
    }
    let schema = &response["content"]["application/json"]["schema"];
    assert!(
        schema.is_object(),
        "{method} {path} {} is not described",
        got.status
    );
    let mut schema = schema.clone();
    schema["components"] = file["components"].clone();
    let body = got.json();
    if let Err(error) = jsonschema::validate(&schema, &body) {
        panic!("{method} {path}: {error}: {body}");
    }
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("cache-control"), "no-store");
    body
}

#[tokio::test]
async fn everybody_sees_what_is_theirs() {
    let world = World::new();
    let (ava, noah) = (world.token(AVA), world.token(NOAH));
    let get = |path: &'static str, token: String| {
        let world = &world;
        async move { world.api(Method::GET, path, &token, None).await }
    };
    let orders = get("/api/orders", ava.clone()).await;
    let orders = as_described("/orders", "get", &orders);
    let id = orders["data"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("/api/orders/{id}");
    let order = world.api(Method::GET, &one, &ava, None).await;
    let order = as_described("/orders/{id}", "get", &order);
    assert_eq!(order, orders["data"][0]);
    let strange = world.api(Method::GET, &one, &noah, None).await;
    assert_eq!(strange.status, 404);
    as_described("/orders/{id}", "get", &strange);

    let profile = get("/api/profile", ava.clone()).await;
    let profile = as_described("/profile", "get", &profile);
    assert_eq!(profile["name"], "Ava Mitchell");
    assert_eq!(profile["email_address"], "ava.mitchell@northwind.example");
    assert_eq!(profile["acting"], Value::Null);
    let (mine, theirs) = (
        get("/api/avatar", ava).await,
        get("/api/avatar", noah).await,
    );
    assert_eq!(mine.header("content-type"), "image/png");
    assert!(mine.body.starts_with(b"\x89PNG"));
    assert_ne!(mine.body, theirs.body);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new();
    let token = world.token(AVA);
    let list = async |query: &str| {
        let path = format!("/api/orders?{query}");
        world.api(Method::GET, &path, &token, None).await
    };
    let whole = as_described("/orders", "get", &list("").await);
    let count = whole["data"].as_array().unwrap().len();
    assert!(count >= 3 && whole["next_cursor"].is_null());
    let mut read = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = as_described("/orders", "get", &list(&format!("limit=2{cursor}")).await);
        read.extend(page["data"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(read), whole["data"]);
    let open = as_described("/orders", "get", &list("status=open").await);
    assert_eq!(open["data"].as_array().unwrap().len(), 1);
    for wrong in [
        "limit=0",
        "limit=101",
        "limit=x",
        "status=lost",
        "cursor=ord_0",
        "size=3",
    ] {
        let refused = list(wrong).await;
        assert_eq!(refused.status, 422, "{wrong}");
        let body = as_described("/orders", "get", &refused);
        let name = wrong.split('=').next().unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{name}`")), "{message}");
    }
}

#[tokio::test]
async fn an_order_is_placed_or_refused_with_the_parameter_that_is_wrong() {
    let world = World::new();
    let token = world.token(AVA);
    let place = async |body: Value| {
        let path = "/api/orders";
        world.api(Method::POST, path, &token, Some(&body)).await
    };
    let placed = place(json!({ "product": "enamel-mug", "quantity": 3, "note": "blue" })).await;
    assert_eq!(placed.status, 201);
    let location = placed.header("location").to_owned();
    let placed = as_described("/orders", "post", &placed);
    assert_eq!(
        placed["total"],
        json!({ "cents": 4_200, "currency": "EUR" })
    );
    assert_eq!(placed["placed_by"], AVA);
    let found = world.api(Method::GET, &location, &token, None).await;
    assert_eq!(found.json(), placed);
    let newest = world
        .api(Method::GET, "/api/orders?limit=1", &token, None)
        .await;
    assert_eq!(newest.json()["data"][0], placed);

    for (body, named) in [
        (json!({ "product": "yacht", "quantity": 1 }), "`product`"),
        (
            json!({ "product": "desk-lamp", "quantity": 0 }),
            "`quantity`",
        ),
        (
            json!({ "product": "desk-lamp", "quantity": 101 }),
            "`quantity`",
        ),
        (
            json!({ "product": "desk-lamp", "quantity": -1 }),
            "no order",
        ),
        (json!({ "product": "desk-lamp" }), "quantity"),
        (
            json!({ "product": "desk-lamp", "quantity": 1, "price": 0 }),
            "price",
        ),
        (
            json!({ "product": "desk-lamp", "quantity": 1, "note": "x".repeat(201) }),
            "`note`",
        ),
        (json!([]), "no order"),
    ] {
        let refused = place(body.clone()).await;
        assert_eq!(refused.status, 422, "{body}");
        let message = as_described("/orders", "post", &refused);
        assert!(message.to_string().contains(named), "{body}: {message}");
    }
    let form = Request::post("/api/orders")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from("product=desk-lamp&quantity=1"))
        .unwrap();
    assert_eq!(world.send(form).await.status, 415);
    let large = json!({ "note": "x".repeat(17_000) });
    assert_eq!(place(large).await.status, 413);
    while place(json!({ "product": "canvas-bag", "quantity": 1 }))
        .await
        .status
        == 201
    {}
    let too_many = place(json!({ "product": "canvas-bag", "quantity": 1 })).await;
    assert_eq!(too_many.status, 409);
    as_described("/orders", "post", &too_many);
}

#[tokio::test]
async fn whoever_acts_as_somebody_is_named() {
    let world = World::new();
    let token = world.token_as(AVA, PRIYA);
    let acting = json!({ "operator": PRIYA, "as": AVA });
    let get = async |path: &str| world.api(Method::GET, path, &token, None).await;
    let profile = as_described("/profile", "get", &get("/api/profile").await);
    assert_eq!(profile["name"], "Ava Mitchell");
    assert_eq!(profile["acting"], acting);
    let orders = as_described("/orders", "get", &get("/api/orders").await);
    assert_eq!(orders["acting"], acting);
    let body = json!({ "product": "desk-lamp", "quantity": 1 });
    let placed = world
        .api(Method::POST, "/api/orders", &token, Some(&body))
        .await;
    let placed = as_described("/orders", "post", &placed);
    assert_eq!(
        (&placed["acting"], &placed["placed_by"]),
        (&acting, &json!(PRIYA))
    );
    let hello = as_described("/hello", "get", &get("/api/hello").await);
    assert_eq!(hello["greeting"], "Hello, Ava Mitchell!");
    assert_eq!(hello["token"], json!(token));

    // Ava finds the order, and who placed it for her.
    let own = world.token(AVA);
    let orders = world.api(Method::GET, "/api/orders", &own, None).await;
    let orders = orders.json();
    assert_eq!(orders["acting"], Value::Null);
    assert_eq!(orders["data"][0]["placed_by"], PRIYA);
}

#[tokio::test]
async fn only_a_good_session_token_in_the_header_opens_it() {
    let world = World::new();
    let good = world.token(AVA);
    let (head, tail) = good.rsplit_once('.').unwrap();
    let other = if tail.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}.{other}{}", &tail[1..]);
    for (bad, code) in [
        ("", "token_malformed"),
        ("x", "token_malformed"),
        (forged.as_str(), "token_signature"),
        ("sk_test_emulate", "token_malformed"),
    ] {
        let refused = world.api(Method::GET, "/api/orders", bad, None).await;
        assert_eq!(refused.status, 401, "{bad}");
        let body = as_described("/orders", "get", &refused);
        assert_eq!(body["error"]["code"], code, "{body}");
        assert_eq!(
            refused.header("www-authenticate"),
            "Bearer error=\"invalid_token\""
        );
        assert!(bad.is_empty() || !refused.text().contains(bad));
    }
    // Neither the address nor a cookie counts.
    for request in [
        Request::get(format!("/api/orders?token={good}&access_token={good}")),
        Request::get("/api/orders").header("cookie", format!("__session={good}")),
        Request::get("/api/orders").header("authorization", format!("Basic {good}")),
    ] {
        let refused = world.send(request.body(Bytes::new()).unwrap()).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        assert_eq!(refused.json()["error"]["code"], "missing_token");
    }
    let found = world.api(Method::GET, "/api/orders", &good, None).await;
    assert_eq!(found.status, 200);
    world.advance(66);
    let late = world.api(Method::GET, "/api/orders", &good, None).await;
    assert_eq!(
        (late.status, late.json()["error"]["code"].as_str()),
        (401, Some("token_expired"))
    );
}

#[tokio::test]
async fn a_token_of_a_jwt_template_opens_it_too() {
    let world = World::new();
    let claims = json!({ "plan": "{{user.public_metadata.plan || 'free'}}" });
    let template = json!({ "name": "shop", "claims": claims });
    world.backend(Method::POST, "/v1/jwt_templates", &template);
    let session = world.backend(Method::POST, "/v1/sessions", &json!({ "user_id": AVA }));
    let session = session["id"].as_str().unwrap();
    let token = world.backend(
        Method::POST,
        &format!("/v1/sessions/{session}/tokens/shop"),
        &json!({}),
    );
    let token = token["jwt"].as_str().unwrap();
    let profile = world.api(Method::GET, "/api/profile", token, None).await;
    let profile = as_described("/profile", "get", &profile);
    assert_eq!(
        (&profile["user_id"], &profile["plan"]),
        (&json!(AVA), &json!("enterprise"))
    );
    let own = world.token(AVA);
    let profile = world.api(Method::GET, "/api/profile", &own, None).await;
    assert_eq!(profile.json()["plan"], Value::Null);
    world.advance(66);
    let late = world.api(Method::GET, "/api/profile", token, None).await;
    assert_eq!(late.json()["error"]["code"], "token_expired");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused_and_an_outage_is_503() {
    let world = World::new();
    let token = world.token(AVA);
    let ask = async |method: Method, path: &str| world.api(method, path, &token, None).await;
    for path in [
        "/api",
        "/api/",
        "/api/orders/",
        "/api/orders/a/b",
        "/api/api/orders",
        "/apiary",
    ] {
        assert_eq!(ask(Method::GET, path).await.status, 404, "{path}");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/api/orders", "GET, POST"),
        (Method::POST, "/api/profile", "GET"),
        (Method::PUT, "/api/orders/ord_1", "GET"),
        (Method::POST, "/", "GET"),
        (Method::POST, "/auth/mcp", "GET"),
    ] {
        let refused = ask(method, path).await;
        assert_eq!(
            (refused.status, refused.header("allow")),
            (405, allowed),
            "{path}"
        );
    }
    let file = ask(Method::GET, "/openapi.yaml").await;
    assert_eq!(
        (file.status, file.header("content-type")),
        (200, "application/yaml")
    );
    assert_eq!(file.text(), clerk_mcp_demo::OPENAPI);
    world.control("faults", &json!({ "status": 503 }));
    let down = ask(Method::GET, "/api/profile").await;
    assert_eq!(down.status, 503);
    assert!(!down.header("retry-after").is_empty());
    // Whose such a token is, only Clerk can say.
    let opaque = "oat_0123456789abcdef";
    let down = world.api(Method::GET, "/api/orders", opaque, None).await;
    assert_eq!(down.status, 503);
    // The keys are not known yet: nothing can be said of a cookie.
    let world = World::new();
    world.control("faults", &json!({ "status": 503 }));
    let request = Request::get(format!("{APP}/")).header("cookie", format!("__session={token}"));
    let page = world.send(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(page.status, 503);
    assert!(page.text().contains("Clerk does not answer"));
}

//! Clients by Client ID Metadata Document.

use std::sync::atomic::Ordering;

use clerk_mcp_oauth::{
    AuthorizeFault, ClientId, ClientIdentity, DocumentFault, FetchedDocument, Next, Parameters,
    ShownFault,
};
use serde_json::{Value, json};

use crate::world::{CALLBACK, DAY, World, refresh_token, seconds, settings};

const URL: &str = "https://app.example.com/oauth/client.json";

fn document() -> Value {
    json!({
        "client_id": URL,
        "client_name": "The app",
        "client_uri": "https://app.example.com",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    })
}

fn request() -> Parameters {
    World::request(&ClientId(URL.to_owned()), &[])
}

async fn refused(world: &World, request: &Parameters) -> DocumentFault {
    match world.authorize(request).await {
        Err(AuthorizeFault::Show(ShownFault::Document(fault))) => fault,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_client_is_known_by_its_document_and_its_domain_is_shown() {
    let world = World::new();
    world.web.serve(URL, None, &document());
    let Next::Consent(authorization) = world.authorize(&request()).await.unwrap() else {
        panic!("a page")
    };
    let page = world.page(&authorization, None).await;
    assert_eq!(
        page.identity,
        ClientIdentity::Domain("app.example.com".to_owned())
    );
    assert_eq!(page.client_name.as_deref(), Some("The app"));
    let client = ClientId(URL.to_owned());
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    assert!(world.refresh(&client, refresh_token(&tokens)).await.is_ok());
}

#[tokio::test]
async fn a_document_is_cached_by_cache_control_and_at_most_seven_days() {
    for (cache_control, fresh) in [
        (None, seconds(3600)),
        (Some("max-age=60"), seconds(60)),
        (Some("max-age=99999999"), 7 * DAY),
    ] {
        let world = World::new();
        world.web.serve(URL, cache_control, &document());
        for (wait, fetched) in [(seconds(0), 1), (fresh - seconds(1), 1), (seconds(1), 2)] {
            world.wait(wait);
            world.authorize(&request()).await.unwrap();
            assert_eq!(
                world.web.fetched.load(Ordering::Relaxed),
                fetched,
                "{cache_control:?}"
            );
        }
    }
    let world = World::new();
    world.web.serve(URL, Some("no-store"), &document());
    for fetched in 1..4 {
        world.authorize(&request()).await.unwrap();
        assert_eq!(world.web.fetched.load(Ordering::Relaxed), fetched);
    }
}

#[tokio::test]
async fn tokens_outlive_the_documents_host() {
    let world = World::new();
    world.web.serve(URL, Some("no-store"), &document());
    let client = ClientId(URL.to_owned());
    let code = world.code(&client).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    world.web.documents.lock().unwrap().clear();
    world.wait(20 * DAY);
    assert!(world.refresh(&client, refresh_token(&tokens)).await.is_ok());
    assert!(matches!(
        refused(&world, &request()).await,
        DocumentFault::Fetch(_)
    ));
}

#[tokio::test]
async fn what_a_document_may_not_be() {
    let world = World::new();
    for (name, value) in [
        ("client_id", json!("https://app.example.com/other.json")),
        ("client_id", Value::Null),
        ("redirect_uris", json!(["javascript:alert(1)"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("client_secret", json!("x")),
    ] {
        let mut wrong = document();
        wrong[name] = value;
        world.web.serve(URL, None, &wrong);
        let fault = refused(&world, &request()).await;
        let expected = match name {
            "client_id" => matches!(fault, DocumentFault::OtherClient),
            _ => matches!(fault, DocumentFault::Metadata(_)),
        };
        assert!(expected, "{name}: {fault:?}");
    }
    let serve = |content_type: Option<&str>, body: Vec<u8>| {
        let content_type = content_type.map(str::to_owned);
        let document = FetchedDocument {
            content_type,
            cache_control: None,
            body,
        };
        world
            .web
            .documents
            .lock()
            .unwrap()
            .insert(URL.to_owned(), document);
    };
    let right = document().to_string().into_bytes();
    for content_type in [None, Some("text/html"), Some("application/jsonp")] {
        serve(content_type, right.clone());
        assert_eq!(
            refused(&world, &request()).await,
            DocumentFault::ContentType
        );
    }
    let mut large = right.clone();
    large.resize(5 * 1024 + 1, b' ');
    serve(Some("application/json"), large.clone());
    assert_eq!(refused(&world, &request()).await, DocumentFault::TooLarge);
    large.pop();
    serve(Some("application/client-metadata+json"), large);
    assert!(
        world.authorize(&request()).await.is_ok(),
        "5 KB are not too large"
    );
}

#[tokio::test]
async fn what_a_documents_url_may_not_be() {
    let world = World::new();
    for wrong in [
        "https://app.example.com",
        "https://app.example.com/",
        "https://app.example.com/a/../client.json",
        "https://me@app.example.com/client.json",
        "https://app.example.com/client.json#x",
        "HTTPS://app.example.com/client.json",
    ] {
        world.web.serve(wrong, None, &document());
        let request = World::request(&ClientId(wrong.to_owned()), &[]);
        assert_eq!(
            refused(&world, &request).await,
            DocumentFault::Url,
            "{wrong}"
        );
    }
    let request = World::request(
        &ClientId("http://app.example.com/client.json".to_owned()),
        &[],
    );
    let answer = world.authorize(&request).await;
    assert!(matches!(
        answer,
        Err(AuthorizeFault::Show(ShownFault::UnknownClient))
    ));
    assert_eq!(
        world.web.fetched.load(Ordering::Relaxed),
        0,
        "nothing was fetched"
    );
}

#[tokio::test]
async fn documents_can_be_switched_off() {
    let mut settings = settings();
    settings.client_documents = false;
    let world = World::with(settings);
    world.web.serve(URL, None, &document());
    let answer = world.authorize(&request()).await;
    assert!(matches!(
        answer,
        Err(AuthorizeFault::Show(ShownFault::UnknownClient))
    ));
    assert_eq!(
        world.server.metadata()["client_id_metadata_document_supported"],
        false
    );
}

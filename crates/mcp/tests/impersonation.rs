//! Impersonation over the emulator, and `callApiAs` over a small API.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use clerk::{
    BoxFuture, Client, Env, SecretKey, Transport, TransportError, frontend::FrontendClient,
    oauth::FrontendApi,
};
use clerk_mcp_service::{
    Caller, OwnTool as _, OwnToolError, ToolResult,
    audit::{Audit, AuditRow},
    impersonation::{
        Background, CallApiAs, CallApiAsParts, Ended, ImpersonationError, Impersonator, Journal,
        JournalError, Order, Parts, Policy, Reason, Started,
    },
    owners_api::BaseUrl,
};
use emulator::{Answer, Clock, Emulator, Random, Seed};
use futures_util::FutureExt as _;
use serde_json::{Map, Value, json};

const AVA: &str = "user_2EmuAvaMitchell000000000000";
const AVAS_ADDRESS: &str = "ava.mitchell@northwind.example";
const PRIYA: &str = "user_2EmuPriyaRaman0000000000000";
const NOAH: &str = "user_2EmuNoahTanaka0000000000000";
const LIAM: &str = "user_2EmuLiamByrne00000000000000";
const URL: &str = "http://127.0.0.1:8789";

/// Time that tests move, and numbers that do not repeat.
struct Machine {
    now: AtomicU64,
    random: AtomicU64,
}

impl Clock for Machine {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }
}

impl Env for Machine {
    fn now(&self) -> u64 {
        Clock::now(self)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        self.random.fetch_add(1, Ordering::SeqCst)
    }
}

struct Counter(u8);

impl Random for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(7);
            *byte = self.0;
        }
    }
}

struct Local(Arc<Emulator>);

impl Transport for Local {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let Answer::Response(response) = self.0.handle(request).answer else {
            panic!("dropped")
        };
        Box::pin(std::future::ready(Ok(response)))
    }
}

#[derive(Default)]
struct Rows(Mutex<Vec<AuditRow>>);

impl Audit for Rows {
    fn record(&self, row: AuditRow) {
        self.0.lock().unwrap().push(row);
    }
}

#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, Started>>);

impl Journal for Kept {
    fn write(&self, started: &Started) -> Result<(), JournalError> {
        let mut kept = self.0.lock().unwrap();
        kept.insert(started.id.clone(), started.clone());
        Ok(())
    }

    fn remove(&self, id: &str) -> Result<(), JournalError> {
        self.0.lock().unwrap().remove(id);
        Ok(())
    }

    fn read(&self) -> Result<Vec<Started>, JournalError> {
        Ok(self.0.lock().unwrap().values().cloned().collect())
    }
}

/// A journal on a full disk.
struct Full;

impl Journal for Full {
    fn write(&self, _: &Started) -> Result<(), JournalError> {
        Err(JournalError("the disk is full".to_owned()))
    }

    fn remove(&self, _: &str) -> Result<(), JournalError> {
        Ok(())
    }

    fn read(&self) -> Result<Vec<Started>, JournalError> {
        Ok(Vec::new())
    }
}

/// Nothing of an emulated Clerk waits: what is left to do is done at once.
struct AtOnce;

impl Background for AtOnce {
    fn run(&self, work: BoxFuture<'static, ()>) {
        work.now_or_never().unwrap();
    }
}

struct World {
    machine: Arc<Machine>,
    emulator: Arc<Emulator>,
    rows: Arc<Rows>,
    kept: Arc<Kept>,
    policy: Policy,
}

impl World {
    fn new() -> Self {
        let machine = Arc::new(Machine {
            now: AtomicU64::new(1_790_000_000_000),
            random: AtomicU64::new(1),
        });
        let clock = Arc::clone(&machine) as Arc<dyn Clock>;
        let emulator = Emulator::new(&Seed::default(), clock, Box::new(Counter(0))).unwrap();
        Self {
            machine,
            emulator: Arc::new(emulator),
            rows: Arc::default(),
            kept: Arc::default(),
            policy: Policy::default(),
        }
    }

    fn client(&self, key: &str) -> Client {
        let transport = Arc::new(Local(Arc::clone(&self.emulator)));
        let env = Arc::clone(&self.machine) as Arc<dyn Env>;
        Client::builder(SecretKey::parse(key).unwrap(), transport, env).build()
    }

    fn frontend(&self) -> FrontendClient {
        let api = FrontendApi::parse(URL).unwrap();
        FrontendClient::new(api, Arc::new(Local(Arc::clone(&self.emulator))))
    }

    fn impersonator(&self) -> Impersonator {
        self.impersonator_with(&self.emulator.secret_key(), self.kept.clone())
    }

    fn impersonator_with(&self, key: &str, journal: Arc<dyn Journal>) -> Impersonator {
        Impersonator::new(Parts {
            client: self.client(key),
            policy: self.policy,
            journal,
            audit: self.rows.clone(),
            background: Arc::new(AtOnce),
        })
    }

    fn begin(&self, operator: &str, person: &str) -> Result<String, ImpersonationError> {
        let reason = Reason::parse("ticket 7").unwrap();
        let order = order(operator, person, &reason);
        let (impersonator, frontend) = (self.impersonator(), self.frontend());
        let begun = impersonator.session(&frontend, &order);
        let acting = begun.now_or_never().unwrap()?;
        let session = acting.started().session_id.clone().unwrap();
        // Dropping would end it.
        std::mem::forget(acting);
        Ok(session)
    }

    /// Asks the Backend API.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(
                "authorization",
                format!("Bearer {}", self.emulator.secret_key()),
            )
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let Answer::Response(response) = self.emulator.handle(request).answer else {
            panic!("dropped")
        };
        serde_json::from_slice(response.body()).unwrap()
    }

    fn session_status(&self, id: &str) -> Value {
        self.ask("GET", &format!("/v1/sessions/{id}"), &json!({}))["status"].clone()
    }

    fn active_impersonations(&self, user: &str) -> usize {
        let path = format!("/v1/sessions?user_id={user}&status=active");
        let sessions = self.ask("GET", &path, &json!({}));
        let sessions = sessions.as_array().unwrap().iter();
        sessions
            .filter(|session| !session["actor"].is_null())
            .count()
    }

    /// Tool and outcome of each audit row.
    fn outcomes(&self) -> Vec<(String, String)> {
        let rows = self.rows.0.lock().unwrap();
        rows.iter()
            .map(|row| (row.tool.clone(), row.outcome.clone()))
            .collect()
    }

    fn audit_text(&self) -> String {
        serde_json::to_string(&*self.rows.0.lock().unwrap()).unwrap()
    }
}

fn order<'a>(operator: &'a str, person: &'a str, reason: &'a Reason) -> Order<'a> {
    Order {
        operator,
        person,
        reason,
        client: None,
        client_id: None,
    }
}

fn claims(jwt: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap());
    serde_json::from_slice(&payload.unwrap()).unwrap()
}

fn named(tool: &str, outcome: &str) -> (String, String) {
    (tool.to_owned(), outcome.to_owned())
}

#[test]
fn a_session_names_its_actor_and_is_revoked() {
    let world = World::new();
    let reason = Reason::parse("ticket 7: the invoice page is empty").unwrap();
    let impersonator = world.impersonator();
    let frontend = world.frontend();
    let order = order(PRIYA, AVAS_ADDRESS, &reason);
    let acting = impersonator.session(&frontend, &order).now_or_never();
    let acting = acting.unwrap().unwrap();
    let token = acting.token(None).now_or_never().unwrap().unwrap();
    let claims = claims(token.expose());
    assert_eq!(
        (&claims["sub"], &claims["act"]["sub"]),
        (&json!(AVA), &json!(PRIYA))
    );
    let started = acting.started().clone();
    assert_eq!(claims["act"]["impersonation"], started.id);
    assert_eq!(world.kept.read().unwrap(), std::slice::from_ref(&started));
    acting.touch().now_or_never().unwrap().unwrap();
    let missing = acting.token(Some("none")).now_or_never().unwrap();
    assert_eq!(missing.unwrap_err().code, "resource_not_found");

    let session = started.session_id.unwrap();
    assert_eq!(world.session_status(&session), "active");
    let ended = acting.end().now_or_never().unwrap();
    assert_eq!(ended, Ok(Ended::Sessions(1)));
    assert_eq!(world.session_status(&session), "revoked");
    assert_eq!(world.kept.read().unwrap(), []);

    let rows = world.rows.0.lock().unwrap().clone();
    assert_eq!(rows.len(), 2);
    let begun = &rows[0];
    assert_eq!((&*begun.tool, &*begun.outcome), ("impersonate", "ok"));
    assert_eq!(begun.user_id.as_deref(), Some(PRIYA));
    assert_eq!(begun.arguments["reason"], reason.as_str());
    assert_eq!(begun.arguments["user_id"], AVA);
    assert_eq!(begun.arguments["session_id"], session);
    assert_eq!(
        (&*rows[1].tool, &*rows[1].outcome),
        ("endImpersonation", "ok")
    );
    let text = world.audit_text();
    assert!(
        !text.contains("ava.mitchell") && !text.contains(token.expose()),
        "{text}"
    );
}

#[test]
fn clerk_ends_it_at_the_ceiling() {
    let mut world = World::new();
    world.policy = Policy::default()
        .with_ceiling(Duration::from_secs(300))
        .unwrap();
    let session = world.begin(PRIYA, AVA).unwrap();
    world.machine.now.fetch_add(299_000, Ordering::SeqCst);
    assert_eq!(world.session_status(&session), "active");
    world.machine.now.fetch_add(1_000, Ordering::SeqCst);
    assert_eq!(world.session_status(&session), "expired");
}

#[test]
fn a_link_works_once_and_can_be_withdrawn() {
    let world = World::new();
    let reason = Reason::parse("ticket 8").unwrap();
    let impersonator = world.impersonator();
    let link = || {
        let order = order(PRIYA, AVA, &reason);
        let link = impersonator.link(&order).now_or_never().unwrap().unwrap();
        let url = link.url.expose().to_owned();
        assert!(!format!("{link:?}").contains("ticket="), "{link:?}");
        (url, link.started)
    };
    let ((_, unused), (used, taken), (gone, _)) = (link(), link(), link());
    let ticket = |url: &str| url.split_once("ticket=").unwrap().1.to_owned();
    let ticket = clerk::oauth::Secret::new(ticket(&used));
    let frontend = world.frontend();
    let session = frontend.sign_in_with_ticket(&ticket).now_or_never();
    let session = session.unwrap().unwrap();
    assert_eq!(world.active_impersonations(AVA), 1);

    let revoked = impersonator.revoke_all().now_or_never().unwrap().unwrap();
    let ended: BTreeMap<_, _> = revoked.ended.iter().map(|(s, e)| (&s.id, *e)).collect();
    assert_eq!(ended[&unused.id], Ended::Unused);
    assert_eq!(ended[&taken.id], Ended::Sessions(1));
    assert_eq!(
        (ended.len(), revoked.failed.len(), revoked.elsewhere),
        (3, 0, 0)
    );
    assert_eq!(world.session_status(session.id()), "revoked");
    let gone = clerk::oauth::Secret::new(gone.split_once("ticket=").unwrap().1);
    let refused = frontend.sign_in_with_ticket(&gone).now_or_never().unwrap();
    assert_eq!(refused.unwrap_err().code(), "actor_token_revoked_code");
    assert_eq!(world.kept.read().unwrap(), []);
}

#[test]
fn what_a_crash_left_is_found_by_its_mark_alone() {
    let world = World::new();
    let own = world.begin(PRIYA, AVA).unwrap();
    let others = world.begin(NOAH, AVA).unwrap();
    // The crash came before anything but the intent was on record; and one is another program's.
    let mut kept = world.kept.read().unwrap();
    let mut forgotten = kept.remove(kept.iter().position(|s| s.operator == PRIYA).unwrap());
    world.kept.remove(&kept[0].id).unwrap();
    (forgotten.session_id, forgotten.actor_token_id) = (None, None);
    world.kept.write(&forgotten).unwrap();
    let mut foreign = forgotten.clone();
    foreign.id = "imp_foreign".to_owned();
    foreign.user_id = "user_of_another_instance".to_owned();
    world.kept.write(&foreign).unwrap();
    let mut over = forgotten.clone();
    over.id = "imp_over".to_owned();
    over.ends_at = 5;
    world.kept.write(&over).unwrap();

    let impersonator = world.impersonator();
    let revoked = impersonator.revoke_all().now_or_never().unwrap().unwrap();
    assert_eq!(revoked.ended, [(forgotten, Ended::Sessions(1))]);
    assert_eq!(revoked.elsewhere, 1);
    assert_eq!(world.session_status(&own), "revoked");
    assert_eq!(world.session_status(&others), "active");
    // What this key cannot end stays on record for the one that can.
    assert_eq!(world.kept.read().unwrap(), [foreign]);
}

#[test]
fn who_may_not() {
    let world = World::new();
    let code = |operator, person| world.begin(operator, person).unwrap_err().code;
    assert_eq!(code(PRIYA, PRIYA), "same_person");
    assert_eq!(code(PRIYA, LIAM), "user_banned");
    assert_eq!(code(LIAM, AVA), "operator_banned");
    let locked = world.ask("POST", &format!("/v1/users/{NOAH}/lock"), &json!({}));
    assert_eq!(locked["locked"], true);
    assert_eq!(code(PRIYA, NOAH), "user_locked");
    assert_eq!(code("user_nobody", AVA), "resource_not_found");
    assert_eq!(code(PRIYA, "user_nobody"), "resource_not_found");
    assert_eq!(code(PRIYA, "nobody@example.com"), "user_not_found");
    assert_eq!(code("org_1", AVA), "invalid_request");
    assert_eq!(code(PRIYA, "Ava Mitchell"), "invalid_arguments");
    // Each attempt is on the record, and none has left anything behind.
    assert_eq!(world.outcomes().len(), 9);
    assert!(
        world
            .outcomes()
            .contains(&named("impersonate", "user_banned"))
    );
    assert_eq!(world.kept.read().unwrap(), []);
    assert_eq!(world.active_impersonations(AVA), 0);
}

#[test]
fn whoever_is_impersonated_impersonates_nobody() {
    let world = World::new();
    let session = world.begin(NOAH, PRIYA).unwrap();
    let refused = world.begin(PRIYA, AVA).unwrap_err();
    assert_eq!(refused.code, "chained_impersonation");
    world.ask(
        "POST",
        &format!("/v1/sessions/{session}/revoke"),
        &json!({}),
    );
    world.begin(PRIYA, AVA).unwrap();
}

#[test]
fn a_production_instance_is_left_alone() {
    let world = World::new();
    let live = "sk_live_abcdefghijklmnopqrstuvwx1234";
    let impersonator = world.impersonator_with(live, world.kept.clone());
    let reason = Reason::parse("x").unwrap();
    let refused = impersonator
        .link(&order(PRIYA, AVA, &reason))
        .now_or_never();
    assert_eq!(refused.unwrap().unwrap_err().code, "live_instance");
    let path = "/_emulator/requests";
    assert!(
        !world
            .ask("GET", path, &json!({}))
            .to_string()
            .contains("actor_tokens")
    );
}

#[test]
fn nothing_starts_that_could_not_be_ended() {
    let world = World::new();
    let key = world.emulator.secret_key();
    let impersonator = world.impersonator_with(&key, Arc::new(Full));
    let reason = Reason::parse("x").unwrap();
    let refused = impersonator
        .link(&order(PRIYA, AVA, &reason))
        .now_or_never();
    let error = refused.unwrap().unwrap_err();
    assert_eq!(error.code, "journal_failed");
    assert!(error.to_string().contains("the disk is full"), "{error}");
}

/// An API that says who asks, and keeps what it was asked.
#[derive(Default)]
struct Api {
    asked: Mutex<Vec<(String, String, String)>>,
    /// Answers never come.
    is_stuck: bool,
}

impl Transport for Api {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let address = request.uri().to_string();
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let token = header("authorization")
            .strip_prefix("Bearer ")
            .unwrap()
            .to_owned();
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let mut asked = self.asked.lock().unwrap();
        asked.push((
            format!("{} {address}", request.method()),
            token.clone(),
            body,
        ));
        if self.is_stuck {
            return Box::pin(std::future::pending());
        }
        let seen = claims(&token);
        let json = |status: u16, body: Value| {
            let response = http::Response::builder().status(status);
            let response = response.header("content-type", "application/json; charset=utf-8");
            response.body(Bytes::from(body.to_string())).unwrap()
        };
        let plain = |status: u16, body: &str| {
            http::Response::builder()
                .status(status)
                .header("location", "https://evil.example/")
                .body(Bytes::from(body.to_owned()))
                .unwrap()
        };
        let response = match request.uri().path() {
            "/v1/me" => json(
                200,
                json!({ "sub": seen["sub"], "act": seen["act"]["sub"] }),
            ),
            "/v1/echo" => json(
                200,
                json!({
                    "said": format!("you sent Bearer {token}"),
                    "parts": token.split('.').collect::<Vec<_>>(),
                    (token.clone()): "as a name",
                    "note": "hidden\u{202e}",
                }),
            ),
            "/v1/forbidden" => json(403, json!({ "error": "no" })),
            "/v1/expired" => json(401, json!({ "error": "azp" })),
            "/v1/long" => plain(200, &"ä".repeat(100_000)),
            "/v1/image" => plain_bytes(&[0x89, 0x50, 0xff]),
            "/v1/away" => plain(302, ""),
            _ => plain(404, "no such thing"),
        };
        Box::pin(std::future::ready(Ok(response)))
    }
}

fn plain_bytes(bytes: &'static [u8]) -> http::Response<Bytes> {
    let response = http::Response::builder().header("content-type", "image/png");
    response.body(Bytes::from_static(bytes)).unwrap()
}

impl World {
    fn tool(&self, api: &Arc<Api>, operator: Option<&str>) -> CallApiAs {
        CallApiAs::new(CallApiAsParts {
            impersonator: self.impersonator(),
            frontend: self.frontend(),
            api: BaseUrl::parse("https://api.example.com/v1").unwrap(),
            transport: api.clone(),
            operator: operator.map(str::to_owned),
            template: None,
        })
    }
}

fn call(
    tool: &CallApiAs,
    caller: Option<&str>,
    arguments: Value,
) -> Result<ToolResult, OwnToolError> {
    let caller = Caller {
        user_id: caller.map(str::to_owned),
        ..Caller::default()
    };
    let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap();
    tool.call(&arguments, &caller, &toolkit::Quiet)
        .now_or_never()
        .unwrap()
}

fn get(path: &str) -> Value {
    json!({ "user": AVAS_ADDRESS, "method": "GET", "path": path, "reason": "ticket 9" })
}

#[test]
fn the_api_is_called_as_the_person_by_the_operator() {
    let (world, api) = (World::new(), Arc::new(Api::default()));
    let tool = world.tool(&api, None);
    let result = call(&tool, Some(PRIYA), get("/me?x=1")).unwrap();
    assert!(!result.is_error);
    let structured = Value::Object(result.structured.unwrap());
    assert_eq!(structured["user_id"], AVA);
    assert_eq!(structured["status"], 200);
    assert_eq!(structured["body"], json!({ "sub": AVA, "act": PRIYA }));
    let schema = Value::Object((**tool.definition().output_schema.as_ref().unwrap()).clone());
    assert!(jsonschema::is_valid(&schema, &structured));
    // The session was for this call alone.
    assert_eq!(world.active_impersonations(AVA), 0);
    assert_eq!(world.kept.read().unwrap(), []);
    assert_eq!(
        world.outcomes(),
        [named("impersonate", "ok"), named("endImpersonation", "ok")]
    );

    let changed = json!({
        "user": AVA, "method": "PATCH", "path": "/things/1", "body": { "a": [1] }, "reason": "x",
    });
    let result = call(&tool, Some(PRIYA), changed).unwrap();
    assert!(result.is_error);
    assert_eq!(result.structured.unwrap()["body"], "no such thing");
    let asked = api.asked.lock().unwrap();
    assert_eq!(asked[0].0, "GET https://api.example.com/v1/me?x=1");
    assert_eq!(asked[1].0, "PATCH https://api.example.com/v1/things/1");
    assert_eq!(asked[1].2, r#"{"a":[1]}"#);
}

#[test]
fn the_signed_in_caller_is_the_operator_and_nobody_else() {
    let (world, api) = (World::new(), Arc::new(Api::default()));
    let actor = |tool: &CallApiAs, caller| {
        let result = call(tool, caller, get("/me"))?;
        Ok::<_, OwnToolError>(result.structured.unwrap()["body"]["act"].clone())
    };
    let tool = world.tool(&api, Some(NOAH));
    assert_eq!(actor(&tool, Some(PRIYA)).unwrap(), PRIYA);
    assert_eq!(actor(&tool, None).unwrap(), NOAH);
    let tool = world.tool(&api, None);
    assert_eq!(actor(&tool, None).unwrap_err().code, "no_operator");
    let itself = call(&tool, Some(AVA), get("/me")).unwrap_err();
    assert_eq!(itself.code, "same_person");
}

#[test]
fn tokens_are_in_no_result_unless_that_is_allowed() {
    let (mut world, api) = (World::new(), Arc::new(Api::default()));
    let result = call(&world.tool(&api, None), Some(PRIYA), get("/echo")).unwrap();
    let text = result.text();
    let token = api.asked.lock().unwrap()[0].1.clone();
    let signature = token.rsplit('.').next().unwrap();
    assert!(!text.contains(signature), "{text}");
    assert!(
        text.contains("you sent Bearer (a credential, not shown)"),
        "{text}"
    );
    assert!(text.contains("hidden\\\\u{202e}"), "{text}");
    assert!(!world.audit_text().contains(signature));

    world.policy = world.policy.expose_tokens(true);
    let tool = world.tool(&api, None);
    let result = call(&tool, Some(PRIYA), get("/me")).unwrap();
    let exposed = result.structured.unwrap()["session_token"].clone();
    assert_eq!(exposed, api.asked.lock().unwrap()[1].1);
}

#[test]
fn answers_of_every_kind_are_told_truthfully() {
    let (world, api) = (World::new(), Arc::new(Api::default()));
    let tool = world.tool(&api, None);
    let answer = |path| call(&tool, Some(PRIYA), get(path)).unwrap();
    let refused = answer("/forbidden");
    assert!(refused.is_error);
    assert_eq!(refused.structured.unwrap()["status"], 403);
    let hint = answer("/expired").structured.unwrap()["hint"].to_string();
    assert!(hint.contains("authorizedParties"), "{hint}");
    let long = answer("/long").structured.unwrap();
    assert_eq!(long["truncated"], true);
    assert_eq!(long["body"].as_str().unwrap().len(), 100 * 1024);
    let image = answer("/image").structured.unwrap();
    assert_eq!(
        (&image["body"], &image["content_type"]),
        (&Value::Null, &json!("image/png"))
    );
    let away = call(&tool, Some(PRIYA), get("/away")).unwrap_err();
    assert_eq!(away.code, "redirect_refused");
    assert_eq!(world.active_impersonations(AVA), 0);
}

#[test]
fn wrong_arguments_start_nothing() {
    let (world, api) = (World::new(), Arc::new(Api::default()));
    let tool = world.tool(&api, None);
    let schema = Value::Object((*tool.definition().input_schema).clone());
    for (pointer, value, is_of_schema) in [
        ("method", json!("TRACE"), false),
        ("method", json!("get"), false),
        ("path", json!("me"), false),
        ("path", json!("//evil.example/"), true),
        ("path", json!("/../admin"), true),
        ("reason", json!(""), false),
        ("reason", json!("  "), true),
        ("body", json!({}), true),
        ("user", json!(7), false),
        ("host", json!("evil.example"), false),
    ] {
        let mut arguments = get("/me");
        assert!(jsonschema::is_valid(&schema, &arguments));
        arguments[pointer] = value;
        assert_eq!(
            jsonschema::is_valid(&schema, &arguments),
            is_of_schema,
            "{arguments}"
        );
        let error = call(&tool, Some(PRIYA), arguments.clone()).unwrap_err();
        assert_eq!(error.code, "invalid_arguments", "{arguments}");
    }
    assert!(world.outcomes().is_empty());
    assert!(api.asked.lock().unwrap().is_empty());
}

#[test]
fn a_cancelled_call_leaves_no_session() {
    let world = World::new();
    let api = Arc::new(Api {
        is_stuck: true,
        ..Api::default()
    });
    let tool = world.tool(&api, Some(PRIYA));
    let (arguments, caller) = (get("/me"), Caller::default());
    let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap();
    // Dropped while it waits for the API.
    let cancelled = tool
        .call(&arguments, &caller, &toolkit::Quiet)
        .now_or_never();
    assert!(cancelled.is_none());
    assert_eq!(api.asked.lock().unwrap().len(), 1);
    assert_eq!(world.active_impersonations(AVA), 0);
    assert_eq!(world.kept.read().unwrap(), []);
    assert_eq!(world.outcomes()[1], named("endImpersonation", "ok"));
}

//! Sessions by tickets, beside a Clerk that does as it is told.
#![allow(clippy::unwrap_used, reason = "tests")]
use bytes::Bytes;
use clerk::{BoxFuture, Env, SecretKey, Transport, TransportError, oauth::FrontendApi};
use http::Response;
use oauth::Timestamp;
use std::sync::atomic::AtomicBool;
use store::started_sessions::{MemoryStartedSessions, StartedSessionStore as _};

use super::*;

/// Clerk as far as tickets go, and a clock.
#[derive(Default)]
struct Clerk {
    now: AtomicU64,
    sessions: AtomicU64,
    asked: Mutex<Vec<String>>,
    is_away: AtomicBool,
}

impl Clerk {
    fn revoked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let revoked = asked.iter().filter_map(|path| path.strip_suffix("/revoke"));
        revoked
            .map(|path| path.replace("/v1/sessions/", ""))
            .collect()
    }
}

impl Transport for Clerk {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let path = request.uri().path().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        let body = match &*path {
            "/v1/sign_in_tokens" => json!({ "token": "a-ticket" }),
            "/v1/client/sign_ins" => {
                let number = self.sessions.fetch_add(1, Ordering::SeqCst);
                let id = format!("sess_{number}");
                let session = json!({ "id": id, "user": { "id": "user_a" }, "actor": null });
                json!({
                    "response": { "status": "complete", "created_session_id": id },
                    "client": { "sessions": [session] },
                })
            }
            _ => json!({}),
        };
        let status = match self.is_away.load(Ordering::SeqCst) {
            true => 503,
            false => 200,
        };
        let answer = Response::builder()
            .status(status)
            .header("authorization", "the-client");
        let answer = answer.body(Bytes::from(body.to_string())).unwrap();
        Box::pin(std::future::ready(Ok(answer)))
    }
}

impl Env for Clerk {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> u64 {
        0
    }
}

/// With what is on record of them.
fn sessions(clerk: &Arc<Clerk>) -> (TicketSessions, Arc<MemoryStartedSessions>) {
    let record = Arc::new(MemoryStartedSessions::new());
    (of_process(clerk, &record), record)
}

fn of_process(clerk: &Arc<Clerk>, record: &Arc<MemoryStartedSessions>) -> TicketSessions {
    let transport = Arc::clone(clerk) as Arc<dyn Transport>;
    let key = SecretKey::parse("sk_test_0123456789abcdefghij").unwrap();
    let env = Arc::clone(clerk) as Arc<dyn Env>;
    let client = Client::builder(key, Arc::clone(&transport), env).build();
    let api = FrontendApi::parse("https://clerk.test").unwrap();
    let started = StartedSessions::new(client.clone(), Arc::clone(record) as Arc<_>);
    let frontend = FrontendClient::new(api, transport);
    TicketSessions::new(client, frontend, started)
}

async fn on_record(record: &MemoryStartedSessions) -> Vec<String> {
    record.unattended(Timestamp(u64::MAX)).await.unwrap()
}

fn whose(grant: &str) -> Whose {
    Whose {
        sign_in: SignInKey::Grant(GrantId::from_text(grant)),
        user_id: "user_a".to_owned(),
        organization_id: None,
        ended: GrantEnd::default(),
    }
}

/// By a token that Clerk issued for this client.
fn by_token(client: &str) -> Whose {
    let user_id = "user_a".to_owned();
    Whose {
        sign_in: SignInKey::Client {
            user_id: user_id.clone(),
            client_id: client.to_owned(),
            organization_id: None,
        },
        user_id,
        organization_id: None,
        ended: GrantEnd::default(),
    }
}

/// Has the tasks that listen for ends come to it.
async fn others_run() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_sweep_ends_what_is_idle_and_what_belongs_to_nobody_any_more() {
    let clerk = Arc::<Clerk>::default();
    let (sessions, record) = sessions(&clerk);
    let [idle, over, used] = ["idle", "over", "used"].map(whose);
    let first = sessions.session(idle.clone(), None).await.unwrap();
    clerk.now.store(milliseconds(IDLE) - 1, Ordering::SeqCst);
    let second = sessions.session(over, None).await.unwrap();
    let third = sessions.session(used.clone(), None).await.unwrap();
    sessions.sweep(|_| async { true }).await;
    assert!(clerk.revoked().is_empty());
    assert_eq!(on_record(&record).await.len(), 3);

    clerk.now.store(milliseconds(IDLE), Ordering::SeqCst);
    let over = GrantId::from_text("over");
    sessions
        .sweep(|grant| std::future::ready(grant != over))
        .await;
    let mut revoked = clerk.revoked();
    revoked.sort();
    assert_eq!(revoked, [&*first, &*second]);
    assert_eq!(on_record(&record).await, [&*third]);
    // The one in use is the same still; the idle one's sign-in gets another.
    assert_eq!(sessions.session(used, None).await, Ok(third));
    assert_ne!(sessions.session(idle, None).await, Ok(first));
}

#[tokio::test]
async fn nothing_is_started_once_the_sign_in_or_the_server_ends() {
    let clerk = Arc::<Clerk>::default();
    let (sessions, record) = sessions(&clerk);
    let ended = whose("ended");
    ended.ended.cancel();
    assert_eq!(sessions.session(ended, None).await, Err(sign_in_again()));
    let open = whose("open");
    let id = sessions.session(open.clone(), None).await.unwrap();
    sessions.close().await;
    assert_eq!(clerk.revoked(), [&*id]);
    assert_eq!(sessions.session(open, None).await, Err(sign_in_again()));
    assert_eq!(clerk.sessions.load(Ordering::SeqCst), 1);
    assert!(on_record(&record).await.is_empty());
}

#[tokio::test]
async fn tokens_of_a_person_and_client_share_a_session_that_ends_with_the_last_one_in_use() {
    let clerk = Arc::<Clerk>::default();
    let (sessions, _) = sessions(&clerk);
    let (first, second, other) = (by_token("a"), by_token("a"), by_token("b"));
    let id = sessions.session(first.clone(), None).await.unwrap();
    assert_eq!(sessions.session(second.clone(), None).await, Ok(id.clone()));
    assert_ne!(sessions.session(other, None).await, Ok(id.clone()));
    // The first one was replaced: its end is nobody's.
    first.ended.cancel();
    others_run().await;
    assert!(clerk.revoked().is_empty());
    assert_eq!(sessions.session(first, None).await, Err(sign_in_again()));
    second.ended.cancel();
    others_run().await;
    assert_eq!(clerk.revoked(), [&*id]);
    assert_ne!(sessions.session(by_token("a"), None).await, Ok(id));
}

#[tokio::test]
async fn a_session_by_a_token_is_kept_for_a_shorter_time_without_use() {
    let clerk = Arc::<Clerk>::default();
    let (sessions, _) = sessions(&clerk);
    let id = sessions.session(by_token("a"), None).await.unwrap();
    sessions.session(whose("grant"), None).await.unwrap();
    let idle = milliseconds(IDLE_BY_TOKEN);
    clerk.now.store(idle - 1, Ordering::SeqCst);
    sessions.sweep(|_| async { true }).await;
    assert!(clerk.revoked().is_empty());
    clerk.now.store(idle, Ordering::SeqCst);
    sessions.sweep(|_| async { true }).await;
    assert_eq!(clerk.revoked(), [&*id]);
}

#[tokio::test]
async fn what_a_crash_left_is_revoked_once_nobody_looks_after_it() {
    const QUARTER: u64 = 15 * 60 * 1_000;
    let clerk = Arc::<Clerk>::default();
    clerk.now.store(QUARTER, Ordering::SeqCst);
    let (crashed, record) = sessions(&clerk);
    let left = crashed.session(whose("left"), None).await.unwrap();
    let living = of_process(&clerk, &record);
    clerk.now.store(2 * QUARTER - 1, Ordering::SeqCst);
    let own = living.session(whose("own"), None).await.unwrap();
    living.0.started.end_left().await;
    assert!(clerk.revoked().is_empty());
    clerk.now.store(3 * QUARTER, Ordering::SeqCst);
    living.sweep(|_| async { true }).await;
    clerk.is_away.store(true, Ordering::SeqCst);
    living.0.started.end_left().await;
    assert_eq!(on_record(&record).await, [&*left, &*own], "tried again");
    clerk.is_away.store(false, Ordering::SeqCst);
    clerk.asked.lock().unwrap().clear();
    living.0.started.end_left().await;
    assert_eq!(clerk.revoked(), [&*left]);
    assert_eq!(on_record(&record).await, [&*own]);
}

//! Properties that hold for every input.

use clerk_mcp_oauth::{
    AuthorizeFault, ClientId, Parameters, PlainToken, RedirectKind, RedirectUri, Resource,
    ScopeSet, TokenError,
};
use proptest::prelude::*;

use crate::world::{CALLBACK, World, refresh_token};

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Pieces of which addresses are made, by people and by others.
fn uri() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(vec![
        "https://",
        "http://",
        "http:",
        "https:///",
        "javascript:",
        "cursor://",
        "HTTP://",
        "//",
        "",
    ]);
    let user = prop::sample::select(vec!["", "", "", "user@", "@", "127.0.0.1@", "a:b@"]);
    let host = prop::sample::select(vec![
        "app.example.com",
        "127.0.0.1",
        "[::1]",
        "localhost",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "0x7f.1",
        "LOCALHOST",
        "evil.example",
        "",
    ]);
    let port = prop::sample::select(vec!["", "", ":80", ":3000", ":61234", ":0", ":99999", ":"]);
    let path = prop::sample::select(vec![
        "",
        "/",
        "/callback",
        "/callback/",
        "/cb",
        "/cb?x=1",
        "/cb#x",
        "/../cb",
        "/cb\\",
        "/%2e%2e/cb",
    ]);
    (scheme, user, host, port, path)
        .prop_map(|parts| format!("{}{}{}{}{}", parts.0, parts.1, parts.2, parts.3, parts.4))
}

fn private_use() -> Vec<String> {
    vec!["cursor".to_owned()]
}

/// The same rule again, in other words: equal as text, or `http(s)` on the same loopback host with
/// everything but the port equal.
fn should_match(registered: &str, sent: &str) -> bool {
    let split = |text: &str| {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let host = ["127.0.0.1", "[::1]", "localhost"]
            .into_iter()
            .find(|host| {
                let port = authority.to_ascii_lowercase();
                port.strip_prefix(host)
                    .is_some_and(|port| port.is_empty() || port.starts_with(':'))
            })?;
        Some((
            scheme.to_owned(),
            authority[..host.len()].to_owned(),
            tail.to_owned(),
        ))
    };
    registered == sent || split(registered).is_some_and(|one| split(sent) == Some(one))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn redirect_uris_match_as_the_rule_says(registered in uri(), sent in uri()) {
        let read = |text: &str| RedirectUri::parse(text, &private_use());
        if let (Ok(one), Ok(other)) = (read(&registered), read(&sent)) {
            prop_assert_eq!(one.matches(&other), should_match(&registered, &sent));
            prop_assert_eq!(one.matches(&other), other.matches(&one));
        }
    }

    #[test]
    fn accepted_redirect_uris_keep_every_rule(text in uri()) {
        if let Ok(uri) = RedirectUri::parse(&text, &private_use()) {
            let url = url::Url::parse(&text).unwrap();
            prop_assert!(url.fragment().is_none() && url.username().is_empty());
            let host = url.host_str().unwrap_or("");
            let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
            match uri.kind() {
                RedirectKind::Https => prop_assert!(url.scheme() == "https" && !loopback),
                RedirectKind::Loopback => prop_assert!(loopback),
                RedirectKind::PrivateUse => prop_assert_eq!(url.scheme(), "cursor"),
            }
            let location = uri.with_parameters([("code", "a&b=c#d"), ("iss", "https://x/?y")]);
            let there = url::Url::parse(&location).unwrap();
            prop_assert_eq!(
                (there.scheme(), there.host(), there.port()),
                (url.scheme(), url.host(), url.port())
            );
            prop_assert_eq!(there.path(), url.path());
            let query: Vec<_> = there.query_pairs().into_owned().collect();
            prop_assert!(query.contains(&("code".to_owned(), "a&b=c#d".to_owned())));
        }
    }

    #[test]
    fn any_text_is_a_redirect_uri_or_not_without_panic(text in ".{0,60}") {
        let _ = RedirectUri::parse(&text, &private_use());
        let _ = Resource::parse(&text);
    }

    #[test]
    fn scopes_are_read_and_written_alike(text in "[ -~]{0,40}|.{0,20}") {
        let legal = text.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E));
        let set = ScopeSet::parse(&text);
        prop_assert_eq!(set.is_some(), legal);
        if let Some(set) = set {
            prop_assert_eq!(ScopeSet::parse(&set.to_string()), Some(set.clone()));
            for token in text.split(' ').filter(|token| !token.is_empty()) {
                prop_assert!(set.contains(token));
                prop_assert_eq!(set.iter().filter(|one| *one == token).count(), 1);
            }
            prop_assert!(set.covers(&set.intersection(&set)) && set.union(&set) == set);
        }
    }

    #[test]
    fn resources_are_read_and_written_alike(host in "[a-zA-Z]{1,8}", path in "[a-z/]{0,8}") {
        if let Some(resource) = Resource::parse(&format!("https://{host}.example/{path}")) {
            prop_assert_eq!(Resource::parse(resource.as_str()), Some(resource));
        }
    }
}

/// A request of real parameters, with some of them replaced by anything.
fn request(client: &ClientId) -> impl Strategy<Value = Vec<u8>> + use<> {
    let right = World::request(client, &[]);
    let names = [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "response_mode",
        "prompt",
        "request_uri",
    ];
    let right: Vec<(String, String)> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), right.get(name).unwrap()?.to_owned())))
        .collect();
    let name = prop::sample::select(names.to_vec()).prop_map(str::to_owned);
    let value = prop_oneof![
        uri(),
        ".{0,20}",
        Just(String::new()),
        Just("none".to_owned())
    ];
    let changes = prop::collection::vec((name, value, any::<bool>()), 0..4);
    let text = changes.prop_map(move |changes| {
        let mut pairs = right.clone();
        for (name, value, replace) in changes {
            if replace {
                pairs.retain(|(one, _)| *one != name);
            }
            pairs.push((name, value));
        }
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(pairs);
        text.finish().into_bytes()
    });
    prop_oneof![9 => text, 1 => prop::collection::vec(any::<u8>(), 0..80)]
}

#[test]
fn requests_never_panic_and_never_redirect_to_an_unvalidated_uri() {
    let world = World::new();
    let loopback = "http://127.0.0.1:3000/cb";
    let client = now(world.register_at(&[CALLBACK, loopback]));
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(3000)
    };
    proptest!(config, |(bytes in request(&client))| {
        let parameters = Parameters::parse(&bytes);
        if let Err(AuthorizeFault::Redirect { location }) = now(world.authorize(&parameters)) {
            let there = url::Url::parse(&location).unwrap();
            let registered = there.host_str() == Some("app.example.com")
                && there.scheme() == "https"
                && there.path() == "/callback"
                || there.host_str() == Some("127.0.0.1") && there.path() == "/cb";
            prop_assert!(registered, "{}", location);
            prop_assert!(location.contains("iss=https%3A%2F%2Fmcp.example.com"), "{}", location);
            prop_assert!(!location.contains("code="), "{}", location);
        }
    });
}

#[test]
fn forms_at_the_token_endpoint_never_panic() {
    let world = World::new();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    };
    proptest!(config, |(bytes in prop::collection::vec(any::<u8>(), 0..80), header in ".{0,40}")| {
        let mut body = b"grant_type=refresh_token&client_id=x&".to_vec();
        body.extend(bytes);
        let form = Parameters::parse(&body);
        let (people, random) = (&world.people, &world.random);
        let answer = now(world.server.token(&form, Some(&header), &world.web, people, world.now(), random));
        prop_assert!(answer.is_err());
        let _ = now(world.server.check_access_token(&PlainToken::presented(&*header), world.now()));
        let _ = now(world.server.take_callback(&header, &world.browser, world.now()));
        let _ = now(world.server.register(&body, world.now(), random));
    });
}

/// What a client, or a thief, does with the n-th refresh token that was ever given.
#[derive(Debug, Clone)]
enum Move {
    /// Presents a token that was given, the newest being 0.
    Present { back: usize },
    /// The same, but the answer is lost: nobody learns the successor.
    PresentAndLose { back: usize },
    /// Another client presents it.
    Guess { back: usize },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let back = || prop_oneof![5 => Just(0_usize), 3 => Just(1), 1 => 2..5_usize];
    let one = prop_oneof![
        5 => back().prop_map(|back| Move::Present { back }),
        2 => back().prop_map(|back| Move::PresentAndLose { back }),
        1 => back().prop_map(|back| Move::Guess { back }),
    ];
    prop::collection::vec(one, 1..25)
}

/// The rule, in its shortest form: R(n) is dead as soon as R(n+1) was presented.
struct Reference {
    /// Up to which n tokens were presented; `None` before the first.
    presented: Option<usize>,
    revoked: bool,
}

impl Reference {
    fn present(&mut self, n: usize) -> Result<usize, bool> {
        if self.revoked {
            return Err(false);
        }
        if self.presented.is_some_and(|presented| n < presented) {
            self.revoked = true;
            return Err(true);
        }
        self.presented = Some(n);
        Ok(n + 1)
    }
}

#[test]
fn rotation_follows_the_reference_whatever_is_lost_replayed_or_guessed() {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    };
    proptest!(config, |(moves in moves())| {
        now(async {
            let world = World::new();
            let (client, first) = world.signed_in().await;
            let stranger = world.register_at(&[CALLBACK, "http://127.0.0.1/cb"]).await;
            let mut reference = Reference { presented: None, revoked: false };
            // Every token by its n; the client knows those up to `known`.
            let mut chain = vec![refresh_token(&first).clone()];
            for one in moves {
                let (Move::Present { back } | Move::PresentAndLose { back } | Move::Guess { back }) =
                    one;
                let n = (chain.len() - 1).saturating_sub(back);
                let token = chain[n].clone();
                if let Move::Guess { .. } = one {
                    let refused = world.refresh(&stranger, &token).await.unwrap_err();
                    prop_assert!(refused.revoked().is_none());
                    continue;
                }
                match (reference.present(n), world.refresh(&client, &token).await) {
                    (Ok(next), Ok(tokens)) => {
                        let successor = refresh_token(&tokens).clone();
                        prop_assert!(world.lets_in(&tokens.access_token).await);
                        match chain.get(next) {
                            Some(known) => prop_assert_eq!(known.reveal(), successor.reveal()),
                            None if matches!(one, Move::Present { .. }) => chain.push(successor),
                            None => {}
                        }
                    }
                    (Err(now_revoked), Err(refused)) => {
                        prop_assert_eq!(refused.revoked().is_some(), now_revoked);
                        prop_assert_eq!(refused.response().code, "invalid_grant");
                        prop_assert!(!world.lets_in(&first.access_token).await);
                    }
                    (expected, found) => prop_assert!(false, "{expected:?}, not {found:?}"),
                }
            }
            Ok(())
        })?;
    });
}

#[test]
fn concurrent_refreshes_of_one_token_always_agree() {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(20)
    };
    proptest!(config, |(rounds in 1..4_usize, racers in 2..6_usize)| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let world = std::sync::Arc::new(World::new());
        let (client, first) = runtime.block_on(world.signed_in());
        let mut token: PlainToken = refresh_token(&first).clone();
        for _ in 0..rounds {
            let racers: Vec<_> = (0..racers)
                .map(|_| {
                    let (world, client, token) = (world.clone(), client.clone(), token.clone());
                    runtime.spawn(async move { world.refresh(&client, &token).await })
                })
                .collect();
            let answers: Vec<Result<_, TokenError>> =
                racers.into_iter().map(|racer| runtime.block_on(racer).unwrap()).collect();
            let next = refresh_token(answers[0].as_ref().unwrap()).clone();
            for answer in answers {
                let tokens = answer.unwrap();
                prop_assert_eq!(refresh_token(&tokens).reveal(), next.reveal());
            }
            token = next;
        }
    });
}

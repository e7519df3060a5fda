//! The page on which a person sees what they allowed, and takes it back.

use clerk_mcp_oauth::{
    Allowed, AuthorizationFault, Callback, ClientId, ClientIdentity, Forget, Forgotten, Next,
    PlainToken, StepFault, Store as _, Visitor,
};

use crate::world::{
    DAY, ISSUER, World, approve, approve_and_remember, finished, handle, person, query,
    refresh_token, seconds, upstream,
};

const PAGE: &str = "/consents";
const OTHER_BROWSER: StepFault = StepFault::Authorization(AuthorizationFault::OtherBrowser);
const UNKNOWN: StepFault = StepFault::Authorization(AuthorizationFault::Unknown);

impl World {
    async fn begin_visit(&self) -> Next {
        self.server
            .begin_visit(PAGE, &self.browser, self.now(), &self.random)
            .await
            .unwrap()
    }

    /// Signs in for the page; gives its handle.
    async fn visit(&self, user_id: &str) -> String {
        let next = self
            .sign_in(&upstream(self.begin_visit().await), user_id)
            .await;
        let Next::Visiting { location } = next.unwrap() else {
            panic!("not at the page")
        };
        assert!(
            location.starts_with(&format!("{ISSUER}{PAGE}?handle=")),
            "{location}"
        );
        query(&location)["handle"].clone()
    }

    async fn allowed(&self, user_id: &str) -> Vec<Allowed> {
        self.server.allowed(user_id, self.now()).await.unwrap()
    }

    async fn forget(
        &self,
        handle: &str,
        entry: Option<&str>,
        sign_out: bool,
    ) -> Result<Forgotten, StepFault> {
        self.forget_in(&self.browser, handle, entry, sign_out).await
    }

    async fn forget_in(
        &self,
        browser: &PlainToken,
        handle: &str,
        entry: Option<&str>,
        sign_out: bool,
    ) -> Result<Forgotten, StepFault> {
        let wish = Forget {
            entry: entry.map(str::to_owned),
            sign_out,
        };
        self.server.forget(handle, browser, &wish, self.now()).await
    }

    /// Consents, remembers if wished, and signs in; gives the code.
    async fn let_in(&self, client: &ClientId, user_id: &str, remember: bool) -> String {
        let request = World::request(client, &[("scope", Some("tools:read"))]);
        let page = handle(self.authorize(&request).await.unwrap());
        let answer = match remember {
            true => approve_and_remember("tools:read"),
            false => approve("tools:read"),
        };
        let next = self.decide(&page, answer).await.unwrap();
        let location = finished(self.sign_in(&upstream(next), user_id).await.unwrap());
        query(&location)["code"].clone()
    }
}

/// How many consents and grants are left of a person.
async fn left(world: &World, user_id: &str) -> (usize, usize) {
    let consents = world.store.remembered_consents(user_id).await.unwrap();
    let grants = world.store.grants_of_user(user_id, world.now());
    (consents.len(), grants.await.unwrap().len())
}

#[tokio::test]
async fn a_visit_shows_what_is_remembered_and_who_is_signed_in() {
    let world = World::new();
    let (remembered, once) = (
        world.register().await,
        world
            .register_at(&[crate::world::CALLBACK, "https://app.example.com/2"])
            .await,
    );
    world.let_in(&remembered, "user_1", true).await;
    world.let_in(&once, "user_1", false).await;
    world.let_in(&once, "user_2", true).await;
    let visit = world.visit("user_1").await;
    let visitor = world.server.visitor(&visit, &world.browser, world.now());
    let Visitor { handle, person } = visitor.await.unwrap();
    assert_eq!((handle.as_str(), &*person.user_id), (&*visit, "user_1"));
    let allowed = world.allowed(&person.user_id).await;
    let [first, second] = &allowed[..] else {
        panic!("{allowed:?}")
    };
    let consent = first.remembered.as_ref().unwrap();
    assert_eq!(consent.redirect_host, "app.example.com");
    assert_eq!(consent.at, world.now());
    let scopes: Vec<&str> = consent.scopes.iter().map(|scope| &*scope.value).collect();
    assert_eq!(scopes, ["tools:read"]);
    assert_eq!(first.signed_in_at, Some(world.now()));
    assert_eq!(first.client_name.as_deref(), Some("A client"));
    assert_eq!(first.identity, Some(ClientIdentity::SelfRegistered));
    assert_eq!(
        (&second.remembered, second.signed_in_at),
        (&None, Some(world.now()))
    );
    // The consent outlives the sign-in; both end with the client, which nobody uses.
    world.wait(31 * DAY);
    world.store.sweep(world.now()).await.unwrap();
    assert_eq!(left(&world, "user_1").await.0, 1);
    assert_eq!(world.allowed("user_1").await[0].signed_in_at, None);
}

#[tokio::test]
async fn what_is_forgotten_is_asked_about_again_and_what_is_signed_out_is_out() {
    let world = World::new();
    let client = world.register().await;
    let code = world.let_in(&client, "user_1", true).await;
    let tokens = world.redeem(&client, &code).await.unwrap();
    let visit = world.visit("user_1").await;
    let entry = world.allowed("user_1").await[0].entry.clone();
    let forgotten = world.forget(&visit, Some(&entry), false).await.unwrap();
    assert_eq!((forgotten.consents, forgotten.ended.len()), (1, 0));
    let request = World::request(&client, &[("scope", Some("tools:read"))]);
    let next = world.authorize_as(&request, Some("user_1")).await.unwrap();
    assert!(matches!(next, Next::Consent(_)), "the page comes again");
    assert!(world.lets_in(&tokens.access_token).await, "still signed in");

    assert_eq!(forgotten.client_name.as_deref(), Some("A client"));

    // The client is listed as signed in now.
    let entry = world.allowed("user_1").await[0].entry.clone();
    let forgotten = world.forget(&visit, Some(&entry), true).await.unwrap();
    assert_eq!(forgotten.ended, std::slice::from_ref(&tokens.grant.id));
    assert!(!world.lets_in(&tokens.access_token).await);
    assert!(
        world
            .refresh(&client, refresh_token(&tokens))
            .await
            .is_err()
    );
    assert_eq!(world.allowed("user_1").await, []);
}

#[tokio::test]
async fn signing_out_reaches_every_grant_of_that_client_and_person_and_no_other() {
    let world = World::new();
    let client = world.register().await;
    let other = world
        .register_at(&[crate::world::CALLBACK, "https://app.example.com/2"])
        .await;
    for (client, user_id, remember) in [
        (&client, "user_1", true),
        (&client, "user_1", false),
        (&client, "user_2", true),
        (&other, "user_1", true),
    ] {
        world.let_in(client, user_id, remember).await;
    }
    let visit = world.visit("user_1").await;
    let allowed = world.allowed("user_1").await;
    assert_eq!(allowed.len(), 2);
    let entries = world.store.remembered_consents("user_1").await.unwrap();
    let place = entries
        .iter()
        .position(|consent| consent.key.client_id == client)
        .unwrap();
    let entry = &allowed[place].entry;
    let forgotten = world.forget(&visit, Some(entry), true).await.unwrap();
    assert_eq!((forgotten.consents, forgotten.ended.len()), (1, 2));
    assert_eq!(left(&world, "user_1").await, (1, 1));
    assert_eq!(left(&world, "user_2").await, (1, 1));
    let forgotten = world.forget(&visit, None, true).await.unwrap();
    assert_eq!((forgotten.consents, forgotten.ended.len()), (1, 1));
    assert_eq!(forgotten.client_name, None, "it was no one client");
    assert_eq!(left(&world, "user_1").await, (0, 0));
    assert_eq!(left(&world, "user_2").await, (1, 1), "all of one's own");
}

#[tokio::test]
async fn each_form_of_a_visit_takes_effect_however_often_it_is_sent() {
    let world = World::new();
    let client = world.register().await;
    let other = world
        .register_at(&[crate::world::CALLBACK, "https://app.example.com/2"])
        .await;
    world.let_in(&client, "user_1", true).await;
    world.let_in(&other, "user_1", false).await;
    let visit = world.visit("user_1").await;
    let entries = world.allowed("user_1").await;
    let [remembered, signed_in] = [0, 1].map(|place: usize| entries[place].entry.clone());
    // Two windows show the same page: the form of one does not take the other's effect away.
    let first = world.forget(&visit, Some(&signed_in), true).await.unwrap();
    assert_eq!((first.consents, first.ended.len()), (0, 1));
    let second = world
        .forget(&visit, Some(&remembered), false)
        .await
        .unwrap();
    assert_eq!((second.consents, second.ended.len()), (1, 0));
    // What is remembered no more is signed out all the same: the other window still names it so.
    let third = world.forget(&visit, Some(&remembered), true).await.unwrap();
    assert_eq!((third.consents, third.ended.len()), (0, 1));
    assert_eq!(left(&world, "user_1").await, (0, 0));
    // A double click.
    let again = world.forget(&visit, Some(&remembered), true).await.unwrap();
    assert_eq!(again, Forgotten::default());
}

#[tokio::test]
async fn an_entry_of_somebody_else_names_nothing() {
    let world = World::new();
    let client = world.register().await;
    world.let_in(&client, "user_1", true).await;
    let theirs = world.allowed("user_1").await[0].entry.clone();
    let visit = world.visit("user_2").await;
    let forgotten = world.forget(&visit, Some(&theirs), true).await.unwrap();
    assert_eq!((forgotten.consents, forgotten.ended.len()), (0, 0));
    let forgotten = world.forget(&visit, None, true).await.unwrap();
    assert_eq!((forgotten.consents, forgotten.ended.len()), (0, 0));
    assert_eq!(left(&world, "user_1").await, (1, 1));
}

#[tokio::test]
async fn a_visit_is_bound_to_its_browser_and_lives_ten_minutes() {
    let world = World::new();
    let client = world.register().await;
    world.let_in(&client, "user_1", true).await;
    let visit = world.visit("user_1").await;
    let stranger = world.other_browser();
    let seen = world.server.visitor(&visit, &stranger, world.now()).await;
    assert_eq!(seen.unwrap_err(), OTHER_BROWSER);
    let done = world.forget_in(&stranger, &visit, None, true).await;
    assert_eq!(done.unwrap_err(), OTHER_BROWSER);
    // A form does not make it longer.
    world.wait(seconds(9 * 60));
    world.forget(&visit, Some("nothing"), false).await.unwrap();
    world.wait(seconds(60));
    let late = world.forget(&visit, None, true).await;
    let expired = StepFault::Authorization(AuthorizationFault::Expired);
    assert_eq!(late.unwrap_err(), expired);
    assert_eq!(left(&world, "user_1").await, (1, 1));
}

#[tokio::test]
async fn a_visit_gets_no_code_and_an_authorization_is_no_visit() {
    let world = World::new();
    let client = world.register().await;
    let begun = world.begin_visit().await;
    let Next::SignIn {
        authorization,
        upstream,
    } = begun
    else {
        panic!("{begun:?}")
    };
    // Before, while and after they sign in, the handle is worth nothing at the consent page.
    let no_code = async |handle: &str| {
        let refused = world.decide(handle, approve("tools:read")).await;
        assert!(refused.is_err(), "{refused:?}");
        let page = world
            .server
            .authorization_for_page(handle, &world.browser, world.now());
        assert!(page.await.is_err());
        assert_eq!(left(&world, "user_1").await, (0, 0));
    };
    no_code(authorization.id.as_str()).await;
    let state = &upstream.state;
    let taken = world
        .server
        .take_callback(state, &world.browser, world.now());
    let Ok(Callback::Redeem { authorization, .. }) = taken.await else {
        panic!("the state is good")
    };
    no_code(authorization.id.as_str()).await;
    let kept = Some(b"tokens of Clerk".to_vec());
    let (browser, now, random) = (&world.browser, world.now(), &world.random);
    let arrived = world
        .server
        .finish(&authorization, person("user_1"), kept, browser, now, random);
    let Next::Visiting { location } = arrived.await.unwrap() else {
        panic!("not at the page")
    };
    no_code(authorization.id.as_str()).await;
    // The link of the callback, opened again, leads to the same page.
    let again = world.server.take_callback(state, browser, now).await;
    let Ok(Callback::Repeated { location: repeated }) = again else {
        panic!("{again:?}")
    };
    assert_eq!(repeated, location);

    let request = World::request(&client, &[]);
    let consent = handle(world.authorize(&request).await.unwrap());
    let seen = world.server.visitor(&consent, browser, now).await;
    assert_eq!(seen.unwrap_err(), UNKNOWN);
    let done = world.forget(&consent, None, true).await;
    assert_eq!(done.unwrap_err(), UNKNOWN);
}

#[tokio::test]
async fn a_declined_or_failed_sign_in_leads_back_to_the_page() {
    let world = World::new();
    let next = world.begin_visit().await;
    let state = upstream(next).state;
    let taken = world
        .server
        .take_callback(&state, &world.browser, world.now());
    let Ok(Callback::Redeem { authorization, .. }) = taken.await else {
        panic!("the state is good")
    };
    let declined = world
        .server
        .decline(&authorization, &world.browser, world.now());
    let location = declined.await.unwrap();
    assert!(
        location.starts_with(&format!("{ISSUER}{PAGE}?")),
        "{location}"
    );
    assert_eq!(query(&location)["error"], "access_denied");
}

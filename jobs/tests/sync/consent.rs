//! The way to the consent page and back, straight and crooked.

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, ProviderKind},
    ids::{ApiKeyId, StaffId},
    people::Role,
};
use concord_jobs::connect::{self, Asker, Begin, Browser, Callback, ConnectError, Finished};
use concord_storage::{
    api_keys, connections, on_both_databases,
    people::{self, NewUser},
    secret,
    sign_in::{self, NewSession},
    testing::{self, TestDb, monday},
};
use serde_json::json;
use url::Url;

use crate::world::{ANA, PATIENCE, World, unhurried};

const GOOGLE: ProviderKind = ProviderKind::Google;

impl World<'_> {
    /// A key of a program, and what it asks for.
    pub(crate) async fn asked_by_key(&self) -> Asker {
        Asker::Key(self.key().await)
    }

    async fn key(&self) -> ApiKeyId {
        let mut tx = testing::begin(self.db).await;
        let (token, now) = (secret::new_token("ck_"), self.clock.now());
        let key = api_keys::create(&mut tx, self.business.id, "Test", &token, now).await.expect("a key");
        testing::commit(tx).await;
        key.id
    }

    /// A manager signs in, unless they have.
    async fn signed_in(&self, digest: &str) {
        let now = self.clock.now();
        if sign_in::find_session(self.db, digest, now).await.expect("a look").is_some() {
            return;
        }
        let new = NewUser {
            business: self.business.id,
            staff: None,
            name: "Nina".to_owned(),
            email: format!("{digest}@harbour.example"),
            role: Role::Manager,
        };
        let mut tx = testing::begin(self.db).await;
        let user = people::create_user(&mut tx, &new, now).await.expect("a user");
        let session = NewSession {
            business: self.business.id,
            user: user.id,
            digest,
            user_agent: "",
            expires_at: now + Duration::days(1),
        };
        sign_in::create_session(&mut tx, &session, now).await.expect("a session");
        testing::commit(tx).await;
    }

    async fn begin(&self, session: Option<&str>) -> Url {
        let asker = match session {
            Some(digest) => {
                self.signed_in(digest).await;
                Asker::Session(digest.to_owned())
            }
            None => self.asked_by_key().await,
        };
        let begin = Begin {
            business: self.business.id,
            staff: self.ana.id,
            provider: self.outside.kind(),
            asker,
            return_to: "/calendars".to_owned(),
            login_hint: Some(ANA.to_owned()),
        };
        connect::begin(&self.context, begin).await.expect("it begins")
    }

    /// The answer of a person at the consent page.
    async fn answer(&self, page: &Url, decision: &str) -> Callback {
        callback(&self.outside.at_consent_page(page, ANA, decision).await)
    }

    async fn finish(&self, callback: Callback, session: Option<&str>) -> Result<Finished, ConnectError> {
        let browser = Browser { session, is_confirmed: true };
        connect::finish(&self.context, self.outside.kind(), callback, browser).await
    }

    async fn nothing_was_written(&self) {
        let list = connections::list(self.db, self.business.id).await.expect("connections can be read");
        assert!(list.is_empty(), "{list:?}");
        assert_eq!(self.open_jobs().await.len(), 0);
        assert_eq!(self.log().await, [""; 0]);
    }
}

fn callback(url: &Url) -> Callback {
    let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    Callback {
        state: of("state"),
        code: of("code").map(Into::into),
        error: of("error"),
        error_description: of("error_description"),
    }
}

async fn the_straight_way(db: &TestDb) {
    let world = World::new(db).await;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    let page = world.begin(Some("digest")).await;
    assert_eq!(page.query_pairs().find(|(key, _)| key == "login_hint").unwrap().1, ANA);
    let answer = world.answer(&page, "allow").await;
    let finished = world.finish(answer, Some("digest")).await.unwrap();
    assert_eq!((finished.return_to.as_str(), finished.account_email.as_str()), ("/calendars", ANA));
    assert_eq!((finished.business, finished.staff), (world.business.id, world.ana.id));
    world.settle().await;
    assert_eq!(world.state(finished.connection).await, ConnectionState::Active);
    assert_eq!(world.outside.seen_by(ANA).await.len(), 1);
    // It has a refresh token that works.
    world.clock.advance(Duration::hours(2));
    world.put("A-2", &world.draft(&[&world.ana], 600, 660)).await;
    world.settle().await;
    assert_eq!(world.outside.seen_by(ANA).await.len(), 2);
}

async fn an_answer_works_once(db: &TestDb) {
    let world = World::new(db).await;
    let page = world.begin(None).await;
    let answer = world.answer(&page, "allow").await;
    let first = world.finish(answer.clone(), None).await.unwrap();
    let second = world.finish(answer, None).await;
    assert!(matches!(second, Err(ConnectError::UsedState)), "{second:?}");
    assert_eq!(connections::list(db, world.business.id).await.unwrap().len(), 1);
    assert_eq!(world.state(first.connection).await, ConnectionState::Active);
}

async fn an_answer_that_comes_too_late_connects_nothing(db: &TestDb) {
    let world = World::new(db).await;
    let page = world.begin(None).await;
    let answer = world.answer(&page, "allow").await;
    world.clock.advance(Duration::minutes(15));
    let late = world.finish(answer, None).await;
    assert!(matches!(late, Err(ConnectError::ExpiredState)), "{late:?}");
    world.nothing_was_written().await;
}

async fn an_answer_of_another_browser_connects_nothing(db: &TestDb) {
    let world = World::new(db).await;
    for session in [None, Some("another")] {
        let page = world.begin(Some("digest")).await;
        let answer = world.answer(&page, "allow").await;
        let other = world.finish(answer.clone(), session).await;
        assert!(matches!(other, Err(ConnectError::OtherSession)), "{other:?}");
        // Nor in the right one, once it has been shown to somebody else.
        let again = world.finish(answer, Some("digest")).await;
        assert!(matches!(again, Err(ConnectError::UsedState)), "{again:?}");
    }
    world.nothing_was_written().await;
}

async fn consent_by_key_waits_for_the_person(db: &TestDb) {
    let world = World::new(db).await;
    let page = world.begin(None).await;
    let answer = world.answer(&page, "allow").await;
    for _ in 0..2 {
        let waits = connect::finish(&world.context, GOOGLE, answer.clone(), Browser::default()).await;
        assert!(matches!(waits, Err(ConnectError::Unconfirmed { .. })), "{waits:?}");
    }
    world.nothing_was_written().await;
    world.finish(answer, None).await.unwrap();
}

async fn consent_ends_with_session_and_key(db: &TestDb) {
    let world = World::new(db).await;
    let page = world.begin(Some("digest")).await;
    let answer = world.answer(&page, "allow").await;
    let mut tx = testing::begin(db).await;
    sign_in::end_session(&mut tx, "digest").await.unwrap();
    testing::commit(tx).await;
    let over = world.finish(answer, Some("digest")).await;
    assert!(matches!(over, Err(ConnectError::UnknownState)), "{over:?}");

    // A session that has run out has been ended by nobody.
    let page = world.begin(Some("another")).await;
    let answer = world.answer(&page, "allow").await;
    let (session, _) = sign_in::find_session(db, "another", world.clock.now()).await.unwrap().unwrap();
    let lasts = std::time::Duration::from_mins(1);
    world.clock.advance(Duration::minutes(2));
    sign_in::touch_session(db, &session, lasts, world.clock.now()).await.unwrap();
    world.clock.advance(Duration::minutes(2));
    let over = world.finish(answer, Some("another")).await;
    assert!(matches!(over, Err(ConnectError::OtherSession)), "{over:?}");

    let key = world.key().await;
    let begin = Begin {
        business: world.business.id,
        staff: world.ana.id,
        provider: GOOGLE,
        asker: Asker::Key(key),
        return_to: "/".to_owned(),
        login_hint: None,
    };
    let page = connect::begin(&world.context, begin).await.unwrap();
    let answer = world.answer(&page, "allow").await;
    let mut tx = testing::begin(db).await;
    api_keys::revoke(&mut tx, world.business.id, key, world.clock.now()).await.unwrap();
    testing::commit(tx).await;
    let over = world.finish(answer, None).await;
    assert!(matches!(over, Err(ConnectError::UnknownState)), "{over:?}");
    world.nothing_was_written().await;
}

async fn an_answer_that_nobody_asked_for_connects_nothing(db: &TestDb) {
    let world = World::new(db).await;
    let page = world.begin(None).await;
    let answer = world.answer(&page, "allow").await;
    for state in [None, Some(String::new()), Some("made-up".to_owned())] {
        let made_up = world.finish(Callback { state, ..answer.clone() }, None).await;
        assert!(matches!(made_up, Err(ConnectError::UnknownState)), "{made_up:?}");
    }
    let elsewhere =
        connect::finish(&world.context, ProviderKind::Microsoft, answer, Browser::default()).await;
    assert!(matches!(elsewhere, Err(ConnectError::UnknownState)), "{elsewhere:?}");
    world.nothing_was_written().await;
}

async fn a_person_who_says_no_connects_nothing(db: &TestDb) {
    let world = World::new(db).await;
    let page = world.begin(None).await;
    let answer = world.answer(&page, "deny").await;
    assert_eq!(answer.error.as_deref(), Some("access_denied"));
    let denied = world.finish(answer, None).await;
    assert!(
        matches!(&denied, Err(ConnectError::Denied { return_to }) if return_to == "/calendars"),
        "{denied:?}"
    );
    world.nothing_was_written().await;
}

async fn a_provider_that_sends_no_code_has_refused(db: &TestDb) {
    let world = World::new(db).await;
    for (error, words) in [
        (Some("server_error"), Some("Try\r\nlater\u{0} <b>please</b>")),
        (Some("org_internal"), None),
        (None, None),
    ] {
        let page = world.begin(None).await;
        let state = page.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
        let answer = Callback {
            state: Some(state),
            code: None,
            error: error.map(str::to_owned),
            error_description: words.map(str::to_owned),
        };
        let Err(ConnectError::Refused { message, .. }) = world.finish(answer, None).await else {
            panic!("{error:?} was no error")
        };
        // What came through the browser may be anybody's words.
        match error {
            Some("org_internal") => assert!(message.contains("only for people of its own"), "{message}"),
            _ => assert_eq!(message, "Google sent you back without giving access"),
        }
    }
    world.nothing_was_written().await;
}

async fn a_code_that_the_provider_refuses_connects_nothing(db: &TestDb) {
    let world = World::new(db).await;
    let page = world.begin(None).await;
    let answer = world.answer(&page, "allow").await;
    let wrong = Callback { code: Some("4/0sandbox-made-up-code".into()), ..answer };
    let refused = world.finish(wrong, None).await;
    let Err(ConnectError::Refused { message, return_to }) = refused else { panic!("{refused:?}") };
    assert!(!message.contains("made-up") && !message.contains("invalid_grant"), "{message}");
    assert_eq!(return_to, "/calendars");

    // A code that was given to somebody else who began: the verifier does not fit.
    let (mine, theirs) = (world.begin(None).await, world.begin(None).await);
    let (mine, theirs) = (world.answer(&mine, "allow").await, world.answer(&theirs, "allow").await);
    let swapped = world.finish(Callback { code: theirs.code, ..mine }, None).await;
    assert!(matches!(swapped, Err(ConnectError::Refused { .. })), "{swapped:?}");

    // And a provider that is down at that moment.
    let page = world.begin(None).await;
    let answer = world.answer(&page, "allow").await;
    world.outside.fault(json!({ "kind": "server_error", "count": 1 })).await;
    let down = world.finish(answer, None).await;
    assert!(matches!(down, Err(ConnectError::Provider { .. })), "{down:?}");
    world.nothing_was_written().await;
}

/// What the person is told of a consent whose code the sign-in does not take, or whose calendars are not given.
async fn told_of(world: &World<'_>, fault: serde_json::Value) -> String {
    let page = world.begin(None).await;
    let answer = world.answer(&page, "allow").await;
    world.outside.fault(fault).await;
    let refused = world.finish(answer, None).await;
    world.outside.no_faults().await;
    let Err(ConnectError::Refused { message, .. }) = refused else { panic!("{refused:?}") };
    message
}

async fn refused_code_says_who_has_to_do_what(db: &TestDb) {
    let world = World::of(db, ProviderKind::Microsoft, unhurried(), PATIENCE, monday()).await;
    for (number, words) in [
        (65_001, "Ask your administrator to open http"),
        (50_076, "a second step"),
        (53_003, "a rule of your organisation"),
        (50_105, "assign you to this application"),
        (7_000_222, "has expired"),
    ] {
        let message = told_of(&world, json!({ "kind": "refuse_sign_in", "value": number })).await;
        assert!(message.contains(words) && !message.contains("developers"), "{number}: {message}");
    }
    world.nothing_was_written().await;
}

async fn google_refusal_says_what_the_administrator_must_do(db: &TestDb) {
    let world = World::new(db).await;
    for (fault, words) in [
        (json!({ "kind": "refuse_sign_in" }), "check the client id and the client secret"),
        (json!({ "kind": "refuse_sign_in", "value": 1 }), "/oauth/calendar/google/callback"),
        (json!({ "kind": "api_disabled" }), "enable it in the Google Cloud project"),
    ] {
        let message = told_of(&world, fault.clone()).await;
        assert!(message.contains(words) && message.contains("Whoever runs it"), "{fault}: {message}");
    }
    world.nothing_was_written().await;
}

async fn a_person_who_unticks_a_box_is_asked_again(db: &TestDb) {
    let world = World::new(db).await;
    let mut page = world.begin(None).await;
    let pairs: Vec<(String, String)> = page.query_pairs().into_owned().collect();
    let fewer = pairs.into_iter().map(|(name, value)| match name.as_str() {
        "scope" => (name, "openid email https://www.googleapis.com/auth/calendar.readonly".to_owned()),
        _ => (name, value),
    });
    let fewer: Vec<_> = fewer.collect();
    page.query_pairs_mut().clear().extend_pairs(fewer);
    let answer = world.answer(&page, "allow").await;
    let missing = world.finish(answer, None).await;
    assert!(matches!(missing, Err(ConnectError::MissingScope { .. })), "{missing:?}");
    world.nothing_was_written().await;
}

async fn nobody_begins_for_who_is_not_there(db: &TestDb) {
    let world = World::new(db).await;
    let begin = Begin {
        business: world.business.id,
        staff: world.ana.id,
        provider: GOOGLE,
        asker: world.asked_by_key().await,
        return_to: "https://evil.example".to_owned(),
        login_hint: None,
    };
    let not_set_up = Begin { provider: ProviderKind::Microsoft, ..begin.clone() };
    let refused = connect::begin(&world.context, not_set_up).await;
    assert!(matches!(refused, Err(ConnectError::NotSetUp(ProviderKind::Microsoft))), "{refused:?}");
    let unknown = Begin { staff: StaffId(uuid::Uuid::from_u128(7)), ..begin.clone() };
    let refused = connect::begin(&world.context, unknown).await;
    assert!(matches!(refused, Err(ConnectError::UnknownStaff)), "{refused:?}");
    let stranger = testing::business(db).await;
    let foreign = Begin { business: stranger.id, ..begin.clone() };
    let refused = connect::begin(&world.context, foreign).await;
    assert!(matches!(refused, Err(ConnectError::UnknownStaff)), "{refused:?}");

    // A person who leaves while they are on the consent page.
    let page = connect::begin(&world.context, begin).await.unwrap();
    let answer = world.answer(&page, "allow").await;
    let mut tx = testing::begin(db).await;
    people::archive_staff(&mut tx, world.business.id, world.ana.id, world.clock.now()).await.unwrap();
    testing::commit(tx).await;
    let left = world.finish(answer, None).await;
    assert!(matches!(left, Err(ConnectError::UnknownStaff)), "{left:?}");
    world.nothing_was_written().await;
}

on_both_databases!(
    refused_code_says_who_has_to_do_what,
    google_refusal_says_what_the_administrator_must_do,
    the_straight_way,
    an_answer_works_once,
    an_answer_that_comes_too_late_connects_nothing,
    an_answer_of_another_browser_connects_nothing,
    consent_by_key_waits_for_the_person,
    consent_ends_with_session_and_key,
    an_answer_that_nobody_asked_for_connects_nothing,
    a_person_who_says_no_connects_nothing,
    a_provider_that_sends_no_code_has_refused,
    a_code_that_the_provider_refuses_connects_nothing,
    a_person_who_unticks_a_box_is_asked_again,
    nobody_begins_for_who_is_not_there,
);

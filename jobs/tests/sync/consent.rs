//! The way to the consent page and back, straight and crooked.

use chrono::Duration;
use concord_domain::{
    connection::{ConnectionState, ProviderKind},
    ids::{ApiKeyId, StaffId},
    people::Role,
};
use concord_services::connect::{
    self, CallbackBrowser, ConnectError, ConnectInitiator, ConnectRequest, ConnectedAccount, OAuthCallback,
};
use concord_storage::{
    api_keys, connections, on_both_databases,
    people::{self, NewUser},
    secret,
    sign_in::{self, NewSession},
    testing::{self, TestDb, monday},
};
use serde_json::json;
use url::Url;

use crate::fixture::{ANA, PATIENCE, SyncFixture, unhurried};

const GOOGLE: ProviderKind = ProviderKind::Google;

impl SyncFixture<'_> {
    /// A key of a program, and what it asks for.
    pub(crate) async fn asked_by_key(&self) -> ConnectInitiator {
        ConnectInitiator::Key(self.key().await)
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
                ConnectInitiator::Session(digest.to_owned())
            }
            None => self.asked_by_key().await,
        };
        let begin = ConnectRequest {
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
    async fn answer(&self, page: &Url, decision: &str) -> OAuthCallback {
        callback(&self.outside.at_consent_page(page, ANA, decision).await)
    }

    async fn finish(
        &self,
        callback: OAuthCallback,
        session: Option<&str>,
    ) -> Result<ConnectedAccount, ConnectError> {
        let browser = CallbackBrowser { session, is_confirmed: true };
        connect::finish(&self.context, self.outside.kind(), callback, browser).await
    }

    async fn nothing_was_written(&self) {
        let list = connections::list(self.db, self.business.id).await.expect("connections can be read");
        assert!(list.is_empty(), "{list:?}");
        assert_eq!(self.open_jobs().await.len(), 0);
        assert_eq!(self.log().await, [""; 0]);
    }
}

fn callback(url: &Url) -> OAuthCallback {
    let of = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    OAuthCallback {
        state: of("state"),
        code: of("code").map(Into::into),
        error: of("error"),
        error_description: of("error_description"),
    }
}

async fn the_straight_way(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    let page = fixture.begin(Some("digest")).await;
    assert_eq!(page.query_pairs().find(|(key, _)| key == "login_hint").unwrap().1, ANA);
    let answer = fixture.answer(&page, "allow").await;
    let finished = fixture.finish(answer, Some("digest")).await.unwrap();
    assert_eq!((finished.return_to.as_str(), finished.account_email.as_str()), ("/calendars", ANA));
    assert_eq!((finished.business, finished.staff), (fixture.business.id, fixture.ana.id));
    fixture.settle().await;
    assert_eq!(fixture.state(finished.connection).await, ConnectionState::Active);
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 1);
    // It has a refresh token that works.
    fixture.clock.advance(Duration::hours(2));
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 600, 660)).await;
    fixture.settle().await;
    assert_eq!(fixture.outside.seen_by(ANA).await.len(), 2);
}

async fn an_answer_works_once(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "allow").await;
    let first = fixture.finish(answer.clone(), None).await.unwrap();
    let second = fixture.finish(answer, None).await;
    assert!(matches!(second, Err(ConnectError::UsedState)), "{second:?}");
    assert_eq!(connections::list(db, fixture.business.id).await.unwrap().len(), 1);
    assert_eq!(fixture.state(first.connection).await, ConnectionState::Active);
}

async fn an_answer_that_comes_too_late_connects_nothing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "allow").await;
    fixture.clock.advance(Duration::minutes(15));
    let late = fixture.finish(answer, None).await;
    assert!(matches!(late, Err(ConnectError::ExpiredState)), "{late:?}");
    fixture.nothing_was_written().await;
}

async fn an_answer_of_another_browser_connects_nothing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    for session in [None, Some("another")] {
        let page = fixture.begin(Some("digest")).await;
        let answer = fixture.answer(&page, "allow").await;
        let other = fixture.finish(answer.clone(), session).await;
        assert!(matches!(other, Err(ConnectError::OtherSession)), "{other:?}");
        // Nor in the right one, once it has been shown to somebody else.
        let again = fixture.finish(answer, Some("digest")).await;
        assert!(matches!(again, Err(ConnectError::UsedState)), "{again:?}");
    }
    fixture.nothing_was_written().await;
}

async fn consent_by_key_waits_for_the_person(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "allow").await;
    for _ in 0..2 {
        let waits =
            connect::finish(&fixture.context, GOOGLE, answer.clone(), CallbackBrowser::default()).await;
        assert!(matches!(waits, Err(ConnectError::Unconfirmed { .. })), "{waits:?}");
    }
    fixture.nothing_was_written().await;
    fixture.finish(answer, None).await.unwrap();
}

async fn consent_ends_with_session_and_key(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let page = fixture.begin(Some("digest")).await;
    let answer = fixture.answer(&page, "allow").await;
    let mut tx = testing::begin(db).await;
    sign_in::end_session(&mut tx, "digest").await.unwrap();
    testing::commit(tx).await;
    let over = fixture.finish(answer, Some("digest")).await;
    assert!(matches!(over, Err(ConnectError::UnknownState)), "{over:?}");

    // A session that has run out has been ended by nobody.
    let page = fixture.begin(Some("another")).await;
    let answer = fixture.answer(&page, "allow").await;
    let (session, _) = sign_in::find_session(db, "another", fixture.clock.now()).await.unwrap().unwrap();
    let lasts = std::time::Duration::from_mins(1);
    fixture.clock.advance(Duration::minutes(2));
    sign_in::touch_session(db, &session, lasts, fixture.clock.now()).await.unwrap();
    fixture.clock.advance(Duration::minutes(2));
    let over = fixture.finish(answer, Some("another")).await;
    assert!(matches!(over, Err(ConnectError::OtherSession)), "{over:?}");

    let key = fixture.key().await;
    let begin = ConnectRequest {
        business: fixture.business.id,
        staff: fixture.ana.id,
        provider: GOOGLE,
        asker: ConnectInitiator::Key(key),
        return_to: "/".to_owned(),
        login_hint: None,
    };
    let page = connect::begin(&fixture.context, begin).await.unwrap();
    let answer = fixture.answer(&page, "allow").await;
    let mut tx = testing::begin(db).await;
    api_keys::revoke(&mut tx, fixture.business.id, key, fixture.clock.now()).await.unwrap();
    testing::commit(tx).await;
    let over = fixture.finish(answer, None).await;
    assert!(matches!(over, Err(ConnectError::UnknownState)), "{over:?}");
    fixture.nothing_was_written().await;
}

async fn an_answer_that_nobody_asked_for_connects_nothing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "allow").await;
    for state in [None, Some(String::new()), Some("made-up".to_owned())] {
        let made_up = fixture.finish(OAuthCallback { state, ..answer.clone() }, None).await;
        assert!(matches!(made_up, Err(ConnectError::UnknownState)), "{made_up:?}");
    }
    let elsewhere =
        connect::finish(&fixture.context, ProviderKind::Microsoft, answer, CallbackBrowser::default()).await;
    assert!(matches!(elsewhere, Err(ConnectError::UnknownState)), "{elsewhere:?}");
    fixture.nothing_was_written().await;
}

async fn a_person_who_says_no_connects_nothing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "deny").await;
    assert_eq!(answer.error.as_deref(), Some("access_denied"));
    let denied = fixture.finish(answer, None).await;
    assert!(
        matches!(&denied, Err(ConnectError::Denied { return_to }) if return_to == "/calendars"),
        "{denied:?}"
    );
    fixture.nothing_was_written().await;
}

async fn a_provider_that_sends_no_code_has_refused(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    for (error, words) in [
        (Some("server_error"), Some("Try\r\nlater\u{0} <b>please</b>")),
        (Some("org_internal"), None),
        (None, None),
    ] {
        let page = fixture.begin(None).await;
        let state = page.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
        let answer = OAuthCallback {
            state: Some(state),
            code: None,
            error: error.map(str::to_owned),
            error_description: words.map(str::to_owned),
        };
        let Err(ConnectError::Refused { message, .. }) = fixture.finish(answer, None).await else {
            panic!("{error:?} was no error")
        };
        // What came through the browser may be anybody's words.
        match error {
            Some("org_internal") => assert!(message.contains("limited to its own organisation"), "{message}"),
            _ => assert_eq!(message, "Google did not grant access"),
        }
    }
    fixture.nothing_was_written().await;
}

async fn a_code_that_the_provider_refuses_connects_nothing(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "allow").await;
    let wrong = OAuthCallback { code: Some("4/0sandbox-made-up-code".into()), ..answer };
    let refused = fixture.finish(wrong, None).await;
    let Err(ConnectError::Refused { message, return_to }) = refused else { panic!("{refused:?}") };
    assert!(!message.contains("made-up") && !message.contains("invalid_grant"), "{message}");
    assert_eq!(return_to, "/calendars");

    // A code that was given to somebody else who began: the verifier does not fit.
    let (mine, theirs) = (fixture.begin(None).await, fixture.begin(None).await);
    let (mine, theirs) = (fixture.answer(&mine, "allow").await, fixture.answer(&theirs, "allow").await);
    let swapped = fixture.finish(OAuthCallback { code: theirs.code, ..mine }, None).await;
    assert!(matches!(swapped, Err(ConnectError::Refused { .. })), "{swapped:?}");

    // And a provider that is down at that moment.
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "allow").await;
    fixture.outside.fault(json!({ "kind": "server_error", "count": 1 })).await;
    let down = fixture.finish(answer, None).await;
    assert!(matches!(down, Err(ConnectError::Provider { .. })), "{down:?}");
    fixture.nothing_was_written().await;
}

/// What the person is told of a consent whose code the sign-in does not take, or whose calendars are not given.
async fn told_of(fixture: &SyncFixture<'_>, fault: serde_json::Value) -> String {
    let page = fixture.begin(None).await;
    let answer = fixture.answer(&page, "allow").await;
    fixture.outside.fault(fault).await;
    let refused = fixture.finish(answer, None).await;
    fixture.outside.no_faults().await;
    let Err(ConnectError::Refused { message, .. }) = refused else { panic!("{refused:?}") };
    message
}

async fn refused_code_says_who_has_to_do_what(db: &TestDb) {
    let fixture = SyncFixture::of(db, ProviderKind::Microsoft, unhurried(), PATIENCE, monday()).await;
    for (number, words) in [
        (65_001, "Ask your administrator to open http"),
        (50_076, "a second step"),
        (53_003, "a rule of your organisation"),
        (50_105, "assign you to this application"),
        (7_000_222, "has expired"),
    ] {
        let message = told_of(&fixture, json!({ "kind": "refuse_sign_in", "value": number })).await;
        assert!(message.contains(words) && !message.contains("developers"), "{number}: {message}");
    }
    fixture.nothing_was_written().await;
}

async fn google_refusal_says_what_the_administrator_must_do(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    for (fault, words) in [
        (json!({ "kind": "refuse_sign_in" }), "client id and client secret"),
        (json!({ "kind": "refuse_sign_in", "value": 1 }), "/oauth/calendar/google/callback"),
        (json!({ "kind": "api_disabled" }), "enable it in the Google Cloud project"),
    ] {
        let message = told_of(&fixture, fault.clone()).await;
        assert!(message.contains(words) && message.contains("An administrator must"), "{fault}: {message}");
    }
    fixture.nothing_was_written().await;
}

async fn a_person_who_unticks_a_box_is_asked_again(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let mut page = fixture.begin(None).await;
    let pairs: Vec<(String, String)> = page.query_pairs().into_owned().collect();
    let fewer = pairs.into_iter().map(|(name, value)| match name.as_str() {
        "scope" => (name, "openid email https://www.googleapis.com/auth/calendar.readonly".to_owned()),
        _ => (name, value),
    });
    let fewer: Vec<_> = fewer.collect();
    page.query_pairs_mut().clear().extend_pairs(fewer);
    let answer = fixture.answer(&page, "allow").await;
    let missing = fixture.finish(answer, None).await;
    assert!(matches!(missing, Err(ConnectError::MissingScope { .. })), "{missing:?}");
    fixture.nothing_was_written().await;
}

async fn nobody_begins_for_who_is_not_there(db: &TestDb) {
    let fixture = SyncFixture::new(db).await;
    let begin = ConnectRequest {
        business: fixture.business.id,
        staff: fixture.ana.id,
        provider: GOOGLE,
        asker: fixture.asked_by_key().await,
        return_to: "https://evil.example".to_owned(),
        login_hint: None,
    };
    let not_set_up = ConnectRequest { provider: ProviderKind::Microsoft, ..begin.clone() };
    let refused = connect::begin(&fixture.context, not_set_up).await;
    assert!(matches!(refused, Err(ConnectError::NotSetUp(ProviderKind::Microsoft))), "{refused:?}");
    let unknown = ConnectRequest { staff: StaffId(uuid::Uuid::from_u128(7)), ..begin.clone() };
    let refused = connect::begin(&fixture.context, unknown).await;
    assert!(matches!(refused, Err(ConnectError::UnknownStaff)), "{refused:?}");
    let stranger = testing::business(db).await;
    let foreign = ConnectRequest { business: stranger.id, ..begin.clone() };
    let refused = connect::begin(&fixture.context, foreign).await;
    assert!(matches!(refused, Err(ConnectError::UnknownStaff)), "{refused:?}");

    // A person who leaves while they are on the consent page.
    let page = connect::begin(&fixture.context, begin).await.unwrap();
    let answer = fixture.answer(&page, "allow").await;
    let mut tx = testing::begin(db).await;
    people::set_staff_archived(&mut tx, fixture.business.id, fixture.ana.id, Some(fixture.clock.now()))
        .await
        .unwrap();
    testing::commit(tx).await;
    let left = fixture.finish(answer, None).await;
    assert!(matches!(left, Err(ConnectError::UnknownStaff)), "{left:?}");
    fixture.nothing_was_written().await;
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

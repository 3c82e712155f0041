//! Who may finish a connection, and when no longer.

use concord_domain::{
    ids::{StaffId, UserId},
    people::Role,
};
use concord_storage::{
    api_keys,
    people::{self, UserSettings},
    sign_in,
    testing::{TestDb, begin, commit},
};
use reqwest::Method;
use serde_json::json;
use url::Url;

use crate::{
    page_client::{PageClient, person, person_at},
    test_app::TestApp,
};

const ANA: &str = "ana@example.com";

/// A visitor begins to connect; returns the address that the provider sends them back to.
async fn begun(test_app: &TestApp, visitor: &PageClient<'_>, staff: StaffId) -> String {
    let sent = visitor.send("/calendars/connect/google", &[("staff", &staff.to_string())]).await;
    let consent: Url = sent.leads_to().parse().unwrap();
    let callback = test_app.consent(&consent, ANA, "allow").await;
    callback.strip_prefix(&test_app.api.base).unwrap().to_owned()
}

async fn begun_by_key(test_app: &TestApp, staff: StaffId) -> String {
    let path = "/api/v1/calendar_integrations/google/authorize";
    let begun = test_app.api.post(path, json!({ "staff": staff })).await.expect(200);
    let callback = test_app.consent(&begun["url"].as_str().unwrap().parse().unwrap(), ANA, "allow").await;
    callback.strip_prefix(&test_app.api.base).unwrap().to_owned()
}

async fn connected(test_app: &TestApp) -> usize {
    let list = test_app.api.get("/api/v1/calendar_integrations").await.expect(200);
    list["items"].as_array().unwrap().len()
}

async fn ending_session_role_or_user_ends_connection(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    for name in ["signed-out", "everywhere", "archived", "demoted"] {
        let user = person_at(&test_app, &format!("{name}@example.org"), Role::Manager, None).await;
        let visitor = PageClient::signed_in(&test_app, &user).await;
        let callback = begun(&test_app, &visitor, ana).await;
        if name == "signed-out" {
            assert_eq!(visitor.send("/sign-out", &[]).await.leads_to(), "/sign-in");
        } else {
            end(&test_app, user.id, name).await;
        }
        let back = visitor.get(&callback).await;
        assert_eq!(back.status, 400, "{name}: {}", back.text);
        assert!(back.text.contains("Calendar not connected"), "{name}: {}", back.text);
        assert_eq!(connected(&test_app).await, 0, "{name}");
    }
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let callback = begun(&test_app, &visitor, ana).await;
    assert_eq!(visitor.get(&callback).await.leads_to(), "/calendars");
    assert_eq!(connected(&test_app).await, 1);
    test_app.stop().await;
}

async fn end(test_app: &TestApp, user: UserId, how: &str) {
    let business = test_app.business.id;
    let mut tx = begin(test_app.db()).await;
    match how {
        "everywhere" => {
            assert_eq!(sign_in::end_all_sessions(&mut tx, business, user).await.unwrap(), 1);
        }
        "archived" => people::archive_user(&mut tx, business, user, test_app.app.now()).await.unwrap(),
        // They keep their session, and are no manager any more.
        _ => {
            let settings = UserSettings { staff: None, name: "Nina".to_owned(), role: Role::Staff };
            people::update_user(&mut tx, business, user, &settings).await.unwrap();
        }
    }
    commit(tx).await;
}

async fn connection_of_key_waits_for_the_person(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana Costa").await;
    let callback = begun_by_key(&test_app, ana).await;
    let stranger = PageClient::signed_out(&test_app);
    for _ in 0..2 {
        let asked = stranger.get(&callback).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        assert!(
            asked.text.contains("Connect your calendar?") && asked.text.contains("Ana Costa"),
            "{}",
            asked.text
        );
        assert_eq!(asked.headers["cache-control"], "no-store");
        assert_eq!(connected(&test_app).await, 0, "nobody has confirmed it");
    }
    // A page of somebody else's cannot press the button.
    let form = callback.split_once('?').unwrap().1.to_owned();
    let path = "/oauth/calendar/google/callback";
    let kind = "application/x-www-form-urlencoded";
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let forged = test_app.api.raw(Method::POST, path, Some((kind, form.clone())), &[(name, value)]).await;
        assert_eq!(forged.status, 403, "{}", forged.text);
    }
    assert_eq!(connected(&test_app).await, 0);
    let done = test_app.follow_callback(&callback).await;
    assert!(done.text.contains("Ana Costa&#39;s Google calendar"), "{}", done.text);
    assert_eq!(connected(&test_app).await, 1);
    let again = test_app.follow_callback(&callback).await;
    assert_eq!(again.status, 400, "{}", again.text);
    test_app.stop().await;
}

async fn connection_of_key_is_for_who_signs_in(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (ana, ben) = (test_app.staff("Ana").await, test_app.staff("Ben").await);
    let her = person_at(&test_app, "ana@example.org", Role::Staff, Some(ana)).await;
    let his = person_at(&test_app, "ben@example.org", Role::Staff, Some(ben)).await;
    let callback = begun_by_key(&test_app, ana).await;
    let stranger = PageClient::signed_out(&test_app).get(&callback).await;
    assert_eq!(stranger.status, 400, "{}", stranger.text);
    assert!(stranger.text.contains("must sign in to confirm"), "{}", stranger.text);
    let other = PageClient::signed_in(&test_app, &his).await.get(&callback).await;
    assert_eq!(other.status, 400, "{}", other.text);
    assert!(
        other.text.contains("You are not allowed to connect this person&#39;s calendars"),
        "{}",
        other.text
    );
    assert_eq!(connected(&test_app).await, 0);
    // Nobody has used it up.
    let visitor = PageClient::signed_in(&test_app, &her).await;
    assert!(visitor.get(&callback).await.text.contains("Connect your calendar?"));
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(callback.split_once('?').unwrap().1.as_bytes()).into_owned().collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(visitor.send("/oauth/calendar/google/callback", &pairs).await.leads_to(), "/calendars");
    assert_eq!(connected(&test_app).await, 1);
    test_app.stop().await;
}

async fn connection_of_key_ends_with_it(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    let callback = begun_by_key(&test_app, ana).await;
    let key = api_keys::list(test_app.db(), test_app.business.id).await.unwrap()[0].id;
    let mut tx = begin(test_app.db()).await;
    api_keys::revoke(&mut tx, test_app.business.id, key, test_app.app.now()).await.unwrap();
    commit(tx).await;
    let back = test_app.follow_callback(&callback).await;
    assert_eq!(back.status, 400, "{}", back.text);
    let all = concord_storage::connections::list(test_app.db(), test_app.business.id).await.unwrap();
    assert!(all.is_empty(), "{all:?}");
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    ending_session_role_or_user_ends_connection,
    connection_of_key_waits_for_the_person,
    connection_of_key_is_for_who_signs_in,
    connection_of_key_ends_with_it,
);

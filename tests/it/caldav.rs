//! Calendars that open to a name and a password, connected by the API and by the form.

use concord_domain::{connection::ConnectionState, people::Role};
use concord_storage::{
    connections,
    testing::{TestDb, begin, commit},
};
use concord_testing::{CaldavServer, ServerSoftware};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    logs,
    page_client::{PageClient, person},
    test_app::{TestApp, TestAppOptions, hour, until},
};

const PATH: &str = "/api/v1/calendar_integrations/caldav";
const WRONG: &str = "a-wrong-pass-word-99";

/// An installation that may call a server on this machine, and a person's account at one.
async fn fixture(db: &TestDb) -> (TestApp, CaldavServer, (String, String)) {
    let settings = vec![("providers.caldav.allowed_hosts", r#"["127.0.0.1"]"#.to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let server = CaldavServer::start(ServerSoftware::Radicale).await;
    let account = server.new_account().await;
    logs::keep_out(&account.1);
    logs::keep_out(WRONG);
    (test_app, server, account)
}

async fn the_api_connects_an_account(db: &TestDb) {
    let (test_app, server, (user, password)) = fixture(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let body = json!({ "staff": ana, "url": server.proxy.url(), "user": user, "password": password });
    let post = async |key: &str, body: &Value| {
        test_app.api.send(Method::POST, PATH, Some(body.clone()), &[("idempotency-key", key)]).await
    };
    let made = post("k-1", &body).await;
    assert!(!made.text.contains(&password), "{}", made.text);
    let made = made.expect(201);
    assert_eq!((&made["provider"], &made["account_email"]), (&json!("caldav"), &json!(user)), "{made}");
    // Sent twice it is one, with the key and without.
    let again = post("k-1", &body).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201)["id"], made["id"]);
    assert_eq!(test_app.api.post(PATH, body).await.expect(201)["id"], made["id"]);
    let list = test_app.api.get("/api/v1/calendar_integrations").await;
    assert!(!list.text.contains(&password), "{}", list.text);
    assert_eq!(list.expect(200)["items"].as_array().unwrap().len(), 1);

    let booking = json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "title": "Tasting",
        "customer": { "name": "Maria Silva" }, "staff": [ana] });
    test_app.api.put("/api/v1/bookings/C-1", booking).await.expect(201);
    let owner = server.person(&user, password.into());
    let calendar = server.calendar_of(&user);
    let seen = until("the booking stands in the calendar", async || owner.sees(&calendar).await.pop()).await;
    assert!(seen.title.contains("Tasting"), "{seen:?}");
    test_app.stop().await;
    logs::check();
}

async fn the_api_says_which_field_is_wrong(db: &TestDb) {
    let (test_app, server, (user, password)) = fixture(db).await;
    let ana = test_app.staff("Ana").await;
    let url = server.proxy.url();
    let body = |changed: Value| {
        let mut body = json!({ "staff": ana, "url": url, "user": user, "password": password });
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        body
    };
    for (changed, field, words) in [
        (json!({ "password": WRONG }), "password", "does not accept this user name and password"),
        (json!({ "url": test_app.sandbox.url() }), "url", "it has no CalDAV"),
        (json!({ "url": "ftp://127.0.0.1" }), "url", "neither a server address nor an email address"),
        (json!({ "url": "http://10.0.0.1/" }), "url", "private address"),
        (json!({ "url": null, "user": null }), "url", "is required"),
        (json!({ "staff": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10" }), "staff", "is not one of your staff"),
    ] {
        let refused = test_app.api.post(PATH, body(changed)).await;
        for secret in [WRONG, &password] {
            assert!(!refused.text.contains(secret), "{}", refused.text);
        }
        let problem = refused.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    // Nobody's mistake.
    let away = test_app.api.post(PATH, body(json!({ "url": "http://127.0.0.1:9/" }))).await;
    away.problem(502, "provider");
    // A body that cannot be read is not told again with what stands in it.
    let refused = test_app.api.post(PATH, body(json!({ "password": [WRONG] }))).await;
    assert!(!refused.text.contains(WRONG), "{}", refused.text);
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    assert_eq!(connections::list(test_app.db(), test_app.business.id).await.unwrap().len(), 0);
    test_app.stop().await;
    logs::check();
}

async fn nobody_connects_for_others(db: &TestDb) {
    let (test_app, server, (user, password)) = fixture(db).await;
    let ana = test_app.staff("Ana").await;
    let body = json!({ "staff": ana, "url": server.proxy.url(), "user": user, "password": password });
    let raw = Some(("application/json", body.to_string()));
    let without = crate::test_app::ApiClient { key: "ck_nobody".to_owned(), ..test_app.api.clone() };
    let seen = server.proxy.seen();
    without.raw(Method::POST, PATH, raw, &[]).await.problem(401, "unauthorized");
    let (_, other) = test_app.other_business().await;
    let refused = other.post(PATH, body).await.problem(422, "invalid");
    assert_eq!(refused["errors"][0]["field"], "staff", "{refused}");
    // A colleague may not, by the form.
    let rui = test_app.staff("Rui").await;
    let colleague = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, Some(rui)).await).await;
    let (ana, url) = (ana.to_string(), server.proxy.url());
    let fields =
        [("staff", ana.as_str()), ("address", url.as_str()), ("user", &user), ("password", &password)];
    assert_eq!(colleague.send("/calendars/connect/caldav", &fields).await.status, 404);
    assert_eq!(server.proxy.seen(), seen, "it was called all the same");
    assert_eq!(connections::list(test_app.db(), test_app.business.id).await.unwrap().len(), 0);
    test_app.stop().await;
    logs::check();
}

async fn the_form_says_it_at_the_field(db: &TestDb) {
    let (test_app, server, (user, password)) = fixture(db).await;
    let ana = test_app.staff("Ana").await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, Some(ana)).await).await;
    let (ana, url, web) = (ana.to_string(), server.proxy.url(), test_app.sandbox.url());
    let send = async |address: &str, user: &str, password: &str| {
        let fields = [("staff", ana.as_str()), ("address", address), ("user", user), ("password", password)];
        visitor.send("/calendars/connect/caldav", &fields).await
    };
    for (address, name, secret, field, words) in [
        (url.as_str(), user.as_str(), WRONG, "password", "does not accept this user name and password"),
        (url.as_str(), user.as_str(), "", "password", "Enter the password."),
        (url.as_str(), " ", WRONG, "user", "Enter the user name."),
        (web.as_str(), user.as_str(), WRONG, "address", "it has no CalDAV"),
        ("not an address", user.as_str(), WRONG, "address", "This is neither a server address"),
    ] {
        let page = send(address, name, secret).await;
        assert_eq!(page.status, 422, "{field}");
        let fault = page.text.split(&format!("id=\"{field}-fault\">")).nth(1).unwrap_or_default();
        assert!(fault.split('<').next().unwrap().contains(words), "{field}: {}", page.text);
        let marked = page.text.split(&format!("<input id=\"{field}\"")).nth(1).unwrap();
        assert!(
            marked.split('>').next().unwrap().contains("aria-invalid=\"true\""),
            "{field}: {}",
            page.text
        );
        assert_eq!(page.text.matches("aria-invalid").count(), 1, "{}", page.text);
        assert!(!page.text.contains(WRONG), "{}", page.text);
        // What is no secret is still there.
        assert!(page.text.contains(&format!("value=\"{address}\"")), "{}", page.text);
    }
    assert_eq!(connections::list(test_app.db(), test_app.business.id).await.unwrap().len(), 0);
    assert_eq!(send(&url, &user, &password).await.leads_to(), "/calendars");
    let page = visitor.get("/calendars").await.text;
    assert!(page.contains(&user) && !page.contains(&password), "{page}");
    test_app.stop().await;
    logs::check();
}

/// A password is asked for again, wherever somebody is told that the grant is dead.
async fn reconnecting_leads_to_the_form_of_the_password(db: &TestDb) {
    let (test_app, server, (user, password)) = fixture(db).await;
    let ana = test_app.staff("Ana").await;
    let body = json!({ "staff": ana, "url": server.proxy.url(), "user": user, "password": password });
    let made = test_app.api.post(PATH, body).await.expect(201);
    let id = made["id"].as_str().unwrap();
    let mut tx = begin(test_app.db()).await;
    let (business, now) = (test_app.business.id, test_app.app.now());
    let state = ConnectionState::NeedsReconnect;
    connections::set_state(&mut tx, business, id.parse().unwrap(), state, None, now).await.unwrap();
    commit(tx).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let form = format!("/calendars/connect/caldav?staff={ana}");
    for path in ["/", "/calendars", &format!("/calendars/{id}")] {
        let page = visitor.get(path).await.text;
        assert!(page.contains(&format!("href=\"{form}\">Reconnect</a>")), "{path}: {page}");
    }
    assert_eq!(visitor.get(&form).await.status, 200);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    reconnecting_leads_to_the_form_of_the_password,
    the_api_connects_an_account,
    the_api_says_which_field_is_wrong,
    nobody_connects_for_others,
    the_form_says_it_at_the_field,
);

//! A business's own words and logo in mails to its customers: by API, by page, in the mail, and at the logo's address.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    page_client::{PageClient, person},
    same_history::{Names, compare, row},
    test_app::{TestApp, hour, until},
};

/// A GIF of one pixel.
const PIXEL: &str = "GIF89a\u{1}\0\u{1}\0\0\0\0;";

async fn put(test_app: &TestApp, path: &str, body: Value, status: u16) -> Value {
    test_app
        .api
        .send(Method::PUT, &format!("/api/v1/email_texts/{path}"), Some(body), &[])
        .await
        .expect(status)
}

async fn words_and_logo_are_in_the_mail(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let texts =
        json!({ "intro": "Dear {name}, see you {when} <soon>.", "closing": "Harbour Road 1\n{business}" });
    put(&test_app, "invitation/en", texts.clone(), 200).await;
    let saved = manager.send_parts("/settings/emails/logo", &[("logo", Some("logo.gif"), PIXEL)]).await;
    assert_eq!(saved.leads_to(), "/settings/emails");
    let body = json!({ "invitations": "confirmed", "invitation_delay_minutes": 0 });
    test_app.api.patch("/api/v1/business", body).await.expect(200);
    let room = test_app.resource(1).await;
    let booking = json!({ "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10), "title": "Massage",
        "customer": { "name": "Maria {title}", "email": "maria@example.org" } });
    test_app.api.put("/api/v1/bookings/tasting", booking).await.expect(201);
    let mail = until("the invitation comes", async || {
        let all = test_app.control(Method::GET, "/mails", json!({})).await;
        all.as_array().and_then(|all| all.first().cloned())
    })
    .await;
    assert_eq!(mail["subject"], "Massage – Harbour House");
    let (text, html) = (mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap());
    // A name that looks like a variable is a name.
    assert!(text.contains("Dear Maria {title}, see you ") && text.contains(" <soon>."), "{text}");
    assert!(
        text.lines().any(|line| line == "Harbour Road 1") && html.contains("Harbour Road 1<br>"),
        "{text}{html}"
    );
    assert!(html.contains("&#60;soon&#62;") || html.contains("&lt;soon&gt;"), "{html}");
    let logo = html.split_once("<img src=\"").expect("a logo").1.split('"').next().unwrap();
    assert!(logo.starts_with(&format!("{}/logos/", test_app.api.base)), "{logo}");
    let shown = test_app.api.http.get(logo).send().await.unwrap();
    assert_eq!(shown.status(), StatusCode::OK);
    for (name, value) in [("content-type", "image/gif"), ("cross-origin-resource-policy", "cross-origin")] {
        assert_eq!(shown.headers()[name], value);
    }
    assert_eq!(shown.bytes().await.unwrap(), PIXEL.as_bytes());
    let other = logo.replace(".gif", "0.gif");
    assert_eq!(test_app.api.http.get(other).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    test_app.stop().await;
}

async fn what_cannot_be_sent_is_refused(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    for (path, body, field) in [
        ("reminder/de", json!({ "intro": "Hallo {vorname}" }), "intro"),
        ("reminder/de", json!({ "closing": "Hallo {name" }), "closing"),
        ("reminder/de", json!({ "subject": "a\r\nBcc: x@example.org" }), "subject"),
        ("invitation/en", json!({ "subject": "Welcome" }), "subject"),
        ("reminder/en", json!({ "intro": "a".repeat(2_001) }), "intro"),
    ] {
        let problem = put(&test_app, path, body.clone(), 422).await;
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    put(&test_app, "sign_in/en", json!({ "intro": "Hi" }), 404).await;
    assert_eq!(test_app.api.get("/api/v1/email_texts").await.expect(200)["items"], json!([]));
    let set = put(&test_app, "reminder/de", json!({ "subject": "Bis gleich, {name}" }), 200).await;
    assert_eq!(test_app.api.get("/api/v1/email_texts").await.expect(200)["items"], json!([set]));

    let mut manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let large = format!("{PIXEL}{}", "a".repeat(50 * 1024));
    let larger = format!("{PIXEL}{}", "a".repeat(2 * 1024 * 1024));
    for (file, why) in [
        ("<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "not a PNG, JPEG or GIF"),
        ("", "Choose a picture"),
        (large.as_str(), "larger than 50 kB"),
        (larger.as_str(), "larger than 50 kB"),
    ] {
        let path = "/settings/emails/logo?kind=reminder&language=de";
        let refused = manager.send_parts(path, &[("logo", Some("logo"), file)]).await;
        assert_eq!(refused.leads_to(), "/settings/emails?kind=reminder&language=de");
        manager.keep_cookies(&refused);
        let page = manager.get("/settings/emails").await.text;
        assert!(!page.contains("class=\"logo\"") && page.contains(why), "{why}: {page}");
    }
    test_app.stop().await;
}

async fn page_previews_what_is_typed_and_saves_it(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let typed = [
        ("kind", "reminder"),
        ("language", "de"),
        ("subject", ""),
        ("intro", "Hallo {name}!\r\nBis {when}."),
        ("closing", ""),
    ];
    let preview = manager.send("/settings/emails/preview", &typed).await;
    assert!(preview.text.contains("Hallo Alex Meier!<br>Bis "), "{}", preview.text);
    let stored = manager.get("/settings/emails/preview?kind=reminder&language=de").await.text;
    assert!(!stored.contains("Hallo"), "a preview stores nothing: {stored}");
    let saved = manager.send("/settings/emails", &typed).await;
    assert_eq!(saved.leads_to(), "/settings/emails?kind=reminder&language=de");
    let page = manager.get("/settings/emails?kind=reminder&language=de").await.text;
    assert!(page.contains("Hallo {name}!\nBis {when}.</textarea>"), "{page}");
    let wrong = [("kind", "reminder"), ("language", "de"), ("intro", "{nome}")];
    let refused = manager.send("/settings/emails", &wrong).await;
    assert!(refused.text.contains("unknown variable {nome}"), "{}", refused.text);
    manager.send("/settings/emails/test", &[("kind", "reminder"), ("language", "de")]).await;
    let mail = until("the test comes", async || {
        let all = test_app.control(Method::GET, "/mails", json!({})).await;
        all.as_array().and_then(|all| all.first().cloned())
    })
    .await;
    assert!(mail["text"].as_str().unwrap().contains("Hallo Alex Meier!"), "{mail}");
    assert!(mail["subject"].as_str().unwrap().starts_with("[Test] Erinnerung: "), "{mail}");
    let page = manager.get("/settings/emails?kind=reminder&language=de").await.text;
    assert!(page.contains("“[Test]”") && !page.contains("calendar file"), "{page}");
    test_app.stop().await;
}

async fn test_of_an_invitation_enters_nothing_into_a_calendar(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let kinds = ["invitation", "invitation_update", "invitation_cancel"];
    for kind in kinds {
        manager.send("/settings/emails/test", &[("kind", kind), ("language", "en")]).await;
        let page = manager.get(&format!("/settings/emails?kind={kind}&language=en")).await.text;
        assert!(page.contains("The test has no calendar file"), "{page}");
    }
    let mails = until("the tests come", async || {
        let all = test_app.control(Method::GET, "/mails", json!({})).await;
        all.as_array().filter(|all| all.len() == kinds.len()).cloned()
    })
    .await;
    for mail in mails {
        assert!(mail["subject"].as_str().unwrap().starts_with("[Test] "), "{mail}");
        let raw = mail["raw"].as_str().unwrap().to_lowercase();
        assert!(!raw.contains("text/calendar") && !raw.contains(".ics"), "{raw}");
        let preview = manager.get("/settings/emails/preview?kind=invitation&language=en").await.text;
        assert!(!preview.contains("[Test]"), "{preview}");
    }
    test_app.stop().await;
}

async fn page_and_api_leave_the_same(db: &TestDb) {
    let rows = [row(
        "/settings/emails",
        &[
            ("kind", "reminder"),
            ("language", "de"),
            ("subject", ""),
            ("intro", "Hallo {name}"),
            ("closing", ""),
        ],
        (Method::PUT, "/email_texts/reminder/de"),
        json!({ "intro": "Hallo {name}" }),
    )];
    compare(db, async |_, _| Names::new(), &[&rows]).await;
}

concord_storage::on_both_databases!(
    words_and_logo_are_in_the_mail,
    what_cannot_be_sent_is_refused,
    page_previews_what_is_typed_and_saves_it,
    test_of_an_invitation_enters_nothing_into_a_calendar,
    page_and_api_leave_the_same,
);

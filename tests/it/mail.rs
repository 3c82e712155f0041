//! Mail from the pages and the API: whether it is set up, what was sent, what was not, and trying again.

use concord_domain::people::Role;
use concord_storage::{on_both_databases, testing::TestDb};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    page_client::{PageClient, person},
    test_app::{TestApp, TestAppOptions, until},
};

/// The business's only mail, once it stands so.
async fn mail(test_app: &TestApp, state: &str) -> Value {
    until("the mail stands so", async || {
        let list = test_app.api.get(&format!("/api/v1/mails?state={state}")).await.expect(200);
        list["items"].get(0).cloned()
    })
    .await
}

async fn came(test_app: &TestApp) -> Vec<Value> {
    test_app.control(Method::GET, "/mails", json!({})).await.as_array().unwrap().clone()
}

async fn a_manager_tries_mail_and_sees_what_became_of_it(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let page = manager.get("/settings/mail").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("No emails yet") && page.text.contains("127.0.0.1"));

    assert_eq!(manager.send("/settings/mail/test", &[]).await.leads_to(), "/settings/mail");
    let sent = mail(&test_app, "sent").await;
    assert_eq!((&sent["to"], &sent["kind"]), (&json!("manager@example.org"), &json!("test")));
    let came = came(&test_app).await;
    assert_eq!((came.len(), &came[0]["subject"]), (1, &sent["subject"]));
    let link = format!("{}/settings/mail", test_app.api.base);
    assert!(came[0]["html"].as_str().unwrap().contains(&link), "{}", came[0]["html"]);
    let page = manager.get("/settings/mail").await.text;
    assert!(page.contains("Test email from Harbour House") && page.contains("Sent"), "{page}");

    let again = format!("/api/v1/mails/{}/retry", sent["id"].as_str().unwrap());
    test_app.api.post(&again, json!({})).await.problem(404, "not-found");
    test_app.stop().await;
}

async fn a_refused_mail_is_shown_with_its_reason_and_sent_again(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let fault = json!({ "provider": "mailbox", "kind": "server_error", "count": 2 });
    test_app.control(Method::POST, "/faults", fault).await;
    manager.send("/settings/mail/test", &[]).await;
    let failed = mail(&test_app, "failed").await;
    assert!(failed["last_error"].as_str().unwrap().contains("554"), "{failed}");
    let page = manager.get("/settings/mail").await.text;
    assert!(page.contains("554 5.7.1 the mail is not wanted"), "{page}");
    let overview = manager.get("/").await.text;
    assert!(overview.contains("An email could not be sent"), "{overview}");

    // It is refused once more, and then taken.
    let id = failed["id"].as_str().unwrap();
    let again = test_app.api.post(&format!("/api/v1/mails/{id}/retry"), json!({})).await.expect(202);
    assert_eq!(again["state"], "waiting");
    mail(&test_app, "failed").await;
    let again = manager.send(&format!("/settings/mail/{id}/again"), &[]).await;
    assert_eq!(again.leads_to(), "/settings/mail");
    mail(&test_app, "sent").await;
    assert_eq!(came(&test_app).await.len(), 1);
    assert_eq!(manager.send(&format!("/settings/mail/{id}/again"), &[]).await.status, 404);
    test_app.stop().await;
}

async fn without_a_mail_server_the_page_says_what_to_do(db: &TestDb) {
    let settings = vec![("mail.url", String::new())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    manager.send("/settings/mail/test", &[]).await;
    until("it says what it waits for", async || {
        let waiting = mail(&test_app, "waiting").await;
        (waiting["last_error"] == "no mail server is set up").then_some(())
    })
    .await;
    let page = manager.get("/settings/mail").await.text;
    assert!(page.contains("SMTP_URL") && page.contains("No mail server is set up"), "{page}");
    let health = test_app.api.send_unauthenticated(Method::GET, "/api/health").await.expect(200);
    assert_eq!((&health["mail"], &health["status"]), (&json!("not_set_up"), &json!("ok")));
    test_app.stop().await;
}

async fn mail_is_for_managers(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let staff = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    assert_eq!(staff.get("/settings/mail").await.status, 403);
    assert_eq!(staff.send("/settings/mail/test", &[]).await.status, 403);
    assert!(came(&test_app).await.is_empty());
    assert!(!staff.get("/settings").await.text.contains("/settings/mail"));
    test_app.stop().await;
}

on_both_databases!(
    a_manager_tries_mail_and_sees_what_became_of_it,
    a_refused_mail_is_shown_with_its_reason_and_sent_again,
    without_a_mail_server_the_page_says_what_to_do,
    mail_is_for_managers,
);

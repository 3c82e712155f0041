//! Mail from the pages and the API: whether it is set up, what was sent, what was not, and trying again.

use concord_domain::people::Role;
use concord_storage::{on_both_databases, testing::TestDb};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    house::{House, Wishes, until},
    visitor::{Visitor, person},
};

/// The business's only mail, once it stands so.
async fn mail(house: &House, state: &str) -> Value {
    until("the mail stands so", async || {
        let list = house.api.get(&format!("/api/v1/mails?state={state}")).await.expect(200);
        list["items"].get(0).cloned()
    })
    .await
}

async fn came(house: &House) -> Vec<Value> {
    house.control(Method::GET, "/mails", json!({})).await.as_array().unwrap().clone()
}

async fn a_manager_tries_mail_and_sees_what_became_of_it(db: &TestDb) {
    let house = House::on(db).await;
    let manager = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let page = manager.get("/settings/mail").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("No mail has been written yet") && page.text.contains("127.0.0.1"));

    assert_eq!(manager.send("/settings/mail/test", &[]).await.leads_to(), "/settings/mail");
    let sent = mail(&house, "sent").await;
    assert_eq!((&sent["to"], &sent["kind"]), (&json!("manager@example.org"), &json!("test")));
    let came = came(&house).await;
    assert_eq!((came.len(), &came[0]["subject"]), (1, &sent["subject"]));
    let link = format!("{}/settings/mail", house.api.base);
    assert!(came[0]["html"].as_str().unwrap().contains(&link), "{}", came[0]["html"]);
    let page = manager.get("/settings/mail").await.text;
    assert!(page.contains("Mail from Harbour House works") && page.contains("Sent"), "{page}");

    let again = format!("/api/v1/mails/{}/retry", sent["id"].as_str().unwrap());
    house.api.post(&again, json!({})).await.problem(404, "not-found");
    house.stop().await;
}

async fn a_refused_mail_is_shown_with_its_reason_and_sent_again(db: &TestDb) {
    let house = House::on(db).await;
    let manager = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let fault = json!({ "provider": "mailbox", "kind": "server_error", "count": 2 });
    house.control(Method::POST, "/faults", fault).await;
    manager.send("/settings/mail/test", &[]).await;
    let failed = mail(&house, "failed").await;
    assert!(failed["last_error"].as_str().unwrap().contains("554"), "{failed}");
    let page = manager.get("/settings/mail").await.text;
    assert!(page.contains("554 5.7.1 the mail is not wanted"), "{page}");
    let overview = manager.get("/").await.text;
    assert!(overview.contains("A mail could not be sent"), "{overview}");

    // It is refused once more, and then taken.
    let id = failed["id"].as_str().unwrap();
    let again = house.api.post(&format!("/api/v1/mails/{id}/retry"), json!({})).await.expect(202);
    assert_eq!(again["state"], "waiting");
    mail(&house, "failed").await;
    let again = manager.send(&format!("/settings/mail/{id}/again"), &[]).await;
    assert_eq!(again.leads_to(), "/settings/mail");
    mail(&house, "sent").await;
    assert_eq!(came(&house).await.len(), 1);
    assert_eq!(manager.send(&format!("/settings/mail/{id}/again"), &[]).await.status, 404);
    house.stop().await;
}

async fn without_a_mail_server_the_page_says_what_to_do(db: &TestDb) {
    let settings = vec![("mail.url", String::new())];
    let house = House::with(db, Wishes { settings, ..Wishes::default() }).await;
    let manager = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    manager.send("/settings/mail/test", &[]).await;
    until("it says what it waits for", async || {
        let waiting = mail(&house, "waiting").await;
        (waiting["last_error"] == "no mail server is set up").then_some(())
    })
    .await;
    let page = manager.get("/settings/mail").await.text;
    assert!(page.contains("SMTP_URL") && page.contains("No mail server is set up"), "{page}");
    let health = house.api.plain(Method::GET, "/api/health").await.expect(200);
    assert_eq!((&health["mail"], &health["status"]), (&json!("not_set_up"), &json!("ok")));
    house.stop().await;
}

async fn mail_is_for_managers(db: &TestDb) {
    let house = House::on(db).await;
    let staff = Visitor::signed_in(&house, &person(&house, Role::Staff, None).await).await;
    assert_eq!(staff.get("/settings/mail").await.status, 403);
    assert_eq!(staff.send("/settings/mail/test", &[]).await.status, 403);
    assert!(came(&house).await.is_empty());
    assert!(!staff.get("/settings").await.text.contains("/settings/mail"));
    house.stop().await;
}

on_both_databases!(
    a_manager_tries_mail_and_sees_what_became_of_it,
    a_refused_mail_is_shown_with_its_reason_and_sent_again,
    without_a_mail_server_the_page_says_what_to_do,
    mail_is_for_managers,
);

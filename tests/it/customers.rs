//! Customers' own pages and invitations, over HTTP: from the API to the mail, and from the mail's link to the booking.

use concord_storage::testing::TestDb;
use reqwest::{Client, Method, Response, StatusCode, redirect};
use serde_json::{Value, json};

use crate::test_app::{TestApp, day, hour, until};

/// A browser without cookies that follows nothing.
#[expect(clippy::disallowed_methods, reason = "customers and mail servers have clients of their own")]
fn browser() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().unwrap()
}

/// A booking of tomorrow's tomorrow for Maria, who was invited.
async fn invited(test_app: &TestApp) -> (String, String) {
    let body = json!({ "invitations": "confirmed", "invitation_delay_minutes": 0 });
    test_app.api.patch("/api/v1/business", body).await.expect(200);
    let room = test_app.resource(1).await;
    let booking = json!({
        "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10), "title": "Massage",
        "notes": "Never told", "customer": { "name": "Maria Silva", "email": "maria@example.org" },
    });
    test_app.api.put("/api/v1/bookings/tasting", booking).await.expect(201);
    let mail = mails(test_app, 1).await.remove(0);
    let text = mail["text"].as_str().unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/b/cb_")).unwrap().to_owned();
    (room.id.to_string(), link)
}

/// So many mails, once they have come.
async fn mails(test_app: &TestApp, number: usize) -> Vec<Value> {
    until("the mails come", async || {
        let all = test_app.control(Method::GET, "/mails", json!({})).await;
        all.as_array().filter(|all| all.len() >= number).cloned()
    })
    .await
}

async fn get(url: &str) -> (StatusCode, String) {
    let response = browser().get(url).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn post(url: &str, form: &[(&str, &str)]) -> Response {
    browser().post(url).form(form).send().await.unwrap()
}

fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn customer_opens_their_page_and_answers(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (_, link) = invited(&test_app).await;
    let response = browser().get(&link).header("accept-language", "de").send().await.unwrap();
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex, nofollow"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    assert!(response.headers().get("set-cookie").is_none());
    let page = response.text().await.unwrap();
    assert!(page.contains("<html lang=\"de\">") && page.contains("In den Kalender eintragen"), "{page}");
    assert!(page.contains("Massage – Harbour House") && !page.contains("Never told"), "{page}");
    for host in ["calendar.google.com", "outlook.live.com", "outlook.office.com", "calendar.yahoo.com"] {
        assert!(page.contains(host), "{host}");
    }

    let file = browser().get(format!("{link}/invite.ics")).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "text/calendar; charset=utf-8");
    let file = file.text().await.unwrap();
    assert!(file.contains("METHOD:PUBLISH\r\n") && file.contains("SEQUENCE:0\r\n"), "{file}");
    let own = test_app.api.get("/api/v1/bookings/tasting/invite.ics").await;
    assert_eq!(own.text, file);

    // Opening the address of an answer changes nothing.
    assert_eq!(get(&format!("{link}/answer")).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let answered = post(&format!("{link}/answer"), &[("answer", "declined"), ("version", "1")]).await;
    assert_eq!(answered.status(), StatusCode::SEE_OTHER);
    let listed = test_app.api.get("/api/v1/bookings/tasting/invitations").await.expect(200);
    assert_eq!(listed["items"][0]["answer"], "declined");
    assert_eq!(listed["items"][0]["state"], "sent");
    // It cancels nothing by itself.
    assert_eq!(test_app.api.get("/api/v1/bookings/tasting").await.expect(200)["status"], "confirmed");
    let wrong = post(&format!("{link}/answer"), &[("answer", "perhaps"), ("version", "1")]).await;
    assert!(wrong.status().is_client_error());

    // An answer to a time that they have not seen is none.
    test_app.api.patch("/api/v1/business", json!({ "decline_cancels": true })).await.expect(200);
    let moved = json!({ "starts_at": hour(3, 9), "ends_at": hour(3, 10) });
    test_app.api.patch("/api/v1/bookings/tasting", moved).await.expect(200);
    for answer in ["accepted", "declined"] {
        let stale = post(&format!("{link}/answer"), &[("answer", answer), ("version", "1")]).await;
        assert_eq!(stale.status(), StatusCode::CONFLICT);
        assert!(
            stale.text().await.unwrap().contains("name=\"version\" value=\"2\""),
            "they see it as it is now"
        );
    }
    assert_eq!(test_app.api.get("/api/v1/bookings/tasting").await.expect(200)["status"], "confirmed");
    let declined = post(&format!("{link}/answer"), &[("answer", "declined"), ("version", "2")]).await;
    assert!(location(&declined).ends_with("?done=cancelled"));
    assert_eq!(test_app.api.get("/api/v1/bookings/tasting").await.expect(200)["status"], "cancelled");
    test_app.stop().await;
}

async fn customer_moves_and_cancels_within_the_notice(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, link) = invited(&test_app).await;
    let (status, page) = get(&format!("{link}/move")).await;
    assert_eq!(status, StatusCode::OK);
    let value = page.split("name=\"time\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let value = value.replace("&quot;", "\"").replace("&#34;", "\"");
    let moved = post(&format!("{link}/move"), &[("time", &value), ("version", "1")]).await;
    assert!(location(&moved).ends_with("?done=moved"), "{moved:?}");
    let booking = test_app.api.get("/api/v1/bookings/tasting").await.expect(200);
    let time: Value = serde_json::from_str(&value).unwrap();
    assert_eq!((&booking["starts_at"], &booking["version"]), (&time["starts_at"], &json!(2)));
    let history = test_app.api.get("/api/v1/bookings/tasting/history").await.expect(200);
    assert_eq!(history["items"][0]["actor"]["kind"], "customer");

    // What was not offered, what is seen no more, and what is no time.
    let week = json!({ "starts_at": hour(3, 9), "ends_at": hour(9, 9) }).to_string();
    assert_eq!(
        post(&format!("{link}/move"), &[("time", &week), ("version", "2")]).await.status(),
        StatusCode::CONFLICT
    );
    assert_eq!(
        post(&format!("{link}/move"), &[("time", "soon"), ("version", "2")]).await.status(),
        StatusCode::CONFLICT
    );
    assert_eq!(post(&format!("{link}/cancel"), &[("version", "1")]).await.status(), StatusCode::CONFLICT);

    // Two who want the same time: one has it, the other sees what else is free.
    let (_, page) = get(&format!("{link}/move")).await;
    // The last one, which the booking itself does not touch.
    let value = page.split("name=\"time\" value=\"").last().unwrap().split('"').next().unwrap();
    let value = value.replace("&quot;", "\"").replace("&#34;", "\"");
    let time: Value = serde_json::from_str(&value).unwrap();
    let other = json!({ "resource": room, "starts_at": time["starts_at"], "ends_at": time["ends_at"] });
    test_app.api.put("/api/v1/bookings/other", other).await.expect(201);
    let taken = post(&format!("{link}/move"), &[("time", &value), ("version", "2")]).await;
    assert_eq!(taken.status(), StatusCode::CONFLICT);
    assert!(taken.text().await.unwrap().contains("This time was just taken"));

    test_app
        .api
        .patch("/api/v1/business", json!({ "cancel_notice_hours": 1000, "move_notice_hours": null }))
        .await
        .expect(200);
    let (status, page) = get(&format!("{link}/cancel")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("This cannot be changed here. Contact Harbour House."), "{page}");
    assert_eq!(post(&format!("{link}/cancel"), &[("version", "2")]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        post(&format!("{link}/move"), &[("time", &value), ("version", "2")]).await.status(),
        StatusCode::FORBIDDEN
    );
    test_app.api.patch("/api/v1/business", json!({ "cancel_notice_hours": 1 })).await.expect(200);
    assert!(get(&format!("{link}/cancel")).await.1.contains("Cancel this booking?"));
    assert!(
        location(&post(&format!("{link}/cancel"), &[("version", "2")]).await).ends_with("?done=cancelled")
    );
    assert_eq!(test_app.api.get("/api/v1/bookings/tasting").await.expect(200)["status"], "cancelled");
    test_app.stop().await;
}

async fn customer_asks_for_a_change_and_for_all_bookings(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, link) = invited(&test_app).await;
    let empty = post(&format!("{link}/ask"), &[("wish", "  ")]).await;
    assert_eq!(empty.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let long = "x".repeat(2_001);
    let long = post(&format!("{link}/ask"), &[("wish", &long)]).await;
    assert_eq!(long.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(long.text().await.unwrap().contains("at most 2000 characters"));
    let asked = post(&format!("{link}/ask"), &[("wish", "Could we come <b>later</b>?")]).await;
    assert!(location(&asked).ends_with("?done=wish_sent"));
    let history = test_app.api.get("/api/v1/bookings/tasting/history").await.expect(200);
    assert_eq!(history["items"][0]["detail"]["wish"], "Could we come <b>later</b>?");

    let second = json!({
        "resource": room, "check_in": day(5), "check_out": day(7),
        "customer": { "name": "Maria", "email": "MARIA@example.org" },
    });
    test_app.api.put("/api/v1/bookings/stay", second).await.expect(201);
    mails(&test_app, 2).await;
    for _ in 0..4 {
        assert!(location(&post(&format!("{link}/all"), &[]).await).ends_with("?done=link_sent"));
    }
    let all = mails(&test_app, 5).await;
    let portal = all.iter().filter_map(|mail| mail["text"].as_str());
    let links: Vec<&str> =
        portal.flat_map(str::split_whitespace).filter(|word| word.contains("/my/cp_")).collect();
    assert_eq!(links.len(), 3, "no more than three an hour");
    let (status, page) = get(links[0]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Massage – Harbour House") && page.matches("/b/cb_").count() == 2, "{page}");
    assert_eq!(get(&links[0].replace("cp_", "cp_x")).await.0, StatusCode::NOT_FOUND);
    test_app.stop().await;
}

async fn address_of_a_page_ends_with_its_customer_and_when_it_is_revoked(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (_, link) = invited(&test_app).await;
    let page = "/api/v1/bookings/tasting/customer_page";
    assert_eq!(test_app.api.get(page).await.expect(200)["url"], link);
    let other = test_app.other_business().await.1;
    other.get(page).await.problem(404, "not-found");
    other.get("/api/v1/bookings/tasting/invitations").await.problem(404, "not-found");
    test_app.api.delete(page).await;
    assert_eq!(get(&link).await.0, StatusCode::NOT_FOUND);
    let renewed = test_app.api.get(page).await.expect(200)["url"].as_str().unwrap().to_owned();
    assert_eq!(get(&renewed).await.0, StatusCode::OK);
    let change = json!({ "customer": { "email": "silva@example.net" } });
    test_app.api.patch("/api/v1/bookings/tasting", change).await.expect(200);
    let (status, page) = get(&renewed).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(page.contains("This link no longer works"), "{page}");
    for path in ["/b/", "/b/x", "/b/cb_x/move", "/my/x"] {
        assert_eq!(get(&format!("{}{path}", test_app.api.base)).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    test_app.stop().await;
}

async fn invitations_are_sent_again_by_hand(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    invited(&test_app).await;
    let send = "/api/v1/bookings/tasting/send_calendar_invite";
    let listed = test_app.api.post(send, json!({})).await.expect(202);
    assert_eq!(listed["items"][0]["email"], "maria@example.org");
    let raw = mails(&test_app, 2).await[1]["calendar"].as_str().unwrap().to_owned();
    assert!(raw.contains("METHOD:REQUEST\r\n") && raw.contains("SEQUENCE:0\r\n"));
    test_app.api.delete("/api/v1/bookings/tasting").await.expect(200);
    let refused = test_app.api.post(send, json!({})).await.problem(409, "not-possible");
    assert!(refused["detail"].as_str().unwrap().contains("the booking is cancelled"), "{refused}");
    test_app
        .api
        .post("/api/v1/bookings/none/send_calendar_invite", json!({}))
        .await
        .problem(404, "not-found");
    for (field, value) in [
        ("sender_address", json!("nobody")),
        ("reply_address", json!("a@b.de\r\nBcc: c@d.de")),
        ("invitation_delay_minutes", json!(61)),
        ("move_notice_hours", json!(9000)),
    ] {
        let refused = test_app.api.patch("/api/v1/business", json!({ field: value })).await;
        assert!(refused.problem(422, "invalid").to_string().contains(field), "{field}");
    }
    let guests = json!({ "guests": [{ "email": "not an address" }], "meeting_url": "javascript:alert(1)" });
    let refused =
        test_app.api.patch("/api/v1/bookings/tasting", guests).await.problem(422, "invalid").to_string();
    assert!(refused.contains("guests") && refused.contains("meeting_url"), "{refused}");
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    customer_opens_their_page_and_answers,
    customer_moves_and_cancels_within_the_notice,
    customer_asks_for_a_change_and_for_all_bookings,
    address_of_a_page_ends_with_its_customer_and_when_it_is_revoked,
    invitations_are_sent_again_by_hand,
);

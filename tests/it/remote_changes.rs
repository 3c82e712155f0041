//! What people do to entries of ours in their own calendars, as programs and people at the pages see it and answer it.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use serde_json::{Value, json};

use crate::{
    calendars::{standing, synced},
    page_client::{PageClient, person, person_at},
    test_app::{TestApp, hour, until},
};

const ANA: &str = "ana@example.com";

/// A booking of an hour of Ana's stands in her calendar. Returns the entry's id there.
async fn booked(test_app: &TestApp) -> (Value, String) {
    let room = test_app.resource(9).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, ANA).await;
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    test_app.api.put("/api/v1/bookings/A-1", body).await.expect(201);
    let booking = synced(test_app, "/api/v1/bookings/A-1", 1).await;
    (integration, booking["sync"][0]["external_id"].as_str().unwrap().to_owned())
}

/// She deletes it, and the calendar is read.
async fn deleted(test_app: &TestApp) -> Value {
    let (_, entry) = booked(test_app).await;
    test_app.person_deletes(&entry).await;
    test_app.remote_change_in_state("open").await
}

fn path(change: &Value, deed: &str) -> String {
    format!("/api/v1/remote_changes/{}{deed}", change["id"].as_str().unwrap())
}

async fn status(test_app: &TestApp) -> Value {
    test_app.api.get("/api/v1/bookings/A-1").await.expect(200)["status"].clone()
}

async fn a_program_answers_and_takes_back(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let change = deleted(&test_app).await;
    assert_eq!(
        change["summary"],
        "Ana deleted the entry of booking A-1 in their Google calendar. Cancel the booking, or revert the entry?"
    );
    assert_eq!((&change["kind"], &change["reference"]), (&json!("deleted"), &json!("A-1")));
    assert_eq!(
        (&change["before"], &change["after"]),
        (&json!({ "status": "confirmed" }), &json!({ "status": "cancelled" }))
    );
    assert_eq!(test_app.api.get(&path(&change, "")).await.expect(200), change);

    let followed = test_app.api.post(&path(&change, "/follow"), Value::Null).await.expect(200);
    assert_eq!(
        (&followed["state"], &followed["can_be_undone"], &followed["decided_by"]),
        (&json!("followed"), &json!(true), &json!("Test"))
    );
    assert_eq!(status(&test_app).await, "cancelled");
    for deed in ["/follow", "/revert"] {
        let late = test_app.api.post(&path(&change, deed), Value::Null).await.problem(409, "not-possible");
        assert!(late["detail"].as_str().unwrap().contains("already decided this"), "{late}");
    }
    let undone = test_app.api.post(&path(&change, "/undo"), Value::Null).await.expect(200);
    assert_eq!((&undone["state"], &undone["can_be_undone"]), (&json!("undone"), &json!(false)));
    assert_eq!(status(&test_app).await, "confirmed");
    until("its entry stands again", async || (standing(&test_app).await.len() == 1).then_some(())).await;
    test_app.api.post(&path(&change, "/undo"), Value::Null).await.problem(409, "not-possible");

    for (query, number) in [
        (String::new(), 1),
        ("?state=undone".to_owned(), 1),
        ("?state=open".to_owned(), 0),
        (format!("?staff={}", change["staff"].as_str().unwrap()), 1),
        (format!("?staff={}", uuid::Uuid::nil()), 0),
    ] {
        let list = test_app.api.get(&format!("/api/v1/remote_changes{query}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), number, "{query}");
    }
    let nonsense = test_app.api.get("/api/v1/remote_changes?state=gone").await.problem(400, "malformed");
    assert_eq!(nonsense["errors"][0]["field"], "state");
    test_app.stop().await;
}

async fn what_has_no_room_stays_a_question_and_says_what_stands_there(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (integration, entry) = booked(&test_app).await;
    assert_eq!(
        (&integration["remote_moves"], &integration["remote_deletions"]),
        (&Value::Null, &Value::Null)
    );
    let settings = format!("/api/v1/calendar_integrations/{}", integration["id"].as_str().unwrap());
    let asks = test_app.api.patch(&settings, json!({ "remote_moves": "ask" })).await.expect(200);
    assert_eq!((&asks["remote_moves"], &asks["remote_deletions"]), (&json!("ask"), &Value::Null));
    let same = test_app.api.patch(&settings, json!({ "remote_deletions": "revert" })).await.expect(200);
    assert_eq!((&same["remote_moves"], &same["remote_deletions"]), (&json!("ask"), &json!("revert")));
    test_app.api.patch(&settings, json!({ "remote_moves": "perhaps" })).await.problem(422, "invalid");

    test_app.person_moves(&entry, &hour(2, 9), &hour(2, 10)).await;
    let change = test_app.remote_change_in_state("open").await;
    assert_eq!(change["after"], json!({ "starts_at": hour(2, 9), "ends_at": hour(2, 10) }));
    let body = json!({
        "resource": test_app.resource(1).await.id, "starts_at": hour(2, 9), "ends_at": hour(2, 11), "staff": [integration["staff"]],
    });
    test_app.api.put("/api/v1/bookings/A-2", body).await.expect(201);
    let taken = test_app.api.post(&path(&change, "/follow"), Value::Null).await.problem(409, "taken");
    assert_eq!(taken["conflicts"][0]["reference"], "A-2");
    assert!(!taken["alternatives"].as_array().unwrap().is_empty(), "{taken}");
    assert_eq!(test_app.api.get(&path(&change, "")).await.expect(200)["state"], "open");

    let back = test_app.api.post(&path(&change, "/revert"), Value::Null).await.expect(200);
    assert_eq!(back["state"], "revert");
    until("the entry is back at its time", async || {
        let all = standing(&test_app).await;
        all.iter().any(|one| one["id"] == entry.as_str() && one["starts_at"] == hour(1, 9)).then_some(())
    })
    .await;
    let usual = test_app.api.patch(&settings, json!({ "remote_moves": null })).await.expect(200);
    assert_eq!((&usual["remote_moves"], &usual["remote_deletions"]), (&Value::Null, &json!("revert")));
    test_app.stop().await;
}

async fn people_answer_for_their_own_calendars_and_managers_for_all(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let change = deleted(&test_app).await;
    let (id, staff) = (change["id"].as_str().unwrap(), change["staff"].as_str().unwrap().parse().unwrap());
    let ben = test_app.staff("Ben").await;
    let deeds = ["follow", "revert", "undo"].map(|deed| format!("/changes/{id}/{deed}"));
    let question = "Cancel the booking, or revert the entry?";

    for (email, whose) in [("ben@example.org", Some(ben)), ("nobody@example.org", None)] {
        let user = person_at(&test_app, email, Role::Staff, whose).await;
        let stranger = PageClient::signed_in(&test_app, &user).await;
        for page in ["/", "/changes", "/changes?state=open"] {
            let text = stranger.get(page).await.text;
            assert!(!text.contains(question) && !text.contains("A-1</"), "{page}: {text}");
        }
        for deed in &deeds {
            assert_eq!(stranger.send(deed, &[]).await.status, 404, "{deed}");
        }
        // That the booking's entry is gone can be seen at the booking, which is everybody's.
        let booking = stranger.get("/bookings/A-1").await.text;
        assert!(booking.contains("Ana deleted") && !booking.contains(&deeds[0]), "{booking}");
    }
    assert_eq!(test_app.api.get(&path(&change, "")).await.expect(200)["state"], "open");

    let own = person_at(&test_app, "ana@example.org", Role::Staff, Some(staff)).await;
    let manager = person(&test_app, Role::Manager, None).await;
    for user in [own, manager] {
        let visitor = PageClient::signed_in(&test_app, &user).await;
        for page in ["/", "/changes", "/bookings/A-1"] {
            let text = visitor.get(page).await.text;
            assert!(text.contains(question) && text.contains(&deeds[0]), "{page}: {text}");
        }
        assert!(visitor.get("/").await.text.contains("1 item needs attention"));
    }
    test_app.stop().await;
}

async fn each_answer_says_what_came_of_it(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let change = deleted(&test_app).await;
    let deed = |deed: &str| format!("/changes/{}/{deed}", change["id"].as_str().unwrap());
    let mut visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    for (deed, words) in [
        (deed("follow"), "Booking A-1 was cancelled."),
        (deed("revert"), "Someone already decided this"),
        (deed("undo"), "booking A-1 is as it was before."),
    ] {
        visitor.cookies.clone_from(&known);
        let sent = visitor.send(&deed, &[("back", "/bookings/A-1")]).await;
        assert_eq!(sent.leads_to(), "/bookings/A-1");
        visitor.cookies.extend(sent.cookies());
        let text = visitor.get("/bookings/A-1").await.text;
        assert!(text.contains(words), "{deed}: {text}");
    }
    visitor.cookies.clone_from(&known);
    let booking = visitor.get("/bookings/A-1").await.text;
    assert!(booking.contains("The booking was cancelled, then Nina undid it."), "{booking}");
    let elsewhere = visitor.send(&deed("undo"), &[("back", "https://evil.example")]).await;
    assert_eq!(elsewhere.leads_to(), "/changes");
    test_app.stop().await;
}

async fn the_history_says_that_it_was_done_in_a_calendar(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (_, entry) = booked(&test_app).await;
    test_app.person_moves(&entry, &hour(2, 9), &hour(2, 10)).await;
    test_app.remote_change_in_state("followed").await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let booking = visitor.get("/bookings/A-1").await.text;
    assert!(booking.contains("Ana, in their calendar"), "{booking}");
    assert!(booking.contains("The booking was changed too."), "{booking}");
    let overview = visitor.get("/").await.text;
    assert!(overview.contains("Recent changes from calendars") && overview.contains(">Undo<"), "{overview}");
    test_app.stop().await;
}

async fn a_connection_has_rules_of_its_own(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await;
    let integration = test_app.connect_google(ana, ANA).await;
    let id = integration["id"].as_str().unwrap();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let save = async |moves: &str, deletions: &str| {
        let fields =
            [("direction", "both"), ("coverage", "assigned"), ("moves", moves), ("deletions", deletions)];
        visitor.send(&format!("/calendars/{id}"), &fields).await.status
    };
    let rules = async || {
        let now = test_app.api.get(&format!("/api/v1/calendar_integrations/{id}")).await.expect(200);
        (now["remote_moves"].clone(), now["remote_deletions"].clone())
    };
    assert_eq!(save("revert", "follow").await, 303);
    assert_eq!(rules().await, (json!("revert"), json!("follow")));
    let page = visitor.get(&format!("/calendars/{id}")).await.text;
    assert!(page.contains("value=\"revert\" selected"), "{page}");
    assert!(page.contains("Business default (follow: the booking is updated)"), "{page}");
    assert_eq!(save("business", "business").await, 303);
    assert_eq!(rules().await, (Value::Null, Value::Null));
    assert_eq!(save("perhaps", "business").await, 400);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_program_answers_and_takes_back,
    what_has_no_room_stays_a_question_and_says_what_stands_there,
    people_answer_for_their_own_calendars_and_managers_for_all,
    each_answer_says_what_came_of_it,
    the_history_says_that_it_was_done_in_a_calendar,
    a_connection_has_rules_of_its_own,
);

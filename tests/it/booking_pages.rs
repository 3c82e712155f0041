//! What the pages of bookings do with what is sent to them, without a browser.

use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use serde_json::json;

use crate::{
    page_client::{PageClient, person},
    test_app::{TestApp, day, hour, stay, until},
};

async fn going_back_to_the_form_of_a_booking_makes_another_one(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let send = async |name: &str, from: u64| {
        let (check_in, check_out) = (day(from), day(from + 1));
        let fields = [
            ("proposed", "B-7"),
            ("reference", "B-7"),
            ("resource", &room),
            ("mode", "stay"),
            ("check_in", &check_in),
            ("check_out", &check_out),
            ("name", name),
        ];
        visitor.send("/bookings", &fields).await
    };
    assert_eq!(send("Maria", 1).await.leads_to(), "/bookings/B-7");
    // The button was pressed twice.
    assert_eq!(send("Maria", 1).await.leads_to(), "/bookings/B-7");
    // Back in the browser, the form still proposes the same reference.
    let second = send("Jonas", 3).await;
    let path = second.leads_to();
    assert_ne!(path, "/bookings/B-7");
    assert!(visitor.get(path).await.text.contains("Jonas"));
    assert!(visitor.get("/bookings/B-7").await.text.contains("Maria"));
    // What is refused comes back under the other reference too.
    let taken = send("Eva", 3).await;
    assert_eq!(taken.status, 409);
    assert!(!taken.text.contains("\"B-7\""), "{}", taken.text);
    let list = test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    test_app.stop().await;
}

async fn a_free_time_is_put_into_the_form_and_saves_nothing(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/stands", stay(&room, 1, 1)).await.expect(201);
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let (id, from, until) = (room.id.to_string(), day(1), day(2));
    let form = [
        ("proposed", "B-7"),
        ("reference", "B-7"),
        ("resource", id.as_str()),
        ("mode", "stay"),
        ("check_in", from.as_str()),
        ("check_out", until.as_str()),
        ("name", "Jonas"),
    ];
    let refused = visitor.send("/bookings", &form).await;
    assert_eq!(refused.status, 409);
    let free = refused.text.split("name=\"instead\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let pressed: Vec<_> = form.into_iter().chain([("instead", free)]).collect();
    let arrival = format!("id=\"check_in\" name=\"check_in\" type='date' value=\"{}\"", &free[..10]);
    for (path, button) in [("/bookings", "Create booking"), ("/bookings/stands", "Save changes")] {
        let page = visitor.send(path, &pressed).await;
        assert_eq!(page.status, 200, "{path}");
        let words = format!("New time selected. Select {button} to save.");
        assert!(page.text.contains(&words) && page.text.contains(&arrival), "{path}: {}", page.text);
        assert!(page.text.contains("value=\"Jonas\""), "{path}: {}", page.text);
    }
    let list = test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["check_in"], from);
    test_app.stop().await;
}

async fn too_many_units_are_told_at_their_field(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let (from, until) = (day(1), day(2));
    let form = [
        ("reference", "B-1"),
        ("resource", room.as_str()),
        ("mode", "stay"),
        ("check_in", from.as_str()),
        ("check_out", until.as_str()),
        ("quantity", "9"),
    ];
    let page = visitor.send("/bookings", &form).await;
    assert_eq!(page.status, 422);
    let at_the_field = "id=\"quantity-fault\">The number of units is 9, but Sea View has 1 unit.<";
    assert!(page.text.contains(at_the_field), "{}", page.text);
    assert!(!page.text.contains("This time is not available"));
    test_app.stop().await;
}

/// Who loads again what a form answered, or follows it from the history of the browser, asks for its address.
async fn the_address_of_a_form_leads_to_its_page(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    for (form, page) in [
        ("/settings/people/users", "/settings/people"),
        ("/calendar-sync/preview", "/calendar-sync"),
        ("/calendar-sync/import", "/calendar-sync"),
        ("/settings/platforms/airbnb", "/settings/platforms"),
        ("/sign-out", "/"),
    ] {
        let answer = visitor.get(form).await;
        assert_eq!((answer.status, answer.leads_to()), (303, page), "{form}");
        assert_eq!(visitor.get(page).await.status, 200, "{page}");
    }
    test_app.stop().await;
}

async fn cancelled_bookings_hide_nothing_that_is_next(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    for number in 0..30 {
        let mut body = stay(&room, 1, 1);
        body["status"] = json!("cancelled");
        test_app.api.put(&format!("/api/v1/bookings/gone-{number}"), body).await.expect(201);
    }
    let mut body = stay(&room, 5, 1);
    body["customer"] = json!({ "name": "Maria Silva" });
    test_app.api.put("/api/v1/bookings/stands", body).await.expect(201);
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    assert!(visitor.get("/").await.text.contains("Maria Silva"));
    test_app.stop().await;
}

async fn dates_out_of_all_reach_are_no_filter(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    for date in ["%2B262142-12-31", "-262143-01-01", "9999-12-31"] {
        let page = visitor.get(&format!("/bookings?from={date}&until={date}")).await;
        assert_eq!(page.status, 200, "{date}");
    }
    test_app.stop().await;
}

async fn the_question_before_a_cancellation_counts_what_still_stands(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana, ben) =
        (test_app.resource(1).await, test_app.staff("Ana").await, test_app.staff("Ben").await);
    test_app.connect_google(ana, "ana@example.com").await;
    test_app.connect_google(ben, "ben@example.com").await;
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    test_app.api.put("/api/v1/bookings/one", body).await.expect(201);
    let synced = async |what: &str| {
        until(what, async || {
            let state = test_app.api.get("/api/v1/sync").await.expect(200);
            (state["synced"] == 1 && state["pending"] == 0).then_some(())
        })
        .await;
    };
    synced("the entry stands").await;
    test_app.api.patch("/api/v1/bookings/one", json!({ "staff": [ben] })).await.expect(200);
    synced("the entry has moved").await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let page = visitor.get("/bookings/one").await.text;
    assert!(page.contains("and the entry is deleted from Ben&#39;s calendar"), "{page}");
    let question = visitor.get("/bookings/one/cancel").await.text;
    assert!(question.contains("the entry is deleted from its calendar"), "{question}");
    test_app.stop().await;
}

async fn pages_of_a_booking_name_what_they_are_about(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let mut body = stay(&test_app.resource(1).await, 1, 1);
    body["customer"] = json!({ "name": "Maria Silva" });
    let room = body["resource"].as_str().unwrap().to_owned();
    test_app.api.put("/api/v1/bookings/B-7", body).await.expect(201);
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let shown = visitor.get("/bookings/B-7").await.text;
    let when = shown.split("<dt>When</dt><dd>").nth(1).unwrap().split(", 1 night").next().unwrap();
    for page in [&shown, &visitor.get("/bookings/B-7/cancel").await.text] {
        let words = format!("<p>\u{2068}Maria Silva\u{2069}, {when}</p>");
        assert!(page.contains("Cancel this booking?") && page.contains(&words), "{page}");
    }
    let (from, until) = (day(1), day(2));
    let form = [
        ("version", "9"),
        ("resource", room.as_str()),
        ("mode", "stay"),
        ("check_in", from.as_str()),
        ("check_out", until.as_str()),
    ];
    let stale = visitor.send("/bookings/B-7", &form).await;
    assert_eq!(stale.status, 409);
    assert!(stale.text.contains("/ <a href=\"/bookings/B-7\">B-7</a>"), "{}", stale.text);
    assert!(stale.text.contains("<span class=\"stay\"> The departure day is available"), "{}", stale.text);
    let unread: Vec<_> = form.into_iter().filter(|(name, _)| *name != "version").collect();
    assert_eq!(visitor.send("/bookings/B-7", &[&unread[..], &[("version", "x")]].concat()).await.status, 400);
    let unknown = [&unread[..], &[("status", "sold"), ("kind", "gift"), ("staff", "nobody")]].concat();
    assert_eq!(visitor.send("/bookings/B-7", &unknown).await.status, 422);
    let documentation = visitor.get("/api/docs").await.text;
    let problems = documentation.split("id=\"problems\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(problems.contains("<code>Retry-After</code>") && !problems.contains('`'), "{problems}");
    test_app.stop().await;
}

async fn all_that_a_form_refuses_is_said_at_once_where_the_eye_is(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let me = person(&test_app, Role::Manager, None).await;
    let visitor = PageClient::signed_in(&test_app, &me).await;
    let myself = format!("/settings/people/users/{}", me.id);
    for (path, fields, faults) in [
        ("/settings/people/users", [("name", ""), ("email", "nobody")], ["name", "email"]),
        ("/settings/people/staff", [("name", ""), ("email", "nobody")], ["name", "email"]),
        ("/settings/business", [("name", ""), ("zone", "Mars")], ["name", "zone"]),
        ("/settings/business", [("privacy", "some"), ("cancelled", "perhaps")], ["privacy", "cancelled"]),
        ("/settings/business", [("moves", "jump"), ("deletions", "")], ["moves", "deletions"]),
        (&myself, [("name", ""), ("role", "owner")], ["name", "role"]),
        ("/settings/resources", [("name", ""), ("capacity", "none")], ["name", "capacity"]),
    ] {
        let page = visitor.send(path, &fields).await;
        assert_eq!(page.status, 422, "{path}");
        let summary = "role=\"alert\" id=\"summary\" tabindex=\"-1\" autofocus";
        assert_eq!(page.text.matches(summary).count(), 1, "{path}: {}", page.text);
        for fault in faults {
            for part in
                [format!("href=\"#{fault}\""), format!("id=\"{fault}\""), format!("id=\"{fault}-fault\"")]
            {
                assert_eq!(page.text.matches(&part).count(), 1, "{path}, {part}: {}", page.text);
            }
        }
    }
    test_app.stop().await;
}

async fn a_booking_in_the_past_is_taken_and_said_to_be(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let mut visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    let mut said = async |path: &str, check_in: &str, check_out: &str, title: &str| {
        visitor.cookies.clone_from(&known);
        let fields = [
            ("reference", "B-1"),
            ("resource", &room),
            ("mode", "stay"),
            ("check_in", check_in),
            ("check_out", check_out),
            ("title", title),
        ];
        let sent = visitor.send(path, &fields).await;
        assert_eq!(sent.leads_to(), "/bookings/B-1");
        visitor.cookies.extend(sent.cookies());
        visitor.get("/bookings/B-1").await.text
    };
    let past = "This booking is in the past.";
    let (soon, later) = (day(1), day(2));
    assert!(said("/bookings", "2020-01-01", "2020-01-02", "").await.contains(past));
    assert!(!said("/bookings/B-1", "2020-01-01", "2020-01-02", "Paid").await.contains(past), "it was before");
    assert!(!said("/bookings/B-1", &soon, &later, "Paid").await.contains(past));
    assert!(said("/bookings/B-1", "2020-02-01", "2020-02-02", "Paid").await.contains(past));
    test_app.stop().await;
}

async fn filters_that_cannot_be_read_are_named_and_kept(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/stands", stay(&room, 1, 1)).await.expect(201);
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let page = visitor.get("/bookings?from=2026-13-45&until=soon&status=lost&resource=x&staff=y").await;
    assert_eq!(page.status, 200);
    for kept in ["2026-13-45", "soon", "lost", "x", "y"] {
        assert!(page.text.contains(&format!("value=\"{kept}\"")), "{kept}: {}", page.text);
    }
    let words = "“Resource”, “Staff”, “Status”, “From” and “To” are not valid, so these filters were ignored";
    assert!(page.text.contains(words), "{}", page.text);
    assert!(
        page.text.contains("id=\"from-fault\"") && page.text.contains("/bookings/stands"),
        "{}",
        page.text
    );
    let fine = visitor.get(&format!("/bookings?from=2026-12-01&resource={}", room.id)).await;
    assert!(!fine.text.contains("could not be read"), "{}", fine.text);
    let log = visitor.get("/settings/sync-log?outcome=lost&connection=x").await;
    assert!(log.text.contains("“Calendar” and “Status” are not valid"), "{}", log.text);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    going_back_to_the_form_of_a_booking_makes_another_one,
    a_free_time_is_put_into_the_form_and_saves_nothing,
    too_many_units_are_told_at_their_field,
    the_address_of_a_form_leads_to_its_page,
    cancelled_bookings_hide_nothing_that_is_next,
    dates_out_of_all_reach_are_no_filter,
    the_question_before_a_cancellation_counts_what_still_stands,
    pages_of_a_booking_name_what_they_are_about,
    all_that_a_form_refuses_is_said_at_once_where_the_eye_is,
    a_booking_in_the_past_is_taken_and_said_to_be,
    filters_that_cannot_be_read_are_named_and_kept,
);

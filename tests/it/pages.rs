//! What the pages do with what is sent to them, without a browser: the stories of people are told in `tests/browser`.

use concord_domain::{connection::ConnectionState, people::Role};
use concord_storage::{
    connections, people,
    testing::{TestDb, begin, commit},
};
use reqwest::Method;
use serde_json::json;

use crate::{
    house::{House, day, hour, stay, until},
    visitor::{Visitor, person},
};

async fn going_back_to_the_form_of_a_booking_makes_another_one(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await.id.to_string();
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
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
    let list = house.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    house.stop().await;
}

async fn a_free_time_is_put_into_the_form_and_saves_nothing(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await;
    house.api.put("/api/v1/bookings/stands", stay(&room, 1, 1)).await.expect(201);
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
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
    let arrival = format!("id=\"check_in\" name=\"check_in\" type=\"date\" value=\"{}\"", &free[..10]);
    for (path, button) in [("/bookings", "Create booking"), ("/bookings/stands", "Save changes")] {
        let page = visitor.send(path, &pressed).await;
        assert_eq!(page.status, 200, "{path}");
        let words = format!("The time is filled in. Press {button} to save.");
        assert!(page.text.contains(&words) && page.text.contains(&arrival), "{path}: {}", page.text);
        assert!(page.text.contains("value=\"Jonas\""), "{path}: {}", page.text);
    }
    let list = house.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["check_in"], from);
    house.stop().await;
}

async fn what_was_archived_is_restored_at_once_or_from_the_list(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana) = (house.resource(1).await, house.staff("Ana").await);
    let mut visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    for (list, thing, name, restore) in [
        (
            "/settings/resources",
            format!("/settings/resources/{}", room.id),
            "Sea View",
            "it from the list of resources",
        ),
        ("/settings/people", format!("/settings/people/staff/{ana}"), "Ana", "them from the list of people"),
    ] {
        let question = visitor.get(&format!("{thing}/archive")).await.text;
        assert!(question.contains(name) && question.contains(restore), "{question}");
        visitor.cookies.clone_from(&known);
        let sent = visitor.send(&format!("{thing}/archive"), &[]).await;
        assert_eq!(sent.leads_to(), list);
        let form = format!("action=\"{thing}/restore\"");
        let folded = visitor.get(list).await.text;
        assert!(folded.contains("Archived (1)"), "{folded}");
        assert_eq!(folded.matches(&form).count(), 1, "{folded}");
        visitor.cookies.extend(sent.cookies());
        let told = visitor.get(list).await.text;
        assert!(told.contains(">Undo<"), "{told}");
        assert_eq!(told.matches(&form).count(), 2, "{told}");
        visitor.cookies.clone_from(&known);
        visitor.send(&format!("{thing}/restore"), &[]).await.leads_to();
        assert!(!visitor.get(list).await.text.contains("Archived ("));
        assert_eq!(visitor.get(&thing).await.status, 200);
    }
    let staff = Visitor::signed_in(&house, &person(&house, Role::Staff, None).await).await;
    assert_eq!(staff.send(&format!("/settings/resources/{}/restore", room.id), &[]).await.status, 403);
    house.stop().await;
}

async fn too_many_units_are_told_at_their_field(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await.id.to_string();
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
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
    assert!(!page.text.contains("That time is taken"));
    house.stop().await;
}

async fn the_address_of_a_form_is_no_page(db: &TestDb) {
    let house = House::on(db).await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    for path in ["/settings/people/users", "/sign-out"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, 405, "{path}");
        assert!(page.text.contains("This address only takes forms"), "{path}: {}", page.text);
    }
    house.stop().await;
}

async fn cancelled_bookings_hide_nothing_that_is_next(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await;
    for number in 0..30 {
        let mut body = stay(&room, 1, 1);
        body["status"] = json!("cancelled");
        house.api.put(&format!("/api/v1/bookings/gone-{number}"), body).await.expect(201);
    }
    let mut body = stay(&room, 5, 1);
    body["customer"] = json!({ "name": "Maria Silva" });
    house.api.put("/api/v1/bookings/stands", body).await.expect(201);
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    assert!(visitor.get("/").await.text.contains("Maria Silva"));
    house.stop().await;
}

async fn dates_out_of_all_reach_are_no_filter(db: &TestDb) {
    let house = House::on(db).await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Staff, None).await).await;
    for date in ["%2B262142-12-31", "-262143-01-01", "9999-12-31"] {
        let page = visitor.get(&format!("/bookings?from={date}&until={date}")).await;
        assert_eq!(page.status, 200, "{date}");
    }
    house.stop().await;
}

async fn who_signs_in_comes_to_where_they_wanted_to_go(db: &TestDb) {
    let house = House::on(db).await;
    let user = person(&house, Role::Staff, None).await;
    let mut visitor = Visitor::unknown(&house);
    let refused = visitor.get("/bookings?q=maria%20silva").await;
    let explained = visitor.get(refused.leads_to()).await;
    assert_eq!(explained.status, 401);
    visitor.cookies = explained.cookies();
    assert_eq!(visitor.enter(&user).await, "/bookings?q=maria%20silva");
    assert!(visitor.cookies.contains(&"concord_next=".to_owned()), "{:?}", visitor.cookies);

    for no_way in ["//evil.example", "/live/needs"] {
        let mut visitor = Visitor::unknown(&house);
        let next: String = url::form_urlencoded::byte_serialize(no_way.as_bytes()).collect();
        visitor.cookies = visitor.get(&format!("/sign-in?next={next}")).await.cookies();
        assert_eq!(visitor.enter(&user).await, "/", "{no_way}");
    }
    house.stop().await;
}

async fn another_persons_calendar_has_no_name_and_what_waits_for_it_counts_apart(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana) = (house.resource(1).await, house.staff("Ana").await);
    let integration = house.connect_google(ana, "ana@example.com").await;
    let calendar = integration["calendars"][0]["name"].as_str().unwrap();
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    house.api.put("/api/v1/bookings/one", body).await.expect(201);
    until("the entry stands", async || {
        let state = house.api.get("/api/v1/sync").await.expect(200);
        (state["synced"] == 1).then_some(())
    })
    .await;
    let manager = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let quoted = format!("“{calendar}”");
    assert!(manager.get("/bookings/one").await.text.contains(&quoted));
    let other = Visitor::signed_in(&house, &person(&house, Role::Staff, None).await).await;
    let seen = other.get("/bookings/one").await;
    assert_eq!(seen.status, 200);
    assert!(!seen.text.contains(&quoted), "{}", seen.text);

    let id = integration["id"].as_str().unwrap().parse().unwrap();
    let mut tx = begin(house.db()).await;
    let (business, now) = (house.business.id, house.app.now());
    connections::set_state(&mut tx, business, id, ConnectionState::Paused, None, now).await.unwrap();
    commit(tx).await;
    let changed = json!({ "title": "Changed" });
    house.api.patch("/api/v1/bookings/one", changed).await.expect(200);
    let overview = manager.get("/").await.text;
    assert!(overview.contains("1 entry waits for a calendar that is paused"), "{overview}");
    assert!(overview.contains("1 entry on hold"), "{overview}");
    house.stop().await;
}

async fn a_person_is_made_something_else_and_comes_back_after_removal(db: &TestDb) {
    let house = House::on(db).await;
    let ana = house.staff("Ana").await.to_string();
    let me = person(&house, Role::Manager, None).await;
    let manager = Visitor::signed_in(&house, &me).await;
    let user = person(&house, Role::Staff, None).await;
    let path = format!("/settings/people/users/{}", user.id);
    assert!(manager.get(&path).await.text.contains("Signs in as staff@example.org"));
    let change = [("name", "Nina Novak"), ("role", "manager"), ("staff", ana.as_str())];
    assert_eq!(manager.send(&path, &change).await.leads_to(), "/settings/people");
    let found = async || {
        let found = people::find_user(house.db(), house.business.id, user.id).await.unwrap().unwrap();
        (found.name, found.role, found.staff_id.map(|id| id.to_string()), found.archived_at.is_some())
    };
    assert_eq!(found().await, ("Nina Novak".to_owned(), Role::Manager, Some(ana.clone()), false));

    let mine = format!("/settings/people/users/{}", me.id);
    let refused = manager.send(&mine, &[("name", "Nina"), ("role", "staff"), ("staff", "")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("You cannot take the role of manager from yourself"));

    manager.send(&format!("{path}/archive"), &[]).await.leads_to();
    assert!(found().await.3);
    let again =
        [("name", "Nina"), ("email", "staff@example.org"), ("role", "staff"), ("staff", ana.as_str())];
    let page = manager.send("/settings/people/users", &again).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(found().await, ("Nina".to_owned(), Role::Staff, Some(ana), false));
    house.stop().await;
}

async fn the_question_before_a_cancellation_counts_what_still_stands(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana, ben) = (house.resource(1).await, house.staff("Ana").await, house.staff("Ben").await);
    house.connect_google(ana, "ana@example.com").await;
    house.connect_google(ben, "ben@example.com").await;
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    house.api.put("/api/v1/bookings/one", body).await.expect(201);
    let synced = async |what: &str| {
        until(what, async || {
            let state = house.api.get("/api/v1/sync").await.expect(200);
            (state["synced"] == 1 && state["pending"] == 0).then_some(())
        })
        .await;
    };
    synced("the entry stands").await;
    house.api.patch("/api/v1/bookings/one", json!({ "staff": [ben] })).await.expect(200);
    synced("the entry has moved").await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let page = visitor.get("/bookings/one").await.text;
    assert!(page.contains("and the entry goes from Ben&#39;s calendar"), "{page}");
    let question = visitor.get("/bookings/one/cancel").await.text;
    assert!(question.contains("the entry goes from its calendar"), "{question}");
    house.stop().await;
}

async fn what_stays_in_a_calendar_that_was_disconnected_is_left_there(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana) = (house.resource(1).await, house.staff("Ana").await);
    let integration = house.connect_google(ana, "ana@example.com").await;
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    house.api.put("/api/v1/bookings/one", body).await.expect(201);
    until("the entry stands", async || {
        let state = house.api.get("/api/v1/sync").await.expect(200);
        (state["synced"] == 1 && state["pending"] == 0).then_some(())
    })
    .await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    assert!(visitor.get("/bookings?from=").await.text.contains("In Ana&#39;s"));
    let path = format!("/calendars/{}/disconnect", integration["id"].as_str().unwrap());
    assert_eq!(visitor.send(&path, &[("entries", "keep")]).await.leads_to(), "/calendars");
    let page = visitor.get("/bookings/one").await.text;
    assert!(page.contains(">Left there<") && !page.contains(">Synced<"), "{page}");
    assert!(page.contains("The calendar is no longer connected; nobody updates it."), "{page}");
    assert!(!page.contains("and the entry goes from"), "{page}");
    assert!(!visitor.get("/bookings/one/cancel").await.text.contains("the entry goes from"));
    let list = visitor.get("/bookings?from=").await.text;
    assert!(list.contains(">Left there<") && !list.contains("In Ana&#39;s"), "{list}");
    house.stop().await;
}

async fn whoever_connects_an_account_of_somebody_else_is_told(db: &TestDb) {
    let house = House::on(db).await;
    let (ana, ben) = (house.staff("Ana").await, house.staff("Ben Okafor").await);
    let mut visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    let mix = "Ben Okafor uses the same account: their bookings and busy times mix.";
    for (staff, is_shared) in [(ben, false), (ana, true)] {
        visitor.cookies.clone_from(&known);
        let sent = visitor.send("/calendars/connect/google", &[("staff", &staff.to_string())]).await;
        let consent: url::Url = sent.leads_to().parse().unwrap();
        let callback = house.consent(&consent, "ben@example.com", "allow").await;
        let back = visitor.get(callback.strip_prefix(&house.api.base).unwrap()).await;
        assert_eq!(back.leads_to(), "/calendars");
        visitor.cookies.extend(back.cookies());
        let told = visitor.get("/calendars").await.text;
        assert!(told.contains("is connected."), "{told}");
        assert_eq!(told.contains(mix), is_shared, "{told}");
    }
    house.stop().await;
}

async fn who_is_nobody_of_the_staff_is_offered_nothing_that_leads_nowhere(db: &TestDb) {
    let house = House::on(db).await;
    let (room, ana) = (house.resource(1).await, house.staff("Ana").await);
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    house.api.put("/api/v1/bookings/one", body).await.expect(201);
    let nobody = Visitor::signed_in(&house, &person(&house, Role::Staff, None).await).await;
    let manager = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    for (visitor, is_offered) in [(nobody, false), (manager, true)] {
        assert_eq!(visitor.get("/feeds").await.text.contains("New feed"), is_offered);
        for path in ["/", "/bookings/one"] {
            let page = visitor.get(path).await.text;
            assert_eq!(page.contains("Connect a calendar"), is_offered, "{path}: {page}");
        }
    }
    house.stop().await;
}

async fn pages_of_a_booking_name_what_they_are_about(db: &TestDb) {
    let house = House::on(db).await;
    let mut body = stay(&house.resource(1).await, 1, 1);
    body["customer"] = json!({ "name": "Maria Silva" });
    let room = body["resource"].as_str().unwrap().to_owned();
    house.api.put("/api/v1/bookings/B-7", body).await.expect(201);
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let shown = visitor.get("/bookings/B-7").await.text;
    let when = shown.split("<dt>When</dt><dd>").nth(1).unwrap().split(", 1 night").next().unwrap();
    for page in [&shown, &visitor.get("/bookings/B-7/cancel").await.text] {
        let words = format!("<b><bdi>Maria Silva</bdi></b>, {when}</p>");
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
    assert!(stale.text.contains("<span class=\"stay\"> The day of departure is free"), "{}", stale.text);
    let documentation = visitor.get("/api/docs").await.text;
    let problems = documentation.split("id=\"problems\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(problems.contains("<code>Retry-After</code>") && !problems.contains('`'), "{problems}");
    house.stop().await;
}

async fn all_that_a_form_refuses_is_said_at_once_where_the_eye_is(db: &TestDb) {
    let house = House::on(db).await;
    let me = person(&house, Role::Manager, None).await;
    let visitor = Visitor::signed_in(&house, &me).await;
    let myself = format!("/settings/people/users/{}", me.id);
    for (path, fields, faults) in [
        ("/settings/people/users", [("name", ""), ("email", "nobody")], ["name", "email"]),
        ("/settings/people/staff", [("name", ""), ("email", "nobody")], ["name", "email"]),
        ("/settings/business", [("name", ""), ("zone", "Mars")], ["name", "zone"]),
        (&myself, [("name", ""), ("role", "staff")], ["name", "role"]),
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
    house.stop().await;
}

async fn who_keeps_a_calendar_back_is_where_they_came_from(db: &TestDb) {
    let house = House::on(db).await;
    let ana = house.staff("Ana").await.to_string();
    let mut visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let sent = visitor.send("/calendars/connect/google", &[("staff", &ana)]).await;
    let consent: url::Url = sent.leads_to().parse().unwrap();
    let callback = house.consent(&consent, "ana@example.com", "deny").await;
    let path = callback.strip_prefix(&house.api.base).unwrap();
    let back = visitor.get(path).await;
    assert_eq!(back.leads_to(), "/calendars");
    visitor.cookies.extend(back.cookies());
    let calendars = visitor.get("/calendars").await.text;
    assert!(calendars.contains("The calendar was not connected: access was not granted."), "{calendars}");
    assert_eq!(visitor.get(path).await.status, 400, "an answer works once");
    house.stop().await;
}

async fn whoever_is_signed_in_finds_on_from_an_error(db: &TestDb) {
    let house = House::on(db).await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Staff, None).await).await;
    for (path, status, words) in [
        ("/nowhere", 404, "There is nothing here"),
        ("/bookings/none", 404, "There is no such booking"),
        ("/settings/people", 403, "Only for managers"),
        ("/bookings?after=nonsense", 400, "The request makes no sense"),
        ("/oauth/calendar/google/callback?state=made-up", 400, "The calendar was not connected"),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text.contains(words) && page.text.contains("aria-label=\"Places\""), "{}", page.text);
        assert!(!page.text.contains(&format!("Status {status}")), "{}", page.text);
    }
    let stranger = Visitor::unknown(&house).get("/nowhere").await;
    assert_eq!(stranger.status, 404);
    assert!(stranger.text.contains("There is nothing here") && !stranger.text.contains("Places"));
    let program = visitor.get("/api/v1/nowhere").await;
    assert_eq!(program.headers["content-type"], "application/problem+json", "{}", program.text);
    house.stop().await;
}

async fn filters_that_cannot_be_read_are_named_and_kept(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await;
    house.api.put("/api/v1/bookings/stands", stay(&room, 1, 1)).await.expect(201);
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let page = visitor.get("/bookings?from=2026-13-45&until=soon&status=lost&resource=x&staff=y").await;
    assert_eq!(page.status, 200);
    for kept in ["2026-13-45", "soon", "lost", "x", "y"] {
        assert!(page.text.contains(&format!("value=\"{kept}\"")), "{kept}: {}", page.text);
    }
    let words =
        "“Resource”, “Staff”, “Status”, “From” and “Until” could not be read, so the list is not narrowed";
    assert!(page.text.contains(words), "{}", page.text);
    assert!(
        page.text.contains("id=\"from-fault\"") && page.text.contains("/bookings/stands"),
        "{}",
        page.text
    );
    let fine = visitor.get(&format!("/bookings?from=2026-12-01&resource={}", room.id)).await;
    assert!(!fine.text.contains("could not be read"), "{}", fine.text);
    let log = visitor.get("/settings/sync-log?outcome=lost&connection=x").await;
    assert!(log.text.contains("“Calendar” and “Outcome” could not be read"), "{}", log.text);
    house.stop().await;
}

async fn a_booking_in_the_past_is_taken_and_said_to_be(db: &TestDb) {
    let house = House::on(db).await;
    let room = house.resource(1).await.id.to_string();
    let mut visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
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
    let past = "This booking lies in the past.";
    let (soon, later) = (day(1), day(2));
    assert!(said("/bookings", "2020-01-01", "2020-01-02", "").await.contains(past));
    assert!(!said("/bookings/B-1", "2020-01-01", "2020-01-02", "Paid").await.contains(past), "it was before");
    assert!(!said("/bookings/B-1", &soon, &later, "Paid").await.contains(past));
    assert!(said("/bookings/B-1", "2020-02-01", "2020-02-02", "Paid").await.contains(past));
    house.stop().await;
}

async fn the_page_of_a_calendar_says_what_is_under_way(db: &TestDb) {
    let house = House::on(db).await;
    let ana = house.staff("Ana").await;
    let integration = house.connect_google(ana, "ana@example.com").await;
    let path = format!("/calendars/{}", integration["id"].as_str().unwrap());
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let live = async || visitor.get(&format!("{path}/live")).await.text;
    let quiet = async || (!live().await.contains("data-under-way")).then_some(());
    until("what follows from connecting is done", quiet).await;
    let slow = json!({ "provider": "google", "kind": "latency_ms", "value": 1500 });
    house.control(Method::POST, "/faults", slow).await;
    let said = visitor.get(&path).await.text;
    assert!(said.contains("Writes every coming booking to the calendar again"), "{said}");
    visitor.send(&format!("{path}/resync"), &[]).await;
    let shown = live().await;
    assert!(shown.contains("data-under-way") && shown.contains("Load this page again"), "{shown}");
    until("all is quiet again", quiet).await;
    house.stop().await;
}

async fn what_a_form_refuses_is_said_at_the_field_and_kept(db: &TestDb) {
    let house = House::on(db).await;
    let visitor = Visitor::signed_in(&house, &person(&house, Role::Manager, None).await).await;
    let long = "x".repeat(301);
    let made = visitor.send("/feeds", &[("about", "business"), ("name", "Airbnb")]).await;
    let feed = made.text.split("href=\"/feeds/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let edit = format!("/feeds/{feed}/edit");
    for (path, fields, kept, fault) in [
        ("/feeds", vec![("about", "business"), ("name", &long)], long.as_str(), "name-fault"),
        ("/feeds", vec![("about", "planet"), ("name", "Pluto")], "Pluto", "about-fault"),
        (&edit, vec![("privacy", "title"), ("name", &long)], &long, "name-fault"),
        ("/settings/people/users", vec![("name", "Zoë"), ("email", "nobody")], "nobody", "email-fault"),
        ("/settings/people/users", vec![("name", &long), ("email", "z@example.org")], &long, "name-fault"),
    ] {
        let page = visitor.send(path, &fields).await;
        assert_eq!(page.status, 422, "{path}");
        assert!(page.text.contains(&format!("value=\"{kept}\"")), "{path}: {}", page.text);
        assert!(page.text.contains(&format!("id=\"{fault}\"")), "{path}: {}", page.text);
    }
    house.stop().await;
}

concord_storage::on_both_databases!(
    what_a_form_refuses_is_said_at_the_field_and_kept,
    what_stays_in_a_calendar_that_was_disconnected_is_left_there,
    whoever_connects_an_account_of_somebody_else_is_told,
    who_is_nobody_of_the_staff_is_offered_nothing_that_leads_nowhere,
    pages_of_a_booking_name_what_they_are_about,
    all_that_a_form_refuses_is_said_at_once_where_the_eye_is,
    who_keeps_a_calendar_back_is_where_they_came_from,
    whoever_is_signed_in_finds_on_from_an_error,
    filters_that_cannot_be_read_are_named_and_kept,
    a_booking_in_the_past_is_taken_and_said_to_be,
    the_page_of_a_calendar_says_what_is_under_way,
    going_back_to_the_form_of_a_booking_makes_another_one,
    a_free_time_is_put_into_the_form_and_saves_nothing,
    what_was_archived_is_restored_at_once_or_from_the_list,
    too_many_units_are_told_at_their_field,
    the_address_of_a_form_is_no_page,
    cancelled_bookings_hide_nothing_that_is_next,
    dates_out_of_all_reach_are_no_filter,
    who_signs_in_comes_to_where_they_wanted_to_go,
    another_persons_calendar_has_no_name_and_what_waits_for_it_counts_apart,
    a_person_is_made_something_else_and_comes_back_after_removal,
    the_question_before_a_cancellation_counts_what_still_stands,
);

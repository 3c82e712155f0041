//! What the pages of channels and platforms do with what is sent to them, without a browser.

use concord_domain::people::Role;
use concord_sandbox::ListingAddress;
use concord_storage::{PageRequest, history, testing::TestDb};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    feeds::fetch,
    page_client::{PageClient, PageResponse, person},
    test_app::{TestApp, TestAppOptions, stay, until},
};

/// Where the sandbox's platforms may be read.
pub(crate) async fn open(db: &TestDb) -> TestApp {
    let settings = vec![("channels.allowed_hosts", r#"["127.0.0.1"]"#.to_owned())];
    TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await
}

/// The sandbox's Sea View Suite at Airbnb: a guest, nights that its host has closed, and the end of what is on sale.
pub(crate) fn at_airbnb(test_app: &TestApp) -> ListingAddress {
    let mut all = test_app.sandbox.listings().into_iter();
    all.find(|one| one.platform == "airbnb" && one.name == "Sea View Suite").expect("the sample listing")
}

/// Connects Airbnb as a person does. Returns the page of the channel, once it is read.
pub(crate) async fn connect(visitor: &PageClient<'_>, room: &str, address: &str) -> String {
    let wish = [("resource", room), ("platform", "airbnb"), ("address", address)];
    let path = visitor.send("/channels/new", &wish).await.leads_to().to_owned();
    read(visitor, &path, "In sync").await;
    path
}

/// Waits until the channel's page says so.
pub(crate) async fn read(visitor: &PageClient<'_>, path: &str, words: &str) -> String {
    until(words, async || {
        let shown = visitor.get(path).await.text;
        shown.contains(words).then_some(shown)
    })
    .await
}

#[track_caller]
pub(crate) fn refused(page: &PageResponse, field: &str, kept: &str, words: &str) {
    assert_eq!(page.status, 422, "{}", page.text);
    assert!(page.text.contains(&format!("id=\"{field}-fault\"")), "{field}: {}", page.text);
    assert!(page.text.contains(&format!("value=\"{kept}\"")), "{kept}: {}", page.text);
    assert!(page.text.contains(words), "{words}: {}", page.text);
}

async fn both_bookings_of_a_double_booking_say_so(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await;
    let ours = stay(&room, 30, 2);
    let put = Some(("application/json", ours.to_string()));
    test_app.api.raw(Method::PUT, "/api/v1/bookings/ours", put, &[]).await.expect(201);
    let [from, until] = ["check_in", "check_out"].map(|day| ours[day].as_str().unwrap().replace('-', ""));
    let file = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:f-1\r\nDTSTART;VALUE=DATE:{from}\r\nDTEND;VALUE=DATE:{until}\r\n\
         SUMMARY:Party\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let path = format!("/api/ical/import?platform=generic&resource={}", room.id);
    let sent = Some(("text/calendar", file));
    let done = test_app.api.raw(Method::POST, &path, sent, &[]).await.expect(200);
    assert_eq!((&done["imported"], &done["conflicts"]), (&json!(1), &json!(1)));
    let all = test_app.api.get("/api/v1/bookings").await.expect(200);
    let all = all["items"].as_array().unwrap();
    let party = all.iter().find(|one| one["title"] == "Party").unwrap()["reference"].as_str().unwrap();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let shown = visitor.get(&format!("/bookings/{party}")).await.text;
    assert!(
        shown.contains("This booking overlaps another booking") && shown.contains("href=\"/bookings/ours\""),
        "{shown}"
    );
    let shown = visitor.get("/bookings/ours").await.text;
    let link = format!("href=\"/bookings/{party}\"");
    assert!(shown.contains("This booking overlaps another booking") && shown.contains(&link), "{shown}");
    for path in ["/bookings", "/"] {
        let pills = visitor.get(path).await.text.matches(">Overlaps another booking<").count();
        assert_eq!(pills, 2, "{path}");
    }
    let overview = visitor.get("/").await.text;
    let needs = overview.split("id=\"needs\"").nth(1).unwrap().split("</section>").next().unwrap().to_owned();
    assert_eq!(needs.matches("is double-booked").count(), 1, "{needs}");
    assert!(needs.contains(&link) && needs.contains("href=\"/bookings/ours\""), "{needs}");
    for (reference, other) in [("ours", party), (party, "ours")] {
        let one = test_app.api.get(&format!("/api/v1/bookings/{reference}")).await.expect(200);
        assert_eq!(one["overlaps"][0]["reference"], other);
        let listed = all.iter().find(|one| one["reference"] == reference).unwrap();
        assert_eq!(listed["overlaps"][0]["reference"], other);
    }
    // Where there is room for both there is nothing to say, nor once one of them is cancelled.
    test_app.api.delete("/api/v1/bookings/ours").await.expect(200);
    let left = test_app.api.get(&format!("/api/v1/bookings/{party}")).await.expect(200);
    assert_eq!(left["overlaps"], json!([]));
    assert!(!visitor.get("/bookings").await.text.contains("Overlaps another booking"));
    test_app.stop().await;
}

async fn a_reader_in_java_is_the_platform_and_people_can_confirm_another(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await;
    let made =
        test_app.api.post("/api/v1/channels", json!({ "resource": room.id, "platform": "airbnb" })).await;
    let made = made.expect(201);
    let (id, url) = (made["id"].as_str().unwrap(), made["feed_url"].as_str().unwrap());
    let path = format!("/channels/{id}");
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    // Nothing is in agreement while the platform may sell what is taken.
    test_app.api.put("/api/v1/bookings/a", stay(&room, 9, 2)).await.expect(201);
    let nights = async || {
        test_app.app.access.flush(test_app.db()).await.unwrap();
        test_app.api.get(&format!("/api/v1/channels/{id}")).await.expect(200)["exposure"]["nights"].clone()
    };
    assert_eq!(nights().await, 2);
    for page in ["/", "/bookings"] {
        let shown = visitor.get(page).await.text;
        assert!(shown.contains("2 nights exposed") && !shown.contains("In sync</a>"), "{page}: {shown}");
    }
    let nobody = visitor.send(&format!("{path}/confirm-read"), &[]).await;
    assert!(
        nobody.status == 409 && nobody.text.contains("calendar link has not been fetched"),
        "{}",
        nobody.text
    );
    let browser = [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ];
    fetch(&test_app.api, Method::GET, url, &browser).await;
    assert_eq!(nights().await, 2, "a person who looks is no platform");
    visitor.send(&format!("{path}/confirm-read"), &[]).await.leads_to();
    assert_eq!(nights().await, 0);
    assert!(visitor.get("/").await.text.contains("In sync</a>"));

    test_app.api.put("/api/v1/bookings/b", stay(&room, 20, 3)).await.expect(201);
    assert_eq!(nights().await, 3, "what was made since is not confirmed");
    let java = [("user-agent", "Java/1.8.0_292"), ("accept", "text/html, image/gif, image/jpeg, */*; q=0.2")];
    fetch(&test_app.api, Method::GET, url, &java).await;
    assert_eq!(nights().await, 0);

    // Before anybody has read anything there is nothing in agreement either.
    let vrbo = json!({ "resource": room.id, "platform": "vrbo" });
    let vrbo = test_app.api.post("/api/v1/channels", vrbo).await.expect(201);
    for booking in ["a", "b"] {
        test_app.api.delete(&format!("/api/v1/bookings/{booking}")).await.expect(200);
    }
    let shown = visitor.get("/").await.text;
    assert!(
        shown.contains("1 feed not read yet") && shown.contains("Has not imported our calendar yet"),
        "{shown}"
    );
    let confirmed = format!("/api/v1/channels/{}/confirm_read", vrbo["id"].as_str().unwrap());
    test_app.api.post(&confirmed, json!({})).await.problem(409, "not-possible");
    test_app.stop().await;
}

async fn what_is_held_back_waits_for_a_word_and_comes_back(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let mut visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    let listing = at_airbnb(&test_app);
    let path = connect(&visitor, &room, &listing.export_url).await;
    let empty = json!({ "provider": "ota", "account": listing.id, "kind": "empty" });
    test_app.control(Method::POST, "/faults", empty.clone()).await;
    visitor.send(&format!("{path}/sync"), &[]).await.leads_to();
    let held = read(&visitor, &path, "Cancel these 2 bookings").await;
    assert!(held.contains("is suddenly empty") && held.contains("they will be cancelled."), "{held}");
    for (page, words) in [
        ("/", "has cancellations held for review"),
        ("/", "1 item needs attention"),
        ("/channels", "Needs attention"),
        (&format!("{path}/release"), "You can undo this for a week."),
    ] {
        let shown = visitor.get(page).await.text;
        assert!(shown.contains(words), "{page}: {shown}");
    }

    let released = visitor.send(&format!("{path}/release"), &[]).await;
    assert_eq!(released.leads_to(), path);
    visitor.cookies.extend(released.cookies());
    let told = visitor.get(&path).await.text;
    assert!(
        told.contains("2 bookings were cancelled.")
            && told.contains("<button class=\"compact\">Undo</button>")
    );
    visitor.cookies.clone_from(&known);
    let again = visitor.get(&format!("{path}/release")).await;
    assert_eq!(again.status, 409, "{}", again.text);
    let runs = told.split(&format!("action=\"{path}/runs/")).nth(1).unwrap();
    let undo = format!("{path}/runs/{}", runs.split('"').next().unwrap());
    assert_eq!(visitor.send(&undo, &[]).await.leads_to(), path);
    let back = visitor.get(&path).await.text;
    assert!(back.contains("kept, though missing from the calendar") && back.contains("undone"), "{back}");
    let standing = test_app.api.get("/api/v1/bookings?status=confirmed").await.expect(200);
    assert_eq!(standing["items"].as_array().unwrap().len(), 2, "{standing}");

    test_app.control(Method::DELETE, "/faults", Value::Null).await;
    visitor.send(&format!("{path}/sync"), &[]).await.leads_to();
    until("the feed has them again", async || {
        let shown = visitor.get(&path).await.text;
        (!shown.contains("kept, though missing from the calendar")).then_some(())
    })
    .await;
    test_app.control(Method::POST, "/faults", empty).await;
    visitor.send(&format!("{path}/sync"), &[]).await.leads_to();
    read(&visitor, &path, "Cancel these 2 bookings").await;
    let kept = visitor.send(&format!("{path}/keep"), &[]).await;
    visitor.cookies.extend(kept.cookies());
    let told = visitor.get(&path).await.text;
    assert!(told.contains("2 bookings are kept, though Airbnb&#39;s calendar is missing them."), "{told}");
    test_app.stop().await;
}

async fn a_channel_is_changed_and_ended(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let path = connect(&visitor, &room, &at_airbnb(&test_app).export_url).await;
    let send = async |fields: &[(&str, &str)]| visitor.send(&path, fields).await;
    refused(&send(&[("interval", "5")]).await, "interval", "5", "from 30 to 1440");
    let vrbo = "https://www.vrbo.com/icalendar/1.ics";
    refused(
        &send(&[("address", vrbo)]).await,
        "address",
        vrbo,
        "This is a calendar link from Vrbo, not from Airbnb.",
    );
    refused(
        &send(&[("address", "https://www.airbnb.com/x.ics"), ("forget", "yes")]).await,
        "address",
        "https://www.airbnb.com/x.ics",
        "Enter a link, or select “Stop importing”, not both.",
    );
    let settings = [("state", "paused"), ("interval", "45"), ("preference", "keep"), ("blocks", "ignore")];
    send(&settings).await.leads_to();
    let paused = visitor.get(&path).await.text;
    assert!(paused.contains("Paused") && paused.contains("value=\"45\""), "{paused}");
    assert!(!paused.contains(&format!("action=\"{path}/sync\"")), "{paused}");
    let channel = test_app.api.get(&format!("/api/v1{path}")).await.expect(200);
    assert_eq!(
        [&channel["state"], &channel["preference"], &channel["blocks"], &channel["interval_minutes"]],
        [&json!("paused"), &json!("keep"), &json!("ignore"), &json!(45)]
    );

    let feed = async || test_app.api.get(&format!("/api/v1{path}")).await.expect(200)["feed_url"].clone();
    let before = feed().await;
    visitor.send(&format!("{path}/rotate"), &[]).await.leads_to();
    assert_ne!(feed().await, before);
    assert_eq!(test_app.api.send_unauthenticated(Method::GET, before.as_str().unwrap()).await.status, 404);

    let keys = visitor.send_and_follow(&format!("{path}/webhooks"), &[]).await;
    assert_eq!(keys.headers["cache-control"], "no-store");
    assert!(keys.text.contains("/hooks/channels/cw_") && keys.text.contains("whsec_"), "{}", keys.text);
    let page = visitor.get(&path).await.text;
    assert!(page.contains("Disable webhooks") && !page.contains("whsec_"), "{page}");
    visitor.send(&format!("{path}/webhooks/forbid"), &[]).await.leads_to();
    assert!(visitor.get(&path).await.text.contains("Enable webhooks"));

    for (question, words) in [
        ("rotate", "The old link stops working immediately."),
        ("remove", "it may sell the same nights again"),
        ("webhooks/forbid", "are refused"),
    ] {
        let asked = visitor.get(&format!("{path}/{question}")).await.text;
        assert!(asked.contains(words) && asked.contains(&format!("action=\"{path}/{question}\"")), "{asked}");
    }
    assert_eq!(visitor.send(&format!("{path}/remove"), &[]).await.leads_to(), "/channels");
    assert_eq!(visitor.get(&path).await.status, 404);
    let standing = test_app.api.get("/api/v1/bookings?status=confirmed").await.expect(200);
    let booking = standing["items"][0]["reference"].as_str().unwrap();
    assert!(visitor.get(&format!("/bookings/{booking}")).await.text.contains("<dt>Source</dt>"));
    test_app.stop().await;
}

async fn channels_are_for_managers(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let path = connect(&manager, &room, &at_airbnb(&test_app).export_url).await;
    let staff = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    for page in [
        "/channels",
        "/channels/live",
        "/channels/new",
        &path,
        &format!("{path}/live"),
        &format!("{path}/remove"),
        &format!("{path}/rotate"),
        &format!("{path}/release"),
        &format!("{path}/webhooks/forbid"),
        &format!("{path}/webhooks/renew"),
        "/calendar-sync",
        "/settings/platforms",
    ] {
        assert_eq!(staff.get(page).await.status, 403, "{page}");
        assert!([200, 409].contains(&manager.get(page).await.status), "{page}");
    }
    for deed in ["", "/sync", "/release", "/keep", "/rotate", "/webhooks", "/webhooks/forbid", "/remove"] {
        assert_eq!(staff.send(&format!("{path}{deed}"), &[]).await.status, 403, "{deed}");
    }
    let wish = [("resource", room.as_str()), ("platform", "vrbo")];
    assert_eq!(staff.send("/channels/new", &wish).await.status, 403);
    assert_eq!(staff.send("/settings/platforms/airbnb", &[("interval", "45")]).await.status, 403);
    assert_eq!(staff.send_parts("/calendar-sync/import", &[]).await.status, 403);
    assert_eq!(staff.send("/calendar-sync/publish", &[("privacy", "full")]).await.status, 403);
    let overview = staff.get("/").await.text;
    assert!(!overview.contains("href=\"/channels\"") && overview.contains("href=\"/feeds\""), "{overview}");
    assert!(manager.get("/").await.text.contains("href=\"/channels\""));
    assert_eq!(manager.get(&path).await.status, 200);
    test_app.stop().await;
}

async fn a_platform_is_treated_as_its_business_says(db: &TestDb) {
    let test_app = open(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let page = visitor.get("/settings/platforms").await.text;
    for words in
        ["Airbnb", "Booking.com", "LekkeSlaap", "SafariNow", "updated manually", "every 120 to 180 minutes"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.len() < 100_000, "{}", page.len());
    let wrong = visitor.send("/settings/platforms/airbnb", &[("interval", "often")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    for words in ["id=\"fault-airbnb\"", "value=\"often\"", "from 30 to 1440"] {
        assert!(wrong.text.contains(words), "{words}: {}", wrong.text);
    }
    let said = [("interval", "45"), ("preference", "yield"), ("blocks", "ignore")];
    assert_eq!(visitor.send("/settings/platforms/airbnb", &said).await.leads_to(), "/settings/platforms");
    let platform = test_app.api.get("/api/v1/platforms/airbnb").await.expect(200);
    assert_eq!(
        [&platform["interval_minutes"], &platform["preference"], &platform["blocks"]],
        [&json!(45), &json!("yield"), &json!("ignore")]
    );
    let (business, ask) = (test_app.business.id, PageRequest::default());
    let lines = history::list_for_subject(test_app.db(), business, business.0, &ask).await.unwrap().items;
    assert!(lines.iter().any(|line| line.detail["platform"] == "airbnb"), "{lines:?}");
    assert_eq!(visitor.send("/settings/platforms/planet", &said).await.status, 404);
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    both_bookings_of_a_double_booking_say_so,
    a_reader_in_java_is_the_platform_and_people_can_confirm_another,
    what_is_held_back_waits_for_a_word_and_comes_back,
    a_channel_is_changed_and_ended,
    channels_are_for_managers,
    a_platform_is_treated_as_its_business_says,
);

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
async fn connect(visitor: &PageClient<'_>, room: &str, address: &str) -> String {
    let wish = [("resource", room), ("platform", "airbnb"), ("address", address)];
    let path = visitor.send("/channels/new", &wish).await.leads_to().to_owned();
    read(visitor, &path, "In sync").await;
    path
}

/// Waits until the channel's page says so.
async fn read(visitor: &PageClient<'_>, path: &str, words: &str) -> String {
    until(words, async || {
        let shown = visitor.get(path).await.text;
        shown.contains(words).then_some(shown)
    })
    .await
}

#[track_caller]
fn refused(page: &PageResponse, field: &str, kept: &str, words: &str) {
    assert_eq!(page.status, 422, "{}", page.text);
    assert!(page.text.contains(&format!("id=\"{field}-fault\"")), "{field}: {}", page.text);
    assert!(page.text.contains(&format!("value=\"{kept}\"")), "{kept}: {}", page.text);
    assert!(page.text.contains(words), "{words}: {}", page.text);
}

async fn what_a_platform_sells_comes_and_it_learns_what_is_taken(db: &TestDb) {
    let test_app = open(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    assert!(visitor.get("/channels").await.text.contains("No resources yet"));
    let resource = test_app.resource(1).await;
    let room = resource.id.to_string();
    let empty = visitor.get("/channels").await.text;
    assert!(empty.contains("No platforms connected yet") && empty.contains("Connect a platform"), "{empty}");
    test_app.api.put("/api/v1/bookings/OURS", stay(&resource, 60, 3)).await.expect(201);

    let choice = visitor.get("/channels/new").await.text;
    assert!(choice.contains("at most 20 room types"), "limits are told before anything is asked: {choice}");
    let by_hand = visitor.get(&format!("/channels/new?resource={room}&platform=gommt")).await.text;
    assert!(by_hand.contains("is updated manually") && !by_hand.contains("name=\"address\""), "{by_hand}");
    let form = visitor.get(&format!("/channels/new?resource={room}&platform=airbnb")).await.text;
    assert!(form.contains("Calendar sync") && form.contains("Export your availability"), "{form}");

    let address = at_airbnb(&test_app).export_url;
    let path = connect(&visitor, &room, &address).await;
    let page = visitor.get(&path).await.text;
    assert!(
        page.contains("Reserved") && page.contains("Reservation") && page.contains("Blocked dates"),
        "{page}"
    );
    assert!(page.contains("nights exposed: has not imported our calendar yet"), "{page}");
    assert!(!page.contains(&address), "the platform's address is not shown again");
    let ours = format!("{}/feeds/cf_", test_app.api.base);
    assert_eq!(page.matches(&ours).count(), 2, "beside its copy button and in the steps: {page}");
    assert!(page.len() < 100_000);

    let mut references = page.split("href=\"/bookings/").skip(1).map(|rest| rest.split('"').next().unwrap());
    let reference = references.find(|reference| *reference != "OURS").unwrap();
    let booking = visitor.get(&format!("/bookings/{reference}")).await.text;
    assert!(
        booking.contains("<dt>Source</dt>")
            && booking.contains(&format!("<a href=\"{path}\">Airbnb</a>, imported"))
    );
    assert!(
        booking.contains("<h1><bdi>Airbnb guest</bdi></h1>") && !booking.contains("<bdi>airbnb: Reserved")
    );
    let form = visitor.get(&format!("/bookings/{reference}/edit")).await.text;
    assert!(form.contains("value=\"Airbnb guest\"") && !form.contains("airbnb: Reserved"), "{form}");
    let told = test_app.api.get(&format!("/api/v1/bookings/{reference}")).await.expect(200);
    assert_eq!(told["customer"]["name"], "airbnb: Reserved");
    let staff = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    let seen = staff.get(&format!("/bookings/{reference}")).await.text;
    assert!(seen.contains("<dt>Source</dt>") && !seen.contains(&path), "{seen}");

    let list = visitor.get("/channels").await.text;
    assert!(list.contains("In sync") && list.contains(&format!("{path}/sync")), "{list}");
    let log = visitor.get(&format!("/settings/sync-log?channel={}", path.rsplit('/').next().unwrap())).await;
    assert!(log.text.contains("Read feed") && log.text.contains("on Airbnb</bdi></a>"), "{}", log.text);
    test_app.stop().await;
}

async fn an_address_that_cannot_be_read_is_refused_at_its_field(db: &TestDb) {
    let test_app = open(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let send = async |platform: &str, address: &str, more: Option<(&str, &str)>| {
        let about = format!("{platform} {address}");
        let mut wish = vec![("resource", room.as_str()), ("platform", platform), ("address", address)];
        wish.push(("about", about.as_str()));
        wish.extend(more);
        visitor.send("/channels/new", &wish).await
    };
    refused(&send("airbnb", "my calendar", None).await, "address", "my calendar", "not a calendar link");
    let own = format!("{}/feeds/cf_mine.ics", test_app.api.base);
    refused(&send("airbnb", &own, None).await, "address", &own, "one of Concord&#39;s own feeds");
    let vrbo = "https://www.vrbo.com/icalendar/1.ics";
    let warned = send("airbnb", vrbo, None).await;
    refused(&warned, "address", vrbo, "This is a calendar link from Vrbo, not from Airbnb.");
    assert!(warned.text.contains("Connect it as Vrbo"), "{}", warned.text);
    let other = send("airbnb", vrbo, Some(("instead", "vrbo"))).await;
    refused(&other, "address", vrbo, "");
    assert!(other.text.contains("Vrbo for") && other.text.contains("retry automatically"), "{}", other.text);
    let path = send("vrbo", vrbo, Some(("anyway", "unread"))).await.leads_to().to_owned();
    assert!(visitor.get(&path).await.text.contains("on Vrbo</h1>"));
    refused(&send("vrbo", vrbo, None).await, "address", vrbo, "is already imported for this resource");
    // One tick answers one question.
    let second = "https://www.vrbo.com/icalendar/2.ics";
    let half = send("airbnb", second, Some(("anyway", "platform"))).await;
    assert!(
        half.text.contains("value=\"platform\" checked") && half.text.contains("value=\"unread\">"),
        "{}",
        half.text
    );
    let all = [("anyway", "platform"), ("anyway", "unread")];
    let about = format!("airbnb {second}");
    let wish = [("resource", room.as_str()), ("platform", "airbnb"), ("address", second), all[0], all[1]];
    let of_another = [wish.as_slice(), &[("about", "airbnb https://www.vrbo.com/icalendar/3.ics")]].concat();
    refused(
        &visitor.send("/channels/new", &of_another).await,
        "address",
        second,
        "a calendar link from Vrbo",
    );
    visitor.send("/channels/new", &[wish.as_slice(), &[("about", &about)]].concat()).await.leads_to();
    let nothing = visitor.send("/channels/new", &[("resource", "none"), ("platform", "planet")]).await;
    assert_eq!(nothing.status, 422);
    assert!(nothing.text.contains("Choose a listing.") && nothing.text.contains("Choose a platform."));
    assert_eq!(send("gommt", "", None).await.status, 409);

    // It is tried, and what came of it is told.
    let shown = read(&visitor, &path, "failed to sync").await;
    assert!(shown.contains("Concord retries automatically"), "{shown}");
    test_app.stop().await;
}

/// One platform's calendar connected as another's, or twice, is asked about by page and API.
async fn an_address_of_another_platform_or_twice_is_asked_about(db: &TestDb) {
    let test_app = open(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let room = test_app.resource(1).await.id.to_string();
    let address = at_airbnb(&test_app).export_url;
    let wish = |platform: &str| json!({ "resource": room, "platform": platform, "import_url": address });
    // The sandbox's address tells no platform, but its calendar says who wrote it.
    let refused = test_app.api.post("/api/v1/channels", wish("vrbo")).await.problem(409, "not-possible");
    let words = refused["detail"].as_str().unwrap();
    assert!(words.contains("was created by Airbnb, not by Vrbo") && words.contains("confirm"), "{words}");
    // An import too.
    let once = json!({ "resource": room, "platform": "vrbo", "ical_url": address });
    let refused = test_app.api.post("/api/ical/import", once.clone()).await.problem(409, "not-possible");
    assert!(refused["detail"].as_str().unwrap().contains("confirm"), "{refused}");
    let dry = json!({ "resource": room, "platform": "vrbo", "ical_url": address, "dry_run": true });
    let warned = test_app.api.post("/api/ical/import", dry).await.expect(200);
    assert!(warned["warnings"][0].as_str().unwrap().contains("created by Airbnb"), "{warned}");
    let typed = [("resource", room.as_str()), ("platform", "vrbo"), ("address", address.as_str())];
    let asked = visitor.send("/channels/new", &typed).await;
    self::refused(&asked, "address", &address, "was created by Airbnb, not by Vrbo");
    assert!(asked.text.contains("Connect it as Airbnb"), "{}", asked.text);

    let made = test_app.api.post("/api/v1/channels", wish("airbnb")).await.expect(201);
    let twice = test_app.api.post("/api/v1/channels", wish("generic")).await.problem(409, "not-possible");
    assert!(twice["detail"].as_str().unwrap().contains("each booking would be imported twice"), "{twice}");
    let typed = [("resource", room.as_str()), ("platform", "generic"), ("address", address.as_str())];
    let asked = visitor.send("/channels/new", &typed).await;
    self::refused(&asked, "address", &address, "each booking would be imported twice");
    let meant = json!({ "resource": room, "platform": "generic", "import_url": address, "confirm": true });
    let other = test_app.api.post("/api/v1/channels", meant).await.expect(201);
    assert_ne!(other["id"], made["id"]);
    // Another address of a channel that is there is asked about alike, and its own is not.
    let path = format!("/api/v1/channels/{}", made["id"].as_str().unwrap());
    test_app.api.delete(&format!("/api/v1/channels/{}", other["id"].as_str().unwrap())).await;
    test_app.api.patch(&path, json!({ "import_url": address })).await.expect(200);
    let vrbo = json!({ "import_url": "https://www.vrbo.com/icalendar/1.ics" });
    test_app.api.patch(&path, vrbo).await.problem(409, "not-possible");
    let meant = json!({ "import_url": "https://www.vrbo.com/icalendar/1.ics", "confirm": true });
    test_app.api.patch(&path, meant).await.expect(200);
    // Who names no platform has said nothing that could be wrong.
    let unnamed = json!({ "resource": room, "ical_url": address });
    let taken = test_app.api.post("/api/ical/import", unnamed).await.expect(200);
    assert!(taken["warnings"][0].as_str().unwrap().contains("created by Airbnb"), "{taken}");
    test_app.stop().await;
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
    let control = format!("/ota/{}/faults", listing.id);
    test_app.control(Method::POST, &control, json!({ "kind": "empty" })).await;
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

    test_app.control(Method::DELETE, &control, Value::Null).await;
    visitor.send(&format!("{path}/sync"), &[]).await.leads_to();
    until("the feed has them again", async || {
        let shown = visitor.get(&path).await.text;
        (!shown.contains("kept, though missing from the calendar")).then_some(())
    })
    .await;
    test_app.control(Method::POST, &control, json!({ "kind": "empty" })).await;
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
    what_a_platform_sells_comes_and_it_learns_what_is_taken,
    an_address_that_cannot_be_read_is_refused_at_its_field,
    an_address_of_another_platform_or_twice_is_asked_about,
    both_bookings_of_a_double_booking_say_so,
    a_reader_in_java_is_the_platform_and_people_can_confirm_another,
    what_is_held_back_waits_for_a_word_and_comes_back,
    a_channel_is_changed_and_ended,
    channels_are_for_managers,
    a_platform_is_treated_as_its_business_says,
);

//! Erasing a customer who is everywhere: afterwards nothing that Concord holds, writes or logs names them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post};
use concord_domain::{connection::ProviderKind, people::Role};
use concord_storage::testing::{self, TestDb};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{
    command_line::concord,
    feeds::get,
    logs,
    page_client::{PageClient, person},
    same_history::{Names, compare, row},
    test_app::{TestApp, TestAppOptions, day, hour, until},
};

const EMAIL: &str = "xantippe.q@erase.example";
/// What nobody else is called, in any spelling of a name, an address and a number: none has a character that is escaped.
const TEXTS: [&str; 4] = ["xantippe", "quillfeather", "erase.example", "912777333"];

fn names_them(text: &str) -> bool {
    let text = text.to_lowercase();
    TEXTS.iter().any(|one| text.contains(one))
}

async fn start(db: &TestDb) -> TestApp {
    let settings = vec![("channels.allowed_hosts", r#"["127.0.0.1", "localhost"]"#.to_owned())];
    TestApp::start_with(db, TestAppOptions { settings, microsoft: true, ..TestAppOptions::default() }).await
}

/// A system that takes all events. Its address, and what came.
async fn receiver() -> (String, Arc<Mutex<Vec<String>>>) {
    let came = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&came);
    let take = async move |body: Bytes| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        let answer = format!("taken: {body}");
        seen.lock().unwrap().push(body);
        answer
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(take))).await });
    (url, came)
}

/// All entries in the sandbox's calendars of a provider, without what the sandbox itself remembers of the calls that made them.
async fn calendar_entries(test_app: &TestApp, provider: &str) -> Vec<String> {
    let all = test_app.control(Method::GET, &format!("/events?provider={provider}"), Value::Null).await;
    let mut entries = all.as_array().unwrap().clone();
    entries.retain(|entry| entry["deleted"] == false);
    for entry in &mut entries {
        entry.as_object_mut().unwrap().remove("history").unwrap();
    }
    entries.iter().map(Value::to_string).collect()
}

/// Where the customer is named outside of the database: calendars and feeds.
async fn named_outside(test_app: &TestApp, feed: &str) -> BTreeSet<&'static str> {
    let mut places = BTreeSet::new();
    for place in ["google", "microsoft"] {
        if calendar_entries(test_app, place).await.iter().any(|text| names_them(text)) {
            places.insert(place);
        }
    }
    if names_them(&String::from_utf8_lossy(&get(&test_app.api, feed).await.bytes)) {
        places.insert("feed");
    }
    places
}

async fn database(db: &TestDb) -> BTreeMap<String, BTreeSet<String>> {
    testing::find_texts(db, &TEXTS).await
}
/// The listing of Vrbo, which writes a guest's first name into its calendar.
async fn sold_at_vrbo(test_app: &TestApp, room: &str) -> (String, String) {
    let all = test_app.control(Method::GET, "/ota", Value::Null).await;
    let vrbo = all.as_array().unwrap().iter().find(|one| one["platform"] == "vrbo").unwrap();
    let stay = json!({ "guest": "Xantippe Quillfeather", "check_in": day(211), "check_out": day(214) });
    test_app.control(Method::POST, &format!("/ota/{}/bookings", vrbo["id"].as_str().unwrap()), stay).await;
    let body = json!({ "resource": room, "platform": "vrbo", "import_url": vrbo["export_url"] });
    let made = test_app.api.post("/api/v1/channels", body).await.expect(201);
    let path = format!("/api/v1/channels/{}", made["id"].as_str().unwrap());
    let reference = until("the platform's booking is here", async || {
        let list = test_app.api.get("/api/v1/bookings?limit=200").await.expect(200);
        let mut items = list["items"].as_array()?.iter();
        let theirs = items.find(|item| item["source"] == "vrbo" && names_them(&item.to_string()));
        theirs.map(|item| item["reference"].as_str().unwrap().to_owned())
    })
    .await;
    (path, reference)
}

async fn read_channel(test_app: &TestApp, path: &str) {
    let read_at = test_app.api.get(path).await.expect(200)["read_at"].clone();
    test_app.api.post(&format!("{path}/sync"), json!({})).await.expect(202);
    until("the feed is read again", async || {
        (test_app.api.get(path).await.expect(200)["read_at"] != read_at).then_some(())
    })
    .await;
}

fn customer() -> Value {
    json!({ "name": "Xantippe Quillfeather", "email": EMAIL, "phone": "+351912777333" })
}

/// Bookings by API and page, with a guest of the same family, in two calendars.
async fn book(test_app: &TestApp, room: &str, staff: &[String]) {
    let booking = json!({
        "reference": "api", "resource": room, "staff": staff, "starts_at": hour(2, 9), "ends_at": hour(2, 10),
        "title": "Massage for Quillfeather", "customer": customer(), "notes": "Xantippe rings at +351912777333",
        "location": "Quillfeather's, Rua 7", "guests": [{ "name": "Rui Quillfeather", "email": "rui@erase.example" }],
    });
    let key = [("idempotency-key", "made-once")];
    let body = booking.to_string();
    let made =
        test_app.api.raw(Method::POST, "/api/v1/bookings", Some(("application/json", body)), &key).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let visitor = PageClient::signed_in(test_app, &person(test_app, Role::Manager, None).await).await;
    let (check_in, check_out) = (day(30), day(32));
    let fields = [
        ("proposed", "page"),
        ("reference", "page"),
        ("resource", room),
        ("mode", "stay"),
        ("check_in", &check_in),
        ("check_out", &check_out),
        ("name", "Xantippe Quillfeather"),
        ("email", EMAIL),
        ("phone", "+351912777333"),
    ];
    assert_eq!(visitor.send("/bookings", &fields).await.leads_to(), "/bookings/page");
    let renamed = json!({ "title": "Massage, Xantippe Quillfeather" });
    test_app.api.patch("/api/v1/bookings/api", renamed).await.expect(200);
}

/// The customer answers at their page, and asks for something.
async fn answer(test_app: &TestApp) {
    let mails = until("the invitations came", async || {
        let all = test_app.control(Method::GET, "/mails", json!({})).await;
        all.as_array()
            .filter(|all| all.iter().filter(|mail| names_them(&mail.to_string())).count() >= 3)
            .cloned()
    })
    .await;
    let links = mails.iter().filter(|mail| mail["to"][0] == EMAIL).filter_map(|mail| {
        let text = mail["text"].as_str()?;
        text.split_whitespace().find(|word| word.contains("/b/cb_")).map(str::to_owned)
    });
    for link in links.collect::<BTreeSet<_>>() {
        let page = test_app.api.http.get(&link).send().await.unwrap().text().await.unwrap();
        let version = page.split("name=\"version\" value=\"").nth(1).map_or("0", |rest| &rest[..1]);
        let answer = format!("answer=accepted&version={version}");
        for (action, body) in [("answer", answer.as_str()), ("ask", "wish=A+cot+for+Xantippe+Quillfeather")] {
            let request = test_app.api.http.post(format!("{link}/{action}")).body(body.to_owned());
            let sent = request.header("content-type", "application/x-www-form-urlencoded").send();
            assert!([200, 303].contains(&sent.await.unwrap().status().as_u16()), "{action}");
        }
    }
}

async fn in_sync(test_app: &TestApp, reference: &str, calendars: usize) -> Value {
    until("the booking stands in its calendars", async || {
        let booking = test_app.api.get(&format!("/api/v1/bookings/{reference}")).await.expect(200);
        let sync = booking["sync"].as_array().unwrap().clone();
        (sync.len() == calendars && sync.iter().all(|one| one["state"] == "synced")).then_some(booking)
    })
    .await
}

async fn done(test_app: &TestApp, erasure: &Value) {
    let path = format!("/api/v1/customers/erasures/{}", erasure["id"].as_str().unwrap());
    until("the erasure is done", async || {
        (test_app.api.get(&path).await.expect(200)["state"] == "done").then_some(())
    })
    .await;
}

/// Where somebody is, everywhere.
struct Spread {
    feed: String,
    channel: String,
    /// The reference of the booking that a platform has sold.
    sold: String,
}

/// A business with two calendars, an endpoint, a feed and a channel, through all of which the customer goes.
async fn spread(test_app: &TestApp) -> Spread {
    let api = &test_app.api;
    let settings = json!({
        "invitations": "confirmed", "invitation_delay_minutes": 0, "entry_privacy": "full", "remote_moves": "ask",
    });
    api.patch("/api/v1/business", settings).await.expect(200);
    let room = test_app.resource(3).await.id.to_string();
    let (ana, ben) = (test_app.staff("Ana").await, test_app.staff("Ben").await);
    test_app.connect_account(ProviderKind::Google, ana, "ana@house.example").await;
    test_app.connect_account(ProviderKind::Microsoft, ben, "ben@house.example").await;
    let (url, came) = receiver().await;
    let made = api.post("/api/v1/webhooks", json!({ "url": url, "description": "Shop" })).await.expect(201);
    let deliveries = format!("/api/v1/webhooks/{}/deliveries", made["endpoint"]["id"].as_str().unwrap());
    let feed = json!({ "scope": "business", "name": "All", "privacy": "full" });
    let feed = api.post("/api/v1/feeds", feed).await.expect(201)["url"].as_str().unwrap().to_owned();
    let (channel, sold) = sold_at_vrbo(test_app, &room).await;
    book(test_app, &room, &[ana.to_string(), ben.to_string()]).await;
    answer(test_app).await;
    let booking = in_sync(test_app, "api", 2).await;
    // Somebody renames and moves the entry, which is asked about.
    let google = booking["sync"].as_array().unwrap().iter().find(|one| one["provider"] == "google").unwrap();
    let entry = google["external_id"].as_str().unwrap();
    let path = format!("/events/{entry}?provider=google");
    test_app.control(Method::PATCH, &path, json!({ "title": "Quillfeather, bring towels" })).await;
    test_app.person_moves(entry, &hour(2, 11), &hour(2, 12)).await;
    test_app.remote_change_in_state("open").await;
    until("the events came, and were answered", async || {
        let named = came.lock().unwrap().iter().filter(|body| names_them(body)).count();
        let list = api.get(&deliveries).await.expect(200);
        let is_done = list["items"].as_array().unwrap().iter().all(|one| one["state"] == "delivered");
        (named >= 4 && is_done).then_some(())
    })
    .await;
    until("the manager was told what the customer wants", async || {
        let mails = test_app.control(Method::GET, "/mails", json!({})).await.to_string();
        ["api", "page"].iter().all(|one| mails.contains(&format!("change booking {one}"))).then_some(())
    })
    .await;
    Spread { feed, channel, sold }
}

/// The search proves itself: it finds them wherever they went.
async fn everything_names_them(db: &TestDb, test_app: &TestApp, spread: &Spread) {
    let before: BTreeSet<String> = database(db).await.into_keys().collect();
    for place in [
        "attendees.name",
        "booking_addresses.address_key",
        "bookings.customer_phone",
        "bookings.guests",
        "bookings.search_text",
        "channel_items.summary",
        "entries.base",
        "events.data",
        "history.actor",
        "history.detail",
        "mails.body_text",
        "mails.to_address",
        "notices.named_headline",
        "remote_changes.before",
        "webhook_deliveries.last_answer",
    ] {
        assert!(before.contains(place), "{place} is not among {before:?}");
    }
    assert_eq!(named_outside(test_app, &spread.feed).await, BTreeSet::from(["feed", "google", "microsoft"]));
}

async fn erase_all(test_app: &TestApp, spread: &Spread) {
    for body in [
        json!({ "email": EMAIL, "keep_upcoming": true }),
        json!({ "email": "rui@erase.example" }),
        json!({ "reference": spread.sold, "keep_upcoming": true }),
    ] {
        let answer = test_app.api.post("/api/v1/customers/erase", body).await;
        // With whom he came, the guest is gone already.
        if answer.status != 404 {
            done(test_app, &answer.expect(202)).await;
        }
    }
    in_sync(test_app, "api", 2).await;
}

async fn nothing_names_whoever_was_erased(db: &TestDb) {
    let test_app = start(db).await;
    let api = &test_app.api;
    let spread = spread(&test_app).await;
    everything_names_them(db, &test_app, &spread).await;
    let exported = api.post("/api/v1/customers/export", json!({ "email": EMAIL })).await.expect(200);
    assert_eq!(exported["bookings"].as_array().unwrap().len(), 2);
    let refused = api.post("/api/v1/customers/erase", json!({ "email": EMAIL })).await;
    refused.problem(409, "not-possible");
    let sent = test_app.control(Method::GET, "/mails", json!({})).await.as_array().unwrap().len();

    erase_all(&test_app, &spread).await;
    until("the calendars say nothing of them", async || {
        named_outside(&test_app, &spread.feed).await.is_empty().then_some(())
    })
    .await;
    // The platform goes on naming them.
    read_channel(&test_app, &spread.channel).await;
    assert_eq!(database(db).await, BTreeMap::new());
    assert_eq!(named_outside(&test_app, &spread.feed).await, BTreeSet::new());
    let after = api.get(&format!("/api/v1/bookings/{}", spread.sold)).await.expect(200);
    assert_eq!((&after["check_in"], &after["status"]), (&json!(day(211)), &json!("confirmed")));
    let mails = test_app.control(Method::GET, "/mails", json!({})).await;
    let new: Vec<_> = mails.as_array().unwrap().iter().skip(sent).collect();
    assert!(new.iter().all(|mail| !names_them(&mail.to_string())), "{new:?}");
    test_app.stop().await;
    let written = logs::written();
    let is_kept = |line: &&str| [" INFO ", " WARN ", "ERROR "].iter().any(|level| line.contains(level));
    let told: Vec<&str> = written.lines().filter(is_kept).filter(|line| names_them(line)).collect();
    assert!(written.len() > 1_000 && told.is_empty(), "{told:#?}");
}

async fn request_must_say_whom(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    for path in ["/api/v1/customers/export", "/api/v1/customers/erase"] {
        api.post(path, json!({})).await.problem(422, "invalid");
        api.post(path, json!({ "email": "a@b.example", "reference": "x" })).await.problem(422, "invalid");
        api.post(path, json!({ "email": "nobody@example.com" })).await.problem(404, "not-found");
        api.post(path, json!({ "reference": "none" })).await.problem(404, "not-found");
    }
    test_app.stop().await;
}

async fn manager_erases_at_the_page(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let booking = json!({
        "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10), "customer": customer(),
    });
    test_app.api.put("/api/v1/bookings/stay", booking).await.expect(201);
    let path = "/settings/customer-data";
    let staff = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    assert_eq!(staff.get(path).await.status, 403);
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    assert!(visitor.get("/settings").await.text.contains(path));
    assert!(visitor.get(path).await.text.contains("Nothing was erased yet"));
    let nobody = visitor.send(path, &[("who", "nobody@example.com")]).await;
    assert!(
        nobody.status == 422 && nobody.text.contains("There is no customer with this email address"),
        "{}",
        nobody.text
    );
    let found = visitor.send(path, &[("who", EMAIL)]).await;
    assert!(found.text.contains("1 booking") && found.text.contains(">stay<"), "{}", found.text);
    let file = visitor.send(&format!("{path}/export"), &[("who", EMAIL)]).await;
    assert_eq!(file.headers["content-type"], "application/json");
    assert!(file.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert!(names_them(&file.text));
    let asked = visitor.send(&format!("{path}/confirm"), &[("who", EMAIL)]).await;
    assert!(asked.text.contains("1 upcoming booking stays in the calendar"), "{}", asked.text);
    assert!(asked.text.contains("This cannot be undone."));
    let sent = visitor.send(&format!("{path}/erase"), &[("who", EMAIL), ("keep_upcoming", "yes")]).await;
    assert_eq!(sent.leads_to(), path);
    until("it is erased", async || visitor.get(path).await.text.contains("Done").then_some(())).await;
    assert_eq!(database(db).await, BTreeMap::new());
    test_app.stop().await;
}

async fn commands_export_erase_and_replay(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let booking = json!({
        "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10), "customer": customer(),
    });
    test_app.api.put("/api/v1/bookings/stay", booking.clone()).await.expect(201);
    let folder = TempDir::new().unwrap();
    let master_key = test_app.app.config.security.master_key.as_ref().unwrap().expose_secret().to_owned();
    let data = folder.path().to_str().unwrap();
    let variables = [
        ("CONCORD__DATA_DIR", data),
        ("DATABASE_URL", db.url()),
        ("CONCORD_MASTER_KEY", master_key.as_str()),
    ];
    let run = |arguments: &[&str]| {
        let done = concord(&[&["personal-data"], arguments].concat(), &variables).output().unwrap();
        let said = String::from_utf8(if done.status.success() { done.stdout } else { done.stderr }).unwrap();
        (done.status.success(), said)
    };
    let whom = ["--business", test_app.business.slug.as_str(), "--email", EMAIL];
    let (is_done, exported) = run(&[&["export"], &whom[..]].concat());
    assert!(is_done && names_them(&exported), "{exported}");
    let (is_done, refused) = run(&[&["erase"], &whom[..]].concat());
    assert!(!is_done && refused.contains("upcoming bookings of this customer: stay"), "{refused}");
    let (is_done, said) = run(&[&["erase", "--keep-upcoming"], &whom[..]].concat());
    assert!(is_done, "{said}");
    let erased = async || {
        until("the customer is erased", async || database(db).await.is_empty().then_some(())).await;
    };
    erased().await;
    let (is_done, list) = run(&["erasures"]);
    assert!(is_done && list.lines().count() == 1 && !names_them(&list), "{list}");
    let file = folder.path().join("erasures.jsonl");
    std::fs::write(&file, list).unwrap();

    // As after a restore: the database has them again, and knows of no erasure.
    testing::raw(db, "DELETE FROM erased_bookings").await;
    testing::raw(db, "DELETE FROM erasures").await;
    test_app.api.put("/api/v1/bookings/stay", booking).await.expect(200);
    assert!(!database(db).await.is_empty());
    let (is_done, said) = run(&["replay", file.to_str().unwrap()]);
    assert!(is_done && said.starts_with("Erasures requested again: 1 of 1."), "{said}");
    erased().await;
    let again = run(&["replay", "--from-database", db.url()]).1;
    assert!(again.starts_with("Erasures requested again: 0 of 1."), "{again}");
    test_app.stop().await;
}

async fn export_says_nothing_of_a_former_customer(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let booking = |name: &str, email: &str| {
        json!({ "resource": room.id, "starts_at": hour(2, 9), "ends_at": hour(2, 10),
            "customer": { "name": name, "email": email, "phone": format!("+351 21 {name}") } })
    };
    test_app.api.put("/api/v1/bookings/stay", booking("Alice", "alice@example.org")).await.expect(201);
    test_app.api.put("/api/v1/bookings/stay", booking("Maria", "maria@example.org")).await.expect(200);
    let whom = json!({ "email": "maria@example.org" });
    let exported = test_app.api.post("/api/v1/customers/export", whom).await.expect(200);
    let text = exported.to_string().to_lowercase();
    assert!(text.contains("maria@example.org") && !text.contains("alice"), "{text}");
    // What changed is said, without what it was.
    let lines = exported["bookings"][0]["history"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["detail"]["changes"] == json!(["customer"])), "{text}");
    test_app.stop().await;
}

async fn erasures_leave_the_same(db: &TestDb) {
    let prepare = async |test_app: &TestApp, _| {
        let room = test_app.resource(1).await;
        let booking = json!({
            "resource": room.id, "check_in": day(1), "check_out": day(2), "customer": { "email": "maria@example.org" },
        });
        test_app.api.put("/api/v1/bookings/stay", booking).await.expect(201);
        Names::new()
    };
    let erasures = [row(
        "/settings/customer-data/erase",
        &[("who", "maria@example.org"), ("keep_upcoming", "yes")],
        (Method::POST, "/customers/erase"),
        json!({ "email": "maria@example.org", "keep_upcoming": true }),
    )];
    compare(db, prepare, &[&erasures]).await;
}

concord_storage::on_both_databases!(
    commands_export_erase_and_replay,
    export_says_nothing_of_a_former_customer,
    erasures_leave_the_same,
    nothing_names_whoever_was_erased,
    request_must_say_whom,
    manager_erases_at_the_page,
);

//! A process that is killed in the middle of a request with an idempotency key: between any two of its transactions.

use concord_domain::{connection::ProviderKind, ids::StaffId, people::Actor};
use concord_storage::{
    PageRequest, history, idempotency,
    resources::Resource,
    testing::{self, TestDb},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    calendars::synced,
    feeds::fetch,
    test_app::{ApiResponse, TestApp, TestAppOptions, day, hour, stay},
};

/// Each request of the API that makes or does something, by the operation's name in the document. Each may do
/// its work once.
const POSTS: [&str; 25] = [
    "export_customer_data",
    "erase_customer_data",
    "create_reminder_rule",
    "create_booking",
    "create_resource",
    "restore_resource",
    "create_staff",
    "restore_staff",
    "create_feed",
    "rotate_feed",
    "create_block",
    "create_channel",
    "sync_channel",
    "rotate_channel_feed",
    "confirm_channel_read",
    "allow_channel_webhooks",
    "authorize_google",
    "sync_calendar_integration",
    "test_calendar_integration",
    "compare_calendar_integration",
    "sync_pending",
    "import_availability",
    "follow_remote_change",
    "revert_remote_change",
    "import_ical",
];

/// What has one transaction as the others, and takes much to come about: a job and a mail that have failed, an account
/// of the sandbox's Microsoft and of a CalDAV server, a mail server, an endpoint of another system, what a feed has held back
/// or leaves unconfirmed, an answer that was taken back.
const LIKE_THE_OTHERS: [&str; 15] = [
    "send_calendar_invite",
    "create_webhook",
    "resend_webhook_event",
    "resend_webhook_events",
    "rotate_webhook_secret",
    "test_webhook",
    "settle_channel_event",
    "retry_job",
    "retry_mail",
    "authorize_outlook",
    "connect_caldav",
    "release_channel",
    "keep_held_back",
    "undo_channel_run",
    "undo_remote_change",
];

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN\r\n\
    BEGIN:VEVENT\r\nUID:a-1@airbnb.com\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:FROM\r\n\
    DTEND;VALUE=DATE:UNTIL\r\nSUMMARY:Reserved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn id_of(answer: ApiResponse) -> String {
    answer.expect(201)["id"].as_str().unwrap().to_owned()
}

/// The integration with a new account.
async fn connected(test_app: &TestApp, staff: StaffId, account: &str) -> String {
    test_app.connect_account(ProviderKind::Google, staff, account).await;
    let list = test_app.api.get(&format!("/api/v1/calendar_integrations?staff={staff}")).await.expect(200);
    list["items"][0]["id"].as_str().unwrap().to_owned()
}

/// A change that somebody made in their calendar.
async fn remote_change(test_app: &TestApp, operation: &str, number: u32) -> String {
    let name = format!("{}-{number}", operation.replace('_', "-"));
    let ana = test_app.staff(&name).await;
    connected(test_app, ana, &format!("{}@example.com", name.to_lowercase())).await;
    let room = test_app.resource(1).await;
    let ahead = u64::from(number) + 1;
    let booking = json!({
        "resource": room.id, "staff": [ana], "starts_at": hour(ahead, 9), "ends_at": hour(ahead, 10),
    });
    let path = format!("/api/v1/bookings/{name}");
    test_app.api.put(&path, booking).await.expect(201);
    let booking = synced(test_app, &path, 1).await;
    let entry = booking["sync"][0]["external_id"].as_str().unwrap().to_owned();
    // Deleted, it is asked about.
    test_app.person_deletes(&entry).await;
    test_app.remote_change_in_state("open").await["id"].as_str().unwrap().to_owned()
}

/// The path of a request about a channel, which is there.
async fn prepare_channel(test_app: &TestApp, operation: &str, number: u32, room: &Resource) -> String {
    if operation == "confirm_channel_read" {
        let channel = json!({ "resource": room.id, "platform": "airbnb" });
        let made = test_app.api.post("/api/v1/channels", channel).await.expect(201);
        // A person's read is not written down before somebody asks: here, in the middle of the request.
        let browser = [("accept", "text/html,application/xhtml+xml")];
        fetch(&test_app.api, Method::GET, made["feed_url"].as_str().unwrap(), &browser).await;
        return format!("/api/v1/channels/{}/confirm_read", made["id"].as_str().unwrap());
    }
    let read = json!({
        "resource": room.id, "platform": "airbnb",
        "import_url": format!("{}/ota/{operation}-{number}.ics", test_app.sandbox.url()),
    });
    let id = id_of(test_app.api.post("/api/v1/channels", read).await);
    let deed = match operation {
        "sync_channel" => "sync",
        "rotate_channel_feed" => "rotate_feed",
        _ => "webhook",
    };
    format!("/api/v1/channels/{id}/{deed}")
}

/// Where the request goes and what it says; everything that it needs is there.
async fn prepared(test_app: &TestApp, operation: &str, number: u32) -> (String, Value) {
    let room = test_app.resource(1).await;
    let empty = json!({});
    let feed = json!({ "name": "All", "scope": "business" });
    let channel = json!({ "resource": room.id, "platform": "airbnb" });
    match operation {
        "create_reminder_rule" => {
            let rule = json!({ "channel": "customer_email", "minutes_before": 60 + number });
            ("/api/v1/reminder_rules".to_owned(), rule)
        }
        "export_customer_data" | "erase_customer_data" => {
            let reference = format!("{operation}-{number}");
            let mut booking = stay(&room, 1, 1);
            booking["customer"] = json!({ "name": "Maria Silva", "email": "maria@example.org" });
            test_app.api.put(&format!("/api/v1/bookings/{reference}"), booking).await.expect(201);
            test_app.api.delete(&format!("/api/v1/bookings/{reference}")).await.expect(200);
            let deed = operation.split('_').next().unwrap();
            (format!("/api/v1/customers/{deed}"), json!({ "reference": reference }))
        }
        "create_resource" => ("/api/v1/resources".to_owned(), json!({ "name": "Room" })),
        "create_staff" => ("/api/v1/staff".to_owned(), json!({ "name": "Ana" })),
        "create_feed" => ("/api/v1/feeds".to_owned(), feed),
        "create_booking" => ("/api/v1/bookings".to_owned(), stay(&room, 1, 1)),
        "create_channel" => ("/api/v1/channels".to_owned(), channel),
        "create_block" => {
            let block = json!({ "resource": room.id, "check_in": day(1), "check_out": day(2) });
            ("/api/v1/calendar_availability".to_owned(), block)
        }
        "restore_resource" => {
            let path = format!("/api/v1/resources/{}", room.id);
            test_app.api.delete(&path).await.expect(200);
            (format!("{path}/restore"), empty)
        }
        "restore_staff" => {
            let path = format!("/api/v1/staff/{}", test_app.staff("Ben").await);
            test_app.api.delete(&path).await.expect(200);
            (format!("{path}/restore"), empty)
        }
        "rotate_feed" => {
            let id = id_of(test_app.api.post("/api/v1/feeds", feed).await);
            (format!("/api/v1/feeds/{id}/rotate"), empty)
        }
        "sync_channel" | "rotate_channel_feed" | "allow_channel_webhooks" | "confirm_channel_read" => {
            (prepare_channel(test_app, operation, number, &room).await, empty)
        }
        "authorize_google" => {
            let ana = test_app.staff("Ana").await;
            ("/api/v1/calendar_integrations/google/authorize".to_owned(), json!({ "staff": ana }))
        }
        "sync_calendar_integration" | "test_calendar_integration" | "compare_calendar_integration" => {
            let ana = test_app.staff("Ana").await;
            let id = connected(test_app, ana, &format!("{operation}{number}@example.com")).await;
            let deed = operation.split('_').next().unwrap();
            (format!("/api/v1/calendar_integrations/{id}/{deed}"), empty)
        }
        "sync_pending" => ("/api/v1/sync/pending".to_owned(), empty),
        "import_availability" => ("/api/v1/sync/availability".to_owned(), empty),
        "follow_remote_change" | "revert_remote_change" => {
            let id = remote_change(test_app, operation, number).await;
            let deed = operation.split('_').next().unwrap();
            (format!("/api/v1/remote_changes/{id}/{deed}"), empty)
        }
        "import_ical" => {
            let path = format!("/api/ical/import?platform=airbnb&resource={}", room.id);
            (path, Value::Null)
        }
        other => panic!("{other} is not prepared"),
    }
}

async fn send(test_app: &TestApp, operation: &str, (path, body): &(String, Value), key: &str) -> ApiResponse {
    let (kind, text) = if operation == "import_ical" {
        let days = |ahead: u64| day(ahead).replace('-', "");
        ("text/calendar", CALENDAR.replace("FROM", &days(30)).replace("UNTIL", &days(33)))
    } else {
        ("application/json", body.to_string())
    };
    test_app.api.raw(Method::POST, path, Some((kind, text)), &[("idempotency-key", key)]).await
}

/// How often programs have done something.
async fn deeds(test_app: &TestApp) -> usize {
    let all = PageRequest { limit: 1_000, after: None };
    let lines = history::list(test_app.db(), test_app.business.id, &all).await.unwrap().items;
    lines.iter().filter(|line| matches!(line.actor, Actor::ApiKey { .. })).count()
}

/// As if the process that was killed had been silent for long.
async fn it_is_taken_for_dead(test_app: &TestApp) {
    let mut tx = testing::begin(test_app.db()).await;
    idempotency::release_former(&mut tx).await.unwrap();
    testing::commit(tx).await;
}

/// Kills it after each of its commits in turn.
async fn once_however_it_is_killed(test_app: &TestApp, operation: &str) {
    let mut number = 0;
    let mut work = None;
    loop {
        let request = prepared(test_app, operation, number).await;
        let before = deeds(test_app).await;
        let key = format!("{operation}-{number}");
        if number > 0 {
            testing::crash_after(&key, number);
        }
        let first = send(test_app, operation, &request, &key).await;
        let done = deeds(test_app).await - before;
        if number == 0 || testing::did_not_crash(&key) {
            assert!(first.status < 300, "{operation}: {} {}", first.status, first.text);
            let again = send(test_app, operation, &request, &key).await;
            assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &first.text));
            let expected = *work.get_or_insert(done);
            assert_eq!((deeds(test_app).await - before, done), (expected, expected), "{operation}");
            if number > 0 {
                assert!(number > 1, "{operation} commits nothing");
                return;
            }
        } else {
            assert_eq!(first.status, 500, "{operation} was killed after commit {number}: {}", first.text);
            send(test_app, operation, &request, &key).await.problem(409, "under-way");
            it_is_taken_for_dead(test_app).await;
            let again = send(test_app, operation, &request, &key).await;
            let is_told = again.status < 300 || again.status == 409;
            assert!(is_told, "{operation}, killed after {number}: {}", again.text);
            if again.status == 409 {
                let place = again.header("location").to_owned();
                again.problem(409, "already-done");
                if !place.is_empty() {
                    let path = place.strip_prefix(&test_app.api.base).unwrap();
                    test_app.api.get(path).await.expect(200);
                }
            }
            assert_eq!(deeds(test_app).await - before, work.unwrap(), "{operation}, killed after {number}");
        }
        number += 1;
    }
}

async fn a_request_is_done_once_however_it_is_killed(db: &TestDb) {
    let settings = vec![
        ("channels.allowed_hosts", r#"["127.0.0.1", "localhost"]"#.to_owned()),
        ("feeds.note_readers_seconds", "3600".to_owned()),
    ];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    for operation in POSTS {
        once_however_it_is_killed(&test_app, operation).await;
    }
    test_app.stop().await;
}

async fn every_post_is_among_them(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let mut unknown = Vec::new();
    for path in document["paths"].as_object().unwrap().values() {
        let Some(name) = path["post"]["operationId"].as_str() else { continue };
        let takes_key = path["post"]["parameters"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key"));
        if takes_key && !POSTS.contains(&name) && !LIKE_THE_OTHERS.contains(&name) {
            unknown.push(name.to_owned());
        }
    }
    assert!(unknown.is_empty(), "say how these are tested: {unknown:?}");
    test_app.stop().await;
}

concord_storage::on_both_databases!(a_request_is_done_once_however_it_is_killed, every_post_is_among_them);

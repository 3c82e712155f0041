//! What can be changed by a page and by the API leaves the same in the history, whoever does it.
//!
//! The rows of a table are gone through twice: by a manager at the pages of one business, and by a program in another.
//! To add a change: its row in the table of its subject.

use std::collections::BTreeMap;

use concord_domain::people::{Actor, Role};
use concord_storage::{PageRequest, history, testing::TestDb};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    calendars::synced,
    channel_pages::{at_airbnb, open},
    command_line::concord,
    feeds::get,
    page_client::{PageClient, person},
    test_app::{TestApp, day, hour, until},
};

/// A change, as each way makes it. `{name}` in it is something that `Names` know; `{id}` is what the first row made.
pub(crate) struct Row {
    page: &'static str,
    form: &'static [(&'static str, &'static str)],
    method: Method,
    path: &'static str,
    body: Value,
}

pub(crate) fn row(
    page: &'static str,
    form: &'static [(&'static str, &'static str)],
    (method, path): (Method, &'static str),
    body: Value,
) -> Row {
    Row { page, form, method, path, body }
}

pub(crate) type Names = Vec<(&'static str, String)>;

fn fill(text: &str, names: &Names) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// What was done, to what sort of thing, and in which words.
type Line = (String, &'static str, Value);

/// What people or programs did in the business, the last first, with the subject of each.
async fn lines(test_app: &TestApp) -> Vec<(Line, String)> {
    let ask = PageRequest { limit: 200, after: None };
    let found = history::list(test_app.db(), test_app.business.id, &ask).await.unwrap();
    let done = found
        .items
        .into_iter()
        .filter(|line| matches!(line.actor, Actor::User { .. } | Actor::ApiKey { .. }));
    let line = |line: history::HistoryEntry| {
        let words = (line.action, line.subject_kind.as_str(), without_ids(line.detail));
        (words, line.subject_id.to_string())
    };
    done.map(line).collect()
}

/// A channel gives its bookings references of its own making.
fn without_ids(detail: Value) -> Value {
    let is_id = |text: &str| text.parse::<uuid::Uuid>().is_ok() || text.starts_with("airbnb-");
    match detail {
        Value::String(text) if is_id(&text) => json!("an id"),
        Value::Array(all) => all.into_iter().map(without_ids).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, without_ids(value))).collect(),
        other => other,
    }
}

/// Makes each change, by the pages if there is somebody at them, and returns what each has left.
async fn play(
    test_app: &TestApp,
    manager: Option<&PageClient<'_>>,
    names: &Names,
    rows: &[Row],
) -> Vec<Vec<Line>> {
    let (mut names, mut left) = (names.clone(), Vec::new());
    for row in rows {
        let before = lines(test_app).await.len();
        if let Some(manager) = manager {
            let form: Vec<_> = row.form.iter().map(|(name, value)| (*name, fill(value, &names))).collect();
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            manager.send(&fill(row.page, &names), &form).await.leads_to();
        } else {
            let body = serde_json::from_str(&fill(&row.body.to_string(), &names)).unwrap();
            let path = format!("/api/v1{}", fill(row.path, &names));
            let answer = test_app.api.send(row.method.clone(), &path, Some(body), &[]).await;
            assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
        }
        let mut new = lines(test_app).await;
        new.truncate(new.len() - before);
        assert!(!new.is_empty(), "{} leaves nothing", row.page);
        if left.is_empty() {
            names.push(("id", new[0].1.clone()));
        }
        left.push(new.into_iter().map(|(line, _)| line).collect());
    }
    left
}

/// `prepare` is given an account of the sandbox that nobody has connected yet.
pub(crate) async fn compare(
    db: &TestDb,
    prepare: impl AsyncFn(&TestApp, &'static str) -> Names,
    tables: &[&[Row]],
) {
    let mut test_app = open(db).await;
    let names = prepare(&test_app, "ana@example.com").await;
    let mut by_page = Vec::new();
    {
        let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
        for rows in tables {
            by_page.extend(play(&test_app, Some(&manager), &names, rows).await);
        }
    }
    (test_app.business, test_app.api) = test_app.other_business().await;
    let names = prepare(&test_app, "ben@example.com").await;
    let mut by_api = Vec::new();
    for rows in tables {
        by_api.extend(play(&test_app, None, &names, rows).await);
    }
    for ((row, page), api) in tables.iter().copied().flatten().zip(by_page).zip(by_api) {
        assert_eq!(page, api, "{} and {} {}", row.page, row.method, row.path);
    }
    test_app.stop().await;
}

async fn settings_leave_the_same(db: &TestDb) {
    let (post, patch, delete) = (Method::POST, Method::PATCH, Method::DELETE);
    let none = || json!({});
    let resources = [
        row(
            "/settings/resources",
            &[("name", "Room"), ("zone", "Asia/Tokyo"), ("capacity", "2"), ("before", "5"), ("after", "10")],
            (post.clone(), "/resources"),
            json!({ "name": "Room", "zone": "Asia/Tokyo", "capacity": 2, "buffer_before_minutes": 5, "buffer_after_minutes": 10 }),
        ),
        row(
            "/settings/resources/{id}",
            &[("name", " Suite "), ("capacity", "3"), ("before", "5"), ("after", "10")],
            (patch.clone(), "/resources/{id}"),
            json!({ "name": " Suite ", "zone": null, "capacity": 3 }),
        ),
        row("/settings/resources/{id}/archive", &[], (delete.clone(), "/resources/{id}"), none()),
        row("/settings/resources/{id}/restore", &[], (post.clone(), "/resources/{id}/restore"), none()),
    ];
    let staff = [
        row(
            "/settings/people/staff",
            &[("name", " Ana "), ("email", "ana@example.org"), ("trade", "driver")],
            (post.clone(), "/staff"),
            json!({ "name": " Ana ", "email": "ana@example.org", "trade": "driver" }),
        ),
        row(
            "/settings/people/staff/{id}",
            &[("name", "Ana"), ("email", ""), ("trade", "technician")],
            (patch.clone(), "/staff/{id}"),
            json!({ "email": "", "trade": "technician" }),
        ),
        row("/settings/people/staff/{id}/archive", &[], (delete.clone(), "/staff/{id}"), none()),
        row("/settings/people/staff/{id}/restore", &[], (post.clone(), "/staff/{id}/restore"), none()),
    ];
    let feeds = [
        row(
            "/feeds",
            &[("about", "business"), ("name", "All"), ("privacy", "title")],
            (post.clone(), "/feeds"),
            json!({ "scope": "business", "name": "All", "privacy": "title" }),
        ),
        row(
            "/feeds/{id}/edit",
            &[("name", " Busy "), ("privacy", "busy")],
            (patch.clone(), "/feeds/{id}"),
            json!({ "name": " Busy ", "privacy": "busy" }),
        ),
        row("/feeds/{id}/rotate", &[], (post, "/feeds/{id}/rotate"), none()),
        row("/feeds/{id}/revoke", &[], (delete, "/feeds/{id}"), none()),
    ];
    let others = [
        row(
            "/settings/business",
            &[
                ("name", "Casa"),
                ("zone", "Asia/Tokyo"),
                ("privacy", "full"),
                ("cancelled", "mark"),
                ("moves", "ask"),
                ("deletions", "revert"),
            ],
            (patch.clone(), "/business"),
            json!({ "name": "Casa", "zone": "Asia/Tokyo", "entry_privacy": "full", "mark_cancelled": true,
                "remote_moves": "ask", "remote_deletions": "revert" }),
        ),
        row(
            "/settings/platforms/airbnb",
            &[("interval", "60"), ("preference", "keep"), ("blocks", "ignore")],
            (patch, "/platforms/airbnb"),
            json!({ "interval_minutes": 60, "preference": "keep", "blocks": "ignore" }),
        ),
    ];
    compare(db, async |_, _| Names::new(), &[&resources, &staff, &feeds, &others]).await;
}

async fn reminders_leave_the_same(db: &TestDb) {
    let reminders = [
        row(
            "/settings/reminders",
            &[("channel", "staff_email"), ("kind", "delivery"), ("amount", "2"), ("unit", "hours")],
            (Method::POST, "/reminder_rules"),
            json!({ "channel": "staff_email", "kind": "delivery", "minutes_before": 120 }),
        ),
        row(
            "/settings/reminders/quiet",
            &[("from", "22:00"), ("until", "07:00")],
            (Method::PUT, "/quiet_hours"),
            json!({ "from": "22:00", "until": "07:00" }),
        ),
        row("/settings/reminders/{id}/delete", &[], (Method::DELETE, "/reminder_rules/{id}"), json!({})),
    ];
    compare(db, async |_, _| Names::new(), &[&reminders]).await;
}

async fn bookings_leave_the_same(db: &TestDb) {
    let bookings = [
        row(
            "/bookings",
            &[
                ("reference", "B-1"),
                ("resource", "{room}"),
                ("mode", "stay"),
                ("check_in", "{from}"),
                ("check_out", "{until}"),
                ("name", "Maria"),
                ("staff", "{ana}"),
            ],
            (Method::PUT, "/bookings/B-1"),
            json!({ "resource": "{room}", "check_in": "{from}", "check_out": "{until}", "staff": ["{ana}"],
                "customer": { "name": "Maria" } }),
        ),
        row(
            "/bookings/B-1",
            &[
                ("version", "1"),
                ("resource", "{room}"),
                ("mode", "stay"),
                ("check_in", "{from}"),
                ("check_out", "{until}"),
                ("name", "Maria Silva"),
                ("quantity", "2"),
            ],
            (Method::PATCH, "/bookings/B-1"),
            json!({ "staff": [], "quantity": 2, "customer": { "name": "Maria Silva" } }),
        ),
        row("/bookings/B-1/cancel", &[("version", "2")], (Method::DELETE, "/bookings/B-1"), json!({})),
        row(
            "/bookings/B-1/restore",
            &[("version", "3"), ("status", "pending")],
            (Method::PATCH, "/bookings/B-1"),
            json!({ "status": "pending" }),
        ),
    ];
    let prepare = async |test_app: &TestApp, _| {
        let (room, ana) = (test_app.resource(9).await, test_app.staff("Ana").await);
        vec![("room", room.id.to_string()), ("ana", ana.to_string()), ("from", day(1)), ("until", day(3))]
    };
    compare(db, prepare, &[&bookings]).await;
}

async fn calendars_leave_the_same(db: &TestDb) {
    let patch = || (Method::PATCH, "/calendar_integrations/{connection}");
    let calendars = [
        row(
            "/calendars/{connection}",
            &[("direction", "out"), ("coverage", "everything"), ("reads", "{calendar}")],
            patch(),
            json!({ "direction": "out", "coverage": "everything" }),
        ),
        row(
            "/calendars/{connection}",
            &[
                ("direction", "out"),
                ("coverage", "everything"),
                ("reads", "{calendar}"),
                ("moves", "ask"),
                ("deletions", "revert"),
            ],
            patch(),
            json!({ "remote_moves": "ask", "remote_deletions": "revert" }),
        ),
        row(
            "/calendars/{connection}",
            &[("direction", "out"), ("coverage", "everything")],
            (Method::PATCH, "/calendar_integrations/{connection}/calendars/{calendar}"),
            json!({ "reads": false }),
        ),
        row("/calendars/{connection}/pause", &[], patch(), json!({ "state": "paused" })),
        row("/calendars/{connection}/resume", &[], patch(), json!({ "state": "active" })),
        row(
            "/calendars/{connection}/disconnect",
            &[("entries", "remove")],
            (Method::DELETE, "/calendar_integrations/{connection}?remove_entries=true"),
            json!({}),
        ),
    ];
    let prepare = async |test_app: &TestApp, account| {
        let made = test_app.connect_google(test_app.staff("Ana").await, account).await;
        let calendars = made["calendars"].as_array().unwrap();
        let read = calendars.iter().find(|one| one["reads"] == true).unwrap();
        vec![("connection", text(&made["id"])), ("calendar", text(&read["id"]))]
    };
    compare(db, prepare, &[&calendars]).await;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn channels_leave_the_same(db: &TestDb) {
    let (post, delete) = (Method::POST, Method::DELETE);
    let channels = [
        row(
            "/channels/new",
            &[("resource", "{room}"), ("platform", "vrbo")],
            (post.clone(), "/channels"),
            json!({ "resource": "{room}", "platform": "vrbo" }),
        ),
        row(
            "/channels/{id}",
            &[("state", "paused"), ("preference", "keep"), ("blocks", "ignore"), ("interval", "60")],
            (Method::PATCH, "/channels/{id}"),
            json!({ "state": "paused", "preference": "keep", "blocks": "ignore", "interval_minutes": 60 }),
        ),
        row("/channels/{id}/rotate", &[], (post.clone(), "/channels/{id}/rotate_feed"), json!({})),
        row("/channels/{id}/webhooks", &[], (post.clone(), "/channels/{id}/webhook"), json!({})),
        row("/channels/{id}/webhooks/forbid", &[], (delete.clone(), "/channels/{id}/webhook"), json!({})),
        row("/channels/{id}/remove", &[], (delete, "/channels/{id}"), json!({})),
    ];
    let read =
        [row("/channels/{fetched}/confirm-read", &[], (post, "/channels/{fetched}/confirm_read"), json!({}))];
    let prepare = async |test_app: &TestApp, _| {
        let room = test_app.resource(1).await.id.to_string();
        let body = json!({ "resource": room, "platform": "airbnb" });
        let made = test_app.api.post("/api/v1/channels", body).await.expect(201);
        get(&test_app.api, made["feed_url"].as_str().unwrap()).await;
        vec![("room", room), ("fetched", text(&made["id"]))]
    };
    compare(db, prepare, &[&channels, &read]).await;
}

/// What an empty feed would cancel is released.
async fn released_bookings_leave_the_same(db: &TestDb) {
    let release =
        [row("/channels/{channel}/release", &[], (Method::POST, "/channels/{channel}/release"), json!({}))];
    let prepare = async |test_app: &TestApp, _| {
        let (room, listing) = (test_app.resource(1).await, at_airbnb(test_app));
        test_app.control(Method::DELETE, "/faults", Value::Null).await;
        let body = json!({ "resource": room.id, "platform": "airbnb", "import_url": listing.export_url });
        let made = test_app.api.post("/api/v1/channels", body).await.expect(201);
        let path = format!("/api/v1/channels/{}", text(&made["id"]));
        until("its bookings are here", async || {
            let list = test_app.api.get("/api/v1/bookings?status=confirmed").await.expect(200);
            (list["items"].as_array()?.len() == 2).then_some(())
        })
        .await;
        let empty = json!({ "provider": "ota", "account": listing.id, "kind": "empty" });
        test_app.control(Method::POST, "/faults", empty).await;
        test_app.api.post(&format!("{path}/sync"), json!({})).await.expect(202);
        until("they are held back", async || {
            (!test_app.api.get(&path).await.expect(200)["held"].is_null()).then_some(())
        })
        .await;
        vec![("channel", text(&made["id"]))]
    };
    compare(db, prepare, &[&release]).await;
}

async fn answers_to_remote_changes_leave_the_same(db: &TestDb) {
    let post = |path| (Method::POST, path);
    let answers = [
        row("/changes/{change}/follow", &[], post("/remote_changes/{change}/follow"), json!({})),
        row("/changes/{change}/undo", &[], post("/remote_changes/{change}/undo"), json!({})),
    ];
    let prepare = async |test_app: &TestApp, account| {
        let (room, ana) = (test_app.resource(9).await, test_app.staff("Ana").await);
        test_app.connect_google(ana, account).await;
        let body =
            json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
        test_app.api.put("/api/v1/bookings/A-1", body).await.expect(201);
        let booking = synced(test_app, "/api/v1/bookings/A-1", 1).await;
        test_app.person_deletes(booking["sync"][0]["external_id"].as_str().unwrap()).await;
        vec![("change", text(&test_app.remote_change_in_state("open").await["id"]))]
    };
    compare(db, prepare, &[&answers]).await;
}

async fn who_is_let_in_by_page_or_command_leaves_the_same(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let folder = TempDir::new().unwrap();
    let variables = [("CONCORD__DATA_DIR", folder.path().to_str().unwrap()), ("DATABASE_URL", db.url())];
    // The newest lines, by what was done: those of one transaction have one time and no order among themselves.
    let newest = async |number: u32| {
        let ask = PageRequest { limit: number, after: None };
        let found = history::list(test_app.db(), test_app.business.id, &ask).await.unwrap().items;
        let line = |line: history::HistoryEntry| (line.action, (line.subject_kind, line.detail));
        found.into_iter().map(line).collect::<BTreeMap<_, _>>()
    };
    for again in [false, true] {
        if again {
            let users =
                concord_storage::people::find_users_by_email(test_app.db(), "by-page@example.org").await;
            let link = format!("/settings/people/users/{}/link", users.unwrap()[0].id);
            manager.send(&link, &[]).await.leads_to();
        } else {
            let form = [("name", "Rui"), ("email", "by-page@example.org"), ("role", "staff")];
            manager.send("/settings/people/users", &form).await.leads_to();
        }
        let number = if again { 1 } else { 2 };
        let by_page = newest(number).await;
        let slug = test_app.business.slug.as_str();
        let arguments: &[&str] = if again {
            &["user", "link", "by-command@example.org"]
        } else {
            &["user", "add", "--business", slug, "by-command@example.org", "Rui"]
        };
        let done = concord(arguments, &variables).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        assert_eq!(newest(number).await, by_page);
        assert!(by_page.contains_key("given a sign-in link"), "{by_page:?}");
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    settings_leave_the_same,
    reminders_leave_the_same,
    bookings_leave_the_same,
    calendars_leave_the_same,
    channels_leave_the_same,
    released_bookings_leave_the_same,
    answers_to_remote_changes_leave_the_same,
    who_is_let_in_by_page_or_command_leaves_the_same,
);

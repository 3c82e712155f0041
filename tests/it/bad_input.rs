//! Whatever is wrong with a request is said clearly, and nothing is written.

use concord_domain::ids::{ResourceId, StaffId};
use concord_storage::{resources::Resource, testing::TestDb};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::test_app::{ApiResponse, TestApp, day, hour, stay};

/// The fields that an answer names.
fn fields(problem: &Value) -> Vec<&str> {
    problem["errors"]
        .as_array()
        .map_or(vec![], |errors| errors.iter().filter_map(|error| error["field"].as_str()).collect())
}

/// A booking of a room with these members changed; `absent` leaves one out.
fn altered(room: &Resource, changes: &Value) -> Value {
    let mut body = stay(room, 1, 2);
    for (name, value) in changes.as_object().unwrap() {
        if value == "absent" {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

/// Changes, each with the field that they make invalid.
type InvalidFields = Vec<(Value, &'static str)>;

fn invalid_times() -> InvalidFields {
    vec![
        (json!({ "check_out": day(1) }), "check_out"),
        (json!({ "check_out": day(0) }), "check_out"),
        (json!({ "check_out": "absent" }), "check_out"),
        (json!({ "check_in": "2026-02-30" }), "check_in"),
        (json!({ "check_in": "tomorrow" }), "check_in"),
        (json!({ "check_in": "absent", "check_out": "absent" }), "starts_at"),
        (json!({ "starts_at": hour(1, 9), "ends_at": hour(1, 10) }), "check_in"),
        (json!({ "check_in": "absent", "check_out": "absent", "starts_at": hour(1, 9) }), "ends_at"),
        (
            json!({ "check_in": "absent", "check_out": "absent", "starts_at": hour(1, 9), "ends_at": hour(1, 9) }),
            "ends_at",
        ),
        (
            json!({ "check_in": "absent", "check_out": "absent", "starts_at": hour(1, 9), "ends_at": hour(1, 8) }),
            "ends_at",
        ),
        (
            json!({ "check_in": "absent", "check_out": "absent", "starts_at": "2026-12-01T09:00", "ends_at": hour(1, 8) }),
            "starts_at",
        ),
        (
            json!({ "check_in": "absent", "check_out": "absent", "starts_at": "2026-12-01T09:00:00[Atlantis/Capital]", "ends_at": hour(1, 8) }),
            "starts_at",
        ),
        (json!({ "check_in": "1815-06-18", "check_out": "1815-06-19" }), "check_out"),
        (json!({ "check_out": day(1 + 1_200) }), "check_out"),
    ]
}

fn invalid_values() -> InvalidFields {
    vec![
        (json!({ "title": "x".repeat(5_000) }), "title"),
        (json!({ "title": "one\r\ntwo" }), "title"),
        (json!({ "title": 7 }), "title"),
        (json!({ "notes": "x".repeat(10_001) }), "notes"),
        (json!({ "customer": { "email": "nobody" } }), "customer.email"),
        (json!({ "customer": { "name": ["x"] } }), "customer.name"),
        (json!({ "customer": { "nick": "x" } }), "customer.nick"),
        (json!({ "customer": "Maria" }), "customer"),
        (json!({ "party_size": 0 }), "party_size"),
        (json!({ "party_size": -1 }), "party_size"),
        (json!({ "party_size": "two" }), "party_size"),
        (json!({ "quantity": 0 }), "quantity"),
        (json!({ "quantity": 1.5 }), "quantity"),
        (json!({ "quantity": 5_000_000_000_u64 }), "quantity"),
        (json!({ "kind": "party" }), "kind"),
        (json!({ "status": "maybe" }), "status"),
        (json!({ "colour": "red" }), "colour"),
    ]
}

/// Subjects that there are not, among them those of another business.
fn invalid_subjects(foreign_room: ResourceId, foreign_staff: StaffId) -> InvalidFields {
    vec![
        (json!({ "staff": ["nobody"] }), "staff[0]"),
        (json!({ "staff": [Uuid::nil()] }), "staff"),
        (json!({ "staff": [foreign_staff] }), "staff"),
        (json!({ "staff": "Ana" }), "staff"),
        (json!({ "resource": "absent" }), "resource"),
        (json!({ "resource": "room 7" }), "resource"),
        (json!({ "resource": Uuid::nil() }), "resource"),
        (json!({ "resource": foreign_room }), "resource"),
    ]
}

async fn a_bad_booking_is_not_written(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    let (other, _) = test_app.other_business().await;
    let foreign_room = concord_storage::testing::resource(test_app.db(), &other, 1).await.id;
    let foreign_staff = concord_storage::testing::staff(test_app.db(), &other, "Eva").await.id;
    let refused = async |changes: &Value| {
        let body = altered(&room, changes);
        test_app.api.put("/api/v1/bookings/bad", body).await.problem(422, "invalid")
    };
    let subjects = invalid_subjects(foreign_room, foreign_staff);
    for (changes, field) in [invalid_times(), invalid_values(), subjects].concat() {
        let problem = refused(&changes).await;
        assert_eq!(fields(&problem), [field], "{changes}: {problem}");
        nothing_written(&test_app, &changes).await;
    }
    // In words that help.
    for (changes, message) in [
        (json!({ "resource": "absent" }), "is required"),
        (json!({ "resource": "room 7" }), "must be an id (a UUID)"),
        (json!({ "titel": "x" }), "is not a known field; did you mean `title`?"),
        (json!({ "kind": "party" }), "must be one of `booking`, `maintenance`, `delivery`, `block`"),
    ] {
        let problem = refused(&changes).await;
        assert_eq!(problem["errors"][0]["message"], message, "{changes}");
    }
    // All faults at once.
    let changes = json!({ "title": "x".repeat(5_000), "quantity": 0, "check_out": day(1) });
    let problem = refused(&changes).await;
    assert_eq!(fields(&problem), ["title", "quantity", "check_out"]);
    nothing_written(&test_app, &changes).await;
    test_app.stop().await;
}

async fn nothing_written(test_app: &TestApp, what: &Value) {
    let list = test_app.api.get("/api/v1/bookings").await.expect(200);
    assert_eq!(list["items"], json!([]), "{what}");
}

async fn references_stand_in_addresses(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    let put = async |reference: &str| {
        test_app.api.put(&format!("/api/v1/bookings/{reference}"), stay(&room, 1, 2)).await
    };
    for bad in ["x".repeat(129), "a%20b".to_owned(), "a%2Fb".to_owned(), "a%0Ab".to_owned()] {
        let problem = put(&bad).await.problem(422, "invalid");
        assert_eq!(fields(&problem), ["reference"], "{bad}");
    }
    nothing_written(&test_app, &json!(null)).await;
    // What is odd but allowed comes back as it went.
    let made = put("2026-A.7:%C3%A9%3F%25").await;
    assert_eq!(
        made.header("location"),
        format!("{}/api/v1/bookings/2026-A.7:%C3%A9%3F%25", test_app.api.base)
    );
    let location = made.header("location").to_owned();
    assert_eq!(made.expect(201)["reference"], "2026-A.7:é?%");
    let path = location.strip_prefix(&test_app.api.base).unwrap();
    assert_eq!(test_app.api.get(path).await.expect(200)["reference"], "2026-A.7:é?%");
    test_app.stop().await;
}

async fn what_is_no_json_is_refused(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let path = "/api/v1/bookings/bad";
    let put = async |kind: &str, body: &str| -> ApiResponse {
        test_app.api.raw(Method::PUT, path, Some((kind, body.to_owned())), &[]).await
    };
    for bad in ["", "{", "{\"resource\":}", "nonsense", "\u{feff}{}"] {
        put("application/json", bad).await.problem(400, "malformed");
    }
    for bad in ["{} {}", "[]", "7", "null", "\"text\"", "{\"title\":\"a\",\"title\":\"b\"}"] {
        put("application/json", bad).await.problem(422, "invalid");
    }
    put("text/plain", "{}").await.problem(415, "unsupported-media-type");
    put("application/x-www-form-urlencoded", "resource=1").await.problem(415, "unsupported-media-type");
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(1_100_000));
    put("application/json", &large).await.problem(413, "too-large");
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    put("application/json", &deep).await;
    nothing_written(&test_app, &json!(null)).await;
    test_app.stop().await;
}

async fn a_bad_query_is_named(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    for (query, status, sort, field) in [
        ("limit=0", 422, "invalid", "limit"),
        ("limit=201", 422, "invalid", "limit"),
        ("limit=many", 400, "malformed", "limit"),
        ("cursor=made-up", 400, "malformed", "cursor"),
        ("status=maybe", 400, "malformed", "status"),
        ("resource=7", 400, "malformed", "resource"),
        ("from=soon", 400, "malformed", "from"),
        ("until=2026-13-01", 400, "malformed", "until"),
        ("colour=red", 400, "malformed", "colour"),
        ("form=2026-12-01", 400, "malformed", "form"),
    ] {
        let problem = test_app.api.get(&format!("/api/v1/bookings?{query}")).await.problem(status, sort);
        let named = fields(&problem);
        assert_eq!(named, [field], "{query}: {problem}");
    }
    // A plus sign that nobody encoded.
    test_app.api.get("/api/v1/bookings?from=2026-12-01T10:00:00+01:00").await.expect(200);
    test_app.stop().await;
}

async fn bad_settings_are_not_written(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let staff = test_app.staff("Ana").await;
    let (_, other) = test_app.other_business().await;
    for (path, body, field) in [
        ("resources", json!({ "name": "" }), "name"),
        ("resources", json!({ "name": "x".repeat(301) }), "name"),
        ("resources", json!({ "name": "Room", "zone": "Atlantis/Capital" }), "zone"),
        ("resources", json!({ "name": "Room", "capacity": 0 }), "capacity"),
        ("resources", json!({ "name": "Room", "capacity": 1001 }), "capacity"),
        ("resources", json!({ "name": "Room", "buffer_before_minutes": 100_000 }), "buffer_before_minutes"),
        ("resources", json!({ "name": "Room", "colour": "red" }), "colour"),
        ("resources", json!({}), "name"),
        ("staff", json!({ "name": "  " }), "name"),
        ("staff", json!({ "name": "Ana", "email": "nobody" }), "email"),
        ("staff", json!({ "name": "Ana", "email": format!("{}@example.org", "x".repeat(250)) }), "email"),
        ("staff", json!({ "name": "Ana", "trade": "wizard" }), "trade"),
        ("feeds", json!({ "scope": "resource", "name": "x" }), "subject"),
        ("feeds", json!({ "scope": "business", "name": "x", "subject": room.id }), "subject"),
        ("feeds", json!({ "scope": "resource", "name": "x", "subject": staff }), "subject"),
        ("feeds", json!({ "scope": "staff", "name": "x", "subject": room.id }), "subject"),
        ("feeds", json!({ "scope": "business", "name": "x", "privacy": "all" }), "privacy"),
        (
            "calendar_availability",
            json!({ "resource": Uuid::nil(), "check_in": day(1), "check_out": day(2) }),
            "resource",
        ),
        (
            "calendar_availability",
            json!({ "resource": room.id, "check_in": day(2), "check_out": day(2) }),
            "check_out",
        ),
        ("calendar_integrations/google/authorize", json!({ "staff": Uuid::nil() }), "staff"),
    ] {
        let problem =
            test_app.api.post(&format!("/api/v1/{path}"), body.clone()).await.problem(422, "invalid");
        assert_eq!(fields(&problem), [field], "{path} {body}: {problem}");
    }
    // Another business's subject is as good as none.
    for body in [
        json!({ "scope": "resource", "name": "x", "subject": room.id }),
        json!({ "scope": "staff", "name": "x", "subject": staff }),
    ] {
        let problem = other.post("/api/v1/feeds", body).await.problem(422, "invalid");
        assert_eq!(fields(&problem), ["subject"]);
    }
    other
        .post("/api/v1/calendar_integrations/google/authorize", json!({ "staff": staff }))
        .await
        .problem(422, "invalid");
    for path in ["resources", "staff"] {
        let list = test_app.api.get(&format!("/api/v1/{path}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{path}");
    }
    assert_eq!(test_app.api.get("/api/v1/feeds").await.expect(200)["items"], json!([]));
    test_app.stop().await;
}

async fn no_text_in_an_address_breaks_anything(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(2).await;
    test_app.api.put("/api/v1/bookings/a", stay(&room, 1, 2)).await.expect(201);
    for reference in ["a%00b", "%00", "a%0Ab"] {
        let path = format!("/api/v1/bookings/{reference}");
        test_app.api.get(&path).await.problem(404, "not-found");
        test_app.api.delete(&path).await.problem(404, "not-found");
    }
    let found = async |search: &str| {
        let list = test_app.api.get(&format!("/api/v1/bookings?search={search}")).await.expect(200);
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(found("%00").await, 1);
    assert_eq!(found(&"m".repeat(60_000)).await, 0);
    // ["a\0b","00000000-0000-0000-0000-000000000000"]
    let cursor = "WyJhXHUwMDAwYiIsIjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJd";
    for list in ["staff", "resources"] {
        test_app.api.get(&format!("/api/v1/{list}?cursor={cursor}")).await.problem(400, "malformed");
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_bad_booking_is_not_written,
    references_stand_in_addresses,
    what_is_no_json_is_refused,
    a_bad_query_is_named,
    bad_settings_are_not_written,
    no_text_in_an_address_breaks_anything,
);

//! Requests that are sent twice.

use concord_storage::{
    idempotency::{self, KeyClaim, KeyedRequest},
    resources,
    testing::{self, TestDb},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use uuid::Uuid;

use crate::test_app::{ApiClient, ApiResponse, TestApp, TestAppOptions, day, stay, until};

async fn a_post_is_done_once(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let post = async |key: &str, body: Value| -> ApiResponse {
        test_app.api.send(Method::POST, "/api/v1/resources", Some(body), &[("idempotency-key", key)]).await
    };
    let first = post("k-1", json!({ "name": "Room" })).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let location = first.header("location").to_owned();
    let first = first.expect(201);

    let again = post("k-1", json!({ "name": "Room" })).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), location);
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(again.expect(201), first);
    let list = test_app.api.get("/api/v1/resources").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);

    post("k-1", json!({ "name": "Another" })).await.problem(422, "idempotency-key-reused");
    assert_ne!(post("k-2", json!({ "name": "Room" })).await.expect(201)["id"], first["id"]);
    // An error is an answer too.
    let refused = post("k-3", json!({ "name": "" })).await.problem(422, "invalid");
    let again = post("k-3", json!({ "name": "" })).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.problem(422, "invalid")["errors"], refused["errors"]);
    for bad in [String::new(), "x".repeat(256)] {
        post(&bad, json!({ "name": "Room" })).await.problem(400, "malformed");
    }

    // Another business has keys of its own.
    let (_, other) = test_app.other_business().await;
    let key = [("idempotency-key", "k-1")];
    let theirs = other.send(Method::POST, "/api/v1/resources", Some(json!({ "name": "Room" })), &key).await;
    assert_eq!(theirs.header("idempotency-replayed"), "");
    assert_ne!(theirs.expect(201)["id"], first["id"]);
    // PUT is idempotent by itself.
    let room = test_app.resource(1).await;
    for status in [201, 200] {
        let put = test_app.api.send(Method::PUT, "/api/v1/bookings/x", Some(stay(&room, 1, 1)), &key).await;
        put.expect(status);
    }
    test_app.stop().await;
}

async fn what_nobody_decided_may_be_tried_again(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let key = [("idempotency-key", "k-1")];
    let room = || Some(("application/json", json!({ "name": "Room" }).to_string()));
    let large = "x".repeat(1_100_000);
    for (path, body, status, sort) in [
        ("nothing", room(), 404, "not-found"),
        ("conflicts", room(), 405, "method-not-allowed"),
        ("resources", Some(("text/plain", "{}".to_owned())), 415, "unsupported-media-type"),
        ("resources", Some(("application/json", "{".to_owned())), 400, "malformed"),
        ("resources", Some(("application/json", large)), 413, "too-large"),
    ] {
        for _ in 0..2 {
            let path = format!("/api/v1/{path}");
            let refused = test_app.api.raw(Method::POST, &path, body.clone(), &key).await;
            assert_eq!(refused.header("idempotency-replayed"), "", "{path}");
            refused.problem(status, sort);
        }
    }
    // The key is as good as new.
    let made = test_app.api.raw(Method::POST, "/api/v1/resources", room(), &key).await;
    assert_eq!(made.header("idempotency-replayed"), "");
    made.expect(201);
    // That a thing of ours is not there was looked up: an answer like any other.
    let path = format!("/api/v1/calendar_integrations/{}/test", Uuid::nil());
    for replayed in ["", "true"] {
        let key = [("idempotency-key", "k-2")];
        let missing = test_app.api.send(Method::POST, &path, None, &key).await;
        assert_eq!(missing.header("idempotency-replayed"), replayed);
        missing.problem(404, "not-found");
    }
    test_app.stop().await;
}

async fn what_is_shown_once_is_shown_again_to_the_same_request(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let post = async || {
        let body = json!({ "scope": "business", "name": "All" });
        test_app
            .api
            .send(Method::POST, "/api/v1/feeds", Some(body), &[("idempotency-key", "feed")])
            .await
            .expect(201)
    };
    let first = post().await;
    assert!(first["url"].as_str().unwrap().contains("/feeds/cf_"));
    assert_eq!(post().await, first);
    let list = test_app.api.get("/api/v1/feeds").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    test_app.stop().await;
}

async fn many_at_once_are_one(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let requests = (0..20).map(|_| {
        let api = test_app.api.clone();
        tokio::spawn(async move {
            let body = json!({ "name": "Ana" });
            api.send(Method::POST, "/api/v1/staff", Some(body), &[("idempotency-key", "many")]).await
        })
    });
    for answer in futures::future::join_all(requests).await {
        let answer = answer.unwrap();
        if answer.status == 409 {
            assert_eq!(answer.header("retry-after"), "1");
            answer.problem(409, "under-way");
        } else {
            answer.expect(201);
        }
    }
    let list = test_app.api.get("/api/v1/staff").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    test_app.stop().await;
}

async fn a_caller_who_hangs_up_finds_the_answer_later(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await;
    let block = || json!({ "resource": room.id, "check_in": day(1), "check_out": day(2) });
    // Whoever writes waits for this: on PostgreSQL those who write about the room, on SQLite all.
    let mut held = testing::begin(db).await;
    resources::bump_revision(&mut held, test_app.business.id, room.id).await.unwrap();
    let mut caller = TcpStream::connect(test_app.api.base.trim_start_matches("http://")).await.unwrap();
    let (key, body) = (&test_app.api.key, block().to_string());
    let request = format!(
        "POST /api/v1/calendar_availability HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {key}\r\n\
         idempotency-key: gone\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    caller.write_all(request.as_bytes()).await.unwrap();
    if db.kind() == "postgres" {
        // The request is known to be in hand before its caller goes.
        until("the key is claimed", async || {
            let (business, began_at) = (test_app.business.id, test_app.app.now());
            let other = KeyedRequest { business, key: "gone".into(), request_hash: "other".into(), began_at };
            let mut tx = testing::begin(db).await;
            (idempotency::begin(&mut tx, &other).await.unwrap() == KeyClaim::Mismatch).then_some(())
        })
        .await;
    }
    drop(caller);
    drop(held);
    let again = until("the request has ended", async || {
        let key = [("idempotency-key", "gone")];
        let answer =
            test_app.api.send(Method::POST, "/api/v1/calendar_availability", Some(block()), &key).await;
        (answer.status != 409).then_some(answer)
    })
    .await;
    let made = again.expect(201);
    let list = test_app.api.get("/api/v1/calendar_availability").await.expect(200);
    assert_eq!(list["items"], json!([made]));
    test_app.stop().await;
}

async fn what_was_done_is_not_done_again_because_its_answer_cannot_be_opened(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let post = async || {
        let body = json!({ "name": "Room" });
        test_app.api.send(Method::POST, "/api/v1/resources", Some(body), &[("idempotency-key", "old")]).await
    };
    let first = post().await.expect(201);
    // The installation that opens later has another master key, as after one that was lost.
    let key = test_app.api.key.clone();
    test_app.stop().await;
    let other = TestApp::start(db).await;
    let later = async || {
        let api = ApiClient { key: key.clone(), ..other.api.clone() };
        let body = json!({ "name": "Room" });
        api.send(Method::POST, "/api/v1/resources", Some(body), &[("idempotency-key", "old")]).await
    };
    let again = later().await;
    assert!(again.header("location").ends_with(first["id"].as_str().unwrap()));
    again.problem(409, "already-done");
    // Nothing was done by what was refused.
    let refused = async |api: &ApiClient| {
        let key = [("idempotency-key", "refused")];
        api.send(Method::POST, "/api/v1/resources", Some(json!({ "name": "" })), &key).await
    };
    refused(&other.api).await.problem(422, "invalid");
    let key = other.api.key.clone();
    other.stop().await;
    let third = TestApp::start(db).await;
    let api = ApiClient { key, ..third.api.clone() };
    refused(&api).await.problem(422, "invalid");
    third.stop().await;
}

/// From now on no answer can be kept.
async fn refuse_answers(db: &TestDb) {
    let statement = match db.kind() {
        "postgres" => "ALTER TABLE idempotency_keys ADD CONSTRAINT no_answers CHECK (status IS NULL)",
        _ => {
            "CREATE TRIGGER no_answers BEFORE UPDATE ON idempotency_keys WHEN NEW.status IS NOT NULL
             BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        }
    };
    testing::raw(db, statement).await;
}

async fn take_answers_again(db: &TestDb) {
    let statement = match db.kind() {
        "postgres" => "ALTER TABLE idempotency_keys DROP CONSTRAINT no_answers",
        _ => "DROP TRIGGER no_answers",
    };
    testing::raw(db, statement).await;
}

async fn what_was_done_is_told_although_the_answer_cannot_be_kept(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let post = async |key: &'static str| {
        let body = json!({ "name": key });
        test_app.api.send(Method::POST, "/api/v1/resources", Some(body), &[("idempotency-key", key)]).await
    };
    let made = async |name: &str| {
        let list = test_app.api.get("/api/v1/resources").await.expect(200);
        list["items"].as_array().unwrap().iter().filter(|one| one["name"] == name).count()
    };
    refuse_answers(db).await;
    let never = post("never").await.expect(201);
    assert_eq!(never["name"], "never");
    let again = post("never").await;
    assert!(again.header("location").ends_with(never["id"].as_str().unwrap()));
    again.problem(409, "already-done");
    assert_eq!(made("never").await, 1);

    // A booking of whichever kind is where the answer to its request says.
    let room = test_app.resource(9).await;
    for (number, (path, kind)) in [
        ("bookings", Some("maintenance")),
        ("bookings", Some("delivery")),
        ("bookings", Some("booking")),
        ("calendar_availability", None),
    ]
    .into_iter()
    .enumerate()
    {
        let (from, to) = (day(number as u64), day(number as u64 + 1));
        let mut body = json!({ "resource": room.id, "check_in": from, "check_out": to });
        if let Some(kind) = kind {
            body["kind"] = json!(kind);
        }
        let key = [("idempotency-key", kind.unwrap_or("block"))];
        let send = async || {
            test_app.api.send(Method::POST, &format!("/api/v1/{path}"), Some(body.clone()), &key).await
        };
        let location = send().await.header("location").to_owned();
        assert!(location.contains("/api/v1/bookings/"), "{kind:?}: {location}");
        assert_eq!(send().await.header("location"), location, "{kind:?}");
    }

    // It is tried again: the database comes back in time.
    let mended = async {
        until("it is done", async || (made("later").await == 1).then_some(())).await;
        take_answers_again(db).await;
    };
    let (first, ()) = futures::future::join(post("later"), mended).await;
    let first = first.expect(201);
    let again = post("later").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(201), first);
    assert_eq!(made("later").await, 1);
    test_app.stop().await;
}

async fn a_request_that_takes_too_long_may_be_repeated(db: &TestDb) {
    let settings = vec![("server.request_timeout_seconds", "1".to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    let room = test_app.resource(1).await;
    let block = || json!({ "resource": room.id, "check_in": day(1), "check_out": day(2) });
    let post = async || {
        let key = [("idempotency-key", "slow")];
        test_app.api.send(Method::POST, "/api/v1/calendar_availability", Some(block()), &key).await
    };
    let mut held = testing::begin(db).await;
    resources::bump_revision(&mut held, test_app.business.id, room.id).await.unwrap();
    let slow = post().await;
    assert_eq!(slow.header("retry-after"), "5");
    let slow = slow.problem(503, "too-slow");
    assert!(slow["detail"].as_str().unwrap().contains("may still have been completed"), "{slow}");
    drop(held);
    let made = until("the request has ended", async || {
        let answer = post().await;
        // A repeat may take too long too, on a slow machine.
        (!matches!(answer.status, 409 | 503)).then_some(answer)
    })
    .await;
    let made = made.expect(201);
    let list = test_app.api.get("/api/v1/calendar_availability").await.expect(200);
    assert_eq!(list["items"], json!([made]));
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    what_was_done_is_told_although_the_answer_cannot_be_kept,
    a_request_that_takes_too_long_may_be_repeated,
    a_caller_who_hangs_up_finds_the_answer_later,
    what_was_done_is_not_done_again_because_its_answer_cannot_be_opened,
    a_post_is_done_once,
    what_nobody_decided_may_be_tried_again,
    what_is_shown_once_is_shown_again_to_the_same_request,
    many_at_once_are_one,
);

//! Webhooks as their receivers meet them, and as they are set up.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use base64::{Engine, engine::general_purpose::STANDARD};
use concord_domain::people::Role;
use concord_storage::testing::TestDb;
use hmac::{Hmac, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::{
    channel_pages::{open, refused},
    logs,
    page_client::{PageClient, person},
    same_history::{Names, compare, row},
    test_app::{ApiClient, TestApp, stay, until},
};

type Messages = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A system that takes everything. Its address, and what came.
async fn receiver() -> (String, Messages) {
    let came = Messages::default();
    let seen = Arc::clone(&came);
    let take = async move |headers: HeaderMap, body: Bytes| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        seen.lock().unwrap().push((headers, body));
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, came)
}

/// What came, as JSON, once there are so many.
async fn received(came: &Messages, count: usize) -> Vec<Value> {
    until("the messages came", async || {
        let came = came.lock().unwrap();
        let read = came.iter().map(|(_, body)| serde_json::from_str(body).unwrap());
        (came.len() >= count).then(|| read.collect())
    })
    .await
}

/// The signature as the documentation says it is made.
fn signature(secret: &str, headers: &HeaderMap, body: &str) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

async fn add(api: &ApiClient, body: Value) -> (String, String) {
    let made = api.post("/api/v1/webhooks", body).await.expect(201);
    let secret = made["secret"].as_str().unwrap().to_owned();
    logs::keep_out(&secret);
    (made["endpoint"]["id"].as_str().unwrap().to_owned(), secret)
}

async fn a_booking_is_told_to_whoever_wants_to_know(db: &TestDb) {
    let test_app = open(db).await;
    let api = &test_app.api;
    let (url, came) = receiver().await;
    let (id, secret) = add(api, json!({ "url": url, "description": "Shop" })).await;
    let room = test_app.resource(1).await;
    api.put("/api/v1/bookings/B-1", stay(&room, 1, 2)).await.expect(201);
    let told = received(&came, 1).await.remove(0);
    assert_eq!((&told["type"], &told["schema_version"]), (&json!("booking.created"), &json!(1)));
    assert_eq!((&told["data"]["reference"], &told["data"]["version"]), (&json!("B-1"), &json!(1)));
    {
        let came = came.lock().unwrap();
        let (headers, body) = &came[0];
        assert_eq!(headers["webhook-signature"].to_str().unwrap(), signature(&secret, headers, body));
        assert_eq!(headers["webhook-id"].to_str().unwrap(), told["id"].as_str().unwrap());
        assert_eq!(headers["content-type"], "application/json");
    }
    // What was told can be read too, and sent again.
    let events = api.get("/api/v1/events").await.expect(200);
    assert_eq!(events["items"], json!([told]));
    assert_eq!((&events["next_after"], &events["has_more"]), (&told["id"], &json!(false)));
    let event = told["id"].as_str().unwrap();
    let none = api.get(&format!("/api/v1/events?after={event}")).await.expect(200);
    assert_eq!((&none["items"], &none["next_after"]), (&json!([]), &told["id"]));
    let log = format!("/api/v1/webhooks/{id}/deliveries");
    let line = until("it is delivered", async || {
        let found = api.get(&log).await.expect(200);
        (found["items"][0]["state"] == "delivered").then(|| found["items"][0].clone())
    })
    .await;
    assert_eq!(
        (&line["event"], &line["last_status"], &line["attempts"]),
        (&told["id"], &json!(200), &json!(1))
    );
    api.post(&format!("{log}/{event}/resend"), json!({})).await.expect(202);
    assert_eq!(received(&came, 2).await[1], told);
    let body = json!({ "since": test_app.app.now() - chrono::Duration::hours(1), "all": true });
    let sent = api.post(&format!("/api/v1/webhooks/{id}/resend"), body).await.expect(202);
    assert_eq!(sent["sent"], 1);
    received(&came, 3).await;
    let tested = api.post(&format!("/api/v1/webhooks/{id}/test"), json!({})).await.expect(202);
    assert_eq!(received(&came, 4).await[3]["id"], tested["event"]);
    test_app.stop().await;
}

async fn an_endpoint_is_changed_and_shows_no_secret_again(db: &TestDb) {
    let test_app = open(db).await;
    let api = &test_app.api;
    let types = json!(["booking.created", "booking.cancelled"]);
    let (id, secret) = add(api, json!({ "url": "https://shop.example/hook", "event_types": types })).await;
    let path = format!("/api/v1/webhooks/{id}");
    let found = api.get(&path).await.expect(200);
    assert_eq!((&found["event_types"], &found["state"]), (&types, &json!("active")));
    let rotated = api.post(&format!("{path}/rotate_secret"), json!({})).await.expect(200);
    assert_ne!(rotated["secret"], secret);
    assert!(rotated["endpoint"]["former_secret_until"].is_string());
    let changed = api.patch(&path, json!({ "event_types": [], "state": "disabled" })).await.expect(200);
    assert_eq!((&changed["event_types"], &changed["state"]), (&json!([]), &json!("disabled")));
    assert_eq!(changed["disabled_reason"], "by_hand");
    api.post(&format!("{path}/test"), json!({})).await.problem(409, "not-possible");
    let listed = api.get("/api/v1/webhooks").await;
    assert!(!listed.text.contains("whsec_"), "{}", listed.text);
    assert_eq!(listed.expect(200)["items"], json!([changed]));
    api.send(Method::DELETE, &path, None, &[]).await.expect(204);
    api.get(&path).await.problem(404, "not-found");
    test_app.stop().await;
}

async fn what_cannot_be_an_endpoint_is_refused_with_a_reason(db: &TestDb) {
    // Nothing private is allowed here.
    let test_app = TestApp::start(db).await;
    let api = &test_app.api;
    for (body, field, words) in [
        (json!({}), "url", "is required"),
        (json!({ "url": "ftp://shop.example" }), "url", "must begin with https://"),
        (json!({ "url": "http://shop.example/hook" }), "url", "must begin with https://"),
        (json!({ "url": "https://127.0.0.1/hook" }), "url", "private address"),
        (json!({ "url": "https://169.254.169.254/latest" }), "url", "private address"),
        (json!({ "url": "https://ana:secret@shop.example" }), "url", "cannot contain a user name"),
        (
            json!({ "url": "https://shop.example", "event_types": ["booking.exploded"] }),
            "event_types[0]",
            "must be one of",
        ),
        (json!({ "url": "https://shop.example", "description": "a\nb" }), "description", "line break"),
        (json!({ "url": "https://shop.example", "secret": "mine" }), "secret", "is not a known field"),
    ] {
        let problem = api.post("/api/v1/webhooks", body.clone()).await.problem(422, "invalid");
        let error = &problem["errors"][0];
        assert_eq!(error["field"], field, "{body}: {problem}");
        assert!(error["message"].as_str().unwrap().contains(words), "{body}: {problem}");
    }
    assert_eq!(api.get("/api/v1/webhooks").await.expect(200)["items"], json!([]));
    api.get(&format!("/api/v1/events?after={}", uuid::Uuid::nil())).await.problem(404, "not-found");
    api.get("/api/v1/events?after=7").await.problem(400, "malformed");
    for number in 0..50 {
        api.post("/api/v1/webhooks", json!({ "url": format!("https://{number}.example/") }))
            .await
            .expect(201);
    }
    api.post("/api/v1/webhooks", json!({ "url": "https://one.example/" })).await.problem(409, "not-possible");
    test_app.stop().await;
}

async fn pages_set_an_endpoint_up_and_show_what_became_of_it(db: &TestDb) {
    let test_app = open(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    assert!(manager.get("/settings").await.text.contains("/settings/webhooks"));
    assert!(manager.get("/settings/webhooks").await.text.contains("No webhooks yet"));
    let page =
        manager.send("/settings/webhooks", &[("url", "ftp://shop.example"), ("description", "Shop")]).await;
    refused(&page, "url", "ftp://shop.example", "The URL must begin with https://.");
    let (url, came) = receiver().await;
    let form = [
        ("url", url.as_str()),
        ("description", "Shop & Co"),
        ("types", "booking.created"),
        ("types", "sync.failed"),
    ];
    let shown = manager.send("/settings/webhooks", &form).await.leads_to().to_owned();
    let page = manager.get(&shown).await;
    assert!(page.text.contains("whsec_") && page.text.contains("Shop &#38; Co"), "{}", page.text);
    let path = shown.split('?').next().unwrap().to_owned();
    let again = manager.get(&shown).await;
    assert!(!again.text.contains("whsec_") && again.text.contains("cannot be shown again"));

    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/B-1", stay(&room, 1, 2)).await.expect(201);
    let told = received(&came, 1).await.remove(0);
    let event = told["id"].as_str().unwrap();
    let page = until("the log says so", async || {
        let page = manager.get(&path).await;
        page.text.contains("Delivered</span>").then_some(page)
    })
    .await;
    assert!(page.text.contains("booking.created"));
    let delivery = manager.get(&format!("{path}/deliveries/{event}")).await;
    assert!(delivery.text.contains("&#34;reference&#34;: &#34;B-1&#34;"), "{}", delivery.text);
    manager.send(&format!("{path}/deliveries/{event}/resend"), &[]).await.leads_to();
    received(&came, 2).await;
    manager.send(&format!("{path}/resend"), &[("hours", "24"), ("which", "all")]).await.leads_to();
    received(&came, 3).await;
    let listed = manager.get("/settings/webhooks").await;
    assert!(listed.text.contains("2 event types") && listed.text.contains("Active"));
    for question in ["rotate", "disable", "delete"] {
        assert!(manager.get(&format!("{path}/{question}")).await.text.contains("Shop &#38; Co"));
    }
    manager.send(&format!("{path}/disable"), &[]).await.leads_to();
    assert!(manager.get(&path).await.text.contains("Disabled by you"));
    manager.send(&format!("{path}/delete"), &[]).await.leads_to();
    assert_eq!(manager.get(&path).await.status, 404);
    let staff = test_app.staff("Ana").await;
    let ana = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, Some(staff)).await).await;
    assert_eq!(ana.get("/settings/webhooks").await.status, 403);
    test_app.stop().await;
}

async fn webhooks_leave_the_same(db: &TestDb) {
    let (post, patch) = (Method::POST, Method::PATCH);
    let webhooks = [
        row(
            "/settings/webhooks",
            &[("url", "https://127.0.0.1:9/hook"), ("description", " Shop "), ("types", "booking.created")],
            (post.clone(), "/webhooks"),
            json!({ "url": "https://127.0.0.1:9/hook", "description": " Shop ", "event_types": ["booking.created"] }),
        ),
        row(
            "/settings/webhooks/{id}",
            &[("url", "https://127.0.0.1:9/hook"), ("description", "Store")],
            (patch.clone(), "/webhooks/{id}"),
            json!({ "description": "Store", "event_types": [] }),
        ),
        row("/settings/webhooks/{id}/rotate", &[], (post.clone(), "/webhooks/{id}/rotate_secret"), json!({})),
        row("/settings/webhooks/{id}/test", &[], (post.clone(), "/webhooks/{id}/test"), json!({})),
        row(
            "/settings/webhooks/{id}/disable",
            &[],
            (patch.clone(), "/webhooks/{id}"),
            json!({ "state": "disabled" }),
        ),
        row(
            "/settings/webhooks/{id}/enable",
            &[],
            (patch.clone(), "/webhooks/{id}"),
            json!({ "state": "active" }),
        ),
        row("/settings/webhooks/{id}/delete", &[], (Method::DELETE, "/webhooks/{id}"), json!({})),
    ];
    compare(db, async |_, _| Names::new(), &[&webhooks]).await;
}

async fn the_document_describes_every_message(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let document = test_app.api.send_unauthenticated(Method::GET, "/api/openapi.json").await.expect(200);
    let webhooks = document["webhooks"].as_object().unwrap();
    let types = &document["components"]["schemas"]["EventType"]["enum"];
    assert_eq!(webhooks.len(), types.as_array().unwrap().len());
    for (kind, item) in webhooks {
        let schema = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["properties"]["type"]["enum"], json!([kind]));
        let reference = schema["properties"]["data"]["$ref"].as_str().unwrap();
        let payload = document.pointer(reference.trim_start_matches('#')).unwrap();
        // What is put together of two says so.
        let own = payload["allOf"].as_array().and_then(|parts| parts.last()).unwrap_or(payload);
        assert!(!own["properties"].as_object().unwrap().is_empty(), "{kind}");
    }
    // What is sent has the fields that are written down, and no others.
    let room = test_app.resource(1).await;
    test_app.api.put("/api/v1/bookings/B-1", stay(&room, 1, 2)).await.expect(201);
    let events = test_app.api.get("/api/v1/events").await.expect(200);
    let schema = &document["components"]["schemas"]["BookingPayload"];
    let data = events["items"][0]["data"].as_object().unwrap();
    for name in data.keys() {
        assert!(schema["properties"].get(name).is_some(), "{name} is not written down");
    }
    for required in schema["required"].as_array().unwrap() {
        assert!(data.contains_key(required.as_str().unwrap()), "{required}");
    }
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_booking_is_told_to_whoever_wants_to_know,
    an_endpoint_is_changed_and_shows_no_secret_again,
    what_cannot_be_an_endpoint_is_refused_with_a_reason,
    pages_set_an_endpoint_up_and_show_what_became_of_it,
    webhooks_leave_the_same,
    the_document_describes_every_message,
);

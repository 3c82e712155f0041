//! Providers tell of changes: how soon they are here, what a flood costs, and who is not believed.
#![expect(clippy::print_stdout, reason = "what was measured is told")]

use std::time::Duration;

use concord_domain::{connection::ProviderKind, push::PushState};
use concord_storage::{
    connections, jobs,
    push_subscriptions::{self, PushSubscription},
    testing::TestDb,
};
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    logs,
    test_app::{TestApp, TestAppOptions, hour, until},
};

const ANA: &str = "ana@harbour.example";

/// One that is told of changes, and looks for them once a day.
async fn told(db: &TestDb) -> TestApp {
    let settings = vec![("sync.push", "always".to_owned()), ("sync.poll_minutes", "1440".to_owned())];
    TestApp::start_with(db, TestAppOptions { microsoft: true, settings, ..TestAppOptions::default() }).await
}

/// The only channel, once it is open and whatever followed from that is done.
async fn opened(test_app: &TestApp) -> PushSubscription {
    until("a channel is open", async || {
        let connection = connections::list(test_app.db(), test_app.business.id).await.unwrap().first()?.id;
        let channels =
            push_subscriptions::of_connection(test_app.db(), test_app.business.id, connection).await.unwrap();
        let now = test_app.app.now();
        let busy = jobs::under_way(test_app.db(), test_app.business.id, connection, now).await.unwrap();
        channels.into_iter().find(|one| one.state == PushState::Open && busy.is_empty())
    })
    .await
}

/// A person moves the entry of a booking; how long it takes until the booking has followed.
async fn moves(test_app: &TestApp, provider: ProviderKind) -> Duration {
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    test_app.connect_account(provider, ana, ANA).await;
    opened(test_app).await;
    let body = json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "title": "Tasting",
        "customer": { "name": "Maria Silva" }, "staff": [ana] });
    test_app.api.put("/api/v1/bookings/P-1", body).await.expect(201);
    let id = until("the booking stands in the calendar", async || {
        let booking = test_app.api.get("/api/v1/bookings/P-1").await.expect(200);
        let state = &booking["sync"][0];
        (state["state"] == "synced").then(|| state["external_id"].as_str().unwrap().to_owned())
    })
    .await;
    let began = Instant::now();
    let path = format!("/events/{id}?provider={provider}&account={ANA}");
    test_app.control(Method::PATCH, &path, json!({ "starts_at": hour(1, 14), "ends_at": hour(1, 15) })).await;
    until("the booking follows", async || {
        let booking = test_app.api.get("/api/v1/bookings/P-1").await.expect(200);
        booking["starts_at"].as_str().unwrap().contains("T14:00").then_some(())
    })
    .await;
    began.elapsed()
}

async fn a_change_at_google_is_here_at_once(db: &TestDb) {
    let test_app = told(db).await;
    let took = moves(&test_app, ProviderKind::Google).await;
    println!("from a person's move at Google to the booking's: {} ms", took.as_millis());
    test_app.stop().await;
}

async fn a_change_at_microsoft_is_here_at_once(db: &TestDb) {
    let test_app = told(db).await;
    let took = moves(&test_app, ProviderKind::Microsoft).await;
    println!("from a person's move at Microsoft to the booking's: {} ms", took.as_millis());
    test_app.stop().await;
}

fn google_says<'a>(channel: &'a Value, number: &'a str, word: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("x-goog-channel-id", channel["id"].as_str().unwrap()),
        ("x-goog-channel-token", word),
        ("x-goog-resource-id", channel["resource_id"].as_str().unwrap_or_default()),
        ("x-goog-resource-uri", "https://www.googleapis.com/calendar/v3/calendars/x/events"),
        ("x-goog-resource-state", "exists"),
        ("x-goog-message-number", number),
    ]
}

const FLOOD: usize = 10_000;

async fn a_flood_costs_a_handful_of_imports(db: &TestDb) {
    let test_app = told(db).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_account(ProviderKind::Google, ana, ANA).await;
    let channel = opened(&test_app).await;
    let mut known = test_app.push_subscriptions("google").pop().unwrap();
    known["resource_id"] = json!(channel.resource_id);
    let word = known["token"].as_str().unwrap();
    logs::keep_out(word);
    test_app.control(Method::DELETE, "/requests", json!({})).await;
    let began = Instant::now();
    let (test_app_of, known_of) = (&test_app, &known);
    let answers: Vec<u16> = stream::iter(0..FLOOD)
        .map(|number| async move {
            let number = (1_000_000 + number).to_string();
            let headers = google_says(known_of, &number, word);
            test_app_of.api.raw(Method::POST, "/hooks/google", None, &headers).await.status
        })
        .buffer_unordered(32)
        .collect()
        .await;
    let took = began.elapsed();
    assert!(answers.iter().all(|status| *status == 202));
    let channel = opened(&test_app).await;
    let lists = test_app.traffic("google").await;
    let imports = lists.iter().filter(|one| one["method"] == "GET").count();
    println!(
        "{FLOOD} notifications in {} ms: {imports} imports, {} writes of the front",
        took.as_millis(),
        channel.heard
    );
    let seconds = took.as_secs();
    let (imports, writes) = (u64::try_from(imports).unwrap(), u64::try_from(channel.heard).unwrap());
    assert!((1..=seconds + 4).contains(&imports), "{imports} imports");
    assert!((1..=2 * seconds + 8).contains(&writes), "{writes} writes");
    logs::check();
    test_app.stop().await;
}

async fn nobody_else_is_believed(db: &TestDb) {
    let test_app = told(db).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_account(ProviderKind::Google, ana, ANA).await;
    let channel = opened(&test_app).await;
    let mut known = test_app.push_subscriptions("google").pop().unwrap();
    known["resource_id"] = json!(channel.resource_id);
    let word = known["token"].as_str().unwrap();
    logs::keep_out(word);
    logs::keep_out("a-guess-at-the-word");
    let post = async |path: &str, kind: Option<&str>, body: String, headers: &[(&str, &str)]| {
        test_app.api.raw(Method::POST, path, Some((kind.unwrap_or("text/plain"), body)), headers).await
    };
    // The same answer whether there is such a channel or not.
    let forged =
        post("/hooks/google", None, String::new(), &google_says(&known, "7", "a-guess-at-the-word")).await;
    let nobody = json!({ "id": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10", "resource_id": "x" });
    let unknown = post("/hooks/google", None, String::new(), &google_says(&nobody, "7", word)).await;
    assert_eq!((forged.status, unknown.status), (202, 202));
    assert_eq!((forged.text, unknown.text), (String::new(), String::new()));
    assert_eq!(post("/hooks/google", None, String::new(), &[]).await.status, 400);
    let large = "x".repeat(300 * 1024);
    assert_eq!(post("/hooks/google", None, large.clone(), &google_says(&known, "7", word)).await.status, 413);
    let json = Some("application/json");
    let state = "0197f0c26b1e7d3a9a4e2f6d2f1f8b10.a-guess-at-the-word";
    let mixed = json!({ "value": [{ "subscriptionId": "x", "clientState": state }, { "clientState": 7 }] });
    for (kind, body, status) in [
        (json, mixed.to_string(), 202),
        (json, json!({ "value": [{ "subscriptionId": "x", "clientState": state }] }).to_string(), 202),
        (json, json!({ "value": [{ "subscriptionId": "x", "clientState": state, "lifecycleEvent": "missed" }, {}] })
            .to_string(), 202),
        (json, "{".to_owned(), 400),
        (json, large, 413),
        (None, json!({ "value": [] }).to_string(), 415),
    ] {
        assert_eq!(post("/hooks/microsoft", kind, body, &[]).await.status, status);
    }
    assert_eq!(opened(&test_app).await.heard, 0);
    let echoed = post("/hooks/microsoft?validationToken=a%2Bb%20%3Cb%3E", None, String::new(), &[]).await;
    assert_eq!((echoed.status, echoed.text.as_str()), (200, "a+b <b>"));
    assert!(echoed.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert!(logs::written().contains("a notification was not believed"));

    // Who goes on is not listened to for a while.
    let answers = stream::iter(0..200)
        .then(|_| async { post("/hooks/google", None, String::new(), &[]).await.status })
        .collect::<Vec<u16>>()
        .await;
    let refused = answers.iter().filter(|status| **status == 429).count();
    assert!(answers.contains(&400) && refused > 50, "{answers:?}");
    logs::check();
    test_app.stop().await;
}

/// Microsoft's notifications have no number: a true one that is sent again costs a look, and changes nothing.
async fn nobody_else_is_believed_in_the_name_of_microsoft(db: &TestDb) {
    let test_app = told(db).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_account(ProviderKind::Microsoft, ana, ANA).await;
    let channel = opened(&test_app).await;
    let subscription = channel.remote_id.clone().unwrap();
    let known = test_app.push_subscriptions("microsoft").pop().unwrap();
    let word = known["token"].as_str().unwrap();
    let (ours, secret) = word.split_once('.').unwrap();
    logs::keep_out(secret);
    let says = async |subscription: &str, state: Value, event: Option<&str>| {
        let mut item = json!({ "subscriptionId": subscription, "clientState": state, "changeType": "updated",
            "resource": "me/events/x" });
        if let Some(event) = event {
            item["lifecycleEvent"] = json!(event);
        }
        let body = Some(("application/json", json!({ "value": [item] }).to_string()));
        test_app.api.raw(Method::POST, "/hooks/microsoft", body, &[]).await
    };
    let nobodys = "0197f0c26b1e7d3a9a4e2f6d2f1f8b10";
    for (from, state) in [
        (subscription.as_str(), json!(format!("{ours}.a-guess-at-the-word"))),
        (subscription.as_str(), json!(format!("{nobodys}.{secret}"))),
        ("another-subscription", json!(word)),
        (subscription.as_str(), Value::Null),
    ] {
        for event in [None, Some("missed"), Some("subscriptionRemoved")] {
            let answer = says(from, state.clone(), event).await;
            assert_eq!((answer.status, answer.text.as_str()), (202, ""), "{from} {event:?}");
        }
    }
    let after = opened(&test_app).await;
    assert_eq!((after.id, after.heard, &after.remote_id), (channel.id, 0, &channel.remote_id));

    for _ in 0..5 {
        assert_eq!(says(&subscription, json!(word), None).await.status, 202);
    }
    let heard = opened(&test_app).await.heard;
    assert!((1..=5).contains(&heard), "{heard}");
    assert_eq!(opened(&test_app).await.id, channel.id);
    assert_eq!(test_app.api.get("/api/v1/bookings").await.expect(200)["items"].as_array().unwrap().len(), 0);
    logs::check();
    test_app.stop().await;
}

async fn what_becomes_of_a_subscription_is_heard(db: &TestDb) {
    let test_app = told(db).await;
    let ana = test_app.staff("Ana").await;
    test_app.connect_account(ProviderKind::Microsoft, ana, ANA).await;
    let first = opened(&test_app).await;
    let lifecycle = async |event: &str| {
        test_app
            .control(Method::POST, "/lifecycle", json!({ "provider": "microsoft", "event": event }))
            .await;
    };
    lifecycle("reauthorizationRequired").await;
    let renewed = until("it is renewed", async || {
        let now = opened(&test_app).await;
        (now.expires_at > first.expires_at).then_some(now)
    })
    .await;
    assert_eq!((renewed.id, &renewed.remote_id), (first.id, &first.remote_id));
    lifecycle("missed").await;
    until("it is read again", async || (opened(&test_app).await.heard > renewed.heard).then_some(())).await;
    lifecycle("subscriptionRemoved").await;
    until("another takes its place", async || (opened(&test_app).await.id != first.id).then_some(())).await;
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    a_change_at_google_is_here_at_once,
    a_change_at_microsoft_is_here_at_once,
    a_flood_costs_a_handful_of_imports,
    nobody_else_is_believed,
    nobody_else_is_believed_in_the_name_of_microsoft,
    what_becomes_of_a_subscription_is_heard,
);

//! Subscriptions at Microsoft: the handshake, what is told, and how they end.

use chrono::{DateTime, Duration, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::SandboxResponse;
use crate::graph::{EVA, GraphTestClient, code, event};
use crate::listener::{NotificationListener, ValidationReply};

/// So many minutes from now, as the sandbox's own clock says it.
async fn later(graph: &GraphTestClient, minutes: i64) -> String {
    let made = graph.post(event("What time is it?", 5)).await;
    graph.remove(&format!("/me/events/{}", made["id"].as_str().unwrap())).await.expect(204);
    let now: DateTime<Utc> = made["createdDateTime"].as_str().unwrap().parse().unwrap();
    (now + Duration::minutes(minutes)).to_rfc3339()
}

/// How many subscriptions live.
async fn subscribed(graph: &GraphTestClient) -> usize {
    let live = graph.control(Method::GET, "/channels?provider=microsoft", None).await.expect(200);
    live.as_array().unwrap().len()
}

async fn subscribe(
    graph: &GraphTestClient,
    listener: &NotificationListener,
    extra: Value,
) -> SandboxResponse {
    let mut body = json!({
        "changeType": "created,updated,deleted",
        "notificationUrl": listener.url,
        "lifecycleNotificationUrl": listener.url,
        "resource": "me/events",
        "expirationDateTime": later(graph, 60).await,
        "clientState": "s3cret",
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    graph.write(Method::POST, "/subscriptions", body).await
}

#[tokio::test]
async fn each_change_is_told_to_who_has_echoed_the_token() {
    let graph = GraphTestClient::start().await;
    let mut listener = NotificationListener::start(ValidationReply::Right).await;
    let made = subscribe(&graph, &listener, json!({})).await.expect(201);
    assert_eq!(made["clientState"], "s3cret");
    let booking = graph.post(event("Haircut", 9)).await;
    let path = format!("/me/events/{}", booking["id"].as_str().unwrap());
    let first = listener.next().await.body;
    let told = &first["value"][0];
    assert_eq!((&told["subscriptionId"], &told["clientState"]), (&made["id"], &json!("s3cret")));
    assert_eq!((&told["changeType"], &told["resourceData"]["id"]), (&json!("created"), &booking["id"]));
    assert_eq!(told["resourceData"]["@odata.etag"], booking["@odata.etag"]);
    assert!(told["tenantId"].is_string());
    graph.write(Method::PATCH, &path, json!({ "subject": "x" })).await.expect(200);
    assert_eq!(listener.next().await.body["value"][0]["changeType"], "updated");
    let control = format!("/events/{}", booking["id"].as_str().unwrap());
    graph.control(Method::DELETE, &control, None).await.expect(200);
    assert_eq!(listener.next().await.body["value"][0]["changeType"], "deleted");

    let one = format!("/subscriptions/{}", made["id"].as_str().unwrap());
    assert_eq!(subscribed(&graph).await, 1);
    graph.remove(&one).await.expect(204);
    assert_eq!(subscribed(&graph).await, 0);
    assert!(listener.is_quiet());
}

#[tokio::test]
async fn who_does_not_echo_is_not_subscribed() {
    let graph = GraphTestClient::start().await;
    let right = NotificationListener::start(ValidationReply::Right).await;
    for echo in [ValidationReply::Json, ValidationReply::Other, ValidationReply::Refuses] {
        let wrong = NotificationListener::start(echo).await;
        let refused = subscribe(&graph, &wrong, json!({ "lifecycleNotificationUrl": null })).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (400, "ValidationError"), "{echo:?}");
        let refused = subscribe(&graph, &right, json!({ "lifecycleNotificationUrl": wrong.url })).await;
        assert_eq!(code(&refused), "ValidationError", "{echo:?}");
    }
    for wrong in [
        json!({ "notificationUrl": "http://example.com/hook" }),
        json!({ "notificationUrl": null }),
        json!({ "changeType": "moved" }),
        json!({ "resource": "me/messages" }),
        json!({ "resource": "users/someone/events" }),
        json!({ "clientState": "x".repeat(129) }),
        json!({ "expirationDateTime": "2020-01-01T00:00:00Z" }),
        json!({ "expirationDateTime": later(&graph, 10_090).await }),
        json!({ "includeResourceData": true }),
    ] {
        let refused = subscribe(&graph, &right, wrong.clone()).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (400, "InvalidRequest"), "{wrong}");
    }
    assert_eq!(subscribed(&graph).await, 0);
}

#[tokio::test]
async fn subscription_renewal_sets_expiry_with_minimum() {
    let graph = GraphTestClient::start().await;
    let listener = NotificationListener::start(ValidationReply::Right).await;
    let short = later(&graph, 5).await;
    let made = subscribe(&graph, &listener, json!({ "expirationDateTime": short })).await.expect(201);
    let end = |one: &Value| one["expirationDateTime"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(end(&made) - short.parse::<DateTime<Utc>>().unwrap() >= Duration::minutes(39));
    let path = format!("/subscriptions/{}", made["id"].as_str().unwrap());
    let longer = json!({ "expirationDateTime": later(&graph, 10_000).await });
    let renewed = graph.write(Method::PATCH, &path, longer).await.expect(200);
    assert!(end(&renewed) > end(&made) + Duration::days(6));
    let other = json!({ "lifecycleNotificationUrl": listener.url });
    graph.write(Method::PATCH, &path, other).await.expect(400);
    graph
        .control(Method::DELETE, &format!("/channels/{}", made["id"].as_str().unwrap()), None)
        .await
        .expect(204);
    let late = json!({ "expirationDateTime": later(&graph, 60).await });
    graph.write(Method::PATCH, &path, late).await.expect(404);
}

#[tokio::test]
async fn what_becomes_of_a_subscription_is_told_on_demand() {
    let graph = GraphTestClient::start().await;
    let mut listener = NotificationListener::start(ValidationReply::Right).await;
    let made = subscribe(&graph, &listener, json!({})).await.expect(201);
    assert!(made["id"].is_string());
    for (event, lives) in [("reauthorizationRequired", 1), ("missed", 1), ("subscriptionRemoved", 0)] {
        let order = json!({ "provider": "microsoft", "event": event, "account": EVA });
        let told = graph.control(Method::POST, "/lifecycle", Some(order.clone())).await.expect(200);
        assert_eq!(told["told"], 1);
        let notice = listener.next().await.body;
        assert_eq!(notice["value"][0]["lifecycleEvent"], event);
        assert_eq!(notice["value"][0]["clientState"], "s3cret");
        assert_eq!(subscribed(&graph).await, lives);
    }
    for wrong in [
        json!({ "provider": "microsoft", "event": "missed" }),
        json!({ "provider": "google", "event": "missed" }),
        json!({ "provider": "microsoft", "event": "vanished" }),
    ] {
        assert!(graph.control(Method::POST, "/lifecycle", Some(wrong)).await.status.is_client_error());
    }
}

#[tokio::test]
async fn notification_is_dropped_by_fault_and_retried_on_refusal() {
    let graph = GraphTestClient::start().await;
    let mut listener = NotificationListener::start(ValidationReply::Right).await;
    subscribe(&graph, &listener, json!({ "changeType": "created" })).await.expect(201);
    graph.graph_fault(json!({ "kind": "drop_webhook", "count": 1 })).await;
    graph.post(event("Lost", 9)).await;
    *listener.refused.lock().unwrap() = 1;
    let second = graph.post(event("Late", 9)).await;
    assert_eq!(listener.next().await.body["value"][0]["resourceData"]["id"], second["id"]);
    let faults = graph.control(Method::GET, "/faults", None).await.expect(200);
    assert_eq!((&faults[0]["hits"], &faults[0]["count"]), (&json!(1), &json!(0)));
    assert!(listener.is_quiet());
}

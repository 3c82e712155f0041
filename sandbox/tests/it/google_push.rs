//! Google's push channels.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{SandboxClient, SandboxResponse, hour};
use crate::listener::{NotificationListener, ValidationReply};

const WATCH: &str = "/calendars/primary/events/watch";

async fn watch(outside: &SandboxClient, listener: &NotificationListener, extra: Value) -> SandboxResponse {
    let mut body =
        json!({ "id": "channel-1", "type": "web_hook", "address": listener.url, "token": "s3cret" });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    outside.call(Method::POST, WATCH, body).await
}

#[tokio::test]
async fn a_channel_says_hello_and_then_that_something_has_changed() {
    let outside = SandboxClient::start().await;
    let mut listener = NotificationListener::start(ValidationReply::Refuses).await;
    let channel = watch(&outside, &listener, json!({ "params": { "ttl": "3600" } })).await.expect(200);
    assert_eq!((&channel["kind"], &channel["token"]), (&json!("api#channel"), &json!("s3cret")));
    let hello = listener.next().await;
    assert_eq!((hello.header("x-goog-resource-state"), hello.header("x-goog-message-number")), ("sync", "1"));
    assert_eq!(hello.body, "");
    let inserted = outside.insert(hour("Haircut", 9)).await.expect(200);
    let notice = listener.next().await;
    assert_eq!(notice.header("x-goog-resource-state"), "exists");
    assert_eq!(
        (notice.header("x-goog-channel-id"), notice.header("x-goog-channel-token")),
        ("channel-1", "s3cret")
    );
    assert_eq!(notice.header("x-goog-resource-id"), channel["resourceId"]);
    assert!(notice.header("x-goog-channel-expiration").ends_with(" GMT"));

    outside.fault(json!({ "kind": "drop_webhook", "count": 1 })).await;
    let event = format!("/calendars/primary/events/{}", inserted["id"].as_str().unwrap());
    outside.call(Method::PATCH, &event, json!({ "summary": "lost" })).await.expect(200);
    outside.call(Method::PATCH, &event, json!({ "summary": "told" })).await.expect(200);
    listener.next().await;
    let stop = json!({ "id": "channel-1", "resourceId": "another" });
    outside.call(Method::POST, "/channels/stop", stop).await.expect(404);
    let stop = json!({ "id": "channel-1", "resourceId": channel["resourceId"] });
    outside.call(Method::POST, "/channels/stop", stop.clone()).await.expect(200);
    outside.call(Method::POST, "/channels/stop", stop).await.expect(404);
    outside.insert(hour("Unseen", 9)).await.expect(200);
    assert!(listener.is_quiet());
}

#[tokio::test]
async fn bad_channels_are_refused_with_google_s_reason() {
    let outside = SandboxClient::start().await;
    let listener = NotificationListener::start(ValidationReply::Refuses).await;
    watch(&outside, &listener, json!({})).await.expect(200);
    for (wrong, reason) in [
        (json!({}), "channelIdNotUnique"),
        (json!({ "id": "x".repeat(65) }), "invalid"),
        (json!({ "id": null }), "required"),
        (json!({ "id": "c2", "type": "mail" }), "invalid"),
        (json!({ "id": "c2", "address": "http://example.com/hook" }), "push.webhookUrlNotHttps"),
        (json!({ "id": "c2", "expiration": 1 }), "invalid"),
    ] {
        let refused = watch(&outside, &listener, wrong.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.reason()), (400, reason), "{wrong}");
    }
    let holidays = "/calendars/en.portuguese%23holiday%40group.v.calendar.google.com/events/watch";
    let body = json!({ "id": "c2", "type": "web_hook", "address": listener.url });
    let refused = outside.call(Method::POST, holidays, body).await;
    assert_eq!(refused.reason(), "pushNotSupportedForRequestedResource");
    let channels = outside.control(Method::GET, "/channels?provider=google", None).await.expect(200);
    assert_eq!(channels.as_array().unwrap().len(), 1);
    assert!(!channels.to_string().contains("s3cret"));
}

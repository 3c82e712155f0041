//! Each kind of fault, and the quotas.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{ANA, BEN, SandboxClient, hour, send};

const LIST: &str = "/calendars/primary/events";

async fn refresh(outside: &SandboxClient) -> crate::client::SandboxResponse {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &outside.refresh_token),
        ("client_id", "sandbox-google-client"),
        ("client_secret", "sandbox-google-secret"),
    ];
    send(outside.http.post(outside.url("/google/token")).form(&form)).await
}

async fn titles(outside: &SandboxClient) -> Vec<Value> {
    let all = outside
        .control(Method::GET, &format!("/events?provider=google&account={ANA}"), None)
        .await
        .expect(200);
    all.as_array().unwrap().iter().map(|entry| entry["title"].clone()).collect()
}

#[tokio::test]
async fn a_rate_limit_is_said_in_two_ways_and_runs_out() {
    let outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "rate_limit", "count": 3, "value": 7 })).await;
    let first = outside.insert(hour("a", 9)).await;
    assert_eq!((first.status.as_u16(), first.reason()), (429, "rateLimitExceeded"));
    assert_eq!(first.headers["retry-after"], "7");
    let second = outside.insert(hour("a", 9)).await;
    assert_eq!((second.status.as_u16(), second.reason()), (403, "userRateLimitExceeded"));
    refresh(&outside).await.expect(429);
    outside.insert(hour("a", 9)).await.expect(200);
    assert_eq!(titles(&outside).await, ["a"]);
    let faults = outside.control(Method::GET, "/faults", None).await.expect(200);
    assert_eq!((&faults[0]["hits"], &faults[0]["count"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn server_errors_last_until_they_are_deleted() {
    let outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "server_error" })).await;
    for status in [500, 503, 500] {
        let answer = outside.insert(hour("a", 9)).await;
        assert_eq!((answer.status.as_u16(), answer.reason()), (status, "backendError"));
    }
    refresh(&outside).await.expect(503);
    assert!(titles(&outside).await.is_empty());
    outside.control(Method::DELETE, "/faults", None).await.expect(204);
    outside.insert(hour("a", 9)).await.expect(200);
}

#[tokio::test]
async fn timeout_fault_hangs_and_applies_nothing() {
    let outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "timeout", "count": 1 })).await;
    let request = outside.calendar(Method::POST, LIST).json(&hour("a", 9));
    let error = request.timeout(Duration::from_millis(300)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(titles(&outside).await.is_empty());
    outside.insert(hour("b", 9)).await.expect(200);
}

#[tokio::test]
async fn a_sandbox_stops_while_it_holds_an_answer_back() {
    let outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "timeout", "count": 1 })).await;
    let held = tokio::spawn(outside.calendar(Method::GET, LIST).send());
    loop {
        let faults = outside.control(Method::GET, "/faults", None).await.expect(200);
        if faults[0]["hits"] == 1 {
            break;
        }
    }
    let start = Instant::now();
    outside.sandbox.stop().await;
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(held.await.unwrap().is_err());
}

#[tokio::test]
async fn work_is_done_and_the_answer_is_lost() {
    let outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "apply_then_drop", "count": 2 })).await;
    let mut body = hour("a", 9);
    body["id"] = "booking1".into();
    let error = outside.calendar(Method::POST, LIST).json(&body).send().await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout() && error.status().is_none(), "{error:?}");
    let event = format!("{LIST}/booking1");
    assert!(outside.calendar(Method::DELETE, &event).send().await.is_err());
    assert_eq!(titles(&outside).await, ["a"]);
    send(outside.calendar(Method::DELETE, &event)).await.expect(410);
    let lines = outside.control(Method::GET, "/requests?provider=google", None).await.expect(200);
    assert!(lines.as_str().unwrap().contains("\"delivered\":false"));
}

#[tokio::test]
async fn an_expired_token_is_refused_and_can_be_refreshed() {
    let mut outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "expire_token", "count": 1 })).await;
    assert_eq!(outside.get(LIST).await.reason(), "authError");
    assert_eq!(outside.get(LIST).await.reason(), "authError");
    let fresh = refresh(&outside).await.expect(200);
    outside.token = fresh["access_token"].as_str().unwrap().into();
    outside.get(LIST).await.expect(200);
}

#[tokio::test]
async fn a_revoked_grant_hits_once_and_the_account_that_is_meant() {
    let mut outside = SandboxClient::start().await;
    let fault = json!({ "kind": "revoke_grant", "account": BEN });
    outside.fault(fault).await;
    outside.get(LIST).await.expect(200);
    outside.fault(json!({ "kind": "revoke_grant", "account": ANA })).await;
    assert_eq!(refresh(&outside).await.expect(400)["error"], "invalid_grant");
    outside.get(LIST).await.expect(401);
    let again = outside.grant(ANA, "https://www.googleapis.com/auth/calendar").await;
    outside.token = again["access_token"].as_str().unwrap().into();
    outside.get(LIST).await.expect(200);
}

#[tokio::test]
async fn a_gone_cursor_hits_only_who_has_one() {
    let outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "gone_cursor", "count": 1 })).await;
    let token = outside.get(LIST).await.expect(200)["nextSyncToken"].as_str().unwrap().to_owned();
    let path = format!("{LIST}?syncToken={token}");
    let gone = outside.get(&path).await;
    assert_eq!((gone.status, gone.reason()), (StatusCode::GONE, "fullSyncRequired"));
    outside.get(&path).await.expect(200);
}

#[tokio::test]
async fn latency_comes_on_top() {
    let outside = SandboxClient::start().await;
    outside.fault(json!({ "kind": "latency_ms", "value": 150 })).await;
    let start = Instant::now();
    outside.get(LIST).await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(150));
    outside.control(Method::DELETE, "/faults?provider=google", None).await.expect(204);
    outside.fault(json!({ "kind": "latency_ms", "latency_ms": 0 })).await;
    outside.fault(json!({ "kind": "latency_ms" })).await;
    let standing = outside.control(Method::GET, "/faults", None).await.expect(200);
    assert_eq!((&standing[0]["value"], &standing[1]["value"]), (&json!(0), &json!(500)));
}

#[tokio::test]
async fn quotas_are_a_person_s_and_a_project_s() {
    let mut outside = SandboxClient::start().await;
    let set = async |outside: &SandboxClient, body: Value| {
        outside.control(Method::PUT, "/quotas", Some(body)).await.expect(200);
    };
    set(&outside, json!({ "provider": "google", "per_user_per_minute": 2 })).await;
    outside.get(LIST).await.expect(200);
    outside.get(LIST).await.expect(200);
    let over = outside.get(LIST).await;
    assert_eq!((over.status.as_u16(), over.reason()), (403, "userRateLimitExceeded"));
    let ben = outside.grant(BEN, "https://www.googleapis.com/auth/calendar").await;
    outside.token = ben["access_token"].as_str().unwrap().into();
    outside.get(LIST).await.expect(200);
    set(&outside, json!({ "provider": "google", "per_project_per_minute": 0 })).await;
    assert_eq!(outside.get(LIST).await.reason(), "rateLimitExceeded");
    set(&outside, json!({ "provider": "google" })).await;
    outside.get(LIST).await.expect(200);
}

#[tokio::test]
async fn bad_faults_are_refused() {
    let outside = SandboxClient::start().await;
    for wrong in [
        json!({ "kind": "timeout" }),
        json!({ "provider": "yahoo", "kind": "timeout" }),
        json!({ "provider": "google", "kind": "earthquake" }),
        json!({ "provider": "google", "kind": "timeout", "probability": 1.5 }),
        json!({ "provider": "google", "kind": "timeout", "count": -1 }),
        json!({ "provider": "google", "kind": "timeout", "typo": 1 }),
    ] {
        let answer = outside.control(Method::POST, "/faults", Some(wrong.clone())).await.expect(400);
        assert!(answer["error"].is_string(), "{wrong}");
    }
    let unknown = json!({ "provider": "google", "kind": "timeout", "account": "nobody@example.com" });
    outside.control(Method::POST, "/faults", Some(unknown)).await.expect(404);
    assert_eq!(outside.control(Method::GET, "/faults", None).await.expect(200), json!([]));
}

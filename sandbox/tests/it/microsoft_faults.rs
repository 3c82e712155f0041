//! Each kind of fault at Microsoft, the throttling, and answers that no provider gives.

use reqwest::Method;
use serde_json::json;

use crate::client::{SandboxClient, hour, send};
use crate::graph::{EVA, FEBRUARY, GraphTestClient, code, event};

const LIST: &str = "/me/events";

#[tokio::test]
async fn a_rate_limit_and_a_server_error_are_said_in_two_ways() {
    let graph = GraphTestClient::start().await;
    graph.graph_fault(json!({ "kind": "rate_limit", "count": 2, "value": 7 })).await;
    let first = graph.read(LIST).await;
    assert_eq!((first.status.as_u16(), code(&first)), (429, "ApplicationThrottled"));
    assert_eq!(first.headers["retry-after"], "7");
    let second = graph.read(LIST).await;
    assert_eq!((second.status.as_u16(), &second.headers["retry-after"]), (503, &"7".parse().unwrap()));
    graph.graph_fault(json!({ "kind": "server_error", "count": 2 })).await;
    graph.read(LIST).await.expect(500);
    graph.read(LIST).await.expect(503);
    graph.read(LIST).await.expect(200);
}

#[tokio::test]
async fn a_token_ends_a_cursor_goes_a_list_does_not_end() {
    let graph = GraphTestClient::start().await;
    graph.graph_fault(json!({ "kind": "gone_cursor", "count": 2 })).await;
    let (_, link) = {
        let page = graph.read(&format!("/me/calendarView/delta?{FEBRUARY}")).await.expect(200);
        (0, page["@odata.deltaLink"].as_str().unwrap().to_owned())
    };
    assert_eq!(code(&graph.read(&link).await), "SyncStateNotFound");
    assert_eq!(code(&graph.read(&link).await), "SyncStateInvalid");
    graph.read(&link).await.expect(200);
    graph.graph_fault(json!({ "kind": "endless_list", "count": 1 })).await;
    let page = graph.read(&format!("/me/calendarView/delta?{FEBRUARY}")).await.expect(200);
    assert!(page["@odata.nextLink"].is_string() && page["value"] == json!([]));
    graph.graph_fault(json!({ "kind": "expire_token", "count": 1 })).await;
    for _ in 0..2 {
        let refused = graph.read(LIST).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (401, "InvalidAuthenticationToken"));
    }
}

#[tokio::test]
async fn work_is_done_and_the_answer_is_lost() {
    let graph = GraphTestClient::start().await;
    graph.graph_fault(json!({ "kind": "apply_then_drop", "count": 1 })).await;
    let mut body = event("a", 9);
    body["transactionId"] = "b1".into();
    assert!(graph.request(Method::POST, LIST).json(&body).send().await.is_err());
    let again = graph.write(Method::POST, LIST, body).await;
    assert_eq!(code(&again), "ErrorDuplicateTransactionId");
    let all = graph.read(LIST).await.expect(200);
    let made = &again.body["error"]["@event.existingEventId"];
    assert_eq!((all["value"].as_array().unwrap().len(), &all["value"][0]["id"]), (1, made));
}

#[tokio::test]
async fn without_a_mailbox_all_of_it_is_said_not_to_be_there() {
    let graph = GraphTestClient::start().await;
    let made = graph.post(event("a", 9)).await;
    graph.graph_fault(json!({ "kind": "no_mailbox" })).await;
    let one = format!("/me/events/{}", made["id"].as_str().unwrap());
    for path in [LIST, &one, "/me/calendars"] {
        let refused = graph.read(path).await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (404, "MailboxNotEnabledForRESTAPI"), "{path}");
    }
    graph.read("/me").await.expect(200);
}

#[tokio::test]
async fn faults_cover_unknown_zone_and_odd_item() {
    let graph = GraphTestClient::start().await;
    let made = graph.post(event("a", 9)).await;
    graph.graph_fault(json!({ "kind": "odd_item", "count": 1 })).await;
    assert_eq!(graph.read(LIST).await.expect(200)["value"][0]["start"], "soon");
    graph.graph_fault(json!({ "kind": "odd_item", "value": 1, "count": 1 })).await;
    let one = format!("/me/events/{}", made["id"].as_str().unwrap());
    assert_eq!(graph.read(&one).await.expect(200)["start"], "soon");
    graph.graph_fault(json!({ "kind": "no_zones" })).await;
    let mut body = event("b", 9);
    body["start"]["timeZone"] = "Romance Standard Time".into();
    let refused = graph.write(Method::POST, LIST, body).await;
    assert_eq!((refused.status.as_u16(), code(&refused)), (400, "TimeZoneNotSupportedException"));
}

#[tokio::test]
async fn a_calendar_gets_another_id_and_its_events_keep_theirs() {
    let graph = GraphTestClient::start().await;
    let made = graph.post(event("a", 9)).await;
    let (_, link) = graph.round(&format!("/me/calendarView/delta?{FEBRUARY}")).await;
    let old = graph.calendar("Calendar").await;
    graph.control(Method::POST, &format!("/calendars/{old}/new_id"), None).await.expect(200);
    let new = graph.calendar("Calendar").await;
    assert_ne!(old, new);
    graph.read(&format!("/me/calendars/{old}/events")).await.expect(404);
    let events = graph.read(&format!("/me/calendars/{new}/events")).await.expect(200);
    assert_eq!(events["value"][0]["id"], made["id"]);
    graph.read(&link).await.expect(410);
}

#[tokio::test]
async fn a_fifth_request_at_a_time_is_refused() {
    let graph = GraphTestClient::start().await;
    graph.graph_fault(json!({ "kind": "timeout", "count": 4 })).await;
    let held: Vec<_> = (0..4).map(|_| tokio::spawn(graph.request(Method::GET, LIST).send())).collect();
    loop {
        let faults = graph.control(Method::GET, "/faults", None).await.expect(200);
        if faults[0]["hits"] == 4 {
            break;
        }
    }
    let refused = graph.read(LIST).await;
    assert_eq!((refused.status.as_u16(), code(&refused)), (429, "ApplicationThrottled"));
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("MailboxConcurrency"));
    assert!(refused.headers.contains_key("retry-after"));
    held.iter().for_each(tokio::task::JoinHandle::abort);
    // A seat is free again when its client has gone.
    while graph.read(LIST).await.status.as_u16() == 429 {}
    let few = json!({ "provider": "microsoft", "per_mailbox_per_ten_minutes": 1 });
    graph.control(Method::PUT, "/quotas", Some(few)).await.expect(200);
    graph.read(LIST).await.expect(200);
    let refused = graph.read(LIST).await;
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 500);
    refused.expect(429);
    let foreign = json!({ "provider": "microsoft", "per_user_per_minute": 1 });
    graph.control(Method::PUT, "/quotas", Some(foreign)).await.expect(400);
}

#[tokio::test]
async fn answers_that_are_none_come_from_both_providers() {
    let graph = GraphTestClient::start().await;
    let (google, microsoft) = ("/google/calendar/v3/calendars/primary/events", "/microsoft/v1.0/me/events");
    for (provider, path, token) in
        [("google", google, &graph.outside.token), ("microsoft", microsoft, &graph.token)]
    {
        let strike = async |kind: &str| {
            let fault = json!({ "provider": provider, "kind": kind, "count": 1 });
            graph.control(Method::POST, "/faults", Some(fault)).await.expect(201);
            graph.http.get(graph.url(path)).bearer_auth(token).send().await.unwrap()
        };
        let page = strike("html_answer").await;
        assert_eq!(
            (page.status().as_u16(), &page.headers()["content-type"]),
            (200, &"text/html; charset=utf-8".parse().unwrap())
        );
        let half = strike("truncated_json").await;
        assert!(serde_json::from_str::<serde_json::Value>(&half.text().await.unwrap()).is_err());
        let plain = strike("wrong_content_type").await;
        assert!(plain.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
        plain.json::<serde_json::Value>().await.unwrap();
        let away = strike("redirect_elsewhere").await;
        assert_eq!(away.status().as_u16(), 302);
        assert!(away.headers()["location"].to_str().unwrap().starts_with("http://localhost:"));
        assert!(strike("huge_answer").await.bytes().await.unwrap().len() > 32 << 20);
    }
}

#[tokio::test]
async fn who_follows_a_link_to_another_host_with_a_token_is_found_out() {
    let graph = GraphTestClient::start().await;
    graph.graph_fault(json!({ "kind": "foreign_next_link", "count": 1 })).await;
    graph.post(event("a", 9)).await;
    let page = graph.read(LIST).await.expect(200);
    let link = page["@odata.nextLink"].as_str().unwrap();
    assert!(!link.starts_with(&graph.sandbox.url()));
    let here = link.replace("localhost", "127.0.0.1");
    send(graph.http.get(&here)).await.expect(200);
    send(graph.http.get(&here).bearer_auth(&graph.token)).await.expect(200);
    let visits = graph.control(Method::GET, "/requests?provider=elsewhere", None).await.expect(200);
    let visits = visits.to_string();
    assert!(visits.contains("\\\"has_token\\\":false") || visits.contains("\"has_token\":false"), "{visits}");
    assert!(visits.contains("has_token\\\":true") && !visits.contains(&graph.token));
}

#[tokio::test]
async fn a_fault_of_one_provider_spares_the_other() {
    let outside = SandboxClient::start().await;
    let fault = json!({ "provider": "microsoft", "kind": "server_error", "account": EVA });
    outside.control(Method::POST, "/faults", Some(fault)).await.expect(201);
    outside.insert(hour("a", 9)).await.expect(200);
    outside.control(Method::DELETE, "/faults?provider=google", None).await.expect(204);
    assert_eq!(outside.control(Method::GET, "/faults", None).await.expect(200).as_array().unwrap().len(), 1);
}

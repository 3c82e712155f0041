//! What survives a kill.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::json;

use crate::client::{ANA, SandboxClient, column, hour, send};
use crate::listener::{NotificationListener, ValidationReply};
use crate::ota::day;

const EVENTS: &str = "/calendars/primary/events";

/// The variable that makes the test binary a sandbox of its own process, which can be killed.
const FOLDER: &str = "CONCORD_SANDBOX_TEST_FOLDER";

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
async fn a_sandbox_in_a_process_of_its_own() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let listen = "127.0.0.1:0".parse().unwrap();
    let sandbox =
        concord_sandbox::Sandbox::start(concord_sandbox::SandboxConfig::new(listen, folder)).await.unwrap();
    println!("serving at {}", sandbox.url());
    std::io::stdout().flush().unwrap();
    std::future::pending::<()>().await;
}

/// Starts a sandbox in a process of its own; says its address.
fn spawn(folder: &std::path::Path) -> (std::process::Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "restart::a_sandbox_in_a_process_of_its_own", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find(|line| line.contains("serving at ")).unwrap();
    let url = said.split("serving at ").nth(1).unwrap().to_owned();
    (child, url)
}

#[tokio::test]
async fn a_killed_sandbox_comes_back_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, url) = spawn(data.path());
    let http = crate::client::client();
    let grant = json!({ "provider": "google", "account": ANA });
    let grant = send(http.post(format!("{url}/control/grants")).json(&grant)).await.expect(201);
    let events = format!("{url}/google/calendar/v3{EVENTS}");
    let token = grant["access_token"].as_str().unwrap();
    for number in 0..20 {
        let mut body = hour("Booking", number);
        body["id"] = format!("booking{number}").into();
        send(http.post(&events).bearer_auth(token).json(&body)).await.expect(200);
    }
    let cursor = send(http.get(&events).bearer_auth(token)).await.expect(200);
    let cursor = cursor["nextSyncToken"].as_str().unwrap();
    send(http.delete(format!("{events}/booking3")).bearer_auth(token)).await.expect(200);
    let changed = json!({ "summary": "Changed" });
    let changed =
        send(http.patch(format!("{events}/booking4")).bearer_auth(token).json(&changed)).await.expect(200);
    child.kill().unwrap();
    child.wait().unwrap();
    tear(&data.path().join("google.jsonl"));

    let mut outside = SandboxClient::start_in(data.path()).await;
    outside.token = token.into();
    let all = outside.get(EVENTS).await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 19);
    assert_eq!(
        outside.get(&format!("{EVENTS}/booking4")).await.expect(200),
        with_base(changed, &url, &outside)
    );
    let new = outside.get(&format!("{EVENTS}?syncToken={cursor}")).await.expect(200);
    assert_eq!(column(&new, "status"), ["cancelled", "confirmed"]);
    let mut again = hour("Booking", 3);
    again["id"] = "booking3".into();
    outside.insert(again).await.expect(409);
    let entry = outside.control(Method::GET, &format!("/events?account={ANA}"), None).await.expect(200);
    let last = entry.as_array().unwrap().last().unwrap();
    assert_eq!(last["history"].as_array().unwrap().len(), 2);

    outside.sandbox.stop().await;
    let once_more = SandboxClient::start_in(data.path()).await;
    assert_eq!(once_more.get(EVENTS).await.expect(200)["items"].as_array().unwrap().len(), 19);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", grant["refresh_token"].as_str().unwrap()),
        ("client_id", "sandbox-google-client"),
        ("client_secret", "sandbox-google-secret"),
    ];
    send(once_more.http.post(once_more.url("/google/token")).form(&form)).await.expect(200);
}

#[tokio::test]
async fn a_guest_who_was_told_so_has_booked() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, url) = spawn(data.path());
    let http = crate::client::client();
    let listing = "/control/ota/vrbo-sea-view-suite";
    let new = json!({ "guest": "Ana", "check_in": day(100), "check_out": day(103) });
    let stay = send(http.post(format!("{url}{listing}/bookings")).json(&new)).await.expect(201);
    child.kill().unwrap();
    child.wait().unwrap();
    tear(&data.path().join("ota.jsonl"));

    let outside = SandboxClient::start_in(data.path()).await;
    let found = send(http.get(outside.url(listing))).await.expect(200);
    assert!(found["bookings"].as_array().unwrap().contains(&stay), "{found}");
}

/// Writes half a line, as a kill in the middle of a write leaves it.
fn tear(journal: &std::path::Path) {
    let mut file = std::fs::OpenOptions::new().append(true).open(journal).unwrap();
    file.write_all(b"{\"kind\":\"written\",\"calendar\":\"ana@exam").unwrap();
}

/// Links name the address, which is another one after a restart on a free port.
fn with_base(event: serde_json::Value, old: &str, outside: &SandboxClient) -> serde_json::Value {
    let link = event["htmlLink"].as_str().unwrap().replace(old, &outside.sandbox.url());
    let mut event = event;
    event["htmlLink"] = link.into();
    event
}

#[tokio::test]
async fn microsoft_state_survives_kill() {
    let data = tempfile::tempdir().unwrap();
    let (mut child, url) = spawn(data.path());
    let http = crate::client::client();
    let graph = |path: &str| format!("{url}/microsoft/v1.0{path}");
    let grant = json!({ "provider": "microsoft", "account": crate::graph::EVA });
    let grant = send(http.post(format!("{url}/control/grants")).json(&grant)).await.expect(201);
    let token = grant["access_token"].as_str().unwrap();
    let prefer = ("Prefer", "IdType=\"ImmutableId\"");
    let post = |body: serde_json::Value| {
        send(http.post(graph("/me/events")).bearer_auth(token).header(prefer.0, prefer.1).json(&body))
    };
    let mut body = crate::graph::event("Booking", 9);
    body["transactionId"] = "b1".into();
    let kept = post(body.clone()).await.expect(201);
    let gone = post(crate::graph::event("Gone", 9)).await.expect(201);
    let first = format!("/me/calendarView/delta?{}", crate::graph::FEBRUARY);
    let page = send(http.get(graph(&first)).bearer_auth(token)).await.expect(200);
    let cursor = page["@odata.deltaLink"].as_str().unwrap().strip_prefix(&url).unwrap().to_owned();
    let path = format!("/me/events/{}", gone["id"].as_str().unwrap());
    send(http.delete(graph(&path)).bearer_auth(token)).await.expect(204);
    let mut listener = NotificationListener::start(ValidationReply::Right).await;
    let made: chrono::DateTime<chrono::Utc> = kept["createdDateTime"].as_str().unwrap().parse().unwrap();
    let subscription = json!({
        "changeType": "updated", "notificationUrl": listener.url, "resource": "me/events",
        "expirationDateTime": (made + chrono::Duration::days(1)).to_rfc3339(),
    });
    let request = http.post(graph("/subscriptions")).bearer_auth(token).json(&subscription);
    let subscription = send(request).await.expect(201);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", grant["refresh_token"].as_str().unwrap()),
        ("client_id", "sandbox-microsoft-client"),
        ("client_secret", "sandbox-microsoft-secret"),
    ];
    let endpoint = "/microsoft/common/oauth2/v2.0/token";
    send(http.post(format!("{url}{endpoint}")).form(&form)).await.expect(200);
    child.kill().unwrap();
    child.wait().unwrap();
    tear(&data.path().join("microsoft.jsonl"));

    let mut again = crate::graph::GraphTestClient::start_in(data.path()).await;
    again.token = token.into();
    let twice = again.write(Method::POST, "/me/events", body).await;
    assert_eq!(twice.body["error"]["@event.existingEventId"], kept["id"]);
    // Among the deleted items.
    again.read(&path).await.expect(200);
    let (new, _) = again.round(&again.url(&cursor)).await;
    assert_eq!((new.len(), &new[0]["id"]), (1, &gone["id"]));
    // The refresh token that was replaced before the kill still works.
    send(again.http.post(again.url(endpoint)).form(&form)).await.expect(200);
    let change = format!("/me/events/{}", kept["id"].as_str().unwrap());
    again.write(Method::PATCH, &change, json!({ "subject": "Changed" })).await.expect(200);
    assert_eq!(listener.next().await.body["value"][0]["subscriptionId"], subscription["id"]);
}

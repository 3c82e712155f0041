//! Writes to a Microsoft that answers out of order.

use chrono_tz::Tz;
use concord_domain::entry::{EntryContent, EntryTime};
use concord_providers::CalendarProvider;
use serde_json::json as value;

use crate::{
    inputs::{code, content, window},
    microsoft::{event, microsoft, token},
    server::{CannedReply, CannedServer, header, json},
};

#[tokio::test]
async fn writes_say_what_they_must() {
    let content = content();
    let mut event = event("Massage");
    event["body"] = value!({ "contentType": "text", "content": content.description });
    // What the calendar lists, when it is asked whether it shows the event.
    event["value"] = value!([{ "id": "AAMk=" }]);
    let server = CannedServer::start(json("201 Created", &event.to_string())).await;
    let microsoft = microsoft(&server.url);
    let ours = content.entry.to_string();
    let written = microsoft.create(&token(), "AAMkc=", &ours, &content).await.unwrap();
    assert_eq!((written.external_id.as_str(), written.etag.as_str()), ("AAMk=", "W/\"2\""));
    microsoft.update(&token(), "AAMkc=", "AAMk=", &content, Some("W/\"1\"")).await.unwrap();
    microsoft.update(&token(), "AAMkc=", "AAMk=", &content, None).await.unwrap();

    let requests: Vec<String> =
        server.requests().into_iter().filter(|request| !request.starts_with("GET")).collect();
    assert_eq!(requests.len(), 3);
    assert!(requests[0].starts_with("POST /v1.0/me/calendars/AAMkc=/events HTTP/1.1"), "{}", requests[0]);
    assert!(requests[0].contains(&format!("\"transactionId\":\"concord:{ours}\"")));
    for (request, etag) in [(&requests[1], Some("W/\"1\"")), (&requests[2], None)] {
        assert!(request.starts_with("PATCH /v1.0/me/calendars/AAMkc=/events/AAMk= HTTP/1.1"), "{request}");
        assert_eq!(header(request, "if-match"), etag);
        assert!(!request.contains("transactionId"), "{request}");
    }
    for request in &requests {
        assert_eq!(header(request, "authorization"), Some("Bearer EwB.the-token"));
        assert_eq!(header(request, "content-type"), Some("application/json"));
        assert_eq!(header(request, "user-agent"), Some(concat!("Concord/", env!("CARGO_PKG_VERSION"))));
        assert!(request.contains("Name concord-entry\",\"value\":\""), "{request}");
        assert!(!request.contains("null"), "{request}");
    }
}

/// The POST of a former try came through, with what the booking said then.
#[tokio::test]
async fn a_repeated_transaction_is_brought_up_to_date() {
    let server = CannedServer::start(json("201 Created", &event("What it said before").to_string())).await;
    let ours = content().entry.to_string();
    microsoft(&server.url).create(&token(), "c", &ours, &content()).await.unwrap();
    let methods: Vec<String> =
        server.requests().iter().map(|one| one.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods[..2], ["POST", "PATCH"]);
}

#[tokio::test]
async fn a_zone_that_the_mailbox_does_not_know_is_written_in_utc() {
    let body = r#"{"error": {"code": "TimeZoneNotSupportedException", "message": "A valid TimeZone value must be specified."}}"#;
    let server = CannedServer::start(json("400 Bad Request", body)).await;
    let content = EntryContent {
        time: EntryTime::Timed {
            starts_at: window().start,
            ends_at: window().end,
            zone: Tz::Asia__Kathmandu,
        },
        ..content()
    };
    let ours = content.entry.to_string();
    assert_eq!(code(microsoft(&server.url).create(&token(), "c", &ours, &content).await), "rejected");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].contains("\"timeZone\":\"") && !requests[0].contains("\"timeZone\":\"UTC\""));
    assert!(requests[1].contains("\"timeZone\":\"UTC\""));
    assert!(requests[1].contains("Asia/Kathmandu"), "the zone is kept: {}", requests[1]);
}

/// The times and the title are written first, the text around what people added to it then.
#[tokio::test]
async fn update_that_is_refused_in_its_second_part_may_have_happened() {
    type GraphSecondReply = fn(&str) -> CannedReply;
    let refusals: [(GraphSecondReply, &str); 3] = [
        (|said| second_part(said, "412 Precondition Failed", "ErrorIrresolvableConflict"), "precondition"),
        (|said| second_part(said, "404 Not Found", "ErrorItemNotFound"), "not_found"),
        (|said| second_part(said, "429 Too Many Requests", "ApplicationThrottled"), "rate_limited"),
    ];
    for (reply, cause) in refusals {
        let server = CannedServer::start(CannedReply::To(reply)).await;
        let updated = microsoft(&server.url).update(&token(), "AAMkc=", "AAMk=", &content(), Some("e")).await;
        let Err(error) = updated else { panic!("{updated:?}") };
        assert!(!error.is_definite(), "{error:?}");
        assert_eq!(error.cause().code(), cause);
        let asked = server.requests();
        let methods: Vec<&str> = asked.iter().filter_map(|request| request.split(' ').next()).collect();
        assert_eq!(methods, ["PATCH", "GET", "PATCH"]);
    }
}

fn second_part(request: &str, status: &str, code: &str) -> CannedReply {
    if request.contains("\"body\"") {
        return json(status, &value!({ "error": { "code": code, "message": "m" } }).to_string());
    }
    let text = value!({ "contentType": "text", "content": "of old" });
    json("200 OK", &value!({ "id": "AAMk=", "@odata.etag": "e2", "body": text }).to_string())
}

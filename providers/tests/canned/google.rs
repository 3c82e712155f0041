//! Google answering out of order: nothing that a server sends may panic, be taken for success, or lose its meaning.

use std::{sync::Arc, time::Duration};

use concord_domain::clock::Clock;
use concord_providers::{
    CalendarProvider, GoogleCalendar, GoogleEndpoints, HttpClient, HttpConfig, ProviderCredentials,
    ProviderError, SyncPosition,
};
use url::Url;

use crate::{
    inputs::{code, content, window},
    server::{CannedReply, CannedServer, answer_of, header, json},
};

fn google(url: &Url) -> GoogleCalendar {
    let config = HttpConfig {
        request_timeout: Duration::from_secs(2),
        max_body_bytes: 10_000,
        ..HttpConfig::default()
    };
    GoogleCalendar::new(&GoogleEndpoints::below(url), HttpClient::new(config).unwrap(), Clock::system())
        .unwrap()
}

fn token() -> ProviderCredentials {
    ProviderCredentials::Bearer("ya29.the-token".into())
}

/// The outcome's code of every method of the trait, by name.
async fn codes(google: &GoogleCalendar) -> Vec<(&'static str, &'static str)> {
    let token = token();
    vec![
        ("account", code(google.account(&token).await)),
        ("calendars", code(google.calendars(&token).await)),
        ("create", code(google.create(&token, "c", "e", &content()).await)),
        ("update", code(google.update(&token, "c", "e", &content(), Some("\"1\"")).await)),
        ("remove", code(google.remove(&token, "c", "e").await)),
        ("find", code(google.find(&token, "c", "e").await)),
        ("changes", code(google.changes(&token, "c", window(), &SyncPosition::Start).await)),
        ("busy", code(google.busy(&token, "c", window()).await)),
    ]
}

async fn all_are(reply: CannedReply, expected: &str) {
    let server = CannedServer::start(reply).await;
    for (method, code) in codes(&google(&server.url)).await {
        assert_eq!(code, expected, "{method}");
    }
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    all_are(answer_of("200 OK", "text/html", "", "<html>Sign in to the hotel's wifi</html>"), "transient")
        .await;
    for status in
        ["302 Found", "403 Forbidden", "404 Not Found", "410 Gone", "412 Precondition Failed", "502 Bad"]
    {
        all_are(answer_of(status, "text/html", "", "<html>Error!!1</html>"), "transient").await;
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_none() {
    let half = "{\"kind\": \"calendar#events\", \"items\": [{\"id\": \"abc";
    all_are(json("200 OK", half), "transient").await;
    let cut =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n{half}");
    all_are(CannedReply::Bytes(cut.into_bytes()), "transient").await;
    all_are(CannedReply::Bytes(Vec::new()), "transient").await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_none() {
    let body = format!("{{\"items\": [], \"nextSyncToken\": \"{}\"}}", "x".repeat(20_000));
    all_are(json("200 OK", &body), "transient").await;
}

#[tokio::test]
async fn an_answer_of_another_form_is_none() {
    for body in ["[]", "null", "1", "{\"items\": 7, \"id\": [], \"etag\": {}, \"sub\": 1, \"calendars\": []}"]
    {
        all_are(json("200 OK", body), "transient").await;
    }
}

#[tokio::test]
async fn silence_is_passing_and_the_call_is_hung_up() {
    let mut server = CannedServer::start(CannedReply::Silence).await;
    for (method, code) in codes(&google(&server.url)).await {
        assert_eq!(code, "transient", "{method}");
        server.client_left().await;
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_is_hung_up() {
    let mut server = CannedServer::start(CannedReply::Silence).await;
    let google = Arc::new(google(&server.url));
    let calling = tokio::spawn(async move { google.calendars(&token()).await });
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    calling.abort();
    server.client_left().await;
}

#[tokio::test]
async fn find_moved_unreadable_event_is_transient() {
    let server =
        CannedServer::start(json("200 OK", r#"{"id": "e", "etag": "\"1\"", "start": "tomorrow"}"#)).await;
    let google = google(&server.url);
    let found = google.find(&token(), "c", "e").await.unwrap();
    assert!(found.is_some_and(|found| found.unreadable && !found.deleted));
    assert_eq!(code(google.find_moved(&token(), "c", content().entry, "e").await), "transient");
}

#[tokio::test]
async fn refusals_keep_their_wait() {
    let body = r#"{"error": {"code": 403, "message": "m", "errors": [{"reason": "userRateLimitExceeded"}]}}"#;
    let server =
        CannedServer::start(answer_of("403 Forbidden", "application/json", "retry-after: 17\r\n", body))
            .await;
    let google = google(&server.url);
    let by_read = google.calendars(&token()).await.map(|_| ()).unwrap_err();
    let by_write = google.remove(&token(), "c", "e").await.unwrap_err();
    for error in [by_read, by_write] {
        let expected = Some(Duration::from_secs(17));
        assert!(
            matches!(error, ProviderError::RateLimited { retry_after } if retry_after == expected),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_dead_token_is_unauthorized_everywhere() {
    let body =
        r#"{"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}}"#;
    all_are(json("401 Unauthorized", body), "unauthorized").await;
}

#[tokio::test]
async fn ids_stay_in_their_place() {
    let body = r#"{"error": {"code": 404, "message": "Not Found", "errors": [{"reason": "notFound"}]}}"#;
    let server = CannedServer::start(json("404 Not Found", body)).await;
    let google = google(&server.url);
    let (calendar, event) = ("a/b%2F..#c?d=1&e ü", "../{calendarId}");
    let expected = "/calendar/v3/calendars/a%2Fb%252F..%23c%3Fd%3D1%26e%20%C3%BC/events";
    assert_eq!(google.find(&token(), calendar, event).await.unwrap(), None);
    google.remove(&token(), calendar, event).await.unwrap();
    google.update(&token(), calendar, event, &content(), None).await.unwrap_err();
    google.create(&token(), calendar, event, &content()).await.unwrap_err();
    google.changes(&token(), calendar, window(), &SyncPosition::Start).await.unwrap_err();
    for request in server.requests() {
        let line = request.lines().next().unwrap();
        assert!(line.contains(expected), "{line}");
        if line.starts_with("GET") && !line.contains('?')
            || line.starts_with("PATCH")
            || line.starts_with("DELETE")
        {
            assert!(line.contains("/events/..%2F%7BcalendarId%7D"), "{line}");
        }
        assert_eq!(header(&request, "authorization"), Some("Bearer ya29.the-token"));
    }
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn an_id_that_is_a_step_in_the_path_is_nowhere() {
    let server = CannedServer::start(json("200 OK", "{}")).await;
    let google = google(&server.url);
    for nowhere in ["", ".", ".."] {
        assert_eq!(google.find(&token(), "c", nowhere).await.unwrap_err().code(), "not_found");
        assert_eq!(google.remove(&token(), nowhere, "e").await.unwrap_err().code(), "not_found");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn writes_say_what_they_must() {
    let server = CannedServer::start(json("200 OK", r#"{"id": "e", "etag": "\"2\""}"#)).await;
    let google = google(&server.url);
    let written = google.update(&token(), "c", "e", &content(), Some("\"1\"")).await.unwrap();
    assert_eq!(written.etag, "\"2\"");
    google.update(&token(), "c", "e", &content(), None).await.unwrap();
    google.create(&token(), "c", "e", &content()).await.unwrap();
    let requests = server.requests();
    assert_eq!(header(&requests[0], "if-match"), Some("\"1\""));
    assert_eq!(header(&requests[1], "if-match"), None);
    for request in &requests {
        assert!(request.lines().next().unwrap().contains("?sendUpdates=none"));
        assert!(!request.contains("attendees") && !request.contains("attachments"), "{request}");
    }
    assert!(!requests[2].contains("null"), "{}", requests[2]);
    assert!(requests[2].contains("\"id\":\"e\""));
    assert!(!requests[0].contains("\"id\":\"e\""));
}

#[tokio::test]
async fn a_token_that_is_no_header_value_is_not_sent() {
    let server = CannedServer::start(json("200 OK", "{}")).await;
    let google = google(&server.url);
    let token = ProviderCredentials::Bearer("a\nb".into());
    assert_eq!(google.calendars(&token).await.unwrap_err().code(), "unauthorized");
    assert_eq!(google.remove(&token, "c", "e").await.unwrap_err().code(), "unauthorized");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let server = CannedServer::start(json("200 OK", r#"{"items": [], "nextPageToken": "again"}"#)).await;
    assert_eq!(google(&server.url).calendars(&token()).await.unwrap_err().code(), "transient");
    assert_eq!(server.requests().len(), 40);
}

/// The times and the title are written first, the text around what people added to it then.
#[tokio::test]
async fn update_that_is_refused_in_its_second_part_may_have_happened() {
    type GoogleSecondReply = fn(&str) -> CannedReply;
    let refusals: [(GoogleSecondReply, &str); 3] = [
        (|request| second_part(request, "412 Precondition Failed"), "precondition"),
        (|request| second_part(request, "404 Not Found"), "not_found"),
        (|request| second_part(request, "429 Too Many Requests"), "rate_limited"),
    ];
    for (reply, cause) in refusals {
        let server = CannedServer::start(CannedReply::To(reply)).await;
        let updated = google(&server.url).update(&token(), "c", "e", &content(), Some("\"1\"")).await;
        let Err(error) = updated else { panic!("{updated:?}") };
        assert!(!error.is_definite(), "{error:?}");
        assert_eq!(error.cause().code(), cause);
        assert_eq!(server.requests().len(), 2);
    }
}

fn second_part(request: &str, status: &str) -> CannedReply {
    if request.contains("\"description\"") {
        return json(status, r#"{"error": {"message": "m"}}"#);
    }
    json("200 OK", r#"{"id": "e", "etag": "\"2\"", "description": "of old", "start": {}, "end": {}}"#)
}

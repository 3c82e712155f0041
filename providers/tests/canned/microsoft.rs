//! Microsoft answering out of order: nothing that a server sends may panic, be taken for success, lose its meaning, or
//! lead the token elsewhere.

use std::{sync::Arc, time::Duration};

use concord_domain::clock::Clock;
use concord_providers::{
    CalendarProvider, HttpClient, HttpConfig, MicrosoftCalendar, MicrosoftEndpoints, NextPage,
    ProviderCredentials, ProviderError, SyncPosition,
};
use futures::future::join_all;
use serde_json::json as value;
use url::Url;

use crate::{
    inputs::{code, content, window},
    server::{CannedReply, CannedServer, answer_of, header, json},
};

pub(crate) fn microsoft(url: &Url) -> MicrosoftCalendar {
    let config = HttpConfig {
        request_timeout: Duration::from_secs(2),
        max_body_bytes: 10_000,
        ..HttpConfig::default()
    };
    let http = HttpClient::new(config).unwrap();
    MicrosoftCalendar::new(&MicrosoftEndpoints::below(url), http, Clock::system()).unwrap()
}

pub(crate) fn token() -> ProviderCredentials {
    ProviderCredentials::Bearer("EwB.the-token".into())
}

/// As Graph gives it back.
pub(crate) fn event(title: &str) -> serde_json::Value {
    value!({ "id": "AAMk=", "@odata.etag": "W/\"2\"", "subject": title, "showAs": "busy",
        "start": { "dateTime": "2026-03-01T00:00:00.0000000", "timeZone": "UTC" },
        "end": { "dateTime": "2026-04-01T00:00:00.0000000", "timeZone": "UTC" } })
}

/// The outcome's code of every method of the trait, by name.
async fn codes(microsoft: &MicrosoftCalendar) -> Vec<(&'static str, &'static str)> {
    let (token, ours) = (token(), content().entry.to_string());
    vec![
        ("account", code(microsoft.account(&token).await)),
        ("calendars", code(microsoft.calendars(&token).await)),
        ("create", code(microsoft.create(&token, "c", &ours, &content()).await)),
        ("create again", code(microsoft.create(&token, "c", "e", &content()).await)),
        ("update", code(microsoft.update(&token, "c", "e", &content(), Some("W/\"1\"")).await)),
        ("remove", code(microsoft.remove(&token, "c", "e").await)),
        ("find", code(microsoft.find(&token, "c", "e").await)),
        ("find ours", code(microsoft.find(&token, "c", &ours).await)),
        ("changes", code(microsoft.changes(&token, "c", window(), &SyncPosition::Start).await)),
        ("busy", code(microsoft.busy(&token, "c", window()).await)),
    ]
}

async fn all_are(reply: CannedReply, expected: &str) {
    let server = CannedServer::start(reply).await;
    for (method, code) in codes(&microsoft(&server.url)).await {
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
async fn json_that_says_to_be_something_else_is_no_answer() {
    let body = value!({ "value": [], "@odata.deltaLink": "x", "id": "i", "@odata.etag": "e" }).to_string();
    all_are(answer_of("200 OK", "text/plain", "", &body), "transient").await;
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_none() {
    let half = "{\"value\": [{\"id\": \"abc";
    all_are(json("200 OK", half), "transient").await;
    let cut =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n{half}");
    all_are(CannedReply::Bytes(cut.into_bytes()), "transient").await;
    all_are(CannedReply::Bytes(Vec::new()), "transient").await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_none() {
    let body = format!("{{\"value\": [], \"x\": \"{}\"}}", "x".repeat(20_000));
    all_are(json("200 OK", &body), "transient").await;
}

#[tokio::test]
async fn an_answer_of_another_form_is_none() {
    for body in ["[]", "null", "1", "{\"value\": 7, \"id\": [], \"subject\": {}}"] {
        all_are(json("200 OK", body), "transient").await;
    }
}

#[tokio::test]
async fn silence_is_passing_and_the_call_is_hung_up() {
    let mut server = CannedServer::start(CannedReply::Silence).await;
    for (method, code) in codes(&microsoft(&server.url)).await {
        assert_eq!(code, "transient", "{method}");
        server.client_left().await;
    }
}

#[tokio::test]
async fn a_dead_token_is_unauthorized_everywhere() {
    let body = r#"{"error": {"code": "InvalidAuthenticationToken", "message": "Access token has expired."}}"#;
    all_are(json("401 Unauthorized", body), "unauthorized").await;
}

#[tokio::test]
async fn throttling_keeps_its_wait() {
    let body = r#"{"error": {"code": "ApplicationThrottled", "message": "MailboxConcurrency limit."}}"#;
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let server =
            CannedServer::start(answer_of(status, "application/json", "retry-after: 17\r\n", body)).await;
        let error = microsoft(&server.url).remove(&token(), "c", "e").await.unwrap_err();
        let expected = Some(Duration::from_secs(17));
        assert!(
            matches!(error, ProviderError::RateLimited { retry_after } if retry_after == expected),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn no_more_than_four_calls_at_once_go_to_a_mailbox() {
    let server = CannedServer::start(CannedReply::Silence).await;
    let microsoft = Arc::new(microsoft(&server.url));
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let microsoft = microsoft.clone();
            tokio::spawn(async move { microsoft.account(&token()).await })
        })
        .collect();
    while server.requests().len() < 4 {
        tokio::task::yield_now().await;
    }
    // Another mailbox does not wait: once it has been heard, a fifth of the first would have been too.
    let other = ProviderCredentials::Bearer("another-token".into());
    let others = tokio::spawn({
        let microsoft = microsoft.clone();
        async move { microsoft.account(&other).await }
    });
    while !server.requests().iter().any(|one| one.contains("another-token")) {
        tokio::task::yield_now().await;
    }
    let of_the_first = server.requests().iter().filter(|one| one.contains("EwB.the-token")).count();
    assert_eq!(of_the_first, 4);
    for outcome in join_all(calls).await {
        assert_eq!(code(outcome.unwrap()), "transient");
    }
    others.await.unwrap().unwrap_err();
    assert_eq!(server.requests().len(), 7);
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_not_followed() {
    let elsewhere = CannedServer::start(json("200 OK", "{\"value\": []}")).await;
    let link = format!("{}v1.0/me/calendars?$skip=1", elsewhere.url);
    for name in ["@odata.nextLink", "@odata.deltaLink"] {
        let server =
            CannedServer::start(json("200 OK", &value!({ "value": [], name: link }).to_string())).await;
        let microsoft = microsoft(&server.url);
        let read = microsoft.changes(&token(), "c", window(), &SyncPosition::Start).await;
        assert_eq!(code(read), "transient", "{name}");
        if name == "@odata.nextLink" {
            assert_eq!(code(microsoft.calendars(&token()).await), "transient");
            assert_eq!(code(microsoft.busy(&token(), "c", window()).await), "transient");
        }
    }
    assert!(elsewhere.requests().is_empty(), "the token travelled on");
}

#[tokio::test]
async fn a_kept_link_that_leads_elsewhere_is_an_expired_cursor() {
    let server = CannedServer::start(json("200 OK", "{\"value\": []}")).await;
    let microsoft = microsoft(&server.url);
    for link in ["https://graph.microsoft.com/v1.0/me/x", "nonsense", ""] {
        for from in [
            SyncPosition::Cursor(link.to_owned()),
            SyncPosition::Page { page: link.to_owned(), cursor: None },
        ] {
            assert_eq!(code(microsoft.changes(&token(), "c", window(), &from).await), "cursor_expired");
        }
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn links_are_followed_as_they_are() {
    let server = CannedServer::start(json("200 OK", "{\"value\": []}")).await;
    let microsoft = microsoft(&server.url);
    let link = format!("{}v1.0/me/calendars/c/calendarView/delta?$deltatoken=R0us%3d&a=ü", server.url);
    let read = microsoft.changes(&token(), "c", window(), &SyncPosition::Cursor(link)).await;
    // An end without a link is not taken for complete.
    assert_eq!(code(read), "transient");
    let line = server.requests()[0].lines().next().unwrap().to_owned();
    assert_eq!(line, "GET /v1.0/me/calendars/c/calendarView/delta?$deltatoken=R0us%3d&a=%C3%BC HTTP/1.1");
}

#[tokio::test]
async fn a_page_names_what_follows() {
    for (name, is_page) in [("@odata.nextLink", true), ("@odata.deltaLink", false)] {
        // The server's own address is only known once it runs; what it names is below the path that we call.
        let server = CannedServer::start_with(move |url| {
            let link = format!("{url}v1.0/me/calendars/c/calendarView/delta?$token=t");
            json("200 OK", &value!({ "value": [event("x"), {}], name: link }).to_string())
        })
        .await;
        let page =
            microsoft(&server.url).changes(&token(), "c", window(), &SyncPosition::Start).await.unwrap();
        assert_eq!(page.entries.len(), 1, "an item without an id is left out");
        assert_eq!(matches!(page.next, NextPage::Page(_)), is_page);
        let request = &server.requests()[0];
        let line = request.lines().next().unwrap();
        assert!(
            line.starts_with(
                "GET /v1.0/me/calendars/c/calendarView/delta()?startDateTime=2026-03-01T00%3A00%3A00Z&endDateTime=2026-04-01"
            ),
            "{line}"
        );
        let prefer = header(request, "prefer").unwrap();
        for part in ["IdType=\"ImmutableId\"", "outlook.timezone=\"UTC\"", "odata.maxpagesize=250"] {
            assert!(prefer.contains(part), "{prefer}");
        }
    }
}

/// An occurrence whose series cannot be understood says when it is all the same, and so do the others of its page.
#[tokio::test]
async fn series_of_another_form_does_not_fail_the_page() {
    fn say(request: &str) -> CannedReply {
        if request.starts_with("GET /v1.0/me/calendars/c/events/") {
            return json("200 OK", &value!({ "id": "S=", "type": 7, "start": "soon" }).to_string());
        }
        let mut occurrence = event("");
        occurrence["id"] = "O=".into();
        occurrence["seriesMasterId"] = "S=".into();
        occurrence.as_object_mut().unwrap().remove("showAs");
        let host = header(request, "host").unwrap();
        let link = format!("http://{host}/v1.0/me/calendars/c/calendarView/delta?$deltatoken=t");
        let page = value!({ "value": [occurrence, event("Dentist")], "@odata.deltaLink": link });
        json("200 OK", &page.to_string())
    }
    let server = CannedServer::start(CannedReply::To(say)).await;
    let microsoft = microsoft(&server.url);
    let page = microsoft.changes(&token(), "c", window(), &SyncPosition::Start).await.unwrap();
    let busy: Vec<_> = page.entries.iter().map(|one| (one.external_id.as_str(), one.busy)).collect();
    assert_eq!(busy, [("O=", true), ("AAMk=", true)]);

    let found = microsoft.find(&token(), "c", "S=").await.unwrap().unwrap();
    assert!(found.unreadable && !found.deleted, "{found:?}");
}

#[tokio::test]
async fn ids_that_are_none_reach_nothing() {
    let server = CannedServer::start(json("200 OK", "{}")).await;
    let microsoft = microsoft(&server.url);
    for nowhere in ["", ".", "..", "a/b", "a%2Fb", "a?b", "a#b", "{{RID}}", "ümläut"] {
        assert_eq!(microsoft.find(&token(), "c", nowhere).await.unwrap(), None, "{nowhere:?}");
        assert_eq!(microsoft.find(&token(), nowhere, "e").await.unwrap(), None, "{nowhere:?}");
        microsoft.remove(&token(), "c", nowhere).await.unwrap();
        assert_eq!(code(microsoft.remove(&token(), nowhere, "e").await), "not_found");
        assert_eq!(code(microsoft.update(&token(), "c", nowhere, &content(), None).await), "not_found");
        assert_eq!(code(microsoft.create(&token(), nowhere, "e", &content()).await), "not_found");
        assert_eq!(code(microsoft.busy(&token(), nowhere, window()).await), "not_found");
        assert_eq!(
            code(microsoft.changes(&token(), nowhere, window(), &SyncPosition::Start).await),
            "not_found"
        );
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_token_that_is_no_header_value_and_a_password_are_not_sent() {
    let server = CannedServer::start(json("200 OK", "{}")).await;
    let microsoft = microsoft(&server.url);
    let password = ProviderCredentials::Password {
        user: "ana".into(),
        password: "hush".into(),
        home: server.url.clone(),
        zone: chrono_tz::Tz::UTC,
    };
    for credentials in [ProviderCredentials::Bearer("a\nb".into()), password] {
        assert_eq!(code(microsoft.calendars(&credentials).await), "unauthorized");
        assert_eq!(code(microsoft.remove(&credentials, "c", "e").await), "unauthorized");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let server = CannedServer::start_with(|url| {
        let link = format!("{url}v1.0/me/calendars?$skip=1");
        json("200 OK", &value!({ "value": [], "@odata.nextLink": link }).to_string())
    })
    .await;
    assert_eq!(code(microsoft(&server.url).calendars(&token()).await), "transient");
    assert_eq!(server.requests().len(), 40);
}

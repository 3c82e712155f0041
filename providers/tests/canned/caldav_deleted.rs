//! A calendar that was deleted, at servers that say something else of it than that it is not there.

use concord_providers::{CalendarProvider, SyncPosition};

use crate::{
    caldav::{CALENDAR, HOME, caldav, credentials, multistatus},
    inputs::{code, content, window},
    server::{CannedReply, CannedServer, answer_of},
};

const PAGE: &str = "<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body>Mailbox does not exist</body></html>";

/// Cyrus: the account lists its calendars, and all that is asked of one that is gone is refused with a page for people.
fn say(request: &str, listed: &str) -> CannedReply {
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "PROPFIND" && path == HOME {
        return multistatus(&format!(
            r#"<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><response><href>{listed}</href><propstat><prop><resourcetype><collection/><c:calendar/></resourcetype></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#
        ));
    }
    answer_of("403 Forbidden", "text/html; charset=utf-8", "", PAGE)
}

fn it_is_gone(request: &str) -> CannedReply {
    say(request, "/dav/ana@example.com/another/")
}

fn it_is_closed(request: &str) -> CannedReply {
    say(request, "/dav/ana%40example.com/cal")
}

async fn outcomes(reply: fn(&str) -> CannedReply) -> Vec<(&'static str, &'static str)> {
    let server = CannedServer::start(CannedReply::To(reply)).await;
    let (caldav, access) = (caldav(), credentials(&server.url));
    let cursor = r#"{"zone":"UTC","mark":{"token":"urn:t:1"}}"#.to_owned();
    vec![
        ("create", code(caldav.create(&access, CALENDAR, "e.ics", &content()).await)),
        ("update", code(caldav.update(&access, CALENDAR, "e.ics", &content(), Some("\"1\"")).await)),
        ("update any", code(caldav.update(&access, CALENDAR, "e.ics", &content(), None).await)),
        ("remove", code(caldav.remove(&access, CALENDAR, "e.ics").await)),
        ("find", code(caldav.find(&access, CALENDAR, "e.ics").await)),
        ("changes", code(caldav.changes(&access, CALENDAR, window(), &SyncPosition::Start).await)),
        ("since", code(caldav.changes(&access, CALENDAR, window(), &SyncPosition::Cursor(cursor)).await)),
        ("busy", code(caldav.busy(&access, CALENDAR, window()).await)),
    ]
}

#[tokio::test]
async fn a_calendar_that_answers_403_and_is_not_listed_is_gone() {
    for (method, code) in outcomes(it_is_gone).await {
        let expected = match method {
            "remove" | "find" => "ok",
            // Read from its beginning, it is gone.
            "since" => "cursor_expired",
            _ => "not_found",
        };
        assert_eq!(code, expected, "{method}");
    }
}

#[tokio::test]
async fn a_calendar_that_answers_403_and_is_listed_is_closed() {
    for (method, code) in outcomes(it_is_closed).await {
        let expected = if method == "since" { "cursor_expired" } else { "rejected" };
        assert_eq!(code, expected, "{method}");
    }
}

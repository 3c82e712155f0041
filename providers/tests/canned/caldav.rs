//! CalDAV servers as they are, and out of order: one and the same thing said in many ways, and nothing that a server sends
//! may panic, be taken for success, or lose its meaning.

use std::time::{Duration, Instant};

use chrono_tz::Tz;
use concord_domain::clock::Clock;
use concord_providers::{
    Caldav, CalendarProvider, HttpClient, HttpConfig, ProviderCredentials, ProviderError, SsrfGuard,
    SyncPosition, caldav::CaldavLogin,
};
use url::Url;

use crate::{
    inputs::{code, content, window},
    server::{CannedReply, CannedServer, answer_of, header},
};

pub(crate) const HOME: &str = "/dav/ana@example.com/";
pub(crate) const CALENDAR: &str = "/dav/ana@example.com/cal/";

pub(crate) fn caldav() -> Caldav {
    let config = HttpConfig {
        request_timeout: Duration::from_secs(2),
        max_body_bytes: 10_000,
        ..HttpConfig::default()
    };
    let guard = SsrfGuard::of("providers.caldav.allowed_hosts").allowing(["127.0.0.1"]);
    Caldav::new(HttpClient::new(config).unwrap().guarded_for_passwords(guard).unwrap(), Clock::system())
}

pub(crate) fn credentials(server: &Url) -> ProviderCredentials {
    ProviderCredentials::Password {
        user: "ana@example.com".to_owned(),
        password: "app-pass-word".into(),
        home: server.join(HOME).unwrap(),
        zone: Tz::America__New_York,
    }
}

/// The outcome's code of every method of the trait, by name.
async fn codes(url: &Url) -> Vec<(&'static str, &'static str)> {
    let (caldav, access) = (caldav(), credentials(url));
    vec![
        ("account", code(caldav.account(&access).await)),
        ("calendars", code(caldav.calendars(&access).await)),
        ("create", code(caldav.create(&access, CALENDAR, "e.ics", &content()).await)),
        ("update", code(caldav.update(&access, CALENDAR, "e.ics", &content(), Some("\"1\"")).await)),
        ("update any", code(caldav.update(&access, CALENDAR, "e.ics", &content(), None).await)),
        ("remove", code(caldav.remove(&access, CALENDAR, "e.ics").await)),
        ("find", code(caldav.find(&access, CALENDAR, "e.ics").await)),
        ("changes", code(caldav.changes(&access, CALENDAR, window(), &SyncPosition::Start).await)),
        ("busy", code(caldav.busy(&access, CALENDAR, window()).await)),
    ]
}

const WRITES: [&str; 4] = ["create", "update", "update any", "remove"];

pub(crate) fn multistatus(body: &str) -> CannedReply {
    answer_of("207 Multi-Status", "application/xml; charset=utf-8", "", body)
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    // With a version, as a cache before it may add one.
    for extra in ["", "etag: \"page\"\r\n"] {
        let page =
            answer_of("200 OK", "text/html; charset=utf-8", extra, "<html>Sign in to the hotel's wifi");
        let server = CannedServer::start(page).await;
        for (method, code) in codes(&server.url).await {
            assert_eq!(code, "transient", "{method}");
        }
    }
}

#[tokio::test]
async fn what_is_cut_short_too_large_or_no_multistatus_tells_nothing() {
    let half = r#"<multistatus xmlns="DAV:"><response><href>/dav/"#;
    let large = format!(r#"<multistatus xmlns="DAV:"><!--{}--></multistatus>"#, "x".repeat(20_000));
    for body in ["", half, &large, "<multistatus/>", r#"<other xmlns="DAV:"/>"#, "{}", "\u{0}"] {
        let server = CannedServer::start(multistatus(body)).await;
        for (method, code) in codes(&server.url).await.into_iter().filter(|(name, _)| !WRITES.contains(name))
        {
            assert_eq!(code, "transient", "{method}: {}", body.get(..30).unwrap_or(body));
        }
    }
}

/// What it would read from our disk, or make of a few bytes.
#[tokio::test]
async fn document_types_are_refused_at_once() {
    let billions = "<!DOCTYPE m [<!ENTITY a \"aaaaaaaaaa\">\
        <!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">\
        <!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\">]>";
    let external = "<!DOCTYPE m [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>";
    for document_type in [billions, external] {
        let body = format!(
            r#"{document_type}<multistatus xmlns="DAV:"><response><href>{CALENDAR}</href><propstat><prop><displayname>&e;</displayname></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#
        );
        let server = CannedServer::start(multistatus(&body)).await;
        let began = Instant::now();
        let error = caldav().calendars(&credentials(&server.url)).await.unwrap_err();
        assert!(matches!(&error, ProviderError::Transient(why) if why.contains("multistatus")), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

/// An entry of ours with what a person added to it, in its calendar.
fn entry_and_calendar() -> CannedReply {
    let object = "BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nPRODID:x&#13;\nBEGIN:VEVENT&#13;\nUID:u&#13;\n\
        DTSTAMP:20260101T000000Z&#13;\nDTSTART:20260310T090000Z&#13;\nATTENDEE:mailto:rui@example.com&#13;\n\
        END:VEVENT&#13;\nEND:VCALENDAR&#13;\n";
    multistatus(&format!(
        r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
        <response><href>{CALENDAR}e.ics</href><propstat><prop><getetag>"1"</getetag><C:calendar-data>{object}</C:calendar-data></prop><status>HTTP/1.1 200 OK</status></propstat></response>
        <response><href>{CALENDAR}</href><propstat><prop><resourcetype><collection/><C:calendar/></resourcetype></prop><status>HTTP/1.1 200 OK</status></propstat></response>
        </multistatus>"#
    ))
}

/// Answers PUTs with this, and everything else with the entry and its calendar.
fn reply_to_puts(reply: CannedReply) -> CannedReply {
    CannedReply::Split("PUT", Box::new((reply, entry_and_calendar())))
}

fn puts(server: &CannedServer) -> Vec<String> {
    server.requests().into_iter().filter(|request| request.starts_with("PUT ")).collect()
}

/// What is written is what was read with ours in it, over that version alone.
#[tokio::test]
async fn update_writes_over_what_it_has_read() {
    let server =
        CannedServer::start(reply_to_puts(answer_of("204 No Content", "text/plain", "etag: \"2\"\r\n", "")))
            .await;
    let access = credentials(&server.url);
    for etag in [None, Some("\"1\"")] {
        let written = caldav().update(&access, CALENDAR, "e.ics", &content(), etag).await.unwrap();
        assert_eq!(written.etag, "\"2\"");
    }
    let puts = puts(&server);
    assert_eq!((puts.len(), server.requests().len()), (2, 4));
    for put in &puts {
        assert_eq!(header(put, "if-match"), Some("\"1\""));
        let lines = ["UID:u", "ATTENDEE:mailto:rui@example.com", "SUMMARY:Massage"];
        assert!(lines.iter().all(|line| put.contains(&format!("\r\n{line}\r\n"))), "{put}");
    }
    let stale = caldav().update(&access, CALENDAR, "e.ics", &content(), Some("\"0\"")).await;
    assert_eq!(code(stale), "precondition");
    assert_eq!(server.requests().len(), 5, "it was written all the same");
}

/// What others keep changing while we write is read again each time, and not forever; whoever named a version is told at
/// once.
#[tokio::test]
async fn update_of_what_keeps_changing_is_given_up() {
    let server =
        CannedServer::start(reply_to_puts(answer_of("412 Precondition Failed", "text/plain", "", ""))).await;
    let access = credentials(&server.url);
    for (etag, tries) in [(None, 3), (Some("\"1\""), 4)] {
        let update = caldav().update(&access, CALENDAR, "e.ics", &content(), etag).await;
        assert_eq!((code(update), puts(&server).len()), ("precondition", tries));
    }
}

/// The table of `errors.rs`, over the wire.
#[tokio::test]
async fn a_refused_write_means_the_same_however_it_is_said() {
    let named = |name: &str| {
        format!(r#"<D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{name}</D:error>"#)
    };
    for (status, body, created, updated) in [
        // The calendar is gone.
        ("409 Conflict", String::new(), "not_found", "not_found"),
        ("404 Not Found", String::new(), "not_found", "not_found"),
        ("410 Gone", String::new(), "not_found", "not_found"),
        // It is there, or it has changed.
        ("412 Precondition Failed", String::new(), "precondition", "precondition"),
        // Sabre, of a UID that stands elsewhere.
        ("400 Bad Request", named("<C:no-uid-conflict/>"), "precondition", "precondition"),
        (
            "403 Forbidden",
            named("<C:no-uid-conflict><D:href>/x</D:href></C:no-uid-conflict>"),
            "precondition",
            "precondition",
        ),
        ("409 Conflict", named("<C:no-uid-conflict/>"), "precondition", "precondition"),
        // Cyrus, of an entry that was moved to another calendar (RFC 6638, 3.2.4.1).
        (
            "403 Forbidden",
            named(
                "<C:unique-scheduling-object-resource><D:href>/x</D:href></C:unique-scheduling-object-resource>",
            ),
            "precondition",
            "precondition",
        ),
        // No right.
        ("403 Forbidden", String::new(), "rejected", "rejected"),
        ("403 Forbidden", named("<D:need-privileges/>"), "rejected", "rejected"),
        ("405 Method Not Allowed", String::new(), "rejected", "rejected"),
        // No room.
        ("507 Insufficient Storage", named("<D:quota-not-exceeded/>"), "rejected", "rejected"),
        ("413 Payload Too Large", String::new(), "rejected", "rejected"),
        ("403 Forbidden", named("<D:quota-not-exceeded/>"), "rejected", "rejected"),
        // Nobody's fault.
        ("401 Unauthorized", String::new(), "unauthorized", "unauthorized"),
        ("423 Locked", String::new(), "transient", "transient"),
        ("429 Too Many Requests", String::new(), "rate_limited", "rate_limited"),
        ("503 Service Unavailable", String::new(), "transient", "transient"),
        ("507 Insufficient Storage", String::new(), "transient", "transient"),
        ("302 Found", String::new(), "transient", "transient"),
        ("307 Temporary Redirect", String::new(), "transient", "transient"),
        ("301 Moved Permanently", String::new(), "rejected", "rejected"),
    ] {
        let server =
            CannedServer::start(reply_to_puts(answer_of(status, "application/xml", "", &body))).await;
        let access = credentials(&server.url);
        let made = caldav().create(&access, CALENDAR, "e.ics", &content()).await;
        let changed = caldav().update(&access, CALENDAR, "e.ics", &content(), Some("\"1\"")).await;
        assert_eq!((code(made), code(changed)), (created, updated), "{status} {body}");
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_known_however_it_is_said() {
    let cursor = || {
        SyncPosition::Cursor(
            r#"{"zone":null,"otherwise":"America/New_York","mark":{"token":"urn:t:1"}}"#.to_owned(),
        )
    };
    let named = r#"<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>"#;
    let closed = r#"<d:error xmlns:d="DAV:"><d:need-privileges/></d:error>"#;
    for (status, body, expected) in [
        ("403 Forbidden", named, "cursor_expired"),
        ("403 Forbidden", "", "cursor_expired"),
        ("400 Bad Request", "", "cursor_expired"),
        ("409 Conflict", named, "cursor_expired"),
        ("410 Gone", "", "cursor_expired"),
        ("412 Precondition Failed", "", "cursor_expired"),
        ("403 Forbidden", closed, "rejected"),
        ("404 Not Found", "", "not_found"),
        ("503 Service Unavailable", "", "transient"),
        ("401 Unauthorized", "", "unauthorized"),
    ] {
        let server = CannedServer::start(answer_of(status, "application/xml", "", body)).await;
        let read = caldav().changes(&credentials(&server.url), CALENDAR, window(), &cursor()).await;
        assert_eq!(code(read), expected, "{status} {body}");
    }
}

/// iCloud's own namespaces as defaults, Sabre's prefixes, whole addresses, paths that are encoded and not, and
/// properties that were not found in between.
#[tokio::test]
async fn calendars_are_known_in_whatever_way_they_are_written() {
    let server = CannedServer::start_with(|url| {
        multistatus(&format!(
            r#"<?xml version="1.0"?><x:multistatus xmlns:x="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav">
            <x:response><x:href>{HOME}</x:href><x:propstat><x:prop><x:resourcetype><x:collection/></x:resourcetype></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat></x:response>
            <x:response><x:href>/dav/ana%40example.com/work</x:href>
              <x:propstat><x:prop><cal:calendar-timezone/><x:current-user-privilege-set/></x:prop><x:status>HTTP/1.1 404 Not Found</x:status></x:propstat>
              <x:propstat><x:prop><x:resourcetype><x:collection/><cal:calendar/></x:resourcetype><x:displayname>Work &amp; co</x:displayname></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat></x:response>
            <response xmlns="DAV:"><href>{url}dav/ana@example.com/b%C3%BCro/</href>
              <propstat><prop><resourcetype><collection/><calendar xmlns="urn:ietf:params:xml:ns:caldav"/></resourcetype></prop><status>HTTP/2 200 </status></propstat></response>
            <x:response><x:href>/dav/ana@example.com/tasks/</x:href><x:propstat><x:prop><x:resourcetype><x:collection/><cal:calendar/></x:resourcetype><cal:supported-calendar-component-set><cal:comp name="VTODO"/></cal:supported-calendar-component-set></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat></x:response>
            <x:response><x:href>https://evil.example/dav/ana@example.com/cal/</x:href><x:propstat><x:prop><x:resourcetype><x:collection/><cal:calendar/></x:resourcetype></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat></x:response>
            </x:multistatus>"#
        ))
    })
    .await;
    let calendars = caldav().calendars(&credentials(&server.url)).await.unwrap();
    let known: Vec<(&str, &str)> =
        calendars.iter().map(|one| (one.external_id.as_str(), one.name.as_str())).collect();
    assert_eq!(
        known,
        [("/dav/ana@example.com/work/", "Work & co"), ("/dav/ana@example.com/b%C3%BCro/", "büro")]
    );
    assert!(calendars.iter().all(|one| one.writable), "who says nothing of rights refuses nothing");
}

/// A server that has stored something else than it was sent tells no version (RFC 4791, 5.3.4): it is asked for.
#[tokio::test]
async fn a_version_that_is_not_told_is_asked_for() {
    fn say(request: &str) -> CannedReply {
        match request.split(' ').next() {
            Some("PUT") => answer_of("201 Created", "text/html", "", "<title>201 Created</title>"),
            _ => multistatus(&format!(
                r#"<multistatus xmlns="DAV:"><response><href>{CALENDAR}e.ics</href><propstat><prop><getetag>"7"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#
            )),
        }
    }
    let server = CannedServer::start(CannedReply::To(say)).await;
    let written = caldav().create(&credentials(&server.url), CALENDAR, "e.ics", &content()).await.unwrap();
    assert_eq!((written.external_id.as_str(), written.etag.as_str()), ("e.ics", "\"7\""));
    assert_eq!(header(&server.requests()[0], "if-none-match"), Some("*"));
}

/// The well-known place leads on, in one or more steps, to a path or a whole address (RFC 6764, 5).
#[tokio::test]
async fn the_well_known_place_leads_to_the_account() {
    fn say(request: &str) -> CannedReply {
        let path = request.split(' ').nth(1).unwrap_or_default();
        let moved =
            |to: &str| answer_of("301 Moved Permanently", "text/html", &format!("location: {to}\r\n"), "");
        let found = |property: &str, href: &str| {
            multistatus(&format!(
                r#"<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:href>{path}</d:href><d:propstat><d:prop><{property}><d:href>{href}</d:href></{property}></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"#
            ))
        };
        match path {
            "/.well-known/caldav" => moved("/remote.php/dav"),
            "/remote.php/dav" => moved("/remote.php/dav/"),
            "/remote.php/dav/" => found("d:current-user-principal", "/remote.php/dav/principals/users/ana/"),
            "/remote.php/dav/principals/users/ana/" => {
                found("c:calendar-home-set", "/remote.php/dav/calendars/ana")
            }
            _ => answer_of("404 Not Found", "text/html", "", ""),
        }
    }
    let server = CannedServer::start(CannedReply::To(say)).await;
    let asked = CaldavLogin {
        address: server.url.as_str().to_owned(),
        user: "ana".to_owned(),
        password: "app-pass-word".into(),
    };
    let found = caldav().discover(&asked).await.unwrap();
    assert_eq!((found.home.path(), found.calendar), ("/remote.php/dav/calendars/ana/", None));
}

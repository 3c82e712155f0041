//! Objects that a server lists and does not give: they are there, and nothing else is known of them.

use concord_providers::{CalendarProvider, NextPage, SyncPosition};

use crate::{
    caldav::{CALENDAR, caldav, credentials, multistatus},
    inputs::{code, content, window},
    server::{CannedReply, CannedServer},
};

/// `(name, what is said of it)`: all that RFC 4918, 13 lets a server say of one of many.
fn answers() -> [(&'static str, String); 6] {
    let status = |line: &str| format!("<status>HTTP/1.1 {line}</status>");
    let found =
        |properties: &str| format!("<propstat><prop>{properties}</prop>{}</propstat>", status("200 OK"));
    let missing = |line: &str| {
        let nothing = "<getetag/><C:calendar-data/>";
        format!("<propstat><prop>{nothing}</prop>{}</propstat>", status(line))
    };
    let object = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u\nDTSTAMP:20260101T000000Z\n\
        DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:Dentist\nEND:VEVENT\nEND:VCALENDAR\n";
    let etag = "<getetag>\"1\"</getetag>";
    [
        ("fine.ics", found(&format!("{etag}<C:calendar-data>{object}</C:calendar-data>"))),
        ("broken.ics", status("500 Internal Server Error")),
        ("busy.ics", missing("503 Service Unavailable")),
        ("closed.ics", format!("{}{}", found(etag), missing("403 Forbidden"))),
        ("gone.ics", status("404 Not Found")),
        ("never.ics", missing("404 Not Found")),
    ]
}

/// A server that knows no tokens: all objects are listed, and given by a multiget as far as they are.
fn reply(request: &str) -> CannedReply {
    reply_with_listed(request, &["fine.ics", "broken.ics", "busy.ics", "closed.ics", "gone.ics", "never.ics"])
}

/// The same, where lists name one that is withheld alone.
fn reply_withheld(request: &str) -> CannedReply {
    reply_with_listed(request, &["closed.ics"])
}

fn reply_with_listed(request: &str, listed: &[&str]) -> CannedReply {
    let responses: String = if request.starts_with("PROPFIND") {
        format!(
            "<response><href>{CALENDAR}</href><propstat><prop><resourcetype><collection/><C:calendar/></resourcetype></prop><status>HTTP/1.1 200 OK</status></propstat></response>"
        )
    } else {
        let is_list = request.contains("calendar-query");
        let etag =
            "<propstat><prop><getetag>\"1\"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat>";
        let asked = answers()
            .into_iter()
            .filter(|(name, _)| if is_list { listed.contains(name) } else { request.contains(name) });
        let said = asked.map(|(name, said)| (name, if is_list { etag.to_owned() } else { said }));
        let responses =
            said.map(|(name, said)| format!("<response><href>{CALENDAR}{name}</href>{said}</response>"));
        responses.collect::<Vec<_>>().concat()
    };
    multistatus(&format!(
        r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{responses}</multistatus>"#
    ))
}

#[tokio::test]
async fn withheld_object_is_neither_gone_nor_the_end_of_its_page() {
    let server = CannedServer::start(CannedReply::To(reply)).await;
    let (caldav, access) = (caldav(), credentials(&server.url));
    let page = caldav.changes(&access, CALENDAR, window(), &SyncPosition::Start).await.unwrap();
    let mut seen: Vec<_> =
        page.entries.iter().map(|one| (one.external_id.as_str(), one.unreadable, one.deleted)).collect();
    seen.sort_unstable();
    let expected = [
        ("broken.ics", true, false),
        ("busy.ics", true, false),
        ("closed.ics", true, false),
        ("fine.ics", false, false),
        ("gone.ics", false, true),
        ("never.ics", false, true),
    ];
    assert_eq!((seen, page.unreadable), (expected.to_vec(), 3));

    // They are asked for again with the next read, though nothing has changed.
    let NextPage::Cursor(cursor) = page.next else { panic!("it goes on: {:?}", page.next) };
    let next = caldav.changes(&access, CALENDAR, window(), &SyncPosition::Cursor(cursor)).await.unwrap();
    assert_eq!((next.entries.len(), next.unreadable), (3, 3));
}

#[tokio::test]
async fn withheld_object_is_found_unreadable_and_not_written_over() {
    let server = CannedServer::start(CannedReply::To(reply)).await;
    let (caldav, access) = (caldav(), credentials(&server.url));
    for name in ["broken.ics", "busy.ics", "closed.ics"] {
        let found = caldav.find(&access, CALENDAR, name).await.unwrap();
        assert!(found.is_some_and(|found| found.unreadable && !found.deleted), "{name}");
        let written = caldav.update(&access, CALENDAR, name, &content(), None).await;
        assert_eq!(code(written), "transient", "{name}");
    }
    for name in ["gone.ics", "never.ics"] {
        assert_eq!(caldav.find(&access, CALENDAR, name).await.unwrap(), None, "{name}");
    }
    assert!(server.requests().iter().all(|request| !request.starts_with("PUT")));
}

#[tokio::test]
async fn find_moved_withheld_object_is_transient() {
    let server = CannedServer::start(CannedReply::To(reply)).await;
    let (caldav, access) = (caldav(), credentials(&server.url));
    let moved = async |access, name| caldav.find_moved(access, CALENDAR, content().entry, name).await;
    for name in ["broken.ics", "busy.ics", "closed.ics"] {
        assert_eq!(code(moved(&access, name).await), "transient", "{name}");
    }
    // It lists whatever it has for the UID that is asked for, and what can be read of that is not ours.
    assert_eq!(moved(&access, "gone.ics").await.unwrap(), None);

    let server = CannedServer::start(CannedReply::To(reply_withheld)).await;
    assert_eq!(code(moved(&credentials(&server.url), "gone.ics").await), "transient");
}

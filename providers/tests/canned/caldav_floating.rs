//! Times that are told in no zone, on calendars that tell theirs and on those that do not.

use chrono_tz::Tz;
use concord_domain::{
    entry::{EntryTime, ObservedEntry},
    interval::Interval,
};
use concord_providers::{CalendarProvider, NextPage, ProviderCredentials, ProviderError, SyncPosition};

use crate::{
    caldav::{CALENDAR, caldav, credentials, multistatus},
    inputs::window,
    server::{CannedReply, CannedServer},
};

const OBJECT: &str = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:u\nDTSTAMP:20260101T000000Z\n\
    DTSTART:20260310T150000\nDTEND:20260310T160000\nSUMMARY:Dentist\nEND:VEVENT\nEND:VCALENDAR\n";

/// A calendar with one object, whose own zone is as `zone` has it.
fn say(request: &str, zone: &str) -> CannedReply {
    let of = |href: &str, properties: &str| {
        format!(
            "<response><href>{href}</href><propstat><prop>{properties}</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
        )
    };
    let object = format!(r#"<getetag>"1"</getetag><c:calendar-data>{OBJECT}</c:calendar-data>"#);
    let body = if request.starts_with("REPORT") {
        let token = if request.contains("sync-collection") { "<sync-token>urn:2</sync-token>" } else { "" };
        format!("{}{token}", of(&format!("{CALENDAR}e.ics"), &object))
    } else {
        of(
            CALENDAR,
            &format!("<resourcetype><c:calendar/></resourcetype><sync-token>urn:1</sync-token>{zone}"),
        )
    };
    multistatus(&format!(
        r#"<multistatus xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">{body}</multistatus>"#
    ))
}

fn without_a_zone(request: &str) -> CannedReply {
    say(request, "")
}

fn in_tokyo(request: &str) -> CannedReply {
    say(request, "<c:calendar-timezone-id>Asia/Tokyo</c:calendar-timezone-id>")
}

fn at_home(access: ProviderCredentials, home: Tz) -> ProviderCredentials {
    match access {
        ProviderCredentials::Password { user, password, home: url, .. } => {
            ProviderCredentials::Password { user, password, home: url, zone: home }
        }
        access @ ProviderCredentials::Bearer(_) => access,
    }
}

fn starts(entry: &ObservedEntry) -> String {
    match &entry.time {
        Some(EntryTime::Timed { starts_at, .. }) => starts_at.to_rfc3339(),
        time => panic!("{time:?}"),
    }
}

async fn busy_starts(reply: fn(&str) -> CannedReply, home: Tz) -> Vec<String> {
    let server = CannedServer::start(CannedReply::To(reply)).await;
    let (caldav, access) = (caldav(), at_home(credentials(&server.url), home));
    let page = caldav.changes(&access, CALENDAR, window(), &SyncPosition::Start).await.unwrap();
    let NextPage::Cursor(cursor) = page.next else { panic!("{:?}", page.next) };
    let since = caldav.changes(&access, CALENDAR, window(), &SyncPosition::Cursor(cursor)).await.unwrap();
    let found = caldav.find(&access, CALENDAR, "e.ics").await.unwrap().unwrap();
    let busy: Vec<Interval> = caldav.busy(&access, CALENDAR, window()).await.unwrap();
    vec![starts(&page.entries[0]), starts(&since.entries[0]), starts(&found), busy[0].start.to_rfc3339()]
}

#[tokio::test]
async fn floating_times_are_the_calendars_or_else_its_owners() {
    // 15:00 on 10 March 2026, as zoneinfo tells it.
    for (reply, home, expected) in [
        (without_a_zone as fn(&str) -> CannedReply, Tz::America__New_York, "2026-03-10T19:00:00+00:00"),
        (without_a_zone, Tz::Asia__Kolkata, "2026-03-10T09:30:00+00:00"),
        (in_tokyo, Tz::America__New_York, "2026-03-10T06:00:00+00:00"),
    ] {
        assert_eq!(busy_starts(reply, home).await, [expected; 4], "{home}");
    }
}

#[tokio::test]
async fn who_moves_to_another_zone_takes_floating_times_along() {
    let server = CannedServer::start(CannedReply::To(without_a_zone)).await;
    let (caldav, access) = (caldav(), credentials(&server.url));
    let page = caldav.changes(&access, CALENDAR, window(), &SyncPosition::Start).await.unwrap();
    let NextPage::Cursor(cursor) = page.next else { panic!("{:?}", page.next) };
    let from = SyncPosition::Cursor(cursor);
    let moved = at_home(access, Tz::Europe__Lisbon);
    let read = caldav.changes(&moved, CALENDAR, window(), &from).await;
    assert!(matches!(read, Err(ProviderError::CursorExpired)), "{read:?}");
}

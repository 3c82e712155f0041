//! The few bodies that we send, as they are.

use chrono::{DateTime, Utc};
use concord_domain::interval::Interval;
use url::Url;

use super::xml::escaped;

const NAMESPACES: &str = r#"xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/""#;

/// Who we are to the server, and where our calendars are (RFC 5397, RFC 4791, 6.2.1).
pub(super) fn principal() -> String {
    propfind("<resourcetype/><current-user-principal/><C:calendar-home-set/><C:calendar-user-address-set/>")
}

/// What a calendar is (RFC 4791, 5.2), and which one invitations go to (RFC 6638, 9.2).
pub(super) fn calendars() -> String {
    propfind(
        "<resourcetype/><displayname/><current-user-privilege-set/><A:calendar-color/><C:calendar-timezone/>\
         <C:calendar-timezone-id/><C:supported-calendar-component-set/><C:schedule-default-calendar-URL/>",
    )
}

/// What a calendar is at, and its zone (RFC 6578, 4; getctag of calendarserver.org).
pub(super) fn collection_properties() -> String {
    propfind("<resourcetype/><sync-token/><S:getctag/><C:calendar-timezone/><C:calendar-timezone-id/>")
}

/// The version of an object.
pub(super) fn etag() -> String {
    propfind("<getetag/>")
}

fn propfind(properties: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><propfind {NAMESPACES}><prop>{properties}</prop></propfind>"#
    )
}

/// The names and versions of the events in a window, or of all (RFC 4791, 7.8).
pub(super) fn query(window: Option<Interval>) -> String {
    let range = window.map_or_else(String::new, |window| {
        format!(
            r#"<C:time-range start="{}" end="{}"/>"#,
            format_instant(window.start),
            format_instant(window.end)
        )
    });
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><C:calendar-query {NAMESPACES}><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{range}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#
    )
}

/// The names and versions of the events with that UID (RFC 4791, 7.8.6).
pub(super) fn query_by_uid(uid: &str) -> String {
    let uid = escaped(uid);
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><C:calendar-query {NAMESPACES}><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet">{uid}</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#
    )
}

fn format_instant(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// The objects themselves (RFC 4791, 7.9).
pub(super) fn multiget(objects: &[Url]) -> String {
    let paths: Vec<String> = objects.iter().map(|object| escaped(object.path())).collect();
    let hrefs = format!("<href>{}</href>", paths.join("</href><href>"));
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><C:calendar-multiget {NAMESPACES}><prop><getetag/><C:calendar-data/></prop>{hrefs}</C:calendar-multiget>"#
    )
}

/// What changed since `token` (RFC 6578, 3.2).
pub(super) fn sync(token: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?><sync-collection {NAMESPACES}><sync-token>{}</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"#,
        escaped(token)
    )
}

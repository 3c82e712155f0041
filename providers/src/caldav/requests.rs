//! The few requests for what is there, as they are.

use chrono::{DateTime, Utc};
use concord_domain::interval::Interval;
use http::{HeaderName, HeaderValue, header::CONTENT_TYPE};
use url::Url;

use super::xml::escaped;

const NAMESPACES: &str = r#"xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/""#;

/// A request that is answered with what resources say of themselves.
pub(super) struct DavRequest {
    pub(super) method: &'static str,
    /// 0: of the resource alone; 1: of what is in it too.
    depth: u16,
    pub(super) body: String,
}

impl DavRequest {
    pub(super) fn headers(&self) -> [(HeaderName, HeaderValue); 2] {
        let xml = HeaderValue::from_static("application/xml; charset=utf-8");
        [(HeaderName::from_static("depth"), self.depth.into()), (CONTENT_TYPE, xml)]
    }
}

/// Who we are to the server, and where our calendars are (RFC 5397, RFC 4791, 6.2.1).
pub(super) fn principal() -> DavRequest {
    propfind(
        0,
        "<resourcetype/><current-user-principal/><C:calendar-home-set/><C:calendar-user-address-set/>",
    )
}

/// What the calendars of a home are (RFC 4791, 5.2), and which one invitations go to (RFC 6638, 9.2).
pub(super) fn calendars() -> DavRequest {
    propfind(
        1,
        "<resourcetype/><displayname/><current-user-privilege-set/><A:calendar-color/><C:calendar-timezone/>\
         <C:calendar-timezone-id/><C:supported-calendar-component-set/><C:schedule-default-calendar-URL/>",
    )
}

/// What a calendar is at, and its zone (RFC 6578, 4; getctag of calendarserver.org); with `depth` 1 those of a home.
pub(super) fn collection_properties(depth: u16) -> DavRequest {
    propfind(depth, "<resourcetype/><sync-token/><S:getctag/><C:calendar-timezone/><C:calendar-timezone-id/>")
}

/// The version of an object.
pub(super) fn etag() -> DavRequest {
    propfind(0, "<getetag/>")
}

fn propfind(depth: u16, properties: &str) -> DavRequest {
    let body = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><propfind {NAMESPACES}><prop>{properties}</prop></propfind>"#
    );
    DavRequest { method: "PROPFIND", depth, body }
}

/// A report on a collection. RFC 4791 wants depth 1 for a query, RFC 6578 depth 0 for a sync.
fn report(depth: u16, body: String) -> DavRequest {
    DavRequest { method: "REPORT", depth, body }
}

/// The names and versions of the events in a window, or of all (RFC 4791, 7.8).
pub(super) fn query(window: Option<Interval>) -> DavRequest {
    let range = window.map_or_else(String::new, |window| {
        format!(
            r#"<C:time-range start="{}" end="{}"/>"#,
            format_instant(window.start),
            format_instant(window.end)
        )
    });
    let body = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><C:calendar-query {NAMESPACES}><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{range}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#
    );
    report(1, body)
}

/// The names and versions of the events with that UID (RFC 4791, 7.8.6).
pub(super) fn query_by_uid(uid: &str) -> DavRequest {
    let uid = escaped(uid);
    let body = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><C:calendar-query {NAMESPACES}><prop><getetag/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet">{uid}</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#
    );
    report(1, body)
}

fn format_instant(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// The objects themselves (RFC 4791, 7.9).
pub(super) fn multiget(objects: &[Url]) -> DavRequest {
    let paths: Vec<String> = objects.iter().map(|object| escaped(object.path())).collect();
    let hrefs = format!("<href>{}</href>", paths.join("</href><href>"));
    let body = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><C:calendar-multiget {NAMESPACES}><prop><getetag/><C:calendar-data/></prop>{hrefs}</C:calendar-multiget>"#
    );
    report(1, body)
}

/// What changed since `token` (RFC 6578, 3.2).
pub(super) fn sync(token: &str) -> DavRequest {
    let body = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><sync-collection {NAMESPACES}><sync-token>{}</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"#,
        escaped(token)
    );
    report(0, body)
}

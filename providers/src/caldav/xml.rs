//! What a server answers in XML (RFC 4918, 14; RFC 4791; RFC 6578), read into one form.
//!
//! The parser refuses document types, so nothing is expanded, keeps no stack, and stops at a number of nodes.

use chrono_tz::Tz;
use concord_domain::ical::{described_zone, named_zone};
use roxmltree::{Document, Node, ParsingOptions};

const DAV: &str = "DAV:";
const CALDAV: &str = "urn:ietf:params:xml:ns:caldav";
const CALENDAR_SERVER: &str = "http://calendarserver.org/ns/";
const APPLE: &str = "http://apple.com/ns/ical/";

/// Far more than a hundred objects with all their properties need; a list of 100,000 etags has half of it.
const MAX_NODES: u32 = 2_000_000;

/// An answer of status 207.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Multistatus {
    pub(super) responses: Vec<DavResponse>,
    /// At the end of a sync-collection report.
    pub(super) sync_token: Option<String>,
}

/// What is said of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DavResponse {
    pub(super) href: String,
    /// Of the resource as a whole, where it is said: 404, 507.
    pub(super) status: Option<u16>,
    /// Those that were found.
    pub(super) found: DavProperties,
    /// What is said of those that were not: 404 and 410 only where nothing else is.
    pub(super) refused: Option<u16>,
}

/// The properties that we ask for; empty or `None` where the server has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DavProperties {
    pub(super) current_user_principal: Option<String>,
    pub(super) calendar_home: Option<String>,
    /// `mailto:` addresses, without that.
    pub(super) mail_addresses: Vec<String>,
    pub(super) default_calendar: Option<String>,
    pub(super) is_calendar: bool,
    pub(super) display_name: Option<String>,
    pub(super) colour: Option<String>,
    /// An iCalendar object with one VTIMEZONE (RFC 4791, 5.2.2).
    pub(super) timezone: Option<String>,
    /// The name of a zone, which servers have that keep the definitions to themselves (RFC 7809, 5.2).
    pub(super) timezone_id: Option<String>,
    /// Such as VEVENT; `None`: the server does not say, so any.
    pub(super) components: Option<Vec<String>>,
    /// `None`: the server does not say.
    pub(super) privileges: Option<Vec<String>>,
    pub(super) etag: Option<String>,
    pub(super) ctag: Option<String>,
    pub(super) sync_token: Option<String>,
    pub(super) data: Option<String>,
}

/// Reads an answer of status 207. `None`: it is none.
pub(super) fn multistatus(body: &[u8]) -> Option<Multistatus> {
    let text = std::str::from_utf8(body).ok()?;
    let document = parse(text)?;
    let root = document.root_element();
    if !root.has_tag_name((DAV, "multistatus")) {
        return None;
    }
    Some(Multistatus {
        responses: children(root, DAV, "response").filter_map(response).collect(),
        sync_token: children(root, DAV, "sync-token").next().and_then(text_of),
    })
}

/// The preconditions that a refusal names (RFC 4918, 16): the names of the elements of DAV:error.
pub(super) fn conditions(body: &[u8]) -> Vec<String> {
    let Some(document) = std::str::from_utf8(body).ok().and_then(parse) else { return Vec::new() };
    let root = document.root_element();
    if !root.has_tag_name((DAV, "error")) {
        return Vec::new();
    }
    root.children().filter(Node::is_element).map(|node| node.tag_name().name().to_owned()).collect()
}

/// Text as the content of an element.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn parse(text: &str) -> Option<Document<'_>> {
    // A byte order mark and blanks before the declaration are what the standard forbids and some servers send.
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).ok()
}

fn response(node: Node<'_, '_>) -> Option<DavResponse> {
    let mut response = DavResponse {
        href: children(node, DAV, "href").next().and_then(text_of)?,
        status: children(node, DAV, "status").next().and_then(status_of),
        found: DavProperties::default(),
        refused: None,
    };
    for part in children(node, DAV, "propstat") {
        let status = children(part, DAV, "status").next().and_then(status_of);
        if status.is_none_or(|status| (200..300).contains(&status)) {
            for property in children(part, DAV, "prop").flat_map(|prop| prop.children()) {
                response.found.take(property);
            }
        } else if response.refused.is_none_or(says_gone) {
            response.refused = status;
        }
    }
    Some(response)
}

/// Whether a status within an answer says that there is nothing; any other says no more than that nothing is told.
pub(super) fn says_gone(status: u16) -> bool {
    matches!(status, 404 | 410)
}

impl DavProperties {
    /// The calendar's own zone.
    pub(super) fn zone(&self) -> Option<Tz> {
        let named = || self.timezone_id.as_deref().and_then(named_zone);
        self.timezone.as_deref().and_then(described_zone).or_else(named)
    }

    fn take(&mut self, node: Node<'_, '_>) {
        let name = node.tag_name();
        match (name.namespace(), name.name()) {
            (Some(DAV), "current-user-principal") => self.current_user_principal = child_href(node),
            (Some(CALDAV), "calendar-home-set") => self.calendar_home = child_href(node),
            (Some(CALDAV), "calendar-user-address-set") => {
                self.mail_addresses = children(node, DAV, "href")
                    .filter_map(text_of)
                    .filter_map(|href| {
                        let (scheme, address) = href.split_once(':')?;
                        scheme.eq_ignore_ascii_case("mailto").then(|| address.to_owned())
                    })
                    .collect();
            }
            (Some(CALDAV), "schedule-default-calendar-URL") => self.default_calendar = child_href(node),
            (Some(DAV), "resourcetype") => {
                self.is_calendar = children(node, CALDAV, "calendar").next().is_some();
            }
            (Some(DAV), "displayname") => self.display_name = text_of(node),
            (Some(APPLE), "calendar-color") => self.colour = text_of(node),
            (Some(CALDAV), "calendar-timezone") => self.timezone = text_of(node),
            (Some(CALDAV), "calendar-timezone-id") => self.timezone_id = text_of(node),
            (Some(CALDAV), "supported-calendar-component-set") => {
                let names = children(node, CALDAV, "comp").filter_map(|comp| comp.attribute("name"));
                self.components = Some(names.map(str::to_ascii_uppercase).collect());
            }
            (Some(DAV), "current-user-privilege-set") => {
                let names = children(node, DAV, "privilege").flat_map(|privilege| privilege.children());
                let names = names.filter(Node::is_element).map(|node| node.tag_name().name().to_owned());
                self.privileges = Some(names.collect());
            }
            (Some(DAV), "getetag") => self.etag = text_of(node),
            (Some(CALENDAR_SERVER), "getctag") => self.ctag = text_of(node),
            (Some(DAV), "sync-token") => self.sync_token = text_of(node),
            (Some(CALDAV), "calendar-data") => self.data = text_of(node),
            _ => {}
        }
    }
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name((namespace, name)))
}

fn child_href(node: Node<'_, '_>) -> Option<String> {
    children(node, DAV, "href").next().and_then(text_of)
}

/// All of its text; `None` if there is none.
fn text_of(node: Node<'_, '_>) -> Option<String> {
    let text: String = node.children().filter_map(|child| child.text()).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `HTTP/1.1 404 Not Found`.
fn status_of(node: Node<'_, '_>) -> Option<u16> {
    text_of(node)?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multistatus_reads_any_prefix_and_skips_missing_properties() {
        let body = r#"<?xml version="1.0"?>
            <x:multistatus xmlns:x="DAV:" xmlns="urn:ietf:params:xml:ns:caldav">
              <x:response><x:href>/ana/cal/</x:href>
                <x:propstat><x:prop>
                    <x:resourcetype><x:collection/><calendar/></x:resourcetype>
                    <x:displayname>Ana &amp; <![CDATA[<Ben>]]></x:displayname>
                    <supported-calendar-component-set><comp name="vevent"/></supported-calendar-component-set>
                    <x:current-user-privilege-set><x:privilege><x:read/></x:privilege></x:current-user-privilege-set>
                  </x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat>
                <x:propstat><x:prop><x:getetag>"no"</x:getetag></x:prop><x:status>HTTP/1.1 404 Not Found</x:status></x:propstat>
              </x:response>
              <x:response><x:href>/ana/cal/gone.ics</x:href><x:status>HTTP/1.1 404 Not Found</x:status></x:response>
              <x:sync-token>urn:t</x:sync-token>
            </x:multistatus>"#;
        let read = multistatus(body.as_bytes()).unwrap();
        assert_eq!(read.sync_token.as_deref(), Some("urn:t"));
        let calendar = &read.responses[0].found;
        assert!(calendar.is_calendar && calendar.etag.is_none());
        assert_eq!(calendar.display_name.as_deref(), Some("Ana & <Ben>"));
        assert_eq!(calendar.components, Some(vec!["VEVENT".to_owned()]));
        assert_eq!(calendar.privileges, Some(vec!["read".to_owned()]));
        assert_eq!(read.responses[1].status, Some(404));
    }

    #[test]
    fn a_calendars_zone_is_told_by_its_rules_or_by_its_name() {
        let of = |property: &str| {
            let body = format!(
                r#"<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><response><href>/a/</href><propstat><prop>{property}</prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"#
            );
            multistatus(body.as_bytes()).unwrap().responses[0].found.zone()
        };
        let rules = "<C:calendar-timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Asia/Tokyo\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:calendar-timezone>";
        let name = "<C:calendar-timezone-id>Europe/Lisbon</C:calendar-timezone-id>";
        assert_eq!(of(rules), Some(Tz::Asia__Tokyo));
        assert_eq!(of(name), Some(Tz::Europe__Lisbon));
        assert_eq!(of(&format!("{name}{rules}")), Some(Tz::Asia__Tokyo));
        assert_eq!(of(""), None);
    }

    #[test]
    fn preconditions_are_named() {
        let body = br#"<d:error xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><c:no-uid-conflict><d:href>/x</d:href></c:no-uid-conflict></d:error>"#;
        assert_eq!(conditions(body), ["no-uid-conflict"]);
        assert!(conditions(b"<html/>").is_empty() && conditions(b"no").is_empty());
    }

    #[test]
    fn nothing_is_expanded_and_depth_does_no_harm() {
        let bomb = r#"<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><m xmlns="DAV:">&b;</m>"#;
        assert_eq!(multistatus(bomb.as_bytes()), None);
        let deep = "<a>".repeat(200_000);
        assert_eq!(multistatus(deep.as_bytes()), None);
        let deep = format!(
            "<multistatus xmlns=\"DAV:\">{}{}</multistatus>",
            "<a>".repeat(50_000),
            "</a>".repeat(50_000)
        );
        assert_eq!(multistatus(deep.as_bytes()), Some(Multistatus::default()));
    }
}

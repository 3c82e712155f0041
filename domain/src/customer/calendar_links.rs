//! Links by which an event is put into a calendar on the web. None of them takes our UID, so that a later invitation is a
//! second event there: the file comes first on every page.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::booking::BookingTime;

/// What stands bare in a query (RFC 3986, 2.3). A space is `%20`: Outlook shows a `+` as it is.
const BARE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The event that is put in.
#[derive(Clone, Copy, Debug)]
pub struct LinkedEvent<'a> {
    pub title: &'a str,
    pub time: BookingTime,
    /// Lines separated by `\n`; may be empty.
    pub details: &'a str,
    /// Where it takes place; empty where nobody has said it.
    pub location: &'a str,
}

/// A calendar on the web, and the address that puts an event into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarLink {
    /// As its people call it.
    pub name: &'static str,
    pub url: String,
}

/// The links of an event. Outlook has two, since a private account cannot sign in at the other's.
pub fn calendar_links(event: &LinkedEvent<'_>) -> Vec<CalendarLink> {
    let outlook = |host: &str| outlook(host, event);
    [
        ("Google Calendar", google(event)),
        ("Outlook.com", outlook("outlook.live.com")),
        ("Office 365", outlook("outlook.office.com")),
        ("Yahoo", yahoo(event)),
    ]
    .map(|(name, url)| CalendarLink { name, url })
    .into()
}

fn google(event: &LinkedEvent<'_>) -> String {
    let dates = match event.time {
        BookingTime::Timed { starts_at, ends_at } => format!("{}/{}", basic(starts_at), basic(ends_at)),
        // Its end is exclusive.
        BookingTime::Stay { check_in, check_out } => {
            format!("{}/{}", basic_date(check_in), basic_date(check_out))
        }
    };
    let start = "https://calendar.google.com/calendar/render?action=TEMPLATE";
    with_query(
        start,
        &[("text", event.title), ("dates", &dates), ("details", event.details), ("location", event.location)],
    )
}

fn outlook(host: &str, event: &LinkedEvent<'_>) -> String {
    let start =
        format!("https://{host}/calendar/deeplink/compose?path=%2Fcalendar%2Faction%2Fcompose&rru=addevent");
    let (from, until, all_day) = match event.time {
        // Offsets other than Z are not understood.
        BookingTime::Timed { starts_at, ends_at } => (extended(starts_at), extended(ends_at), "false"),
        BookingTime::Stay { check_in, check_out } => (check_in.to_string(), check_out.to_string(), "true"),
    };
    // The body is read as HTML.
    let body = as_html(event.details);
    with_query(
        &start,
        &[
            ("startdt", &from),
            ("enddt", &until),
            ("allday", all_day),
            ("subject", event.title),
            ("body", &body),
            ("location", event.location),
        ],
    )
}

fn yahoo(event: &LinkedEvent<'_>) -> String {
    let (from, until, all_day) = match event.time {
        BookingTime::Timed { starts_at, ends_at } => (basic(starts_at), basic(ends_at), ""),
        BookingTime::Stay { check_in, check_out } => (basic_date(check_in), basic_date(check_out), "allday"),
    };
    with_query(
        "https://calendar.yahoo.com/?v=60",
        &[
            ("TITLE", event.title),
            ("ST", &from),
            ("ET", &until),
            ("DUR", all_day),
            ("DESC", event.details),
            ("in_loc", event.location),
        ],
    )
}

/// The address with each part that says anything.
fn with_query(start: &str, parts: &[(&str, &str)]) -> String {
    let mut url = start.to_owned();
    for (name, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
        // A `String` takes whatever is written.
        let _ = write!(url, "&{name}={}", utf8_percent_encode(value, BARE));
    }
    url
}

fn basic(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

fn basic_date(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

fn extended(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn as_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::ical::fixtures::{stay, timed};

    fn links(time: BookingTime) -> Vec<CalendarLink> {
        calendar_links(&LinkedEvent {
            title: "Massage & more +1 – M\u{fc}ller <b>",
            time,
            details: "Reference: SV-1\nA & <script>",
            location: "Rua do Mar 7, Lisboa",
        })
    }

    fn query(link: &CalendarLink, name: &str) -> Option<String> {
        let url: Url = link.url.parse().unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    #[test]
    fn hours_are_in_utc() {
        let links = links(timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z"));
        assert_eq!(query(&links[0], "dates").as_deref(), Some("20261201T100000Z/20261201T110000Z"));
        for outlook in &links[1..3] {
            assert_eq!(query(outlook, "startdt").as_deref(), Some("2026-12-01T10:00:00Z"));
            assert_eq!(query(outlook, "allday").as_deref(), Some("false"));
        }
        assert_eq!(query(&links[3], "ET").as_deref(), Some("20261201T110000Z"));
        assert_eq!(query(&links[3], "DUR"), None);
    }

    #[test]
    fn stays_are_dates() {
        let links = links(stay("2026-12-01", "2026-12-03"));
        assert_eq!(query(&links[0], "dates").as_deref(), Some("20261201/20261203"));
        assert_eq!(query(&links[1], "startdt").as_deref(), Some("2026-12-01"));
        assert_eq!(query(&links[1], "allday").as_deref(), Some("true"));
        assert_eq!(query(&links[3], "DUR").as_deref(), Some("allday"));
    }

    #[test]
    fn texts_come_through_and_outlook_gets_no_html_of_theirs() {
        for link in links(stay("2026-12-01", "2026-12-03")) {
            assert!(!link.url.contains(['+', ' ', '<', '\n']), "{}", link.url);
            let title = ["text", "subject", "TITLE"].iter().find_map(|name| query(&link, name));
            assert_eq!(title.as_deref(), Some("Massage & more +1 – M\u{fc}ller <b>"), "{}", link.name);
            let details = ["details", "body", "DESC"].iter().find_map(|name| query(&link, name)).unwrap();
            let expected = if link.name.starts_with('O') {
                "Reference: SV-1<br>A &amp; &lt;script&gt;"
            } else {
                "Reference: SV-1\nA & <script>"
            };
            assert_eq!(details, expected, "{}", link.name);
        }
    }
}

//! The properties of one VEVENT, and what those mean that need no other.

use super::{
    calendar::AttendeeStatus, feed::FeedStatus, objects::properties, property_line::PropertyLine,
    unfold::LineSlice,
};

/// The properties of a VEVENT that are read. Of those that may stand once, the first counts.
#[derive(Default)]
pub(super) struct EventProperties<'a> {
    pub(super) uid: Option<PropertyLine<'a>>,
    pub(super) start: Option<PropertyLine<'a>>,
    pub(super) end: Option<PropertyLine<'a>>,
    pub(super) duration: Option<PropertyLine<'a>>,
    pub(super) summary: Option<PropertyLine<'a>>,
    pub(super) description: Option<PropertyLine<'a>>,
    pub(super) location: Option<PropertyLine<'a>>,
    pub(super) status: Option<PropertyLine<'a>>,
    pub(super) transparency: Option<PropertyLine<'a>>,
    pub(super) organizer: Option<PropertyLine<'a>>,
    pub(super) sequence: Option<PropertyLine<'a>>,
    pub(super) last_modified: Option<PropertyLine<'a>>,
    pub(super) stamp: Option<PropertyLine<'a>>,
    pub(super) replaces: Option<PropertyLine<'a>>,
    pub(super) attendees: Vec<PropertyLine<'a>>,
    pub(super) rules: Vec<PropertyLine<'a>>,
    pub(super) exrules: Vec<PropertyLine<'a>>,
    pub(super) extra: Vec<PropertyLine<'a>>,
    pub(super) except: Vec<PropertyLine<'a>>,
    pub(super) extensions: Vec<PropertyLine<'a>>,
}

impl<'a> EventProperties<'a> {
    pub(super) fn of(lines: LineSlice<'a>) -> Self {
        let mut parts = Self::default();
        for content in properties(lines) {
            parts.add(content);
        }
        parts
    }

    fn add(&mut self, content: PropertyLine<'a>) {
        // Long enough for the longest of them.
        let mut upper = [0; 13];
        let Some(name) = upper.get_mut(..content.name.len()) else {
            return self.extension(content);
        };
        name.copy_from_slice(content.name.as_bytes());
        name.make_ascii_uppercase();
        let one = match &*name {
            b"UID" => &mut self.uid,
            b"DTSTART" => &mut self.start,
            b"DTEND" => &mut self.end,
            b"DURATION" => &mut self.duration,
            b"SUMMARY" => &mut self.summary,
            b"DESCRIPTION" => &mut self.description,
            b"LOCATION" => &mut self.location,
            b"STATUS" => &mut self.status,
            b"TRANSP" => &mut self.transparency,
            b"ORGANIZER" => &mut self.organizer,
            b"SEQUENCE" => &mut self.sequence,
            b"LAST-MODIFIED" => &mut self.last_modified,
            b"DTSTAMP" => &mut self.stamp,
            b"RECURRENCE-ID" => &mut self.replaces,
            b"ATTENDEE" => return self.attendees.push(content),
            b"RRULE" => return self.rules.push(content),
            b"EXRULE" => return self.exrules.push(content),
            b"RDATE" => return self.extra.push(content),
            b"EXDATE" => return self.except.push(content),
            _ => return self.extension(content),
        };
        one.get_or_insert(content);
    }

    fn extension(&mut self, content: PropertyLine<'a>) {
        if matches!(content.name.as_bytes(), [b'X' | b'x', b'-', ..]) {
            self.extensions.push(content);
        }
    }
}

pub(super) fn keyword(content: PropertyLine<'_>, word: &str) -> bool {
    content.value.trim_ascii().eq_ignore_ascii_case(word)
}

pub(super) fn uid(content: PropertyLine<'_>) -> String {
    let mut uid = content.text();
    if uid.starts_with(char::is_whitespace) || uid.ends_with(char::is_whitespace) {
        uid = uid.trim().to_owned();
    }
    uid
}

pub(super) fn status(content: PropertyLine<'_>) -> FeedStatus {
    if keyword(content, "CANCELLED") || keyword(content, "CANCELED") {
        FeedStatus::Cancelled
    } else if keyword(content, "TENTATIVE") {
        FeedStatus::Tentative
    } else {
        FeedStatus::Confirmed
    }
}

/// Where the value is no mail address but a server's own name of somebody, EMAIL may tell it (RFC 7986, 6.2).
pub(super) fn address_of(content: PropertyLine<'_>) -> Option<String> {
    let named = content.value.trim_ascii();
    let bare = match named.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &named[7..],
        _ => named,
    };
    let address = content.parameter("EMAIL").unwrap_or(bare).trim().to_lowercase();
    address.contains('@').then_some(address)
}

pub(super) fn attendee(content: PropertyLine<'_>) -> Option<(String, AttendeeStatus)> {
    let answer = content.parameter("PARTSTAT").unwrap_or("NEEDS-ACTION");
    let answers = [
        ("NEEDS-ACTION", AttendeeStatus::NoAnswer),
        ("ACCEPTED", AttendeeStatus::Accepted),
        ("DECLINED", AttendeeStatus::Declined),
        ("TENTATIVE", AttendeeStatus::Tentative),
    ];
    let invited = answers.into_iter().find(|(word, _)| answer.eq_ignore_ascii_case(word));
    Some((address_of(content)?, invited.map_or(AttendeeStatus::Other, |(_, invited)| invited)))
}

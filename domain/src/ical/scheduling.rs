//! What a reader should do with a calendar, and who takes part in it (RFC 5545, 3.7.2 and 3.8.4; RFC 5546).

use super::{
    property::{self as p, PropertyParameter},
    writer::IcalWriter,
};

/// What a calendar is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To be known; nobody is invited.
    Publish,
    /// To invite somebody, or to tell them of a change.
    Request,
    /// To take an invitation back.
    Cancel,
}

impl Method {
    /// As in METHOD, and in the `method` of a mail's part (RFC 6047, 2.4).
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }

    /// Appends METHOD, which stands before all components.
    pub fn write(self, writer: &mut IcalWriter<'_>) {
        writer.keyword(p::METHOD, self.keyword());
    }
}

/// Whose calendar it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organizer<'a> {
    /// Of the business; may be empty.
    pub name: &'a str,
    /// A mail address, without `mailto:`.
    pub mail: &'a str,
}

impl Organizer<'_> {
    /// Appends ORGANIZER (RFC 5545, 3.8.4.3).
    pub fn write(&self, writer: &mut IcalWriter<'_>) {
        writer.address(p::ORGANIZER, &[PropertyParameter::common_name(self.name)], self.mail);
    }
}

/// Who is invited, and has not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendee<'a> {
    pub name: &'a str,
    /// A mail address, without `mailto:`.
    pub mail: &'a str,
}

impl Attendee<'_> {
    /// Appends ATTENDEE, which asks for an answer. What is published has none (RFC 5546, 3.2.1).
    pub fn write(&self, writer: &mut IcalWriter<'_>) {
        let parameters = [
            PropertyParameter::keyword("CUTYPE", "INDIVIDUAL"),
            PropertyParameter::keyword("ROLE", "REQ-PARTICIPANT"),
            PropertyParameter::keyword("PARTSTAT", "NEEDS-ACTION"),
            PropertyParameter::keyword("RSVP", "TRUE"),
            PropertyParameter::common_name(self.name),
        ];
        writer.address(p::ATTENDEE, &parameters, self.mail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::{fixtures::at, lint::lint, property::ComponentName, timezone, writer::IcalTime};

    #[test]
    fn an_invitation_by_the_clock_of_its_zone() {
        let times = timezone::EventTimes::on_the_clock(
            chrono_tz::Asia::Kathmandu,
            IcalTime::At(at("2026-07-10T09:00:00Z")),
            IcalTime::At(at("2026-07-10T10:30:00Z")),
        );
        for method in [Method::Request, Method::Cancel] {
            let mut out = Vec::new();
            let mut writer = IcalWriter::new(&mut out);
            writer.begin(ComponentName::Calendar);
            writer.keyword(p::VERSION, "2.0");
            writer.text(p::PRODID, "-//Concord//Concord//EN");
            method.write(&mut writer);
            timezone::write_timezones(&mut writer, [&times]);
            writer.begin(ComponentName::Event);
            writer.text(p::UID, "booking-1@concord.example");
            writer.instant(p::DTSTAMP, at("2026-07-01T09:00:00Z"));
            writer.integer(p::SEQUENCE, 1);
            times.write(&mut writer);
            writer.text(p::SUMMARY, "Massage");
            Organizer { name: "Casa do Mar", mail: "book@casa.example" }.write(&mut writer);
            Attendee { name: "Silva; Maria \"Mia\"", mail: "maria@example.org" }.write(&mut writer);
            writer.end(ComponentName::Event);
            writer.end(ComponentName::Calendar);
            assert_eq!(lint(&out), []);
            let text = String::from_utf8(out).unwrap().replace("\r\n ", "");
            for line in [
                &format!("METHOD:{}", method.keyword()),
                "DTSTART;TZID=Asia/Kathmandu:20260710T144500",
                "TZID:Asia/Kathmandu",
                "ORGANIZER;CN=\"Casa do Mar\":mailto:book@casa.example",
                "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;\
                 CN=\"Silva; Maria ^'Mia^'\":mailto:maria@example.org",
            ] {
                assert!(text.lines().any(|found| found == line), "{line}\n{text}");
            }
        }
    }
}

//! What a reader should do with a calendar, and who takes part in it (RFC 5545, 3.7.2 and 3.8.4; RFC 5546).

use super::{
    property::{self as p, PropertyParameter},
    writer::IcalWriter,
};
use crate::{customer::CustomerAnswer, mail::one_line};

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

/// A name as CN: on one line, and with `'` for `"`, because a reader that does not know RFC 6868 shows the signs that stand
/// for a quote.
fn common_name(name: &str) -> String {
    one_line(name).replace('"', "'")
}

/// Whose calendar it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Organizer<'a> {
    /// Of the business; may be empty.
    pub name: &'a str,
    /// A mail address, without `mailto:`.
    pub mail: &'a str,
}

impl Organizer<'_> {
    /// Appends ORGANIZER (RFC 5545, 3.8.4.3).
    pub fn write(&self, writer: &mut IcalWriter<'_>) {
        let name = common_name(self.name);
        writer.address(p::ORGANIZER, &[PropertyParameter::common_name(&name)], self.mail);
    }
}

/// One person who is asked to come, as ATTENDEE names them (RFC 5545, 3.8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attendee<'a> {
    pub name: &'a str,
    /// A mail address, without `mailto:`.
    pub mail: &'a str,
    /// What they have answered to the event as it is; `None`: nothing yet.
    pub answer: Option<CustomerAnswer>,
}

impl Attendee<'_> {
    fn status(&self) -> &'static str {
        match self.answer {
            None => "NEEDS-ACTION",
            Some(CustomerAnswer::Accepted) => "ACCEPTED",
            Some(CustomerAnswer::Tentative) => "TENTATIVE",
            Some(CustomerAnswer::Declined) => "DECLINED",
        }
    }

    /// Appends ATTENDEE, which asks for an answer. What is published has none (RFC 5546, 3.2.1).
    pub fn write(&self, writer: &mut IcalWriter<'_>) {
        let name = common_name(self.name);
        let parameters = [
            PropertyParameter::keyword("CUTYPE", "INDIVIDUAL"),
            PropertyParameter::keyword("ROLE", "REQ-PARTICIPANT"),
            PropertyParameter::keyword("PARTSTAT", self.status()),
            PropertyParameter::keyword("RSVP", "TRUE"),
            PropertyParameter::common_name(&name),
        ];
        writer.address(p::ATTENDEE, &parameters, self.mail);
    }
}

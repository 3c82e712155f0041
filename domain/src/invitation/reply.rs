//! What follows from a reply that a calendar has sent.

use chrono::{DateTime, Utc};

use super::{InvitationContent, InvitationMethod, SentInvitation};
use crate::{
    customer::CustomerAnswer,
    ical::{AttendeeStatus, reply::Reply},
};

/// What is done about a reply of somebody who is invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyDecision {
    /// It is their answer.
    Answer(CustomerAnswer),
    /// They wish for another time.
    Wish,
    /// It answers an invitation that is no longer so: the time has changed since, or it was cancelled.
    Outdated,
    /// They have answered since it was made.
    Superseded,
    /// It says neither yes nor no.
    NoAnswer,
}

/// Decides. `sent`: the last message that has reached them; `content`: the booking as it is now; `answered_at`: when they last
/// answered.
pub fn decide_reply(
    reply: &Reply,
    (sent, content): (Option<&SentInvitation>, &InvitationContent),
    answered_at: Option<DateTime<Utc>>,
) -> ReplyDecision {
    let held = sent.filter(|sent| sent.method == InvitationMethod::Request);
    let is_answered =
        |held: &SentInvitation| reply.sequence >= held.sequence && !held.content.moves_to(content);
    if !held.is_some_and(is_answered) {
        return ReplyDecision::Outdated;
    }
    if reply.is_counter {
        return ReplyDecision::Wish;
    }
    if reply.dtstamp.zip(answered_at).is_some_and(|(made, answered)| made < answered) {
        return ReplyDecision::Superseded;
    }
    given_answer(reply).map_or(ReplyDecision::NoAnswer, ReplyDecision::Answer)
}

/// What a reply says, whatever follows from it; `None`: neither yes nor no.
pub fn given_answer(reply: &Reply) -> Option<CustomerAnswer> {
    match reply.answer {
        AttendeeStatus::Accepted => Some(CustomerAnswer::Accepted),
        AttendeeStatus::Tentative => Some(CustomerAnswer::Tentative),
        AttendeeStatus::Declined => Some(CustomerAnswer::Declined),
        AttendeeStatus::NoAnswer | AttendeeStatus::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ical::{
            fixtures::{at, booking},
            reply::read_reply,
        },
        invitation::NamedBooking,
    };

    const UID: &str = "booking-00000000-0000-0000-0000-000000000001@book.example";

    /// The four programs that most people have, as they answer an invitation with SEQUENCE 1.
    const GOOGLE: &str = "BEGIN:VCALENDAR\r\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nVERSION:2.0\r\n\
        CALSCALE:GREGORIAN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261201\r\n\
        DTEND;VALUE=DATE:20261203\r\nDTSTAMP:20261121T080000Z\r\nORGANIZER;CN=Casa do Mar:mailto:book@casa.example\r\n\
        UID:{uid}\r\nATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Mari\r\n a Silva;X-NUM-GUESTS=0:mailto:maria@example.org\r\n\
        CREATED:20261120T080000Z\r\nLAST-MODIFIED:20261121T080000Z\r\nSEQUENCE:1\r\nSTATUS:CONFIRMED\r\n\
        SUMMARY:Sea View\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    /// No ORGANIZER, a subject of its own, Windows' zone, and a comment that ends with a line break.
    const EXCHANGE: &str = "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nPRODID:Microsoft Exchange Server 2010\r\nVERSION:2.0\r\n\
        BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\n\
        TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n\
        END:VTIMEZONE\r\nBEGIN:VEVENT\r\nATTENDEE;PARTSTAT=TENTATIVE;CN=Maria Silva:MAILTO:Maria@Example.org\r\n\
        COMMENT;LANGUAGE=en-US:See you\\n\r\nUID:{uid}\r\nSUMMARY;LANGUAGE=en-US:Tentative: Sea View\r\n\
        DTSTART;TZID=W. Europe Standard Time:20261201T110000\r\nDTEND;TZID=W. Europe Standard Time:20261201T120000\r\n\
        CLASS:PUBLIC\r\nPRIORITY:5\r\nDTSTAMP:20261121T080000Z\r\nTRANSP:OPAQUE\r\nSTATUS:CONFIRMED\r\nSEQUENCE:1\r\n\
        X-MICROSOFT-CDO-APPT-SEQUENCE:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    const APPLE: &str = "BEGIN:VCALENDAR\r\nCALSCALE:GREGORIAN\r\nMETHOD:REPLY\r\nPRODID:-//Apple Inc.//macOS 15.1//EN\r\n\
        VERSION:2.0\r\nBEGIN:VEVENT\r\nATTENDEE;CN=\"Silva; Maria\";CUTYPE=INDIVIDUAL;EMAIL=\"maria@example.org\";PARTS\r\n TAT=DECLINED;ROLE=REQ-PARTICIPANT:mailto:maria@example.org\r\nDTEND;VALUE=DATE:20261203\r\n\
        DTSTAMP:20261121T080000Z\r\nDTSTART;VALUE=DATE:20261201\r\nORGANIZER;CN=\"Casa\":mailto:book@casa.example\r\n\
        SEQUENCE:1\r\nSUMMARY:Sea View\r\nUID:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    const THUNDERBIRD: &str = "BEGIN:VCALENDAR\r\nPRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN\r\nVERSION:2.0\r\n\
        METHOD:REPLY\r\nBEGIN:VEVENT\r\nCREATED:20261120T080000Z\r\nLAST-MODIFIED:20261121T080000Z\r\n\
        DTSTAMP:20261121T080000Z\r\nUID:{uid}\r\nSUMMARY:Sea View\r\nORGANIZER:mailto:book@casa.example\r\n\
        ATTENDEE;RSVP=TRUE;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:maria@example.org\r\n\
        DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20261203\r\nSEQUENCE:1\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn reply(shape: &str) -> Reply {
        read_reply(&shape.replace("{uid}", UID)).unwrap()
    }

    fn sent(method: InvitationMethod, sequence: u32) -> SentInvitation {
        let booking = booking();
        let named = NamedBooking { booking: &booking, business: "Casa", resource: "Sea View", staff: &[] };
        SentInvitation { method, sequence, dtstamp: at("2026-11-20T08:00:00Z"), content: named.content() }
    }

    #[test]
    fn every_program_is_understood() {
        use CustomerAnswer::{Accepted, Declined, Tentative};
        let held = sent(InvitationMethod::Request, 1);
        for (shape, answer) in
            [(GOOGLE, Accepted), (EXCHANGE, Tentative), (APPLE, Declined), (THUNDERBIRD, Accepted)]
        {
            let reply = reply(shape);
            assert_eq!((reply.uid.as_str(), reply.attendee.as_str()), (UID, "maria@example.org"), "{shape}");
            assert_eq!(
                decide_reply(&reply, (Some(&held), &held.content), None),
                ReplyDecision::Answer(answer),
                "{shape}"
            );
        }
        assert_eq!(reply(EXCHANGE).comment, "See you");
    }

    #[test]
    fn what_answers_another_time_is_noted_alone() {
        let reply = reply(GOOGLE);
        let now = sent(InvitationMethod::Request, 1).content;
        let decide = |sent: Option<&SentInvitation>| decide_reply(&reply, (sent, &now), None);
        assert_eq!(decide(None), ReplyDecision::Outdated);
        assert_eq!(decide(Some(&sent(InvitationMethod::Request, 2))), ReplyDecision::Outdated);
        assert_eq!(decide(Some(&sent(InvitationMethod::Cancel, 1))), ReplyDecision::Outdated);
        let held = sent(InvitationMethod::Request, 1);
        let moved = InvitationContent { place: "Garden".into(), ..held.content.clone() };
        assert_eq!(
            decide_reply(&reply, (Some(&held), &moved), None),
            ReplyDecision::Outdated,
            "not sent yet"
        );
        let earlier = decide_reply(&reply, (Some(&held), &held.content), Some(at("2026-11-22T00:00:00Z")));
        assert_eq!(earlier, ReplyDecision::Superseded);
    }

    #[test]
    fn wish_has_its_time() {
        let counter = APPLE
            .replace("METHOD:REPLY", "METHOD:COUNTER")
            .replace("20261201", "20261208")
            .replace("20261203", "20261210");
        let reply = reply(&counter);
        assert!(reply.proposed.is_some());
        let held = sent(InvitationMethod::Request, 1);
        assert_eq!(decide_reply(&reply, (Some(&held), &held.content), None), ReplyDecision::Wish);
        // One whose time cannot be read is a wish all the same, and no refusal.
        let unreadable = Reply { proposed: None, ..reply };
        assert_eq!(unreadable.answer, AttendeeStatus::Declined);
        assert_eq!(decide_reply(&unreadable, (Some(&held), &held.content), None), ReplyDecision::Wish);
    }

    #[test]
    fn what_is_no_reply_is_none() {
        for bad in [
            "",
            "BEGIN:VCALENDAR",
            &GOOGLE.replace("METHOD:REPLY", "METHOD:REQUEST"),
            &GOOGLE.replace("METHOD:REPLY\r\n", ""),
            &GOOGLE.replace("UID:{uid}", "UID:"),
            &GOOGLE.replace("mailto:maria@example.org", "mailto:nobody"),
        ] {
            assert_eq!(read_reply(&bad.replace("{uid}", UID)), None, "{bad}");
        }
        let silent = reply(&GOOGLE.replace("PARTSTAT=ACCEPTED", "PARTSTAT=DELEGATED"));
        assert_eq!(
            decide_reply(
                &silent,
                (Some(&sent(InvitationMethod::Request, 1)), &sent(InvitationMethod::Request, 1).content),
                None
            ),
            ReplyDecision::NoAnswer
        );
    }
}

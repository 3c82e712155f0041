//! Every message that leaves, over random histories of a booking: its form, and what a calendar that reads them holds.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    customer::CustomerRules,
    ical::lint::lint,
    ids::{AttendeeId, BookingId, BusinessId, MailId, ResourceId},
    interval::Interval,
    invitation::{AttendeeRole, InvitationMode, InvitationSettings, desired_invitation, plan},
    language::Language,
    mail::{MailKind, MailState, one_line},
    privacy::EntryPrivacy,
    sync::remote_change::RemoteChangeRules,
};
use concord_storage::{attendees::Attendee, businesses::Business, mails::StoredMail};
use icalendar::{CalendarComponent, Component, Event};
use mail_parser::{MessageParser, MimeHeaders, PartType};
use proptest::prelude::*;
use uuid::Uuid;

use super::{InvitationTexts, Subject};
use crate::mail::{Recipient, compose};

const ORGANIZER: &str = "book@casa.example";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn subject(business: &str) -> Subject {
    let time =
        BookingTime::Timed { starts_at: at("2026-12-01T10:00:00Z"), ends_at: at("2026-12-01T11:00:00Z") };
    let business_id = BusinessId(Uuid::from_u128(2));
    Subject {
        booking: Booking {
            id: BookingId(Uuid::from_u128(1)),
            business: business_id,
            reference: "SV-1".into(),
            version: 1,
            interval: time.interval(chrono_tz::Europe::Lisbon).unwrap(),
            channel: None,
            created_at: at("2026-11-01T09:00:00Z"),
            updated_at: at("2026-11-01T09:00:00Z"),
            draft: BookingDraft {
                resource: ResourceId(Uuid::from_u128(3)),
                kind: BookingKind::Booking,
                status: BookingStatus::Confirmed,
                time,
                title: String::new(),
                customer: Customer::default(),
                party_size: Some(2),
                quantity: 1,
                staff: vec![],
                location: String::new(),
                notes: "Never told to customers".into(),
                source: "api".into(),
                meeting_url: String::new(),
                guests: vec![],
            },
        },
        business: Business {
            id: business_id,
            name: business.to_owned(),
            slug: "casa".into(),
            zone: chrono_tz::Europe::Lisbon,
            entry_privacy: EntryPrivacy::Minimal,
            mark_cancelled: false,
            outside: RemoteChangeRules::default(),
            invitations: InvitationSettings {
                mode: InvitationMode::Confirmed,
                ..InvitationSettings::default()
            },
            customers: CustomerRules::default(),
            revision: 1,
            created_at: at("2026-11-01T09:00:00Z"),
        },
        resource: "Sea View".into(),
        crew: Vec::new(),
        words: Vec::new(),
        logo: String::new(),
        staff: vec!["Ana".into()],
        zone: chrono_tz::Europe::Lisbon,
    }
}

fn attendee(name: &str) -> Attendee {
    Attendee {
        id: AttendeeId(Uuid::from_u128(4)),
        business_id: BusinessId(Uuid::from_u128(2)),
        booking_id: BookingId(Uuid::from_u128(1)),
        role: AttendeeRole::Customer,
        name: name.to_owned(),
        address: "Maria@b\u{fc}cher.example".into(),
        address_key: "maria@xn--bcher-kva.example".into(),
        organizer_address: Some(ORGANIZER.into()),
        sent: None,
        asked: false,
        invited_by_hand: false,
        problem: None,
        removed_at: None,
        answer: None,
        answered_at: None,
        reminders_off: false,
        created_at: at("2026-11-01T09:00:00Z"),
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Move(i64),
    Stay(u32),
    Title(String),
    Place(String),
    Meeting(bool),
    Status(BookingStatus),
    Comes(bool),
    SendAgain,
}

/// Texts as people and attackers write them.
fn wild() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Wellness \u{1f33f}, \"hot\" stones; 90 min".to_owned()),
        Just("J\u{f6}rg\r\nBcc: all@example.com\r\n\r\nATTENDEE:mailto:x@y.z".to_owned()),
        Just("\u{202e}gpj.exe\u{2066}".to_owned()),
        Just("=?utf-8?q?x?= \\n \\, %0A".to_owned()),
        Just("\u{5d7}\u{5d3}\u{5e8} \u{5e2}\u{5dd} \u{5e0}\u{5d5}\u{5e3}".to_owned()),
        "[ -~]{0,40}",
        "\\PC{0,20}",
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    use BookingStatus::{Cancelled, Confirmed, Pending};
    prop_oneof![
        (0..72_i64).prop_map(Edit::Move),
        (1..4_u32).prop_map(Edit::Stay),
        wild().prop_map(Edit::Title),
        wild().prop_map(Edit::Place),
        any::<bool>().prop_map(Edit::Meeting),
        prop_oneof![Just(Pending), Just(Confirmed), Just(Cancelled)].prop_map(Edit::Status),
        any::<bool>().prop_map(Edit::Comes),
        Just(Edit::SendAgain),
    ]
}

fn apply(subject: &mut Subject, edit: Edit) {
    let draft = &mut subject.booking.draft;
    match edit {
        Edit::Move(hours) => {
            let start = at("2026-12-01T10:00:00Z") + Duration::hours(hours);
            draft.time = BookingTime::Timed { starts_at: start, ends_at: start + Duration::minutes(90) };
        }
        Edit::Stay(nights) => {
            let from = at("2026-12-01T00:00:00Z").date_naive();
            let until = from + Duration::days(nights.into());
            draft.time = BookingTime::Stay { check_in: from, check_out: until };
        }
        // The API takes no control characters: what an older version has let in must not break a mail all the same.
        Edit::Title(title) => draft.title = title,
        Edit::Place(place) => draft.location = place,
        Edit::Meeting(is_video) => {
            draft.meeting_url = if is_video { "https://meet.example/a?b=c,d".into() } else { String::new() };
        }
        Edit::Status(status) => draft.status = status,
        Edit::Comes(_) | Edit::SendAgain => {}
    }
    let interval: Interval = draft.time.interval(chrono_tz::Europe::Lisbon).unwrap();
    subject.booking.interval = interval;
}

/// An event as a calendar holds it: what a person sees of it, line by line.
type Held = BTreeMap<String, String>;

/// A calendar by RFC 5546: it goes by SEQUENCE and DTSTAMP, and remembers what was taken out.
#[derive(Default)]
struct CalendarModel(Option<((u32, String), Option<Held>)>);

impl CalendarModel {
    fn receive(&mut self, calendar: &str) {
        let read: icalendar::Calendar = calendar.parse().unwrap();
        let events: Vec<&Event> = read.components.iter().filter_map(CalendarComponent::as_event).collect();
        let [event] = events.as_slice() else { panic!("one event: {calendar}") };
        let value = |name: &str| event.property_value(name).unwrap_or_default().to_owned();
        let rank = (event.get_sequence().unwrap_or(0), value("DTSTAMP"));
        if self.0.as_ref().is_some_and(|(known, _)| *known >= rank) {
            return;
        }
        let shown =
            ["UID", "SUMMARY", "DTSTART", "DTEND", "LOCATION", "STATUS", "X-MICROSOFT-CDO-BUSYSTATUS"];
        let held = shown.map(|name| (name.to_owned(), value(name))).into();
        let is_in = read.property_value("METHOD") == Some("REQUEST");
        self.0 = Some((rank, is_in.then_some(held)));
    }

    fn held(&self) -> Option<&Held> {
        self.0.as_ref().and_then(|(_, held)| held.as_ref())
    }
}

/// Checks the mail as it goes over the wire, and returns the calendar in it.
fn check_mail(row: &StoredMail, text: &str) -> String {
    let from = Recipient { address: "concord@installation.example".into(), name: "Concord".into() };
    let wire = compose(row, &from, at("2026-11-20T10:00:00Z")).unwrap().formatted();
    check_octets(&wire);
    let mail = MessageParser::default().parse(&wire).unwrap();
    let kind = |part: &mail_parser::MessagePart<'_>| {
        let kind = part.content_type().unwrap();
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())
    };
    let kinds: Vec<String> = mail.parts.iter().map(kind).collect();
    let expected = [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ];
    assert_eq!(kinds, expected, "{text}");
    let PartType::Multipart(ref top) = mail.parts[0].body else { panic!("mixed") };
    let PartType::Multipart(ref inner) = mail.parts[1].body else { panic!("alternative") };
    assert_eq!((top.as_slice(), inner.as_slice()), (&[1, 5][..], &[2, 3, 4][..]));

    let calendar_part = &mail.parts[4];
    assert!(calendar_part.content_disposition().is_none(), "a disposition makes it a file without buttons");
    let attachment = &mail.parts[5];
    assert_eq!(attachment.attachment_name(), Some("invite.ics"));
    assert_eq!(calendar_part.contents(), attachment.contents());
    let calendar = String::from_utf8(calendar_part.contents().to_vec()).unwrap();
    assert_eq!(lint(calendar.as_bytes()), [], "{calendar}");
    let kind = calendar_part.content_type().unwrap();
    let method = unfolded(&calendar, "METHOD:");
    assert_eq!(kind.attribute("method"), Some(method.as_str()));
    assert!(kind.attribute("charset").unwrap().eq_ignore_ascii_case("utf-8"));

    let one = |addresses: Option<&mail_parser::Address<'_>>| {
        let all: Vec<_> = addresses.unwrap().iter().collect();
        assert_eq!(all.len(), 1);
        all[0].address.as_deref().unwrap().to_owned()
    };
    assert!(unfolded(&calendar, "ATTENDEE").ends_with(&format!(":mailto:{}", one(mail.to()))), "{calendar}");
    assert!(unfolded(&calendar, "ATTENDEE").contains("RSVP=TRUE"));
    assert!(
        unfolded(&calendar, "ORGANIZER").ends_with(&format!(":mailto:{}", one(mail.from()))),
        "{calendar}"
    );
    assert!(mail.cc().is_none() && mail.bcc().is_none());
    assert_eq!(mail.message_id().unwrap(), row.message_id.trim_matches(['<', '>']));
    assert_eq!(mail.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    let read: icalendar::Calendar = calendar.parse().unwrap();
    let event = read.components[0].as_event().unwrap();
    let summary = event.get_summary().unwrap_or_default();
    if method == "REQUEST" {
        assert_eq!(mail.subject().unwrap(), summary, "Exchange names the event after the subject");
        assert!(unfolded(&calendar, "STATUS:") != "CANCELLED");
    } else {
        assert!(mail.subject().unwrap().contains(summary));
    }
    assert!(!String::from_utf8_lossy(&wire).contains("Never told") && !calendar.contains("Never told"));
    calendar
}

/// The value of a content line, after its folds are taken out.
fn unfolded(calendar: &str, name: &str) -> String {
    let flat = calendar.replace("\r\n ", "");
    let line = flat.lines().find(|line| line.starts_with(name));
    line.map(|line| line[name.len()..].to_owned()).unwrap_or_default()
}

/// RFC 5322, 2.1 and 2.1.1: lines end with CR LF and have at most 998 octets; headers are ASCII.
fn check_octets(wire: &[u8]) {
    let text = wire.split(|octet| *octet == b'\n');
    let lines: Vec<&[u8]> = text.collect();
    for line in &lines[..lines.len() - 1] {
        assert!(line.ends_with(b"\r"), "a bare LF: {}", String::from_utf8_lossy(line));
        assert!(line.len() <= 999 && !line[..line.len() - 1].contains(&b'\r'));
        assert!(line.is_ascii(), "{}", String::from_utf8_lossy(line));
    }
}

/// Of the row what `compose` reads.
fn row(
    text: &InvitationTexts<'_>,
    attendee: &Attendee,
    kind: MailKind,
    before: Option<&Sent>,
    message: &Sent,
) -> StoredMail {
    let rendered = text.mail(kind, before.map(|before| &before.content), message);
    StoredMail {
        id: MailId(Uuid::from_u128(7)),
        business_id: attendee.business_id,
        kind,
        to_address: attendee.address_in_mail(),
        to_name: one_line(&attendee.name),
        subject: one_line(&rendered.subject),
        body_text: rendered.text,
        body_html: rendered.html,
        message_id: "<1@casa.example>".into(),
        state: MailState::Sending,
        attempted_at: None,
        sent_at: None,
        last_error: None,
        created_at: message.dtstamp,
        from_name: Some("Casa do Mar".into()),
        from_address: Some(ORGANIZER.into()),
        reply_to: None,
        attendee_id: Some(attendee.id),
        invitation: Some(message.clone()),
        calendar: Some(text.calendar(message)),
        useful_until: None,
        reminder_id: None,
        unsubscribe_url: None,
    }
}

type Sent = concord_domain::invitation::SentInvitation;

/// What a calendar that was never told anything else would hold of the booking.
fn expected(subject: &Subject, attendee: &Attendee, sent: Option<&Sent>) -> Option<Held> {
    let message = sent.filter(|sent| sent.method == concord_domain::invitation::InvitationMethod::Request)?;
    assert_eq!(message.content, subject.named().content(), "the last message is not the booking");
    let mut fresh = CalendarModel::default();
    fresh.receive(&InvitationTexts::of(subject, "book.example", Some(attendee), ORGANIZER).calendar(message));
    fresh.0.and_then(|(_, held)| held)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn messages_are_in_form_and_calendars_end_up_as_the_booking(
        (name, business, german) in (wild(), wild(), any::<bool>()),
        edits in prop::collection::vec((edit(), 0..100_i64), 1..7),
        order in any::<usize>(),
    ) {
        let mut subject = subject(&business);
        subject.booking.draft.customer.language = german.then_some(Language::De);
        let attendee = attendee(&name);
        let (mut now, mut comes) = (at("2026-11-20T09:00:00Z"), true);
        let mut sent: Option<Sent> = None;
        let mut calendars = Vec::new();
        let mut is_wanted = true;
        for (edit, seconds) in std::iter::once((Edit::Move(0), 0)).chain(edits) {
            now += Duration::seconds(seconds);
            let asked = matches!(edit, Edit::SendAgain);
            if let Edit::Comes(does) = edit {
                comes = does;
            }
            apply(&mut subject, edit);
            let rule = (subject.business.invitations.mode, asked);
            let desired = desired_invitation(&subject.named(), comes, sent.as_ref(), rule, now);
            is_wanted = desired != concord_domain::invitation::DesiredInvitation::AsItIs;
            if let Some((kind, message)) = plan(sent.as_ref(), None, (&desired, asked), now).send {
                let text = InvitationTexts::of(&subject, "book.example", Some(&attendee), ORGANIZER);
                let mail = row(&text, &attendee, kind, sent.as_ref(), &message);
                let calendar = check_mail(&mail, &mail.body_text);
                prop_assert_eq!(unfolded(&calendar, "UID:"), "booking-00000000-0000-0000-0000-000000000001@book.example");
                calendars.push(calendar);
                sent = Some(message);
            }
        }
        // Whatever order they arrive in.
        let turn = order % calendars.len().max(1);
        calendars.rotate_left(turn);
        if order % 2 == 0 {
            calendars.reverse();
        }
        let mut client = CalendarModel::default();
        for calendar in &calendars {
            client.receive(calendar);
        }
        if is_wanted {
            let expected = expected(&subject, &attendee, sent.as_ref());
            prop_assert_eq!(client.held(), expected.as_ref());
        }
    }
}

#[test]
fn invitations_read_well() {
    let mut subject = subject("Casa do Mar");
    subject.booking.draft.meeting_url = "https://meet.example/1".into();
    let attendee = attendee("Maria Silva");
    let now = at("2026-11-20T09:00:00Z");
    let first = step(&subject, None, now);
    apply(&mut subject, Edit::Move(26));
    subject.booking.draft.customer.language = Some(Language::De);
    let moved = step(&subject, Some(&first.1), now);
    subject.booking.draft.status = BookingStatus::Cancelled;
    let cancelled = step(&subject, Some(&moved.1), now);
    let text = InvitationTexts::of(&subject, "book.example", Some(&attendee), ORGANIZER)
        .with_page("https://book.example/b/cb_1".to_owned());
    let shown = |(kind, message): &(MailKind, Sent), before: Option<&Sent>| {
        let mail = row(&text, &attendee, *kind, before, message);
        format!(
            "Subject: {}\n\n{}\n----\n{}\n----\n{}",
            mail.subject,
            mail.body_text,
            mail.body_html,
            mail.calendar.unwrap()
        )
    };
    insta::assert_snapshot!("invitation_first", shown(&first, None));
    insta::assert_snapshot!("invitation_moved", shown(&moved, Some(&first.1)));
    insta::assert_snapshot!("invitation_cancelled", shown(&cancelled, Some(&moved.1)));
}

fn step(subject: &Subject, sent: Option<&Sent>, now: DateTime<Utc>) -> (MailKind, Sent) {
    let rule = (InvitationMode::Confirmed, false);
    let desired = desired_invitation(&subject.named(), true, sent, rule, now);
    plan(sent, None, (&desired, false), now).send.expect("something is sent")
}

//! What is sent after each change, and, over random histories, that the attendee's calendar ends up as the booking.

use proptest::prelude::*;

use super::*;
use crate::{
    booking::BookingTime,
    ical::fixtures::{at, stay, timed},
};

fn content(title: &str, time: BookingTime) -> InvitationContent {
    InvitationContent {
        title: title.to_owned(),
        time,
        place: "Sea View".to_owned(),
        meeting_url: String::new(),
        staff: vec!["Ana".to_owned()],
        party_size: Some(2),
        tentative: false,
    }
}

fn first() -> InvitationContent {
    content("Massage", timed("2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z"))
}

fn sent(method: InvitationMethod, sequence: u32, content: InvitationContent) -> SentInvitation {
    SentInvitation { method, sequence, dtstamp: at("2026-11-20T09:00:00Z"), content }
}

type PlannedMail = Option<(MailKind, SentInvitation)>;

fn planned(sent: Option<&SentInvitation>, desired: &DesiredInvitation, asked: bool) -> PlannedMail {
    let plan = plan(sent, None, (desired, asked), at("2026-11-21T09:00:00.7Z"));
    assert!(!plan.withdraw);
    plan.send
}

fn shown(send: PlannedMail) -> Option<(MailKind, InvitationMethod, u32)> {
    send.map(|(kind, sent)| (kind, sent.method, sent.sequence))
}

#[test]
fn sequence_is_raised_by_time_place_and_cancellation() {
    use InvitationMethod::{Cancel, Remove, Request};
    use MailKind::{Invitation, InvitationCancel, InvitationUpdate};
    let held = sent(Request, 3, first());
    let invited = DesiredInvitation::Invited;
    let elsewhere = InvitationContent { place: "Garden".into(), ..first() };
    let by_video = InvitationContent { meeting_url: "https://meet.example/1".into(), ..first() };
    let later = content("Massage", timed("2026-12-01T10:00:00Z", "2026-12-01T11:30:00Z"));
    let renamed = InvitationContent { title: "Hot stones".into(), ..first() };
    let agreed = InvitationContent { tentative: true, ..first() };
    for (desired, asked, expected) in [
        (invited(first()), false, None),
        (invited(first()), true, Some((Invitation, Request, 3))),
        (invited(later), false, Some((InvitationUpdate, Request, 4))),
        (invited(elsewhere), false, Some((InvitationUpdate, Request, 4))),
        (invited(by_video), false, Some((InvitationUpdate, Request, 4))),
        (invited(renamed), false, Some((InvitationUpdate, Request, 3))),
        (invited(agreed), false, Some((InvitationUpdate, Request, 3))),
        (DesiredInvitation::Cancelled, true, Some((InvitationCancel, Cancel, 4))),
        (DesiredInvitation::Removed, false, Some((InvitationCancel, Remove, 4))),
        (DesiredInvitation::AsItIs, true, None),
    ] {
        assert_eq!(shown(planned(Some(&held), &desired, asked)), expected, "{desired:?}");
    }
}

#[test]
fn who_was_never_invited_hears_of_no_cancellation() {
    for desired in [DesiredInvitation::Cancelled, DesiredInvitation::Removed, DesiredInvitation::AsItIs] {
        assert_eq!(planned(None, &desired, true), None);
    }
    let cancelled = sent(InvitationMethod::Cancel, 2, first());
    assert_eq!(planned(Some(&cancelled), &DesiredInvitation::Cancelled, false), None);
    let again = shown(planned(Some(&cancelled), &DesiredInvitation::Invited(first()), false));
    assert_eq!(again, Some((MailKind::Invitation, InvitationMethod::Request, 3)));
}

#[test]
fn dtstamp_is_later_in_each_message_whatever_the_clock() {
    let held = sent(InvitationMethod::Request, 0, first());
    for now in ["2026-11-20T09:00:00.9Z", "2026-11-19T00:00:00Z"] {
        let plan = plan(Some(&held), None, (&DesiredInvitation::Invited(first()), true), at(now));
        let Some((_, next)) = plan.send else { panic!("nothing is sent") };
        assert_eq!(next.dtstamp, at("2026-11-20T09:00:01Z"));
    }
}

#[test]
fn what_waits_is_taken_back_when_it_is_no_longer_so() {
    let now = at("2026-11-21T09:00:00Z");
    let waiting = sent(InvitationMethod::Request, 0, first());
    let undone = plan(None, Some(&waiting), (&DesiredInvitation::Cancelled, false), now);
    assert_eq!(undone, InvitationPlan { withdraw: true, send: None });
    let same = plan(None, Some(&waiting), (&DesiredInvitation::Invited(first()), true), now);
    assert_eq!(same, InvitationPlan { withdraw: false, send: None });
    let moved = content("Massage", stay("2026-12-01", "2026-12-02"));
    let moved = plan(None, Some(&waiting), (&DesiredInvitation::Invited(moved), false), now);
    assert!(moved.withdraw);
    assert_eq!(shown(moved.send), Some((MailKind::Invitation, InvitationMethod::Request, 0)));
}

/// An attendee's calendar as RFC 5546 has it (2.1.5 and 3.2): the message with the higher SEQUENCE counts, of two with one
/// SEQUENCE the one with the later DTSTAMP. What was taken out is remembered, or an older invitation would bring it back.
#[derive(Default)]
struct ClientModel(Option<SentInvitation>);

impl ClientModel {
    fn receive(&mut self, message: &SentInvitation) {
        if self.0.as_ref().is_none_or(|known| known.rank() < message.rank()) {
            self.0 = Some(message.clone());
        }
    }

    fn shows(&self) -> Option<&InvitationContent> {
        self.0.as_ref().filter(|known| known.method == InvitationMethod::Request).map(|known| &known.content)
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Book {
        title: u8,
        hour: u8,
        place: u8,
    },
    Cancel,
    Remove,
    SendAgain,
    /// The plan is made and what it says waits.
    Plan,
    /// What waits is handed to the mail server, which takes it, refuses it, or is not heard.
    Deliver {
        taken: bool,
        heard: bool,
    },
    /// The clock goes on, or is set back.
    Clock(i64),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (0..3_u8, 0..3_u8, 0..2_u8).prop_map(|(title, hour, place)| Edit::Book { title, hour, place }),
        1 => Just(Edit::Cancel),
        1 => Just(Edit::Remove),
        1 => Just(Edit::SendAgain),
        4 => Just(Edit::Plan),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(taken, heard)| Edit::Deliver { taken, heard }),
        2 => (-30..300_i64).prop_map(Edit::Clock),
    ]
}

/// What the rows of one attendee hold, as `jobs::invitations` writes them.
#[derive(Default)]
struct AttendeeModel {
    sent: Option<SentInvitation>,
    /// Handed over, without an answer.
    sending: Option<SentInvitation>,
    waiting: Option<SentInvitation>,
    asked: bool,
    /// All that has reached the attendee, in the order of arrival.
    arrived: Vec<SentInvitation>,
}

impl AttendeeModel {
    fn plan(&mut self, desired: &DesiredInvitation, now: DateTime<Utc>) {
        let sent = self.sending.as_ref().or(self.sent.as_ref());
        let plan = plan(sent, self.waiting.as_ref(), (desired, self.asked), now);
        self.asked = false;
        if plan.withdraw {
            self.waiting = None;
        }
        if let Some((_, message)) = plan.send {
            assert!(self.waiting.is_none(), "two messages wait for one attendee");
            self.waiting = Some(message);
        }
    }

    fn deliver(&mut self, taken: bool, heard: bool) {
        // What may have left already is tried again before anything newer.
        let Some(message) = self.sending.take().or_else(|| self.waiting.take()) else { return };
        if taken {
            self.arrived.push(message.clone());
        }
        match (taken, heard) {
            (true, true) => self.sent = Some(message),
            (false, true) if self.waiting.is_none() && self.was_never_handed(&message) => {
                self.waiting = Some(message);
            }
            _ => self.sending = Some(message),
        }
    }

    /// A refusal of what was in doubt before leaves the doubt.
    fn was_never_handed(&self, message: &SentInvitation) -> bool {
        !self.arrived.contains(message)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn calendar_ends_up_as_the_booking_in_any_order_of_arrival(
        edits in prop::collection::vec(edit(), 1..40),
        order in any::<u64>(),
    ) {
        let mut now = at("2026-11-20T09:00:00Z");
        let mut desired = DesiredInvitation::AsItIs;
        let mut attendee = AttendeeModel::default();
        for edit in edits {
            match edit {
                Edit::Book { title, hour, place } => {
                    let start = at("2026-12-01T08:00:00Z") + Duration::hours(hour.into());
                    let time = BookingTime::Timed { starts_at: start, ends_at: start + Duration::hours(1) };
                    let place = format!("Room {place}");
                    desired = DesiredInvitation::Invited(InvitationContent {
                        place, ..content(&format!("Title {title}"), time)
                    });
                }
                Edit::Cancel => desired = DesiredInvitation::Cancelled,
                Edit::Remove => desired = DesiredInvitation::Removed,
                Edit::SendAgain => attendee.asked = true,
                Edit::Plan => attendee.plan(&desired, now),
                Edit::Deliver { taken, heard } => attendee.deliver(taken, heard),
                Edit::Clock(seconds) => now += Duration::seconds(seconds),
            }
        }
        // In the end all is planned, and the server is there.
        attendee.plan(&desired, now);
        for _ in 0..3 {
            attendee.deliver(true, true);
        }
        let expected = match &desired {
            DesiredInvitation::Invited(content) => Some(content),
            _ => None,
        };
        let mut in_order = ClientModel::default();
        attendee.arrived.iter().for_each(|message| in_order.receive(message));
        prop_assert_eq!(in_order.shows(), expected);
        let mut shuffled = attendee.arrived.clone();
        shuffled.sort_by_key(|message| {
            u64::from(message.sequence).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(order).rotate_left(17)
                ^ u64::try_from(message.dtstamp.timestamp()).unwrap_or(0).wrapping_mul(order | 1)
        });
        let mut client = ClientModel::default();
        for message in &shuffled {
            client.receive(message);
        }
        prop_assert_eq!(client.shows(), expected);
    }
}

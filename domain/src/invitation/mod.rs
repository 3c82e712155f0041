//! Invitations: what those who come to a booking are sent, so that their own calendars hold it (iTIP, RFC 5546, in mails by
//! RFC 6047).
//!
//! `content` is what an attendee's calendar holds of a booking, `desired` says what it shall hold, `plan` compares it with what
//! they were last sent and says what they are sent now; `settings` is what a business chooses; `reply` decides what follows from
//! the answer of a calendar, and `answer_address` is where it may come to. What a message looks like is in `ical::itip`.

mod answer_address;
mod content;
mod desired;
mod plan;
mod reply;
mod settings;
mod state;

pub use self::{
    answer_address::{ANSWER_TOKEN_BYTES, MAX_SENDER_LOCAL_PART, answer_address, is_answered_to},
    content::{AttendeeRole, InvitationContent, has_address, named_attendees},
    desired::{NamedBooking, desired_invitation, invites},
    plan::{DesiredInvitation, InvitationMethod, InvitationPlan, SentInvitation, plan},
    reply::{ReplyDecision, decide_reply, given_answer},
    settings::{InvitationMode, InvitationSettings},
    state::InvitationState,
};

//! What an attendee is sent, from what they were last sent and what their calendar shall hold.

use chrono::{DateTime, Duration, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::InvitationContent;
use crate::{ical::scheduling::Method, mail::MailKind, words};

words! {
    /// What a message does to an attendee's calendar.
    InvitationMethod {
        /// Puts the booking in, or changes it (METHOD:REQUEST).
        Request = "request",
        /// Takes the booking out, because it will not take place (METHOD:CANCEL, STATUS:CANCELLED).
        Cancel = "cancel",
        /// Takes it out, because the attendee no longer comes (METHOD:CANCEL without STATUS, RFC 5546, 3.2.5).
        Remove = "remove",
    }
}

impl InvitationMethod {
    /// METHOD of the message that does it.
    pub fn itip(self) -> Method {
        match self {
            Self::Request => Method::Request,
            Self::Cancel | Self::Remove => Method::Cancel,
        }
    }
}

/// A message as it was, or may have been, sent to one attendee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentInvitation {
    pub method: InvitationMethod,
    /// SEQUENCE: raised whenever the attendee has to think anew.
    pub sequence: u32,
    /// DTSTAMP: when the message was made, to the second; later in each message to the same attendee.
    pub dtstamp: DateTime<Utc>,
    /// What the message says; of a cancellation, what the one before said.
    pub content: InvitationContent,
}

impl SentInvitation {
    /// By what calendars tell which of two messages counts (RFC 5546, 2.1.5): the greater.
    pub fn rank(&self) -> (u32, DateTime<Utc>) {
        (self.sequence, self.dtstamp)
    }

    /// SEQUENCE of the message after this one, which says `next`; `None`: it cancels. It is raised when the attendee is invited
    /// anew, has to agree anew, or is no longer invited.
    pub fn next_sequence(&self, next: Option<&InvitationContent>) -> u32 {
        let is_invited = self.method == InvitationMethod::Request;
        let is_raised = match next {
            Some(content) => !is_invited || self.content.moves_to(content),
            None => is_invited,
        };
        self.sequence + u32::from(is_raised)
    }

    /// Whether two messages do the same to a calendar, whenever they were made.
    fn says_the_same(&self, other: &Self) -> bool {
        (self.method, self.sequence, &self.content) == (other.method, other.sequence, &other.content)
    }
}

/// What shall be in an attendee's calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DesiredInvitation {
    Invited(InvitationContent),
    /// Nothing: the booking does not take place.
    Cancelled,
    /// Nothing: the attendee no longer comes.
    Removed,
    /// What is there by now.
    AsItIs,
}

/// What is to be done for an attendee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationPlan {
    /// Whether the message that waits is taken back: it says what is no longer so.
    pub withdraw: bool,
    /// What they are sent; `None`: nothing.
    pub send: Option<(MailKind, SentInvitation)>,
}

/// Plans what an attendee is sent.
///
/// `sent`: the last message that may have reached them. `waiting`: the one that has not left yet, and can be taken back.
/// `asked`: whether somebody wants them to be sent it again, though nothing has changed.
pub fn plan(
    sent: Option<&SentInvitation>,
    waiting: Option<&SentInvitation>,
    (desired, asked): (&DesiredInvitation, bool),
    now: DateTime<Utc>,
) -> InvitationPlan {
    let next = next(sent, (desired, asked), now);
    match (waiting, next) {
        (Some(waiting), Some((_, next))) if waiting.says_the_same(&next) => {
            InvitationPlan { withdraw: false, send: None }
        }
        (waiting, send) => InvitationPlan { withdraw: waiting.is_some(), send },
    }
}

fn next(
    sent: Option<&SentInvitation>,
    (desired, asked): (&DesiredInvitation, bool),
    now: DateTime<Utc>,
) -> Option<(MailKind, SentInvitation)> {
    // DTSTAMP has seconds, and of two messages with one SEQUENCE the later counts (RFC 5546, 2.1.5). A clock that was set
    // back must not make an update look older than what it updates.
    let now = now.trunc_subsecs(0);
    let dtstamp = sent.map_or(now, |sent| now.max(sent.dtstamp + Duration::seconds(1)));
    let held = sent.filter(|sent| sent.method == InvitationMethod::Request);
    let message = |method: InvitationMethod, content: &InvitationContent| {
        let next = (method == InvitationMethod::Request).then_some(content);
        let sequence = sent.map_or(0, |sent| sent.next_sequence(next));
        SentInvitation { method, sequence, dtstamp, content: content.clone() }
    };
    match (held, desired) {
        (_, DesiredInvitation::AsItIs)
        | (None, DesiredInvitation::Cancelled | DesiredInvitation::Removed) => None,
        (None, DesiredInvitation::Invited(content)) => {
            Some((MailKind::Invitation, message(InvitationMethod::Request, content)))
        }
        (Some(held), DesiredInvitation::Invited(content)) if held.content == *content => {
            asked.then(|| (MailKind::Invitation, message(InvitationMethod::Request, content)))
        }
        (Some(_), DesiredInvitation::Invited(content)) => {
            Some((MailKind::InvitationUpdate, message(InvitationMethod::Request, content)))
        }
        (Some(held), DesiredInvitation::Cancelled) => {
            Some((MailKind::InvitationCancel, message(InvitationMethod::Cancel, &held.content)))
        }
        (Some(held), DesiredInvitation::Removed) => {
            Some((MailKind::InvitationCancel, message(InvitationMethod::Remove, &held.content)))
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

//! How the invitation of one attendee stands, for people.

use super::{InvitationMethod, SentInvitation};
use crate::{mail::MailState, words};

words! {
    /// How the invitation of one person stands.
    InvitationState "Invitation status." {
        /// They were sent nothing.
        NotSent = "not_sent",
        /// A message to them is on its way.
        Waiting = "waiting",
        /// They are invited to the booking as it stands, or as it stood when nobody had changed it yet.
        Sent = "sent",
        /// The last message to them was refused.
        Failed = "failed",
        /// They were told that it will not take place, or not with them.
        Cancelled = "cancelled",
    }
}

impl InvitationState {
    /// From the last message that reached them, and the state of the newest mail to them.
    pub fn of(sent: Option<&SentInvitation>, newest: Option<MailState>) -> Self {
        match (newest, sent.map(|sent| sent.method)) {
            (Some(MailState::Waiting | MailState::Sending), _) => Self::Waiting,
            (Some(MailState::Failed), _) => Self::Failed,
            (_, Some(InvitationMethod::Request)) => Self::Sent,
            (_, Some(InvitationMethod::Cancel | InvitationMethod::Remove)) => Self::Cancelled,
            (Some(MailState::Sent) | None, None) => Self::NotSent,
        }
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotSent => "Not sent",
            Self::Waiting => "Pending",
            Self::Sent => "Sent",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

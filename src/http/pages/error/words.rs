//! What an error page says: what happened, whether anything was lost, what to do, and where to go from here.

use super::PageError;

impl PageError {
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::SignedOut { .. } => "You are signed out",
            Self::NotFound(_) => "There is nothing here",
            Self::ManagersOnly => "Only for managers",
            Self::Forged => "The form was refused",
            Self::TooLarge => "That was too much",
            Self::Malformed(_) => "The request makes no sense",
            Self::WrongMethod => "There is no page here",
            Self::NotPossible(_) => "That is not possible right now",
            Self::DeadLink => "This link no longer works",
            Self::Connect { .. } => "The calendar was not connected",
            Self::TooMany { .. } => "Too many requests",
            Self::Full => "Too much at once",
            Self::Busy => "Others were faster",
            Self::Unavailable(_) => "This cannot be done at the moment",
            Self::TooSlow => "This took too long",
            Self::Broken(_) => "Something went wrong on our side",
        }
    }

    pub(super) fn text(&self) -> String {
        let text = match self {
            Self::NotFound(what) => return format!("There is no such {what}, or it is not yours to see."),
            Self::NotPossible(text) | Self::Connect { message: text, .. } => text,
            Self::SignedOut { .. } => "Your session has ended, so nothing was changed.",
            Self::ManagersOnly => "This page belongs to the managers of your business.",
            Self::Forged => "It did not come from a page of this session, so nothing was changed.",
            Self::TooLarge => "What was sent is larger than this page takes, so nothing was changed.",
            Self::Malformed(_) => "No page of Concord makes such a request, so nothing was changed.",
            Self::WrongMethod => "This address only takes forms, so nothing was changed.",
            Self::DeadLink => {
                "Sign-in links work once and for a short time. This one has been used, or is too old."
            }
            Self::TooMany { .. } => {
                "Your address has asked for too much in a short time, so nothing was done. Others may share it with you."
            }
            Self::Full => "Too many others are asking for the same right now, so nothing was done.",
            Self::Busy => "Somebody is changing the same things right now, so nothing was changed.",
            Self::Unavailable(_) => {
                "The database does not answer, or takes no changes. What was saved before is safe; what you just sent was \
                 not saved."
            }
            Self::TooSlow => "The answer was given up. It may be that the change was made all the same.",
            Self::Broken(_) => {
                "It has been written down. What was saved before is safe; what you just sent was not saved."
            }
        };
        text.to_owned()
    }

    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::SignedOut { .. } => {
                "Sign in again, then go back and send the form once more; look first whether your browser still has what you typed."
            }
            Self::NotFound(_) | Self::WrongMethod => "Check the address, or find it from the overview.",
            Self::ManagersOnly => "Nothing was changed. Ask one of them if you need something here.",
            Self::Forged => "Go back, load the page again and send the form once more.",
            Self::TooLarge => "Go back, shorten the text and send it again.",
            Self::Malformed(_) => "Go back, load the page again and try once more.",
            Self::NotPossible(_) => "Nothing was changed.",
            Self::DeadLink => "Ask for a new one.",
            Self::Connect { advice, .. } => advice,
            Self::TooMany { .. } => "Wait a minute, and try again.",
            Self::Busy | Self::Unavailable(_) | Self::Full | Self::Broken(_) => {
                "Go back and try again in a moment."
            }
            Self::TooSlow => "Look at the page again before you repeat it.",
        }
    }

    /// A path, and what leads there.
    pub(super) fn way_on(&self) -> (&str, &'static str) {
        match self {
            Self::SignedOut { .. } => ("/sign-in", "How to sign in"),
            Self::DeadLink => ("/sign-in", "How to get a new link"),
            Self::Connect { back, .. } => (back, "Try again"),
            _ => ("/", "To the overview"),
        }
    }
}

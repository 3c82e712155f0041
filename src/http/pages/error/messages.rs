//! What an error page says: what happened, whether anything was lost, what to do, and where to go from here.

use super::PageError;

impl PageError {
    pub(in crate::http::pages) fn title(&self) -> &'static str {
        match self {
            Self::SignedOut { .. } => "You are signed out",
            Self::NotFound(_) => "Not found",
            Self::ManagersOnly => "Managers only",
            Self::Forged => "The form could not be submitted",
            Self::TooLarge => "Too large",
            Self::Malformed(_) => "Invalid request",
            Self::WrongMethod => "No page here",
            Self::NotPossible(_) => "This is not possible right now",
            Self::DeadLink => "This link no longer works",
            Self::Connect { .. } => "Calendar not connected",
            Self::SignIn { .. } => "You are not signed in",
            Self::TooMany { .. } => "Too many requests",
            Self::Full => "Busy right now",
            Self::Busy => "Someone else made changes",
            Self::Unavailable(_) => "Temporarily unavailable",
            Self::TooSlow => "This took too long",
            Self::Broken(_) => "Something went wrong",
        }
    }

    pub(in crate::http::pages) fn text(&self) -> String {
        let text = match self {
            Self::NotFound(what) => {
                return format!("This {what} does not exist, or you do not have access to it.");
            }
            Self::NotPossible(text)
            | Self::Connect { message: text, .. }
            | Self::SignIn { message: text, .. } => text,
            Self::SignedOut { .. } => "Your session has expired. Nothing was changed.",
            Self::ManagersOnly => "Only managers of your business can open this page.",
            Self::Forged => "The form does not belong to your current session. Nothing was changed.",
            Self::TooLarge => "The content is too large for this page. Nothing was changed.",
            Self::Malformed(_) => "The request is not valid. Nothing was changed.",
            Self::WrongMethod => "This address only accepts form submissions. Nothing was changed.",
            Self::DeadLink => {
                "Sign-in links work once and expire soon. This one was already used or has expired."
            }
            Self::TooMany { .. } => {
                "Too many requests came from your network in a short time. Nothing was changed."
            }
            Self::Full => "Concord is handling too many requests right now. Nothing was changed.",
            Self::Busy => "Someone else is changing the same data right now. Nothing was changed.",
            Self::Unavailable(_) => {
                "The database is unavailable or read-only. Saved data is safe, but your last \
                 change was not saved."
            }
            Self::TooSlow => "The request timed out. Your change may still have been saved.",
            Self::Broken(_) => {
                "The error was logged. Saved data is safe, but your last change was not saved."
            }
        };
        text.to_owned()
    }

    pub(in crate::http::pages) fn advice(&self) -> &'static str {
        match self {
            Self::SignedOut { .. } => {
                "Sign in again, then go back and submit the form again. Your browser may still have what you typed."
            }
            Self::NotFound(_) | Self::WrongMethod => "Check the address, or start from the overview.",
            Self::ManagersOnly => "Nothing was changed. Ask a manager if you need access.",
            Self::Forged => "Go back, reload the page and submit the form again.",
            Self::TooLarge => "Go back, shorten the text and submit it again.",
            Self::Malformed(_) => "Go back, reload the page and try again.",
            Self::NotPossible(_) => "Nothing was changed.",
            Self::DeadLink => "Ask for a new link.",
            Self::Connect { advice, .. } | Self::SignIn { advice, .. } => advice,
            Self::TooMany { .. } => "Wait a minute, and try again.",
            Self::Busy | Self::Unavailable(_) | Self::Full | Self::Broken(_) => {
                "Go back and try again in a moment."
            }
            Self::TooSlow => "Check the page before you try again.",
        }
    }

    /// A path, and what leads there.
    pub(in crate::http::pages) fn next_step(&self) -> (&str, &'static str) {
        match self {
            Self::SignedOut { .. } => ("/sign-in", "How to sign in"),
            Self::DeadLink => ("/sign-in", "Get a new link"),
            Self::Connect { back, .. } => (back, "Try again"),
            Self::SignIn { .. } => ("/sign-in", "Back to sign-in"),
            _ => ("/", "Go to overview"),
        }
    }
}

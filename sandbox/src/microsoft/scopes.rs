//! What a person can consent to, and what each call needs.

const PREFIX: &str = "https://graph.microsoft.com/";

/// All that the consent page knows, with what it says to the person.
const KNOWN: [(&str, &str); 11] = [
    ("openid", "Know who you are"),
    ("email", "See your e-mail address"),
    ("profile", "See your name"),
    ("offline_access", "Maintain access to data you have given it access to"),
    ("User.Read", "Sign you in and read your profile"),
    ("Calendars.ReadBasic", "See when you are busy"),
    ("Calendars.Read", "Read your calendars"),
    ("Calendars.ReadWrite", "Have full access to your calendars"),
    ("Calendars.Read.Shared", "Read calendars you can access"),
    ("Calendars.ReadWrite.Shared", "Read and write to your and shared calendars"),
    ("MailboxSettings.Read", "Read your mailbox settings"),
];

/// What the sandbox's short cut consents to if nothing else is asked for.
pub(crate) const EVERYTHING: &str = "openid profile email offline_access User.Read Calendars.ReadWrite";

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GraphPermission {
    ReadUser,
    ReadCalendars,
    WriteCalendars,
}

impl GraphPermission {
    /// Any one of these will do.
    fn scopes(self) -> &'static [&'static str] {
        match self {
            GraphPermission::ReadUser => &["user.read"],
            GraphPermission::ReadCalendars => &[
                "calendars.read",
                "calendars.readwrite",
                "calendars.read.shared",
                "calendars.readwrite.shared",
            ],
            GraphPermission::WriteCalendars => &["calendars.readwrite", "calendars.readwrite.shared"],
        }
    }

    /// Whether the consented `scope` (names with spaces between, in any case) is enough.
    pub(crate) fn is_met_by(self, scope: &str) -> bool {
        scope.split(' ').any(|one| self.scopes().contains(&short(one).to_lowercase().as_str()))
    }
}

/// What the consent page says about `scope`; `None` if there is no such scope.
pub(crate) fn describe(scope: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(short(scope))).map(|(_, says)| *says)
}

/// Whether `scope` asks for `name`.
pub(crate) fn asks_for(scope: &str, name: &str) -> bool {
    scope.split(' ').any(|one| short(one).eq_ignore_ascii_case(name))
}

/// The scope that a token answer names: the token's own, without the one that only brings a refresh token.
pub(crate) fn told(scope: &str) -> String {
    scope.split(' ').filter(|one| *one != "offline_access").collect::<Vec<_>>().join(" ")
}

fn short(scope: &str) -> &str {
    scope.strip_prefix(PREFIX).unwrap_or(scope)
}

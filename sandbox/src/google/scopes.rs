//! What a person can consent to, and what each call needs.

const PREFIX: &str = "https://www.googleapis.com/auth/";

/// All that the consent page knows, with what it says to the person.
const KNOWN: [(&str, &str); 16] = [
    ("openid", "Know who you are"),
    ("email", "See your e-mail address"),
    ("profile", "See your name"),
    ("userinfo.email", "See your e-mail address"),
    ("userinfo.profile", "See your name"),
    ("calendar", "See, change, share and delete all of your calendars"),
    ("calendar.readonly", "See all of your calendars"),
    ("calendar.events", "See and change the entries of all of your calendars"),
    ("calendar.events.readonly", "See the entries of all of your calendars"),
    ("calendar.events.owned", "See and change the entries of the calendars that you own"),
    ("calendar.events.freebusy", "See when you are busy"),
    ("calendar.freebusy", "See when you are busy"),
    ("calendar.calendarlist", "See and change the list of your calendars"),
    ("calendar.calendarlist.readonly", "See the list of your calendars"),
    ("calendar.calendars", "See and change the properties of your calendars"),
    ("calendar.calendars.readonly", "See the properties of your calendars"),
];

/// What the sandbox's short cut consents to if nothing else is asked for.
pub(crate) const EVERYTHING: &str = "openid email https://www.googleapis.com/auth/calendar";

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GooglePermission {
    ListCalendars,
    ReadEvents,
    WriteEvents,
    FreeBusy,
}

impl GooglePermission {
    /// Any one of these will do.
    fn scopes(self) -> &'static [&'static str] {
        match self {
            GooglePermission::ListCalendars => {
                &["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"]
            }
            GooglePermission::ReadEvents => &[
                "calendar",
                "calendar.readonly",
                "calendar.events",
                "calendar.events.readonly",
                "calendar.events.owned",
            ],
            GooglePermission::WriteEvents => &["calendar", "calendar.events", "calendar.events.owned"],
            GooglePermission::FreeBusy => {
                &["calendar", "calendar.readonly", "calendar.freebusy", "calendar.events.freebusy"]
            }
        }
    }

    /// Whether the consented `scope` (names with spaces between) is enough.
    pub(crate) fn is_met_by(self, scope: &str) -> bool {
        scope.split(' ').any(|one| self.scopes().contains(&one.strip_prefix(PREFIX).unwrap_or(one)))
    }
}

/// What the consent page says about `scope`; `None` if there is no such scope.
pub(crate) fn describe(scope: &str) -> Option<&'static str> {
    let short = match scope {
        "openid" | "email" | "profile" => scope,
        _ => scope.strip_prefix(PREFIX)?,
    };
    KNOWN.iter().find(|(name, _)| *name == short).map(|(_, says)| *says)
}

/// Whether the identity of the person was asked for.
pub(crate) fn includes_identity(scope: &str) -> bool {
    scope.split(' ').any(|one| matches!(one, "openid" | "email") || one == format!("{PREFIX}userinfo.email"))
}

//! Booking platforms (Airbnb, Vrbo, Booking.com and others) and calendars that are read like one: how each writes its feed,
//! how often it is asked, and what a person has to do there.
//!
//! A platform is a file in `config/platforms`; `file` reads it. To add one: a file there with the same keys, its name in
//! [`BUILTIN`]; an installation that wants another puts its file into the folder that `platforms.folder` names.

mod checklist;
mod file;
mod file_check;
mod file_keys;
mod guest;
mod text;

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::words;

pub use checklist::{Checklist, fill};
pub use file_keys::{PlatformFile, PlatformFileError};
pub use text::{TextField, TextMatch, TextRule};

words! {
    /// How a platform learns of what is taken, and tells of it.
    PlatformKind "How a platform is updated." {
        /// By iCalendar feeds alone.
        Ical = "ical",
        /// By a person who follows a checklist.
        Manual = "manual",
        /// By feeds where the platform offers them, else by a checklist.
        Both = "both",
    }
}

words! {
    /// What an event of a platform's feed stands for.
    EventKind {
        Reservation = "reservation",
        Block = "block",
        /// One or the other: the platform does not say.
        Unclear = "unclear",
    }
}

words! {
    /// For how long the UID of an event stands for the same reservation.
    UidKeeps {
        /// Whatever changes, its dates too.
        Stable = "stable",
        /// Until the dates change; then it may be another one.
        WithDates = "with_dates",
        /// It may be another one at each read.
        Volatile = "volatile",
    }
}

/// The name of a platform in addresses, files and the database: `a-z`, `0-9` and `_`, at most 32 of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlatformId(String);

crate::column::column!('v, PlatformId as String, |id| id.0.clone(), |id| Ok(Self(id)));

/// A text that cannot be a platform's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 32 of the characters a-z, 0-9 and _")]
pub struct InvalidPlatformId;

impl PlatformId {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlatformId {
    type Err = InvalidPlatformId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for PlatformId {
    type Error = InvalidPlatformId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if (1..=32).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(InvalidPlatformId)
        }
    }
}

impl From<PlatformId> for String {
    fn from(id: PlatformId) -> Self {
        id.0
    }
}

impl fmt::Display for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When what is said of a platform was last compared with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformVerification {
    pub on: NaiveDate,
    /// By what, for people.
    pub source: String,
}

/// A platform, or another source of feeds that is read like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// Its name for programs.
    pub id: PlatformId,
    /// Its name for people.
    pub name: String,
    /// How it learns of what is taken, and tells of it.
    pub kind: PlatformKind,
    /// Other names that people and programs write for it, in lower case.
    pub aliases: Vec<String>,
    /// Its colour on the pages: degrees of the colour circle, 0 to 359.
    pub hue: u32,
    /// Whether it reads a feed of ours.
    pub imports: bool,
    /// Whether it offers a feed of its own.
    pub exports: bool,
    /// Minutes between two reads of its feed, where nobody has said otherwise.
    pub interval_minutes: u32,
    /// The fewest minutes between two reads of its feed that may be set.
    pub min_interval_minutes: u32,
    /// How often it reads our feed: from so many minutes to so many. For people; the platforms promise nothing.
    pub reads_every: Option<(u32, u32)>,
    /// Days after its end for which an event stays in the feed. Afterwards its absence says nothing.
    pub past_days_kept: u32,
    /// For how long an event's UID stands for the same reservation.
    pub uid_keeps: UidKeeps,
    /// By what a reservation is known.
    pub reservation: Vec<TextRule>,
    /// By what a block is known.
    pub block: Vec<TextRule>,
    /// What an event is that no rule knows.
    pub unclear: EventKind,
    /// How many months ahead the platform can be booked, as its owners choose: a block that begins there is the end of
    /// that window and moves on each day. Empty: it has none.
    pub window_months: Vec<u32>,
    /// Hosts of the addresses of its feeds, see [`Platform::recognises`].
    pub hosts: Vec<String>,
    /// What the PRODID of its calendars holds, in lower case: by it a calendar of another platform is known.
    pub products: Vec<String>,
    /// When the steps were last compared with the platform, and by what; `None`: nobody says.
    pub checked: Option<PlatformVerification>,
    /// How a person gets our feed into the platform. May hold `{feed_url}`, `{resource}` and `{business}`.
    pub import_steps: Vec<String>,
    /// Where a person finds the address of the platform's feed. May hold `{resource}` and `{business}`.
    pub export_steps: Vec<String>,
    /// What a person should know beforehand, such as where the platform offers no feed.
    pub notes: Vec<String>,
    /// What a person does there by hand; `None` where feeds do it all.
    pub checklist: Option<Checklist>,
}

impl Platform {
    /// What an event of its feed stands for.
    pub fn classify(&self, summary: &str, description: &str) -> EventKind {
        let known_by = |rules: &[TextRule]| rules.iter().any(|rule| rule.matches(summary, description));
        if known_by(&self.reservation) {
            EventKind::Reservation
        } else if known_by(&self.block) {
            EventKind::Block
        } else {
            self.unclear
        }
    }

    /// The same as the platform says it: what no rule knows is unclear there, whatever it is taken for in the end, because it
    /// may be ours, given back.
    pub fn tell(&self, summary: &str, description: &str) -> EventKind {
        let known_by = |rules: &[TextRule]| rules.iter().any(|rule| rule.matches(summary, description));
        match self.classify(summary, description) {
            EventKind::Reservation if !known_by(&self.reservation) => EventKind::Unclear,
            told => told,
        }
    }

    /// Whether a reservation with these words is not agreed on yet.
    pub fn is_tentative(&self, summary: &str, description: &str) -> bool {
        self.reservation.iter().any(|rule| rule.tentative && rule.matches(summary, description))
    }

    /// Whether nights are sold there, as they are not in people's calendars: what is unclear may have been.
    pub fn sells(&self) -> bool {
        self.unclear != EventKind::Block
    }

    /// The guest whom a reservation's summary names, if it names one.
    pub fn guest_of(&self, summary: &str) -> Option<String> {
        self.reservation.iter().find_map(|rule| rule.guest_in(summary)).map(str::to_owned)
    }

    /// Whether an address is one of its feeds: its host is one of [`Platform::hosts`] or below it. A host that ends with a
    /// dot stands for all countries: `airbnb.` for `www.airbnb.com` and `airbnb.co.uk`.
    pub fn recognises(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let dotted = format!(".{}", host.trim_end_matches('.').to_ascii_lowercase());
        self.hosts.iter().any(|known| {
            let known = format!(".{known}");
            if known.ends_with('.') {
                let country = dotted.rsplit_once(&known).map(|(_, country)| country);
                country.is_some_and(|country| !country.is_empty() && country.split('.').count() <= 2)
            } else {
                dotted.ends_with(&known)
            }
        })
    }

    /// Whether a calendar's PRODID says that the platform wrote it.
    pub fn matches_product(&self, product: &str) -> bool {
        let product = product.to_lowercase();
        self.products.iter().any(|known| product.contains(known))
    }

    fn is_called(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// All that it is called, in lower case.
    fn names(&self) -> impl Iterator<Item = String> {
        [self.id.0.clone(), self.name.to_lowercase()].into_iter().chain(self.aliases.iter().cloned())
    }
}

/// All platforms that this installation knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platforms(Vec<Platform>);

/// The files inside the program, in the order in which people look for them.
const BUILTIN: &[(&str, &str)] = &[
    ("airbnb.toml", include_str!("../../../config/platforms/airbnb.toml")),
    ("vrbo.toml", include_str!("../../../config/platforms/vrbo.toml")),
    ("booking_com.toml", include_str!("../../../config/platforms/booking_com.toml")),
    ("agoda.toml", include_str!("../../../config/platforms/agoda.toml")),
    ("gommt.toml", include_str!("../../../config/platforms/gommt.toml")),
    ("lekkeslaap.toml", include_str!("../../../config/platforms/lekkeslaap.toml")),
    ("safarinow.toml", include_str!("../../../config/platforms/safarinow.toml")),
    ("google.toml", include_str!("../../../config/platforms/google.toml")),
    ("outlook.toml", include_str!("../../../config/platforms/outlook.toml")),
    ("generic.toml", include_str!("../../../config/platforms/generic.toml")),
];

impl Platforms {
    /// Those inside the program.
    #[expect(clippy::expect_used, reason = "the files are inside the program, and a test reads them")]
    pub fn builtin() -> Self {
        Self::with_files(&[]).expect("config/platforms")
    }

    /// Those inside the program with an installation's own: a file replaces the platform whose id it has, or adds one.
    /// The error names everything that is wrong.
    pub fn with_files(files: &[PlatformFile]) -> Result<Self, Vec<PlatformFileError>> {
        let builtin = BUILTIN
            .iter()
            .map(|(name, text)| PlatformFile { name: (*name).to_owned(), text: (*text).to_owned() });
        file::read_all(&builtin.collect::<Vec<_>>(), files).map(Self)
    }

    /// The platform with that id.
    pub fn get(&self, id: &PlatformId) -> Option<&Platform> {
        self.0.iter().find(|platform| platform.id == *id)
    }

    /// The platform that a person or a program means: by its id, its name or another name, in any case.
    pub fn find(&self, name: &str) -> Option<&Platform> {
        let name = name.trim().to_lowercase();
        self.0.iter().find(|platform| platform.is_called(&name))
    }

    /// The platform whose feed an address is, if one knows it.
    pub fn of_address(&self, url: &Url) -> Option<&Platform> {
        self.0.iter().find(|platform| platform.recognises(url))
    }

    /// All of them, in the order in which people look for them.
    pub fn iter(&self) -> impl Iterator<Item = &Platform> {
        self.0.iter()
    }
}

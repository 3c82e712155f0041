//! One listing: what is booked and closed, and what guests and the host can do with it.

use std::fmt::Write;

use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{OtaPlatform, StayNights};
use crate::push;

/// The shortest pause between two reads of a feed, in seconds; the tests of others do not wait for hours.
const MIN_INTERVAL_SECONDS: u32 = 1;

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListingError {
    #[error("there is no such thing here")]
    NotFound,
    /// A sentence: the nights, or the name.
    #[error("{0}")]
    Taken(String),
    #[error("{0}")]
    Invalid(String),
    #[error("the sandbox cannot write its state")]
    Unwritten,
}

/// A listing as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OtaListing {
    pub(crate) id: String,
    pub(crate) site: OtaPlatform,
    pub(crate) name: String,
    /// In the address of its feed.
    pub(crate) token: String,
    pub(crate) zone: Tz,
    /// How many months ahead it can be booked.
    pub(crate) window_months: Option<u32>,
    /// The feed that it reads.
    pub(crate) import: Option<ListingImport>,
    /// Cancelled ones too, in the order in which they were made.
    pub(crate) stays: Vec<ListingStay>,
}

/// A feed that a host has named, and what it closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListingImport {
    pub(crate) url: String,
    /// Seconds between two reads.
    pub(crate) every_seconds: u32,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) closed: Vec<StayNights>,
}

/// A guest's booking, or nights that the host has blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListingStay {
    /// The platform's code for it.
    pub(crate) id: String,
    /// `None` for the host's own block.
    pub(crate) guest: Option<String>,
    #[serde(flatten)]
    pub(crate) nights: StayNights,
    /// The last digits of the guest's telephone number.
    pub(crate) phone: String,
    pub(crate) cancelled: bool,
    pub(crate) made_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
}

/// What a new listing is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewListing {
    pub(crate) platform: OtaPlatform,
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) zone: Option<Tz>,
    pub(crate) window_months: Option<u32>,
}

/// What stands on a night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NightStatus<'a> {
    Free,
    Guest(&'a ListingStay),
    Blocked(&'a ListingStay),
    /// Closed by the feed that the listing reads.
    Imported,
    /// Beyond the window in which it can be booked.
    Beyond,
}

impl OtaListing {
    pub(super) fn new(new: NewListing, seed: u64) -> Result<Self, ListingError> {
        let name = new.name.trim().to_owned();
        let id = new.id.unwrap_or_else(|| format!("{}-{}", new.platform, slug(&name)).replace('_', "-"));
        if name.is_empty() || id.is_empty() || slug(&id) != id {
            let message = "a listing has a name, and an id of a-z, 0-9 and single hyphens";
            return Err(ListingError::Invalid(message.into()));
        }
        if new.window_months.is_some_and(|months| !(1..=60).contains(&months)) {
            return Err(ListingError::Invalid("window_months goes from 1 to 60".into()));
        }
        let token = digest(&[&seed.to_string(), "token", &id])[..32].to_owned();
        Ok(Self {
            id,
            site: new.platform,
            name,
            token,
            zone: new.zone.unwrap_or(chrono_tz::Europe::Lisbon),
            window_months: new.window_months.or(new.platform.window_months()),
            import: None,
            stays: Vec::new(),
        })
    }

    /// The day that it is where the listing is.
    pub(crate) fn today(&self, now: DateTime<Utc>) -> NaiveDate {
        now.with_timezone(&self.zone).date_naive()
    }

    /// Those that were not cancelled.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &ListingStay> {
        self.stays.iter().filter(|stay| !stay.cancelled)
    }

    /// The first night that cannot be booked yet.
    pub(super) fn window_end(&self, today: NaiveDate) -> Option<NaiveDate> {
        today.checked_add_months(Months::new(self.window_months?))
    }

    /// What stands on the night that begins on that day.
    pub(crate) fn night(&self, day: NaiveDate, today: NaiveDate) -> NightStatus<'_> {
        let mut stays = self.standing().filter(|stay| stay.nights.has(day)).collect::<Vec<_>>();
        // Guests first: a feed that was read late may close what they have booked.
        stays.sort_by_key(|stay| stay.guest.is_none());
        match stays.first() {
            Some(stay) if stay.guest.is_some() => NightStatus::Guest(stay),
            Some(stay) => NightStatus::Blocked(stay),
            None if self.imported().any(|closed| closed.has(day)) => NightStatus::Imported,
            None if self.window_end(today).is_some_and(|end| day >= end) => NightStatus::Beyond,
            None => NightStatus::Free,
        }
    }

    pub(super) fn imported(&self) -> impl Iterator<Item = StayNights> {
        self.import.iter().flat_map(|import| import.closed.iter().copied())
    }

    /// A guest books, or the host blocks nights if there is no guest. The platform refuses what is taken or closed there; what
    /// it has not read yet, it does not know.
    pub(crate) fn book(
        &mut self,
        guest: Option<&str>,
        nights: StayNights,
        now: DateTime<Utc>,
    ) -> Result<ListingStay, ListingError> {
        let guest = guest.map(str::trim);
        if guest == Some("") {
            return Err(ListingError::Invalid("a guest has a name".into()));
        }
        self.must_be_free(nights, None, now)?;
        let number = self.stays.len().to_string();
        let digest = digest(&[&self.token, "stay", &number]);
        let stay = ListingStay {
            id: self.site.code(&digest),
            guest: guest.map(str::to_owned),
            nights,
            phone: digits(&digest, 4),
            cancelled: false,
            made_at: now,
            changed_at: now,
        };
        self.stays.push(stay.clone());
        Ok(stay)
    }

    /// A guest changes the dates.
    pub(crate) fn change(
        &mut self,
        id: &str,
        nights: StayNights,
        now: DateTime<Utc>,
    ) -> Result<ListingStay, ListingError> {
        let at = self.standing_at(id)?;
        self.must_be_free(nights, Some(id), now)?;
        let stay = &mut self.stays[at];
        (stay.nights, stay.changed_at) = (nights, now);
        Ok(stay.clone())
    }

    /// A guest cancels, or the host opens what was blocked.
    pub(crate) fn cancel(&mut self, id: &str, now: DateTime<Utc>) -> Result<(), ListingError> {
        let at = self.standing_at(id)?;
        (self.stays[at].cancelled, self.stays[at].changed_at) = (true, now);
        Ok(())
    }

    fn standing_at(&self, id: &str) -> Result<usize, ListingError> {
        self.stays.iter().position(|stay| stay.id == id && !stay.cancelled).ok_or(ListingError::NotFound)
    }

    fn must_be_free(
        &self,
        nights: StayNights,
        own: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), ListingError> {
        let today = self.today(now);
        let taken = |what: &str| Err(ListingError::Taken(format!("{what} between these dates")));
        if nights.check_out - nights.check_in > chrono::TimeDelta::days(366) {
            return Err(ListingError::Invalid("a stay is at most a year long".into()));
        }
        if self.standing().any(|stay| Some(stay.id.as_str()) != own && stay.nights.overlap(nights)) {
            return taken("it is booked or blocked");
        }
        if self.imported().any(|closed| closed.overlap(nights)) {
            return taken("the imported calendar closes nights");
        }
        if self.window_end(today).is_some_and(|end| nights.check_out > end) {
            return taken("it cannot be booked yet for all nights");
        }
        Ok(())
    }

    /// The host names the feed that the platform shall read from now on. The same address again changes the pace alone.
    pub(crate) fn read_from(&mut self, url: &str, every_seconds: Option<u32>) -> Result<(), ListingError> {
        let Some(url) = push::address(url.trim()).map(String::from) else {
            let message = "the address must begin with https://, or with http:// on this machine";
            return Err(ListingError::Invalid(message.into()));
        };
        let every_seconds = every_seconds.unwrap_or(self.site.reads_every());
        if every_seconds < MIN_INTERVAL_SECONDS {
            return Err(ListingError::Invalid(format!("every_seconds is at least {MIN_INTERVAL_SECONDS}")));
        }
        match &mut self.import {
            Some(import) if import.url == url => import.every_seconds = every_seconds,
            _ => {
                let (etag, last_modified, closed) = Default::default();
                self.import = Some(ListingImport { url, every_seconds, etag, last_modified, closed });
            }
        }
        Ok(())
    }

    /// All nights that nobody can book and no guest has, in pieces, without what is long past.
    pub(super) fn closed(&self, today: NaiveDate) -> Vec<StayNights> {
        let blocks = self.standing().filter(|stay| stay.guest.is_none()).map(|stay| stay.nights);
        let beyond = self.window_end(today).and_then(|end| {
            // The calendar of a host ends somewhere, too.
            StayNights::new(end, end.checked_add_months(Months::new(12))?)
        });
        let mut pieces: Vec<StayNights> = blocks.chain(self.imported()).chain(beyond).collect();
        for guest in self.standing().filter(|stay| stay.guest.is_some()) {
            pieces = pieces.into_iter().flat_map(|piece| piece.without(guest.nights)).collect();
        }
        pieces.retain(|piece| is_listed(*piece, today));
        pieces.sort();
        pieces.dedup();
        pieces
    }

    /// The guests' bookings that stand in the feed.
    pub(super) fn booked(&self, today: NaiveDate) -> impl Iterator<Item = &ListingStay> {
        self.standing().filter(move |stay| stay.guest.is_some() && is_listed(stay.nights, today))
    }
}

/// What is over leaves the feed after about a day (reported of Airbnb).
fn is_listed(nights: StayNights, today: NaiveDate) -> bool {
    nights.check_out + Days::new(1) >= today
}

impl OtaPlatform {
    /// A code as the platform gives it to a booking.
    fn code(self, digest: &str) -> String {
        match self {
            Self::Airbnb => format!("HM{}", letters(digest, 8)),
            Self::Vrbo => format!("HA-{}", letters(digest, 6)),
            Self::BookingCom => digits(digest, 10),
        }
    }
}

/// SHA-256 over the parts, in hexadecimal digits: what is told apart by something is the same in each run.
pub(super) fn digest(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\n"));
    hash.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn letters(digest: &str, count: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHJKMNPQRSTWXYZ2345689";
    let letter = |pair: &[u8]| {
        let value = pair.iter().fold(0, |sum, byte| sum * 31 + usize::from(*byte));
        char::from(ALPHABET[value % ALPHABET.len()])
    };
    digest.as_bytes().chunks(2).map(letter).take(count).collect()
}

/// The first of them is no nought.
fn digits(digest: &str, count: usize) -> String {
    let digit =
        |(at, byte): (usize, u8)| char::from(if at == 0 { b'1' + byte % 9 } else { b'0' + byte % 10 });
    digest.bytes().enumerate().map(digit).take(count).collect()
}

/// A name as part of an id.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

//! What a booking says, and what it may say.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, SubsecRound, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    ids::{BookingId, BusinessId, ChannelId, ResourceId, StaffId},
    interval::{Interval, stay},
    language::Language,
    mail::{MailAddress, looks_like_mail_address},
    words,
};

words! {
    /// What sort of booking it is.
    BookingKind "Booking type." {
        Booking = "booking",
        Maintenance = "maintenance",
        Delivery = "delivery",
        Block = "block",
    }
}

words! {
    /// Where a booking stands.
    BookingStatus "Booking status." {
        /// Asked for; it holds its place.
        Pending = "pending",
        Approved = "approved",
        Confirmed = "confirmed",
        InProgress = "in_progress",
        Completed = "completed",
        Cancelled = "cancelled",
        /// The customer did not come.
        NoShow = "no_show",
    }
}

impl BookingStatus {
    /// Whether it takes up its resource and its staff.
    pub fn occupies(self) -> bool {
        !matches!(self, Self::Cancelled | Self::NoShow)
    }

    /// Whether it is published as certain.
    pub fn is_certain(self) -> bool {
        matches!(self, Self::Approved | Self::Confirmed | Self::InProgress | Self::Completed)
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Approved => "Approved",
            Self::Confirmed => "Confirmed",
            Self::InProgress => "In progress",
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
            Self::NoShow => "No show",
        }
    }
}

/// When a booking takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BookingTime {
    /// From an instant to an instant.
    Timed { starts_at: DateTime<Utc>, ends_at: DateTime<Utc> },
    /// Nights: the day of departure is free again.
    Stay {
        /// The day of arrival.
        check_in: NaiveDate,
        /// The day of departure.
        check_out: NaiveDate,
    },
}

impl BookingTime {
    /// The half-open stretch in UTC; `None` if it is empty or runs backwards.
    pub fn interval(&self, zone: Tz) -> Option<Interval> {
        match *self {
            Self::Timed { starts_at, ends_at } => Interval::new(starts_at, ends_at),
            Self::Stay { check_in, check_out } => {
                (check_in < check_out).then(|| stay(check_in, check_out, zone)).flatten()
            }
        }
    }
}

/// Who it is for. All may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub email: String,
    /// Telephone number, as the customer writes it.
    #[serde(default)]
    pub phone: String,
    /// The language in which they are written to; `None`: that of the business.
    #[serde(default)]
    pub language: Option<Language>,
}

/// Somebody whom the customer brings, and who is invited too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Full name; empty where nobody has said it.
    #[serde(default)]
    pub name: String,
    pub email: String,
}

impl Customer {
    /// The first word of the name: all that an outside calendar needs.
    pub fn first_name(&self) -> &str {
        self.name.split_whitespace().next().unwrap_or("")
    }
}

/// All that a caller says of a booking; `Booking` adds what Concord keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingDraft {
    pub resource: ResourceId,
    pub kind: BookingKind,
    pub status: BookingStatus,
    pub time: BookingTime,
    pub title: String,
    pub customer: Customer,
    /// How many people come.
    pub party_size: Option<u32>,
    /// How many units of the resource it takes.
    pub quantity: u32,
    /// Who does the work; without repetition.
    pub staff: Vec<StaffId>,
    /// Where, if not at the resource.
    pub location: String,
    pub notes: String,
    /// Where it came from: `api`, `page`, a platform.
    pub source: String,
    /// Where the people meet by video; empty: nowhere.
    #[serde(default)]
    pub meeting_url: String,
    /// Who is invited besides the customer, each address once.
    #[serde(default)]
    pub guests: Vec<Guest>,
}

/// A booking as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    pub id: BookingId,
    pub business: BusinessId,
    /// The caller's own name for it, unique in the business.
    pub reference: String,
    /// Counts its changes, from 1.
    pub version: i64,
    pub draft: BookingDraft,
    /// Its time in UTC.
    pub interval: Interval,
    /// By whose feed it came.
    pub channel: Option<ChannelId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A field that is not acceptable, and why, in words for the person who filled it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name in the API.
    pub field: &'static str,
    pub message: String,
}

impl FieldError {
    /// One field's error, with what is wrong with it.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Longest reference, in characters.
pub const MAX_REFERENCE: usize = 128;
/// Longest title and names, in characters.
pub const MAX_LINE: usize = 300;
/// Longest notes, in characters.
pub const MAX_NOTES: usize = 10_000;
/// Most guests who are invited besides the customer.
const MAX_GUESTS: usize = 50;
/// Longest address of a meeting, in bytes.
pub const MAX_MEETING_URL: usize = 1_000;
/// Longest booking, in days: a slip in a year is not worth ten years of a room.
pub const MAX_DAYS: i64 = 1_100;

impl BookingDraft {
    /// The same in the one form that is stored and compared: people once each and in order, times to the second, which
    /// is as fine as iCalendar and the providers are.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.staff.sort_unstable();
        self.staff.dedup();
        for guest in &mut self.guests {
            guest.name = guest.name.trim().to_owned();
            guest.email = guest.email.trim().to_owned();
        }
        self.meeting_url = self.meeting_url.trim().to_owned();
        if let BookingTime::Timed { starts_at, ends_at } = &mut self.time {
            *starts_at = starts_at.trunc_subsecs(0);
            *ends_at = ends_at.trunc_subsecs(0);
        }
        self
    }

    /// Checks everything that can be checked without the database; all faults at once.
    pub fn check(&self, zone: Tz) -> Result<Interval, Vec<FieldError>> {
        let mut checked = self.check_imported(zone);
        let interval = self.time.interval(zone);
        if let Some(fault) = interval.and_then(|interval| self.duration_error(interval)) {
            match &mut checked {
                Ok(_) => checked = Err(vec![fault]),
                Err(faults) => faults.push(fault),
            }
        }
        checked
    }

    /// The same of what came from outside: it may be as long as it likes. Owners close a house for years, and what would be
    /// cut off of that could be sold.
    pub fn check_imported(&self, zone: Tz) -> Result<Interval, Vec<FieldError>> {
        let mut faults = self.text_errors();
        faults.extend(self.number_errors());
        let interval = self.time.interval(zone);
        faults.extend(self.time_errors(interval));
        match interval {
            Some(interval) if faults.is_empty() => Ok(interval),
            _ => Err(faults),
        }
    }

    fn text_errors(&self) -> Vec<FieldError> {
        let mut faults = Vec::new();
        for (field, text, limit) in [
            ("title", &self.title, MAX_LINE),
            ("customer.name", &self.customer.name, MAX_LINE),
            ("customer.email", &self.customer.email, MAX_LINE),
            ("customer.phone", &self.customer.phone, 64),
            ("location", &self.location, 500),
            ("source", &self.source, 64),
            ("notes", &self.notes, MAX_NOTES),
        ] {
            let length = text.chars().count();
            if length > limit {
                let message = format!("is {length} characters long; at most {limit} are allowed");
                faults.push(FieldError::new(field, message));
            }
            let may_break = |c| field == "notes" && matches!(c, '\n' | '\r' | '\t');
            if text.chars().any(|c| c.is_control() && !may_break(c)) {
                faults.push(FieldError::new(field, "contains a control character or a line break"));
            }
        }
        if !self.customer.email.is_empty() && !looks_like_mail_address(&self.customer.email) {
            faults.push(FieldError::new("customer.email", "is not a valid email address"));
        }
        faults.extend(self.guest_errors());
        faults.extend(self.meeting_error());
        faults
    }

    fn guest_errors(&self) -> Vec<FieldError> {
        let mut faults = Vec::new();
        if self.guests.is_empty() {
            return faults;
        }
        let mut add = |message: String| faults.push(FieldError::new("guests", message));
        if self.guests.len() > MAX_GUESTS {
            add(format!("has more than {MAX_GUESTS} people"));
        }
        let mut known = BTreeSet::from([MailAddress::key_of(&self.customer.email)]);
        for guest in &self.guests {
            match MailAddress::parse(&guest.email) {
                Ok(address) if known.insert(address.key()) => {}
                Ok(_) => add(format!("names {} twice, or also as the customer", guest.email)),
                Err(error) => add(format!("names “{}”, which {error}", guest.email)),
            }
            if guest.name.chars().count() > MAX_LINE || guest.name.chars().any(char::is_control) {
                add(format!("has a name that is longer than {MAX_LINE} characters or not one line"));
            }
        }
        faults
    }

    fn meeting_error(&self) -> Option<FieldError> {
        let is_link = |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host();
        let is_good = self.meeting_url.len() <= MAX_MEETING_URL
            && self.meeting_url.parse::<Url>().as_ref().is_ok_and(is_link)
            && !self.meeting_url.chars().any(|c| c.is_whitespace() || c.is_control());
        let message = "must be a link that begins with https:// or http://";
        (!self.meeting_url.is_empty() && !is_good).then(|| FieldError::new("meeting_url", message))
    }

    fn number_errors(&self) -> Vec<FieldError> {
        let mut faults = Vec::new();
        if !(1..=1000).contains(&self.quantity) {
            faults.push(FieldError::new("quantity", "must be between 1 and 1000"));
        }
        if self.party_size.is_some_and(|size| !(1..=100_000).contains(&size)) {
            faults.push(FieldError::new("party_size", "must be between 1 and 100000"));
        }
        if self.staff.len() > 50 {
            faults.push(FieldError::new("staff", "has more than 50 people"));
        }
        faults
    }

    fn duration_error(&self, interval: Interval) -> Option<FieldError> {
        let field = self.end_field();
        let is_long = interval.length() > Duration::days(MAX_DAYS);
        is_long.then(|| FieldError::new(field, format!("is more than {MAX_DAYS} days after the start")))
    }

    fn end_field(&self) -> &'static str {
        match self.time {
            BookingTime::Timed { .. } => "ends_at",
            BookingTime::Stay { .. } => "check_out",
        }
    }

    /// `interval`: the time as it is in its zone; `None`: it ends before it begins.
    fn time_errors(&self, interval: Option<Interval>) -> Vec<FieldError> {
        let field = self.end_field();
        let must_be = match self.time {
            BookingTime::Timed { .. } => "must be after starts_at",
            BookingTime::Stay { .. } => "must be at least one night after check_in",
        };
        let Some(interval) = interval else { return vec![FieldError::new(field, must_be)] };
        let mut faults = Vec::new();
        // Both databases and all providers agree on four-digit years.
        if interval.start.timestamp() < 0 || interval.end.timestamp() >= 253_370_764_800 {
            faults.push(FieldError::new(field, "is outside the years 1970 to 9998"));
        }
        faults
    }
}

/// Checks a caller's own name of a booking: it stands in URLs.
pub fn check_reference(reference: &str) -> Result<(), FieldError> {
    let length = reference.chars().count();
    if length == 0 || length > MAX_REFERENCE {
        return Err(FieldError::new("reference", format!("must have 1 to {MAX_REFERENCE} characters")));
    }
    if reference.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/') {
        return Err(FieldError::new("reference", "cannot contain spaces, slashes or control characters"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "booking_tests.rs"]
mod tests;

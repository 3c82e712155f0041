//! What a person types into the form of a booking, and what it means. Whatever was typed goes back into the form when
//! it cannot be accepted.

use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    ids::StaffId,
    interval::instant_at,
    platform::Platforms,
};
use concord_storage::bookings::new_reference;
use serde::Deserialize;

use super::{
    field_errors::{PEOPLE, UNITS, field_message},
    guests::{read_guests, write_guests},
    local_time::{MINUTE, at_noon, parse_local},
};
use crate::http::pages::{Faults, parse_date};

/// The form, as it was typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BookingFormFields {
    pub reference: String,
    /// The reference that we proposed: two presses of the button then make one booking.
    pub proposed: String,
    /// The version that was read; empty for a new booking.
    pub version: String,
    pub resource: String,
    pub kind: String,
    pub status: String,
    pub mode: String,
    pub check_in: String,
    pub check_out: String,
    pub starts_at: String,
    pub ends_at: String,
    pub title: String,
    pub name: String,
    pub email: String,
    pub phone: String,
    pub party_size: String,
    pub quantity: String,
    pub staff: Vec<String>,
    pub location: String,
    /// Empty: that of the business.
    pub language: String,
    pub meeting_url: String,
    /// Who is invited besides the customer: one a line.
    pub guests: String,
    pub notes: String,
    /// A free time that was chosen instead: its two ends, with a bar between.
    pub instead: String,
}

impl BookingFormFields {
    /// The form of a new booking: the next full hour, for an hour.
    pub(crate) fn for_new(now: DateTime<Utc>, zone: Tz) -> Self {
        let local = now.with_timezone(&zone).naive_local();
        let hour = local.date().and_hms_opt(local.hour(), 0, 0).unwrap_or(local) + Duration::hours(1);
        let date = local.date();
        let proposed = new_reference();
        Self {
            reference: proposed.clone(),
            proposed,
            kind: BookingKind::Booking.as_str().to_owned(),
            status: BookingStatus::Confirmed.as_str().to_owned(),
            mode: "timed".to_owned(),
            check_in: date.to_string(),
            check_out: (date + Duration::days(1)).to_string(),
            starts_at: hour.format(MINUTE).to_string(),
            ends_at: (hour + Duration::hours(1)).format(MINUTE).to_string(),
            quantity: "1".to_owned(),
            ..Self::default()
        }
    }

    /// Proposes another reference, since the first one is taken. Returns it.
    pub(crate) fn regenerate_reference(&mut self) -> String {
        self.proposed = new_reference();
        self.reference.clone_from(&self.proposed);
        self.proposed.clone()
    }

    /// The form of a booking as it stands. A platform's guest is called as everywhere on pages.
    pub(crate) fn from_booking(booking: &Booking, platforms: &Platforms, zone: Tz) -> Self {
        let draft = &booking.draft;
        let mut fields = Self {
            reference: booking.reference.clone(),
            version: booking.version.to_string(),
            resource: draft.resource.to_string(),
            kind: draft.kind.as_str().to_owned(),
            status: draft.status.as_str().to_owned(),
            title: platforms.title_of(booking).to_owned(),
            name: platforms.guest_of(booking),
            email: draft.customer.email.clone(),
            phone: draft.customer.phone.clone(),
            party_size: draft.party_size.map(|size| size.to_string()).unwrap_or_default(),
            quantity: draft.quantity.to_string(),
            staff: draft.staff.iter().map(StaffId::to_string).collect(),
            location: draft.location.clone(),
            language: draft.customer.language.map(|language| language.to_string()).unwrap_or_default(),
            meeting_url: draft.meeting_url.clone(),
            guests: write_guests(&draft.guests),
            notes: draft.notes.clone(),
            ..Self::default()
        };
        fields.set_time(&draft.time, zone);
        fields
    }

    /// Puts a time into the fields, and into those of the other way as near as it can be told.
    pub(crate) fn set_time(&mut self, time: &BookingTime, zone: Tz) {
        let (from, until) = match *time {
            BookingTime::Stay { check_in, check_out } => {
                "stay".clone_into(&mut self.mode);
                (at_noon(check_in), at_noon(check_out))
            }
            BookingTime::Timed { starts_at, ends_at } => {
                "timed".clone_into(&mut self.mode);
                (starts_at.with_timezone(&zone).naive_local(), ends_at.with_timezone(&zone).naive_local())
            }
        };
        self.check_in = from.date().to_string();
        self.check_out = until.date().max(from.date() + Duration::days(1)).to_string();
        self.starts_at = from.format(MINUTE).to_string();
        self.ends_at = until.format(MINUTE).to_string();
    }

    /// Takes over the free time that was chosen instead. Whether one was.
    pub(crate) fn apply_alternative(&mut self) -> bool {
        let Some((from, until)) = self.instead.split_once('|') else { return false };
        if self.mode == "stay" {
            (self.check_in, self.check_out) = (from.to_owned(), until.to_owned());
        } else {
            (self.starts_at, self.ends_at) = (from.to_owned(), until.to_owned());
        }
        self.instead.clear();
        true
    }

    /// A free time as the form sends it, when it is chosen instead.
    pub(crate) fn alternative_value(time: &BookingTime, zone: Tz) -> String {
        let mut fields = Self::default();
        fields.set_time(time, zone);
        match time {
            BookingTime::Stay { .. } => format!("{}|{}", fields.check_in, fields.check_out),
            BookingTime::Timed { .. } => format!("{}|{}", fields.starts_at, fields.ends_at),
        }
    }

    /// What it means, in the zone of the resource. `before`: the booking that it changes.
    pub(crate) fn parse(
        &self,
        zone: Tz,
        platforms: &Platforms,
        before: Option<&Booking>,
    ) -> Result<BookingDraft, Faults> {
        let mut faults = Faults::default();
        let mut fault = |field, text: &'static str| faults.add(field, text);
        let resource = self.resource.parse();
        if resource.is_err() {
            fault("resource", "Choose a resource.");
        }
        let time = self.time(zone, before, &mut fault);
        let party_size = match self.party_size.trim() {
            "" => None,
            text => text.parse().map_err(|_| fault("party_size", PEOPLE)).ok(),
        };
        let quantity = match self.quantity.trim() {
            "" => 1,
            text => text.parse().unwrap_or_else(|_| {
                fault("quantity", UNITS);
                1
            }),
        };
        let kind =
            parse_choice(&self.kind, BookingKind::Booking).ok_or_else(|| fault("kind", "Choose a kind."));
        let status = parse_choice(&self.status, BookingStatus::Confirmed);
        let status = status.ok_or_else(|| fault("status", "Choose a status."));
        let staff: Result<Vec<StaffId>, _> = self.staff.iter().map(|id| id.parse()).collect();
        let staff = staff.map_err(|_| fault("staff", "Choose staff from the list."));
        let language = match self.language.as_str() {
            "" => Ok(None),
            tag => tag.parse().map(Some).map_err(|_| fault("language", "Choose a language from the list.")),
        };
        let (Ok(resource), Some(time), Ok(kind), Ok(status), Ok(staff), Ok(language)) =
            (resource, time, kind, status, staff, language)
        else {
            return Err(faults);
        };
        let draft = BookingDraft {
            resource,
            kind,
            status,
            time,
            title: self.title(platforms, before),
            customer: Customer {
                name: self.name(platforms, before),
                email: self.email.trim().to_owned(),
                phone: self.phone.trim().to_owned(),
                language,
            },
            party_size,
            quantity,
            staff,
            location: self.location.trim().to_owned(),
            // Browsers send line breaks as CR LF.
            notes: self.notes.trim_end().replace("\r\n", "\n"),
            source: before.map_or_else(|| "page".to_owned(), |before| before.draft.source.clone()),
            meeting_url: self.meeting_url.trim().to_owned(),
            guests: read_guests(&self.guests),
        };
        // What came from a platform may be longer than anything that is made here: whoever writes it down judges that.
        if let Err(wrong) = draft.check_imported(zone) {
            faults.extend(wrong.iter().map(field_message));
        }
        faults.or(draft)
    }

    /// What was not touched stays as it is kept, whatever it is called in the form.
    fn title(&self, platforms: &Platforms, before: Option<&Booking>) -> String {
        let typed = self.title.trim();
        let kept = before.filter(|before| platforms.title_of(before) == typed);
        kept.map_or(typed, |before| &before.draft.title).to_owned()
    }

    /// The same for the customer's name.
    fn name(&self, platforms: &Platforms, before: Option<&Booking>) -> String {
        let typed = self.name.trim();
        let kept = before.filter(|before| platforms.guest_of(before) == typed);
        kept.map_or(typed, |before| &before.draft.customer.name).to_owned()
    }

    fn time(
        &self,
        zone: Tz,
        before: Option<&Booking>,
        fault: &mut impl FnMut(&'static str, &'static str),
    ) -> Option<BookingTime> {
        if self.mode == "stay" {
            let (check_in, check_out) = (parse_date(&self.check_in), parse_date(&self.check_out));
            if check_in.is_none() {
                fault("check_in", "Choose an arrival date.");
            }
            if check_out.is_none() {
                fault("check_out", "Choose a departure date.");
            }
            return Some(BookingTime::Stay { check_in: check_in?, check_out: check_out? });
        }
        let starts_at = parse_local(&self.starts_at);
        let ends_at = parse_local(&self.ends_at);
        if starts_at.is_none() {
            fault("starts_at", "Choose a start date and time.");
        }
        if ends_at.is_none() {
            fault("ends_at", "Choose an end date and time.");
        }
        let (starts_at, ends_at) = (starts_at?, ends_at?);
        let (from, until) = match before.map(|before| before.draft.time) {
            Some(BookingTime::Timed { starts_at, ends_at }) => (Some(starts_at), Some(ends_at)),
            _ => (None, None),
        };
        // What was not touched keeps its instant, even in the hour that clocks show twice.
        let instant = |typed, before: Option<DateTime<Utc>>| {
            before
                .filter(|before| Self::local_minute(*before, zone) == Some(typed))
                .unwrap_or_else(|| instant_at(typed, zone))
        };
        Some(BookingTime::Timed { starts_at: instant(starts_at, from), ends_at: instant(ends_at, until) })
    }

    fn local_minute(at: DateTime<Utc>, zone: Tz) -> Option<NaiveDateTime> {
        parse_local(&at.with_timezone(&zone).format(MINUTE).to_string())
    }
}

/// A choice that was not sent is the usual one; one that is none of those offered is `None`.
fn parse_choice<T: FromStr>(text: &str, usual: T) -> Option<T> {
    if text.is_empty() { Some(usual) } else { text.parse().ok() }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;

//! What a person types into the form of a booking, and what it means. Whatever was typed goes back into the form when
//! it cannot be accepted.

use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDateTime, Timelike, Utc};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer, Guest},
    ids::StaffId,
    interval::instant_at,
    platform::Platforms,
};
use concord_storage::bookings::new_reference;
use serde::Deserialize;

use super::{
    field_errors::{PEOPLE, UNITS, field_message},
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

/// One a line: an address, or a name and then the address in angle brackets, as mail programs write them.
fn read_guests(typed: &str) -> Vec<Guest> {
    let guest = |line: &str| match line.strip_suffix('>').and_then(|line| line.rsplit_once('<')) {
        Some((name, email)) => {
            Guest { name: name.trim().trim_matches('"').to_owned(), email: email.trim().to_owned() }
        }
        None => Guest { name: String::new(), email: line.to_owned() },
    };
    typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(guest).collect()
}

fn write_guests(guests: &[Guest]) -> String {
    let line = |guest: &Guest| match guest.name.as_str() {
        "" => guest.email.clone(),
        name => format!("{name} <{}>", guest.email),
    };
    guests.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A choice that was not sent is the usual one; one that is none of those offered is `None`.
fn parse_choice<T: FromStr>(text: &str, usual: T) -> Option<T> {
    if text.is_empty() { Some(usual) } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use concord_domain::ids::{BookingId, BusinessId};
    use uuid::Uuid;

    use super::*;

    const ZONE: Tz = chrono_tz::Europe::Berlin;

    fn typed() -> BookingFormFields {
        BookingFormFields {
            resource: Uuid::nil().to_string(),
            mode: "timed".to_owned(),
            starts_at: "2026-12-01T10:00".to_owned(),
            ends_at: "2026-12-01T11:30".to_owned(),
            name: " Maria Silva ".to_owned(),
            notes: "One\r\nTwo\r\n".to_owned(),
            ..BookingFormFields::default()
        }
    }

    fn booking(time: BookingTime) -> Booking {
        let draft = BookingDraft { time, ..typed().parse(ZONE, &Platforms::builtin(), None).unwrap() };
        Booking {
            id: BookingId(Uuid::nil()),
            business: BusinessId(Uuid::nil()),
            reference: "B-1".to_owned(),
            version: 3,
            interval: time.interval(ZONE).unwrap(),
            channel: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            draft,
        }
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let draft = typed().parse(ZONE, &Platforms::builtin(), None).unwrap();
        assert_eq!(
            draft.time,
            BookingTime::Timed {
                starts_at: "2026-12-01T09:00:00Z".parse().unwrap(),
                ends_at: "2026-12-01T10:30:00Z".parse().unwrap(),
            }
        );
        assert_eq!((draft.customer.name.as_str(), draft.notes.as_str()), ("Maria Silva", "One\nTwo"));
        assert_eq!((draft.quantity, draft.status), (1, BookingStatus::Confirmed));
    }

    #[test]
    fn guests_are_one_a_line() {
        let guests = read_guests(" Rui Costa <rui@x.example>\r\n\nzoe@x.example\n\"Ana\" <ana@x.example>");
        let named = |name: &str, email: &str| Guest { name: name.to_owned(), email: email.to_owned() };
        let expected =
            [named("Rui Costa", "rui@x.example"), named("", "zoe@x.example"), named("Ana", "ana@x.example")];
        assert_eq!(guests, expected);
        assert_eq!(read_guests(&write_guests(&guests)), guests);
    }

    #[test]
    fn every_fault_is_named_at_its_field() {
        let wrong = BookingFormFields {
            resource: String::new(),
            starts_at: "soon".to_owned(),
            ends_at: String::new(),
            party_size: "a few".to_owned(),
            ..typed()
        };
        let fields: Vec<_> = wrong
            .parse(ZONE, &Platforms::builtin(), None)
            .unwrap_err()
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(fields, ["resource", "starts_at", "ends_at", "party_size"]);
        let backwards = BookingFormFields {
            ends_at: "2026-12-01T09:00".to_owned(),
            email: "nobody".to_owned(),
            ..typed()
        };
        let faults = backwards.parse(ZONE, &Platforms::builtin(), None).unwrap_err();
        let texts: Vec<_> = faults.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["The email is not a valid email address.", "The end must be after the start."]);
    }

    #[test]
    fn what_is_no_number_of_anything_is_told_its_bounds() {
        for typed_number in ["-3", "0", "2.5", "a few", "4000000000", "99999999999999999999"] {
            let wrong = BookingFormFields {
                party_size: typed_number.to_owned(),
                quantity: typed_number.to_owned(),
                ..typed()
            };
            let faults = wrong.parse(ZONE, &Platforms::builtin(), None).unwrap_err();
            let mut faults: Vec<_> = faults.into_iter().collect();
            faults.sort_unstable();
            assert_eq!(faults, [("party_size", PEOPLE.into()), ("quantity", UNITS.into())], "{typed_number}");
        }
    }

    #[test]
    fn the_hour_that_comes_twice_is_kept_when_nobody_touched_it() {
        let time = BookingTime::Timed {
            starts_at: "2026-10-25T01:15:00Z".parse().unwrap(),
            ends_at: "2026-10-25T03:00:00Z".parse().unwrap(),
        };
        let before = booking(time);
        let fields = BookingFormFields::from_booking(&before, &Platforms::builtin(), ZONE);
        assert_eq!(fields.starts_at, "2026-10-25T02:15");
        assert_eq!(fields.parse(ZONE, &Platforms::builtin(), Some(&before)).unwrap().time, time);

        let longer = BookingFormFields { ends_at: "2026-10-25T05:00".to_owned(), ..fields };
        let BookingTime::Timed { starts_at, ends_at } =
            longer.parse(ZONE, &Platforms::builtin(), Some(&before)).unwrap().time
        else {
            panic!("it is no stay")
        };
        assert_eq!(starts_at.to_rfc3339(), "2026-10-25T01:15:00+00:00", "only the end was changed");
        assert_eq!(ends_at.to_rfc3339(), "2026-10-25T04:00:00+00:00");
    }

    #[test]
    fn what_stands_goes_through_the_form_unchanged() {
        for time in [
            BookingTime::Stay {
                check_in: "2026-12-30".parse().unwrap(),
                check_out: "2027-01-02".parse().unwrap(),
            },
            BookingTime::Timed {
                starts_at: "2026-12-01T22:00:30Z".parse().unwrap(),
                ends_at: "2026-12-02T01:00:00Z".parse().unwrap(),
            },
        ] {
            let before = booking(time);
            assert_eq!(
                BookingFormFields::from_booking(&before, &Platforms::builtin(), ZONE)
                    .parse(ZONE, &Platforms::builtin(), Some(&before))
                    .unwrap(),
                before.draft
            );
        }
    }

    #[test]
    fn form_keeps_a_platforms_words_that_nobody_touched() {
        let platforms = Platforms::builtin();
        let mut before = booking(BookingTime::Stay {
            check_in: "2026-12-30".parse().unwrap(),
            check_out: "2027-01-02".parse().unwrap(),
        });
        before.draft.source = "airbnb".to_owned();
        before.draft.customer.name = "airbnb: Reserved".to_owned();
        before.draft.title = "Reserved".to_owned();
        let fields = BookingFormFields::from_booking(&before, &platforms, ZONE);
        assert_eq!((fields.name.as_str(), fields.title.as_str()), ("Airbnb guest", ""));
        assert_eq!(fields.parse(ZONE, &platforms, Some(&before)).unwrap(), before.draft);

        let typed = BookingFormFields { name: "Maria Silva".to_owned(), title: "Late".to_owned(), ..fields };
        let draft = typed.parse(ZONE, &platforms, Some(&before)).unwrap();
        assert_eq!((draft.customer.name.as_str(), draft.title.as_str()), ("Maria Silva", "Late"));
    }

    #[test]
    fn a_free_time_takes_the_place_of_what_was_typed() {
        let free = BookingTime::Timed {
            starts_at: "2026-12-02T09:00:00Z".parse().unwrap(),
            ends_at: "2026-12-02T10:30:00Z".parse().unwrap(),
        };
        let mut fields =
            BookingFormFields { instead: BookingFormFields::alternative_value(&free, ZONE), ..typed() };
        assert!(fields.apply_alternative());
        assert_eq!(fields.parse(ZONE, &Platforms::builtin(), None).unwrap().time, free);
        assert_eq!(fields.instead, "");
    }

    #[test]
    fn references_can_be_read_out() {
        let reference = new_reference();
        assert_eq!(reference.len(), 9);
        assert!(reference[2..].chars().all(|c| c.is_ascii_alphanumeric() && !"01IOl".contains(c)));
    }
}

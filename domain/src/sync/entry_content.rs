//! What the entry of a booking in a connected calendar should say.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::plan::Desired;
use crate::{
    booking::{Booking, BookingStatus, BookingTime},
    delivery_route::DeliveryRoute,
    entry::{EntryContent, EntryReminder, EntryTime},
    ids::EntryId,
    privacy::{EntryPrivacy, TextContext, entry_text, stop_text},
};

/// What an entry needs to know besides its booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryContext<'a> {
    pub names: TextContext<'a>,
    /// The zone in which people read the entry: the resource's, or the business's.
    pub zone: Tz,
    /// The day of the calendar's owner, where they drive deliveries: what the booking is a stop of.
    pub round: Option<&'a DeliveryRoute>,
}

/// How a business wants its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntrySettings {
    /// How much they tell.
    pub privacy: EntryPrivacy,
    /// The provider's colour for a status; a status that is not named keeps the calendar's own colour.
    pub colours: BTreeMap<BookingStatus, String>,
    /// The provider's reminders to the calendar's owner.
    pub reminders: Vec<EntryReminder>,
    /// Whether a cancelled booking's entry is kept and marked; otherwise it is removed.
    pub mark_cancelled: bool,
}

impl Default for EntrySettings {
    fn default() -> Self {
        Self {
            privacy: EntryPrivacy::Minimal,
            colours: BTreeMap::new(),
            reminders: Vec::new(),
            mark_cancelled: false,
        }
    }
}

/// Whether there should be an entry, and what it should say. Whether this calendar gets the booking at all is for
/// the caller to know.
pub fn desired_entry(
    booking: &Booking,
    entry: EntryId,
    context: &EntryContext<'_>,
    settings: &EntrySettings,
) -> Desired {
    if booking.draft.status.occupies() || settings.mark_cancelled {
        Desired::Present(desired_content(booking, entry, context, settings))
    } else {
        Desired::Absent
    }
}

/// What the entry should say, if there is one.
pub fn desired_content(
    booking: &Booking,
    entry: EntryId,
    context: &EntryContext<'_>,
    settings: &EntrySettings,
) -> EntryContent {
    let status = booking.draft.status;
    let EntryContext { names, zone, round } = *context;
    let wording = match round.and_then(|round| round.stop(booking.id)) {
        Some(stop) => stop_text(&stop, names, settings.privacy),
        None => entry_text(booking, names, settings.privacy),
    };
    EntryContent {
        booking: booking.id,
        entry,
        title: if status.occupies() {
            wording.title
        } else {
            format!("{}: {}", status.label(), wording.title)
        },
        description: wording.description,
        location: wording.location,
        time: match booking.draft.time {
            BookingTime::Timed { starts_at, ends_at } => EntryTime::Timed { starts_at, ends_at, zone },
            BookingTime::Stay { check_in, check_out } => {
                EntryTime::AllDay { from: check_in, until: check_out }
            }
        },
        colour: settings.colours.get(&status).cloned(),
        tentative: status == BookingStatus::Pending,
        busy: status.occupies(),
        // Nobody needs to be reminded of what is over or will not take place.
        reminders: if status.occupies() && status != BookingStatus::Completed {
            settings.reminders.clone()
        } else {
            Vec::new()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entry::ReminderMeans,
        ical::fixtures::{PLATFORMS, booking, booking_at, timed},
    };

    const ENTRY: EntryId = EntryId(uuid::Uuid::from_u128(9));
    fn names() -> EntryContext<'static> {
        EntryContext {
            names: TextContext { resource: "Sea View", business: "Casa do Mar", platforms: &PLATFORMS },
            zone: chrono_tz::Europe::Lisbon,
            round: None,
        }
    }

    fn settings() -> EntrySettings {
        EntrySettings {
            colours: BTreeMap::from([(BookingStatus::Confirmed, "10".to_owned())]),
            reminders: vec![EntryReminder { by: ReminderMeans::Popup, minutes: 60 }],
            ..EntrySettings::default()
        }
    }

    #[test]
    fn a_stay_is_whole_days_and_the_day_of_departure_is_free() {
        let content = desired_content(&booking(), ENTRY, &names(), &settings());
        insta::assert_json_snapshot!(content, @r#"
        {
          "booking": "00000000-0000-0000-0000-000000000001",
          "entry": "00000000-0000-0000-0000-000000000009",
          "title": "Sea View — Maria",
          "description": "Reference: SV-1\nResource: Sea View\nCustomer: Maria\nStatus: Confirmed\nBusiness: Casa do Mar",
          "location": "",
          "time": {
            "kind": "all_day",
            "from": "2026-12-01",
            "until": "2026-12-03"
          },
          "colour": "10",
          "tentative": false,
          "busy": true,
          "reminders": [
            {
              "by": "popup",
              "minutes": 60
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_timed_booking_is_read_in_the_zone_of_the_business() {
        let booking = booking_at(4, timed("2026-12-05T09:00:00Z", "2026-12-05T10:30:00Z"));
        let content = desired_content(&booking, ENTRY, &names(), &settings());
        let BookingTime::Timed { starts_at, ends_at } = booking.draft.time else { unreachable!() };
        assert_eq!(content.time, EntryTime::Timed { starts_at, ends_at, zone: chrono_tz::Europe::Lisbon });
    }

    #[test]
    fn a_platforms_guest_is_called_as_on_pages() {
        let mut booking = booking();
        booking.draft.source = "airbnb".into();
        booking.draft.title = "Reserved".into();
        booking.draft.customer.name = "airbnb: Reserved".into();
        for privacy in [EntryPrivacy::Minimal, EntryPrivacy::Full] {
            let content =
                desired_content(&booking, ENTRY, &names(), &EntrySettings { privacy, ..settings() });
            assert_eq!(content.title, "Sea View — Airbnb guest");
            assert!(content.description.contains("Customer: Airbnb guest\n"), "{}", content.description);
        }
        booking.draft.title = "Late arrival".into();
        let content = desired_content(&booking, ENTRY, &names(), &settings());
        assert_eq!(content.title, "Sea View — Airbnb guest (Late arrival)");
    }

    #[test]
    fn every_status_has_its_entry_or_none() {
        let mark = EntrySettings { mark_cancelled: true, ..settings() };
        for &status in BookingStatus::ALL {
            let mut booking = booking();
            booking.draft.status = status;
            let gone = matches!(status, BookingStatus::Cancelled | BookingStatus::NoShow);
            let absent = desired_entry(&booking, ENTRY, &names(), &settings()) == Desired::Absent;
            assert_eq!(absent, gone, "{status}");

            let Desired::Present(marked) = desired_entry(&booking, ENTRY, &names(), &mark) else {
                panic!("{status} should be marked, not removed");
            };
            let title = if gone {
                format!("{}: Sea View — Maria", status.label())
            } else {
                "Sea View — Maria".to_owned()
            };
            assert_eq!(marked.title, title);
            assert_eq!(marked.tentative, status == BookingStatus::Pending);
            assert_eq!(marked.busy, !gone, "{status}");
            assert_eq!(marked.reminders.is_empty(), gone || status == BookingStatus::Completed, "{status}");
        }
    }

    #[test]
    fn what_people_cannot_see_changes_no_entry() {
        let first = booking();
        let mut second = first.clone();
        second.version = 2;
        second.updated_at += chrono::Duration::hours(1);
        second.draft.notes = "Only for staff".into();
        let hash = |booking: &Booking| desired_content(booking, ENTRY, &names(), &settings()).hash();
        assert_eq!(hash(&first), hash(&second));
        second.draft.status = BookingStatus::Completed;
        assert_ne!(hash(&first), hash(&second));
    }

    #[test]
    fn that_its_owner_is_free_is_written_too() {
        let content = desired_content(&booking(), ENTRY, &names(), &settings());
        let free = EntryContent { busy: false, ..content.clone() };
        assert_ne!(content.hash(), free.hash());
    }
}

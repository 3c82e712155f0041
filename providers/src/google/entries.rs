//! What an entry looks like at Google, in both directions.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use concord_domain::{
    entry::{EntryContent, EntryReminder, EntryTime, ObservedEntry, ReminderMeans},
    ids::EntryId,
    provider::ProviderKind,
};
use google_calendar3::api::{Event, EventDateTime, EventExtendedProperties, EventReminder, EventReminders};
use serde_json::{Value, json};

use crate::{provider::is_empty, text_merge};

/// The private properties by which we know our own entries again.
const ENTRY: &str = "concord_entry";
const BOOKING: &str = "concord_booking";

/// What we wrote last of the fields that people may also edit, so that a later write knows theirs from ours.
const TEXT_MARK: &str = "concord_words";
const COLOUR: &str = "concord_colour";

/// Google's limits: five overrides, none more than four weeks before.
const MAX_REMINDERS: usize = 5;
const MAX_REMINDER_MINUTES: u32 = 40_320;

/// The whole of a new entry, without its id.
pub(super) fn event(content: &EntryContent) -> Event {
    let (start, end) = date_times(&content.time);
    let own = [(ENTRY, content.entry.to_string()), (BOOKING, content.booking.to_string())];
    let left = [(TEXT_MARK, Some(text_merge::mark(&content.description))), (COLOUR, colour(content))];
    let left = left.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let properties = own.into_iter().chain(left);
    Event {
        summary: Some(content.title.clone()),
        description: non_empty(&content.description),
        location: non_empty(&content.location),
        start: Some(start),
        end: Some(end),
        // Said outright, it brings a tombstone back to life.
        status: Some(if content.tentative { "tentative" } else { "confirmed" }.to_owned()),
        transparency: Some(if content.busy { "opaque" } else { "transparent" }.to_owned()),
        // Other providers' colours are names, which Google would refuse.
        color_id: colour(content),
        reminders: Some(EventReminders {
            use_default: Some(false),
            overrides: Some(content.reminders.iter().copied().take(MAX_REMINDERS).map(reminder).collect()),
        }),
        extended_properties: Some(EventExtendedProperties {
            private: Some(properties.map(|(name, value)| (name.to_owned(), value)).collect()),
            shared: None,
        }),
        ..Event::default()
    }
}

fn colour(content: &EntryContent) -> Option<String> {
    content.colour.clone().filter(|colour| matches!(colour.parse::<u8>(), Ok(1..=11)))
}

/// What a later write sets whatever stands there, as a patch has it: what it does not name stays, guests and attachments
/// among it; null clears.
pub(super) fn patch(content: &EntryContent) -> Value {
    let (start, end) = match &content.time {
        EntryTime::Timed { starts_at, ends_at, zone } => {
            let at = |instant: &DateTime<Utc>| json!({ "dateTime": instant, "timeZone": zone.name(), "date": null });
            (at(starts_at), at(ends_at))
        }
        EntryTime::AllDay { from, until } => {
            let on = |date: &NaiveDate| json!({ "date": date, "dateTime": null, "timeZone": null });
            (on(from), on(until))
        }
    };
    let new = event(content);
    let mut patch = json!({
        "summary": new.summary,
        "location": new.location,
        "start": start,
        "end": end,
        // A series that a person has made of it is put back to the one time that it has.
        "recurrence": null,
        "status": new.status,
        "transparency": new.transparency,
        "extendedProperties": { "private": { ENTRY: content.entry.to_string(), BOOKING: content.booking.to_string() } },
    });
    // Where we want none, those that people have set are theirs; but nobody is reminded of what does not take place.
    if !content.reminders.is_empty() || !content.busy {
        patch["reminders"] = json!(new.reminders);
    }
    patch
}

/// What a later write sets besides, of the fields that people may also edit; `None` if it is as it should be. A text is
/// brought up to date around what they added, a colour that they chose stays.
pub(super) fn shared_patch(stands: &Event, content: &EntryContent) -> Option<Value> {
    let kept =
        |name: &str| stands.extended_properties.as_ref()?.private.as_ref()?.get(name).map(String::as_str);
    let current = stands.description.as_deref().unwrap_or_default();
    let wanted = text_merge::merged(current, kept(TEXT_MARK), &content.description);
    let (colour, mark) = (colour(content), text_merge::mark(&content.description));
    // Written before we kept such marks, all of it is ours.
    let is_unmarked = kept(TEXT_MARK).is_none();
    let is_ours = is_unmarked || stands.color_id.as_deref() == kept(COLOUR);
    let recolour = is_ours && stands.color_id != colour;
    // A text that has no mark yet gets one, so that the next knows what was added to this one.
    let needs_mark = is_unmarked && !current.is_empty();
    if text_merge::is_same_text(current, &wanted) && !recolour && !needs_mark {
        return None;
    }
    let mut patch = json!({
        "description": non_empty(&wanted),
        "extendedProperties": { "private": { TEXT_MARK: mark } },
    });
    if recolour {
        patch["colorId"] = json!(colour);
    }
    if recolour || is_unmarked {
        patch["extendedProperties"]["private"][COLOUR] = json!(colour);
    }
    Some(patch)
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn date_times(time: &EntryTime) -> (EventDateTime, EventDateTime) {
    match time {
        EntryTime::Timed { starts_at, ends_at, zone } => {
            let at = |instant| EventDateTime {
                date: None,
                date_time: Some(instant),
                time_zone: Some(zone.name().to_owned()),
            };
            (at(*starts_at), at(*ends_at))
        }
        // `end.date` is exclusive, as ours is.
        EntryTime::AllDay { from, until } => {
            let on = |date| EventDateTime { date: Some(date), date_time: None, time_zone: None };
            (on(*from), on(*until))
        }
    }
}

fn reminder(reminder: EntryReminder) -> EventReminder {
    let method = match reminder.by {
        ReminderMeans::Email => "email",
        ReminderMeans::Popup => "popup",
    };
    EventReminder {
        method: Some(method.to_owned()),
        minutes: i32::try_from(reminder.minutes.min(MAX_REMINDER_MINUTES)).ok(),
    }
}

/// What an event tells us; `None` for one without an id. `zone` is the calendar's, for times that name none.
pub(super) fn observed(event: Event, zone: Tz) -> Option<ObservedEntry> {
    let said = entry_time(&event, zone);
    // One that takes no time (an import can bring such) takes up nobody's. One that does not say when may.
    let is_empty = said.as_ref().is_some_and(is_empty);
    let deleted = event.status.as_deref() == Some("cancelled");
    let own_answer = own_answer(&event);
    let busy = !deleted
        && !is_empty
        && event.transparency.as_deref() != Some("transparent")
        // Where somebody works, not whether they are free. Out of office and focus time do take up time.
        && event.event_type.as_deref() != Some("workingLocation")
        && own_answer != Some("declined");
    let tentative = event.status.as_deref() == Some("tentative")
        // An invitation without an answer holds its time in Google's own free/busy, but nobody has accepted it.
        || matches!(own_answer, Some("tentative" | "needsAction"));
    let entry = own_entry_id(&event);
    Some(ObservedEntry {
        external_id: event.id?,
        series: event.recurring_event_id,
        etag: event.etag,
        deleted,
        busy,
        tentative,
        title: event.summary.unwrap_or_default(),
        time: said.filter(|_| !is_empty),
        entry,
        updated_at: event.updated,
        unreadable: false,
    })
}

/// What the calendar's owner answered to an invitation; `None` for what they were not invited to.
fn own_answer(event: &Event) -> Option<&str> {
    let own = event.attendees.iter().flatten().find(|attendee| attendee.self_ == Some(true))?;
    own.response_status.as_deref()
}

/// The mapping that we wrote into it. A person can copy an entry of ours, properties and all; the copy has another id
/// and is not ours.
fn own_entry_id(event: &Event) -> Option<EntryId> {
    let private: &HashMap<String, String> = event.extended_properties.as_ref()?.private.as_ref()?;
    let entry = private.get(ENTRY)?.parse().ok()?;
    (event.id.as_deref() == Some(ProviderKind::Google.external_id(entry).as_str())).then_some(entry)
}

fn entry_time(event: &Event, calendar_zone: Tz) -> Option<EntryTime> {
    let (start, end) = (event.start.as_ref()?, event.end.as_ref()?);
    if let (Some(starts_at), Some(ends_at)) = (start.date_time, end.date_time) {
        let zone = start.time_zone.as_deref().and_then(|name| name.parse().ok()).unwrap_or(calendar_zone);
        return Some(EntryTime::Timed { starts_at, ends_at, zone });
    }
    let (from, until) = (start.date?, end.date?);
    Some(EntryTime::AllDay { from, until })
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;

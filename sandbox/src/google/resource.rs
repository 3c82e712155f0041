//! Events as Google writes them.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use crate::html::entry_address;
use crate::provider::Provider;
use crate::store::{CalendarRecord, EventTime, ListedEvent, StoredEntry};
use crate::timing::DateOrDateTime;

/// For whom and from which calendar events are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoogleEventView<'a> {
    pub(crate) account: &'a str,
    pub(crate) calendar: &'a CalendarRecord,
    pub(crate) base_url: &'a str,
}

impl GoogleEventView<'_> {
    /// What a list or a read shows.
    pub(crate) fn shown(&self, shown: &ListedEvent<'_>) -> Value {
        match shown {
            ListedEvent::Vanished { .. } => self.bare_tombstone(&shown.materialized()),
            _ => self.event(&shown.materialized()),
        }
    }

    /// An event with all its details; tombstones keep theirs on the organiser's own calendar.
    pub(crate) fn event(&self, entry: &StoredEntry) -> Value {
        let mut event = entry.fields.clone();
        let mut put = |name: &str, value: Value| {
            event.insert(name.into(), value);
        };
        put("kind", "calendar#event".into());
        put("etag", etag(entry.seq).into());
        put("id", entry.id.clone().into());
        put("status", json!(entry.status));
        let page = entry_address(self.base_url, Provider::Google, (self.account, self.calendar), entry);
        put("htmlLink", page.into());
        put("created", timestamp(entry.created));
        put("updated", timestamp(entry.updated));
        put("creator", self.person(&entry.creator));
        put("organizer", self.organizer());
        put("start", self.time(entry.start));
        put("end", self.time(entry.end));
        put("iCalUID", entry.ical_uid.clone().into());
        put("sequence", entry.sequence.into());
        if !entry.recurrence.is_empty() {
            put("recurrence", entry.recurrence.clone().into());
        }
        if let Some(occurrence) = &entry.occurrence_of {
            put("recurringEventId", occurrence.master.clone().into());
            put("originalStartTime", self.time(occurrence.original));
        }
        event.entry("reminders").or_insert_with(|| json!({ "useDefault": true }));
        event.entry("eventType").or_insert_with(|| "default".into());
        self.mark_own_attendance(&mut event);
        Value::Object(event)
    }

    /// What incremental reads say of a deleted event: its id is all that a client may rely on, and the place in the
    /// series for an occurrence.
    pub(crate) fn bare_tombstone(&self, entry: &StoredEntry) -> Value {
        let mut event = json!({
            "kind": "calendar#event", "etag": etag(entry.seq), "id": entry.id, "status": "cancelled"
        });
        if let Some(occurrence) = &entry.occurrence_of {
            event["recurringEventId"] = occurrence.master.clone().into();
            event["originalStartTime"] = self.time(occurrence.original);
        }
        event
    }

    /// `{"date"}` or `{"dateTime", "timeZone"}`: the offset is that of the calendar's zone, the name the event's own.
    fn time(&self, time: EventTime) -> Value {
        match time.when {
            DateOrDateTime::On(day) => json!({ "date": day.to_string() }),
            DateOrDateTime::At(at) => {
                let local = at.with_timezone(&self.calendar.zone);
                json!({
                    "dateTime": local.to_rfc3339_opts(SecondsFormat::Secs, true),
                    "timeZone": time.zone.unwrap_or(self.calendar.zone).name(),
                })
            }
        }
    }

    fn person(&self, email: &str) -> Value {
        let mut person = json!({ "email": email });
        if email == self.calendar.id {
            person["self"] = true.into();
        }
        person
    }

    /// On a primary calendar its owner, on any other the calendar itself.
    fn organizer(&self) -> Value {
        let mut organizer = self.person(&self.calendar.id);
        if self.calendar.id != self.calendar.owner {
            organizer["displayName"] = self.calendar.summary.clone().into();
        }
        organizer
    }

    fn mark_own_attendance(&self, event: &mut Map<String, Value>) {
        for attendee in event.get_mut("attendees").and_then(Value::as_array_mut).into_iter().flatten() {
            if attendee["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(self.account)) {
                attendee["self"] = true.into();
            }
        }
    }
}

/// The etag of write number `seq`: quoted, of 16 digits, different for each write, as Google's are.
pub(crate) fn etag(seq: u64) -> String {
    format!("\"{}\"", 3_389_000_000_000_000 + seq * 2)
}

/// RFC 3339 with milliseconds, in UTC.
pub(crate) fn timestamp(at: chrono::DateTime<chrono::Utc>) -> Value {
    at.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

//! How Microsoft writes down what all providers have.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::resource::{GraphEventView, etag};
use super::{draft, ids, prefer, sample, zones};
use crate::store::{
    EntryDraft, EntryEdit, EventTime, ProviderDialect, StoreError, StoreRecord, StoredCalendar, StoredEntry,
    TokenRules,
};
use crate::timing::DateOrDateTime;

#[derive(Debug)]
pub(crate) struct MicrosoftDialect;

impl ProviderDialect for MicrosoftDialect {
    fn sample(&self, _: DateTime<Utc>) -> Vec<StoreRecord> {
        sample::records()
    }

    fn account(&self, email: &str, name: &str, zone: Tz, seq: &mut u64) -> Vec<StoreRecord> {
        sample::account(email, name, zone, seq)
    }

    fn calendar_id(&self, owner: &str, key: &str) -> String {
        ids::calendar(owner, key)
    }

    fn new_ids(&self) -> (String, String) {
        ids::new_ids()
    }

    fn etag(&self, seq: u64) -> String {
        etag(seq)
    }

    fn read(&self, body: &Map<String, Value>, _: Tz) -> Result<EntryDraft, StoreError> {
        draft::read(body).map_err(|error| StoreError::Invalid(error.message))
    }

    fn writable(&self, entry: &StoredEntry) -> Map<String, Value> {
        draft::writable(entry)
    }

    fn wish(
        &self,
        wish: &EntryEdit,
        times: Option<(DateOrDateTime, DateOrDateTime)>,
        zone: Tz,
    ) -> Map<String, Value> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.into(), value);
        };
        if let Some(title) = &wish.title {
            put("subject", title.clone().into());
        }
        if let Some(text) = &wish.description {
            put("body", json!({ "contentType": "text", "content": text }));
        }
        if let Some(place) = &wish.location {
            put("location", json!({ "displayName": place }));
        }
        match wish.transparency.as_deref() {
            Some("transparent") => put("showAs", "free".into()),
            Some(_) => put("showAs", "busy".into()),
            None => {}
        }
        // What the organiser calls off stays in the calendar, marked; only a restored event needs its status.
        match wish.status.as_deref() {
            Some("cancelled") => put("isCancelled", true.into()),
            Some("tentative") => put("showAs", "tentative".into()),
            Some(status) => {
                put("status", status.into());
                put("isCancelled", false.into());
            }
            None => {}
        }
        if let Some(guests) = &wish.guests {
            let guest =
                |address: &String| json!({ "emailAddress": { "address": address }, "type": "required" });
            put("attendees", guests.iter().map(guest).collect());
        }
        if let Some(category) = &wish.colour {
            put("categories", json!([category]));
        }
        if let Some(lines) = &wish.recurrence {
            put("recurrence", lines.clone().into());
        }
        if let Some((start, end)) = times {
            let name = zones::windows_name(zone);
            let time = |when| draft::written_time(EventTime { when, zone: Some(zone) }, name);
            put("start", time(start));
            put("end", time(end));
            put("isAllDay", start.is_day().into());
        }
        body
    }

    fn private_properties(&self, entry: &StoredEntry) -> Map<String, Value> {
        let properties = entry.fields.get("singleValueExtendedProperties").and_then(Value::as_array);
        let pair = |one: &Value| Some((one["id"].as_str()?.to_owned(), one["value"].clone()));
        properties.into_iter().flatten().filter_map(pair).collect()
    }

    fn raw(&self, calendar: &StoredCalendar, entry: &StoredEntry, base_url: &str) -> Value {
        let prefer = prefer::PreferHeader { immutable_ids: true, ..prefer::PreferHeader::nothing() };
        GraphEventView { calendar: &calendar.info, prefer: &prefer, base_url }.event(entry)
    }

    fn shown_id(&self, entry: &StoredEntry) -> String {
        ids::shown(&entry.id, entry.moves, true)
    }

    fn stored_id(&self, id: &str) -> String {
        ids::read(id).map_or_else(|| id.into(), |id| id.key)
    }

    fn series_changes_as_one(&self) -> bool {
        true
    }

    fn renumbers_calendars(&self) -> bool {
        true
    }

    fn tokens(&self) -> TokenRules {
        TokenRules {
            access_prefix: "EwB4sandbox-",
            refresh_prefix: "0.Asandbox-",
            access_life: 3_599,
            refresh_life: 90 * 24 * 3600,
            // "Refresh tokens replace themselves upon every use; the old one is not revoked."
            replaced_lives: Some(3600),
            most_refresh_tokens: usize::MAX,
        }
    }
}

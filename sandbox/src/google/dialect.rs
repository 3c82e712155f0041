//! How Google writes down what all providers have.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::resource::{GoogleEventView, etag};
use super::{draft, sample, writes};
use crate::store::{
    EntryDraft, EntryEdit, EventTime, ProviderDialect, StoreError, StoreRecord, StoredCalendar, StoredEntry,
    TokenRules,
};
use crate::timing::DateOrDateTime;

/// How long an access token lives, in seconds.
pub(crate) const ACCESS_TOKEN_LIFETIME_SECONDS: i64 = 3600;

#[derive(Debug)]
pub(crate) struct GoogleDialect;

impl ProviderDialect for GoogleDialect {
    fn sample(&self, now: DateTime<Utc>) -> Vec<StoreRecord> {
        sample::records(now)
    }

    fn account(&self, email: &str, name: &str, zone: Tz, seq: &mut u64) -> Vec<StoreRecord> {
        sample::account(email, name, zone, seq)
    }

    fn calendar_id(&self, owner: &str, key: &str) -> String {
        sample::calendar_id(owner, key)
    }

    fn new_ids(&self) -> (String, String) {
        let id = writes::new_id();
        let ical_uid = writes::ical_uid(&id);
        (id, ical_uid)
    }

    fn etag(&self, seq: u64) -> String {
        etag(seq)
    }

    fn read(&self, body: &Map<String, Value>, zone: Tz) -> Result<EntryDraft, StoreError> {
        draft::read(body, zone).map_err(|error| StoreError::Invalid(error.message))
    }

    fn writable(&self, entry: &StoredEntry) -> Map<String, Value> {
        let mut body = entry.fields.clone();
        body.insert("status".into(), json!(entry.status));
        body.insert("start".into(), writable_time(entry.start));
        body.insert("end".into(), writable_time(entry.end));
        if !entry.recurrence.is_empty() {
            body.insert("recurrence".into(), entry.recurrence.clone().into());
        }
        body
    }

    fn wish(
        &self,
        wish: &EntryEdit,
        times: Option<(DateOrDateTime, DateOrDateTime)>,
        zone: Tz,
    ) -> Map<String, Value> {
        let mut body = Map::new();
        let texts = [
            ("summary", &wish.title),
            ("description", &wish.description),
            ("location", &wish.location),
            ("status", &wish.status),
            ("transparency", &wish.transparency),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                body.insert(name.into(), value.clone().into());
            }
        }
        if let Some(guests) = &wish.guests {
            body.insert(
                "attendees".into(),
                guests.iter().map(|address| json!({ "email": address })).collect(),
            );
        }
        if let Some(colour) = &wish.colour {
            body.insert("colorId".into(), colour.clone().into());
        }
        if let Some(recurrence) = &wish.recurrence {
            body.insert("recurrence".into(), recurrence.clone().into());
        }
        if let Some((start, end)) = times {
            body.insert("start".into(), edit_time(start, zone));
            body.insert("end".into(), edit_time(end, zone));
        }
        body
    }

    fn private_properties(&self, entry: &StoredEntry) -> Map<String, Value> {
        let properties = entry.fields.get("extendedProperties").and_then(|all| all["private"].as_object());
        properties.cloned().unwrap_or_default()
    }

    fn raw(&self, calendar: &StoredCalendar, entry: &StoredEntry, base_url: &str) -> Value {
        let info = &calendar.info;
        GoogleEventView { account: &info.owner, calendar: info, base_url }.event(entry)
    }

    fn shown_id(&self, entry: &StoredEntry) -> String {
        entry.id.clone()
    }

    fn stored_id(&self, id: &str) -> String {
        id.into()
    }

    fn series_changes_as_one(&self) -> bool {
        false
    }

    fn renumbers_calendars(&self) -> bool {
        false
    }

    fn tokens(&self) -> TokenRules {
        TokenRules {
            access_prefix: "ya29.sandbox-",
            refresh_prefix: "1//sandbox-",
            access_life: ACCESS_TOKEN_LIFETIME_SECONDS,
            refresh_life: 183 * 24 * 3600,
            replaced_lives: None,
            most_refresh_tokens: 100,
        }
    }
}

fn writable_time(time: EventTime) -> Value {
    let key = if time.when.is_day() { "date" } else { "dateTime" };
    let mut value = json!({ key: time.when.to_string() });
    if let Some(zone) = time.zone {
        value["timeZone"] = zone.name().into();
    }
    value
}

/// Both members are named, so that a patch from times to days takes the times away.
fn edit_time(when: DateOrDateTime, zone: Tz) -> Value {
    match when {
        DateOrDateTime::On(day) => json!({ "date": day.to_string(), "dateTime": null, "timeZone": null }),
        DateOrDateTime::At(_) => {
            json!({ "date": null, "dateTime": when.to_string(), "timeZone": zone.name() })
        }
    }
}

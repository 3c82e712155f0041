//! Calendars and events as Graph writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::prefer::PreferHeader;
use super::{ids, recurrence_patterns};
use crate::html::{entry_address, escape};
use crate::provider::Provider;
use crate::store::{
    CalendarAccessRole, CalendarListItem, CalendarRecord, EventTime, StoredCalendar, StoredEntry,
};

/// How many characters of a body its preview has.
const PREVIEW: usize = 255;

/// Graph's moment for what never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// From which calendar and as the client prefers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GraphEventView<'a> {
    pub(crate) calendar: &'a CalendarRecord,
    pub(crate) prefer: &'a PreferHeader,
    pub(crate) base_url: &'a str,
}

impl GraphEventView<'_> {
    /// The id of an entry as the client prefers it.
    pub(crate) fn id(&self, entry: &StoredEntry) -> String {
        ids::shown(&entry.id, entry.moves, self.prefer.immutable_ids)
    }

    /// An event with all its details, extended properties aside, which come when they are asked for.
    pub(crate) fn event(&self, entry: &StoredEntry) -> Value {
        let mut event = Map::new();
        for part in [self.identity(entry), self.content(entry), settings(entry)] {
            if let Value::Object(part) = part {
                event.extend(part);
            }
        }
        Value::Object(event)
    }

    fn identity(&self, entry: &StoredEntry) -> Value {
        let master = entry.occurrence_of.as_ref();
        let transaction = entry.fields.get("transactionId").filter(|_| master.is_none());
        json!({
            "@odata.etag": etag(entry.seq),
            "id": self.id(entry),
            "createdDateTime": timestamp(entry.created),
            "lastModifiedDateTime": timestamp(entry.updated),
            "changeKey": change_key(entry.seq),
            "transactionId": transaction,
            "iCalUId": entry.ical_uid,
            "seriesMasterId": master.map(|one| ids::shown(&one.master, entry.moves, self.prefer.immutable_ids)),
            "type": kind(entry),
            "webLink": entry_address(
                self.base_url,
                Provider::Microsoft,
                (&self.calendar.owner, self.calendar),
                entry,
            ),
            "recurrence": self.recurrence(entry),
            "organizer": { "emailAddress": { "name": self.calendar.summary, "address": self.calendar.owner } },
        })
    }

    fn content(&self, entry: &StoredEntry) -> Value {
        let text = text_of(entry);
        let place = entry.location().unwrap_or_default();
        json!({
            "subject": entry.title().unwrap_or_default(),
            "bodyPreview": text.chars().take(PREVIEW).collect::<String>(),
            "body": self.body(entry, &text),
            "isAllDay": entry.start.when.is_day(),
            "start": self.time(entry.start),
            "end": self.time(entry.end),
            "originalStartTimeZone": zone_name(entry, "originalStartTimeZone"),
            "originalEndTimeZone": zone_name(entry, "originalEndTimeZone"),
            "location": location(place),
            "locations": if place.is_empty() { json!([]) } else { json!([location(place)]) },
            "attendees": attendees(&entry.fields),
        })
    }

    /// What change tracking tells of an occurrence that nobody has touched: where it stands. All else is its master's
    /// (reported).
    pub(crate) fn bare_occurrence(&self, entry: &StoredEntry) -> Value {
        let whole = self.event(entry);
        let told = ["@odata.etag", "id", "type", "seriesMasterId", "start", "end"];
        let mut bare: Map<_, _> =
            told.iter().map(|name| ((*name).to_owned(), whole[*name].clone())).collect();
        bare.insert("@odata.type".into(), "#microsoft.graph.event".into());
        Value::Object(bare)
    }

    /// What change tracking tells of an event that is gone.
    pub(crate) fn removed(&self, key: &str, moves: u32) -> Value {
        json!({
            "@odata.type": "#microsoft.graph.event",
            "id": ids::shown(key, moves, self.prefer.immutable_ids),
            "@removed": { "reason": "deleted" },
        })
    }

    /// In the zone that is preferred; whole days have the same date in any.
    fn time(&self, time: EventTime) -> Value {
        let local = time.when.local(self.prefer.zone);
        json!({
            "dateTime": local.format("%Y-%m-%dT%H:%M:%S.0000000").to_string(),
            "timeZone": self.prefer.zone_name,
        })
    }

    fn recurrence(&self, entry: &StoredEntry) -> Value {
        match entry.fields.get("recurrence") {
            Some(recurrence) if entry.series.is_some() && entry.occurrence_of.is_none() => {
                let zone = entry.start.zone.unwrap_or(self.calendar.zone);
                let day = entry.start.when.local(zone).date();
                recurrence_patterns::in_full(recurrence, day, &zone_name(entry, "originalStartTimeZone"))
            }
            _ => Value::Null,
        }
    }

    /// Exchange keeps a body as HTML and gives it back so, unless text is preferred.
    fn body(&self, entry: &StoredEntry, text: &str) -> Value {
        if self.prefer.text_body {
            return json!({ "contentType": "text", "content": text });
        }
        let content = match entry.fields.get("body").map(|body| (&body["contentType"], &body["content"])) {
            Some((kind, Value::String(html)))
                if kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("html")) =>
            {
                html.clone()
            }
            _ if text.is_empty() => String::new(),
            _ => escape(text).replace('\n', "<br>\r\n"),
        };
        if content.is_empty() || content.trim_start().to_lowercase().starts_with("<html") {
            return json!({ "contentType": "html", "content": content });
        }
        let head = "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">";
        let content = format!("<html><head>\r\n{head}</head><body>{content}</body></html>\r\n");
        json!({ "contentType": "html", "content": content })
    }
}

fn settings(entry: &StoredEntry) -> Value {
    let field = |name: &str, default: Value| entry.fields.get(name).cloned().unwrap_or(default);
    json!({
        "categories": field("categories", json!([])),
        "reminderMinutesBeforeStart": field("reminderMinutesBeforeStart", 15.into()),
        "isReminderOn": field("isReminderOn", true.into()),
        "hasAttachments": false,
        "importance": field("importance", "normal".into()),
        "sensitivity": field("sensitivity", "normal".into()),
        "isCancelled": field("isCancelled", false.into()),
        "isOrganizer": true,
        "responseRequested": field("responseRequested", true.into()),
        "responseStatus": { "response": "organizer", "time": NEVER },
        "showAs": field("showAs", "busy".into()),
        "onlineMeeting": null,
        "onlineMeetingUrl": null,
        "isOnlineMeeting": field("isOnlineMeeting", false.into()),
        "onlineMeetingProvider": "unknown",
        "allowNewTimeProposals": field("allowNewTimeProposals", true.into()),
        "isDraft": false,
        "hideAttendees": field("hideAttendees", false.into()),
    })
}

fn kind(entry: &StoredEntry) -> &'static str {
    match (&entry.occurrence_of, &entry.series) {
        // An occurrence that stands for itself has a history of its own.
        (Some(_), _) if entry.history.is_empty() => "occurrence",
        (Some(_), _) => "exception",
        (None, Some(_)) => "seriesMaster",
        (None, None) => "singleInstance",
    }
}

/// The zone's name as it was given, IANA's or that of Windows.
fn zone_name(entry: &StoredEntry, name: &str) -> String {
    entry.fields.get(name).and_then(Value::as_str).unwrap_or("UTC").to_owned()
}

fn text_of(entry: &StoredEntry) -> String {
    let content = entry.description().unwrap_or_default();
    let kind = entry.fields.get("body").and_then(|body| body["contentType"].as_str()).unwrap_or("text");
    if kind.eq_ignore_ascii_case("html") { without_tags(content) } else { content.into() }
}

/// A calendar as Graph shows it.
pub(crate) fn calendar(calendar: &StoredCalendar, one: &CalendarListItem, owner_name: &str) -> Value {
    let may_write = one.role >= CalendarAccessRole::Writer;
    json!({
        "id": calendar.info.id,
        "name": calendar.info.summary,
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": one.primary,
        "changeKey": change_key(calendar.info.seq),
        "canShare": may_write,
        "canViewPrivateItems": may_write,
        "canEdit": may_write,
        "allowedOnlineMeetingProviders": [],
        "defaultOnlineMeetingProvider": "unknown",
        "isTallyingResponses": one.primary,
        "isRemovable": !one.primary,
        "owner": { "name": owner_name, "address": calendar.info.owner },
    })
}

/// The etag of write number `seq`: weak, around the change key.
pub(crate) fn etag(seq: u64) -> String {
    format!("W/\"{}\"", change_key(seq))
}

fn change_key(seq: u64) -> String {
    STANDARD.encode([b"sandbox".as_slice(), &seq.to_be_bytes()].concat())
}

/// RFC 3339 in UTC, to the seventh digit as .NET writes it.
pub(crate) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true).replace('Z', "0000Z")
}

fn location(name: &str) -> Value {
    if name.is_empty() {
        return json!({ "displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}, "coordinates": {} });
    }
    json!({ "displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private" })
}

fn attendees(fields: &Map<String, Value>) -> Value {
    let attendees = fields.get("attendees").and_then(Value::as_array);
    let one = |attendee: &Value| {
        let person = &attendee["emailAddress"];
        json!({
            "type": attendee["type"].as_str().unwrap_or("required"),
            "status": { "response": "none", "time": NEVER },
            "emailAddress": {
                "name": person["name"].as_str().or(person["address"].as_str()),
                "address": person["address"],
            },
        })
    };
    attendees.into_iter().flatten().map(one).collect()
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            other if !in_tag => text.push(other),
            _ => {}
        }
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

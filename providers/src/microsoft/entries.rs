//! What an entry looks like at Microsoft, in both directions.

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use concord_domain::{
    entry::{EntryContent, EntryReminder, EntryTime, ObservedEntry, ReminderMeans},
    ids::EntryId,
    interval::{Interval, stay},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    extended_properties::{EntryProperty, entry_of_transaction},
    zones,
};
use crate::{
    provider::{interval_of, is_empty, is_same_time},
    text_merge,
};

/// What counts of a Graph event (<https://learn.microsoft.com/graph/api/resources/event>).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GraphEvent {
    pub(super) id: Option<String>,
    #[serde(rename = "@odata.etag")]
    pub(super) etag: Option<String>,
    /// There when a delta query says that the event is gone.
    #[serde(rename = "@removed")]
    pub(super) removed: Option<Value>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) series_master_id: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) body: Option<GraphItemBody>,
    pub(super) start: Option<DateTimeTimeZone>,
    pub(super) end: Option<DateTimeTimeZone>,
    pub(super) is_all_day: Option<bool>,
    pub(super) is_cancelled: Option<bool>,
    pub(super) show_as: Option<String>,
    pub(super) response_status: Option<GraphResponseStatus>,
    pub(super) original_start_time_zone: Option<String>,
    pub(super) transaction_id: Option<String>,
    pub(super) created_date_time: Option<String>,
    pub(super) last_modified_date_time: Option<String>,
    pub(super) single_value_extended_properties: Option<Vec<ExtendedProperty>>,
}

/// A `dateTimeTimeZone`: a local time without an offset, and whose.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DateTimeTimeZone {
    date_time: String,
    time_zone: Option<String>,
}

/// An `itemBody`, as text.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GraphItemBody {
    content: Option<String>,
}

/// What the calendar's owner answered.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GraphResponseStatus {
    response: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ExtendedProperty {
    id: String,
    value: Option<String>,
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZoneSpelling {
    /// In the entry's zone.
    Zone,
    /// In UTC, for a mailbox whose server does not know the zone.
    Utc,
}

/// The whole of a new entry, without its id.
pub(super) fn event(content: &EntryContent, spelling: ZoneSpelling) -> Value {
    let mut event = patch(content, spelling);
    let text = body_patch(&content.description, content);
    event["body"] = text["body"].clone();
    if let (Some(all), Some(Value::Array(more))) =
        (event["singleValueExtendedProperties"].as_array_mut(), text.get("singleValueExtendedProperties"))
    {
        all.extend(more.iter().cloned());
    }
    event["isReminderOn"] = json!(popup(content).is_some());
    event
}

/// The text, `said` in whole, with the mark of what of it is ours.
pub(super) fn body_patch(said: &str, content: &EntryContent) -> Value {
    let mark = text_merge::mark(&content.description);
    json!({
        "body": { "contentType": "text", "content": said },
        "singleValueExtendedProperties": [{ "id": EntryProperty::Words.id(), "value": mark }],
    })
}

/// The text that stands there.
pub(super) fn text(event: &GraphEvent) -> &str {
    event.body.as_ref().and_then(|body| body.content.as_deref()).unwrap_or_default()
}

/// The text as it should be, if it is not: ours, and what people added to it.
pub(super) fn merged_body_text(event: &GraphEvent, content: &EntryContent) -> Option<String> {
    let mark = property(event, EntryProperty::Words).filter(|mark| !mark.is_empty());
    let wanted = text_merge::merged(text(event), mark, &content.description);
    // What has no mark yet gets one, so that the next text knows what was added to this one.
    (mark.is_none() || !text_merge::is_same_text(text(event), &wanted)).then_some(wanted)
}

fn popup(content: &EntryContent) -> Option<&EntryReminder> {
    content.reminders.iter().find(|reminder| reminder.by == ReminderMeans::Popup)
}

/// What a later write sets whatever stands there. What should be clear is said to be: a PATCH leaves what it does not name,
/// guests, attachments and categories among it.
///
/// Colours are left out: Microsoft's are those of categories, which each person names and colours as they like.
pub(super) fn patch(content: &EntryContent, spelling: ZoneSpelling) -> Value {
    let (start, end) = date_times(&content.time, spelling);
    let popup = popup(content);
    let mut event = json!({
        "subject": subject(&content.title),
        "location": { "displayName": content.location },
        "start": start,
        "end": end,
        "isAllDay": matches!(content.time, EntryTime::AllDay { .. }),
        "showAs": if !content.busy { "free" } else if content.tentative { "tentative" } else { "busy" },
        "singleValueExtendedProperties": properties(content),
    });
    // Microsoft has one reminder, on the screen. Where we want none, one that a person has set is theirs; but nobody is
    // reminded of what does not take place.
    if popup.is_some() || !content.busy {
        event["isReminderOn"] = json!(popup.is_some());
    }
    if let Some(popup) = popup {
        event["reminderMinutesBeforeStart"] = json!(popup.minutes);
    }
    event
}

/// Exchange refuses a longer one; counted as it counts, in UTF-16.
const MAX_SUBJECT_LEN: usize = 255;

fn subject(title: &str) -> &str {
    let mut length = 0;
    let end = title.char_indices().find(|(_, letter)| {
        length += letter.len_utf16();
        length > MAX_SUBJECT_LEN
    });
    end.map_or(title, |(end, _)| &title[..end])
}

fn properties(content: &EntryContent) -> Vec<Value> {
    [EntryProperty::Entry, EntryProperty::Booking, EntryProperty::Zone]
        .into_iter()
        .map(|mark| {
            let value = match (mark, &content.time) {
                (EntryProperty::Entry, _) => content.entry.to_string(),
                (EntryProperty::Booking, _) => content.booking.to_string(),
                (EntryProperty::Zone, EntryTime::Timed { zone, .. }) => zone.name().to_owned(),
                (EntryProperty::Zone | EntryProperty::Words, _) => Tz::UTC.name().to_owned(),
            };
            json!({ "id": mark.id(), "value": value })
        })
        .collect()
}

fn date_times(time: &EntryTime, spelling: ZoneSpelling) -> (DateTimeTimeZone, DateTimeTimeZone) {
    match time {
        EntryTime::Timed { starts_at, ends_at, zone } => {
            let zone = if spelling == ZoneSpelling::Utc { Tz::UTC } else { *zone };
            (date_time(*starts_at, zone), date_time(*ends_at, zone))
        }
        // Midnight to midnight in one zone, the end exclusive as ours is.
        EntryTime::AllDay { from, until } => {
            let on = |date: &NaiveDate| DateTimeTimeZone {
                date_time: format!("{date}T00:00:00"),
                time_zone: Some(Tz::UTC.name().to_owned()),
            };
            (on(from), on(until))
        }
    }
}

/// Graph takes local times alone, so what clocks in `zone` show twice is written in UTC.
fn date_time(instant: DateTime<Utc>, zone: Tz) -> DateTimeTimeZone {
    let written = zones::written(zone).and_then(|(zone, name)| Some((zones::local(instant, zone)?, name)));
    let (local, name) = written.unwrap_or_else(|| (instant.naive_utc(), Tz::UTC.name()));
    DateTimeTimeZone {
        date_time: local.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
        time_zone: Some(name.to_owned()),
    }
}

/// What an event tells us; `None` for one without an id.
pub(super) fn observed(event: &GraphEvent) -> Option<ObservedEntry> {
    let time = entry_time(event).filter(|time| !is_empty(time));
    Some(ObservedEntry {
        external_id: event.id.clone()?,
        series: event.series_master_id.clone(),
        etag: event.etag.clone(),
        deleted: is_gone(event),
        busy: is_busy(event),
        tentative: is_tentative(event),
        title: event.subject.clone().unwrap_or_default(),
        time,
        entry: own_entry_id(event),
        updated_at: event.last_modified_date_time.as_deref().and_then(|at| at.parse().ok()),
        // It says when, in a form or a zone that nobody knows.
        unreadable: !is_gone(event) && event.start.is_some() && entry_time(event).is_none(),
    })
}

fn is_gone(event: &GraphEvent) -> bool {
    event.removed.is_some() || event.is_cancelled == Some(true)
}

/// One that takes no time takes up nobody's. One that does not say when, or how it is shown, may.
fn is_busy(event: &GraphEvent) -> bool {
    !is_gone(event)
        && !entry_time(event).is_some_and(|time| is_empty(&time))
        // Who works elsewhere works all the same; Outlook's own scheduling counts them as free.
        && !matches!(event.show_as.as_deref(), Some("free" | "workingElsewhere"))
        && answer(event) != Some("declined")
}

fn is_tentative(event: &GraphEvent) -> bool {
    event.show_as.as_deref() == Some("tentative")
        // Outlook holds the time of an invitation without an answer, but nobody has accepted it.
        || matches!(answer(event), Some("tentativelyAccepted" | "notResponded"))
}

fn answer(event: &GraphEvent) -> Option<&str> {
    event.response_status.as_ref()?.response.as_deref()
}

/// The mapping that we wrote into it. A person's copy carries it too, and an occurrence of what they made recurring does:
/// of those the series is ours.
fn own_entry_id(event: &GraphEvent) -> Option<EntryId> {
    if event.series_master_id.is_some() {
        return None;
    }
    marked(event).or_else(|| entry_of_transaction(event.transaction_id.as_deref()?))
}

/// The mapping that the event carries, whoever put it there.
pub(super) fn marked(event: &GraphEvent) -> Option<EntryId> {
    property(event, EntryProperty::Entry)?.parse().ok()
}

/// Between which instants a calendar shows it, whole days in any zone; `None` for one that does not say when.
pub(super) fn display_interval(event: &GraphEvent) -> Option<Interval> {
    match entry_time(event)? {
        EntryTime::Timed { starts_at, ends_at, .. } => {
            Some(Interval { start: starts_at, end: ends_at.max(starts_at + TimeDelta::minutes(1)) })
        }
        EntryTime::AllDay { from, until } => {
            let whole = stay(from, until, Tz::UTC)?;
            Some(Interval { start: whole.start - TimeDelta::days(1), end: whole.end + TimeDelta::days(1) })
        }
    }
}

fn property(event: &GraphEvent, mark: EntryProperty) -> Option<&str> {
    let id = mark.id();
    // Graph gives the namespace back in small letters.
    let found =
        event.single_value_extended_properties.iter().flatten().find(|one| one.id.eq_ignore_ascii_case(&id));
    found?.value.as_deref()
}

pub(super) fn entry_time(event: &GraphEvent) -> Option<EntryTime> {
    let (starts_at, ends_at) = (instant(event.start.as_ref()?)?, instant(event.end.as_ref()?)?);
    if event.is_all_day != Some(true) {
        return Some(EntryTime::Timed { starts_at, ends_at, zone: zone(event) });
    }
    // Given as midnights in UTC, or (by some mailboxes) as the instants of midnight in the zone of who wrote it.
    let at_midnight = |at: DateTime<Utc>| at.time() == NaiveTime::MIN;
    let zone = if at_midnight(starts_at) && at_midnight(ends_at) { Tz::UTC } else { zone(event) };
    let on = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    Some(EntryTime::AllDay { from: on(starts_at), until: on(ends_at) })
}

fn instant(at: &DateTimeTimeZone) -> Option<DateTime<Utc>> {
    zones::instant(&at.date_time, at.time_zone.as_deref())
}

/// Where a person reads it. Ours is kept as a property, which counts for as long as nobody has chosen another zone.
fn zone(event: &GraphEvent) -> Tz {
    let said = event.original_start_time_zone.as_deref();
    let kept = property(event, EntryProperty::Zone).and_then(|name| name.parse::<Tz>().ok());
    match (kept, said) {
        (Some(kept), Some(said)) if zones::stands_for(said, kept) => kept,
        (Some(kept), None) => kept,
        (_, said) => said.and_then(zones::zone).unwrap_or(Tz::UTC),
    }
}

/// When an event takes up its owner's time. Whole days are those of the zone that it was written in.
pub(super) fn busy_time(event: &GraphEvent) -> Option<Interval> {
    if !is_busy(event) {
        return None;
    }
    interval_of(&entry_time(event)?, zone(event))
}

/// Whether an event stands for a whole series, whose occurrences come beside it.
pub(super) fn is_series(event: &GraphEvent) -> bool {
    event.kind.as_deref() == Some("seriesMaster")
}

/// Whether an occurrence came without what it shares with its series, as in delta queries.
pub(super) fn lacks_its_series(event: &GraphEvent) -> bool {
    event.removed.is_none() && event.series_master_id.is_some() && event.show_as.is_none()
}

/// Fills in what an occurrence shares with its series.
pub(super) fn fill(event: &mut GraphEvent, series: &GraphEvent) {
    fn take<T: Clone>(own: &mut Option<T>, of_series: Option<&T>) {
        if own.is_none() {
            *own = of_series.cloned();
        }
    }
    take(&mut event.subject, series.subject.as_ref());
    take(&mut event.show_as, series.show_as.as_ref());
    take(&mut event.is_all_day, series.is_all_day.as_ref());
    take(&mut event.is_cancelled, series.is_cancelled.as_ref());
    take(&mut event.response_status, series.response_status.as_ref());
    take(&mut event.original_start_time_zone, series.original_start_time_zone.as_ref());
    take(&mut event.last_modified_date_time, series.last_modified_date_time.as_ref());
}

/// Whether the event says what we would write, as far as people see it at a glance.
pub(super) fn says(event: &GraphEvent, content: &EntryContent) -> bool {
    entry_time(event).is_some_and(|time| is_same_time(&time, &content.time))
        && event.subject.as_deref().unwrap_or_default() == subject(&content.title)
        && is_busy(event) == content.busy
        && (is_tentative(event) == content.tentative || !content.busy)
}

/// As Graph writes an instant in a query.
pub(super) fn bound(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;

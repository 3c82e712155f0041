//! Changes to events: insert, replace, patch, delete, with Google's rules for ids, tombstones and conditions.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::draft::{Draft, merge};
use super::entry::{Action, Entry, FormerSeries, Status};
use super::errors::ApiError;
use super::occurrences;
use super::records::{Calendar, Record};
use super::world::World;

/// Who changes an event, by which call, when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Author<'a> {
    pub(crate) account: &'a str,
    pub(crate) action: Action,
    pub(crate) now: DateTime<Utc>,
}

/// The body of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'a> {
    /// The whole event (PUT).
    Whole(&'a Map<String, Value>),
    /// What differs (PATCH).
    Patch(&'a Map<String, Value>),
}

impl World {
    /// Stores a new event and returns its id.
    ///
    /// # Errors
    /// 400 for a bad body or id, 409 if the id is taken, be it by a tombstone.
    pub(crate) fn insert(
        &mut self,
        calendar_id: &str,
        body: &Map<String, Value>,
        author: Author<'_>,
    ) -> Result<String, ApiError> {
        let calendar = self.calendar(calendar_id)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(String::from);
        let (given_id, given_uid) = (text("id"), text("iCalUID"));
        if given_id.is_some() && given_uid.is_some() {
            return Err(ApiError::invalid("Only one of id and iCalUID may be given."));
        }
        let id = match given_id {
            None => new_id(),
            Some(id) if is_valid_id(&id) => id,
            Some(_) => return Err(ApiError::invalid("Invalid resource id value.")),
        };
        let draft = Draft::read(body, calendar.info.zone)?;
        if calendar.entries.contains_key(&id) {
            return Err(ApiError::duplicate());
        }
        if draft.status == Some(Status::Cancelled) {
            return Err(ApiError::invalid("An event cannot be inserted as cancelled."));
        }
        let entry = Entry {
            ical_uid: given_uid.unwrap_or_else(|| format!("{id}@google.com")),
            id: id.clone(),
            seq: self.seq + 1,
            created: author.now,
            updated: author.now,
            status: draft.status.unwrap_or(Status::Confirmed),
            sequence: draft.sequence.unwrap_or(0),
            creator: author.account.into(),
            start: draft.start,
            end: draft.end,
            recurrence: draft.recurrence,
            occurrence_of: None,
            former: Vec::new(),
            fields: draft.fields,
            series: None,
            history: Vec::new(),
        };
        self.commit(vec![written(calendar_id, entry, author.action)])?;
        Ok(id)
    }

    /// Replaces or patches an event, or one occurrence of a recurring one. A tombstone comes back if the new status is
    /// `confirmed` or `tentative`; a status of `cancelled` deletes.
    ///
    /// # Errors
    /// 404, 400, or 412 if `if_match` is not the event's etag.
    pub(crate) fn change(
        &mut self,
        calendar_id: &str,
        id: &str,
        content: Content<'_>,
        if_match: Option<&str>,
        author: Author<'_>,
    ) -> Result<(), ApiError> {
        let calendar = self.calendar(calendar_id)?;
        let old = standing(calendar, id).ok_or_else(ApiError::not_found)?;
        check_condition(&old, if_match)?;
        let draft = match content {
            Content::Whole(body) => Draft::read(body, calendar.info.zone)?,
            Content::Patch(patch) => {
                let mut body = old.writable();
                merge(&mut body, patch);
                Draft::read(&body, calendar.info.zone)?
            }
        };
        if draft.sequence.is_some_and(|sequence| sequence < old.sequence) {
            return Err(ApiError::invalid(
                "Invalid sequence value. The specified sequence number is below the current sequence number of the \
                 resource.",
            ));
        }
        let recurrence = if old.occurrence_of.is_some() { Vec::new() } else { draft.recurrence };
        let status =
            draft.status.unwrap_or(if old.cancelled() { Status::Cancelled } else { Status::Confirmed });
        let moved = (draft.start, draft.end) != (old.start, old.end) || recurrence != old.recurrence;
        let mut new = Entry {
            seq: self.seq + 1,
            updated: author.now,
            status,
            sequence: draft
                .sequence
                .unwrap_or(0)
                .max(old.sequence + i64::from(moved || status != old.status)),
            start: draft.start,
            end: draft.end,
            recurrence,
            fields: draft.fields,
            series: draft.series.filter(|_| old.occurrence_of.is_none()),
            ..old.clone()
        };
        if !old.recurrence.is_empty() && moved {
            let (start, recurrence) = (old.start, old.recurrence.clone());
            new.former.push(FormerSeries { start: start.when, zone: start.zone, recurrence });
        }
        let mut records = orphans(calendar, &new, author);
        records.insert(0, written(calendar_id, new, author.action));
        self.commit(numbered(records, self.seq))
    }

    /// Makes an event, or one occurrence of a recurring one, a tombstone.
    ///
    /// # Errors
    /// 404, 410 if it is one already, 412.
    pub(crate) fn delete(
        &mut self,
        calendar_id: &str,
        id: &str,
        if_match: Option<&str>,
        author: Author<'_>,
    ) -> Result<(), ApiError> {
        let calendar = self.calendar(calendar_id)?;
        let old = standing(calendar, id).ok_or_else(ApiError::not_found)?;
        if old.cancelled() {
            return Err(ApiError::deleted());
        }
        check_condition(&old, if_match)?;
        let new = tombstone(&old, author.now);
        let mut records = orphans(calendar, &new, author);
        records.insert(0, written(calendar_id, new, author.action));
        self.commit(numbered(records, self.seq))
    }

    fn calendar(&self, id: &str) -> Result<&Calendar, ApiError> {
        self.calendars.get(id).ok_or_else(ApiError::not_found)
    }
}

/// The event `id` as it is stored, or the occurrence that the id means.
pub(crate) fn standing(calendar: &Calendar, id: &str) -> Option<Entry> {
    if let Some(entry) = calendar.entries.get(id) {
        return Some(entry.clone());
    }
    let (master, original) = occurrences::find(calendar, id)?;
    Some(occurrences::standing_alone(master, original))
}

fn check_condition(old: &Entry, if_match: Option<&str>) -> Result<(), ApiError> {
    match if_match {
        None | Some("*") => Ok(()),
        Some(etag) if etag == old.etag() => Ok(()),
        Some(_) => Err(ApiError::condition_not_met()),
    }
}

fn tombstone(old: &Entry, now: DateTime<Utc>) -> Entry {
    Entry { status: Status::Cancelled, updated: now, sequence: old.sequence + 1, ..old.clone() }
}

/// Changed occurrences whose place in the series of `master` is no more: they go with it.
fn orphans(calendar: &Calendar, master: &Entry, author: Author<'_>) -> Vec<Record> {
    let zone = master.start.zone.unwrap_or(calendar.info.zone);
    let still_there = |entry: &Entry| {
        let original = entry.occurrence_of.as_ref().map(|one| one.original.when);
        !master.cancelled()
            && original.zip(master.series.as_ref()).is_some_and(|(original, series)| {
                let after = original.instant(zone) + chrono::Duration::seconds(1);
                series.starts(master.start.when, zone, after).contains(&original)
            })
    };
    occurrences::exceptions(calendar, master)
        .into_iter()
        .filter(|entry| !entry.cancelled() && !still_there(entry))
        .map(|entry| written(&calendar.info.id, tombstone(entry, author.now), author.action))
        .collect()
}

fn written(calendar: &str, entry: Entry, action: Action) -> Record {
    let change = entry.change(action);
    Record::Written { calendar: calendar.into(), entry: Box::new(entry), change }
}

/// Gives each write its own number, and with it its etag.
fn numbered(mut records: Vec<Record>, mut seq: u64) -> Vec<Record> {
    for record in &mut records {
        if let Record::Written { entry, change, .. } = record {
            seq += 1;
            entry.seq = seq;
            change.etag = entry.etag();
        }
    }
    records
}

/// 5 to 1024 characters of base32hex in lower case.
fn is_valid_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9'))
}

/// 26 characters of base32hex.
fn new_id() -> String {
    let mut number = Uuid::new_v4().as_u128();
    let mut id = String::with_capacity(26);
    for _ in 0..26 {
        let digit = u32::try_from(number % 32).ok().and_then(|digit| char::from_digit(digit, 32));
        id.extend(digit);
        number /= 32;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_base32hex_of_5_to_1024() {
        assert!(is_valid_id(&new_id()));
        assert_eq!(new_id().len(), 26);
        assert!(is_valid_id("0123v"));
        for bad in ["abcd", "abcdw", "ABCDE", "abc-de", "", &"a".repeat(1025)] {
            assert!(!is_valid_id(bad), "{bad}");
        }
    }
}

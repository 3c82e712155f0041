//! Changes to events: insert, replace, patch, delete, with Google's rules for ids, tombstones and conditions.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::draft;
use super::errors::GoogleApiError;
use super::resource::etag;
use crate::store::{EntryStatus, ProviderStore, StoredEntry, WriteAuthor, merge, standing};

/// The body of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EventContent<'a> {
    /// The whole event (PUT).
    Whole(&'a Map<String, Value>),
    Patch(&'a Map<String, Value>),
}

/// Stores a new event and returns its id.
///
/// # Errors
/// 400 for a bad body or id, 409 if the id is taken, be it by a tombstone.
pub(crate) fn insert(
    store: &mut ProviderStore,
    calendar_id: &str,
    body: &Map<String, Value>,
    author: WriteAuthor<'_>,
) -> Result<String, GoogleApiError> {
    let calendar = store.calendar(calendar_id)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(String::from);
    let (given_id, given_uid) = (text("id"), text("iCalUID"));
    if given_id.is_some() && given_uid.is_some() {
        return Err(GoogleApiError::invalid("Only one of id and iCalUID may be given."));
    }
    let id = match given_id {
        None => new_id(),
        Some(id) if is_valid_id(&id) => id,
        Some(_) => return Err(GoogleApiError::invalid("Invalid resource id value.")),
    };
    let draft = draft::read(body, calendar.info.zone)?;
    if calendar.entries.contains_key(&id) {
        return Err(GoogleApiError::duplicate());
    }
    if draft.status == Some(EntryStatus::Cancelled) {
        return Err(GoogleApiError::invalid("An event cannot be inserted as cancelled."));
    }
    let ical_uid = given_uid.unwrap_or_else(|| ical_uid(&id));
    Ok(store.write_new(calendar_id, (id, ical_uid), draft, author)?.id)
}

/// Replaces or patches an event, or one occurrence of a recurring one. A tombstone comes back if the new status is
/// `confirmed` or `tentative`; a status of `cancelled` deletes.
///
/// # Errors
/// 404, 400, or 412 if `if_match` is not the event's etag.
pub(crate) fn change(
    store: &mut ProviderStore,
    calendar_id: &str,
    id: &str,
    content: EventContent<'_>,
    if_match: Option<&str>,
    author: WriteAuthor<'_>,
) -> Result<(), GoogleApiError> {
    let calendar = store.calendar(calendar_id)?;
    let old = standing(calendar, id).ok_or_else(GoogleApiError::not_found)?;
    check_condition(&old, if_match)?;
    let draft = match content {
        EventContent::Whole(body) => draft::read(body, calendar.info.zone)?,
        EventContent::Patch(patch) => {
            let mut body = store.dialect().writable(&old);
            merge(&mut body, patch);
            draft::read(&body, calendar.info.zone)?
        }
    };
    if draft.sequence.is_some_and(|sequence| sequence < old.sequence) {
        return Err(GoogleApiError::invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence number of the \
             resource.",
        ));
    }
    Ok(store.write_change(calendar_id, &old, draft, author)?)
}

/// Makes an event, or one occurrence of a recurring one, a tombstone.
///
/// # Errors
/// 404, 410 if it is one already, 412.
pub(crate) fn delete(
    store: &mut ProviderStore,
    calendar_id: &str,
    id: &str,
    if_match: Option<&str>,
    author: WriteAuthor<'_>,
) -> Result<(), GoogleApiError> {
    let calendar = store.calendar(calendar_id)?;
    let old = standing(calendar, id).ok_or_else(GoogleApiError::not_found)?;
    if old.cancelled() {
        return Err(GoogleApiError::deleted());
    }
    check_condition(&old, if_match)?;
    Ok(store.write_tombstone(calendar_id, &old, author)?)
}

fn check_condition(old: &StoredEntry, if_match: Option<&str>) -> Result<(), GoogleApiError> {
    match if_match {
        None | Some("*") => Ok(()),
        Some(given) if given == etag(old.seq) => Ok(()),
        Some(_) => Err(GoogleApiError::condition_not_met()),
    }
}

/// The iCalendar UID of an event that came without one.
pub(crate) fn ical_uid(id: &str) -> String {
    format!("{id}@google.com")
}

/// 5 to 1024 characters of base32hex in lower case.
fn is_valid_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.bytes().all(|byte| matches!(byte, b'a'..=b'v' | b'0'..=b'9'))
}

/// 26 characters of base32hex.
pub(crate) fn new_id() -> String {
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

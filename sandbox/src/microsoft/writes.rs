//! Changes to events: insert, patch, delete, with Graph's rules for ids, retries and conditions.

use serde_json::{Map, Value};

use super::errors::GraphApiError;
use super::resource::etag;
use super::{draft, ids};
use crate::store::{EntryLocation, PRIMARY, ProviderStore, StoredEntry, WriteAuthor, standing};

/// A calendar as a path names it; `None` is the person's own.
pub(crate) type CalendarSegment<'a> = Option<&'a str>;

/// The id of a calendar of the person's list.
///
/// # Errors
/// 400 for what is no id, 404.
pub(crate) fn calendar_of(
    store: &ProviderStore,
    account: &str,
    named: CalendarSegment<'_>,
) -> Result<String, GraphApiError> {
    if named.is_some_and(|id| !ids::is_of_calendar(id)) {
        return Err(GraphApiError::malformed_id());
    }
    Ok(store.visible(account, named.unwrap_or(PRIMARY))?.0.info.id.clone())
}

/// Finds the event `id`: in the calendar that is named, or in any of the mailbox. By an immutable id also what was deleted
/// and lies among the deleted items: the id survives that move (<https://learn.microsoft.com/en-us/graph/outlook-immutable-id>).
///
/// # Errors
/// 400 for what is no id; 404 for what is not there, is there no more, or has got another id since.
pub(crate) fn find(
    store: &ProviderStore,
    account: &str,
    named: CalendarSegment<'_>,
    id: &str,
) -> Result<(EntryLocation, StoredEntry), GraphApiError> {
    let wanted = ids::read(id).ok_or_else(GraphApiError::malformed_id)?;
    let calendar = named.map(|named| calendar_of(store, account, Some(named))).transpose()?;
    let search = |is_meant: fn(&StoredEntry) -> bool| {
        let all = store.list_of(account).into_iter();
        let mut meant = all.filter(|(one, _)| calendar.as_ref().is_none_or(|id| *id == one.info.id));
        meant.find_map(|(one, _)| {
            let entry = standing(one, &wanted.key).filter(is_meant)?;
            Some((EntryLocation { calendar: one.info.id.clone(), id: entry.id.clone() }, entry))
        })
    };
    let among_deleted = || wanted.moves.is_none().then(|| search(StoredEntry::is_in_trash)).flatten();
    let found = search(|entry| !entry.cancelled()).or_else(among_deleted);
    let is_current = |entry: &StoredEntry| wanted.moves.is_none_or(|moves| moves == entry.moves);
    found.filter(|(_, entry)| is_current(entry)).ok_or_else(GraphApiError::not_found)
}

/// Stores a new event. A POST with a `transactionId` that has made an event makes no other one
/// (<https://learn.microsoft.com/en-us/graph/api/resources/event>, `transactionId`), even if that lies among the deleted
/// items by now.
///
/// # Errors
/// 400 for a bad body or a `transactionId` that has made an event, which is named; 403 for a calendar that may only be read;
/// 404.
pub(crate) fn insert(
    store: &mut ProviderStore,
    named: CalendarSegment<'_>,
    body: Map<String, Value>,
    author: WriteAuthor<'_>,
) -> Result<EntryLocation, GraphApiError> {
    let calendar = calendar_of(store, author.account, named)?;
    store.writable(author.account, &calendar)?;
    let body = draft::check_application_body(body)?;
    let draft = draft::read(&body)?;
    if let Some(made) = body.get("transactionId").and_then(|id| made_by(store, author.account, id)) {
        let message = "Your request can't be completed. An event with the same transactionId already exists.";
        let existing = Some(ids::shown(&made.id, made.moves, true));
        return Err(GraphApiError { existing, ..GraphApiError::bad("ErrorDuplicateTransactionId", message) });
    }
    Ok(store.write_new(&calendar, ids::new_ids(), draft, author)?)
}

/// The event of the mailbox that the POST with this `transactionId` made.
fn made_by<'w>(store: &'w ProviderStore, account: &str, transaction: &Value) -> Option<&'w StoredEntry> {
    store.list_of(account).into_iter().find_map(|(calendar, _)| {
        calendar.entries.values().find(|entry| {
            (!entry.cancelled() || entry.is_in_trash())
                && entry.occurrence_of.is_none()
                && entry.fields.get("transactionId") == Some(transaction)
        })
    })
}

/// Patches an event, or one occurrence of a series.
///
/// # Errors
/// 404, 400, 403, or 412 if `if_match` is not the event's etag.
pub(crate) fn change(
    store: &mut ProviderStore,
    (named, id): (CalendarSegment<'_>, &str),
    body: Map<String, Value>,
    if_match: Option<&str>,
    author: WriteAuthor<'_>,
) -> Result<EntryLocation, GraphApiError> {
    let (place, old) = find(store, author.account, named, id)?;
    store.writable(author.account, &place.calendar)?;
    check_condition(&old, if_match)?;
    let mut whole = draft::writable(&old);
    draft::patch(&mut whole, draft::check_application_body(body)?);
    let draft = draft::read(&whole)?;
    store.write_change(&place.calendar, &old, draft, author)?;
    Ok(place)
}

/// Deletes an event, or one occurrence of a series. An event goes to the deleted items, and from there for good.
///
/// # Errors
/// 404, 403, 412.
pub(crate) fn delete(
    store: &mut ProviderStore,
    (named, id): (CalendarSegment<'_>, &str),
    if_match: Option<&str>,
    author: WriteAuthor<'_>,
) -> Result<(), GraphApiError> {
    let (place, old) = find(store, author.account, named, id)?;
    store.writable(author.account, &place.calendar)?;
    check_condition(&old, if_match)?;
    if old.cancelled() {
        return Ok(store.write_purge(&place.calendar, &old, author)?);
    }
    Ok(store.write_tombstone(&place.calendar, &old, author)?)
}

fn check_condition(old: &StoredEntry, if_match: Option<&str>) -> Result<(), GraphApiError> {
    match if_match {
        None | Some("*") => Ok(()),
        Some(given) if given == etag(old.seq) => Ok(()),
        Some(_) => Err(GraphApiError::changed_meanwhile()),
    }
}

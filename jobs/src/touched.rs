//! Entries of ours that are not as we left them: each is looked at where that is needed, and dealt with as what a person
//! did. Both who reads the changes of a calendar and who compares all of it come by them.

use std::collections::BTreeMap;

use concord_domain::{
    duty::QueueClass,
    entry::ObservedEntry,
    ids::EntryId,
    interval::Interval,
    sync::{
        drift::{Expected, KnownEntry, is_surely_shown},
        plan::Observation,
    },
};
use concord_storage::{
    StorageError,
    connections::Connection,
    duties::ClaimedDuty,
    entries::{self, Compared, Entry},
};

use crate::{
    Context,
    access::{Account, with_access},
    duty::JobError,
    limits::wait_for_turn,
    outside::{self, Met},
};

/// A calendar of an account.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) account: Account,
    /// The provider's id of the calendar.
    pub(crate) calendar: &'a str,
}

/// An entry as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// What its calendar calls it.
    pub(crate) external_id: String,
    /// What was shown; `None` where it was only seen not to be there.
    pub(crate) seen: Option<ObservedEntry>,
}

/// The entries of a connection in a window, before or after its calendars are read.
pub(crate) type Rows = BTreeMap<EntryId, Compared>;

/// The entries of a connection in a window, as they are now.
pub(crate) async fn rows(
    context: &Context,
    connection: &Connection,
    window: Interval,
) -> Result<Rows, StorageError> {
    let (business, id) = (connection.business_id, connection.id);
    let rows = entries::compared(&context.db, business, id, window).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// How an entry should be, as a read of all that its calendar holds in the window is to show it, if it should be as
/// `expected`. What was written while it was read, or somebody is asked about, is not judged.
pub(crate) fn known(row: &Compared, before: &Rows, window: Interval, expected: Expected) -> KnownEntry {
    let time = Interval { start: row.starts_at, end: row.ends_at };
    let is_settled = before.get(&row.id) == Some(row) && !row.is_asked_about && is_surely_shown(time, window);
    KnownEntry {
        id: row.id,
        external_id: row.external_id.clone(),
        etag: row.etag.clone(),
        expected: if is_settled { expected } else { Expected::Unsettled },
    }
}

/// Deals with it, as a part of that duty, at the pace of that class. `gone_at_once`: how many of the calendar are seen to be
/// gone together with it. `None`: the entry is not ours.
pub(crate) async fn meet(
    context: &Context,
    at: (Place<'_>, QueueClass, &ClaimedDuty),
    id: EntryId,
    found: Found,
    gone_at_once: usize,
) -> Result<Option<(Entry, Met)>, JobError> {
    let observation = match found.seen {
        Some(seen) => Observation::Found(seen),
        // Moved to where the read does not look, it is not gone: ask by its name.
        None => look(context, at, &found.external_id).await?,
    };
    let Some(entry) = entries::find(&context.db, at.0.account.business, id).await? else { return Ok(None) };
    let (met, raised) = outside::meet(context, &entry, &observation, gone_at_once).await?;
    context.push(&raised).await;
    Ok(Some((entry, met)))
}

async fn look(
    context: &Context,
    (place, class, duty): (Place<'_>, QueueClass, &ClaimedDuty),
    external_id: &str,
) -> Result<Observation, JobError> {
    let Place { account, calendar } = place;
    let provider = context.provider(account.provider)?;
    wait_for_turn(context, account, class, duty).await?;
    let found = with_access!(context, account, access => provider.find(&access, calendar, external_id))?;
    Ok(found.map_or(Observation::Missing, Observation::Found))
}

//! Entries of ours that are not as we left them: each is looked at where that is needed, and dealt with as what a person
//! did. Both who reads the changes of a calendar and who compares all of it come by them.

use concord_domain::{duty::QueueClass, entry::ObservedEntry, ids::EntryId, sync::plan::Observation};
use concord_storage::entries::{self, Entry};

use crate::{
    Context,
    access::{Account, with_access},
    duty::JobError,
    limits::take_turn,
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

/// Deals with it, as work of that class. `gone_at_once`: how many of the calendar are seen to be gone together with it. `None`: the entry is not
/// ours.
pub(crate) async fn meet(
    context: &Context,
    (place, class): (Place<'_>, QueueClass),
    id: EntryId,
    found: Found,
    gone_at_once: usize,
) -> Result<Option<(Entry, Met)>, JobError> {
    let observation = match found.seen {
        Some(seen) => Observation::Found(seen),
        // Moved to where the read does not look, it is not gone: ask by its name.
        None => look(context, place, class, &found.external_id).await?,
    };
    let Some(entry) = entries::find(&context.db, place.account.business, id).await? else { return Ok(None) };
    let (met, raised) = outside::meet(context, &entry, &observation, gone_at_once).await?;
    context.push(&raised).await;
    Ok(Some((entry, met)))
}

async fn look(
    context: &Context,
    place: Place<'_>,
    class: QueueClass,
    external_id: &str,
) -> Result<Observation, JobError> {
    let Place { account, calendar } = place;
    let provider = context.provider(account.provider)?;
    take_turn(context, account, class).await?;
    let found = with_access!(context, account, access => provider.find(&access, calendar, external_id))?;
    Ok(found.map_or(Observation::Missing, Observation::Found))
}

//! Which calendars an account has: asked of the provider, and what follows from those that have gone or come back.

mod renumbered;

use concord_domain::job::QueueClass;
use concord_providers::{ProviderError, RemoteCalendar};
use concord_storage::{
    calendars::{self, Calendar, ListedCalendar},
    push_subscriptions,
};

use self::renumbered::renumbered;
use super::access::with_access;
use crate::{
    Context, enqueue,
    job::{ConnectionAccount, JobError},
};

/// What the provider lists.
#[derive(Debug)]
pub struct CalendarListing {
    /// The ids of all of them.
    pub external_ids: Vec<String>,
    /// What the provider called those that it calls otherwise now.
    former_ids: Vec<String>,
}

impl CalendarListing {
    pub(crate) fn lists(&self, external_id: &str) -> bool {
        self.external_ids.iter().any(|listed| listed == external_id)
    }

    /// Whether the calendar was found again under another id, by which it is known from now on.
    pub(crate) fn was_renumbered(&self, external_id: &str) -> bool {
        self.former_ids.iter().any(|former| former == external_id)
    }
}

/// Asks the provider which calendars there are, and sees to what follows from those that have gone or come back.
pub async fn refresh(context: &Context, account: ConnectionAccount) -> Result<CalendarListing, JobError> {
    let ConnectionAccount { business, connection, provider } = account;
    let calendars_of = context.provider(provider)?;
    let listed = with_access!(context, account, access => calendars_of.calendars(&access))?;
    let listed: Vec<_> = listed.into_iter().map(as_listed).collect();
    let before = calendars::of_connection(&context.db, business, connection).await?;
    // An account that never had a calendar lists none; where there was one, something is wrong with the list.
    let has_none_yet = listed.is_empty() && before.is_empty();
    if !calendars::is_complete_list(&listed) && !has_none_yet {
        let words = "the provider's list of calendars came without the main one";
        return Err(ProviderError::Transient(words.into()).into());
    }
    let renumbered = renumbered(provider, &before, &listed);
    let found = CalendarListing {
        external_ids: listed.iter().map(|one| one.external_id.clone()).collect(),
        former_ids: renumbered.iter().map(|one| one.calendar.external_id.clone()).collect(),
    };
    let mut tx = context.db.begin().await?;
    for one in &renumbered {
        calendars::change_external_id(&mut tx, business, one.calendar.id, &one.listed.external_id).await?;
    }
    if !renumbered.is_empty() {
        push_subscriptions::renew_all(&mut tx, business, connection, context.clock.now()).await?;
    }
    calendars::take_over(&mut tx, business, connection, &listed, context.clock.now()).await?;
    let mut enqueued = Vec::new();
    let moved = |one: &&Calendar| one.missing_since.is_none() != found.lists(&one.external_id);
    for calendar in before.iter().filter(moved) {
        // One that is gone frees its owner; the bookings that stood there go to the one that is written now.
        if calendar.reads {
            enqueued.push(enqueue::import(&mut tx, context, calendar, QueueClass::Bulk).await?);
            enqueued.extend(enqueue::push_renewal(&mut tx, context, calendar).await?);
        }
    }
    // The first calendar of an account that had none: it is read and written at once.
    let is_new = |one: &ListedCalendar| before.iter().all(|known| known.external_id != one.external_id);
    let has_begun = listed.iter().any(|one| one.is_primary && is_new(one));
    if has_begun {
        enqueued.extend(enqueue::read_calendars(&mut tx, context, business, connection).await?);
    }
    if has_begun || before.iter().any(|one| moved(&one)) {
        enqueued.push(enqueue::batch_sync(&mut tx, context, business, connection).await?);
    }
    context.commit(tx, &enqueued).await?;
    Ok(found)
}

/// As the database takes it over.
pub fn as_listed(calendar: RemoteCalendar) -> ListedCalendar {
    ListedCalendar {
        external_id: calendar.external_id,
        name: calendar.name,
        colour: calendar.colour,
        zone: calendar.zone,
        owner: calendar.owner,
        writable: calendar.writable,
        is_primary: calendar.primary,
    }
}

//! Taking people out of a booking: it is written like any change, so that its entries, feeds and reminders follow, but nobody
//! is told who came, nor that they do no more.

use concord_domain::{
    audit::HistorySubject,
    booking::{Booking, BookingDraft},
    erasure::{
        ErasureScope, ErasureTarget, PersonTraces, TraceSearch, scope_of, without_guest, without_people,
    },
    ids::{BookingId, BusinessId},
    webhook::Event,
};
use serde_json::json;

use super::{
    outcome::{BookingCommand, PutError},
    read::find_in,
    rows::{business_booking_settings, write_rows},
    write::lock_subjects,
};
use crate::{
    ChangeContext, Result, StorageError, Tx,
    entries::{self, TargetScope, rounds},
    erasures, events,
    history::{self, NewHistoryEntry},
    jobs::JobRef,
    reminders,
};

const REFERENCE: &str = "SELECT reference FROM bookings WHERE business_id = $1 AND id = $2";

/// A booking by Concord's id, which nobody else changes until the end of the transaction; `None` if there is none.
pub async fn lock_by_id(tx: &mut Tx, business: BusinessId, id: BookingId) -> Result<Option<Booking>> {
    let reference: Option<String> = optional_scalar!(tx, REFERENCE, business, id)?;
    match reference {
        Some(reference) => find_in(tx, business, &reference).await,
        None => Ok(None),
    }
}

const MARK_ERASED: &str = "UPDATE bookings SET erased_at = $2 WHERE id = $1";

/// Takes a person out of a booking and of all that is kept of it. Returns the jobs that follow, which the caller pushes after
/// the commit. A booking that is not there, or names them no more, is none the worse for it.
pub async fn erase(
    tx: &mut Tx,
    change: &ChangeContext,
    target: &ErasureTarget,
    (traces, search): (&PersonTraces, &TraceSearch),
) -> Result<Vec<JobRef>> {
    let Some(before) = lock_by_id(tx, change.business, target.booking).await? else { return Ok(Vec::new()) };
    let target = &ErasureTarget { scope: present_scope(&before, target.scope, traces), ..*target };
    let draft = match target.scope {
        ErasureScope::Booking => without_people(&before.draft),
        ErasureScope::Person => without_guest(&before.draft, traces.address_key.as_deref(), search),
    };
    let written = if draft == before.draft { None } else { Some(write(tx, change, &before, draft).await?) };
    erasures::scrub_booking(tx, target, (traces, search), change.now).await?;
    erasures::scrub_notices(tx, target.booking, change.now).await?;
    erasures::scrub_answers(tx, change.business, target.booking).await?;
    exec!(tx, MARK_ERASED, target.booking, change.now)?;
    let detail = json!({ "reference": before.reference });
    let line = NewHistoryEntry {
        business: change.business,
        actor: &change.actor,
        action: "personal data erased",
        subject_kind: HistorySubject::Booking,
        subject: before.id.0,
        detail: &detail,
    };
    history::append(tx, &line, change.now).await?;
    let Some((after, mut jobs)) = written else { return Ok(Vec::new()) };
    jobs.extend(
        events::publish(tx, change.business, &Event::booking(Some(&before), &after), change.now).await?,
    );
    Ok(jobs)
}

/// The booking may have got another customer since the erasure was asked for.
fn present_scope(booking: &Booking, asked: ErasureScope, traces: &PersonTraces) -> ErasureScope {
    match (asked, &traces.address_key) {
        (ErasureScope::Booking, Some(key)) if !booking.draft.customer.email.is_empty() => {
            scope_of(&booking.draft, key)
        }
        _ => asked,
    }
}

async fn write(
    tx: &mut Tx,
    change: &ChangeContext,
    before: &Booking,
    draft: BookingDraft,
) -> Result<(Booking, Vec<JobRef>)> {
    let now = change.now;
    lock_subjects(tx, change.business, Some(before), &draft, BookingCommand::Put(&draft)).await.map_err(
        |error| match error {
            PutError::Storage(error) => error,
            _ => StorageError::Inconsistent { what: "booking" },
        },
    )?;
    let business = business_booking_settings(tx, change.business).await?;
    let after = Booking { version: before.version + 1, updated_at: now, draft, ..before.clone() };
    write_rows(tx, &after).await?;
    let rounds = rounds::begin(tx, (Some(before), &after), business.zone).await?;
    // What is over is not more urgent than what is to come, though it began earlier.
    let is_over = after.interval.end <= now;
    let scope = if is_over { TargetScope::EverywhereLater } else { TargetScope::Everywhere };
    let mut jobs = entries::target(tx, &after, business.mark_cancelled, scope, now).await?;
    jobs.extend(rounds.enqueue(tx, now).await?);
    jobs.extend(reminders::follow(tx, Some(before), &after, now).await?);
    Ok((after, jobs))
}

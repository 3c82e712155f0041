//! Does what a plan for a channel says: each booking in a transaction of its own, with its item.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use concord_domain::{
    booking::{BookingDraft, BookingStatus},
    channel::{
        ItemKind, RunOrigin, RunOutcome,
        plan::{FeedItem, ItemAction},
    },
    ids::{BookingId, ChannelItemId, ChannelRunId},
    people::Actor,
};
use concord_storage::{
    ChangeContext, StorageError, Tx,
    bookings::{self, ChannelItemWrite, PutError, WrittenBooking},
    channels::{
        Channel,
        items::{self, ChannelItem, ChannelItemLoss, NewChannelItem},
        runs::{self, NewChannelRun, RunCounts},
    },
    in_tx,
    jobs::{ClaimedJob, JobRef},
};

use super::{
    draft::{draft_of, name, status, title},
    notices,
};
use crate::{
    Context,
    job::{JobError, keep},
};

/// One run of a channel: who changes its bookings, and why.
pub(super) struct ChannelRunContext<'a> {
    pub(super) context: &'a Context,
    pub(super) channel: &'a Channel,
    /// What is known of it, by id.
    pub(super) known: HashMap<ChannelItemId, &'a ChannelItem>,
    pub(super) id: ChannelRunId,
    pub(super) origin: RunOrigin,
    /// Who asked for it. What nobody asked for is the platform's doing.
    pub(super) requested_by: Actor,
    pub(super) started_at: DateTime<Utc>,
    /// Whether what goes does so only while the feed lacks it: somebody has said so of what they saw.
    pub(super) if_missing: bool,
    /// Whether it is a file, or another part of what the platform has: what it brings stands until the feed has had it.
    pub(super) by_hand: bool,
    /// Whose lease is to be kept.
    pub(super) job: Option<&'a ClaimedJob>,
}

impl<'a> ChannelRunContext<'a> {
    /// A run that begins now.
    pub(super) fn begin(
        context: &'a Context,
        channel: &'a Channel,
        known: HashMap<ChannelItemId, &'a ChannelItem>,
        (origin, requested_by): (RunOrigin, Actor),
    ) -> Self {
        let started_at = context.clock.now();
        Self {
            context,
            channel,
            known,
            id: ChannelRunId::new(started_at),
            origin,
            requested_by,
            started_at,
            if_missing: false,
            by_hand: false,
            job: None,
        }
    }
}

/// What a run has done so far.
#[derive(Debug, Default)]
pub(super) struct AppliedActions {
    pub(super) counts: RunCounts,
    /// Events that cannot be bookings, each with the reason for people.
    pub(super) refused: Vec<String>,
    /// Whether somebody else was faster, so that it must be looked at again.
    pub(super) overtaken: bool,
    enqueued: Vec<JobRef>,
}

impl AppliedActions {
    /// One booking that could not be written keeps none of the others from being written.
    fn note_result(&mut self, result: Result<(), PutError>) -> Result<(), JobError> {
        match result {
            Ok(()) => return Ok(()),
            // Another run was faster with the same event, or somebody goes on changing the booking.
            Err(PutError::Storage(StorageError::Exists) | PutError::Stale { .. }) => self.overtaken = true,
            Err(PutError::Storage(error)) => return Err(error.into()),
            Err(error @ PutError::Invalid(_)) => self.refused.push(error.to_string()),
            Err(error @ PutError::Taken(_)) => return Err(JobError::Permanent(error.to_string())),
        }
        self.counts.skipped += 1;
        Ok(())
    }
}

/// Somebody else was faster this often in a row: then it waits for the next reading.
const MAX_TRIES: u32 = 5;

impl ChannelRunContext<'_> {
    /// Records that it has begun: what it cancels or brings back names it.
    pub(super) async fn record_start(&self, outcome: RunOutcome) -> Result<(), StorageError> {
        self.record(outcome, "in progress", RunCounts::default()).await
    }

    /// Records what it came to.
    pub(super) async fn record(
        &self,
        outcome: RunOutcome,
        message: &str,
        counts: RunCounts,
    ) -> Result<(), StorageError> {
        in_tx!(self.context.db, tx => self.record_in(&mut tx, outcome, message, counts).await)
    }

    /// The same, together with what else follows from it.
    pub(super) async fn record_in(
        &self,
        tx: &mut Tx,
        outcome: RunOutcome,
        message: &str,
        counts: RunCounts,
    ) -> Result<(), StorageError> {
        let now = self.now();
        let run = NewChannelRun {
            id: self.id,
            business: self.channel.business_id,
            channel: self.channel.id,
            origin: self.origin,
            actor: &self.requested_by,
            outcome,
            message,
            counts,
            duration_ms: (now - self.started_at).num_milliseconds(),
        };
        runs::record(tx, &run, now).await
    }

    /// Carries out all actions.
    pub(super) async fn apply(
        &self,
        actions: &[ItemAction],
        applied: &mut AppliedActions,
    ) -> Result<(), JobError> {
        self.park_keys(actions).await?;
        for (number, action) in actions.iter().enumerate() {
            if let (Some(job), true) = (self.job, number % 20 == 0) {
                keep(self.context, job).await?;
            }
            let result = self.one(action, applied).await;
            applied.note_result(result)?;
            // Whoever waits for the first bookings need not wait for the last.
            self.context.push(&std::mem::take(&mut applied.enqueued)).await;
        }
        Ok(())
    }

    /// Events may have exchanged their UIDs: those that take another's come after it has left its own.
    async fn park_keys(&self, actions: &[ItemAction]) -> Result<(), JobError> {
        let wanted: HashSet<&str> = actions
            .iter()
            .filter_map(|action| match action {
                ItemAction::Add(item) | ItemAction::Change { to: item, .. } => Some(item.key.as_str()),
                ItemAction::Return(_) | ItemAction::Miss(_) | ItemAction::Lose(_) => None,
            })
            .collect();
        let changed = actions.iter().filter_map(|action| match action {
            ItemAction::Change { id, to } => self.known.get(id).filter(|known| known.item_key != to.key),
            _ => None,
        });
        let in_the_way: Vec<ChannelItemId> =
            changed.filter(|known| wanted.contains(known.item_key.as_str())).map(|known| known.id).collect();
        if in_the_way.is_empty() {
            return Ok(());
        }
        let mut tx = self.context.db.begin().await?;
        for id in in_the_way {
            items::park_key(&mut tx, self.channel.business_id, id).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn one(&self, action: &ItemAction, applied: &mut AppliedActions) -> Result<(), PutError> {
        match action {
            ItemAction::Add(item) => self.add(item, applied).await,
            ItemAction::Change { id, to } => match self.known.get(id) {
                Some(known) => self.change(known, to, applied).await,
                None => Ok(()),
            },
            ItemAction::Return(id) => {
                Ok(in_tx!(self.context.db, tx => items::back(&mut tx, self.channel.business_id, *id).await)?)
            }
            ItemAction::Miss(id) => Ok(in_tx!(self.context.db, tx =>
                items::miss(&mut tx, self.channel.business_id, *id, self.now()).await
            )?),
            ItemAction::Lose(id) => match self.known.get(id) {
                Some(known) => self.lose(known, applied).await,
                None => Ok(()),
            },
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.context.clock.now()
    }

    fn change_context(&self) -> ChangeContext {
        let actor = match &self.requested_by {
            Actor::System => notices::actor(self.context, self.channel),
            person => person.clone(),
        };
        ChangeContext { business: self.channel.business_id, actor, now: self.now() }
    }

    async fn add(&self, item: &FeedItem, applied: &mut AppliedActions) -> Result<(), PutError> {
        let id = ChannelItemId::new(self.now());
        let new = NewChannelItem { id, channel: self.channel.id, run: self.id, item, by_hand: self.by_hand };
        if !item.kind.takes() {
            applied.counts.skipped += 1;
            return Ok(in_tx!(self.context.db, tx =>
                items::add(&mut tx, self.channel.business_id, new, None, self.now()).await
            )?);
        }
        let put = self
            .import(&self.new_reference(), &draft_of(self.channel, item), &ChannelItemWrite::Add(new), None)
            .await?;
        applied.counts.imported += 1;
        self.note(put, item.kind, applied).await
    }

    async fn change(
        &self,
        known: &ChannelItem,
        to: &FeedItem,
        applied: &mut AppliedActions,
    ) -> Result<(), PutError> {
        let id = known.id;
        match (known.reference.as_deref().filter(|_| known.kind.takes()), to.kind.takes()) {
            (None, false) => {
                let mut tx = self.context.db.begin().await?;
                let stands = (known.booking_id, None);
                items::change(&mut tx, self.channel.business_id, id, (to, self.by_hand), stands).await?;
                applied.counts.skipped += 1;
                Ok(tx.commit().await?)
            }
            (None, true) => {
                let by_hand = self.by_hand;
                let write = ChannelItemWrite::Change { id, was: known.booking_id, item: to, by_hand };
                let put =
                    self.import(&self.new_reference(), &draft_of(self.channel, to), &write, None).await?;
                applied.counts.imported += 1;
                self.note(put, to.kind, applied).await
            }
            (Some(reference), false) => {
                let write = ChannelItemWrite::Free { id, item: to, by_hand: self.by_hand };
                let put =
                    bookings::cancel_imported(&self.context.db, &self.change_context(), reference, &write)
                        .await?;
                applied.counts.cancelled += 1;
                self.note(put, to.kind, applied).await
            }
            (Some(reference), true) => {
                let mut tries = 0;
                loop {
                    tries += 1;
                    match self.follow(known, reference, to, applied).await {
                        // Somebody changes it at this moment: what they say is looked at again.
                        Err(PutError::Stale { .. }) if tries < MAX_TRIES => {}
                        ended => return ended,
                    }
                }
            }
        }
    }

    /// The booking follows what the platform has changed, and keeps what people have changed here.
    async fn follow(
        &self,
        known: &ChannelItem,
        reference: &str,
        to: &FeedItem,
        applied: &mut AppliedActions,
    ) -> Result<(), PutError> {
        let db = &self.context.db;
        let Some(booking) = bookings::find(db, self.channel.business_id, reference).await? else {
            return Ok(());
        };
        let (mut draft, new) = (booking.draft.clone(), draft_of(self.channel, to));
        let moved = known.interval() != to.interval;
        if moved {
            draft.time = new.time;
        }
        draft.kind = new.kind;
        if draft.title == title(known.kind, &known.summary) {
            let was = name(known.kind, &self.channel.platform, &known.summary);
            if draft.customer.name == was {
                draft.customer.name = new.customer.name;
            }
            draft.title = new.title;
        }
        // What people have decided here since stays.
        if known.tentative != to.tentative && draft.status == status(known.tentative) {
            draft.status = new.status;
        }
        // Called off here, though the platform has it: other dates are another matter.
        if moved && draft.status == BookingStatus::Cancelled {
            draft.status = new.status;
        }
        let write =
            ChannelItemWrite::Change { id: known.id, was: known.booking_id, item: to, by_hand: self.by_hand };
        let put = self.import(reference, &draft, &write, Some(booking.version)).await?;
        if put.booking.version == booking.version {
            applied.counts.skipped += 1;
        } else {
            applied.counts.updated += 1;
        }
        self.note(put, to.kind, applied).await
    }

    /// An unconfirmed event becomes what somebody says that it is.
    pub(super) async fn settle(
        &self,
        known: &ChannelItem,
        to: &FeedItem,
        applied: &mut AppliedActions,
    ) -> Result<(), PutError> {
        let settled = self.change(known, to, applied).await;
        self.context.push(&std::mem::take(&mut applied.enqueued)).await;
        settled
    }

    async fn lose(&self, known: &ChannelItem, applied: &mut AppliedActions) -> Result<(), PutError> {
        let loss = ChannelItemLoss { run: self.id, if_missing: self.if_missing, status: None };
        let Some(reference) = known.reference.as_deref().filter(|_| known.kind.takes()) else {
            return Ok(in_tx!(self.context.db, tx =>
                items::lose(&mut tx, self.channel.business_id, known.id, loss, self.now()).await
            )?);
        };
        let before = bookings::find(&self.context.db, self.channel.business_id, reference).await?;
        let status = before.as_ref().map(|before| before.draft.status);
        let status = status.filter(|status| *status != BookingStatus::Cancelled);
        let write = ChannelItemWrite::Lose { id: known.id, loss: ChannelItemLoss { status, ..loss } };
        let put =
            bookings::cancel_imported(&self.context.db, &self.change_context(), reference, &write).await?;
        if before.is_none_or(|before| before.version != put.booking.version) {
            applied.counts.cancelled += 1;
        }
        self.note(put, known.kind, applied).await
    }

    /// Brings back what a reading found gone and cancelled, as it was, and keeps it though the feed lacks it.
    pub(super) async fn restore_lost(
        &self,
        lost: &ChannelItem,
        applied: &mut AppliedActions,
    ) -> Result<(), PutError> {
        let db = &self.context.db;
        let (Some(reference), Some(status)) = (lost.reference.as_deref(), lost.removed_status) else {
            return Ok(());
        };
        let Some(booking) = bookings::find(db, self.channel.business_id, reference).await? else {
            return Ok(());
        };
        // Somebody may have brought it back here already.
        let status =
            if booking.draft.status == BookingStatus::Cancelled { status } else { booking.draft.status };
        let draft = BookingDraft { status, ..booking.draft };
        let (write, expected) = (ChannelItemWrite::Revive { id: lost.id }, Some(booking.version));
        let put = self.import(reference, &draft, &write, expected).await?;
        applied.counts.imported += 1;
        self.note(put, lost.kind, applied).await?;
        self.context.push(&std::mem::take(&mut applied.enqueued)).await;
        Ok(())
    }

    async fn import(
        &self,
        reference: &str,
        draft: &BookingDraft,
        write: &ChannelItemWrite<'_>,
        expected: Option<i64>,
    ) -> Result<WrittenBooking, PutError> {
        let with = (draft, self.channel.id);
        bookings::import(&self.context.db, &self.change_context(), reference, with, write, expected).await
    }

    async fn note(
        &self,
        put: WrittenBooking,
        kind: ItemKind,
        applied: &mut AppliedActions,
    ) -> Result<(), PutError> {
        if !put.allocated && kind == ItemKind::Reservation {
            applied.counts.conflicts += 1;
            notices::conflict(self.context, self.channel, &put.booking).await?;
        }
        applied.enqueued.extend(put.jobs);
        Ok(())
    }

    /// The platform's name and some digits: what people and programs know it by.
    fn new_reference(&self) -> String {
        let id = BookingId::new(self.now()).0.simple().to_string();
        format!("{}-{}", self.channel.platform, &id[id.len() - 12..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overtaken_booking_is_left_to_the_next_reading() {
        let mut applied = AppliedActions::default();
        for error in [PutError::Storage(StorageError::Exists), PutError::Stale { current: 3 }] {
            applied.overtaken = false;
            applied.note_result(Err(error)).unwrap();
            assert!(applied.overtaken);
        }
        assert_eq!(applied.counts.skipped, 2);
        assert!(applied.note_result(Err(PutError::Storage(StorageError::Busy))).is_err());
    }
}

//! Reads the mailbox that customers' calendars answer to, and passes on what has come.
//!
//! `domain::mailbox` decides which mails are read; nothing is changed in the mailbox. How far it was read is saved behind each
//! mail that was passed on, so a mail may be passed on twice and is never passed over: a reply that is known says nothing new.
//! Comes back after `MailSettings::mailbox_every`.

use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    job::{JobKind, QueueClass},
    mailbox::{MAX_MAILS_PER_READ, MailboxCursor, pause_after_failure, plan_search, select_mails},
};
use concord_storage::{
    StorageError, in_tx,
    jobs::{self, ClaimedJob, JobOutcome, NewJob},
    mailboxes::{self, MailboxReading},
};
use futures::FutureExt;
use uuid::Uuid;

use crate::{
    Context,
    job::JobError,
    mail::{Mailbox, MailboxError},
    worker::panic_message,
};

pub(crate) async fn run(context: &Context, _job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    // Where none is set up any more, the job ends; `ensure` brings it back.
    let Some(mailbox) = &context.mail.mailbox else { return Ok(JobOutcome::Done) };
    let name = mailbox.name();
    let reading = mailboxes::find(&context.db, &name).await?;
    match read(context, mailbox, &reading).await {
        Ok(has_more) => {
            let pause = if has_more { Duration::zero() } else { context.mail.mailbox_every };
            Ok(JobOutcome::Again(context.clock.now() + pause))
        }
        Err(ReadError::Storage(error)) => Err(error.into()),
        Err(ReadError::Mailbox(error)) => {
            let now = context.clock.now();
            let since = reading.failing_since.unwrap_or(now);
            if reading.failing_since.is_none() {
                tracing::warn!(%error, "the mailbox that customers answer to cannot be read");
            }
            let reason = error.to_string();
            in_tx!(context.db, tx => mailboxes::record_failure(&mut tx, &name, &reason, now).await)?;
            let is_refused = matches!(error, MailboxError::Refused(_));
            let pause = pause_after_failure(now - since, is_refused, context.mail.mailbox_every);
            Ok(JobOutcome::Again(now + pause))
        }
    }
}

/// Why it was not read to its end. What was passed on until then is saved.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Passes on what has come. Returns whether there may be more.
async fn read(context: &Context, mailbox: &Mailbox, reading: &MailboxReading) -> Result<bool, ReadError> {
    let began = context.clock.now();
    let mut open = mailbox.open().await?;
    let status = open.status();
    let search = plan_search(reading.cursor, status, began.date_naive());
    let uids = select_mails(search, open.search(search).await?);
    let readable = open.readable(&uids).await?;
    let name = mailbox.name();
    // All that is there is read, so whatever comes has a higher number.
    let empty = (status.uid_next.filter(|_| uids.is_empty())).map(|next| next.saturating_sub(1));
    let known = reading.cursor.filter(|known| known.uid_validity == status.uid_validity);
    let mut last = known.map(|known| known.last_uid).max(empty);
    let mut seen = 0;
    for uid in &uids {
        // Before the lease ends, somebody else could begin to read the same.
        if context.clock.now() - began > context.settings.lease / 2 {
            break;
        }
        if readable.contains(uid)
            && let Some(mail) = open.fetch(*uid).await?
        {
            pass_on(context, &mail).await?;
        }
        (last, seen) = (Some(*uid), seen + 1);
        record(context, &name, (status.uid_validity, last), context.clock.now()).await?;
    }
    if seen == 0 {
        record(context, &name, (status.uid_validity, last), began).await?;
    }
    open.close().await;
    Ok(seen < uids.len() || uids.len() == MAX_MAILS_PER_READ)
}

async fn record(
    context: &Context,
    name: &str,
    (uid_validity, last): (u32, Option<u32>),
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let cursor = last.map(|last_uid| MailboxCursor { uid_validity, last_uid });
    in_tx!(context.db, tx => mailboxes::record_read(&mut tx, name, cursor, now).await)
}

/// A mail that cannot be taken in at all is left behind like one that says nothing: anybody can send one, and what came after
/// it would wait for ever.
async fn pass_on(context: &Context, mail: &[u8]) -> Result<(), StorageError> {
    let Some(receive) = context.handlers.receive_mail else { return Ok(()) };
    match AssertUnwindSafe(receive(context, mail)).catch_unwind().await {
        Ok(Ok(outcome)) => tracing::debug!(?outcome, "a mail was read"),
        Ok(Err(error)) if is_temporary(&error) => return Err(error),
        Ok(Err(error)) => tracing::error!(%error, "a mail could not be taken in"),
        Err(panic) => tracing::error!(panic = panic_message(&*panic), "a mail could not be taken in"),
    }
    Ok(())
}

/// Whether it says nothing of the mail.
fn is_temporary(error: &StorageError) -> bool {
    matches!(
        error,
        StorageError::Busy
            | StorageError::Overloaded
            | StorageError::Unavailable(_)
            | StorageError::Unwritable(_)
    )
}

/// Sees to it that the job exists where a mailbox is set up; called when a process starts.
pub(crate) async fn ensure(context: &Context) -> Result<(), StorageError> {
    if context.mail.mailbox.is_none() {
        return Ok(());
    }
    let now = context.clock.now();
    let job = NewJob {
        business: None,
        kind: JobKind::FetchMail,
        subject: Uuid::nil(),
        queue: QueueClass::Poll,
        due_at: now,
    };
    in_tx!(context.db, tx => jobs::enqueue(&mut tx, job, now).await).map(drop)
}

//! Reads the mailbox that customers' calendars answer to, and passes on what has come.
//!
//! `domain::mailbox` decides which mails are read; nothing is changed in the mailbox. How far it was read is saved behind each
//! mail that was passed on, so a mail may be passed on twice and is passed over only when it cannot be read at all: a reply
//! that is known says nothing new. A mailbox that cannot be read is an alert of each business. Comes back after
//! `MailSettings::mailbox_every`.

use std::panic::AssertUnwindSafe;

use chrono::Duration;
use concord_domain::{
    alert::AlertKind,
    job::JobKind,
    mailbox::{
        MAX_MAILS_PER_READ, MailboxCursor, is_given_up, pause_after_failure, plan_search, select_mails,
        was_restored,
    },
};
use concord_storage::{
    StorageError,
    alerts::{self, NewFailure},
    businesses, in_tx,
    jobs::{ClaimedJob, JobOutcome},
    mailboxes::{self, MailboxReading},
};
use futures::FutureExt;

use crate::{
    Context, enqueue,
    job::{JobError, renew_lease_for},
    language::{NOTICE_LANGUAGE, TextKey, text},
    mail::{Mailbox, MailboxError},
    notify::alerts::mailbox_of,
    worker::panic_message,
};

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    // Where none is set up any more, the job ends; `ensure` brings it back.
    let Some(mailbox) = &context.mail.mailbox else { return Ok(JobOutcome::Done) };
    let reading = mailboxes::find(&context.db, &mailbox.name()).await?;
    let work = MailboxJob { context, job, mailbox, reading: &reading };
    let pause = match work.read().await {
        Ok(has_more) => {
            // Always: who has noted that it can be read again may have ended before this.
            note_healthy(context).await?;
            if has_more { Duration::zero() } else { context.mail.mailbox_every }
        }
        Err(ReadError::Job(error)) => return Err(error),
        Err(ReadError::Unread(error, uid)) => work.record_failure(&error, uid).await?,
    };
    Ok(JobOutcome::Again(context.clock.now() + pause))
}

/// Why it was not read to its end. What was passed on until then is saved.
enum ReadError {
    /// With the mail at which it failed, if it was one.
    Unread(MailboxError, Option<u32>),
    /// It is our own affair.
    Job(JobError),
}

impl<E: Into<JobError>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Job(error.into())
    }
}

struct MailboxJob<'a> {
    context: &'a Context,
    job: &'a ClaimedJob,
    mailbox: &'a Mailbox,
    reading: &'a MailboxReading,
}

impl MailboxJob<'_> {
    /// Passes on what has come. Returns whether there may be more.
    async fn read(&self) -> Result<bool, ReadError> {
        let context = self.context;
        let at_folder = |error| ReadError::Unread(error, None);
        self.keep_lease().await?;
        let mut open = self.mailbox.open().await.map_err(at_folder)?;
        let (status, now) = (open.status(), context.clock.now());
        let search = plan_search(self.reading.cursor, status, now.date_naive());
        let uids = select_mails(search, open.search(search).await.map_err(at_folder)?);
        let is_same = |known: &MailboxCursor| {
            known.uid_validity == status.uid_validity && !was_restored(*known, status)
        };
        let known = self.reading.cursor.filter(is_same).map(|known| known.last_uid);
        if uids.is_empty() {
            // All that is there is read, so whatever comes has a higher number.
            let last = known.max(status.uid_next.map(|next| next.saturating_sub(1)));
            self.record(status.uid_validity, last).await?;
        }
        for uid in &uids {
            self.keep_lease().await?;
            if self.is_passed_over(*uid) {
                tracing::error!(uid, mailbox = %self.mailbox.name(), "a mail that cannot be read is passed over");
            } else if let Some(mail) =
                open.fetch(*uid).await.map_err(|error| ReadError::Unread(error, Some(*uid)))?
            {
                self.pass_on(*uid, &mail).await?;
            }
            self.record(status.uid_validity, Some(*uid)).await?;
        }
        open.close().await;
        Ok(uids.len() == MAX_MAILS_PER_READ)
    }

    /// Nobody else reads it meanwhile, however slow its server is: an answer would be passed on twice at the same time.
    async fn keep_lease(&self) -> Result<(), JobError> {
        let takes = Duration::from_std(self.mailbox.patience()).unwrap_or_default();
        renew_lease_for(self.context, self.job, takes).await
    }

    fn is_passed_over(&self, uid: u32) -> bool {
        let failing = self.reading.failing_since.map(|since| self.context.clock.now() - since);
        self.reading
            .tried
            .zip(failing)
            .is_some_and(|((tried, tries), failing)| tried == uid && is_given_up(tries, failing))
    }

    async fn record(&self, uid_validity: u32, last: Option<u32>) -> Result<(), StorageError> {
        let (name, now) = (self.mailbox.name(), self.context.clock.now());
        let cursor = last.map(|last_uid| MailboxCursor { uid_validity, last_uid });
        in_tx!(self.context.db, tx => mailboxes::record_read(&mut tx, &name, cursor, now).await)
    }

    async fn pass_on(&self, uid: u32, mail: &[u8]) -> Result<(), ReadError> {
        let Some(receive) = self.context.handlers.receive_mail else { return Ok(()) };
        match AssertUnwindSafe(receive(self.context, mail)).catch_unwind().await {
            Ok(Ok(outcome)) => self.context.metrics.count_reply(outcome),
            Ok(Err(error)) if error.is_temporary() => return Err(error.into()),
            Ok(Err(error)) => {
                let error = format!("a mail could not be taken in: {error}");
                return Err(ReadError::Unread(MailboxError::Transient(error), Some(uid)));
            }
            Err(panic) => tracing::error!(panic = panic_message(&*panic), "a mail could not be taken in"),
        }
        Ok(())
    }

    /// Notes that it cannot be read. Returns how long it is left alone.
    async fn record_failure(&self, error: &MailboxError, uid: Option<u32>) -> Result<Duration, StorageError> {
        let (context, now, name) = (self.context, self.context.clock.now(), self.mailbox.name());
        if self.reading.failing_since.is_none() {
            tracing::warn!(%error, "the mailbox that customers answer to cannot be read");
        }
        let reason = error.to_string();
        in_tx!(context.db, tx => mailboxes::record_failure(&mut tx, &name, (&reason, uid), now).await)?;
        let cause = text(NOTICE_LANGUAGE, TextKey::MailboxUnreadDetail, [("reason", reason.into())]);
        for business in businesses::list(&context.db).await? {
            let failure = NewFailure {
                subject: mailbox_of(business.id),
                staff: None,
                headline: &text(NOTICE_LANGUAGE, TextKey::MailboxUnreadHeadline, []),
                cause: &cause,
                link: "/settings/mail",
            };
            in_tx!(context.db, tx => alerts::note_failure(&mut tx, &failure, now).await)?;
        }
        let failing = now - self.reading.failing_since.unwrap_or(now);
        let is_refused = matches!(error, MailboxError::Refused(_));
        Ok(pause_after_failure(failing, is_refused, context.mail.mailbox_every))
    }
}

/// It can be read, or is none any more: what people were told of it is over.
async fn note_healthy(context: &Context) -> Result<(), StorageError> {
    let now = context.clock.now();
    for alert in alerts::unclosed_of_kind(&context.db, AlertKind::Mailbox).await? {
        in_tx!(context.db, tx => alerts::note_healthy(&mut tx, alert.subject(), now).await)?;
    }
    Ok(())
}

/// Sees to it that the job exists where a mailbox is set up; called when a process starts. Where none is any more, nobody
/// waits for one.
pub(crate) async fn ensure(context: &Context) -> Result<(), StorageError> {
    let now = context.clock.now();
    if context.mail.mailbox.is_none() {
        return note_healthy(context).await;
    }
    in_tx!(context.db, tx => enqueue::of_installation(&mut tx, JobKind::FetchMail, now, now).await).map(drop)
}

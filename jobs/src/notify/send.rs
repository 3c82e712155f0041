//! Sends one mail.
//!
//! Marks it as handed over, hands it to the mail server, and writes down what that said. What was marked may have left: only
//! the server's own word makes a mail one that has not.

use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::HistorySubject,
    ids::{BusinessId, MailId, ReminderId},
    job::QueueClass,
    mail::{MailState, with_secrets},
    notice::NoticeKind,
};
use concord_storage::{
    StorageError, Tx, in_tx,
    jobs::{self, ClaimedJob, JobOutcome},
    limits::{self, BucketRate, RateDecision},
    mail_secrets,
    mails::{self, StoredMail as Row},
    reminders::{self, RemindedBooking},
};
use secrecy::ExposeSecret;

use super::NoticeContent;
use crate::{
    Context,
    job::{JobError, require_business, retry_or_fail, share_of},
    language::{NOTICE_LANGUAGE, TextKey, text},
    mail::{MailConnection, MailError, Mailer, Recipient, compose, render::escape_html},
    worker::without_slot,
};

/// RFC 5321, section 4.5.4.1: whoever sends gives up after four or five days.
const MAX_AGE: Duration = Duration::days(4);
/// How soon we look again whether there is a mail server by now. It takes a restart to set one up.
pub(crate) const RECHECK_INTERVAL: Duration = Duration::minutes(15);
/// The bucket of all mails.
const BUCKET: &str = "mail";

/// How soon we look again whether the mail before this one is settled.
const ORDER_INTERVAL: Duration = Duration::seconds(30);
/// Why a mail was not sent in time.
const TOO_LATE: &str = "not sent, because it would have arrived too late";
/// Why a mail comes too late to be of use.
const EXPIRED_LINKS: &str = "its sign-in link has expired; a new one can be requested on the sign-in page";

/// Why nothing is sent.
const NO_SERVER: &str = "no mail server is set up";

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let row = mails::find(&context.db, business, MailId(job.subject_id)).await?;
    let Some(row) = row.filter(|row| row.state != MailState::Sent) else { return Ok(JobOutcome::Done) };
    let began = context.clock.now();
    if row.useful_until.is_some_and(|until| until <= began) {
        return too_late(context, &row).await;
    }
    let Some(mailer) = &context.mail.mailer else { return without_server(context, &row).await };
    let connection = acquire_connection(context, mailer, job.queue).await?;
    match begin(context, job, row.id).await? {
        BeginSending::Begun => {}
        BeginSending::LeaseLost => return Ok(JobOutcome::Done),
        BeginSending::Refused => return after_older(context, business, row.id).await,
    }
    // When we die between the server's 250 and our own note of it, the mail goes a second time, with the same Message-ID,
    // by which many mailboxes show it once. SMTP knows no way to do better (RFC 5321, section 6.1).
    let result = send_row(context, (mailer, connection), &row, began).await;
    context.metrics.count_mail(row.kind, result.is_ok());
    record(context, job, &row, result).await
}

/// What came of marking a mail as handed over.
enum BeginSending {
    Begun,
    /// Somebody else has it.
    LeaseLost,
    /// It must not be handed over, or not yet.
    Refused,
}

/// Marks a mail as handed over. Nobody else may take it for abandoned and send it too while a slow server has it in hand: the
/// lease is kept for so long in the same transaction, and its turn is taken there too: one transaction a mail less.
async fn begin(context: &Context, job: &ClaimedJob, id: MailId) -> Result<BeginSending, JobError> {
    let now = context.clock.now();
    let longest = Duration::from_std(context.mail.timeout).unwrap_or_default() + context.settings.lease;
    let mut tx = context.db.begin().await?;
    if !jobs::renew_lease_in(&mut tx, job, now + longest, now).await?.is_held() {
        return Ok(BeginSending::LeaseLost);
    }
    if !mails::begin_sending(&mut tx, id, now).await? {
        return Ok(BeginSending::Refused);
    }
    // Last, since all who send wait for its row. Where it is not its turn yet, nothing is marked.
    acquire_rate(&mut tx, context, job.queue).await?;
    tx.commit().await?;
    Ok(BeginSending::Begun)
}

/// It was taken back, or an older one to the same person may be on its way and comes first.
async fn after_older(context: &Context, business: BusinessId, id: MailId) -> Result<JobOutcome, JobError> {
    let row = mails::find(&context.db, business, id).await?;
    if row.is_none_or(|row| !matches!(row.state, MailState::Waiting | MailState::Sending)) {
        return Ok(JobOutcome::Done);
    }
    let until = context.clock.now() + ORDER_INTERVAL;
    Ok(JobOutcome::Snooze { until, reason: "waiting for an earlier email to the same person".to_owned() })
}

/// Nobody would be helped by it any more.
async fn too_late(context: &Context, row: &Row) -> Result<JobOutcome, JobError> {
    let mut tx = context.db.begin().await?;
    record_failure(&mut tx, context, row, (MailState::Failed, TOO_LATE, false)).await?;
    tx.commit().await?;
    Ok(JobOutcome::Done)
}

/// What may have left at an earlier try is nothing that the attendee never had; a reminder whose mail has failed says why.
async fn record_failure(
    tx: &mut Tx,
    context: &Context,
    row: &Row,
    (state, reason, may_have_left): (MailState, &str, bool),
) -> Result<(), StorageError> {
    let is_written = mails::record_failure(tx, row.id, state, reason).await?;
    if state != MailState::Failed {
        return Ok(());
    }
    if may_have_left || row.state == MailState::Sending {
        mails::record_may_have_left(tx, row).await?;
    }
    // Of who was erased meanwhile, the words of the server are not kept either: they may be the address.
    let Some(reminder) = row.reminder_id.filter(|_| is_written) else { return Ok(()) };
    let failed = reminders::record_failed(tx, reminder, reason, context.clock.now()).await?;
    let Some(booking) = failed else { return Ok(()) };
    raise_reminder_failure(tx, context, (row.business_id, &booking), (reminder, reason)).await
}

/// A reason without what a mail server has said beside its codes (RFC 5321, 4.2; RFC 3463): its words name the address.
fn without_server_words(reason: &str) -> String {
    let Some((what, words)) = reason.split_once(": ") else { return reason.to_owned() };
    let is_code = |word: &&str| word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let codes: Vec<&str> = words.split(' ').take_while(is_code).collect();
    if codes.is_empty() { what.to_owned() } else { format!("{what} ({})", codes.join(" ")) }
}

/// Whoever should have been reminded may be waiting: managers may still reach them.
async fn raise_reminder_failure(
    tx: &mut Tx,
    context: &Context,
    (business, booking): (BusinessId, &RemindedBooking),
    (reminder, reason): (ReminderId, &str),
) -> Result<(), StorageError> {
    let content = NoticeContent {
        kind: NoticeKind::ReminderFailed,
        subject: (HistorySubject::Booking, booking.id.0),
        headline: text(
            NOTICE_LANGUAGE,
            TextKey::ReminderFailedHeadline,
            [("reference", booking.reference.as_str().into())],
        ),
        detail: text(
            NOTICE_LANGUAGE,
            TextKey::ReminderFailedDetail,
            [("reason", without_server_words(reason).into())],
        ),
        link: format!("/bookings/{}", booking.id),
        dedupe_key: format!("reminder_failed:{reminder}"),
        alert: None,
    };
    // It waits for others, so that there is nothing to push.
    content.raise_to_managers(tx, context, business).await.map(drop)
}

/// It waits; the page of mails says for what.
async fn without_server(context: &Context, row: &Row) -> Result<JobOutcome, JobError> {
    let now = context.clock.now();
    if row.last_error.as_deref() != Some(NO_SERVER) {
        in_tx!(context.db, tx =>
            mails::record_failure(&mut tx, row.id, row.state, NO_SERVER).await.map(drop)
        )?;
    }
    Ok(wait_for_server(now))
}

/// What a job does that sends mails while no server is set up.
pub(crate) fn wait_for_server(now: DateTime<Utc>) -> JobOutcome {
    JobOutcome::Snooze { until: now + RECHECK_INTERVAL, reason: NO_SERVER.to_owned() }
}

/// How long a mail waits for a connection with its lease in hand.
const CONNECTION_PATIENCE: StdDuration = StdDuration::from_secs(4);
/// A lane comes back after this where all connections of a process are taken: perhaps in another one.
const CONNECTION_RETRY: Duration = Duration::seconds(1);

/// A worker's slot is given up for as long as all connections are taken.
async fn acquire_connection(
    context: &Context,
    mailer: &Mailer,
    class: QueueClass,
) -> Result<MailConnection, JobError> {
    let connection = without_slot(class, mailer.connection(CONNECTION_PATIENCE)).await;
    connection.ok_or_else(|| JobError::Wait {
        until: context.clock.now() + CONNECTION_RETRY,
        for_all: true,
        reason: "waiting for a free connection to the mail server",
    })
}

/// All workers share the rate, of which reminders and digests leave some for what people wait for. The lane waits, and not each
/// mail.
async fn acquire_rate(tx: &mut Tx, context: &Context, class: QueueClass) -> Result<(), JobError> {
    let now = context.clock.now();
    let rate = BucketRate { interval: context.mail.interval, burst: context.mail.burst };
    let taken = limits::take(tx, BUCKET, now, share_of(rate, class), Duration::zero()).await?;
    match taken {
        RateDecision::Wait(until) => {
            let for_all = class == QueueClass::Interactive;
            Err(JobError::Wait { until, for_all, reason: "waiting for its turn to be sent" })
        }
        RateDecision::At(_) => Ok(()),
    }
}

async fn send_row(
    context: &Context,
    (mailer, connection): (&Mailer, MailConnection),
    row: &Row,
    now: DateTime<Utc>,
) -> Result<(), MailError> {
    let mail = &context.mail;
    let from = Recipient { address: mail.from_address.clone(), name: mail.from_name.clone() };
    if !row.kind.has_secrets() {
        return mailer.send(compose(row, &from, now)?, connection).await;
    }
    let row = with_secrets_of(context, row, now).await?;
    mailer.send(compose(&row, &from, now)?, connection).await
}

/// The mail with its secrets, as it is nowhere but on its way.
async fn with_secrets_of(context: &Context, row: &Row, now: DateTime<Utc>) -> Result<Row, MailError> {
    let secrets = match mail_secrets::open(&context.db, &context.ring, row.id, now).await {
        Ok(secrets) => secrets.ok_or_else(|| MailError::Refused(EXPIRED_LINKS.to_owned()))?,
        Err(error @ StorageError::Sealed { .. }) => return Err(MailError::Refused(error.to_string())),
        Err(error) => return Err(MailError::Transient(error.to_string())),
    };
    let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
    let escaped: Vec<String> = secrets.iter().map(|secret| escape_html(secret)).collect();
    let body_text = with_secrets(&row.body_text, &secrets);
    Ok(Row { body_text, body_html: with_secrets(&row.body_html, &escaped), ..row.clone() })
}

/// What follows from a failure.
fn outcome_of_error(
    context: &Context,
    job: &ClaimedJob,
    row: &Row,
    error: &MailError,
) -> (MailState, JobOutcome) {
    let now = context.clock.now();
    let reason = error.to_string();
    match error {
        MailError::Refused(_) => (MailState::Failed, JobOutcome::Failed { retry_at: None, reason }),
        MailError::Transient(_) | MailError::Unknown(_) if row.created_at + MAX_AGE < now => {
            (MailState::Failed, JobOutcome::Failed { retry_at: None, reason })
        }
        // What may have left once may have left, whatever the server says of a second try.
        MailError::Transient(_) if row.state == MailState::Waiting => {
            (MailState::Waiting, retry_or_fail(context, job, reason))
        }
        MailError::Transient(_) | MailError::Unknown(_) => {
            (MailState::Sending, retry_or_fail(context, job, reason))
        }
    }
}

async fn record(
    context: &Context,
    job: &ClaimedJob,
    row: &Row,
    result: Result<(), MailError>,
) -> Result<JobOutcome, JobError> {
    let mut tx = context.db.begin().await?;
    let outcome = match result {
        Ok(()) => {
            mails::record_sent(&mut tx, row, context.clock.now()).await?;
            if row.kind.has_secrets() {
                mail_secrets::delete(&mut tx, row.id).await?;
            }
            JobOutcome::Done
        }
        Err(error) => {
            tracing::info!(mail = %row.id, kind = %row.kind, %error, "a mail was not sent");
            let (state, outcome) = outcome_of_error(context, job, row, &error);
            let may_have_left = matches!(error, MailError::Unknown(_));
            record_failure(&mut tx, context, row, (state, &error.to_string(), may_have_left)).await?;
            outcome
        }
    };
    tx.commit().await?;
    Ok(outcome)
}

//! What fails for longer than a moment: people are told when it lasts, when it gets worse, and when it is over.
//!
//! Whoever notes a failure writes an alert that nobody is told of yet (`concord_storage::alerts`); the job comes when there may
//! be something to tell, reads it anew, and does what `concord_domain::alert` decides.

use chrono::{DateTime, Utc};
use concord_domain::{
    alert::{AlertKind, AlertStep, decide},
    audit::HistorySubject,
    ids::{AlertId, BusinessId, CalendarId, ChannelId, WebhookEndpointId},
    notice::NoticeKind,
    webhook::{AlertPayload, Event},
};
use concord_storage::{
    StorageError, Tx,
    alerts::{self as store, Alert, AlertSubject},
    businesses, events,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    notices,
};

use super::NoticeContent;
use crate::{
    Context,
    job::{ConnectionAccount, JobError, require_business},
    language::{NOTICE_LANGUAGE, TextKey, dates::date_time, text},
};

/// What writes bookings to a connection.
pub fn export_of(account: ConnectionAccount) -> AlertSubject {
    AlertSubject { business: account.business, kind: AlertKind::CalendarExport, id: account.connection.0 }
}

/// What reads the busy times of a calendar.
pub fn import_of(business: BusinessId, calendar: CalendarId) -> AlertSubject {
    AlertSubject { business, kind: AlertKind::CalendarImport, id: calendar.0 }
}

/// What reads the feed of a channel.
pub fn feed_of(business: BusinessId, channel: ChannelId) -> AlertSubject {
    AlertSubject { business, kind: AlertKind::ChannelFeed, id: channel.0 }
}

/// What reads our feed for a channel: its platform.
pub fn export_feed_of(business: BusinessId, channel: ChannelId) -> AlertSubject {
    AlertSubject { business, kind: AlertKind::ChannelExport, id: channel.0 }
}

/// What reads the answers of a business's customers.
pub fn mailbox_of(business: BusinessId) -> AlertSubject {
    AlertSubject { business, kind: AlertKind::Mailbox, id: business.0 }
}

/// What delivers events to an endpoint.
pub fn webhook_of(business: BusinessId, endpoint: WebhookEndpointId) -> AlertSubject {
    AlertSubject { business, kind: AlertKind::Webhook, id: endpoint.0 }
}

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let (business, id) = (require_business(job)?, AlertId(job.subject_id));
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let Some(alert) = store::find(&mut tx, business, id).await?.filter(|alert| alert.closed_at.is_none())
    else {
        return Ok(JobOutcome::Done);
    };
    if !store::has_subject(&mut tx, business, id).await? {
        end(&mut tx, alert.subject(), now).await?;
        context.commit(tx, &[]).await?;
        return Ok(JobOutcome::Done);
    }
    let mut enqueued = Vec::new();
    let outcome = match decide(&alert.failure, now) {
        AlertStep::Wait(until) => JobOutcome::Again(until),
        AlertStep::Rest => JobOutcome::Done,
        AlertStep::Forget => {
            store::forget(&mut tx, business, id).await?;
            JobOutcome::Done
        }
        AlertStep::Correct => {
            store::correct(&mut tx, business, id, now).await?;
            JobOutcome::Again(now)
        }
        AlertStep::Open { level } | AlertStep::Escalate { level } => {
            enqueued = tell(&mut tx, context, &alert, level).await?;
            JobOutcome::Again(now)
        }
        AlertStep::Close => {
            enqueued = close(&mut tx, context, &alert).await?;
            JobOutcome::Done
        }
    };
    context.commit(tx, &enqueued).await?;
    Ok(outcome)
}

/// People are told that it is this bad, in place of all that they were to be told before.
async fn tell(
    tx: &mut Tx,
    context: &Context,
    alert: &Alert,
    level: u32,
) -> Result<Vec<JobRef>, StorageError> {
    let now = context.clock.now();
    if !store::tell(tx, (alert.business_id, alert.id), level, now).await? {
        return Ok(Vec::new());
    }
    notices::close_of_alert(tx, alert.business_id, alert.id, now).await?;
    let is_first = alert.failure.level == 0;
    let headline = if is_first {
        alert.headline.clone()
    } else {
        let named = [("headline", alert.headline.as_str().into())];
        text(NOTICE_LANGUAGE, TextKey::AlertWorseHeadline, named)
    };
    let since = shown(tx, alert, alert.failure.since).await?;
    let since = text(NOTICE_LANGUAGE, TextKey::AlertSince, [("since", since.into())]);
    let content =
        content(alert, notice_kind(alert.kind), (headline, format!("{since}\n{}", alert.cause)), level);
    raise(tx, context, alert, &content).await?;
    if !is_first {
        return Ok(Vec::new());
    }
    let opened = AlertPayload { opened_at: now, ..payload(alert, now) };
    events::publish(tx, alert.business_id, &Event::alert(&opened), now).await
}

/// It is over: whom it was told that it fails is told that in a line.
async fn close(tx: &mut Tx, context: &Context, alert: &Alert) -> Result<Vec<JobRef>, StorageError> {
    let now = context.clock.now();
    if !store::close(tx, alert.business_id, alert.id, now).await? {
        return Ok(Vec::new());
    }
    notices::close_of_alert(tx, alert.business_id, alert.id, now).await?;
    let named = [("headline", alert.headline.as_str().into())];
    let headline = text(NOTICE_LANGUAGE, TextKey::AlertClosedHeadline, named);
    let until = alert.failure.healthy_since.unwrap_or(now);
    let named = [
        ("since", shown(tx, alert, alert.failure.since).await?.into()),
        ("until", shown(tx, alert, until).await?.into()),
    ];
    let detail = text(NOTICE_LANGUAGE, TextKey::AlertClosedDetail, named);
    raise(tx, context, alert, &content(alert, NoticeKind::Recovered, (headline, detail), 0)).await?;
    publish_closed(tx, alert, now).await
}

/// What fails is no more, so that there is nothing to see to: nobody is told. What delivers the event, the sweep brings.
pub async fn end(tx: &mut Tx, subject: AlertSubject, now: DateTime<Utc>) -> Result<(), StorageError> {
    let Some(alert) = store::find_unclosed(tx, subject).await? else { return Ok(()) };
    store::end(tx, alert.business_id, alert.id, now).await?;
    notices::close_of_alert(tx, alert.business_id, alert.id, now).await?;
    if alert.opened_at.is_some() {
        publish_closed(tx, &alert, now).await?;
    }
    Ok(())
}

async fn publish_closed(tx: &mut Tx, alert: &Alert, now: DateTime<Utc>) -> Result<Vec<JobRef>, StorageError> {
    let closed = AlertPayload { closed_at: Some(now), ..payload(alert, now) };
    events::publish(tx, alert.business_id, &Event::alert(&closed), now).await
}

fn payload(alert: &Alert, now: DateTime<Utc>) -> AlertPayload {
    AlertPayload {
        alert: alert.id,
        kind: alert.kind,
        subject: alert.subject_id,
        headline: alert.headline.clone(),
        cause: alert.cause.clone(),
        since: alert.failure.since,
        opened_at: alert.opened_at.unwrap_or(now),
        closed_at: None,
    }
}

fn notice_kind(kind: AlertKind) -> NoticeKind {
    match kind {
        AlertKind::CalendarExport | AlertKind::CalendarImport => NoticeKind::FailedSync,
        AlertKind::ChannelFeed | AlertKind::ChannelExport => NoticeKind::FeedUnread,
        AlertKind::Mailbox => NoticeKind::MailboxUnread,
        AlertKind::Webhook => NoticeKind::WebhookFailing,
    }
}

fn content(
    alert: &Alert,
    kind: NoticeKind,
    (headline, detail): (String, String),
    level: u32,
) -> NoticeContent {
    let subject = match alert.kind {
        AlertKind::CalendarExport | AlertKind::CalendarImport => HistorySubject::Connection,
        AlertKind::ChannelFeed | AlertKind::ChannelExport => HistorySubject::Channel,
        AlertKind::Mailbox => HistorySubject::Business,
        AlertKind::Webhook => HistorySubject::WebhookEndpoint,
    };
    NoticeContent {
        kind,
        subject: (subject, alert.subject_id),
        headline,
        detail,
        link: alert.link.clone(),
        dedupe_key: format!("alert:{}:{level}", alert.id),
        alert: Some(alert.id),
    }
}

/// To whose calendar it is, and the managers.
async fn raise(
    tx: &mut Tx,
    context: &Context,
    alert: &Alert,
    content: &NoticeContent,
) -> Result<(), StorageError> {
    match alert.staff_id {
        Some(staff) => content.raise(tx, context, (alert.business_id, staff)).await.map(drop),
        None => content.raise_to_managers(tx, context, alert.business_id).await.map(drop),
    }
}

async fn shown(tx: &mut Tx, alert: &Alert, at: DateTime<Utc>) -> Result<String, StorageError> {
    let zone = businesses::find_in(tx, alert.business_id).await?.ok_or(StorageError::NotFound)?.zone;
    Ok(date_time(at, zone, NOTICE_LANGUAGE))
}

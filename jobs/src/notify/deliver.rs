//! Sends the people of a business what is open and they were not sent yet, as each wants it.
//!
//! Its subject is the business. For each person a pure plan says what goes out now and when to look again
//! (`concord_domain::notification`). Mails, deliveries and what is settled by them are written in one transaction, so that
//! who is killed in between has sent nothing, and nobody is sent anything twice.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    ids::{AlertId, BusinessId, NoticeId, UserId},
    mail::MailKind,
    notice::NoticeKind,
    notification::{NotificationPlan, OpenNotice, RecipientState, WaitingDigest, plan},
};
use concord_storage::{
    StorageError, Tx, businesses,
    businesses::Business,
    in_tx,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    notices::{self, Notice},
    notifications, secret,
};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{
    outbox,
    recipients::{self, NoticeRecipient},
    send::wait_for_server,
};
use crate::{
    Context,
    job::{JobError, require_business},
    language::NOTICE_LANGUAGE,
    mail::render,
};

/// So many open notices of a business are looked at, the newest; older ones wait for some of them to be settled.
const MAX_NOTICES: u32 = 5_000;

/// What one person is sent.
struct Planned {
    to: NoticeRecipient,
    plan: NotificationPlan,
}

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let (business, now) = (require_business(job)?, context.clock.now());
    // What is over by now need not be told.
    in_tx!(context.db, tx => async {
        notices::close_past_conflicts(&mut tx, business, now).await?;
        notices::close_decided_bookings(&mut tx, business, now).await
    }.await)?;
    let open = notices::unsettled(&context.db, business, MAX_NOTICES).await?;
    if open.is_empty() {
        return Ok(JobOutcome::Done);
    }
    // While no mail server is set up, nothing is written: what has closed by the time there is one need not be told.
    if context.mail.mailer.is_none() {
        return Ok(wait_for_server(now));
    }
    let business = businesses::find(&context.db, business).await?.ok_or(StorageError::NotFound)?;
    let planned = plan_all(context, &business, &open, now).await?;
    let next_at = planned.iter().filter_map(|one| one.plan.next_at).min();
    if !write(context, &business, &open, &planned).await? {
        // Another worker has taken this for abandoned and told them: nothing of ours is written.
        return Ok(JobOutcome::Again(now));
    }
    Ok(next_at.map_or(JobOutcome::Done, JobOutcome::Again))
}

/// What a user is sent in their next digest, unless it is over by then; `None`: nothing, or it is due already.
pub async fn waiting_digest(
    context: &Context,
    business: &Business,
    user: UserId,
) -> Result<Option<WaitingDigest>, StorageError> {
    let open = notices::unsettled(&context.db, business.id, MAX_NOTICES).await?;
    if open.is_empty() {
        return Ok(None);
    }
    let planned = plan_all(context, business, &open, context.clock.now()).await?;
    Ok(planned.into_iter().find(|one| one.to.id == user.0).and_then(|one| one.plan.digest))
}

/// Plans for each whom anything of it is for.
async fn plan_all(
    context: &Context,
    business: &Business,
    open: &[Notice],
    now: DateTime<Utc>,
) -> Result<Vec<Planned>, StorageError> {
    let delivered = notifications::delivered(&context.db, business.id).await?;
    let told = told_of_alerts(context, business.id, open).await?;
    let planned = recipients::load(&context.db, business).await?.into_iter().map(|to| {
        let theirs: Vec<OpenNotice<'_>> = open
            .iter()
            .filter(|notice| to.is_concerned(notice) && is_news_to(notice, to.id, &told))
            .map(|notice| OpenNotice {
                id: notice.id,
                kind: notice.kind,
                key: &notice.dedupe_key,
                raised_at: notice.created_at,
                is_sent: delivered.contains(&(notice.id, to.id)),
            })
            .collect();
        let state = RecipientState {
            preferences: &to.preferences,
            last_digest_at: to.last_digest_at,
            gather: context.mail.digest,
        };
        let plan = plan(&theirs, state, now);
        Planned { to, plan }
    });
    Ok(planned.collect())
}

/// Who was told of each alert that is over.
async fn told_of_alerts(
    context: &Context,
    business: BusinessId,
    open: &[Notice],
) -> Result<BTreeMap<AlertId, BTreeSet<Uuid>>, StorageError> {
    let over = open.iter().filter(|notice| notice.kind == NoticeKind::Recovered);
    let over: BTreeSet<AlertId> = over.filter_map(|notice| notice.alert_id).collect();
    let mut told = BTreeMap::new();
    for alert in over {
        told.insert(alert, notifications::sent_of_alert(&context.db, business, alert).await?);
    }
    Ok(told)
}

/// That something works again is of use to whom it was told that it fails.
fn is_news_to(notice: &Notice, recipient: Uuid, told: &BTreeMap<AlertId, BTreeSet<Uuid>>) -> bool {
    match (notice.kind, notice.alert_id) {
        (NoticeKind::Recovered, Some(alert)) => {
            told.get(&alert).is_some_and(|told| told.contains(&recipient))
        }
        _ => true,
    }
}

/// Writes all that goes out now. `false`: something of it has been sent or closed meanwhile, and nothing was written.
async fn write(
    context: &Context,
    business: &Business,
    open: &[Notice],
    planned: &[Planned],
) -> Result<bool, JobError> {
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let mut enqueued = Vec::new();
    // Whoever is erased meanwhile is named by no mail that the erasure does not find.
    let mailed: BTreeSet<NoticeId> = planned.iter().flat_map(|one| one.plan.mail.iter().copied()).collect();
    for notice in open.iter().filter(|notice| notice.is_named && mailed.contains(&notice.id)) {
        if !notices::hold_named(&mut tx, notice.id).await? {
            return Ok(false);
        }
    }
    for one in planned {
        let key = mail_key(one);
        for notice in one.plan.mail.iter().chain(&one.plan.repeated) {
            let what = (*notice, one.to.id);
            if !notifications::record_delivery(&mut tx, business.id, what, key.as_deref(), now).await? {
                return Ok(false);
            }
        }
        enqueued.extend(write_mail(&mut tx, context, business, open, one).await?);
    }
    for notice in open {
        if is_settled(notice, planned, now) {
            notices::settle(&mut tx, business.id, notice.id, now).await?;
        }
    }
    context.commit(tx, &enqueued).await?;
    Ok(true)
}

/// By which a person's mail is known; `None`: there is none.
fn mail_key(Planned { to, plan }: &Planned) -> Option<String> {
    plan.mail.last().map(|newest| format!("notice:{newest}:{}", to.id))
}

/// For so long a notice that is for nobody with an address waits for somebody.
const UNADDRESSED_FOR: Duration = Duration::days(7);

/// Whether nobody waits for it.
fn is_settled(notice: &Notice, planned: &[Planned], now: DateTime<Utc>) -> bool {
    let mut concerned = planned.iter().filter(|one| one.to.is_concerned(notice)).peekable();
    if concerned.peek().is_none() {
        // All that is open is looked at: what nobody will ever read must not stand in the way of the rest.
        return notice.created_at + UNADDRESSED_FOR <= now;
    }
    concerned.all(|one| !one.plan.waiting.contains(&notice.id))
}

async fn write_mail(
    tx: &mut Tx,
    context: &Context,
    business: &Business,
    open: &[Notice],
    one: &Planned,
) -> Result<Option<JobRef>, StorageError> {
    let Planned { to, plan } = one;
    let by_id: BTreeMap<NoticeId, &Notice> = open.iter().map(|notice| (notice.id, notice)).collect();
    let notices: Vec<&Notice> = plan.mail.iter().filter_map(|id| by_id.get(id).copied()).collect();
    let Some(key) = mail_key(one) else { return Ok(None) };
    let kind = if notices.len() == 1 { MailKind::Notice } else { MailKind::Digest };
    let place = (business.id, kind);
    if !plan.is_digest {
        let rendered = render::digest(NOTICE_LANGUAGE, &business.name, &context.mail, &notices, None);
        return outbox::write(tx, context, place, &to.to, &rendered, &key).await;
    }
    let token = secret::new_token("ud_");
    notifications::record_digest(tx, business.id, to.id, &secret::digest(&token), context.clock.now())
        .await?;
    let url = context.mail.address(&format!("/digests/off/{}", token.expose_secret()));
    let rendered = render::digest(NOTICE_LANGUAGE, &business.name, &context.mail, &notices, Some(&url));
    outbox::write_digest(tx, context, place, &to.to, &rendered, (&key, &url)).await
}

//! Reads a platform's feed at its times.
//!
//! Asks for what has changed since, unless something else has moved by which the same feed means
//! something else. Plans by `concord_domain::channel`; what a broken feed may only seem to cancel is kept until it is seen
//! again for some hours, or somebody says so. A feed that cannot be read changes nothing. Sets its own next time.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    audit::SyncOutcome,
    channel::{ChannelState, RunOrigin, RunOutcome},
    ids::ChannelId,
    job::QueueClass,
    people::Actor,
    platform::Platform,
};
use concord_providers::{FeedBody, FeedError, FeedFetchOutcome, FeedRequest, feed_address};
use concord_storage::{
    Tx,
    channels::{self, Channel, FeedReadOutcome, runs::RunCounts},
    jobs::{ClaimedJob, JobOutcome},
    sync_log::{self, NewSyncLogEntry},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{
    apply::ChannelRunContext,
    apply_snapshot::{ChannelImportOutcome, ImportTrigger, take_over},
    load_poll_interval, notices,
    own_feed::is_our_feed,
    snapshot::{FeedSchedule, ImportContext, UnreadableFeed, mark_ours, parse_feed},
};
use crate::{
    Context,
    job::{JobError, jitter, jittered_part, renew_lease_for, require_business, retry_or_fail},
};

/// Why a feed was not read.
#[derive(Debug, thiserror::Error)]
pub enum FeedReadError {
    /// It did not come.
    #[error(transparent)]
    Fetch(#[from] FeedError),
    /// Nothing can be made of what came.
    #[error(transparent)]
    Unreadable(#[from] UnreadableFeed),
    /// The address is one of ours: what would be read is what is published.
    #[error("the link is one of Concord's own feeds: use the link that the platform shows")]
    OwnFeed,
}

impl FeedReadError {
    /// Whether it is no use to try again soon.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_permanent(),
            Self::OwnFeed => true,
            // What was cut off may come whole the next time.
            Self::Unreadable(error) => !matches!(error, UnreadableFeed::CutOff),
        }
    }
}

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let business = require_business(job)?;
    let found = channels::find(&context.db, business, ChannelId(job.subject_id)).await?;
    let Some(channel) = found.filter(|channel| channel.polled && channel.state == ChannelState::Active)
    else {
        return Ok(JobOutcome::Done);
    };
    let Some(platform) = context.platforms.find(&channel.platform) else {
        return Err(JobError::Permanent(format!(
            "the platform “{}” is no longer known on this installation",
            channel.platform
        )));
    };
    let poll = ChannelPoll { context, job, channel: &channel, platform, started_at: context.clock.now() };
    match poll.read().await {
        Ok(()) => Ok(JobOutcome::Again(context.clock.now() + poll.pause().await?)),
        Err(PollError::Unread(failure)) => poll.fail(&failure).await,
        Err(PollError::Job(error)) => Err(error),
    }
}

/// Why a reading came to no end.
enum PollError {
    /// The feed was not read, and nothing was changed.
    Unread(FeedReadError),
    /// It is our own affair.
    Job(JobError),
}

impl<E: Into<JobError>> From<E> for PollError {
    fn from(error: E) -> Self {
        Self::Job(error.into())
    }
}

struct ChannelPoll<'a> {
    context: &'a Context,
    job: &'a ClaimedJob,
    channel: &'a Channel,
    platform: &'a Platform,
    started_at: DateTime<Utc>,
}

impl ChannelPoll<'_> {
    async fn read(&self) -> Result<(), PollError> {
        let (context, channel) = (self.context, self.channel);
        let import_context = ImportContext::load(context, channel, self.platform).await?;
        let url = channels::import_url(&context.db, &context.ring, channel.business_id, channel.id).await?;
        let Some(url) = url else {
            return Err(PollError::Job(JobError::Permanent("no calendar link is set".into())));
        };
        let mark = import_context.mark(&url, self.started_at);
        let is_same = channel.body_digest.as_deref().is_some_and(|digest| digest.starts_with(&mark));
        let body = match self.fetch(&url, is_same && channel.import_guard.is_none()).await? {
            FeedFetchOutcome::NotModified => return self.same().await,
            FeedFetchOutcome::Body(body) => body,
        };
        let digest = format!("{mark}:{}", concord_domain::hex(Sha256::digest(&body.bytes)));
        if channel.import_guard.is_none() && channel.body_digest.as_ref() == Some(&digest) {
            return self.same().await;
        }
        let mut parsed = parse_feed(
            body.bytes.clone(),
            self.platform,
            import_context.zone,
            (FeedSchedule::Polled, self.started_at),
        )
        .await
        .map_err(|error| PollError::Unread(error.into()))?;
        mark_ours(context, channel.business_id, &mut parsed).await?;
        let trigger = ImportTrigger {
            origin: if self.job.queue == QueueClass::Interactive {
                RunOrigin::Person
            } else {
                RunOrigin::Poll
            },
            actor: Actor::System,
            job: Some(self.job),
        };
        let imported = take_over(context, channel, &import_context, &parsed, &trigger).await?;
        self.note(&imported, &body, &digest).await
    }

    /// `conditional`: what was read the last time would mean the same now.
    async fn fetch(&self, url: &SecretString, conditional: bool) -> Result<FeedFetchOutcome, PollError> {
        let (context, channel) = (self.context, self.channel);
        let url = feed_address(url.expose_secret()).map_err(|error| PollError::Unread(error.into()))?;
        if is_our_feed(context, &url).await? {
            return Err(PollError::Unread(FeedReadError::OwnFeed));
        }
        let request = if conditional {
            FeedRequest {
                url: &url,
                etag: channel.etag.as_deref(),
                last_modified: channel.last_modified.as_deref(),
            }
        } else {
            FeedRequest::anew(&url)
        };
        let takes = Duration::from_std(context.feeds.patience()).unwrap_or(Duration::zero());
        renew_lease_for(context, self.job, takes).await?;
        context.feeds.fetch(request).await.map_err(|error| PollError::Unread(error.into()))
    }

    async fn same(&self) -> Result<(), PollError> {
        let now = self.context.clock.now();
        let mut tx = self.context.db.begin().await?;
        channels::note_read(&mut tx, self.channel.id, FeedReadOutcome::Same, now).await?;
        notices::read(&mut tx, self.channel, now).await?;
        Ok(tx.commit().await?)
    }

    async fn note(
        &self,
        imported: &ChannelImportOutcome,
        body: &FeedBody,
        digest: &str,
    ) -> Result<(), PollError> {
        let now = self.context.clock.now();
        let remark = imported.remark();
        let read = FeedReadOutcome::Whole {
            etag: body.etag.as_deref(),
            last_modified: body.last_modified.as_deref(),
            digest: Some(digest).filter(|_| !imported.overtaken),
            changed: imported.changed(),
            remark: remark.as_deref(),
        };
        let mut tx = self.context.db.begin().await?;
        channels::note_read(&mut tx, self.channel.id, read, now).await?;
        notices::read(&mut tx, self.channel, now).await?;
        if imported.changed() || imported.held.is_some() && self.channel.import_guard.is_none() {
            let outcome = if imported.held.is_some() { SyncOutcome::Held } else { SyncOutcome::Ok };
            self.log(&mut tx, outcome, &imported.message, now).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn log(
        &self,
        tx: &mut Tx,
        outcome: SyncOutcome,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<(), JobError> {
        let line = NewSyncLogEntry {
            duration_ms: (now - self.started_at).num_milliseconds(),
            ..NewSyncLogEntry::of_channel(
                (self.channel.business_id, self.channel.id),
                ("read_feed", outcome),
                detail,
                now,
            )
        };
        sync_log::append(tx, &line).await?;
        Ok(())
    }

    /// Spread out, so that channels that were made together are not read together for ever.
    async fn pause(&self) -> Result<Duration, JobError> {
        let every = load_poll_interval(self.context, self.channel).await?;
        let number = u32::try_from(self.started_at.timestamp() & 0x7fff_ffff).unwrap_or(0);
        Ok(every - jittered_part(every / 5, jitter(self.job.id, number)))
    }

    /// Says why nothing was read, and tries again: soon a few times, then at the next time. What fails as before is said
    /// once.
    async fn fail(&self, failure: &FeedReadError) -> Result<JobOutcome, JobError> {
        let (context, channel, now) = (self.context, self.channel, self.context.clock.now());
        let reason = failure.to_string();
        tracing::info!(channel = %channel.id, host = channel.import_host, reason, "a feed was not read");
        let outcome = self.after_failure(failure, &reason).await?;
        let mut tx = context.db.begin().await?;
        channels::note_read(&mut tx, channel.id, FeedReadOutcome::Failed { error: &reason }, now).await?;
        if channel.last_error.as_ref() != Some(&reason) {
            let logged = if matches!(outcome, JobOutcome::Failed { .. }) {
                SyncOutcome::Failed
            } else {
                SyncOutcome::Retry
            };
            self.log(&mut tx, logged, &reason, now).await?;
            let run = ChannelRunContext {
                started_at: self.started_at,
                ..ChannelRunContext::begin(context, channel, HashMap::new(), (RunOrigin::Poll, Actor::System))
            };
            run.record_in(&mut tx, RunOutcome::Failed, &reason, RunCounts::default()).await?;
        }
        // What asks to be read later is not given up, but has failed when it does so again.
        if matches!(outcome, JobOutcome::Failed { .. }) || channel.failing_since.is_some() {
            notices::unread(&mut tx, context, channel, &reason).await?;
        }
        tx.commit().await?;
        Ok(outcome)
    }

    async fn after_failure(&self, failure: &FeedReadError, reason: &str) -> Result<JobOutcome, JobError> {
        let (context, now) = (self.context, self.context.clock.now());
        let reason = reason.to_owned();
        let next = now + self.pause().await?;
        if failure.is_permanent() {
            return Ok(JobOutcome::Failed { retry_at: Some(next), reason });
        }
        if let FeedReadError::Fetch(FeedError::RateLimited { retry_after }) = failure {
            let wait = retry_after.and_then(|wait| Duration::from_std(wait).ok());
            return Ok(JobOutcome::Snooze { until: wait.map_or(next, |wait| now + wait), reason });
        }
        Ok(match retry_or_fail(context, self.job, reason) {
            JobOutcome::Failed { reason, .. } => JobOutcome::Failed { retry_at: Some(next), reason },
            retry => retry,
        })
    }
}

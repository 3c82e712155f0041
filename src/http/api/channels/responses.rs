//! Channels as they are answered.

use chrono::{DateTime, Utc};
use concord_domain::channel::{
    BlockRule, ChannelState, ImportGuard, ItemKind, Preference, RunOrigin, RunOutcome,
};
use concord_jobs::channels::{exposure, load_poll_interval, unconfirmed};
use concord_storage::{
    channels::{Channel, items::ChannelItem, runs::ChannelRun},
    feeds, jobs,
};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    http::{api::problem::ApiError, feeds::feed_url},
};

/// A listing on a platform.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub(super) struct ChannelResponse {
    /// Its id, for `/channels/{id}`.
    id: Uuid,
    /// The listing's resource.
    resource: Uuid,
    /// The platform's id.
    #[schema(example = "airbnb")]
    platform: String,
    /// Its status.
    state: ChannelState,
    /// Which booking to keep in a conflict.
    preference: Preference,
    /// How blocked dates are handled.
    blocks: BlockRule,
    /// The host of the platform's feed; the address itself is a secret, and empty if there is none.
    import_host: String,
    /// Sync interval in minutes.
    interval_minutes: i64,
    /// The feed URL for the platform. Keep it secret: anyone with it can see your availability.
    feed_url: Option<String>,
    /// The last sync attempt.
    polled_at: Option<DateTime<Utc>>,
    /// The last successful sync.
    read_at: Option<DateTime<Utc>>,
    /// The last sync with changes.
    changed_at: Option<DateTime<Utc>>,
    /// The next scheduled sync.
    next_at: Option<DateTime<Utc>>,
    /// Since when syncing fails.
    failing_since: Option<DateTime<Utc>>,
    /// Why syncing fails; otherwise, events that could not be read.
    last_error: Option<String>,
    /// Cancellations held for review.
    held: Option<QuarantineResponse>,
    /// Unconfirmed events that may be our own or a new reservation; their nights are held until settled.
    unconfirmed: Vec<UnconfirmedEventResponse>,
    /// Nights exposed to double bookings.
    exposure: ExposureResponse,
    /// Whether a channel manager may send webhooks.
    webhooks: bool,
    /// When it was created.
    created_at: DateTime<Utc>,
}

/// Cancellations held for review.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = HeldBack)]
struct QuarantineResponse {
    /// Why they are held for review.
    reason: ImportGuard,
    /// How many bookings ...
    bookings: i64,
    /// ... of how many.
    of: i64,
    /// When they will be cancelled, if still missing.
    until: Option<DateTime<Utc>>,
}

/// An unconfirmed event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UnconfirmedEvent)]
struct UnconfirmedEventResponse {
    /// Its id, by which it is settled.
    event: Uuid,
    /// When it starts, in UTC.
    starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    ends_at: DateTime<Utc>,
    /// The platform's own text.
    summary: String,
    /// The reference of the block that holds its nights.
    booking: Option<String>,
    /// Why it is unconfirmed, in plain words.
    reason: String,
}

/// What a platform does not know yet.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Exposure)]
struct ExposureResponse {
    /// When the platform last fetched our feed.
    last_read_at: Option<DateTime<Utc>>,
    /// What it calls itself.
    reader: Option<String>,
    /// The revision that it has.
    seen_revision: Option<i64>,
    /// The revision now.
    revision: i64,
    /// Nights the platform may still sell although they are booked.
    nights: i64,
    /// The bookings that take them.
    bookings: Vec<ExposedBookingResponse>,
}

/// A booking that a platform does not know of.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ExposedBooking)]
struct ExposedBookingResponse {
    /// Its reference.
    reference: String,
    /// When it starts, in UTC.
    starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    ends_at: DateTime<Utc>,
    /// Since when it is so.
    since: DateTime<Utc>,
}

impl ChannelResponse {
    pub(super) async fn of(app: &App, channel: Channel) -> Result<Self, ApiError> {
        let context = &app.context;
        let exposure = exposure::exposure(&context.db, &channel, app.now()).await?;
        let token = match channel.feed_id {
            Some(feed) => feeds::remembered(&context.db, &context.ring, channel.business_id, feed).await?,
            None => None,
        };
        let next_at = jobs::next_due_at(
            &context.db,
            channel.business_id,
            concord_domain::job::JobKind::PollChannel,
            channel.id.0,
        )
        .await?;
        let known = context.platforms.find(&channel.platform);
        let platform = known.map_or(channel.platform.as_str(), |platform| &platform.name);
        let unconfirmed =
            unconfirmed::events(context, &channel).await?.into_iter().map(|item| UnconfirmedEventResponse {
                event: item.id.0,
                starts_at: item.starts_at,
                ends_at: item.ends_at,
                summary: item.summary,
                booking: item.reference,
                reason: unconfirmed::reason(platform),
            });
        Ok(Self {
            unconfirmed: unconfirmed.collect(),
            interval_minutes: load_poll_interval(context, &channel).await?.num_minutes(),
            feed_url: token.map(|token| feed_url(app, token.expose_secret())),
            next_at: next_at.filter(|_| channel.polled && channel.state == ChannelState::Active),
            held: channel.import_guard.map(|reason| QuarantineResponse {
                reason,
                bookings: channel.quarantined_items,
                of: channel.quarantined_total,
                until: channel.quarantined_until,
            }),
            exposure: ExposureResponse {
                last_read_at: exposure.last_read.as_ref().map(|read| read.read_at),
                reader: exposure.last_read.as_ref().map(|read| read.reader.clone()),
                seen_revision: exposure.last_read.as_ref().map(|read| read.revision),
                revision: exposure.revision,
                nights: exposure.nights(),
                bookings: exposure
                    .unknown
                    .into_iter()
                    .map(|one| ExposedBookingResponse {
                        reference: one.reference,
                        starts_at: one.interval.start,
                        ends_at: one.interval.end,
                        since: one.since,
                    })
                    .collect(),
            },
            id: channel.id.0,
            resource: channel.resource_id.0,
            platform: channel.platform,
            state: channel.state,
            preference: channel.preference,
            blocks: channel.blocks,
            import_host: channel.import_host,
            polled_at: channel.polled_at,
            read_at: channel.read_at,
            changed_at: channel.changed_at,
            failing_since: channel.failing_since,
            last_error: channel.last_error,
            webhooks: channel.has_webhook,
            created_at: channel.created_at,
        })
    }
}

/// An event of a platform's feed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelEvent)]
pub(super) struct ChannelEventResponse {
    /// Concord's id of the event.
    id: Uuid,
    /// The platform's UID of it.
    uid: String,
    /// What it is.
    kind: ItemKind,
    /// When it starts, in UTC.
    starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    ends_at: DateTime<Utc>,
    /// The platform's own text.
    summary: String,
    /// The reference of the booking that stands for it here.
    booking: Option<String>,
    /// Since when the feed lacks it.
    missing_since: Option<DateTime<Utc>>,
    /// Whether it stands although the feed lacks it, because somebody has said so.
    kept: bool,
    /// When it was first seen.
    first_seen_at: DateTime<Utc>,
}

impl From<ChannelItem> for ChannelEventResponse {
    fn from(item: ChannelItem) -> Self {
        Self {
            id: item.id.0,
            uid: item.item_key,
            kind: item.kind,
            starts_at: item.starts_at,
            ends_at: item.ends_at,
            summary: item.summary,
            booking: item.reference,
            missing_since: item.missing_since,
            kept: item.pinned,
            first_seen_at: item.first_seen_at,
        }
    }
}

/// A reading of a platform's feed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelRun)]
pub(super) struct ChannelRunResponse {
    /// The reading's id.
    id: Uuid,
    /// When it ended.
    at: DateTime<Utc>,
    /// What made Concord read it.
    origin: RunOrigin,
    /// How it ended.
    outcome: RunOutcome,
    /// The result, in plain words.
    message: String,
    /// New bookings.
    imported: i64,
    /// Bookings that were changed.
    updated: i64,
    /// Bookings that were cancelled.
    cancelled: i64,
    /// Events without changes.
    skipped: i64,
    /// Imported or changed bookings that overlap others.
    conflicts: i64,
    /// Duration in milliseconds.
    duration_ms: i64,
    /// When it was undone.
    undone_at: Option<DateTime<Utc>>,
    /// Whether it can be: for a week, what it cancelled, and what somebody imported once. What it changed cannot.
    can_be_undone: bool,
}

impl ChannelRunResponse {
    pub(super) fn of(run: ChannelRun, now: DateTime<Utc>) -> Self {
        Self {
            can_be_undone: run.can_be_undone(now),
            id: run.id.0,
            at: run.at,
            origin: run.origin,
            outcome: run.outcome,
            message: run.message,
            imported: run.counts.imported,
            updated: run.counts.updated,
            cancelled: run.counts.cancelled,
            skipped: run.counts.skipped,
            conflicts: run.counts.conflicts,
            duration_ms: run.duration_ms,
            undone_at: run.undone_at,
        }
    }
}

//! What came of each reading of a platform's feed. What changed nothing leaves no row.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    channel::{RunOrigin, RunOutcome},
    ids::{BusinessId, ChannelId, ChannelRunId},
    people::Actor,
};
use sqlx::types::Json;

use crate::{Db, Page, PageRequest, Result, Tx, sync_log::newest};

/// For so long what a reading did can be undone.
pub const UNDO_WINDOW: Duration = Duration::days(7);

/// What an import counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct RunCounts {
    pub imported: i64,
    /// Bookings that were changed.
    pub updated: i64,
    /// Bookings that were cancelled.
    pub cancelled: i64,
    /// Events from which nothing followed.
    pub skipped: i64,
    /// Of what was imported or changed: what found no room.
    pub conflicts: i64,
}

/// A reading, as it is to be written down.
#[derive(Clone, Copy, Debug)]
pub struct NewChannelRun<'a> {
    /// Which: decided before it began, so that what it did can name it.
    pub id: ChannelRunId,
    pub business: BusinessId,
    pub channel: ChannelId,
    /// Why it was read.
    pub origin: RunOrigin,
    /// Who asked for it.
    pub actor: &'a Actor,
    pub outcome: RunOutcome,
    pub message: &'a str,
    pub counts: RunCounts,
    /// Milliseconds that it took.
    pub duration_ms: i64,
}

/// A reading that came to something.
#[derive(Clone, Debug, PartialEq, sqlx_macros::FromRow)]
pub struct ChannelRun {
    pub id: ChannelRunId,
    pub channel_id: ChannelId,
    /// Why it was read.
    pub origin: RunOrigin,
    /// Who asked for it.
    #[sqlx(json)]
    pub actor: Actor,
    pub outcome: RunOutcome,
    pub message: String,
    #[sqlx(flatten)]
    pub counts: RunCounts,
    /// Milliseconds that it took.
    pub duration_ms: i64,
    /// Whether anything of what it did can be undone: what it cancelled, or what somebody imported by it. What is read at
    /// its times would bring again what its feed has, so that only the rest of it is taken back.
    pub has_effects: bool,
    /// When what it did was undone.
    pub undone_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

impl ChannelRun {
    /// Whether what it cancelled can be brought back, or what somebody imported once be taken back.
    pub fn can_be_undone(&self, now: DateTime<Utc>) -> bool {
        self.has_effects && self.undone_at.is_none() && self.at + UNDO_WINDOW > now
    }

    /// Whether somebody had it read once.
    pub fn is_import(&self) -> bool {
        matches!(self.origin, RunOrigin::Url | RunOrigin::File)
    }
}

const RECORD: &str = "
    INSERT INTO channel_runs (id, business_id, channel_id, origin, actor, outcome, message, imported, updated, cancelled,
        skipped, conflicts, duration_ms, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome, message = excluded.message, imported = excluded.imported,
        updated = excluded.updated, cancelled = excluded.cancelled, skipped = excluded.skipped,
        conflicts = excluded.conflicts, duration_ms = excluded.duration_ms, at = excluded.at";

/// Writes a reading down: when it begins to change something, and again when it has ended.
pub async fn record(tx: &mut Tx, run: &NewChannelRun<'_>, now: DateTime<Utc>) -> Result<()> {
    exec!(tx, RECORD;
        run.id, run.business, run.channel, run.origin, Json(run.actor), run.outcome, run.message,
        run.counts.imported, run.counts.updated, run.counts.cancelled, run.counts.skipped,
        run.counts.conflicts, run.duration_ms, now
    )
}

// Not EXISTS: to save itself the index for each reading of a page, PostgreSQL would read all items first.
macro_rules! select_run {
    ($where:literal) => {
        concat!(
            "SELECT id, channel_id, origin, actor, outcome, message, imported, updated, cancelled, skipped, conflicts,
                    duration_ms, undone_at, at,
                    COALESCE((SELECT TRUE FROM channel_items i
                              WHERE i.removed_run_id = channel_runs.id AND i.removed_status IS NOT NULL LIMIT 1), FALSE)
                    OR origin IN ('url', 'file') AND COALESCE((
                        SELECT TRUE FROM channel_items i JOIN channels ch ON ch.id = i.channel_id
                        WHERE i.found_run_id = channel_runs.id AND i.removed_at IS NULL AND i.booking_id IS NOT NULL
                          AND (i.pinned OR NOT ch.polled) LIMIT 1), FALSE) AS has_effects
             FROM channel_runs WHERE business_id = $1 AND ",
            $where
        )
    };
}

const FIND: &str = select_run!("id = $2");

/// One import of a business; `None` if there is none.
pub async fn find(db: &Db, business: BusinessId, id: ChannelRunId) -> Result<Option<ChannelRun>> {
    optional!(db, FIND, business, id)
}

const OF_CHANNEL: &str =
    select_run!("channel_id = $2 AND (at, id) < ($3, $4) ORDER BY at DESC, id DESC LIMIT $5");

/// The readings of a channel, newest first.
pub async fn list_for_channel(
    db: &Db,
    business: BusinessId,
    channel: ChannelId,
    ask: &PageRequest,
) -> Result<Page<ChannelRun>> {
    let (at, id) = ask.after_key()?.unwrap_or_else(newest);
    let runs: Vec<ChannelRun> = all!(db, OF_CHANNEL, business, channel, at, id, ask.fetch())?;
    Ok(Page::cut(runs, ask, |run: &ChannelRun| (run.at, run.id.0)))
}

const OF_BUSINESS: &str = select_run!("(at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4");

/// The readings of all channels of a business, newest first.
pub async fn of_business(db: &Db, business: BusinessId, ask: &PageRequest) -> Result<Page<ChannelRun>> {
    let (at, id) = ask.after_key()?.unwrap_or_else(newest);
    let runs: Vec<ChannelRun> = all!(db, OF_BUSINESS, business, at, id, ask.fetch())?;
    Ok(Page::cut(runs, ask, |run: &ChannelRun| (run.at, run.id.0)))
}

const UNDO: &str = "
    UPDATE channel_runs SET undone_at = $3 WHERE business_id = $1 AND id = $2 AND undone_at IS NULL";

/// Notes that what it did was undone. `false`: somebody was faster.
pub async fn undo(tx: &mut Tx, business: BusinessId, id: ChannelRunId, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, UNDO, business, id, now)? == 1)
}

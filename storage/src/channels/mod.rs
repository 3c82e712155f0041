//! Resources on platforms: where their feeds are, how each was last read, and what waits for somebody's word.
//!
//! `exposed` says what platforms do not know, `items` is what a feed says, `reading` how it was last read, `runs` what came of that, `published` what the platform
//! has read of ours, `webhooks` what channel managers tell us.

mod address;
pub mod exposure;
mod feed_read;
pub mod items;
pub mod published;
pub mod runs;
pub mod webhooks;

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::{BlockRule, ChannelState, ImportGuard, Preference},
    ids::{BusinessId, ChannelId, FeedId, ResourceId},
    job::{JobKind, QueueClass},
};

use self::address::place;
use crate::{
    Db, Result, Tx,
    jobs::{self, JobRef, NewJob},
    seal::Keyring,
};

pub use address::{
    ImportAddress, ListingKey, by_address, find_by_listing_in, import_url, of_address, rotate_keys,
    set_import,
};
pub use feed_read::{FeedReadOutcome, hold, look_again, note_read};

/// A resource on a platform, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Channel {
    pub id: ChannelId,
    pub business_id: BusinessId,
    /// What is sold there.
    pub resource_id: ResourceId,
    pub platform: String,
    /// Whether it is kept in step.
    pub state: ChannelState,
    /// Whose booking gives way.
    pub preference: Preference,
    /// What becomes of its blocks.
    pub blocks: BlockRule,
    /// Between two readings; `None`: as the business or the platform has it.
    pub interval_minutes: Option<i64>,
    /// Whether it has an address to read.
    pub has_import: bool,
    /// The host of that address; all that may be shown of it.
    pub import_host: String,
    /// Whether it is read at its times.
    pub polled: bool,
    /// What it is published by.
    pub feed_id: Option<FeedId>,
    /// The platform's version of what was last read.
    pub etag: Option<String>,
    /// When the platform says that it last changed.
    pub last_modified: Option<String>,
    /// SHA-256 of what was last applied.
    pub body_digest: Option<String>,
    pub polled_at: Option<DateTime<Utc>>,
    /// The last try that read something.
    pub read_at: Option<DateTime<Utc>>,
    /// The last reading from which something followed.
    pub changed_at: Option<DateTime<Utc>>,
    /// Since when it cannot be read.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why, for people; if it can, what of it was not understood.
    pub last_error: Option<String>,
    /// Why cancellations are held back.
    pub import_guard: Option<ImportGuard>,
    /// How many wait ...
    pub quarantined_items: i64,
    /// ... of how many.
    pub quarantined_total: i64,
    /// When the last of them is believed.
    pub quarantined_until: Option<DateTime<Utc>>,
    /// Whether a channel manager may tell us.
    pub has_webhook: bool,
    /// Since when it is none any more.
    pub removed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

macro_rules! columns {
    () => {
        "id, business_id, resource_id, platform, state, preference, blocks, interval_minutes,
         import_url IS NOT NULL AS has_import, import_host, polled, feed_id, etag, last_modified, body_digest,
         polled_at, read_at, changed_at, failing_since, last_error, import_guard, quarantined_items, quarantined_total, quarantined_until,
         webhook_token_hash IS NOT NULL AS has_webhook, removed_at, created_at"
    };
}
use columns;

/// A channel to be made.
#[derive(Clone, Debug)]
pub struct NewChannel<'a> {
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    pub platform: &'a str,
    /// Whose booking gives way.
    pub preference: Preference,
    /// What becomes of its blocks.
    pub blocks: BlockRule,
    /// Where its feed is.
    pub import: Option<ImportAddress<'a>>,
    /// Whether it is read at its times.
    pub polled: bool,
}

const CREATE: &str = returning!(
    "INSERT INTO channels (id, business_id, resource_id, platform, state, preference, blocks, import_url, import_host,
         import_digest, polled, quarantined_items, quarantined_total, created_at)
     SELECT $1, $2, $3, $4, 'active', $5, $6, $7, $8, $9, $10, 0, 0, $11
     WHERE EXISTS (SELECT 1 FROM resources WHERE business_id = $2 AND id = $3)"
);

const REVIVE: &str = returning!(
    "UPDATE channels SET removed_at = NULL, state = 'active', preference = $4, blocks = $5, polled = $6
     WHERE id = (SELECT id FROM channels
                 WHERE business_id = $1 AND resource_id = $2 AND platform = $3 AND import_digest = $7
                   AND removed_at IS NOT NULL
                 ORDER BY removed_at DESC, id LIMIT 1)"
);

/// Takes up a channel again that was removed and read the same address, with all that is known of it: else what it
/// brought would come a second time. `None`: there was none.
async fn revive(tx: &mut Tx, ring: &Keyring, new: &NewChannel<'_>) -> Result<Option<Channel>> {
    let Some(import) = new.import else { return Ok(None) };
    let revived: Option<Channel> = optional!(tx, REVIVE;
        new.business, new.resource, new.platform, new.preference, new.blocks, new.polled, import.digest()
    )?;
    // By its id alone can its address be sealed again.
    match revived {
        Some(channel) => {
            set_import(tx, ring, (new.business, channel.id), Some(import), new.polled).await.map(Some)
        }
        None => Ok(None),
    }
}

/// Makes a channel, or takes up the one that read the same address before it was removed. `NotFound`: the resource is
/// not of the business. `Exists`: the same address is read for it already.
pub async fn create(
    tx: &mut Tx,
    ring: &Keyring,
    new: &NewChannel<'_>,
    now: DateTime<Utc>,
) -> Result<Channel> {
    if let Some(revived) = revive(tx, ring, new).await? {
        return Ok(revived);
    }
    let id = ChannelId::new(now);
    one!(tx, CREATE;
        id, new.business, new.resource, new.platform, new.preference, new.blocks,
        new.import.map(|import| ring.seal(import.url, place(id))),
        new.import.map_or("", |import| import.host), new.import.map(|import| import.digest()),
        new.polled, now
    )
}

const LIST: &str = select!(
    "FROM channels WHERE business_id = $1 AND removed_at IS NULL ORDER BY resource_id, created_at, id"
);

/// The channels of a business, those of one resource together.
pub async fn list(db: &Db, business: BusinessId) -> Result<Vec<Channel>> {
    all!(db, LIST, business)
}

const FIND: &str = select!("FROM channels WHERE business_id = $1 AND id = $2 AND removed_at IS NULL");

/// One channel that is not removed.
pub async fn find(db: &Db, business: BusinessId, id: ChannelId) -> Result<Option<Channel>> {
    optional!(db, FIND, business, id)
}

const LOCK: &str = returning!(
    "UPDATE channels SET removed_at = removed_at WHERE business_id = $1 AND id = $2 AND removed_at IS NULL"
);

/// Locks the row until the end of the transaction. A removed one is `NotFound`.
pub async fn lock(tx: &mut Tx, business: BusinessId, id: ChannelId) -> Result<Channel> {
    one!(tx, LOCK, business, id)
}

/// What can be set of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Whether it is kept in step.
    pub state: ChannelState,
    /// Whose booking gives way.
    pub preference: Preference,
    /// What becomes of its blocks.
    pub blocks: BlockRule,
    /// Between two readings; `None`: as the business or the platform has it.
    pub interval_minutes: Option<i64>,
}

impl Channel {
    /// What can be set of it, as it is.
    pub fn settings(&self) -> ChannelSettings {
        ChannelSettings {
            state: self.state,
            preference: self.preference,
            blocks: self.blocks,
            interval_minutes: self.interval_minutes,
        }
    }
}

// What was read by other rules says nothing of these: the next reading is a whole one.
const SET: &str = returning!(
    "UPDATE channels SET state = $3, preference = $4, blocks = $5, interval_minutes = $6,
         etag = CASE WHEN blocks = $5 THEN etag END, last_modified = CASE WHEN blocks = $5 THEN last_modified END,
         body_digest = CASE WHEN blocks = $5 THEN body_digest END
     WHERE business_id = $1 AND id = $2 AND removed_at IS NULL"
);

/// Changes its settings. A removed one is `NotFound`.
pub async fn set(
    tx: &mut Tx,
    business: BusinessId,
    id: ChannelId,
    settings: &ChannelSettings,
) -> Result<Channel> {
    one!(tx, SET;
        business, id, settings.state, settings.preference, settings.blocks, settings.interval_minutes
    )
}

const SET_FEED: &str =
    "UPDATE channels SET feed_id = $3 WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Says by which feed it is published.
pub async fn set_feed(tx: &mut Tx, business: BusinessId, id: ChannelId, feed: FeedId) -> Result<()> {
    must_change!(tx, SET_FEED, business, id, feed)
}

const REMOVE: &str = "
    UPDATE channels SET removed_at = $3, import_url = NULL, webhook_token_hash = NULL, webhook_secret = NULL,
        polled = $4, feed_id = NULL
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Ends it, and forgets its secrets. Its bookings stay. A removed one is `NotFound`.
pub async fn remove(tx: &mut Tx, business: BusinessId, id: ChannelId, now: DateTime<Utc>) -> Result<()> {
    must_change!(tx, REMOVE, business, id, now, false)
}

/// Enqueues the reading of a channel, at `due_at`.
pub async fn enqueue_poll(
    tx: &mut Tx,
    channel: &Channel,
    queue: QueueClass,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<JobRef> {
    let job = NewJob {
        business: Some(channel.business_id),
        kind: JobKind::PollChannel,
        subject: channel.id.0,
        queue,
        due_at,
    };
    jobs::enqueue(tx, job, now).await
}

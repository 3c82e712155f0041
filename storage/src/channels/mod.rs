//! Resources on platforms: where their feeds are, how each was last read, and what waits for somebody's word.
//!
//! `exposed` says what platforms do not know, `items` is what a feed says, `reading` how it was last read, `runs` what came of that, `published` what the platform
//! has read of ours, `webhooks` what channel managers tell us.

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
use secrecy::SecretString;

use crate::{
    Db, StorageError, Tx,
    jobs::{self, JobRef, NewJob},
    on_db,
    seal::{AssociatedData, Keyring},
    secret,
};

pub use feed_read::{ChannelQuarantine, FeedReadOutcome, hold, look_again, note_read};

/// A resource on a platform, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Channel {
    /// Which.
    pub id: ChannelId,
    /// The tenant.
    pub business_id: BusinessId,
    /// What is sold there.
    pub resource_id: ResourceId,
    /// The platform's id.
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
    /// The last try.
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

/// A channel to be made.
#[derive(Clone, Debug)]
pub struct NewChannel<'a> {
    /// The tenant.
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    /// The platform's id.
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

/// An address to read.
#[derive(Clone, Copy, Debug)]
pub struct ImportAddress<'a> {
    /// The address; whoever has it reads who comes.
    pub url: &'a SecretString,
    /// Its host.
    pub host: &'a str,
}

impl ImportAddress<'_> {
    fn digest(&self) -> String {
        secret::digest(self.url)
    }
}

fn place(id: ChannelId) -> AssociatedData {
    AssociatedData { column: "channels.import_url", row: id.0 }
}

const CREATE: &str = concat!(
    "INSERT INTO channels (id, business_id, resource_id, platform, state, preference, blocks, import_url, import_host,
         import_digest, polled, quarantined_items, quarantined_total, created_at)
     SELECT $1, $2, $3, $4, 'active', $5, $6, $7, $8, $9, $10, 0, 0, $11
     WHERE EXISTS (SELECT 1 FROM resources WHERE business_id = $2 AND id = $3)
     RETURNING ",
    columns!()
);

const REVIVE: &str = concat!(
    "UPDATE channels SET removed_at = NULL, state = 'active', preference = $4, blocks = $5, polled = $6
     WHERE id = (SELECT id FROM channels
                 WHERE business_id = $1 AND resource_id = $2 AND platform = $3 AND import_digest = $7
                   AND removed_at IS NOT NULL
                 ORDER BY removed_at DESC, id LIMIT 1)
     RETURNING ",
    columns!()
);

/// Takes up a channel again that was removed and read the same address, with all that is known of it: else what it
/// brought would come a second time. `None`: there was none.
async fn revive(tx: &mut Tx, ring: &Keyring, new: &NewChannel<'_>) -> Result<Option<Channel>, StorageError> {
    let Some(import) = new.import else { return Ok(None) };
    let revived: Option<Channel> = on_db!(tx, c => sqlx::query_as(REVIVE)
        .bind(new.business)
        .bind(new.resource)
        .bind(new.platform)
        .bind(new.preference)
        .bind(new.blocks)
        .bind(new.polled)
        .bind(import.digest())
        .fetch_optional(c)
        .await)?;
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
) -> Result<Channel, StorageError> {
    if let Some(revived) = revive(tx, ring, new).await? {
        return Ok(revived);
    }
    let id = ChannelId::new(now);
    Ok(on_db!(tx, c => sqlx::query_as(CREATE)
        .bind(id)
        .bind(new.business)
        .bind(new.resource)
        .bind(new.platform)
        .bind(new.preference)
        .bind(new.blocks)
        .bind(new.import.map(|import| ring.seal(import.url, place(id))))
        .bind(new.import.map_or("", |import| import.host))
        .bind(new.import.map(|import| import.digest()))
        .bind(new.polled)
        .bind(now)
        .fetch_one(c)
        .await)?)
}

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM channels WHERE business_id = $1 AND removed_at IS NULL ORDER BY resource_id, created_at, id"
);

/// The channels of a business, those of one resource together.
pub async fn list(db: &Db, business: BusinessId) -> Result<Vec<Channel>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(LIST).bind(business).fetch_all(c).await)?)
}

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM channels WHERE business_id = $1 AND id = $2 AND removed_at IS NULL"
);

/// One channel that is not removed.
pub async fn find(db: &Db, business: BusinessId, id: ChannelId) -> Result<Option<Channel>, StorageError> {
    Ok(on_db!(db, c => sqlx::query_as(FIND).bind(business).bind(id).fetch_optional(c).await)?)
}

const BY_ADDRESS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM channels WHERE business_id = $1 AND resource_id = $2 AND platform = $3 AND removed_at IS NULL
      AND (import_digest = $4 OR ($4 IS NULL AND import_digest IS NULL AND NOT polled))
      ORDER BY created_at, id LIMIT 1"
);

/// What reads an address for a resource.
#[derive(Clone, Copy, Debug)]
pub struct ListingKey<'a> {
    /// The tenant.
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    /// The platform's id.
    pub platform: &'a str,
    /// The address, in its one spelling; `None`: files are taken.
    pub url: Option<&'a SecretString>,
}

macro_rules! by_address {
    ($place:expr, $listing:expr) => {{
        let ListingKey { business, resource, platform, url } = $listing;
        Ok(on_db!($place, c => sqlx::query_as(BY_ADDRESS)
            .bind(business)
            .bind(resource)
            .bind(platform)
            .bind(url.map(secret::digest))
            .fetch_optional(c)
            .await)?)
    }};
}

/// The channel of a listing.
pub async fn by_address(db: &Db, listing: ListingKey<'_>) -> Result<Option<Channel>, StorageError> {
    by_address!(db, listing)
}

/// The same for whoever has a transaction in hand; nothing is locked.
pub async fn find_by_listing_in(
    tx: &mut Tx,
    listing: ListingKey<'_>,
) -> Result<Option<Channel>, StorageError> {
    by_address!(tx, listing)
}

const OF_ADDRESS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM channels WHERE business_id = $1 AND import_digest = $2 AND removed_at IS NULL ORDER BY created_at, id"
);

/// The channels that read this address, for whatever resource.
pub async fn of_address(
    db: &Db,
    business: BusinessId,
    url: &SecretString,
) -> Result<Vec<Channel>, StorageError> {
    let digest = secret::digest(url);
    Ok(on_db!(db, c => sqlx::query_as(OF_ADDRESS).bind(business).bind(digest).fetch_all(c).await)?)
}

const LOCK: &str = concat!(
    "UPDATE channels SET removed_at = removed_at WHERE business_id = $1 AND id = $2 AND removed_at IS NULL RETURNING ",
    columns!()
);

/// Locks the row until the end of the transaction. A removed one is `NotFound`.
pub async fn lock(tx: &mut Tx, business: BusinessId, id: ChannelId) -> Result<Channel, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(LOCK).bind(business).bind(id).fetch_one(c).await)?)
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
const SET: &str = concat!(
    "UPDATE channels SET state = $3, preference = $4, blocks = $5, interval_minutes = $6,
         etag = CASE WHEN blocks = $5 THEN etag END, last_modified = CASE WHEN blocks = $5 THEN last_modified END,
         body_digest = CASE WHEN blocks = $5 THEN body_digest END
     WHERE business_id = $1 AND id = $2 AND removed_at IS NULL RETURNING ",
    columns!()
);

/// Changes its settings. A removed one is `NotFound`.
pub async fn set(
    tx: &mut Tx,
    business: BusinessId,
    id: ChannelId,
    settings: &ChannelSettings,
) -> Result<Channel, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(SET)
        .bind(business)
        .bind(id)
        .bind(settings.state)
        .bind(settings.preference)
        .bind(settings.blocks)
        .bind(settings.interval_minutes)
        .fetch_one(c)
        .await)?)
}

const SET_IMPORT: &str = concat!(
    "UPDATE channels SET import_url = $3, import_host = $4, import_digest = $5, polled = $6, etag = NULL,
         last_modified = NULL, body_digest = NULL, failing_since = NULL, last_error = NULL
     WHERE business_id = $1 AND id = $2 AND removed_at IS NULL RETURNING ",
    columns!()
);

/// Gives it another address to read, or none. What is known of the old one stays known, so that what the new one lacks
/// is seen to be missing. `Exists`: the same address is read for its resource already.
pub async fn set_import(
    tx: &mut Tx,
    ring: &Keyring,
    (business, id): (BusinessId, ChannelId),
    import: Option<ImportAddress<'_>>,
    polled: bool,
) -> Result<Channel, StorageError> {
    Ok(on_db!(tx, c => sqlx::query_as(SET_IMPORT)
        .bind(business)
        .bind(id)
        .bind(import.map(|import| ring.seal(import.url, place(id))))
        .bind(import.map_or("", |import| import.host))
        .bind(import.map(|import| import.digest()))
        .bind(polled)
        .fetch_one(c)
        .await)?)
}

const SET_FEED: &str =
    "UPDATE channels SET feed_id = $3 WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Says by which feed it is published.
pub async fn set_feed(
    tx: &mut Tx,
    business: BusinessId,
    id: ChannelId,
    feed: FeedId,
) -> Result<(), StorageError> {
    let changed = on_db!(tx, c => sqlx::query(SET_FEED)
        .bind(business)
        .bind(id)
        .bind(feed)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

const REMOVE: &str = "
    UPDATE channels SET removed_at = $3, import_url = NULL, webhook_token_hash = NULL, webhook_secret = NULL,
        polled = $4, feed_id = NULL
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL";

/// Ends it, and forgets its secrets. Its bookings stay. A removed one is `NotFound`.
pub async fn remove(
    tx: &mut Tx,
    business: BusinessId,
    id: ChannelId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let changed = on_db!(tx, c => sqlx::query(REMOVE)
        .bind(business)
        .bind(id)
        .bind(now)
        .bind(false)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if changed == 0 { Err(StorageError::NotFound) } else { Ok(()) }
}

const IMPORT_URL: &str = "
    SELECT import_url FROM channels
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL AND import_url IS NOT NULL";

/// The address that is read; `None`: there is none. `Sealed`: no key opens it.
pub async fn import_url(
    db: &Db,
    ring: &Keyring,
    business: BusinessId,
    id: ChannelId,
) -> Result<Option<SecretString>, StorageError> {
    let sealed: Option<String> =
        on_db!(db, c => sqlx::query_scalar(IMPORT_URL).bind(business).bind(id).fetch_optional(c).await)?;
    sealed.map(|sealed| ring.open(&sealed, place(id))).transpose()
}

/// Enqueues the reading of a channel, at `due_at`.
pub async fn enqueue_poll(
    tx: &mut Tx,
    channel: &Channel,
    queue: QueueClass,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<JobRef, StorageError> {
    let job = NewJob {
        business: Some(channel.business_id),
        kind: JobKind::PollChannel,
        subject: channel.id.0,
        queue,
        due_at,
    };
    jobs::enqueue(tx, job, now).await
}

const SEALED: &str = "SELECT id, import_url, webhook_secret FROM channels WHERE removed_at IS NULL";
const SEAL_URL: &str = "UPDATE channels SET import_url = $3 WHERE id = $1 AND import_url = $2";
const SEAL_SECRET: &str = "UPDATE channels SET webhook_secret = $3 WHERE id = $1 AND webhook_secret = $2";

/// Seals again, with the current key, what another one has sealed. Returns how many secrets those were.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64, StorageError> {
    let rows: Vec<(ChannelId, Option<String>, Option<String>)> =
        on_db!(tx, c => sqlx::query_as(SEALED).fetch_all(c).await)?;
    let mut sealed = 0;
    for (id, url, secret) in rows {
        for (old, place, text) in [(url, place(id), SEAL_URL), (secret, webhooks::place(id), SEAL_SECRET)] {
            let Some(old) = old.filter(|old| !ring.is_current(old)) else { continue };
            let new = ring.seal(&ring.open(&old, place)?, place);
            on_db!(tx, c => sqlx::query(text).bind(id).bind(&old).bind(&new).execute(c).await.map(drop))?;
            sealed += 1;
        }
    }
    Ok(sealed)
}

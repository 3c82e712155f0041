//! Published iCalendar feeds: who may read what, and since when it is unchanged.

use chrono::{DateTime, Utc};
use concord_domain::{
    feed::FeedScope,
    ids::{BusinessId, ChannelId, FeedId, ResourceId, StaffId},
    privacy::FeedPrivacy,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Db, Result, Tx,
    api_keys::display_prefix,
    seal::{AssociatedData, Keyring},
    secret,
};

/// What the tokens of feeds begin with, so that people, secret scanners and we ourselves know an address of one.
pub const TOKEN_PREFIX: &str = "cf_";

/// A feed, without its token.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct Feed {
    pub id: FeedId,
    pub business_id: BusinessId,
    /// Whose bookings it shows.
    pub scope: FeedScope,
    /// The resource or staff member; `None` for the business.
    pub subject_id: Option<Uuid>,
    pub name: String,
    /// How much it tells.
    pub privacy: FeedPrivacy,
    /// How its token begins, by which a person knows it again.
    pub token_prefix: String,
    /// Counts the changes of the feed's own settings; what its readers see is counted by `revision_of`.
    pub revision: i64,
    /// When a reader last had an answer.
    pub last_read_at: Option<DateTime<Utc>>,
    /// Since when it is no longer published.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When its own settings last changed.
    pub changed_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Feed {
    /// What the history says of it, whoever changed it: by a page as by the API.
    pub fn for_history(&self) -> Value {
        json!({ "name": self.name, "scope": self.scope, "privacy": self.privacy })
    }
}

/// What a feed is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedSubject {
    /// All of the business.
    Business,
    Resource(ResourceId),
    Staff(StaffId),
    /// The round of one driver.
    Driver(StaffId),
    /// One resource, for a platform.
    Channel(ChannelId),
}

impl FeedSubject {
    fn columns(self) -> (FeedScope, Option<Uuid>) {
        match self {
            Self::Business => (FeedScope::Business, None),
            Self::Resource(id) => (FeedScope::Resource, Some(id.0)),
            Self::Staff(id) => (FeedScope::Staff, Some(id.0)),
            Self::Driver(id) => (FeedScope::Driver, Some(id.0)),
            Self::Channel(id) => (FeedScope::Channel, Some(id.0)),
        }
    }
}

/// A feed to be published.
#[derive(Clone, Debug)]
pub struct NewFeed {
    pub business: BusinessId,
    /// What it is about.
    pub subject: FeedSubject,
    pub name: String,
    /// How much it tells.
    pub privacy: FeedPrivacy,
}

macro_rules! columns {
    () => {
        "id, business_id, scope, subject_id, name, privacy, token_prefix, revision, last_read_at, revoked_at,
         changed_at, created_at"
    };
}

const CREATE: &str = returning!(
    "INSERT INTO feeds (id, business_id, scope, subject_id, name, privacy, token_hash, token_prefix, revision,
         changed_at, created_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $9
     WHERE $3 = 'business'
        OR ($3 = 'resource' AND EXISTS (SELECT 1 FROM resources WHERE business_id = $2 AND id = $4))
        OR ($3 IN ('staff', 'driver') AND EXISTS (SELECT 1 FROM staff WHERE business_id = $2 AND id = $4))
        OR ($3 = 'channel' AND EXISTS (SELECT 1 FROM channels WHERE business_id = $2 AND id = $4))"
);

/// Publishes a feed under a token of `secret::new_token`. `NotFound`: its subject is not of the business.
pub async fn create(tx: &mut Tx, new: &NewFeed, token: &SecretString, now: DateTime<Utc>) -> Result<Feed> {
    let (scope, subject) = new.subject.columns();
    one!(tx, CREATE;
        FeedId::new(now), new.business, scope, subject, &new.name, new.privacy, secret::digest(token),
        display_prefix(token), now
    )
}

const LIST: &str =
    select!("FROM feeds WHERE business_id = $1 AND revoked_at IS NULL ORDER BY created_at, id");

/// The feeds that a business publishes, in the order of their making.
pub async fn list(db: &Db, business: BusinessId) -> Result<Vec<Feed>> {
    all!(db, LIST, business)
}

const FIND: &str = select!("FROM feeds WHERE business_id = $1 AND id = $2");

/// One feed, revoked or not.
pub async fn find(db: &Db, business: BusinessId, id: FeedId) -> Result<Option<Feed>> {
    optional!(db, FIND, business, id)
}

// The revisions only ever grow, so their sum changes when one of them does.
macro_rules! revision {
    () => {
        "feeds.revision + b.revision + CAST(COALESCE(CASE feeds.scope
            WHEN 'resource' THEN
                (SELECT r.revision FROM resources r WHERE r.business_id = b.id AND r.id = feeds.subject_id)
            WHEN 'staff' THEN
                (SELECT s.revision FROM staff s WHERE s.business_id = b.id AND s.id = feeds.subject_id)
            WHEN 'driver' THEN
                (SELECT s.revision FROM staff s WHERE s.business_id = b.id AND s.id = feeds.subject_id)
            WHEN 'channel' THEN
                (SELECT r.revision FROM channels k JOIN resources r ON r.id = k.resource_id
                 WHERE k.business_id = b.id AND k.id = feeds.subject_id)
            ELSE (SELECT COALESCE(SUM(r.revision), 0) FROM resources r WHERE r.business_id = b.id)
                + (SELECT COALESCE(SUM(s.revision), 0) FROM staff s WHERE s.business_id = b.id)
            END, 0) AS bigint)"
    };
}

/// A feed as its readers find it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct PublishedFeed {
    #[sqlx(flatten)]
    pub feed: Feed,
    /// Grows with every change that a reader could see, in its settings or in what it shows.
    pub contents: i64,
}

const FIND_PUBLISHED: &str = concat!(
    "SELECT feeds.id, business_id, scope, subject_id, feeds.name, privacy, token_prefix, feeds.revision, last_read_at,
         revoked_at, changed_at, feeds.created_at, ",
    revision!(),
    " AS contents FROM feeds JOIN businesses b ON b.id = feeds.business_id
      WHERE token_hash = $1 AND revoked_at IS NULL"
);

/// The feed that is published under the token with this digest (`secret::digest`), as it is now.
pub async fn find_published(db: &Db, digest: &str) -> Result<Option<PublishedFeed>> {
    optional!(db, FIND_PUBLISHED, digest)
}

const CHANGED_AT: &str = "
    SELECT changed_at FROM feed_contents WHERE business_id = $1 AND feed_id = $2 AND form = $3 AND digest = $4";
const NOTE_CONTENTS: &str = "
    INSERT INTO feed_contents (business_id, feed_id, form, digest, changed_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (feed_id, form) DO UPDATE SET
        changed_at = CASE WHEN feed_contents.digest = excluded.digest THEN feed_contents.changed_at
                          ELSE excluded.changed_at END,
        digest = excluded.digest
    RETURNING changed_at";

/// Since when a feed of the business, in this form, has the contents with this digest: `now`, unless it had them when it was
/// last rendered, by whatever process.
pub async fn contents_since(
    db: &Db,
    (business, feed): (BusinessId, FeedId),
    (form, digest): (&str, &str),
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let known: Option<DateTime<Utc>> = optional_scalar!(db, CHANGED_AT, business, feed, form, digest)?;
    if let Some(since) = known {
        return Ok(since);
    }
    in_tx!(db, tx => scalar!(tx, NOTE_CONTENTS, business, feed, form, digest, now))
}

const ROTATE: &str = returning!(
    "UPDATE feeds SET token_hash = $3, token_prefix = $4, revision = revision + 1, changed_at = $5,
         token_sealed = CASE WHEN token_sealed IS NULL THEN NULL ELSE $6 END
     WHERE business_id = $1 AND id = $2 AND revoked_at IS NULL"
);

/// Publishes it under a new token, which is kept if the old one was; that opens nothing any more. A revoked feed is
/// `NotFound`.
pub async fn rotate(
    tx: &mut Tx,
    ring: &Keyring,
    (business, id): (BusinessId, FeedId),
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<Feed> {
    let sealed = ring.seal(token, associated_data(id));
    one!(tx, ROTATE, business, id, secret::digest(token), display_prefix(token), now, sealed)
}

const LOCK: &str = returning!(
    "UPDATE feeds SET revision = revision + 1
     WHERE business_id = $1 AND id = $2 AND revoked_at IS NULL"
);

/// Locks the row until the end of the transaction, for whoever changes a part of what it says. A revoked feed is
/// `NotFound`.
pub async fn lock(tx: &mut Tx, business: BusinessId, id: FeedId) -> Result<Feed> {
    one!(tx, LOCK, business, id)
}

const UPDATE: &str = returning!(
    "UPDATE feeds SET name = $3, privacy = $4, revision = revision + 1, changed_at = $5
     WHERE business_id = $1 AND id = $2 AND revoked_at IS NULL"
);

/// Changes what it is called and how much it tells. A revoked feed is `NotFound`.
pub async fn update(
    tx: &mut Tx,
    business: BusinessId,
    id: FeedId,
    name: &str,
    privacy: FeedPrivacy,
    now: DateTime<Utc>,
) -> Result<Feed> {
    one!(tx, UPDATE, business, id, name, privacy, now)
}

fn associated_data(id: FeedId) -> AssociatedData {
    AssociatedData { column: "feeds.token", row: id.0 }
}

const STORE_TOKEN: &str = "UPDATE feeds SET token_sealed = $3 WHERE business_id = $1 AND id = $2";

/// Keeps the token of a feed, sealed, for those who come back for its address. Most feeds are shown once.
pub async fn remember(tx: &mut Tx, ring: &Keyring, feed: &Feed, token: &SecretString) -> Result<()> {
    exec!(tx, STORE_TOKEN, feed.business_id, feed.id, ring.seal(token, associated_data(feed.id)))
}

const FIND_TOKEN: &str = "
    SELECT token_sealed FROM feeds
    WHERE business_id = $1 AND id = $2 AND revoked_at IS NULL AND token_sealed IS NOT NULL";

/// The token of a feed that is published and whose token was kept.
pub async fn remembered(
    db: &Db,
    ring: &Keyring,
    business: BusinessId,
    id: FeedId,
) -> Result<Option<SecretString>> {
    let sealed: Option<String> = optional_scalar!(db, FIND_TOKEN, business, id)?;
    sealed.map(|sealed| ring.open(&sealed, associated_data(id))).transpose()
}

const FIND_BUSINESS_FEED: &str = select!(
    "FROM feeds
      WHERE business_id = $1 AND scope = 'business' AND revoked_at IS NULL AND token_sealed IS NOT NULL
      ORDER BY created_at, id LIMIT 1"
);

/// The first feed of the whole business whose token was kept.
pub async fn find_business_feed(db: &Db, business: BusinessId) -> Result<Option<Feed>> {
    optional!(db, FIND_BUSINESS_FEED, business)
}

/// The token of that feed, for whoever has a transaction in hand.
pub async fn find_business_feed_token(
    tx: &mut Tx,
    ring: &Keyring,
    business: BusinessId,
) -> Result<Option<SecretString>> {
    let feed: Option<Feed> = optional!(tx, FIND_BUSINESS_FEED, business)?;
    let Some(feed) = feed else { return Ok(None) };
    let sealed: Option<String> = optional_scalar!(tx, FIND_TOKEN, business, feed.id)?;
    sealed.map(|sealed| ring.open(&sealed, associated_data(feed.id))).transpose()
}

const SEALED: &str = "SELECT id, token_sealed FROM feeds WHERE token_sealed IS NOT NULL";
const SEAL_AGAIN: &str = "UPDATE feeds SET token_sealed = $3 WHERE id = $1 AND token_sealed = $2";

/// Seals again, with the current key, what another one has sealed. Returns how many tokens those were.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    let rows: Vec<(FeedId, String)> = all!(tx, SEALED)?;
    let mut sealed = 0;
    for (id, old) in rows {
        let Some(new) = ring.reseal(&old, associated_data(id))? else { continue };
        exec!(tx, SEAL_AGAIN, id, &old, &new)?;
        sealed += 1;
    }
    Ok(sealed)
}

const REVOKE: &str = "
    UPDATE feeds SET revoked_at = $3, token_sealed = NULL, revision = revision + 1, changed_at = $3
    WHERE business_id = $1 AND id = $2 AND revoked_at IS NULL";

/// Ends its publication for good. A revoked feed is `NotFound`.
pub async fn revoke(tx: &mut Tx, business: BusinessId, id: FeedId, now: DateTime<Utc>) -> Result<()> {
    must_change!(tx, REVOKE, business, id, now)
}

const REVISION_OF: &str = concat!(
    "SELECT ",
    revision!(),
    " FROM feeds JOIN businesses b ON b.id = feeds.business_id WHERE feeds.business_id = $1 AND feeds.id = $2"
);

/// Grows with every change that a reader of the feed could see, in its settings or in what it shows.
pub async fn revision_of(db: &Db, feed: &Feed) -> Result<i64> {
    scalar!(db, REVISION_OF, feed.business_id, feed.id)
}

//! Who reads which feed, when, and what they have seen of it: one row a reader, written in batches.

use chrono::{DateTime, Utc};
use concord_domain::{
    feed::FeedScope,
    ids::{BusinessId, ChannelId, FeedId},
};

use crate::{Db, Result, Tx, channels::published, feeds::Feed};

/// What was read since it was last noted.
#[derive(Clone, Debug)]
pub struct NewFeedRead {
    /// The feed, as it was looked up by its token.
    pub feed: Feed,
    /// What the reader calls itself.
    pub reader: String,
    /// Where it last asked from.
    pub address: String,
    /// Whether it is a browser, and so a person who looks.
    pub person: bool,
    /// The revision that it has by now.
    pub revision: i64,
    /// How often it asked.
    pub reads: i64,
    /// When it last did.
    pub at: DateTime<Utc>,
}

/// A reader of a feed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct FeedRead {
    /// What it calls itself.
    pub reader: String,
    /// Where it last asked from.
    pub address: String,
    /// Whether it is a browser, and so a person who looks.
    pub person: bool,
    /// The revision that it has.
    pub revision: i64,
    /// How often it asked.
    pub reads: i64,
    /// When it first did.
    pub first_read_at: DateTime<Utc>,
    /// When it last did.
    pub read_at: DateTime<Utc>,
}

const RECORD: &str = "
    INSERT INTO feed_reads (feed_id, business_id, reader, address, person, revision, reads, first_read_at, read_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
    ON CONFLICT (feed_id, reader) DO UPDATE SET
        address = excluded.address, person = excluded.person, reads = feed_reads.reads + excluded.reads,
        revision = CASE WHEN excluded.revision > feed_reads.revision
            THEN excluded.revision ELSE feed_reads.revision END,
        read_at = CASE WHEN excluded.read_at > feed_reads.read_at THEN excluded.read_at ELSE feed_reads.read_at END";
const TOUCH: &str = "
    UPDATE feeds SET last_read_at = $3
    WHERE business_id = $1 AND id = $2 AND (last_read_at IS NULL OR last_read_at < $3)";

/// Writes down who has read what, and what platforms know by it.
pub async fn note(tx: &mut Tx, reads: &[NewFeedRead]) -> Result<()> {
    for read in reads {
        exec!(tx, RECORD;
            read.feed.id, read.feed.business_id, &read.reader, &read.address, read.person, read.revision,
            read.reads, read.at
        )?;
        exec!(tx, TOUCH, read.feed.business_id, read.feed.id, read.at)?;
        if let (FeedScope::Channel, Some(channel), false) =
            (read.feed.scope, read.feed.subject_id, read.person)
        {
            published::note_read(tx, ChannelId(channel), read.revision, read.at).await?;
        }
    }
    Ok(())
}

const DELETE_FOR_FEED: &str = "DELETE FROM feed_reads WHERE feed_id = $1";

/// Forgets who has read a feed: its address is another one from now on, which nobody has read.
pub async fn forget(tx: &mut Tx, feed: FeedId) -> Result<()> {
    exec!(tx, DELETE_FOR_FEED, feed)
}

const LIST_FOR_FEED: &str = "
    SELECT reader, address, person, revision, reads, first_read_at, read_at FROM feed_reads
    WHERE business_id = $1 AND feed_id = $2 ORDER BY read_at DESC, reader LIMIT 100";

/// The readers of a feed, the last one first; at most a hundred.
pub async fn of_feed(db: &Db, business: BusinessId, feed: FeedId) -> Result<Vec<FeedRead>> {
    all!(db, LIST_FOR_FEED, business, feed)
}

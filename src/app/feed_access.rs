//! Who reads which feed, and which revision of it: gathered in memory, and written down every few seconds at once.
//!
//! A read waits for this in one case: what a platform has read first is written down before it has it, since by that an
//! echo is told from a booking when its own feed is read, and that may be a moment later. What could not be written stays for the next time; where there are more readers than
//! anybody can mean, the newest are left out.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use concord_domain::{feed::FeedScope, ids::FeedId};
use concord_storage::{
    Db, StorageError,
    feed_reads::{self, NewFeedRead},
    feeds::Feed,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Readers of all feeds together, between two writings.
const MAX_READERS: usize = 10_000;

const UNKNOWN_ADDRESS: &str = "unknown";

/// What was read since it was last written down; clones share it.
#[derive(Clone, Debug, Default)]
pub struct FeedAccessLog(Arc<FeedAccessLogState>);

#[derive(Debug, Default)]
struct FeedAccessLogState {
    gathered: Mutex<PendingFeedReads>,
    /// Held while something is written: whoever flushes finds all of it written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct PendingFeedReads {
    feeds: BTreeMap<FeedId, BTreeMap<String, NewFeedRead>>,
    readers: usize,
    left_out: u64,
    /// What platforms are known to have, by the feeds of their channels.
    platforms: BTreeMap<FeedId, i64>,
}

/// A reading that was answered.
pub(crate) struct FeedAccess<'a> {
    pub(crate) feed: &'a Feed,
    /// What the reader calls itself.
    pub(crate) reader: Cow<'a, str>,
    /// Whether whom the feed is for knows by it what it says, or somebody else has had a look.
    pub(crate) is_theirs: bool,
    pub(crate) address: Option<IpAddr>,
    /// What the reader has by the answer.
    pub(crate) revision: i64,
    pub(crate) at: DateTime<Utc>,
}

impl FeedAccess<'_> {
    fn to_read(&self) -> NewFeedRead {
        NewFeedRead {
            feed: self.feed.clone(),
            reader: self.reader.clone().into_owned(),
            address: self.address.map_or_else(|| UNKNOWN_ADDRESS.to_owned(), |address| address.to_string()),
            person: !self.is_theirs,
            revision: self.revision,
            reads: 1,
            at: self.at,
        }
    }
}

impl FeedAccessLog {
    /// Remembers a reading. `true`: it must be written down before it is answered, by `flush`.
    #[must_use]
    pub(crate) fn record(&self, reading: &FeedAccess<'_>) -> bool {
        let mut gathered = self.lock_pending();
        gathered.add(reading.to_read());
        gathered.must_flush_now(reading)
    }

    /// Writes down what was gathered, in one transaction. What fails is kept for the next time.
    pub async fn flush(&self, db: &Db) -> Result<(), StorageError> {
        let _alone = self.0.writing.lock().await;
        let gathered = {
            let mut gathered = self.lock_pending();
            let platforms = std::mem::take(&mut gathered.platforms);
            let taken = std::mem::take(&mut *gathered);
            gathered.platforms = platforms;
            taken
        };
        if gathered.left_out > 0 {
            tracing::warn!(reads = gathered.left_out, "too many readers of feeds: some were not noted");
        }
        let reads: Vec<NewFeedRead> = gathered.feeds.into_values().flat_map(BTreeMap::into_values).collect();
        if reads.is_empty() {
            return Ok(());
        }
        let written = async {
            // What a platform has must be known for good before it has it: else its echo would be booked.
            let is_of_channels = reads.iter().any(|read| read.feed.scope == FeedScope::Channel);
            // Whichever request makes them be written down, its own work is another.
            let mut tx = if is_of_channels {
                db.begin().await?.without_key()
            } else {
                db.begin_async_commit().await?
            };
            feed_reads::note(&mut tx, &reads).await?;
            tx.commit().await
        };
        let written = written.await;
        let mut gathered = self.lock_pending();
        if written.is_ok() {
            let channels = reads.iter().filter(|read| read.feed.scope == FeedScope::Channel && !read.person);
            for read in channels {
                let known = gathered.platforms.entry(read.feed.id).or_default();
                *known = read.revision.max(*known);
            }
        } else {
            for read in reads {
                gathered.add(read);
            }
        }
        written
    }

    /// Writes down what was gathered every so often until `shutdown`, and then once more.
    pub async fn flush_periodically(self, db: Db, every: Duration, shutdown: CancellationToken) {
        let mut beat = tokio::time::interval(every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                () = shutdown.cancelled() => true,
                _ = beat.tick() => false,
            };
            if let Err(error) = self.flush(&db).await {
                tracing::warn!(%error, "it was not noted who has read feeds");
            }
            if is_last {
                return;
            }
        }
    }

    fn lock_pending(&self) -> MutexGuard<'_, PendingFeedReads> {
        self.0.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingFeedReads {
    /// Whether a platform has something by it that it was not known to have.
    fn must_flush_now(&self, reading: &FeedAccess<'_>) -> bool {
        let known = self.platforms.get(&reading.feed.id).copied();
        reading.feed.scope == FeedScope::Channel
            && reading.is_theirs
            && known.is_none_or(|known| known < reading.revision)
    }

    /// Adds a reading to those of its reader.
    fn add(&mut self, read: NewFeedRead) {
        let known = self.feeds.get_mut(&read.feed.id).and_then(|readers| readers.get_mut(&read.reader));
        if let Some(known) = known {
            known.reads += read.reads;
            known.revision = known.revision.max(read.revision);
            // One name stands for both: then a program is among them.
            known.person &= read.person;
            if read.address != UNKNOWN_ADDRESS && (read.at >= known.at || known.address == UNKNOWN_ADDRESS) {
                known.address = read.address;
            }
            known.at = known.at.max(read.at);
        } else if self.readers < MAX_READERS {
            self.readers += 1;
            self.feeds.entry(read.feed.id).or_default().insert(read.reader.clone(), read);
        } else {
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use concord_domain::privacy::FeedPrivacy;
    use concord_storage::{
        feeds::{self, FeedSubject, NewFeed},
        secret, testing,
    };

    use super::*;

    async fn feed(db: &Db) -> Feed {
        let business = testing::business(db).await;
        let new = NewFeed {
            business: business.id,
            subject: FeedSubject::Business,
            name: "All".to_owned(),
            privacy: FeedPrivacy::Busy,
        };
        let mut tx = testing::begin(db).await;
        let feed = feeds::create(&mut tx, &new, &secret::new_token("cf_"), testing::monday()).await.unwrap();
        testing::commit(tx).await;
        feed
    }

    fn reading<'a>(feed: &'a Feed, reader: &'a str, revision: i64, minute: i64) -> FeedAccess<'a> {
        let address = "203.0.113.7".parse().ok();
        FeedAccess {
            feed,
            reader: reader.into(),
            is_theirs: true,
            address,
            revision,
            at: testing::at(minute),
        }
    }

    #[tokio::test]
    async fn readings_are_gathered_by_reader_and_written_at_once() {
        let db = testing::sqlite().await;
        let feed = feed(&db).await;
        let record = FeedAccessLog::default();
        for (reader, revision, minute) in [("Vrbo", 3, 1), ("Vrbo", 5, 2), ("Vrbo", 4, 3), ("Apple", 2, 1)] {
            let _ = record.record(&reading(&feed, reader, revision, minute));
        }
        let written = async || feed_reads::of_feed(&db, feed.business_id, feed.id).await.unwrap();
        assert_eq!(written().await, []);
        record.flush(&db).await.unwrap();
        let readers = written().await;
        let shown: Vec<_> =
            readers.iter().map(|one| (one.reader.as_str(), one.revision, one.reads, one.read_at)).collect();
        assert_eq!(shown, [("Vrbo", 5, 3, testing::at(3)), ("Apple", 2, 1, testing::at(1))]);
        record.flush(&db).await.unwrap();
        assert_eq!(written().await, readers, "nothing is written twice");
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_kept() {
        let (db, closed) = (testing::sqlite().await, testing::sqlite().await);
        let feed = feed(&db).await;
        let record = FeedAccessLog::default();
        let _ = record.record(&reading(&feed, "Vrbo", 3, 1));
        closed.close().await;
        assert!(record.flush(&closed).await.is_err());
        let _ = record.record(&reading(&feed, "Vrbo", 4, 2));
        record.flush(&db).await.unwrap();
        let readers = feed_reads::of_feed(&db, feed.business_id, feed.id).await.unwrap();
        assert_eq!((readers[0].reads, readers[0].revision), (2, 4));
    }

    /// As after a flush that failed while the other one was recorded.
    #[tokio::test]
    async fn platform_read_stays_one_when_merged_with_a_persons() {
        let db = testing::sqlite().await;
        let feed = feed(&db).await;
        let address = "203.0.113.9".parse().ok();
        let person = FeedAccess { is_theirs: false, address, ..reading(&feed, "Reader", 4, 2) };
        let platform = reading(&feed, "Reader", 5, 1);
        for both in [[&person, &platform], [&platform, &person]] {
            let mut gathered = PendingFeedReads::default();
            for one in both {
                gathered.add(one.to_read());
            }
            let read = &gathered.feeds[&feed.id]["Reader"];
            assert_eq!((read.reads, read.revision, read.at), (2, 5, testing::at(2)));
            assert!(!read.person);
            assert_eq!(read.address, "203.0.113.9", "the later one's");
        }
    }

    #[tokio::test]
    async fn nobody_can_fill_the_memory_with_names() {
        let db = testing::sqlite().await;
        let feed = feed(&db).await;
        let record = FeedAccessLog::default();
        for number in 0..MAX_READERS + 5 {
            let _ = record.record(&reading(&feed, &number.to_string(), 1, 1));
        }
        let gathered = record.lock_pending();
        assert_eq!((gathered.readers, gathered.left_out), (MAX_READERS, 5));
    }

    /// Else an echo of what it has read would be taken for a booking, if its own feed is read a moment later.
    #[tokio::test]
    async fn first_platform_read_is_flushed_before_response() {
        let db = testing::sqlite().await;
        let feed = Feed { scope: FeedScope::Channel, ..feed(&db).await };
        let (record, platform) = (FeedAccessLog::default(), "Airbnb/1.0");
        let person = FeedAccess { is_theirs: false, ..reading(&feed, "Mozilla/5.0", 5, 0) };
        assert!(!record.record(&person), "a person is no platform");
        assert!(record.record(&reading(&feed, platform, 5, 1)));
        assert!(record.record(&reading(&feed, platform, 5, 2)), "it is not written down yet");
        record.lock_pending().platforms.insert(feed.id, 5);
        assert!(!record.record(&reading(&feed, platform, 5, 3)));
        assert!(record.record(&reading(&feed, platform, 6, 4)));
        let of_a_resource = Feed { scope: FeedScope::Resource, ..feed };
        assert!(!record.record(&reading(&of_a_resource, platform, 9, 5)));
    }
}

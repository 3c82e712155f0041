//! From tokens to feeds: who asks for the same feed at the same time is answered by one look into the database.
//!
//! Nothing is remembered from one look to the next, so that a change shows at once, whichever process made it. And a look
//! that began before somebody asked may have missed what changed in between: who asks meanwhile waits for the next one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use concord_storage::{
    Db, StorageError,
    feeds::{self, PublishedFeed},
};

/// The looks under way, by the digests of the tokens.
#[derive(Default)]
pub(super) struct FeedLookups(Mutex<HashMap<String, Arc<SharedLookup>>>);

#[derive(Default)]
struct SharedLookup {
    /// How many have asked.
    asked: AtomicU64,
    /// What the last look found. Held while one is under way.
    seen: tokio::sync::Mutex<Option<LookupResult>>,
}

struct LookupResult {
    /// How many had asked when it began: it is good for those.
    by: u64,
    found: Option<Arc<PublishedFeed>>,
}

impl FeedLookups {
    /// The feed that is published under the token with this digest, as it is now.
    pub(super) async fn find(
        &self,
        db: &Db,
        digest: &str,
    ) -> Result<Option<Arc<PublishedFeed>>, StorageError> {
        let asking = self.join(digest);
        let number = asking.turn.asked.fetch_add(1, Ordering::SeqCst);
        let mut seen = asking.turn.seen.lock().await;
        if let Some(seen) = seen.as_ref().filter(|seen| number < seen.by) {
            return Ok(seen.found.clone());
        }
        let by = asking.turn.asked.load(Ordering::SeqCst);
        let found = feeds::find_published(db, digest).await?.map(Arc::new);
        *seen = Some(LookupResult { by, found: found.clone() });
        Ok(found)
    }

    fn join<'a>(&'a self, digest: &'a str) -> LookupGuard<'a> {
        let mut turns = self.lock();
        let turn = match turns.get(digest) {
            Some(turn) => Arc::clone(turn),
            None => Arc::clone(turns.entry(digest.to_owned()).or_default()),
        };
        LookupGuard { lookups: self, digest, turn }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<SharedLookup>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who asks. The last one to leave a turn ends it, so that there are as many as there are requests in hand.
struct LookupGuard<'a> {
    lookups: &'a FeedLookups,
    digest: &'a str,
    turn: Arc<SharedLookup>,
}

impl Drop for LookupGuard<'_> {
    fn drop(&mut self) {
        let mut turns = self.lookups.lock();
        // One is the map's, the other ours; others are only made while the map is locked.
        if Arc::strong_count(&self.turn) <= 2 {
            turns.remove(self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use concord_domain::{clock::Clock, privacy::FeedPrivacy};
    use concord_storage::{
        feeds::{Feed, FeedSubject, NewFeed},
        secret, testing,
    };

    use super::*;

    async fn publish(db: &Db) -> (Feed, String) {
        let business = testing::business(db).await;
        let new = NewFeed {
            business: business.id,
            subject: FeedSubject::Business,
            name: "All".to_owned(),
            privacy: FeedPrivacy::Busy,
        };
        let token = secret::new_token("cf_");
        let mut tx = testing::begin(db).await;
        let feed = feeds::create(&mut tx, &new, &token, testing::monday()).await.unwrap();
        testing::commit(tx).await;
        (feed, secret::digest(&token))
    }

    #[tokio::test]
    async fn whoever_asks_after_a_change_sees_it() {
        let db = testing::sqlite().await;
        let lookups = FeedLookups::default();
        let (feed, digest) = publish(&db).await;
        for number in 0..20 {
            let before: Vec<_> = (0..30).map(|_| lookups.find(&db, &digest)).collect();
            let change = async {
                let name = format!("Changed {number}");
                let at = Clock::set_to(testing::monday()).now() + Duration::seconds(number);
                let mut tx = testing::begin(&db).await;
                feeds::update(&mut tx, feed.business_id, feed.id, &name, FeedPrivacy::Busy, at)
                    .await
                    .unwrap();
                testing::commit(tx).await;
                let after = futures::future::join_all((0..5).map(|_| lookups.find(&db, &digest))).await;
                after.into_iter().all(|found| found.unwrap().unwrap().feed.name == name)
            };
            let (before, after) = tokio::join!(futures::future::join_all(before), change);
            assert!(before.into_iter().all(|found| found.unwrap().is_some()));
            assert!(after, "a look that began before the change was taken for one after it");
        }
        assert!(lookups.lock().is_empty());
    }

    #[tokio::test]
    async fn an_unknown_token_leaves_nothing_behind() {
        let db = testing::sqlite().await;
        let lookups = FeedLookups::default();
        assert!(lookups.find(&db, &secret::digest(&secret::new_token("cf_"))).await.unwrap().is_none());
        drop(lookups.find(&db, "given up"));
        assert!(lookups.lock().is_empty());
    }
}

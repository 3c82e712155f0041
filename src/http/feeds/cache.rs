//! Feeds as they were last rendered: one rendering a feed and form, all of them within so many bytes.

use std::{future::Future, sync::Arc};

use chrono::NaiveDate;
use concord_domain::ids::FeedId;
use concord_storage::{StorageError, feeds::PublishedFeed};
use moka::future::Cache;

use super::render::{FeedVariant, RenderedBody};

/// What a rendering shows. It stands for the same bytes as long as nothing of it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FeedVersion {
    /// Of the settings that it was rendered by: they were read before `contents`, and may be older than it.
    settings: i64,
    /// Grows with everything that a reader could see.
    contents: i64,
    /// What was over before it is left out; it moves once a day.
    first_day: NaiveDate,
}

impl FeedVersion {
    /// Of a feed as it will be rendered.
    pub(super) fn new(published: &PublishedFeed, first_day: NaiveDate) -> Self {
        Self { settings: published.feed.revision, contents: published.contents, first_day }
    }
}

#[derive(Clone)]
pub(super) struct FeedCache(Cache<(FeedId, FeedVariant), CachedFeed>);

#[derive(Clone)]
struct CachedFeed {
    version: FeedVersion,
    /// A failure is kept for those alone who waited for the same rendering.
    rendered: Result<Arc<RenderedBody>, Arc<StorageError>>,
}

impl CachedFeed {
    fn bytes(&self) -> u32 {
        let rendered = self.rendered.as_ref().map_or(0, |rendered| rendered.memory_bytes());
        u32::try_from(size_of::<Self>() + rendered).unwrap_or(u32::MAX)
    }
}

impl FeedCache {
    /// `most`: bytes. Those that were read least go first.
    pub(super) fn new(most: u64) -> Self {
        Self(Cache::builder().max_capacity(most).weigher(|_, kept: &CachedFeed| kept.bytes()).build())
    }

    /// The feed in this version, if it is there, as it almost always is.
    pub(super) async fn find(
        &self,
        feed: (FeedId, FeedVariant),
        version: FeedVersion,
    ) -> Option<Arc<RenderedBody>> {
        let kept = self.0.get(&feed).await.filter(|kept| kept.version == version)?;
        kept.rendered.ok()
    }

    /// The feed in this version, rendered by `render` if it is not there: once, however many ask.
    pub(super) async fn get(
        &self,
        feed: (FeedId, FeedVariant),
        version: FeedVersion,
        render: impl Future<Output = Result<RenderedBody, StorageError>>,
    ) -> Result<Arc<RenderedBody>, Arc<StorageError>> {
        let rendering =
            async { CachedFeed { version, rendered: render.await.map(Arc::new).map_err(Arc::new) } };
        let is_other = |kept: &CachedFeed| kept.version != version || kept.rendered.is_err();
        self.0.entry(feed).or_insert_with_if(rendering, is_other).await.into_value().rendered
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const NIL: (FeedId, FeedVariant) = (FeedId(uuid::Uuid::nil()), FeedVariant::Calendar);

    fn version(settings: i64, contents: i64) -> FeedVersion {
        FeedVersion { settings, contents, first_day: "2026-11-21".parse().unwrap() }
    }

    /// Renders `text` in `version`, and counts if it had to.
    async fn read(kept: &FeedCache, version: FeedVersion, text: &str, count: &AtomicU32) -> Vec<u8> {
        let render = async {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(RenderedBody::new(text.as_bytes().to_vec(), chrono::DateTime::UNIX_EPOCH))
        };
        let rendered = kept.get(NIL, version, render).await.unwrap();
        rendered.plain.to_vec()
    }

    #[tokio::test]
    async fn what_has_not_moved_is_rendered_once() {
        let (kept, count) = (FeedCache::new(1 << 20), AtomicU32::new(0));
        let one = || read(&kept, version(1, 1), "one", &count);
        let all = futures::future::join_all((0..20).map(|_| one())).await;
        assert!(all.iter().all(|bytes| bytes == b"one"));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn settings_that_were_read_too_early_are_not_served_later() {
        let (kept, count) = (FeedCache::new(1 << 20), AtomicU32::new(0));
        assert_eq!(read(&kept, version(1, 2), "full, though it is busy by now", &count).await.len(), 30);
        assert_eq!(read(&kept, version(2, 2), "busy", &count).await, b"busy");
    }

    #[tokio::test]
    async fn one_rendering_of_a_feed_is_kept() {
        let (kept, count) = (FeedCache::new(1 << 30), AtomicU32::new(0));
        for contents in 0..50 {
            read(&kept, version(1, contents), &"x".repeat(10_000), &count).await;
        }
        kept.0.run_pending_tasks().await;
        assert_eq!(kept.0.entry_count(), 1);
        assert!(kept.0.weighted_size() < 20_000, "{}", kept.0.weighted_size());
    }

    #[tokio::test]
    async fn no_more_is_kept_than_was_allowed() {
        let (kept, count) = (FeedCache::new(5_000), AtomicU32::new(0));
        read(&kept, version(1, 1), &"x".repeat(10_000), &count).await;
        kept.0.run_pending_tasks().await;
        assert_eq!(kept.0.entry_count(), 0);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let (kept, count) = (FeedCache::new(1 << 20), AtomicU32::new(0));
        let failing = async { Err(StorageError::Busy) };
        assert!(kept.get(NIL, version(1, 1), failing).await.is_err());
        assert_eq!(read(&kept, version(1, 1), "one", &count).await, b"one");
    }
}

//! Who reads a feed: programs and people, when, and whether they have what it says now.

use askama::Template;
use concord_domain::ids::FeedId;
use concord_storage::{
    feed_reads::{self, FeedRead},
    feeds::{self, Feed},
};

use super::{find_feed, privacy_label};
use crate::http::feeds::is_shown_as_person;
use crate::http::pages::{CurrentUser, Layout, NavItem, PagePath, PageResult, RelativeTime, render_page};

#[derive(Template)]
#[template(path = "feed_readers.html")]
struct FeedReadersPage {
    layout: Layout,
    feed: Feed,
    privacy: &'static str,
    /// Of what it says now.
    revision: i64,
    readers: Vec<FeedReaderRow>,
}

struct FeedReaderRow {
    name: String,
    address: String,
    person: bool,
    reads: i64,
    first: RelativeTime,
    last: RelativeTime,
    revision: i64,
    is_current: bool,
}

pub(super) async fn show(user: CurrentUser, PagePath(id): PagePath<FeedId>) -> PageResult {
    let feed = find_feed(&user, id).await?;
    let db = &user.app.context.db;
    let revision = feeds::revision_of(db, &feed).await?;
    let readers = feed_reads::of_feed(db, user.business.id, id).await?;
    let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
    let reader = |read: FeedRead| FeedReaderRow {
        is_current: read.revision >= revision,
        person: is_shown_as_person(&read),
        name: read.reader,
        address: read.address,
        reads: read.reads,
        first: when(read.first_read_at),
        last: when(read.read_at),
        revision: read.revision,
    };
    let shown = FeedReadersPage {
        layout: Layout::load(&user, NavItem::Feeds, feed.name.clone()).await?,
        privacy: privacy_label(feed.privacy),
        readers: readers.into_iter().map(reader).collect(),
        revision,
        feed,
    };
    render_page(&user, &shown)
}

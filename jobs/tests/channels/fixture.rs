//! A house on a platform, and the work that keeps it in step.

use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime},
    channel::{BlockRule, Preference},
    clock::Clock,
    ids::ChannelId,
    people::Actor,
    platform::Platforms,
    privacy::FeedPrivacy,
};
use concord_jobs::{
    Context, Handlers, KeyRegistry,
    dispatch::JobRunner,
    mail::MailSettings,
    notify::alerts::feed_of,
    queue::{Queue, QueueConfig},
};
use concord_providers::{FeedFetchLimits, FeedFetcher, ProviderRegistry, ProviderRegistryConfig, SsrfGuard};
use concord_services::channels::{self as manage, ChannelError, NewChannelRequest};
use concord_storage::{
    ChangeContext, PageRequest, alerts,
    bookings::{self, BookingFilter},
    businesses::Business,
    channels::{self, Channel, items, runs},
    feed_reads::{self, NewFeedRead},
    feeds,
    notices::{self, Audience},
    occupancy,
    resources::Resource,
    sync_log,
    testing::{self, TestDb},
};
use secrecy::SecretString;

use crate::{
    feed_server::FeedServer,
    shared::{DrainJobs, default_settings, webhook_sender},
};

pub(crate) struct ChannelFixture<'a> {
    pub(crate) db: &'a TestDb,
    pub(crate) clock: Clock,
    pub(crate) context: Context,
    pub(crate) jobs: JobRunner,
    pub(crate) business: Business,
    pub(crate) resource: Resource,
    pub(crate) site: FeedServer,
}

impl<'a> ChannelFixture<'a> {
    pub(crate) async fn new(db: &'a TestDb) -> Self {
        let clock = Clock::set_to("2026-11-21T10:00:00Z".parse().unwrap());
        let here = SsrfGuard::of("channels.allowed_hosts").allowing(["127.0.0.1"]);
        let limits =
            FeedFetchLimits { total: std::time::Duration::from_secs(5), ..FeedFetchLimits::default() };
        let context = Context {
            db: (**db).clone(),
            ring: Arc::new(testing::keyring()),
            clock: clock.clone(),
            providers: Arc::new(ProviderRegistry::new(ProviderRegistryConfig::default(), &clock).unwrap()),
            queue: Queue::connect(&QueueConfig::default()).await.unwrap(),
            settings: Arc::new(default_settings()),
            mail: Arc::new(MailSettings::without_server("https://book.example".parse().unwrap())),
            keys: KeyRegistry::default(),
            started_at: clock.now(),
            handlers: Handlers::default(),
            webhooks: webhook_sender(limits.total),
            feeds: FeedFetcher::new(limits, here, clock.clone()).unwrap(),
            platforms: Arc::new(Platforms::builtin()),
            metrics: concord_jobs::Metrics::default(),
        };
        let business = testing::business(db).await;
        let resource = testing::resource(db, &business, 1).await;
        let jobs = JobRunner::new(context.clone(), "first");
        Self { db, clock, context, jobs, business, resource, site: FeedServer::start().await }
    }

    pub(crate) fn change(&self) -> ChangeContext {
        ChangeContext { business: self.business.id, actor: Actor::System, now: self.clock.now() }
    }

    /// The house on a platform that reads the site.
    pub(crate) async fn on(&self, platform: &str) -> ChannelId {
        self.add_channel_at(platform, &self.site).await
    }

    pub(crate) async fn add_channel_at(&self, platform: &str, site: &FeedServer) -> ChannelId {
        self.reading(platform, Some(SecretString::from(site.url.clone()))).await
    }

    /// One of which only a channel manager tells.
    pub(crate) async fn add_channel_without_feed(&self, platform: &str) -> ChannelId {
        self.reading(platform, None).await
    }

    async fn reading(&self, platform: &str, import_url: Option<SecretString>) -> ChannelId {
        let wanted = NewChannelRequest {
            resource: self.resource.id,
            platform: self.context.platforms.find(platform).unwrap(),
            import_url,
            preference: Preference::Ask,
            blocks: BlockRule::Occupy,
            interval_minutes: None,
        };
        let channel = manage::create(&self.context, &self.change(), &wanted).await.unwrap();
        self.jobs.drain().await.unwrap();
        channel.id
    }

    /// An hour later: what is polled has been.
    pub(crate) async fn later(&self, hours: i64) {
        for _ in 0..hours {
            self.clock.advance(Duration::hours(1));
            self.jobs.drain().await.unwrap();
        }
    }

    pub(crate) async fn channel(&self, id: ChannelId) -> Channel {
        channels::find(self.db, self.business.id, id).await.unwrap().unwrap()
    }

    pub(crate) async fn runs(&self, id: ChannelId) -> Vec<runs::ChannelRun> {
        let ask = PageRequest { limit: 100, after: None };
        runs::list_for_channel(self.db, self.business.id, id, &ask).await.unwrap().items
    }

    pub(crate) async fn items(&self, id: ChannelId) -> Vec<items::ChannelItem> {
        items::to_come(self.db, self.business.id, id, self.clock.now()).await.unwrap()
    }

    pub(crate) async fn log(&self) -> Vec<String> {
        let ask = PageRequest { limit: 100, after: None };
        let page = sync_log::list(self.db, self.business.id, sync_log::SyncLogFilter::default(), &ask)
            .await
            .unwrap();
        page.items.into_iter().map(|line| format!("{}: {}", line.outcome, line.detail)).collect()
    }

    /// All bookings, those that stand first told as `3-5 airbnb: Reserved`, blocks as `3-5 block`.
    pub(crate) async fn standing(&self) -> Vec<String> {
        let filter = BookingFilter { active_only: true, ..BookingFilter::default() };
        let ask = PageRequest { limit: 100, after: None };
        let page = bookings::list(self.db, self.business.id, &filter, &ask).await.unwrap();
        page.items.iter().map(describe).collect()
    }

    pub(crate) async fn conflicts(&self) -> usize {
        occupancy::conflicts(self.db, self.business.id, self.clock.now()).await.unwrap().len()
    }

    /// What managers were told or will be, and is still so.
    pub(crate) async fn notices(&self) -> Vec<String> {
        let untold = notices::unsent(self.db, self.business.id, Audience::Managers, 100).await.unwrap();
        let mut all: Vec<String> = untold.into_iter().map(|notice| notice.headline).collect();
        for channel in channels::list(self.db, self.business.id).await.unwrap() {
            let mut tx = self.db.begin().await.unwrap();
            let feed = feed_of(self.business.id, channel.id);
            let fails = alerts::find_unclosed(&mut tx, feed).await.unwrap();
            all.extend(
                fails.filter(|alert| alert.failure.healthy_since.is_none()).map(|alert| alert.headline),
            );
        }
        all
    }

    /// The token of a channel's feed.
    pub(crate) async fn token_of(&self, id: ChannelId) -> String {
        use secrecy::ExposeSecret;
        let feed = self.channel(id).await.feed_id.unwrap();
        let token = feeds::remembered(self.db, &self.context.ring, self.business.id, feed).await.unwrap();
        token.unwrap().expose_secret().to_owned()
    }

    /// Connects an address, which is read later.
    pub(crate) async fn connect(&self, platform: &str, url: &str) -> Result<Channel, ChannelError> {
        let wanted = NewChannelRequest {
            resource: self.resource.id,
            platform: self.context.platforms.find(platform).unwrap(),
            import_url: Some(SecretString::from(url)),
            preference: Preference::Ask,
            blocks: BlockRule::Occupy,
            interval_minutes: None,
        };
        manage::create(&self.context, &self.change(), &wanted).await
    }

    /// A booking of ours over these nights of December; `false`: it was refused.
    pub(crate) async fn book(&self, reference: &str, from: u32, until: u32) -> bool {
        self.book_at(reference, stay(from, until)).await
    }

    pub(crate) async fn book_at(&self, reference: &str, time: BookingTime) -> bool {
        let draft = BookingDraft { time, ..testing::draft(&self.resource, 0, 60) };
        bookings::put(self.db, &self.change(), reference, &draft, None).await.is_ok()
    }

    pub(crate) async fn cancel(&self, reference: &str) {
        bookings::cancel(self.db, &self.change(), reference, None).await.unwrap();
    }

    pub(crate) async fn booking(&self, reference: &str) -> Booking {
        bookings::find(self.db, self.business.id, reference).await.unwrap().unwrap()
    }

    /// Somebody subscribes to the feed of all bookings, and reads it as it is now.
    pub(crate) async fn subscriber_reads(&self) {
        let now = self.clock.now();
        let new = feeds::NewFeed {
            business: self.business.id,
            subject: feeds::FeedSubject::Business,
            name: "All".to_owned(),
            privacy: FeedPrivacy::Busy,
        };
        let mut tx = testing::begin(self.db).await;
        let token = concord_storage::secret::new_token("cf_");
        let feed = feeds::create(&mut tx, &new, &token, now).await.unwrap();
        let read = NewFeedRead {
            feed,
            reader: "Google-Calendar-Importer".to_owned(),
            address: "203.0.113.8".to_owned(),
            person: false,
            revision: i64::MAX / 2,
            reads: 1,
            at: now,
        };
        feed_reads::note(&mut tx, &[read]).await.unwrap();
        testing::commit(tx).await;
    }

    /// The platform reads our feed as it is now.
    pub(crate) async fn platform_reads(&self, id: ChannelId) {
        let channel = self.channel(id).await;
        let feed = feeds::find(self.db, self.business.id, channel.feed_id.unwrap()).await.unwrap().unwrap();
        let revision = feeds::revision_of(self.db, &feed).await.unwrap();
        let ask = bookings::FeedRange { from: self.clock.now(), most: 100 };
        let taken = bookings::list_for_channel_feed(self.db, &channel, ask).await.unwrap();
        let stretches: Vec<_> = taken.iter().map(|booking| (booking.id, booking.interval)).collect();
        let place = (self.business.id, id);
        channels::published::publish(self.db, place, revision, &stretches, self.clock.now()).await.unwrap();
        let read = NewFeedRead {
            feed,
            reader: "Platform/1".to_owned(),
            address: "203.0.113.7".to_owned(),
            person: false,
            revision,
            reads: 1,
            at: self.clock.now(),
        };
        let mut tx = testing::begin(self.db).await;
        feed_reads::note(&mut tx, &[read]).await.unwrap();
        testing::commit(tx).await;
    }
}

pub(crate) fn stay(from: u32, until: u32) -> BookingTime {
    let [check_in, check_out] = [from, until].map(|day| NaiveDate::from_ymd_opt(2026, 12, day).unwrap());
    BookingTime::Stay { check_in, check_out }
}

fn describe(booking: &Booking) -> String {
    use chrono::Datelike;
    let days = match booking.draft.time {
        BookingTime::Stay { check_in, check_out } => format!("{}-{}", check_in.day(), check_out.day()),
        BookingTime::Timed { starts_at, .. } => at(starts_at),
    };
    match booking.draft.kind {
        BookingKind::Block => format!("{days} block"),
        _ if booking.draft.status == BookingStatus::Cancelled => format!("{days} cancelled"),
        _ => format!("{days} {}", booking.draft.customer.name),
    }
}

fn at(instant: DateTime<Utc>) -> String {
    instant.format("%dT%H:%M").to_string()
}

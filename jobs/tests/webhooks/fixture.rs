//! A business whose bookings are told to endpoints.

use std::{sync::Arc, time::Duration as StdDuration};

use chrono::Duration;
use concord_domain::{
    booking::{Booking, BookingDraft},
    clock::Clock,
    ids::WebhookEndpointId,
    people::Actor,
    platform::Platforms,
    webhook::{EndpointSettings, EventType},
};
use concord_jobs::{
    Context, Handlers, KeyRegistry, Metrics,
    dispatch::JobRunner,
    mail::MailSettings,
    queue::{Queue, QueueConfig},
};
use concord_providers::{FeedFetchLimits, FeedFetcher, ProviderRegistry, ProviderRegistryConfig, SsrfGuard};
use concord_services::webhooks::{self, EndpointDraft};
use concord_storage::{
    ChangeContext, PageRequest, bookings,
    businesses::Business,
    resources::Resource,
    testing::{self, TestDb, monday},
    webhook_deliveries::{self, WebhookDelivery},
    webhook_endpoints::{self, WebhookEndpoint},
};
use secrecy::ExposeSecret;

use crate::{
    receiver::Receiver,
    shared::{DrainJobs, default_settings, webhook_sender},
};

/// As long as nobody who is well would take.
const PATIENCE: StdDuration = StdDuration::from_millis(500);

pub(crate) struct WebhookFixture<'a> {
    pub(crate) db: &'a TestDb,
    pub(crate) clock: Clock,
    pub(crate) context: Context,
    pub(crate) jobs: JobRunner,
    pub(crate) business: Business,
    pub(crate) room: Resource,
}

/// An endpoint, and what stands there.
pub(crate) struct ReceivingEndpoint {
    pub(crate) id: WebhookEndpointId,
    pub(crate) secret: String,
    pub(crate) receiver: Receiver,
}

impl<'a> WebhookFixture<'a> {
    pub(crate) async fn new(db: &'a TestDb) -> Self {
        Self::at(db, Clock::set_to(monday())).await
    }

    pub(crate) async fn at(db: &'a TestDb, clock: Clock) -> Self {
        let here = SsrfGuard::of("channels.allowed_hosts").allowing(["127.0.0.1"]);
        let feeds = FeedFetcher::new(FeedFetchLimits::default(), here, clock.clone()).unwrap();
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
            webhooks: webhook_sender(PATIENCE),
            feeds,
            platforms: Arc::new(Platforms::builtin()),
            metrics: Metrics::default(),
        };
        let business = testing::business(db).await;
        let room = testing::resource(db, &business, 100).await;
        let jobs = JobRunner::new(context.clone(), "first");
        Self { db, clock, context, jobs, business, room }
    }

    pub(crate) fn change(&self) -> ChangeContext {
        ChangeContext { business: self.business.id, actor: Actor::System, now: self.clock.now() }
    }

    /// An endpoint that hears of these types; none: of all.
    pub(crate) async fn endpoint(&self, event_types: &[EventType]) -> ReceivingEndpoint {
        let receiver = Receiver::start().await;
        let settings = EndpointSettings { description: String::new(), event_types: event_types.to_vec() };
        let draft = EndpointDraft { url: receiver.url.clone(), settings };
        let mut tx = testing::begin(self.db).await;
        let (endpoint, secret) =
            webhooks::create(&mut tx, &self.context, &self.change(), draft).await.unwrap();
        testing::commit(tx).await;
        ReceivingEndpoint { id: endpoint.id, secret: secret.expose_secret().to_owned(), receiver }
    }

    /// Writes a booking, with that title.
    pub(crate) async fn put(&self, reference: &str, title: &str) -> Booking {
        self.clock.advance(Duration::milliseconds(1));
        let draft = BookingDraft { title: title.to_owned(), ..testing::draft(&self.room, 0, 60) };
        let put = bookings::put(self.db, &self.change(), reference, &draft, None).await.unwrap();
        put.booking
    }

    /// Does all that is due now.
    pub(crate) async fn drain(&self) {
        self.jobs.drain().await.unwrap();
    }

    /// So much later, all that is due is done.
    pub(crate) async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.drain().await;
    }

    pub(crate) async fn found(&self, endpoint: &ReceivingEndpoint) -> WebhookEndpoint {
        let found = webhook_endpoints::find(self.db, self.business.id, endpoint.id).await.unwrap();
        found.unwrap()
    }

    /// The delivery log, the newest event first.
    pub(crate) async fn log(&self, endpoint: &ReceivingEndpoint) -> Vec<WebhookDelivery> {
        let place = (self.business.id, endpoint.id);
        let ask = PageRequest { limit: 100, after: None };
        webhook_deliveries::list(self.db, place, None, &ask).await.unwrap().items
    }
}

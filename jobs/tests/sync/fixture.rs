//! A business whose people have calendars outside, and the work that keeps them in step.

use std::{sync::Arc, time::Duration as StdDuration};

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingStatus},
    clock::Clock,
    connection::{ConnectionState, Coverage, Direction, EntryState, ProviderKind},
    ids::{CalendarId, ConnectionId},
    interval::Interval,
    job::JobKind,
    people::Actor,
    privacy::EntryPrivacy,
};
use concord_jobs::{
    CallLimits, Context, ProviderLimits, SyncSettings,
    dispatch::JobRunner,
    enqueue,
    mail::{MailSettings, Mailer, SmtpServerAddress},
    queue::{Queue, QueueConfig},
};
use concord_providers::{FeedFetchLimits, FeedFetcher, ProviderRegistry, SsrfGuard};
use concord_services::{
    connect::{self, ConnectTarget},
    connections::{self as manage, ConnectionUpdate},
};
use concord_storage::{
    ChangeContext, PageRequest,
    bookings::{self, PutError, Unavailability},
    businesses::{self, Business, BusinessSettings},
    busy_times::{self, BusyTime},
    calendars::{self, Calendar},
    connections::{self, Connection, ConnectionTokens},
    entries::{self, SyncState},
    jobs::{self, JobBoardRow, JobCount},
    occupancy,
    people::Staff,
    resources::Resource,
    sync_log::{self, SyncLogEntry},
    testing::{self, TestDb, monday},
};

use crate::{
    provider_sandbox::{GrantedTokens, ProviderSandbox},
    shared::{DrainJobs, default_settings, webhook_sender},
};

pub(crate) const ANA: &str = "ana@harbour.example";
pub(crate) const RUI: &str = "rui@harbour.example";

/// As long as nobody who is well would take.
pub(crate) const PATIENCE: StdDuration = StdDuration::from_secs(5);
/// What is due later than this is not waited for: it is a poll.
const SOON: Duration = Duration::minutes(3);

/// Between one thing and the next, so that logs tell their order.
const MOMENT: Duration = Duration::milliseconds(1);

/// The harbour house with two people.
pub(crate) struct SyncFixture<'a> {
    pub(crate) db: &'a TestDb,
    pub(crate) outside: ProviderSandbox,
    pub(crate) clock: Clock,
    pub(crate) context: Context,
    pub(crate) jobs: JobRunner,
    pub(crate) business: Business,
    pub(crate) room: Resource,
    pub(crate) ana: Staff,
    pub(crate) rui: Staff,
}

/// No mail server, and nothing told soon: tests that are about something else see nothing of it.
fn quiet() -> MailSettings {
    let public_url = "https://book.example".parse().expect("an address");
    MailSettings { digest: Duration::hours(1), ..MailSettings::without_server(public_url) }
}

/// Rates that no test comes near, so that only those about rates meet them.
pub(crate) fn unhurried() -> SyncSettings {
    let limits = CallLimits {
        connection_burst: 100_000,
        project_burst: 100_000,
        ..ProviderLimits::default().of(ProviderKind::Google)
    };
    SyncSettings { limits: uniform_limits(limits), ..default_settings() }
}

/// The same limits for all providers.
pub(crate) fn uniform_limits(limits: CallLimits) -> ProviderLimits {
    ProviderLimits(ProviderKind::ALL.iter().map(|kind| (*kind, limits)).collect())
}

impl<'a> SyncFixture<'a> {
    pub(crate) async fn new(db: &'a TestDb) -> Self {
        Self::with(db, unhurried(), PATIENCE).await
    }

    /// `patience`: how long a call may take.
    pub(crate) async fn with(db: &'a TestDb, settings: SyncSettings, patience: StdDuration) -> Self {
        Self::at(db, settings, patience, monday()).await
    }

    /// One that is told of changes, where nobody listens at the address. The provider's clock, by which channels end, is
    /// the machine's.
    pub(crate) async fn told(db: &'a TestDb) -> Self {
        let address = "http://127.0.0.1:9".parse().expect("an address");
        let settings = SyncSettings { push: Some(address), ..unhurried() };
        Self::at(db, settings, PATIENCE, Clock::system().now()).await
    }

    async fn at(db: &'a TestDb, settings: SyncSettings, patience: StdDuration, now: DateTime<Utc>) -> Self {
        Self::of(db, ProviderKind::Google, settings, patience, now).await
    }

    /// One whose people have their calendars with that provider.
    pub(crate) async fn of(
        db: &'a TestDb,
        kind: ProviderKind,
        settings: SyncSettings,
        patience: StdDuration,
        now: DateTime<Utc>,
    ) -> Self {
        let outside = ProviderSandbox::start(kind).await;
        let clock = Clock::set_to(now);
        let queue = Queue::connect(&QueueConfig::default()).await.expect("a queue in memory");
        let here = SsrfGuard::of("channels.allowed_hosts").allowing(["127.0.0.1", "localhost"]);
        let registry =
            ProviderRegistry::new(outside.providers(patience), &clock).expect("the provider is set up");
        let context = Context {
            db: (**db).clone(),
            ring: Arc::new(testing::keyring()),
            clock: clock.clone(),
            providers: Arc::new(registry),
            queue,
            settings: Arc::new(settings),
            mail: Arc::new(quiet()),
            keys: concord_jobs::KeyRegistry::default(),
            started_at: clock.now(),
            handlers: concord_jobs::Handlers::default(),
            webhooks: webhook_sender(patience),
            feeds: FeedFetcher::new(
                FeedFetchLimits { total: patience, ..FeedFetchLimits::default() },
                here,
                clock.clone(),
            )
            .expect("a client"),
            platforms: Arc::new(concord_domain::platform::Platforms::builtin()),
            metrics: concord_jobs::Metrics::default(),
        };
        let business = testing::business(db).await;
        let room = testing::resource(db, &business, 100).await;
        let ana = testing::staff(db, &business, "Ana").await;
        let rui = testing::staff(db, &business, "Rui").await;
        outside.account(ANA).await;
        outside.account(RUI).await;
        let jobs = JobRunner::new(context.clone(), "first");
        Self { db, outside, clock, context, jobs, business, room, ana, rui }
    }

    /// One whose people are told what happens, in the sandbox's mailbox, soon.
    pub(crate) async fn with_mailbox(db: &'a TestDb) -> Self {
        Self::with_patience(db, PATIENCE).await
    }

    /// The same, with a mail server that is given so long for a mail.
    pub(crate) async fn with_patience(db: &'a TestDb, patience: StdDuration) -> Self {
        let mut fixture = Self::new(db).await;
        fixture.open_mailbox(patience);
        fixture
    }

    /// From now on mails go to the sandbox's mailbox.
    pub(crate) fn open_mailbox(&mut self, patience: StdDuration) {
        let address = self.outside.smtp_url();
        self.mail_to(&address, patience);
    }

    /// From now on mails go to that server, as after a restart with another configuration.
    pub(crate) fn mail_to(&mut self, address: &str, timeout: StdDuration) {
        let address = SmtpServerAddress::parse(&address.into()).expect("an address");
        let mailer = Mailer::new(&address, Some("book.example"), 2, timeout).expect("a way to the mailbox");
        self.change_mail(|mail| {
            mail.mailer = Some(mailer);
            (mail.timeout, mail.digest) = (timeout, Duration::minutes(2));
            (mail.interval, mail.burst) = (Duration::milliseconds(1), 1_000);
        });
    }

    pub(crate) fn change_mail(&mut self, change: impl FnOnce(&mut MailSettings)) {
        let mut mail = MailSettings::clone(&self.context.mail);
        change(&mut mail);
        self.context.mail = Arc::new(mail);
        self.jobs = JobRunner::new(self.context.clone(), "first");
    }

    /// What another process of the same installation is given: it shares database and clock, and nothing else.
    pub(crate) fn elsewhere(&self) -> Context {
        Context { keys: concord_jobs::KeyRegistry::default(), ..self.context.clone() }
    }

    pub(crate) fn change(&self) -> ChangeContext {
        ChangeContext { business: self.business.id, actor: Actor::System, now: self.clock.now() }
    }

    /// Connects the main account of a person, and lets everything be done that follows.
    pub(crate) async fn connected(&self, staff: &Staff) -> ConnectionId {
        let id = self.connect(staff, &staff.email).await;
        self.settle().await;
        id
    }

    /// Connects an account of a person.
    pub(crate) async fn connect(&self, staff: &Staff, email: &str) -> ConnectionId {
        if self.outside.kind() == ProviderKind::Caldav {
            let (whose, asked) = ((&self.change(), staff.id), self.outside.asked(email));
            let finished = connect::connect_with_password(&self.context, whose, &asked, "/".to_owned()).await;
            return finished.expect("an account is connected").connection;
        }
        let given = self.outside.consent(email).await;
        self.connect_with(staff, given).await
    }

    pub(crate) async fn connect_with(&self, staff: &Staff, given: GrantedTokens) -> ConnectionId {
        let tokens = ConnectionTokens {
            access: given.access.into(),
            access_expires_at: self.clock.now() + Duration::hours(1),
            refresh: Some(given.refresh.into()),
        };
        let wanted =
            ConnectTarget { business: staff.business_id, staff: staff.id, provider: self.outside.kind() };
        let finished = connect::adopt(&self.context, wanted, tokens, "/".to_owned()).await;
        finished.expect("an account is connected").connection
    }

    /// The connection has these tokens, as if they had been refreshed.
    pub(crate) async fn store_tokens(&self, id: ConnectionId, tokens: &ConnectionTokens) {
        let ring = &self.context.ring;
        let stored =
            connections::tokens(self.db, ring, self.business.id, id).await.expect("tokens can be read");
        let mut tx = testing::begin(self.db).await;
        connections::store_tokens(&mut tx, ring, (id, "refresher#1"), &stored, tokens)
            .await
            .expect("tokens can be stored");
        testing::commit(tx).await;
    }

    /// A booking for these people, from and to minutes after `monday`.
    pub(crate) fn draft(&self, staff: &[&Staff], from: i64, to: i64) -> BookingDraft {
        BookingDraft {
            staff: staff.iter().map(|one| one.id).collect(),
            ..testing::draft(&self.room, from, to)
        }
    }

    pub(crate) async fn put(&self, reference: &str, draft: &BookingDraft) -> Booking {
        self.clock.advance(MOMENT);
        let put = bookings::put(self.db, &self.change(), reference, draft, None).await;
        let put = put.expect("a booking is written");
        self.context.push(&put.jobs).await;
        put.booking
    }

    pub(crate) async fn cancel(&self, reference: &str) -> Booking {
        let put = bookings::cancel(self.db, &self.change(), reference, None).await;
        put.expect("a booking is cancelled").booking
    }

    /// Why a booking is refused.
    pub(crate) async fn refused(&self, reference: &str, draft: &BookingDraft) -> Unavailability {
        match bookings::put(self.db, &self.change(), reference, draft, None).await {
            Err(PutError::Taken(taken)) => *taken,
            other => panic!("it was not refused: {other:?}"),
        }
    }

    /// Runs all that is due now. Returns how many jobs ran.
    pub(crate) async fn drain(&self) -> usize {
        self.clock.advance(MOMENT);
        self.jobs.drain().await.expect("the work is done")
    }

    /// Runs all that is due, moves the clock to what is due soon, and so on until nothing is. Returns how many jobs
    /// ran.
    pub(crate) async fn settle(&self) -> usize {
        let mut ran = 0;
        for _ in 0..500 {
            ran += self.drain().await;
            let now = self.clock.now();
            match testing::next_due(self.db).await {
                Some(due) if due - now < SOON => {
                    self.clock.advance((due - now).max(Duration::milliseconds(50)));
                }
                _ => return ran,
            }
        }
        panic!("it does not settle: {:#?}", self.open_jobs().await);
    }

    /// The next poll is due.
    pub(crate) async fn poll(&self) {
        self.clock.advance(Duration::minutes(16));
        self.settle().await;
    }

    pub(crate) async fn connection(&self, id: ConnectionId) -> Connection {
        let found = connections::find(self.db, self.business.id, id).await;
        found.expect("connections can be read").expect("the connection is there")
    }

    pub(crate) async fn state(&self, id: ConnectionId) -> ConnectionState {
        self.connection(id).await.state
    }

    /// The calendars of a connection that a person may have chosen, the main one first.
    pub(crate) async fn calendars(&self, id: ConnectionId) -> Vec<Calendar> {
        calendars::of_connection(self.db, self.business.id, id).await.expect("calendars can be read")
    }

    /// The calendar of a connection by the provider's id.
    pub(crate) async fn calendar(&self, id: ConnectionId, external_id: &str) -> Calendar {
        let calendars = self.calendars(id).await;
        calendars.into_iter().find(|one| one.external_id == external_id).expect("the calendar is there")
    }

    /// `name: state` of each calendar that the booking concerns or concerned, in order.
    pub(crate) async fn sync_states(&self, booking: &Booking) -> Vec<String> {
        let mut states: Vec<String> =
            self.sync(booking).await.iter().map(|one| format!("{}: {}", one.staff_name, one.state)).collect();
        states.sort();
        states
    }

    pub(crate) async fn sync(&self, booking: &Booking) -> Vec<SyncState> {
        let states = entries::sync_states(self.db, self.business.id, booking.id).await;
        states.expect("entries can be read")
    }

    /// The state of the booking's only entry.
    pub(crate) async fn entry_state(&self, booking: &Booking) -> EntryState {
        let states = self.sync(booking).await;
        assert_eq!(states.len(), 1, "{states:?}");
        states[0].state
    }

    /// The busy times that are known of a calendar.
    pub(crate) async fn known(&self, calendar: CalendarId) -> Vec<BusyTime> {
        busy_times::of_calendar(self.db, self.business.id, calendar).await.expect("events can be read")
    }

    /// When a person is taken, and why, as `source: from - to` in minutes after `monday`.
    pub(crate) async fn taken(&self, staff: &Staff) -> Vec<String> {
        let within = Interval { start: monday() - Duration::days(30), end: monday() + Duration::days(400) };
        let standing = occupancy::list_occupied(self.db, self.business.id, staff.id.0, within).await;
        let minutes = |at: DateTime<Utc>| (at - monday()).num_minutes();
        standing
            .expect("occupancy can be read")
            .iter()
            .map(|row| format!("{}: {} - {}", row.source, minutes(row.starts_at), minutes(row.ends_at)))
            .collect()
    }

    /// The sync log, oldest line first, as `operation outcome`.
    pub(crate) async fn log(&self) -> Vec<String> {
        self.log_lines().await.iter().map(|line| format!("{} {}", line.operation, line.outcome)).collect()
    }

    pub(crate) async fn log_lines(&self) -> Vec<SyncLogEntry> {
        let ask = PageRequest { limit: 500, after: None };
        let lines = sync_log::list(self.db, self.business.id, sync_log::SyncLogFilter::default(), &ask).await;
        let mut lines = lines.expect("the log can be read").items;
        lines.reverse();
        lines
    }

    pub(crate) async fn failed(&self) -> Vec<JobBoardRow> {
        jobs::failed(self.db, self.business.id, None, 100).await.expect("jobs can be read")
    }

    /// The jobs that are not done, but for polls and for what people are told later.
    pub(crate) async fn open_jobs(&self) -> Vec<JobCount> {
        let counts = jobs::counts(self.db).await.expect("jobs can be counted");
        let is_poll = |kind| {
            matches!(
                kind,
                JobKind::ImportAvailability
                    | JobKind::CompareDrift
                    | JobKind::RenewPush
                    | JobKind::Notify
                    | JobKind::Retention
            )
        };
        counts
            .into_iter()
            .filter(|count| count.state != concord_domain::job::JobState::Done && !is_poll(count.kind))
            .collect()
    }

    pub(crate) async fn set(&self, id: ConnectionId, direction: Direction, coverage: Coverage) {
        let wanted = ConnectionUpdate {
            direction: Some(direction),
            coverage: Some(coverage),
            ..ConnectionUpdate::default()
        };
        manage::update(&self.context, &self.change(), id, &wanted).await.expect("it is set");
    }

    /// The business keeps entries of cancelled bookings and marks them.
    pub(crate) async fn mark_cancelled(&self) {
        self.change_business(|settings| settings.mark_cancelled = true).await;
    }

    /// The business chooses what calendars tell; what follows from that is not pushed.
    pub(crate) async fn set_privacy(&self, privacy: EntryPrivacy) {
        self.change_business(|settings| settings.entry_privacy = privacy).await;
    }

    pub(crate) async fn change_business(&self, change: impl FnOnce(&mut BusinessSettings)) {
        let business = businesses::find(self.db, self.business.id).await.expect("it can be read");
        let mut settings = business.expect("it is there").settings();
        change(&mut settings);
        let mut tx = testing::begin(self.db).await;
        let changed = businesses::update(&mut tx, self.business.id, &settings, self.clock.now()).await;
        changed.expect("it is changed");
        let enqueued = enqueue::batch_sync_of_business(&mut tx, &self.context, self.business.id).await;
        enqueued.expect("the calendars follow");
        testing::commit(tx).await;
    }
}

/// The same booking with another status.
pub(crate) fn with_status(draft: &BookingDraft, status: BookingStatus) -> BookingDraft {
    BookingDraft { status, ..draft.clone() }
}

/// The same booking under another title.
pub(crate) fn titled(draft: &BookingDraft, title: &str) -> BookingDraft {
    BookingDraft { title: title.to_owned(), ..draft.clone() }
}

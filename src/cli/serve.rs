//! `concord serve`, `web`, `worker` and `migrate`: putting the parts together and running them.

use std::sync::Arc;

use axum::Router;
use chrono::Duration;
use concord_domain::{clock::Clock, ids::new_uuid, job::RetryPolicy};
use concord_jobs::{
    Context, Handlers, KeyRegistry, Metrics, ProviderLimits, SyncSettings, clock,
    dispatch::{self, JobRunner},
    mail::{MailSettings, Mailbox, MailboxAddress, Mailer, SmtpServerAddress, default_from_address, host_of},
    queue::{Queue, QueueConfig, QueueError},
    worker::{self, Concurrency, WorkerSettings},
};
use concord_providers::{
    FeedFetchLimits, FeedFetcher, HttpClient, HttpConfig, ProviderRegistry, ProviderRegistryConfig,
    SsrfGuard, WebhookLimits, WebhookSender,
    oidc::{OidcClient, OidcSettings},
};
use concord_services::replies;
use concord_storage::{
    Db, DbOptions, InstanceMode, StorageError, installation,
    retention::RetentionPeriods,
    seal::{Keyring, MasterKey},
    statistics,
};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{CommandError, init_telemetry, print_line, shutdown_signal};
use crate::{
    app::{App, admission::Admission, feed_access::FeedAccessLog},
    config::{Config, ListenAddress, MailConfig, MissingKeyPolicy},
    http::{self, connections::ConnectionSlots},
};

/// Done jobs are kept this long, to tell what was done.
const DONE_JOBS: Duration = Duration::days(7);

/// Discovery documents and tokens have some kilobytes.
const OIDC_BODY_BYTES: usize = 1024 * 1024;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessRole {
    Both,
    /// Pages, API and feeds.
    Front,
    Worker,
}

pub(super) async fn run(config: Config, role: ProcessRole) -> Result<(), CommandError> {
    let _logs = init_telemetry(&config)?;
    if role != ProcessRole::Both && config.queue.redis_url.is_none() {
        tracing::warn!(
            "no Redis is configured: workers in other processes look for work every few seconds only"
        );
    }
    let listen = config.server.listen.clone();
    let app = assemble(config, Clock::system()).await?;
    clock::correct(&app.context.db, &app.context.clock).await?;
    tokio::spawn(clock::keep_corrected(app.context.db.clone(), app.context.clock.clone()));
    let shutdown = shutdown_signal()?;
    let _claim = if role == ProcessRole::Both { None } else { app.context.db.claim(InstanceMode::Shared)? };
    match role {
        ProcessRole::Worker => watched_worker(&app, shutdown).await?,
        ProcessRole::Front => serve(app.clone(), bind(LISTEN, &listen).await?, shutdown).await?,
        ProcessRole::Both => serve_with_worker(app.clone(), bind(LISTEN, &listen).await?, shutdown).await?,
    }
    app.context.db.close().await;
    Ok(())
}

pub(super) async fn migrate(config: &Config) -> Result<(), CommandError> {
    let db = open_database(config).await?;
    db.migrate().await?;
    db.close().await;
    print_line(&format!("The {} database is up to date.", db.kind()))
}

/// Opens everything that the configuration names; fails with the first thing that cannot be used.
pub async fn assemble(config: Config, clock: Clock) -> Result<App, CommandError> {
    let platforms = Arc::new(config.platforms.load()?);
    let db = open_database(&config).await?;
    if config.database.migrate_at_start {
        db.migrate().await?;
    } else {
        db.check_migrated().await?;
    }
    let queue = connect_queue(&config).await?;
    let mail = mail(&config)?;
    let uid_host = installation::uid_host(&db, &mail.uid_host).await?;
    let mail = MailSettings { uid_host, ..mail };
    let context = Context {
        db,
        started_at: clock.now(),
        ring: Arc::new(keyring(&config)?),
        providers: Arc::new(ProviderRegistry::new(providers(&config)?, &clock)?),
        feeds: feed_fetcher(&config, feed_guard(&config), clock.clone())?,
        webhooks: WebhookSender::new(WebhookLimits::default(), feed_guard(&config))?,
        clock,
        queue,
        settings: Arc::new(sync_settings(&config)),
        mail: Arc::new(mail),
        keys: KeyRegistry::default(),
        handlers: Handlers::new(replies::RECEIVER),
        platforms,
        metrics: Metrics::default(),
    };
    // Without it queries of PostgreSQL are slow after a restore or a bulk import, and no more than that.
    if let Err(error) = statistics::refresh(&context.db).await {
        tracing::warn!(%error, "what the database goes by when it plans could not be brought up to date");
    }
    dispatch::ensure_scheduled(&context).await?;
    Ok(App {
        admission: Arc::new(Admission::new(&config.server, &context.clock)),
        oidc: oidc(&config, &context.clock)?.map(Arc::new),
        context,
        public_url: config.public_url(),
        config: Arc::new(config),
        access: FeedAccessLog::default(),
        probe: Arc::default(),
        in_hand: TaskTracker::new(),
    })
}

pub(super) async fn connect_queue(config: &Config) -> Result<Queue, QueueError> {
    let settings = QueueConfig {
        redis_url: config.queue.redis_url.clone(),
        namespace: config.queue.prefix.clone(),
        ..QueueConfig::default()
    };
    Queue::connect(&settings).await
}

/// Serves pages, API and feeds until `shutdown`, then finishes the requests in hand, within the time that a worker has
/// for its own.
pub async fn serve(app: App, listener: TcpListener, shutdown: CancellationToken) -> Result<(), CommandError> {
    tracing::info!(address = %listener.local_addr()?, public_url = %app.public_url, "serving");
    let served = CancellationToken::new();
    let every = app.config.feeds.note_readers;
    let noting =
        tokio::spawn(app.access.clone().flush_periodically(app.context.db.clone(), every, served.clone()));
    answer(&app, http::router(&app), listener, shutdown).await;
    served.cancel();
    noting.await?;
    Ok(())
}

async fn answer(app: &App, router: Router, listener: TcpListener, shutdown: CancellationToken) {
    let places = ConnectionSlots::of(&app.config.server);
    let patience = app.config.worker.shutdown;
    http::connections::serve(router, listener, places, &app.in_hand, patience, shutdown).await;
}

/// A worker alone, and, where `worker.listen` is set, its metrics and health: what its jobs counted is in no front. They are
/// answered until it has finished.
async fn watched_worker(app: &App, shutdown: CancellationToken) -> Result<(), CommandError> {
    let Some(listen) = &app.config.worker.listen else { return run_worker(app, shutdown).await };
    let listener = bind("worker.listen", listen).await?;
    tracing::info!(address = %listener.local_addr()?, "serving metrics and health");
    let worked = CancellationToken::new();
    let work = async {
        let result = run_worker(app, shutdown).await;
        worked.cancel();
        result
    };
    futures::join!(work, answer(app, http::health::standalone(app), listener, worked.clone())).0
}

/// Does the work until `shutdown`, then finishes or gives back what is in hand.
pub async fn run_worker(app: &App, shutdown: CancellationToken) -> Result<(), CommandError> {
    let settings = &app.config.worker;
    // No other process, and no former start of this one, may have the name: leases are given back by it.
    let name = format!("worker-{}", new_uuid(app.now()).simple());
    let jobs = Arc::new(JobRunner::new(app.context.clone(), &name));
    let worker = WorkerSettings {
        concurrency: Concurrency {
            interactive: settings.interactive,
            bulk: settings.bulk,
            poll: settings.poll,
        },
        sweep_every: settings.sweep,
        shutdown_timeout: settings.shutdown,
        name,
    };
    worker::run(jobs, app.context.queue.clone(), worker, shutdown).await?;
    Ok(())
}

/// Both in one process; when one ends, the other is asked to. With a SQLite file it is the only process that works.
pub async fn serve_with_worker(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), CommandError> {
    let claim = app.context.db.claim(InstanceMode::Exclusive)?;
    if claim.is_some() {
        dispatch::release_former(&app.context).await?;
    }
    let worker = {
        let (app, shutdown) = (app.clone(), shutdown.clone());
        tokio::spawn(async move {
            let result = run_worker(&app, shutdown.clone()).await;
            shutdown.cancel();
            result
        })
    };
    let served = serve(app, listener, shutdown.clone()).await;
    shutdown.cancel();
    let worked = worker.await?;
    drop(claim);
    served.and(worked)
}

/// The key that says where to listen.
const LISTEN: &str = "server.listen";

/// `key`: where the place was said, for the message.
pub(crate) async fn bind(key: &str, listen: &ListenAddress) -> Result<TcpListener, CommandError> {
    let bound = TcpListener::bind(listen.to_string()).await;
    bound.map_err(|error| format!("{key}: cannot listen on {listen}: {error}").into())
}

/// Opens the database without migrating it, making the SQLite file if there is none.
pub(crate) async fn open_database(config: &Config) -> Result<Db, CommandError> {
    if config.database_url().expose_secret().starts_with("sqlite:") {
        crate::config::create_private_folder(&config.data_dir)
            .map_err(|error| format!("cannot use the data folder {}: {error}", config.data_dir.display()))?;
    }
    Ok(Db::open_url(&database_options(config)).await?)
}

/// Opens the database of an installation that is there, and brings it up to date. Where there is none yet, it was
/// rather looked for in the wrong place than wanted.
pub(super) async fn open_existing(config: &Config) -> Result<Db, CommandError> {
    let options = DbOptions { create: false, ..database_options(config) };
    let opened = async {
        let db = Db::open_url(&options).await?;
        if db.is_empty().await? { Err(StorageError::NoDatabase { place: db.place() }) } else { Ok(db) }
    };
    let db = opened.await.map_err(|error| match error {
        StorageError::NoDatabase { .. } => {
            CommandError::from(format!("{error}\n{}", missing_database_message(config)))
        }
        error => error.into(),
    })?;
    db.migrate().await?;
    Ok(db)
}

pub(super) fn missing_database_message(config: &Config) -> String {
    let setting = match &config.database.url {
        Some(_) => "DATABASE_URL (database.url in the configuration file)",
        None => {
            "CONCORD__DATA_DIR (data_dir in the configuration file), or DATABASE_URL for another database"
        }
    };
    format!(
        "What chooses it is {setting}. Give this command the settings of the installation that you mean; a new \
         installation begins with `concord user business`."
    )
}

pub(super) fn database_options(config: &Config) -> DbOptions {
    DbOptions {
        max_connections: config.database.max_connections,
        durable: config.database.durable,
        ..DbOptions::new(config.database_url().expose_secret())
    }
}

/// The key that seals and those that still open. Only on the default SQLite file is a missing key made: with a
/// database that others share, a key of one's own would open nothing.
pub(crate) fn keyring(config: &Config) -> Result<Keyring, CommandError> {
    let when_missing =
        if config.database.url.is_none() { MissingKeyPolicy::Create } else { MissingKeyPolicy::Refuse };
    let current = MasterKey::from_base64(&config.master_key(when_missing)?)?;
    let previous =
        config.security.previous_master_keys.iter().map(MasterKey::from_base64).collect::<Result<_, _>>()?;
    Ok(Keyring::new(current, previous))
}

pub(super) fn providers(config: &Config) -> Result<ProviderRegistryConfig, CommandError> {
    let section = &config.providers;
    let mut providers = Vec::new();
    for (kind, section) in section.sections() {
        let callback = config.public_url().join(&format!("/oauth/calendar/{kind}/callback"))?;
        providers.extend(section.settings(callback));
    }
    Ok(ProviderRegistryConfig {
        http: HttpConfig {
            connect_timeout: section.connect_timeout,
            request_timeout: section.request_timeout,
            max_body_bytes: section.max_answer_megabytes * 1024 * 1024,
            ..HttpConfig::default()
        },
        providers,
        caldav: Some(SsrfGuard {
            setting: "providers.caldav.allowed_hosts",
            allow_private: section.caldav.allow_private_hosts,
            allowed: section.caldav.allowed_hosts.clone(),
            hide_private_hosts: true,
        }),
    })
}

/// The OpenID Connect issuer, if one is set up.
pub(super) fn oidc(config: &Config, clock: &Clock) -> Result<Option<OidcClient>, CommandError> {
    let Some((issuer, client_id, client_secret)) = config.sign_in.oidc.credentials() else { return Ok(None) };
    let settings = OidcSettings {
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        client_secret: client_secret.clone(),
        redirect_url: config.public_url().join("/oauth/sign-in/callback")?,
    };
    let limits = HttpConfig {
        connect_timeout: config.providers.connect_timeout,
        request_timeout: config.providers.request_timeout,
        max_body_bytes: OIDC_BODY_BYTES,
        ..HttpConfig::default()
    };
    Ok(Some(OidcClient::new(settings, HttpClient::new(limits)?, clock.clone())))
}

/// Which hosts a person may name for feeds.
pub(super) fn feed_guard(config: &Config) -> SsrfGuard {
    SsrfGuard {
        setting: "channels.allowed_hosts",
        allow_private: config.channels.allow_private_hosts,
        allowed: config.channels.allowed_hosts.clone(),
        hide_private_hosts: true,
    }
}

pub(super) fn feed_fetcher(
    config: &Config,
    guard: SsrfGuard,
    clock: Clock,
) -> Result<FeedFetcher, CommandError> {
    let section = &config.channels;
    let limits = FeedFetchLimits {
        connect: config.providers.connect_timeout,
        total: config.feed_timeout(),
        bytes: section.max_megabytes * 1024 * 1024,
    };
    Ok(FeedFetcher::new(limits, guard, clock)?)
}

pub(super) fn mail(config: &Config) -> Result<MailSettings, CommandError> {
    let (section, public_url) = (&config.mail, config.public_url());
    let mailer = match &section.url {
        None => None,
        Some(url) => {
            let address = SmtpServerAddress::parse(url).map_err(|problem| format!("mail.url: {problem}"))?;
            Some(Mailer::new(&address, public_url.domain(), section.connections, section.timeout)?)
        }
    };
    let from_address = match section.from_address.as_str() {
        "" => default_from_address(&public_url),
        address => address.to_owned(),
    };
    Ok(MailSettings {
        mailer,
        from_name: section.from_name.clone(),
        from_address,
        uid_host: host_of(&public_url),
        public_url,
        interval: Duration::microseconds(60_000_000 / i64::from(section.per_minute.max(1))),
        // A person who asks for a mail is not made to wait for the turn of a minute.
        burst: (section.per_minute / 6).max(1),
        digest: to_time_delta(section.digest),
        timeout: section.timeout,
        sign_in_link: to_time_delta(config.security.sign_in_link),
        mailbox: mailbox(section)?,
        mailbox_every: to_time_delta(section.imap_every),
        authserv_id: section.authserv_id.clone(),
        plus_addresses: section.plus_addresses,
    })
}

fn mailbox(section: &MailConfig) -> Result<Option<Mailbox>, CommandError> {
    let Some(url) = &section.imap_url else { return Ok(None) };
    let address = MailboxAddress::parse(url).map_err(|problem| format!("mail.imap_url: {problem}"))?;
    Ok(Some(Mailbox::new(&address, section.timeout)))
}

fn to_time_delta(duration: std::time::Duration) -> Duration {
    Duration::from_std(duration).unwrap_or(Duration::MAX)
}

fn sync_settings(config: &Config) -> SyncSettings {
    let section = &config.sync;
    SyncSettings {
        retry: RetryPolicy {
            tries: section.tries,
            base: to_time_delta(section.first_retry),
            slow: to_time_delta(section.slow_retry),
            slow_cap: to_time_delta(section.slowest_retry),
        },
        poll_every: to_time_delta(section.poll),
        channels_every: match config.channels.every_minutes {
            0 => None,
            minutes => Some(Duration::minutes(i64::from(minutes))),
        },
        window_past: Duration::days(i64::from(section.window_past_days)),
        window_future: Duration::days(i64::from(section.window_future_days)),
        lease: to_time_delta(config.worker.lease),
        slice: config.worker.slice,
        colours: section.entry_colours.iter().map(|(status, colour)| (*status, colour.clone())).collect(),
        reminders: section.entry_reminders.clone(),
        limits: limits(config),
        push: config.notification_url(),
        keep: RetentionPeriods {
            sync_log: to_time_delta(config.retention.sync_log),
            mails: to_time_delta(config.retention.mails),
            done_jobs: DONE_JOBS,
            history: to_time_delta(config.retention.history),
            customers: config.retention.customers.map(to_time_delta),
        },
    }
}

fn limits(config: &Config) -> ProviderLimits {
    let sections = config.providers.sections();
    ProviderLimits::new(sections.map(|(kind, section)| (kind, section.calls_per_minute())))
}

#[cfg(test)]
mod tests {
    use concord_domain::provider::ProviderKind;

    use super::*;

    #[test]
    fn provider_limits_follow_configuration() {
        let mut config = Config::default();
        assert_eq!(limits(&config), ProviderLimits::default());
        let caldav = &mut config.providers.caldav;
        (caldav.requests_per_minute, caldav.requests_per_minute_per_connection) = (120, 60);
        let expected = ProviderLimits::new([(ProviderKind::Caldav, (60, 120))]);
        assert_eq!(limits(&config).of(ProviderKind::Caldav), expected.of(ProviderKind::Caldav));
    }
}

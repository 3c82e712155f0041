//! What can be set, where it is set, and what holds where nothing is.
//!
//! The defaults (`config/default.toml`, inside the binary) lie below a file, the file below the environment, the
//! environment below the command line. A section is a file here, a struct with its `validate`.
//!
//! It must never show a secret's value, nor run with a value that it did not understand: whatever is wrong is named
//! by key and by the place where it was set, and nothing starts.
//!
//! To add a key: a field in its section's struct, a line in `config/default.toml`, the same line, commented out as
//! `#key = value`, with its explanation in `config/example.toml`, a range in `validate`; then run the tests with `CONCORD_WRITE_DOCS=1`, which
//! brings `docs/configuration.md` up to date. A key that holds a secret goes into `layers::SECRET` too,
//! one whose variable has a name of its own into `NAMED_VARIABLES` in `sources`. Jobs know no configuration: what one of
//! them goes by is a field of `SyncSettings` in `jobs`, filled by `sync_settings` in `cli/serve.rs`.

mod channels;
mod check;
mod database;
mod error;
mod feeds;
mod layers;
mod listen;
mod mail;
mod master_key;
mod platforms;
mod providers;
mod queue;
mod retention;
mod security;
mod server;
mod sign_in;
mod sources;
mod sync;
mod telemetry;
mod units;
mod worker;

#[cfg(test)]
mod docs;
#[cfg(test)]
mod tests;

use std::{fs, path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;
use toml::Table;
use url::Url;

pub use channels::ChannelsConfig;
pub use database::DatabaseConfig;
pub use error::{ConfigError, ConfigFault, SettingSource};
pub use feeds::FeedsConfig;
pub use listen::ListenAddress;
pub use mail::MailConfig;
pub use master_key::{MasterKeyError, MissingKeyPolicy, create_private_folder, load_or_create_master_key};
pub use platforms::PlatformsConfig;
pub use providers::{GoogleConfig, MicrosoftConfig, ProviderSection, ProvidersConfig};
pub use queue::QueueConfig;
pub use retention::RetentionConfig;
pub use security::SecurityConfig;
pub use server::{Network, ServerConfig};
pub use sign_in::{OidcConfig, SignInConfig};
pub use sources::{ConfigArgument, ConfigSources, named_variables};
pub use sync::{CancelledEntries, PushMode, SyncConfig};
pub use telemetry::{LogFormat, TelemetryConfig};
pub use worker::WorkerConfig;

use check::SectionFaults;
use layers::ConfigLayers;

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// All settings of this process, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where Concord keeps its own files.
    pub data_dir: PathBuf,
    /// The pages and the API.
    pub server: ServerConfig,
    /// Where bookings are kept.
    pub database: DatabaseConfig,
    /// How workers learn of new work.
    pub queue: QueueConfig,
    pub security: SecurityConfig,
    /// Other ways to sign in than a mailed link.
    pub sign_in: SignInConfig,
    /// Calls to calendar providers.
    pub providers: ProvidersConfig,
    /// Bookings out to calendars, busy times in.
    pub sync: SyncConfig,
    /// The processes that do the work.
    pub worker: WorkerConfig,
    /// How people are written to.
    pub mail: MailConfig,
    /// The calendar feeds that others subscribe to.
    pub feeds: FeedsConfig,
    /// The calendar feeds of others, which are read.
    pub channels: ChannelsConfig,
    pub platforms: PlatformsConfig,
    /// How long records are kept.
    pub retention: RetentionConfig,
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Reads all sources. The error names everything that is wrong, not only the first thing.
    pub fn load(sources: &ConfigSources) -> Result<Self, ConfigError> {
        let mut layers = ConfigLayers::with_defaults(defaults());
        if let Some(path) = sources.file_to_read() {
            let text = fs::read_to_string(&path)
                .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
            layers.add_file(&path, &text);
        }
        for (name, key, value) in sources.variables() {
            layers.add_text(&key, value, &SettingSource::Variable(name.to_owned()));
        }
        for ConfigArgument { flag, key, value } in &sources.arguments {
            layers.add_text(key, value, &SettingSource::Argument(flag));
        }
        let mut layers = layers.checked()?;
        match serde_path_to_error::deserialize::<_, Self>(layers.merged()) {
            Ok(config) => {
                for (key, problem) in config.faults() {
                    layers.add_fault(&key, problem);
                }
                layers.checked().map(|_| config)
            }
            Err(error) => {
                let key = config_key(error.path());
                let problem = if layers::is_secret(&key) {
                    "cannot be understood"
                } else if layers.is_whole_number(&key) {
                    // As one it was taken when it was set; serde's words for what is left would name Rust's type.
                    "is too large"
                } else {
                    error.inner().message()
                };
                layers.add_fault(&key, problem);
                Err(layers.into_error())
            }
        }
    }

    fn faults(&self) -> Vec<(String, String)> {
        let mut check = SectionFaults::default();
        self.server.validate(check.of("server"));
        self.database.validate(check.of("database"));
        self.queue.validate(check.of("queue"));
        self.security.validate(check.of("security"));
        self.sign_in.validate(&mut check);
        self.providers.validate(check.of("providers"));
        self.sync.validate(check.of("sync"));
        self.worker.validate(check.of("worker"));
        self.check_lease_duration(check.of("worker"));
        self.mail.validate(check.of("mail"));
        self.feeds.validate(check.of("feeds"));
        self.channels.validate(check.of("channels"));
        self.retention.validate(check.of("retention"));
        self.telemetry.validate(check.of("telemetry"));
        check.into_faults()
    }

    /// A lease that ends during a call would let two workers write the same entry.
    fn check_lease_duration(&self, check: &mut SectionFaults) {
        let call = self.providers.request_timeout.as_secs();
        if self.worker.lease.as_secs() <= call {
            check.add(
                "lease_seconds",
                format!("must be longer than providers.request_timeout_seconds, which is {call}"),
            );
        }
    }

    /// How long a whole feed may take. Whoever waits for a slow one is told that it is the feed, before the request that
    /// they wait for is given up as if Concord were slow.
    pub fn feed_timeout(&self) -> Duration {
        self.channels.timeout.min(self.server.request_timeout * 2 / 3)
    }

    /// The most bytes of a form with a file: a file is no larger than a feed may be, and what is around it is small.
    pub fn max_upload_bytes(&self) -> usize {
        (self.channels.max_megabytes + 1) * 1024 * 1024
    }

    /// The database: as set, or a file in the data folder.
    pub fn database_url(&self) -> SecretString {
        let file = || SecretString::from(format!("sqlite:{}", self.data_dir.join("concord.db").display()));
        self.database.url.clone().unwrap_or_else(file)
    }

    /// Where people and providers reach Concord: as set, or the address that it listens on.
    pub fn public_url(&self) -> Url {
        self.server.public_url.clone().unwrap_or_else(|| self.server.listen.url())
    }

    /// The address at which providers are asked to tell of changes; `None`: they are not asked.
    pub fn notification_url(&self) -> Option<Url> {
        let url = self.public_url();
        let asks = match self.sync.push {
            PushMode::Auto => url.scheme() == "https",
            PushMode::Off => false,
            PushMode::Always => true,
        };
        asks.then_some(url)
    }
}

impl Default for Config {
    #[expect(clippy::expect_used, reason = "the defaults are inside the binary, and a test loads them")]
    fn default() -> Self {
        Self::load(&ConfigSources { folder: PathBuf::from("/nonexistent"), ..ConfigSources::default() })
            .expect("the defaults")
    }
}

#[expect(clippy::expect_used, reason = "the defaults are inside the binary, and a test loads them")]
fn defaults() -> Table {
    DEFAULTS.parse().expect("config/default.toml")
}

/// A path without the places in lists: what is set is the list.
fn config_key(path: &serde_path_to_error::Path) -> String {
    let names = path.iter().filter_map(|segment| match segment {
        serde_path_to_error::Segment::Map { key } => Some(key.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(".")
}

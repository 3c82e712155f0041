//! What loads, what is refused, and in which words.

use std::{fs, path::PathBuf, time::Duration};

use concord_domain::{
    booking::BookingStatus,
    entry::{EntryReminder, ReminderMeans},
    privacy::EntryPrivacy,
};
use secrecy::ExposeSecret;

use super::*;

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";

fn from_env(env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&ConfigSources { folder: PathBuf::from("/nonexistent"), env, ..ConfigSources::default() })
}

fn from_file(text: &str) -> Result<Config, ConfigError> {
    with_file(text, &[])
}

fn with_file(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("concord.toml"), text).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&ConfigSources { folder: folder.path().to_path_buf(), env, ..ConfigSources::default() })
}

/// The messages, without the temporary folder's name.
fn words(outcome: Result<Config, ConfigError>) -> String {
    match outcome {
        Ok(_) => panic!("it was accepted"),
        Err(ConfigError::Wrong(faults)) => {
            let short = |fault: ConfigFault| match fault.origin {
                SettingSource::File(path) => {
                    ConfigFault { origin: SettingSource::File(path.file_name().unwrap().into()), ..fault }
                        .to_string()
                }
                _ => fault.to_string(),
            };
            faults.into_iter().map(short).collect::<Vec<_>>().join("\n")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_defaults_alone_give_every_key() {
    let config = Config::default();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.public_url().as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.database_url().expose_secret(), "sqlite:./data/concord.db");
    assert!(config.queue.redis_url.is_none());
    assert!(config.providers.google.credentials().is_none());
    assert_eq!(config.sync.poll, Duration::from_mins(15));
    assert_eq!(config.sync.entry_privacy, EntryPrivacy::Minimal);
    assert_eq!(config.sync.entry_reminders, [EntryReminder { by: ReminderMeans::Popup, minutes: 30 }]);
    assert_eq!(config.sync.entry_colours.len(), BookingStatus::ALL.len());
    assert_eq!(config.worker.sweep, Duration::from_secs(2));
    assert_eq!(config.retention.sync_log, Duration::from_hours(90 * 24));
    assert_eq!(config.retention.customers, Some(Duration::from_hours(1_095 * 24)));
    assert_eq!(from_file("[retention]\ncustomers_days = 0").unwrap().retention.customers, None);
    assert!(words(from_file("[retention]\ncustomers_days = 3")).contains("customers_days"));
    let too_short = words(from_file("[retention]\ncustomers_days = 60\nsync_log_days = 60"));
    assert!(too_short.contains("must be at least mails_days, which is 90, or 0"), "{too_short}");
    assert!(too_short.contains("must be at least history_days, which is 730, or 0"), "{too_short}");
    assert!(!too_short.contains("sync_log_days, which"), "{too_short}");
    let equal =
        from_file("[retention]\ncustomers_days = 60\nmails_days = 60\nsync_log_days = 60\nhistory_days = 60");
    assert_eq!(equal.unwrap().retention.customers, Some(Duration::from_hours(60 * 24)));
}

#[test]
fn issuer_is_set_up_whole_and_over_tls() {
    assert!(Config::default().sign_in.oidc.credentials().is_none());
    let set = |issuer: &str, rest: &str| from_file(&format!("[sign_in.oidc]\nissuer = \"{issuer}\"\n{rest}"));
    let client = "client_id = \"a\"\nclient_secret = \"hush-hush\"";
    let config = set("https://login.example/realms/a", client).unwrap();
    assert_eq!(config.sign_in.oidc.credentials().unwrap().0, "https://login.example/realms/a");
    assert!(!format!("{config:?}").contains("hush-hush"));
    let missing = words(set("https://login.example", ""));
    for key in ["client_id", "client_secret"] {
        assert!(missing.contains(&format!("sign_in.oidc.{key}: is missing")), "{missing}");
    }
    for issuer in ["http://login.example", "login.example", "https://login.example/?a", "https://a#b"] {
        let refused = words(set(issuer, client));
        assert!(refused.contains("sign_in.oidc.issuer: must be an https:// address"), "{refused}");
        assert!(!refused.contains("hush-hush"), "{refused}");
    }
    assert!(set("http://127.0.0.1:9000/issuer", client).is_ok(), "nothing of it leaves this machine");
    let name = words(set("https://login.example", &format!("{client}\nname = \"\"")));
    assert!(name.contains("sign_in.oidc.name: must be one line"), "{name}");
}

#[test]
fn a_form_may_carry_the_largest_feed() {
    let config = from_env(&[("CONCORD__CHANNELS__MAX_MEGABYTES", "16")]).unwrap();
    assert!(config.max_upload_bytes() > config.channels.max_megabytes * 1024 * 1024);
}

#[test]
fn environment_overrides_file_overrides_defaults() {
    let file = "[server]\nlisten = \"127.0.0.1:1000\"\n[sync]\npoll_minutes = 30\ntries = 5\n";
    let config = with_file(file, &[("CONCORD__SYNC__TRIES", "7")]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:1000");
    assert_eq!(config.sync.poll, Duration::from_mins(30));
    assert_eq!(config.sync.tries, 7);
    assert_eq!(config.sync.window_future_days, 180);
}

#[test]
fn the_command_line_wins_over_all() {
    let sources = ConfigSources {
        folder: PathBuf::from("/nonexistent"),
        env: vec![("CONCORD__SERVER__LISTEN".into(), "127.0.0.1:1".into())],
        arguments: vec![ConfigArgument { flag: "--listen", key: "server.listen", value: "0.0.0.0:2".into() }],
        ..ConfigSources::default()
    };
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:2");
    assert_eq!(config.public_url().as_str(), "http://127.0.0.1:2/");
    let named = from_env(&[("CONCORD__SERVER__LISTEN", "localhost:3")]).unwrap();
    assert_eq!(named.public_url().as_str(), "http://localhost:3/");
    let wrong = ConfigSources {
        arguments: vec![ConfigArgument {
            flag: "--listen",
            key: "server.listen",
            value: "everywhere".into(),
        }],
        ..sources
    };
    assert_eq!(
        words(Config::load(&wrong)),
        "--listen: expected an address and a port such as \"127.0.0.1:8080\", found \"everywhere\""
    );
}

#[test]
fn every_kind_can_be_set_by_a_variable() {
    let config = from_env(&[
        ("DATABASE_URL", "postgres://concord:hush@db/concord"),
        ("REDIS_URL", "redis://cache:6379/1"),
        ("PUBLIC_URL", "https://book.example"),
        ("CONCORD_MASTER_KEY", KEY),
        ("GOOGLE_CALENDAR_CLIENT_ID", "id"),
        ("GOOGLE_CALENDAR_CLIENT_SECRET", "hush"),
        ("MICROSOFT_GRAPH_CLIENT_ID", "app"),
        ("MICROSOFT_GRAPH_CLIENT_SECRET", "hush too"),
        ("CONCORD__DATA_DIR", "/var/lib/concord"),
        ("CONCORD__DATABASE__DURABLE", "false"),
        ("CONCORD__WORKER__INTERACTIVE", "32"),
        ("CONCORD__TELEMETRY__SAMPLE_RATIO", "0.25"),
        ("CONCORD__TELEMETRY__LOG_FORMAT", "json"),
        ("CONCORD__SYNC__ENTRY_REMINDERS", "popup 10, email 1440"),
        ("CONCORD__SYNC__ENTRY_COLOURS__NO_SHOW", "3"),
        ("CONCORD__SYNC__CANCELLED_ENTRIES", "mark"),
        ("CONCORD__SERVER__TRUSTED_PROXIES", r#"["10.0.0.1", "172.16.0.0/12"]"#),
        ("CONCORD__FEEDS__ALLOWED_ORIGINS", "https://example.org"),
        ("PATH", "/usr/bin"),
        ("CONCORD_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
    ])
    .unwrap();
    assert_eq!(config.database_url().expose_secret(), "postgres://concord:hush@db/concord");
    assert_eq!(config.queue.redis_url.as_ref().unwrap().expose_secret(), "redis://cache:6379/1");
    assert_eq!(config.public_url().as_str(), "https://book.example/");
    assert_eq!(config.master_key(MissingKeyPolicy::Refuse).unwrap().expose_secret(), KEY);
    assert_eq!(config.providers.google.credentials().unwrap().0, "id");
    assert_eq!(config.providers.microsoft.credentials().unwrap().0, "app");
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/concord"));
    assert!(!config.database.durable);
    assert_eq!(config.worker.interactive, 32);
    assert!((config.telemetry.sample_ratio - 0.25).abs() < f64::EPSILON);
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
    assert_eq!(config.sync.entry_reminders[1], EntryReminder { by: ReminderMeans::Email, minutes: 1440 });
    assert_eq!(config.sync.entry_colours[&BookingStatus::NoShow], "3");
    assert_eq!(config.sync.cancelled_entries, CancelledEntries::Mark);
    assert!(config.server.is_trusted_proxy("172.20.1.1".parse().unwrap()));
    assert!(!config.server.is_trusted_proxy("10.0.0.2".parse().unwrap()));
    assert_eq!(config.feeds.allowed_origins, ["https://example.org"]);
}

enum TestSource {
    File(&'static str),
    Env(&'static [(&'static str, &'static str)]),
}
use TestSource::{Env, File};

/// Each is refused, in words that begin as expected.
fn assert_refused(cases: &[(TestSource, &str)]) {
    for (given, expected) in cases {
        let outcome = match given {
            File(text) => from_file(text),
            Env(variables) => from_env(variables),
        };
        let found = words(outcome);
        assert!(found.starts_with(expected), "expected: {expected}\nfound:    {found}");
    }
}

#[test]
fn a_number_out_of_bounds_is_named_with_where_it_was_set() {
    assert_refused(&[
        (
            File("[sync]\npoll_minutes = \"soon\""),
            "concord.toml: sync.poll_minutes: expected a whole number, found \"soon\"",
        ),
        (
            File("[sync]\npoll_minutes = -1"),
            "concord.toml: sync.poll_minutes: expected a whole number, found -1",
        ),
        (
            File("[sync]\npoll_minutes = 0"),
            "concord.toml: sync.poll_minutes: must be from 1 to 1440, found 0",
        ),
        (File("[sync]\ntries = 5_000_000_000"), "concord.toml: sync.tries: is too large"),
        (File("[sync]\npoll_minutes = 5_000_000_000"), "concord.toml: sync.poll_minutes: is too large"),
        (
            File("[telemetry]\nsample_ratio = 2"),
            "concord.toml: telemetry.sample_ratio: must be from 0 to 1, found 2",
        ),
        (
            File("[providers.caldav]\nrequests_per_minute = 0"),
            "concord.toml: providers.caldav.requests_per_minute: must be from 1 to 10000000, found 0",
        ),
    ]);
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_is_meant() {
    assert_refused(&[
        (
            File("[sync]\npol_minutes = 3"),
            "concord.toml: sync.pol_minutes: there is no such key; did you mean sync.poll_minutes?",
        ),
        (
            Env(&[("CONCORD__SYNC__POL_MINUTES", "3")]),
            "environment CONCORD__SYNC__POL_MINUTES: there is no such key; did you mean CONCORD__SYNC__POLL_MINUTES?",
        ),
        (
            File("poll_minutes = 3"),
            "concord.toml: poll_minutes: there is no such key; did you mean sync.poll_minutes?",
        ),
        (File("[weather]\ntoday = \"fair\""), "concord.toml: weather: there is no such key"),
        (
            File("sync = 3"),
            "concord.toml: sync: is a section; set a key of it, such as sync.cancelled_entries",
        ),
        (
            File("[sync.entry_colours]\nlost = \"1\""),
            "concord.toml: sync.entry_colours.lost: there is no such key; did you mean",
        ),
    ]);
}

#[test]
fn a_value_of_another_form_is_named_with_what_is_expected() {
    assert_refused(&[
        (
            Env(&[("CONCORD__SYNC__POLL_MINUTES", "soon")]),
            "environment CONCORD__SYNC__POLL_MINUTES: expected a whole number, found \"soon\"",
        ),
        (File("[sync]\n\ntries = = 3"), "concord.toml: line 3: extra `=`"),
        (
            File("[telemetry]\nlog_format = \"xml\""),
            "concord.toml: telemetry.log_format: unknown variant `xml`, expected `text` or `json`",
        ),
        (
            File("[telemetry]\nfilter = \"a=b=c\""),
            "concord.toml: telemetry.filter: expected directives such as",
        ),
        (
            File("[database]\ndurable = \"yes\""),
            "concord.toml: database.durable: expected true or false, found \"yes\"",
        ),
        (
            File("[sync]\nentry_reminders = [\"shout 5\"]"),
            "concord.toml: sync.entry_reminders: expected \"popup MINUTES\" or \"email MINUTES\", found \"shout 5\"",
        ),
        (
            File("[sync]\nentry_reminders = [5]"),
            "concord.toml: sync.entry_reminders: expected a list of texts, found [5]",
        ),
        (
            File("[sync.entry_colours]\npending = \"12\""),
            "concord.toml: sync.entry_colours.pending: must be \"1\" to \"11\", found \"12\"",
        ),
    ]);
}

#[test]
fn an_address_that_cannot_be_one_is_named() {
    assert_refused(&[
        (
            File("[database]\nurl = \"mysql://root:hush@db/x\""),
            "concord.toml: database.url: must begin with sqlite: or postgres://",
        ),
        (
            Env(&[("REDIS_URL", "localhost:6379")]),
            "environment REDIS_URL: must begin with redis:// or rediss://",
        ),
        (
            Env(&[("PUBLIC_URL", "book.example")]),
            "environment PUBLIC_URL: expected an address such as \"https://book.example.org\", found \"book.example\"",
        ),
        (
            Env(&[("PUBLIC_URL", "ftp://book.example")]),
            "environment PUBLIC_URL: must be an http or https address",
        ),
        (
            Env(&[("PUBLIC_URL", "https://example.org/book")]),
            "environment PUBLIC_URL: must end after the host and port",
        ),
        (
            File("[providers.microsoft]\ntenant = \"contoso.com/../common\""),
            "concord.toml: providers.microsoft.tenant: must be common, organizations, consumers, or an organisation's id or domain",
        ),
        (
            File("[server]\ntrusted_proxies = [\"proxy\"]"),
            "concord.toml: server.trusted_proxies: expected an address such as",
        ),
        (
            File("[feeds]\nallowed_origins = [\"https://example.org/\"]"),
            "concord.toml: feeds.allowed_origins: expected \"*\" or an origin",
        ),
    ]);
}

#[test]
fn settings_that_do_not_go_together_are_named() {
    assert_refused(&[
        (
            Env(&[("GOOGLE_CALENDAR_CLIENT_ID", "id")]),
            "providers.google.client_secret: is missing, though there is a client_id",
        ),
        (
            Env(&[("MICROSOFT_GRAPH_CLIENT_SECRET", "hush")]),
            "providers.microsoft.client_id: is missing, though there is a client_secret",
        ),
        (
            File("[worker]\nlease_seconds = 10"),
            "concord.toml: worker.lease_seconds: must be longer than providers.request_timeout_seconds, which is 10",
        ),
        (
            File(
                "[mail]\nfrom_address = \"reservations.at.the.harbour.house@hotel.example\"\nplus_addresses = true",
            ),
            "concord.toml: mail.plus_addresses: needs a from_address of at most 29 characters before the @",
        ),
        (
            Env(&[("DATABASE_URL", "sqlite:a"), ("CONCORD__DATABASE__URL", "sqlite:b")]),
            "environment CONCORD__DATABASE__URL: sets database.url, which DATABASE_URL sets too: keep one of them",
        ),
    ]);
}

#[test]
fn everything_wrong_is_named_at_once() {
    let file = "[sync]\npoll_minutes = 0\ntries = 99\n[worker]\nsweep_seconds = 0\n";
    assert_eq!(words(from_file(file)).lines().count(), 3);
    let file = "[sync]\npoll_minutes = \"x\"\nlater = 1\n[worker]\nsweep_seconds = true\n";
    assert_eq!(words(from_file(file)).lines().count(), 3);
}

#[test]
fn no_message_and_no_debug_output_shows_a_secret() {
    let hush = "hush-hush";
    let wrong = vec![
        from_file("[security]\nmaster_key = \"hush-hush\""),
        from_file("[security]\nprevious_master_keys = [\"hush-hush\"]"),
        from_file("[security]\nmaster_key = [\"hush-hush\"]"),
        from_file("[security]\nprevious_master_keys = \"hush-hush\""),
        from_file("[database]\nurl = \"hush-hush\""),
        from_file("[database]\nurl = { password = \"hush-hush\" }"),
        from_file("[database]\nurl = \"hush-hush"),
        from_file("[providers.google]\nclient_secret = \"hush-hush\" oops"),
        from_file("[providers.google]\nclient_secret = [\"hush-hush\"]"),
        from_env(&[("CONCORD_MASTER_KEY", hush)]),
        from_env(&[("CONCORD__SECURITY__PREVIOUS_MASTER_KEYS", hush)]),
        from_env(&[("REDIS_URL", hush)]),
    ];
    for outcome in wrong {
        let error = outcome.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(hush), "{error:?}");
    }
    let config = from_env(&[
        ("DATABASE_URL", "postgres://concord:hush-hush@db/concord"),
        ("REDIS_URL", "redis://:hush-hush@cache"),
        ("CONCORD_MASTER_KEY", KEY),
        ("CONCORD__SECURITY__PREVIOUS_MASTER_KEYS", KEY),
        ("GOOGLE_CALENDAR_CLIENT_ID", "id"),
        ("GOOGLE_CALENDAR_CLIENT_SECRET", hush),
        ("MICROSOFT_GRAPH_CLIENT_ID", "id"),
        ("MICROSOFT_GRAPH_CLIENT_SECRET", hush),
    ])
    .unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains(hush) && !shown.contains(KEY), "{shown}");
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let missing = PathBuf::from("/nonexistent/concord.toml");
    let asked = Config::load(&ConfigSources { file: Some(missing), ..ConfigSources::default() });
    assert!(words(asked).starts_with("/nonexistent/concord.toml: cannot be read: "));
    let named = from_env(&[("CONCORD_CONFIG", "/nonexistent/other.toml")]);
    assert!(words(named).starts_with("/nonexistent/other.toml: cannot be read: "));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let config = with_file(
        "[sync]\npoll_minutes = 30",
        &[("CONCORD__SYNC__POLL_MINUTES", ""), ("REDIS_URL", ""), ("CONCORD_CONFIG", "")],
    )
    .unwrap();
    assert_eq!(config.sync.poll, Duration::from_mins(30));
    assert!(config.queue.redis_url.is_none());
}

#[test]
fn a_master_key_is_made_only_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = from_env(&[("CONCORD__DATA_DIR", data.to_str().unwrap())]).unwrap();
    assert!(matches!(config.master_key(MissingKeyPolicy::Refuse), Err(MasterKeyError::Missing)));
    assert!(!data.exists());
    let made = config.master_key(MissingKeyPolicy::Create).unwrap();
    let found = config.master_key(MissingKeyPolicy::Refuse).unwrap();
    assert_eq!(made.expose_secret(), found.expose_secret());
    let file = data.join("master.key");
    let elsewhere = from_env(&[("CONCORD__SECURITY__MASTER_KEY_FILE", file.to_str().unwrap())]).unwrap();
    assert_eq!(elsewhere.master_key(MissingKeyPolicy::Refuse).unwrap().expose_secret(), made.expose_secret());
}

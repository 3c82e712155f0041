//! The calendar that is checked: a feed, a file, or the standard input.

use std::io;

use bytes::Bytes;
use concord_domain::{
    clock::Clock,
    ical::{ReadError, ReadLimits},
};
use concord_providers::{FeedError, FeedFetchOutcome, FeedRequest, SsrfGuard, feed_address};
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

use crate::{
    cli::{
        CommandError,
        serve::{feed_fetcher, feed_guard},
    },
    config::Config,
};

/// A calendar as it came.
pub(super) struct CalendarSource {
    /// The file, or the host alone: whoever has the address of a feed can read it.
    pub(super) name: String,
    /// Where it was fetched; a secret.
    pub(super) url: Option<Url>,
    pub(super) bytes: Bytes,
    /// What a person should know of how it came.
    pub(super) notes: Vec<String>,
}

/// Why there is nothing to check.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("{0}{hint}", hint = hint(.0))]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Calendar(#[from] ReadError),
    #[error("{name}: {error}")]
    File { name: String, error: io::Error },
    #[error("{0}: there is no such file; the address of a feed begins with https://")]
    NoFile(String),
    #[error("no platform is called {name}; there are {known}")]
    NoPlatform { name: String, known: String },
    #[error("the feed cannot be fetched: {0}")]
    Setup(CommandError),
}

impl SourceError {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Feed(error) => error.code(),
            Self::Calendar(ReadError::NotCalendar) => "not_calendar",
            Self::Calendar(_) => "too_much",
            Self::File { .. } | Self::NoFile(_) => "file",
            Self::NoPlatform { .. } => "no_platform",
            Self::Setup(_) => "setup",
        }
    }
}

/// What the person at the command line can do about it.
fn hint(error: &FeedError) -> &'static str {
    match error {
        FeedError::PrivateHost(_) => "; --allow-private fetches it for this once",
        _ => "",
    }
}

/// Reads what stands at `place`: the standard input (`-`), a feed if it has a scheme, or else a file.
pub(super) async fn open(
    place: &str,
    allow_private: bool,
    config: &Config,
) -> Result<CalendarSource, SourceError> {
    if place == "-" {
        return read("standard input", tokio::io::stdin()).await;
    }
    if place.contains("://") {
        return fetch(feed_address(place)?, allow_private, config).await;
    }
    match tokio::fs::File::open(place).await {
        Ok(file) => read(place, file).await,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SourceError::NoFile(place.to_owned())),
        Err(error) => Err(SourceError::File { name: place.to_owned(), error }),
    }
}

async fn read(name: &str, from: impl AsyncRead + Unpin) -> Result<CalendarSource, SourceError> {
    let limit = ReadLimits::default().bytes;
    let mut bytes = Vec::new();
    // One more, so that the reader sees that it is too large.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let outcome = from.take(most).read_to_end(&mut bytes).await;
    outcome.map_err(|error| SourceError::File { name: name.to_owned(), error })?;
    Ok(CalendarSource { name: name.to_owned(), url: None, bytes: bytes.into(), notes: Vec::new() })
}

async fn fetch(url: Url, allow_private: bool, config: &Config) -> Result<CalendarSource, SourceError> {
    let mut notes = Vec::new();
    // Whoever sits at the console may know why.
    let mut guard = SsrfGuard { hide_private_hosts: false, ..feed_guard(config) };
    if allow_private && !guard.allow_private {
        guard = SsrfGuard { allow_private: true, ..guard };
        notes.push("private addresses were allowed for this once (--allow-private)".to_owned());
    }
    let fetcher = feed_fetcher(config, guard, Clock::system()).map_err(SourceError::Setup)?;
    let name = url.host_str().unwrap_or_default().to_owned();
    match fetcher.fetch(FeedRequest::anew(&url)).await? {
        FeedFetchOutcome::Body(body) => {
            if let Some(host) = body.moved_to.as_ref().and_then(Url::host_str) {
                notes
                    .push(format!("the feed has moved for good, to another address at {host}: use that one"));
            }
            Ok(CalendarSource { name, url: Some(url), bytes: body.bytes, notes })
        }
        // Nobody asked whether it has changed.
        FeedFetchOutcome::NotModified => {
            Ok(CalendarSource { name, url: Some(url), bytes: Bytes::new(), notes })
        }
    }
}

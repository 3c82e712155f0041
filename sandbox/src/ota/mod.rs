//! Booking platforms with listings: what guests book there, the feeds that they export, and the feeds that they read.
//!
//! `listing` is what a platform knows of one listing and what can be done with it, `nights` the dates; `dialect` writes a
//! listing's feed as the platform does, `export` serves it, `spoiled` breaks it on demand, `import` reads the feed that a
//! host has named. State survives a kill: each change is one line of the journal, the listing as it is from then on.

mod dialect;
mod export;
mod import;
mod listing;
mod nights;
mod sample;
mod site;
mod spoiled;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use import::{ListingImportOutcome, read_now, run};
pub(crate) use listing::{ListingError, ListingImport, ListingStay, NewListing, NightStatus, OtaListing};
pub(crate) use nights::StayNights;
pub(crate) use site::OtaPlatform;

use crate::SandboxError;
use crate::journal::Journal;
use crate::server::SandboxServer;

/// How many requests for a listing's feed are remembered.
const MAX_FEED_REQUESTS: usize = 50;

/// Where the feed of a listing is, as `GET /control/ota` tells it too, among much else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingAddress {
    /// The listing's name in the control interface.
    pub id: String,
    /// `airbnb`, `vrbo` or `booking_com`.
    pub platform: String,
    pub name: String,
    /// The address of its feed, which is a secret.
    pub export_url: String,
}

#[derive(Debug)]
pub(crate) struct Ota {
    inner: Mutex<OtaState>,
    /// Makes codes, UIDs and tokens differ from another sandbox's.
    seed: u64,
    server: Arc<SandboxServer>,
}

#[derive(Debug)]
struct OtaState {
    listings: BTreeMap<String, OtaListing>,
    journal: Journal<OtaListing>,
    /// What is forgotten at a restart.
    seen: BTreeMap<String, ListingActivity>,
}

/// Who has asked for a listing's feed, and what came of reading the one that it reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListingActivity {
    pub(crate) asked: VecDeque<ListingFeedRequest>,
    /// The last time that the feed was read.
    pub(crate) read: Option<(DateTime<Utc>, ListingImportOutcome)>,
}

/// One request for a listing's feed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ListingFeedRequest {
    pub(crate) at: DateTime<Utc>,
    pub(crate) user_agent: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) status: u16,
}

impl Ota {
    /// Reads the journal at `path`; a sandbox that had none gets the sample listings.
    ///
    /// # Errors
    /// If the file cannot be used or holds what is no listing.
    pub(crate) fn open(
        path: &Path,
        seed: u64,
        now: DateTime<Utc>,
        server: Arc<SandboxServer>,
    ) -> Result<Self, SandboxError> {
        let records = Journal::<OtaListing>::read(path)?;
        let records = if records.is_empty() { sample::listings(seed, now) } else { records };
        let listings: BTreeMap<_, _> = records.into_iter().map(|one| (one.id.clone(), one)).collect();
        let journal = Journal::rewrite(path, &listings.values().cloned().collect::<Vec<_>>())?;
        Ok(Self { inner: Mutex::new(OtaState { listings, journal, seen: BTreeMap::new() }), seed, server })
    }

    /// All of them, by id.
    pub(crate) fn all(&self) -> Vec<OtaListing> {
        self.lock().listings.values().cloned().collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<OtaListing> {
        self.lock().listings.get(id).cloned()
    }

    pub(crate) fn add(&self, new: NewListing) -> Result<OtaListing, ListingError> {
        let mut inner = self.lock();
        let listing = OtaListing::new(new, self.seed)?;
        if inner.listings.contains_key(&listing.id) {
            return Err(ListingError::Taken(format!("there is a listing {} already", listing.id)));
        }
        inner.keep(listing.clone())?;
        Ok(listing)
    }

    /// Does something with a listing: all of it, or nothing.
    pub(crate) fn change<T>(
        &self,
        id: &str,
        work: impl FnOnce(&mut OtaListing) -> Result<T, ListingError>,
    ) -> Result<T, ListingError> {
        let mut inner = self.lock();
        let mut listing = inner.listings.get(id).cloned().ok_or(ListingError::NotFound)?;
        let done = work(&mut listing)?;
        if inner.listings.get(id) != Some(&listing) {
            inner.keep(listing)?;
        }
        Ok(done)
    }

    /// What was seen of a listing since the sandbox was started.
    pub(crate) fn seen(&self, id: &str) -> ListingActivity {
        self.lock().seen.get(id).cloned().unwrap_or_default()
    }

    fn note_asked(&self, id: &str, asked: ListingFeedRequest) {
        let mut inner = self.lock();
        let list = &mut inner.seen.entry(id.to_owned()).or_default().asked;
        list.push_back(asked);
        if list.len() > MAX_FEED_REQUESTS {
            list.pop_front();
        }
    }

    fn note_read(&self, id: &str, at: DateTime<Utc>, outcome: ListingImportOutcome) {
        self.lock().seen.entry(id.to_owned()).or_default().read = Some((at, outcome));
    }

    /// Where the feed of a listing is.
    pub(crate) fn address_of(&self, listing: &OtaListing) -> ListingAddress {
        let OtaListing { id, site, name, token, .. } = listing;
        ListingAddress {
            id: id.clone(),
            platform: site.as_str().to_owned(),
            name: name.clone(),
            export_url: format!("{}/ota/{site}/{id}/calendar.ics?t={token}", self.server.url),
        }
    }

    fn lock(&self) -> MutexGuard<'_, OtaState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OtaState {
    fn keep(&mut self, listing: OtaListing) -> Result<(), ListingError> {
        if let Err(error) = self.journal.append(std::slice::from_ref(&listing)) {
            tracing::error!(%error, "the sandbox cannot write its state");
            return Err(ListingError::Unwritten);
        }
        self.listings.insert(listing.id.clone(), listing);
        Ok(())
    }
}

pub(crate) fn router<S>(ota: Arc<Ota>) -> Router<S> {
    Router::new().route("/ota/{platform}/{listing}/calendar.ics", get(export::serve)).with_state(ota)
}

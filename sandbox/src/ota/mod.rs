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

pub(crate) use import::{Outcome, read_now, run};
pub(crate) use listing::{Import, Listing, NewListing, Night, Refused, Stay};
pub(crate) use nights::Nights;
pub(crate) use site::Site;

use crate::SandboxError;
use crate::app::App;
use crate::journal::Journal;

/// How many requests for a listing's feed are remembered.
const ASKED_KEPT: usize = 50;

/// Where the feed of a listing is, as `GET /control/ota` tells it too, among much else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingAddress {
    /// The listing's name in the control interface.
    pub id: String,
    /// `airbnb`, `vrbo` or `booking_com`.
    pub platform: String,
    /// What is let.
    pub name: String,
    /// The address of its feed, which is a secret.
    pub export_url: String,
}

/// All listings.
#[derive(Debug)]
pub(crate) struct Ota {
    inner: Mutex<Inner>,
    /// Makes codes, UIDs and tokens differ from another sandbox's.
    seed: u64,
}

#[derive(Debug)]
struct Inner {
    listings: BTreeMap<String, Listing>,
    journal: Journal<Listing>,
    /// What is forgotten at a restart.
    seen: BTreeMap<String, Seen>,
}

/// Who has asked for a listing's feed, and what came of reading the one that it reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The oldest first.
    pub(crate) asked: VecDeque<Asked>,
    /// The last time that the feed was read.
    pub(crate) read: Option<(DateTime<Utc>, Outcome)>,
}

/// One request for a listing's feed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Asked {
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
    pub(crate) fn open(path: &Path, seed: u64, now: DateTime<Utc>) -> Result<Self, SandboxError> {
        let records = Journal::<Listing>::read(path)?;
        let records = if records.is_empty() { sample::listings(seed, now) } else { records };
        let listings: BTreeMap<_, _> = records.into_iter().map(|one| (one.id.clone(), one)).collect();
        let journal = Journal::rewrite(path, &listings.values().cloned().collect::<Vec<_>>())?;
        Ok(Self { inner: Mutex::new(Inner { listings, journal, seen: BTreeMap::new() }), seed })
    }

    /// All of them, by id.
    pub(crate) fn all(&self) -> Vec<Listing> {
        self.lock().listings.values().cloned().collect()
    }

    /// One of them.
    pub(crate) fn find(&self, id: &str) -> Option<Listing> {
        self.lock().listings.get(id).cloned()
    }

    /// Makes a listing.
    pub(crate) fn add(&self, new: NewListing) -> Result<Listing, Refused> {
        let mut inner = self.lock();
        let listing = Listing::new(new, self.seed)?;
        if inner.listings.contains_key(&listing.id) {
            return Err(Refused::Taken(format!("there is a listing {} already", listing.id)));
        }
        inner.keep(listing.clone())?;
        Ok(listing)
    }

    /// Does something with a listing: all of it, or nothing.
    pub(crate) fn change<T>(
        &self,
        id: &str,
        work: impl FnOnce(&mut Listing) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut inner = self.lock();
        let mut listing = inner.listings.get(id).cloned().ok_or(Refused::NotFound)?;
        let done = work(&mut listing)?;
        if inner.listings.get(id) != Some(&listing) {
            inner.keep(listing)?;
        }
        Ok(done)
    }

    /// What was seen of a listing since the sandbox was started.
    pub(crate) fn seen(&self, id: &str) -> Seen {
        self.lock().seen.get(id).cloned().unwrap_or_default()
    }

    fn note_asked(&self, id: &str, asked: Asked) {
        let mut inner = self.lock();
        let list = &mut inner.seen.entry(id.to_owned()).or_default().asked;
        list.push_back(asked);
        if list.len() > ASKED_KEPT {
            list.pop_front();
        }
    }

    fn note_read(&self, id: &str, at: DateTime<Utc>, outcome: Outcome) {
        self.lock().seen.entry(id.to_owned()).or_default().read = Some((at, outcome));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self, listing: Listing) -> Result<(), Refused> {
        if let Err(error) = self.journal.append(std::slice::from_ref(&listing)) {
            tracing::error!(%error, "the sandbox cannot write its state");
            return Err(Refused::Unwritten);
        }
        self.listings.insert(listing.id.clone(), listing);
        Ok(())
    }
}

impl App {
    /// Where the feed of a listing is.
    pub(crate) fn address_of(&self, listing: &Listing) -> ListingAddress {
        let Listing { id, site, name, token, .. } = listing;
        ListingAddress {
            id: id.clone(),
            platform: site.as_str().to_owned(),
            name: name.clone(),
            export_url: format!("{}/ota/{site}/{id}/calendar.ics?t={token}", self.url),
        }
    }
}

/// The feeds.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/ota/{platform}/{listing}/calendar.ics", get(export::serve))
}

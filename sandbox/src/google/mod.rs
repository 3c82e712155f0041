//! A Google: accounts, OAuth with its consent page, Calendar v3.
//!
//! `records` is what is stored, `world` its only way to change; `writes`, `listing`, `free_busy`, `grants` are what can be
//! done with it; `api` and `oauth` are the HTTP around that; `gate` stands before both and brings faults, authentication,
//! quotas and the recording of traffic. Push channels (`events.watch`) would be a file beside `listing`.

mod api;
mod draft;
mod entry;
mod errors;
mod free_busy;
mod gate;
mod grants;
mod list_query;
mod listing;
mod oauth;
mod occurrences;
mod person;
mod quota;
mod records;
mod resource;
mod sample;
mod scopes;
mod sync_token;
mod world;
mod writes;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{Router, middleware};

pub(crate) use entry::{Action, Entry};
pub(crate) use errors::ApiError;
pub(crate) use grants::ACCESS_TOKEN_LIFE;
pub(crate) use occurrences::{Window, standing_between};
pub(crate) use person::{Place, Wish};
pub(crate) use quota::Limits;
pub(crate) use records::{AccessRole, Account, Calendar, Subscription};
pub(crate) use resource::View;
pub(crate) use scopes::EVERYTHING;
pub(crate) use world::World;
pub(crate) use writes::standing;

use crate::app::App;
use crate::{OAuthClient, SandboxError};

/// The simulated Google.
#[derive(Debug)]
pub(crate) struct Google {
    world: Mutex<World>,
    quota: Mutex<quota::Quota>,
    clients: Vec<OAuthClient>,
}

impl Google {
    pub(crate) fn open(path: &Path, clients: Vec<OAuthClient>) -> Result<Self, SandboxError> {
        let world = Mutex::new(World::open(path)?);
        Ok(Self { world, quota: Mutex::default(), clients })
    }

    /// The state; held for the length of one request's work, never across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn quota(&self) -> MutexGuard<'_, quota::Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first registered application: whose consents the control interface gives.
    pub(crate) fn first_client(&self) -> Option<&OAuthClient> {
        self.clients.first()
    }

    fn client(&self, id: &str) -> Option<&OAuthClient> {
        self.clients.iter().find(|client| client.client_id == id)
    }
}

impl World {
    /// Makes an account with a primary calendar.
    ///
    /// # Errors
    /// 409 if there is one with this address.
    pub(crate) fn add_account(
        &mut self,
        email: &str,
        name: &str,
        zone: chrono_tz::Tz,
    ) -> Result<(), ApiError> {
        if self.accounts.contains_key(email) || self.calendars.contains_key(email) {
            return Err(ApiError::duplicate());
        }
        let mut seq = self.seq;
        self.commit(sample::account(email, name, zone, &mut seq))
    }

    /// Makes a further calendar in the list of `account` and returns its id.
    ///
    /// # Errors
    /// 404 if there is no such account.
    pub(crate) fn add_calendar(
        &mut self,
        account: &str,
        name: &str,
        zone: Option<chrono_tz::Tz>,
        role: AccessRole,
    ) -> Result<String, ApiError> {
        let zone = zone.or(self.accounts.get(account).map(|one| one.zone)).ok_or_else(ApiError::not_found)?;
        if !self.accounts.contains_key(account) {
            return Err(ApiError::not_found());
        }
        let mut seq = self.seq;
        let key = grants::secret();
        let records = sample::calendar(account, &key, name, zone, role, &mut seq);
        let id = records.iter().find_map(|record| match record {
            records::Record::Calendar { calendar } => Some(calendar.id.clone()),
            _ => None,
        });
        self.commit(records)?;
        id.ok_or_else(ApiError::not_found)
    }

    /// A person takes a calendar out of the list that they see, or puts it back.
    ///
    /// # Errors
    /// 404 for a calendar that is not in the account's list.
    pub(crate) fn hide_calendar(&mut self, account: &str, id: &str, hidden: bool) -> Result<(), ApiError> {
        let (_, subscription) = self.visible(account, id)?;
        let subscription = Subscription { hidden, seq: self.seq + 1, ..subscription.clone() };
        self.commit(vec![records::Record::Subscription { subscription }])
    }

    /// The owner of a calendar deletes it; a primary calendar goes only with its account.
    ///
    /// # Errors
    /// 404 if there is no such calendar, 400 for a primary one.
    pub(crate) fn delete_calendar(&mut self, id: &str) -> Result<(), ApiError> {
        if self.accounts.contains_key(id) {
            return Err(ApiError::invalid("A primary calendar cannot be deleted."));
        }
        if !self.calendars.contains_key(id) {
            return Err(ApiError::not_found());
        }
        self.commit(vec![records::Record::CalendarDeleted { id: id.into() }])
    }
}

/// The routes below `/google`: pages for persons, and the endpoints for applications behind the gate.
pub(crate) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let endpoints = oauth::endpoints().nest("/calendar/v3", api::router());
    let gated = endpoints.layer(middleware::from_fn_with_state(Arc::clone(app), gate::pass));
    oauth::pages().merge(gated)
}

//! The state of a Google with its journal: every change goes through [`World::commit`].

use std::ops::Deref;
use std::path::Path;

use axum::http::StatusCode;

use super::errors::ApiError;
use super::records::{AccessRole, Calendar, Record, State, Subscription};
use super::sample;
use crate::journal::Journal;
use crate::{SandboxError, clock};

/// All accounts, calendars, entries and grants. Reads go to the [`State`] that it dereferences to.
#[derive(Debug)]
pub(crate) struct World {
    state: State,
    journal: Journal<Record>,
}

impl Deref for World {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl World {
    /// Reads the journal at `path` and writes it anew; a Google that was never there gets the sample persons.
    ///
    /// # Errors
    /// If the file cannot be used or holds what is not a Google's.
    pub(crate) fn open(path: &Path) -> Result<Self, SandboxError> {
        let records = Journal::<Record>::read(path)?;
        let now = clock::now();
        let records = if records.is_empty() { sample::records(now) } else { records };
        let mut state = State::default();
        for (index, record) in records.into_iter().enumerate() {
            state.apply(record).map_err(|reason| SandboxError::Damaged {
                path: path.into(),
                line: index + 1,
                reason,
            })?;
        }
        let journal = Journal::rewrite(path, &state.records(now))?;
        Ok(Self { state, journal })
    }

    /// Writes `records` down, then makes them so.
    ///
    /// # Errors
    /// 500 if they cannot be written; then nothing has changed.
    pub(crate) fn commit(&mut self, records: Vec<Record>) -> Result<(), ApiError> {
        let failed = || ApiError::backend(StatusCode::INTERNAL_SERVER_ERROR);
        if let Err(error) = self.journal.append(&records) {
            tracing::error!(%error, "the sandbox cannot write its state");
            return Err(failed());
        }
        for record in records {
            if let Err(reason) = self.state.apply(record) {
                tracing::error!(reason, "the sandbox wrote what does not fit its state");
                return Err(failed());
            }
        }
        Ok(())
    }

    /// The calendar `id` as `account` sees it; `primary` is the account's own.
    ///
    /// # Errors
    /// 404 for calendars that do not exist and those that are not in the account's list alike.
    pub(crate) fn visible(&self, account: &str, id: &str) -> Result<(&Calendar, &Subscription), ApiError> {
        let id = if id == "primary" { account } else { id };
        let key = (account.to_owned(), id.to_owned());
        let subscription = self.subscriptions.get(&key).ok_or_else(ApiError::not_found)?;
        let calendar = self.calendars.get(id).ok_or_else(ApiError::not_found)?;
        Ok((calendar, subscription))
    }

    /// The id of the calendar `id`, if `account` may write in it.
    ///
    /// # Errors
    /// 404, or 403 for a calendar that may only be read.
    pub(crate) fn writable(&self, account: &str, id: &str) -> Result<String, ApiError> {
        let (calendar, subscription) = self.visible(account, id)?;
        if subscription.role < AccessRole::Writer {
            return Err(ApiError::no_writer());
        }
        Ok(calendar.info.id.clone())
    }

    /// The calendars in the list of `account`, its primary one first.
    pub(crate) fn list_of(&self, account: &str) -> Vec<(&Calendar, &Subscription)> {
        let mut list: Vec<_> = self
            .subscriptions
            .values()
            .filter(|one| one.account == account)
            .filter_map(|one| Some((self.calendars.get(&one.calendar)?, one)))
            .collect();
        list.sort_by_key(|(calendar, one)| {
            (!one.primary, one.role != AccessRole::Owner, calendar.info.id.clone())
        });
        list
    }
}

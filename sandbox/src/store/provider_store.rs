//! The state of a provider with its journal: every change goes through [`ProviderStore::commit`].

use std::ops::Deref;
use std::path::Path;

use tokio::sync::mpsc::UnboundedSender;

use super::dialect::ProviderDialect;
use super::records::{StoreRecord, StoreState};
use super::refusal::StoreError;
use super::watch::EntryChanged;
use crate::journal::Journal;
use crate::{SandboxError, clock};

/// All accounts, calendars, entries and grants. Reads go to the [`StoreState`] that it dereferences to.
#[derive(Debug)]
pub(crate) struct ProviderStore {
    state: StoreState,
    journal: Journal<StoreRecord>,
    dialect: &'static dyn ProviderDialect,
    /// Where each write to an entry is told, for those who watch.
    changes: UnboundedSender<EntryChanged>,
}

impl Deref for ProviderStore {
    type Target = StoreState;

    fn deref(&self) -> &StoreState {
        &self.state
    }
}

impl ProviderStore {
    /// Reads the journal at `path` and writes it anew; a provider that was never there gets its sample persons.
    ///
    /// # Errors
    /// If the file cannot be used or holds what is not a provider's.
    pub(crate) fn open(
        path: &Path,
        dialect: &'static dyn ProviderDialect,
        changes: UnboundedSender<EntryChanged>,
    ) -> Result<Self, SandboxError> {
        let records = Journal::<StoreRecord>::read(path)?;
        let now = clock::now();
        let records = if records.is_empty() { dialect.sample(now) } else { records };
        let mut state = StoreState::default();
        for (index, record) in records.into_iter().enumerate() {
            state.apply(record).map_err(|reason| SandboxError::Damaged {
                path: path.into(),
                line: index + 1,
                reason,
            })?;
        }
        let journal = Journal::rewrite(path, &state.records(now))?;
        Ok(Self { state, journal, dialect, changes })
    }

    pub(crate) fn dialect(&self) -> &'static dyn ProviderDialect {
        self.dialect
    }

    /// Writes `records` down, then makes them so and tells of the entries among them.
    ///
    /// # Errors
    /// `Unwritten`; then nothing has changed.
    pub(crate) fn commit(&mut self, records: Vec<StoreRecord>) -> Result<(), StoreError> {
        if let Err(error) = self.journal.append(&records) {
            tracing::error!(%error, "the sandbox cannot write its state");
            return Err(StoreError::Unwritten);
        }
        for record in records {
            let changed = self.state.change_of(&record);
            if let Err(reason) = self.state.apply(record) {
                tracing::error!(reason, "the sandbox wrote what does not fit its state");
                return Err(StoreError::Unwritten);
            }
            if let Some(changed) = changed {
                // Nobody listens while the sandbox stops.
                let _stopping = self.changes.send(changed);
            }
        }
        Ok(())
    }
}

//! Entries of ours among what a calendar holds: they are no busy times, and what people did to them has its own way.

use std::collections::{BTreeMap, HashMap};

use concord_domain::{
    entry::ObservedEntry,
    ids::EntryId,
    interval::Interval,
    sync::{
        drift::{Expected, KnownEntry},
        outside::NOT_COUNTED,
    },
};
use concord_storage::{
    duties::ClaimedDuty,
    entries::{self, Compared, Named},
};

use super::Import;
use crate::{
    duty::{JobError, keep},
    outside::Met,
    touched::{self, Found, Place, Rows},
};

/// Entries of ours that are not as we left them.
#[derive(Debug, Default)]
pub(super) struct Touched(BTreeMap<EntryId, Found>);

impl Import<'_> {
    /// Marks what is ours among `entries`, and only that: what another business, or another installation, has written
    /// there keeps its owner from our bookings like anything else, and so does a copy that a person made of an entry of
    /// ours. Returns those that somebody has touched; an entry of which `resources` tell in whole, and that is not among
    /// `entries`, is gone.
    pub(super) async fn know_ours(
        &self,
        entries: &mut [ObservedEntry],
        resources: &[String],
    ) -> Result<Touched, JobError> {
        let (db, business) = (&self.context.db, self.calendar.business_id);
        let names: Vec<&str> = entries
            .iter()
            .flat_map(|entry| [Some(entry.external_id.as_str()), entry.series.as_deref()])
            .flatten()
            .chain(resources.iter().map(String::as_str))
            .collect();
        let named = entries::named(db, business, self.calendar.id, &names).await?;
        let by_name: HashMap<&str, &Named> =
            named.iter().map(|one| (one.external_id.as_str(), one)).collect();
        let marked: Vec<EntryId> = entries.iter().filter_map(|entry| entry.entry).collect();
        let ours: HashMap<EntryId, Named> =
            entries::ours(db, business, &marked).await?.into_iter().map(|one| (one.id, one)).collect();
        let mut touched = Touched::default();
        for one in resources.iter().filter_map(|name| by_name.get(name.as_str())) {
            touched.note_gone(one);
        }
        for entry in entries {
            let here = by_name.get(entry.external_id.as_str()).copied();
            let of_series = entry.series.as_deref().and_then(|series| by_name.get(series).copied());
            // Written, but its id is not known yet: it was given out by the provider in a write whose answer is still
            // on its way.
            let arriving = entry.entry.and_then(|id| ours.get(&id)).filter(|one| one.etag.is_none());
            if let Some(one) = here.or(of_series) {
                touched.note(one, entry);
            }
            entry.entry = here.or(of_series).or(arriving).map(|one| one.id);
        }
        Ok(touched)
    }

    /// The entries of the calendar in the window, as they are now.
    pub(super) async fn rows(&self, window: Interval) -> Result<Rows, JobError> {
        let mut rows = touched::rows(self.context, &self.connection, window).await?;
        rows.retain(|_, row| row.calendar_id == self.calendar.id);
        Ok(rows)
    }

    /// How a full read of the window is to show them. What waits to be written is expected too, for a person's deletion
    /// comes before whatever is written; but not what a write of ours may be about to change.
    pub(super) async fn expected(
        &self,
        before: &Rows,
        window: Interval,
    ) -> Result<Vec<KnownEntry>, JobError> {
        let after = self.rows(window).await?;
        Ok(after.values().map(|row| touched::known(row, before, window, expected_of(row))).collect())
    }

    /// Deals with what people did. Before the cursor moves on: what goes wrong here is read again.
    /// `is_doubtful`: so much is gone that no deletion is followed without a word.
    pub(super) async fn meet(
        &self,
        duty: &ClaimedDuty,
        touched: Touched,
        is_doubtful: bool,
    ) -> Result<usize, JobError> {
        let context = self.context;
        let gone = touched.0.values().filter(|found| found.seen.is_none()).count();
        let gone = if is_doubtful { NOT_COUNTED } else { gone };
        let mut followed = 0;
        let place = Place { account: self.account(), calendar: &self.calendar.external_id };
        for (id, found) in touched.0 {
            keep(context, duty).await?;
            let at = (place, duty.queue, duty);
            let Some((_, met)) = touched::meet(context, at, id, found, gone).await? else { continue };
            followed += usize::from(!matches!(met, Met::Echo | Met::Outdated));
        }
        Ok(followed)
    }
}

fn expected_of(row: &Compared) -> Expected {
    if row.wanted && row.stands && !row.in_doubt { Expected::Stands } else { Expected::Unsettled }
}

impl Touched {
    /// Until it is seen after all.
    fn note_gone(&mut self, one: &Named) {
        if one.stands {
            self.0.insert(one.id, Found { external_id: one.external_id.clone(), seen: None });
        }
    }

    /// What a full read should have named.
    pub(super) fn note_missing(&mut self, missing: &[EntryId], rows: &Rows) {
        for row in missing.iter().filter_map(|id| rows.get(id)) {
            self.0.insert(row.id, Found { external_id: row.external_id.clone(), seen: None });
        }
    }

    /// The last sight of an entry holds; of one that recurs any will do.
    fn note(&mut self, one: &Named, entry: &ObservedEntry) {
        let is_instance = entry.external_id != one.external_id;
        if !is_instance && !entry.deleted && entry.etag.is_some() && entry.etag == one.etag {
            self.0.remove(&one.id);
            return;
        }
        // What we have removed ourselves, or an instance that was taken out of what recurs.
        if entry.deleted && (is_instance || !one.stands) {
            return;
        }
        let seen = (!entry.deleted).then(|| entry.clone());
        self.0.insert(one.id, Found { external_id: one.external_id.clone(), seen });
    }
}

//! What persons do in their own calendars: the same writes as an application's, under another name in the history.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use chrono_tz::Tz;

use super::draft::{EntryEdit, merge};
use super::entry::{StoredEntry, StoredEntryAction};
use super::people::PRIMARY;
use super::provider_store::ProviderStore;
use super::refusal::StoreError;
use super::writes::{EntryLocation, WriteAuthor, standing};
use crate::timing::{DateOrDateTime, resolve};

/// Reads RFC 3339 with an offset, a date, or `YYYY-MM-DDTHH:MM`, which is a time in `zone`.
pub(crate) fn read_when(text: &str, zone: Tz) -> Result<DateOrDateTime, StoreError> {
    let text = text.trim();
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(DateOrDateTime::On(day));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(DateOrDateTime::At(at.to_utc().trunc_subsecs(0)));
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"));
    let local = local.map_err(|_| {
        StoreError::invalid(format!(
            "{text:?} is no time; give 2026-01-31T10:00:00Z (any offset), 2026-01-31T10:00 or 2026-01-31"
        ))
    })?;
    Ok(DateOrDateTime::At(resolve(local, zone)))
}

impl ProviderStore {
    /// A person adds an entry to a calendar of their list, the primary one if none is named.
    ///
    /// # Errors
    /// 404 for an unknown account or calendar, 400 for a bad wish.
    pub(crate) fn person_adds(
        &mut self,
        account: &str,
        calendar: Option<&str>,
        wish: &EntryEdit,
        now: DateTime<Utc>,
    ) -> Result<EntryLocation, StoreError> {
        let (known, _) = self.visible(account, calendar.unwrap_or(PRIMARY))?;
        let zone = known.info.zone;
        let (start, end) = match (&wish.starts_at, &wish.ends_at) {
            (Some(start), Some(end)) => (read_when(start, zone)?, read_when(end, zone)?),
            _ => return Err(StoreError::Missing("starts_at and ends_at are needed".into())),
        };
        let calendar = known.info.id.clone();
        let body = self.dialect().wish(wish, Some((start, end)), zone);
        let draft = self.dialect().read(&body, zone)?;
        let author = WriteAuthor { account, action: StoredEntryAction::PersonInsert, now };
        self.write_new(&calendar, self.dialect().new_ids(), draft, author)
    }

    /// A person changes an entry. A new start without a new end moves it as it is.
    ///
    /// # Errors
    /// 404; 410 for a deleted entry unless the wish brings it back; 400 for a bad wish.
    pub(crate) fn person_changes(
        &mut self,
        place: &EntryLocation,
        wish: &EntryEdit,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let calendar = self.calendar(&place.calendar)?;
        let (zone, account) = (calendar.info.zone, calendar.info.owner.clone());
        let old = standing(calendar, &place.id).ok_or(StoreError::NotFound)?;
        if old.cancelled() && wish.status.is_none() {
            return Err(StoreError::Deleted);
        }
        let read = |text: &Option<String>| text.as_deref().map(|text| read_when(text, zone)).transpose();
        let times = match (read(&wish.starts_at)?, read(&wish.ends_at)?) {
            (None, None) => None,
            (Some(start), Some(end)) => Some((start, end)),
            (None, Some(end)) => Some((old.start.when, end)),
            (Some(start), None) if start.is_day() == old.start.when.is_day() => {
                Some((start, start.plus(old.length())))
            }
            (Some(_), None) => {
                return Err(StoreError::invalid("from times to whole days or back: give ends_at too"));
            }
        };
        let mut body = self.dialect().writable(&old);
        merge(&mut body, &self.dialect().wish(wish, times, zone));
        let draft = self.dialect().read(&body, zone)?;
        let author = WriteAuthor { account: &account, action: StoredEntryAction::PersonPatch, now };
        self.write_change(&place.calendar, &old, draft, author)
    }

    /// A person deletes an entry.
    ///
    /// # Errors
    /// 404, or 410 if it is deleted already.
    pub(crate) fn person_deletes(
        &mut self,
        place: &EntryLocation,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (account, old) = self.living(place)?;
        let author = WriteAuthor { account: &account, action: StoredEntryAction::PersonDelete, now };
        self.write_tombstone(&place.calendar, &old, author)
    }

    /// A person takes an entry that they have deleted out of the deleted ones, too.
    ///
    /// # Errors
    /// 404.
    pub(crate) fn person_empties_trash(
        &mut self,
        place: &EntryLocation,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let calendar = self.calendar(&place.calendar)?;
        let account = calendar.info.owner.clone();
        let old =
            standing(calendar, &place.id).filter(StoredEntry::is_in_trash).ok_or(StoreError::NotFound)?;
        let author = WriteAuthor { account: &account, action: StoredEntryAction::PersonDelete, now };
        self.write_purge(&place.calendar, &old, author)
    }

    /// A person makes a copy of an entry beside it, with all that an application has put into it.
    ///
    /// # Errors
    /// As [`ProviderStore::person_deletes`].
    pub(crate) fn person_duplicates(
        &mut self,
        place: &EntryLocation,
        now: DateTime<Utc>,
    ) -> Result<EntryLocation, StoreError> {
        let (account, old) = self.living(place)?;
        let zone = self.calendar(&place.calendar)?.info.zone;
        let draft = self.dialect().read(&self.dialect().writable(&old), zone)?;
        let author = WriteAuthor { account: &account, action: StoredEntryAction::PersonInsert, now };
        self.write_new(&place.calendar, self.dialect().new_ids(), draft, author)
    }

    /// A person puts an entry into another calendar of theirs.
    ///
    /// # Errors
    /// As [`ProviderStore::person_deletes`]; `ReadOnly`; `Invalid` for a part of a series.
    pub(crate) fn person_moves(
        &mut self,
        place: &EntryLocation,
        to: &str,
        now: DateTime<Utc>,
    ) -> Result<EntryLocation, StoreError> {
        let (account, old, to) = self.leaving(place, to)?;
        if to == place.calendar {
            return Err(StoreError::invalid("It stands there already."));
        }
        let author = WriteAuthor { account: &account, action: StoredEntryAction::PersonMove, now };
        self.write_move((&place.calendar, &to), &old, author)?;
        Ok(EntryLocation { calendar: to, id: place.id.clone() })
    }

    /// A person does the same with an application that makes a copy there and takes the first away, as Outlook does: the
    /// copy has other ids, all that an application has put into it, and nothing of the call that made the first.
    ///
    /// # Errors
    /// As [`ProviderStore::person_moves`].
    pub(crate) fn person_remakes(
        &mut self,
        place: &EntryLocation,
        to: &str,
        now: DateTime<Utc>,
    ) -> Result<EntryLocation, StoreError> {
        let (account, old, to) = self.leaving(place, to)?;
        let mut body = self.dialect().writable(&old);
        body.remove("transactionId");
        let draft = self.dialect().read(&body, self.calendar(&to)?.info.zone)?;
        let author = WriteAuthor { account: &account, action: StoredEntryAction::PersonMove, now };
        let copy = self.write_new(&to, self.dialect().new_ids(), draft, author)?;
        self.write_tombstone(&place.calendar, &old, author)?;
        self.person_empties_trash(place, now)?;
        Ok(copy)
    }

    /// The owner of a calendar and the entry in it, unless that is deleted.
    fn living(&self, place: &EntryLocation) -> Result<(String, StoredEntry), StoreError> {
        let calendar = self.calendar(&place.calendar)?;
        let old = standing(calendar, &place.id).ok_or(StoreError::NotFound)?;
        if old.cancelled() {
            return Err(StoreError::Deleted);
        }
        Ok((calendar.info.owner.clone(), old))
    }

    /// The same of one that is put into the calendar `to`, and the id of that.
    fn leaving(&self, place: &EntryLocation, to: &str) -> Result<(String, StoredEntry, String), StoreError> {
        let (account, old) = self.living(place)?;
        if old.occurrence_of.is_some() {
            return Err(StoreError::invalid("One occurrence cannot leave its series."));
        }
        let to = self.writable(&account, to)?;
        Ok((account, old, to))
    }

    /// All calendars in which an entry `id` stands, or an occurrence with that id.
    pub(crate) fn places_of(
        &self,
        id: &str,
        account: Option<&str>,
        calendar: Option<&str>,
    ) -> Vec<EntryLocation> {
        let id = self.dialect().stored_id(id);
        self.calendars_of(account, calendar)
            .into_iter()
            .filter(|calendar| standing(calendar, &id).is_some())
            .map(|calendar| EntryLocation { calendar: calendar.info.id.clone(), id: id.clone() })
            .collect()
    }
}

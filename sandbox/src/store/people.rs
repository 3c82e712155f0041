//! Accounts and the calendars in their lists.

use chrono_tz::Tz;

use super::grants::secret;
use super::provider_store::ProviderStore;
use super::records::{CalendarAccessRole, CalendarListItem, CalendarRecord, StoreRecord, StoredCalendar};
use super::refusal::StoreError;

/// By this name an account's own calendar is meant, whatever its id is.
pub(crate) const PRIMARY: &str = "primary";

/// A calendar of `owner`, by its id and its name, in their list. `seq` is the last number used.
pub(crate) fn new_calendar(
    (id, name): (&str, &str),
    owner: &str,
    zone: Tz,
    role: CalendarAccessRole,
    seq: &mut u64,
) -> Vec<StoreRecord> {
    *seq += 1;
    let calendar =
        CalendarRecord { id: id.into(), summary: name.into(), zone, owner: owner.into(), seq: *seq };
    let subscription = new_subscription(owner, id, role, seq);
    vec![StoreRecord::Calendar { calendar }, StoreRecord::Subscription { subscription }]
}

/// A calendar, whoever owns it, in the list of `account`.
pub(crate) fn new_subscription(
    account: &str,
    calendar: &str,
    role: CalendarAccessRole,
    seq: &mut u64,
) -> CalendarListItem {
    *seq += 1;
    let (account, calendar) = (account.to_owned(), calendar.to_owned());
    CalendarListItem { account, calendar, role, primary: false, hidden: false, seq: *seq }
}

/// Makes the first calendar among `records` the account's own.
pub(crate) fn make_primary(records: &mut [StoreRecord]) {
    let first = records.iter_mut().find_map(|record| match record {
        StoreRecord::Subscription { subscription } => Some(subscription),
        _ => None,
    });
    if let Some(subscription) = first {
        subscription.primary = true;
    }
}

impl ProviderStore {
    /// Makes an account with a primary calendar.
    ///
    /// # Errors
    /// `Duplicate` if there is one with this address.
    pub(crate) fn add_account(&mut self, email: &str, name: &str, zone: Tz) -> Result<(), StoreError> {
        if self.accounts.contains_key(email) || self.calendars.contains_key(email) {
            return Err(StoreError::Duplicate);
        }
        let mut seq = self.seq;
        let records = self.dialect().account(email, name, zone, &mut seq);
        self.commit(records)
    }

    /// Makes a further calendar in the list of `account` and returns its id.
    ///
    /// # Errors
    /// `NotFound` if there is no such account.
    pub(crate) fn add_calendar(
        &mut self,
        account: &str,
        name: &str,
        zone: Option<Tz>,
        role: CalendarAccessRole,
    ) -> Result<String, StoreError> {
        let own_zone = self.accounts.get(account).map(|one| one.zone).ok_or(StoreError::NotFound)?;
        let mut seq = self.seq;
        let id = self.dialect().calendar_id(account, &secret());
        self.commit(new_calendar((&id, name), account, zone.unwrap_or(own_zone), role, &mut seq))?;
        Ok(id)
    }

    /// A person takes a calendar out of the list that they see, or puts it back.
    ///
    /// # Errors
    /// `NotFound` for a calendar that is not in the account's list.
    pub(crate) fn hide_calendar(&mut self, account: &str, id: &str, hidden: bool) -> Result<(), StoreError> {
        let (_, subscription) = self.visible(account, id)?;
        let subscription = CalendarListItem { hidden, seq: self.seq + 1, ..subscription.clone() };
        self.commit(vec![StoreRecord::Subscription { subscription }])
    }

    /// The owner of a calendar deletes it; a primary calendar goes only with its account.
    ///
    /// # Errors
    /// `NotFound` if there is no such calendar, `Invalid` for a primary one.
    pub(crate) fn delete_calendar(&mut self, id: &str) -> Result<(), StoreError> {
        if self.subscriptions.values().any(|one| one.primary && one.calendar == id) {
            return Err(StoreError::invalid("A primary calendar cannot be deleted."));
        }
        self.calendar(id)?;
        self.commit(vec![StoreRecord::CalendarDeleted { id: id.into() }])
    }

    /// Gives a calendar another id; who watches it by the old one hears no more.
    ///
    /// # Errors
    /// `NotFound` if there is no such calendar, `Invalid` where ids of calendars stay.
    pub(crate) fn renumber_calendar(&mut self, id: &str) -> Result<String, StoreError> {
        let owner = &self.calendar(id)?.info.owner;
        if !self.dialect().renumbers_calendars() {
            return Err(StoreError::invalid("Ids of calendars stay there."));
        }
        let new = self.dialect().calendar_id(owner, &secret());
        self.commit(vec![StoreRecord::CalendarRenumbered { from: id.into(), to: new.clone() }])?;
        Ok(new)
    }

    /// The calendar `id` as `account` sees it; `primary` is the account's own.
    ///
    /// # Errors
    /// `NotFound` for calendars that do not exist and those that are not in the account's list alike.
    pub(crate) fn visible(
        &self,
        account: &str,
        id: &str,
    ) -> Result<(&StoredCalendar, &CalendarListItem), StoreError> {
        let subscription = if id == PRIMARY {
            self.subscriptions.values().find(|one| one.primary && one.account == account)
        } else {
            self.subscriptions.get(&(account.to_owned(), id.to_owned()))
        };
        let subscription = subscription.ok_or(StoreError::NotFound)?;
        let calendar = self.calendar(&subscription.calendar)?;
        Ok((calendar, subscription))
    }

    /// The id of the calendar `id`, if `account` may write in it.
    ///
    /// # Errors
    /// `NotFound`, or `ReadOnly`.
    pub(crate) fn writable(&self, account: &str, id: &str) -> Result<String, StoreError> {
        let (calendar, subscription) = self.visible(account, id)?;
        if subscription.role < CalendarAccessRole::Writer {
            return Err(StoreError::ReadOnly);
        }
        Ok(calendar.info.id.clone())
    }

    /// The calendars in the list of `account`, its primary one first.
    pub(crate) fn list_of(&self, account: &str) -> Vec<(&StoredCalendar, &CalendarListItem)> {
        let mut list: Vec<_> = self
            .subscriptions
            .values()
            .filter(|one| one.account == account)
            .filter_map(|one| Some((self.calendars.get(&one.calendar)?, one)))
            .collect();
        list.sort_by_key(|(calendar, one)| {
            (!one.primary, one.role != CalendarAccessRole::Owner, calendar.info.id.clone())
        });
        list
    }

    /// The calendars that belong to `account` (or all), of which the one with the id `calendar` (or all).
    pub(crate) fn calendars_of(&self, account: Option<&str>, calendar: Option<&str>) -> Vec<&StoredCalendar> {
        let named = match (calendar, account) {
            (Some(PRIMARY), Some(account)) => match self.visible(account, PRIMARY) {
                Ok((calendar, _)) => Some(calendar.info.id.as_str()),
                Err(_) => return Vec::new(),
            },
            (named, _) => named,
        };
        self.calendars
            .values()
            .filter(|one| account.is_none_or(|account| account == one.info.owner))
            .filter(|one| named.is_none_or(|id| id == one.info.id))
            .collect()
    }
}

//! What persons do in their own calendars: the same writes as an application's, under another name in the history.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::entry::Action;
use super::errors::ApiError;
use super::records::Calendar;
use super::world::World;
use super::writes::{Author, Content, standing};
use crate::timing::{When, resolve};

/// What a person wants an entry to be; what is not said stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) starts_at: Option<String>,
    pub(crate) ends_at: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) transparency: Option<String>,
    pub(crate) recurrence: Option<Vec<String>>,
}

/// Where an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) calendar: String,
    pub(crate) id: String,
}

/// Reads RFC 3339 with an offset, a date, or `YYYY-MM-DDTHH:MM`, which is a time in `zone`.
pub(crate) fn read_when(text: &str, zone: Tz) -> Result<When, ApiError> {
    let text = text.trim();
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(When::On(day));
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(When::At(at.to_utc().trunc_subsecs(0)));
    }
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S"));
    let local = local.map_err(|_| {
        ApiError::invalid(format!(
            "{text:?} is no time; give 2026-01-31T10:00:00Z (any offset), 2026-01-31T10:00 or 2026-01-31"
        ))
    })?;
    Ok(When::At(resolve(local, zone)))
}

impl World {
    /// A person adds an entry to a calendar of their list, the primary one if none is named.
    ///
    /// # Errors
    /// 404 for an unknown account or calendar, 400 for a bad wish.
    pub(crate) fn person_adds(
        &mut self,
        account: &str,
        calendar: Option<&str>,
        wish: &Wish,
        now: DateTime<Utc>,
    ) -> Result<Place, ApiError> {
        let (known, _) = self.visible(account, calendar.unwrap_or("primary"))?;
        let zone = known.info.zone;
        let (start, end) = match (&wish.starts_at, &wish.ends_at) {
            (Some(start), Some(end)) => (read_when(start, zone)?, read_when(end, zone)?),
            _ => return Err(ApiError::required("starts_at and ends_at are needed")),
        };
        let calendar = known.info.id.clone();
        let body = wish.body(Some((start, end)), zone);
        let author = Author { account, action: Action::PersonInsert, now };
        let id = self.insert(&calendar, &body, author)?;
        Ok(Place { calendar, id })
    }

    /// A person changes an entry. A new start without a new end moves it as it is.
    ///
    /// # Errors
    /// 404; 410 for a deleted entry unless the wish brings it back; 400 for a bad wish.
    pub(crate) fn person_changes(
        &mut self,
        place: &Place,
        wish: &Wish,
        now: DateTime<Utc>,
    ) -> Result<(), ApiError> {
        let calendar = self.calendars.get(&place.calendar).ok_or_else(ApiError::not_found)?;
        let (zone, account) = (calendar.info.zone, calendar.info.owner.clone());
        let old = standing(calendar, &place.id).ok_or_else(ApiError::not_found)?;
        if old.cancelled() && wish.status.is_none() {
            return Err(ApiError::deleted());
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
                return Err(ApiError::invalid("from times to whole days or back: give ends_at too"));
            }
        };
        let author = Author { account: &account, action: Action::PersonPatch, now };
        self.change(&place.calendar, &place.id, Content::Patch(&wish.body(times, zone)), None, author)
    }

    /// A person deletes an entry.
    ///
    /// # Errors
    /// 404, or 410 if it is deleted already.
    pub(crate) fn person_deletes(&mut self, place: &Place, now: DateTime<Utc>) -> Result<(), ApiError> {
        let calendar = self.calendars.get(&place.calendar).ok_or_else(ApiError::not_found)?;
        let account = calendar.info.owner.clone();
        self.delete(
            &place.calendar,
            &place.id,
            None,
            Author { account: &account, action: Action::PersonDelete, now },
        )
    }

    /// All calendars in which an entry `id` stands, or an occurrence with that id.
    pub(crate) fn places_of(&self, id: &str, account: Option<&str>, calendar: Option<&str>) -> Vec<Place> {
        self.calendars_of(account, calendar)
            .into_iter()
            .filter(|calendar| standing(calendar, id).is_some())
            .map(|calendar| Place { calendar: calendar.info.id.clone(), id: id.into() })
            .collect()
    }

    /// The calendars that belong to `account` (or all), of which the one with the id `calendar` (or all).
    pub(crate) fn calendars_of(&self, account: Option<&str>, calendar: Option<&str>) -> Vec<&Calendar> {
        let named = match (calendar, account) {
            (Some("primary"), Some(account)) => Some(account),
            (named, _) => named,
        };
        self.calendars
            .values()
            .filter(|one| account.is_none_or(|account| account == one.info.owner))
            .filter(|one| named.is_none_or(|id| id == one.info.id))
            .collect()
    }
}

impl Wish {
    fn body(&self, times: Option<(When, When)>, zone: Tz) -> Map<String, Value> {
        let mut body = Map::new();
        let texts = [
            ("summary", &self.title),
            ("description", &self.description),
            ("location", &self.location),
            ("status", &self.status),
            ("transparency", &self.transparency),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                body.insert(name.into(), value.clone().into());
            }
        }
        if let Some(recurrence) = &self.recurrence {
            body.insert("recurrence".into(), recurrence.clone().into());
        }
        if let Some((start, end)) = times {
            body.insert("start".into(), time(start, zone));
            body.insert("end".into(), time(end, zone));
        }
        body
    }
}

/// Both members are named, so that a patch from times to days takes the times away.
fn time(when: When, zone: Tz) -> Value {
    match when {
        When::On(day) => json!({ "date": day.to_string(), "dateTime": null, "timeZone": null }),
        When::At(_) => json!({ "date": null, "dateTime": when.to_string(), "timeZone": zone.name() }),
    }
}

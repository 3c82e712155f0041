//! The stored entries of all calendars, and what persons do to them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlBody, ControlError, ControlQuery, provider, providers};
use crate::app::SandboxApp;
use crate::clock;
use crate::provider::Provider;
use crate::store::{EntryEdit, EntryLocation, ProviderStore, StoredCalendar, StoredEntry, standing};

/// Which entries are meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntrySelectionQuery {
    provider: Option<String>,
    account: Option<String>,
    calendar: Option<String>,
    /// Of a deletion: nothing is left among the deleted items.
    for_good: Option<String>,
}

impl EntrySelectionQuery {
    fn providers(&self) -> Result<Vec<Provider>, ControlError> {
        providers(self.provider.as_deref())
    }

    /// The one entry with this id.
    fn place(&self, app: &SandboxApp, id: &str) -> Result<(Provider, EntryLocation), ControlError> {
        let mut places = Vec::new();
        for provider in self.providers()? {
            let found = app.store(provider).places_of(id, self.account.as_deref(), self.calendar.as_deref());
            places.extend(found.into_iter().map(|place| (provider, place)));
        }
        match (places.pop(), places.is_empty()) {
            (Some(place), true) => Ok(place),
            (None, _) => Err(ControlError::not_found(format!("there is no entry {id}"))),
            (Some(_), false) => Err(ControlError {
                status: StatusCode::CONFLICT,
                message: format!("{id} stands in several calendars: say which by account= or calendar="),
            }),
        }
    }
}

/// Every stored entry, deleted ones too, in the order of their last changes.
pub(super) async fn list(
    State(app): State<Arc<SandboxApp>>,
    ControlQuery(selection): ControlQuery<EntrySelectionQuery>,
) -> Result<Json<Value>, ControlError> {
    let mut items = Vec::new();
    for provider in selection.providers()? {
        let store = app.store(provider);
        let calendars = store.calendars_of(selection.account.as_deref(), selection.calendar.as_deref());
        let mut entries: Vec<_> = calendars
            .into_iter()
            .flat_map(|one| one.entries.values().map(move |entry| (one, entry)))
            .collect();
        entries.sort_by_key(|(_, entry)| entry.seq);
        items.extend(
            entries.into_iter().map(|(calendar, entry)| item(&app, provider, &store, calendar, entry)),
        );
    }
    Ok(Json(items.into()))
}

/// Several recurrence lines, or one.
#[derive(Deserialize)]
#[serde(untagged)]
enum RecurrenceLines {
    One(String),
    Several(Vec<String>),
}

/// What a person writes into a calendar.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryBody {
    provider: Option<String>,
    account: Option<String>,
    calendar: Option<String>,
    title: Option<String>,
    description: Option<String>,
    location: Option<String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    all_day: Option<bool>,
    status: Option<String>,
    transparency: Option<String>,
    recurrence: Option<RecurrenceLines>,
    guests: Option<Vec<String>>,
    colour: Option<String>,
}

impl EntryBody {
    fn wish(&self) -> Result<EntryEdit, ControlError> {
        for time in [&self.starts_at, &self.ends_at].into_iter().flatten() {
            let is_date = time.trim().len() == 10;
            if self.all_day.is_some_and(|all_day| all_day != is_date) {
                let wanted = if is_date { "a time" } else { "a date" };
                return Err(ControlError::bad(format!("all_day contradicts {time:?}: {wanted} is needed")));
            }
        }
        let recurrence = self.recurrence.as_ref().map(|lines| match lines {
            RecurrenceLines::One(line) => vec![line.clone()],
            RecurrenceLines::Several(lines) => lines.clone(),
        });
        Ok(EntryEdit {
            title: self.title.clone(),
            description: self.description.clone(),
            location: self.location.clone(),
            starts_at: self.starts_at.clone(),
            ends_at: self.ends_at.clone(),
            status: self.status.clone(),
            transparency: self.transparency.clone(),
            recurrence,
            guests: self.guests.clone(),
            colour: self.colour.clone(),
        })
    }
}

/// A person adds an entry: the one who is named, or the first by name whose calendar is connected.
pub(super) async fn add(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<EntryBody>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let provider = provider(new.provider.as_deref().ok_or_else(|| ControlError::bad("provider is needed"))?)?;
    let wish = new.wish()?;
    let mut store = app.store(provider);
    let connected = store.connected_account();
    let account = new.account.as_deref().or(connected.as_deref());
    let account = account.ok_or_else(|| ControlError::bad("account is needed while none is connected"))?;
    if !store.accounts.contains_key(account) {
        return Err(ControlError::not_found(format!("there is no account {account}")));
    }
    let place = store.person_adds(account, new.calendar.as_deref(), &wish, clock::now())?;
    Ok((StatusCode::CREATED, Json(show(&app, provider, &store, &place)?)))
}

/// A person changes or moves an entry.
pub(super) async fn change(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlQuery(selection): ControlQuery<EntrySelectionQuery>,
    ControlBody(change): ControlBody<EntryBody>,
) -> Result<Json<Value>, ControlError> {
    if change.account.is_some() || change.calendar.is_some() || change.provider.is_some() {
        return Err(ControlError::bad("provider, account and calendar belong into the query"));
    }
    let wish = change.wish()?;
    let (provider, place) = selection.place(&app, &id)?;
    let mut store = app.store(provider);
    store.person_changes(&place, &wish, clock::now())?;
    Ok(Json(show(&app, provider, &store, &place)?))
}

/// A person deletes an entry; `for_good=true`: and does not leave it among the deleted ones.
pub(super) async fn delete(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlQuery(selection): ControlQuery<EntrySelectionQuery>,
) -> Result<Json<Value>, ControlError> {
    let (provider, place) = selection.place(&app, &id)?;
    let mut store = app.store(provider);
    store.person_deletes(&place, clock::now())?;
    if selection.for_good.as_deref() == Some("true") {
        store.person_empties_trash(&place, clock::now())?;
    }
    Ok(Json(show(&app, provider, &store, &place)?))
}

/// A person fetches an entry back from what they deleted.
pub(super) async fn restore(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlQuery(selection): ControlQuery<EntrySelectionQuery>,
) -> Result<Json<Value>, ControlError> {
    let (provider, place) = selection.place(&app, &id)?;
    let mut store = app.store(provider);
    let wish = EntryEdit { status: Some("confirmed".into()), ..EntryEdit::default() };
    store.person_changes(&place, &wish, clock::now())?;
    Ok(Json(show(&app, provider, &store, &place)?))
}

/// A person copies an entry.
pub(super) async fn duplicate(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlQuery(selection): ControlQuery<EntrySelectionQuery>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let (provider, place) = selection.place(&app, &id)?;
    let mut store = app.store(provider);
    let copy = store.person_duplicates(&place, clock::now())?;
    Ok((StatusCode::CREATED, Json(show(&app, provider, &store, &copy)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveEntryBody {
    calendar: String,
    /// As an application does it that copies it there and takes the first away.
    #[serde(default)]
    anew: bool,
}

/// A person puts an entry into another calendar of theirs.
pub(super) async fn move_entry(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlQuery(selection): ControlQuery<EntrySelectionQuery>,
    ControlBody(to): ControlBody<MoveEntryBody>,
) -> Result<Json<Value>, ControlError> {
    let (provider, place) = selection.place(&app, &id)?;
    let mut store = app.store(provider);
    let place = if to.anew {
        store.person_remakes(&place, &to.calendar, clock::now())?
    } else {
        store.person_moves(&place, &to.calendar, clock::now())?
    };
    Ok(Json(show(&app, provider, &store, &place)?))
}

fn show(
    app: &SandboxApp,
    provider: Provider,
    store: &ProviderStore,
    place: &EntryLocation,
) -> Result<Value, ControlError> {
    let calendar = store.calendars.get(&place.calendar);
    let entry = calendar.and_then(|calendar| standing(calendar, &place.id).map(|entry| (calendar, entry)));
    let (calendar, entry) = entry.ok_or_else(|| ControlError::not_found("the entry is gone"))?;
    Ok(item(app, provider, store, calendar, &entry))
}

fn item(
    app: &SandboxApp,
    provider: Provider,
    store: &ProviderStore,
    calendar: &StoredCalendar,
    entry: &StoredEntry,
) -> Value {
    let (info, dialect) = (&calendar.info, store.dialect());
    json!({
        "id": dialect.shown_id(entry),
        "provider": provider,
        "account": info.owner,
        "calendar": info.id,
        "title": entry.title(),
        "description": entry.description(),
        "location": entry.location(),
        "starts_at": entry.start.when.to_string(),
        "ends_at": entry.end.when.to_string(),
        "all_day": entry.start.when.is_day(),
        "status": entry.status,
        "deleted": entry.cancelled(),
        "etag": dialect.etag(entry.seq),
        "ical_uid": entry.ical_uid,
        "private_properties": dialect.private_properties(entry),
        "history": entry.history,
        "raw": dialect.raw(calendar, entry, &app.server.url),
    })
}

//! Events: list, read, insert, import, update, patch, delete.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Map, Value};

use super::super::GoogleSandbox;
use super::super::errors::GoogleApiError;
use super::super::list_query::EventListQuery;
use super::super::listing;
use super::super::resource::{GoogleEventView, etag};
use super::super::scopes::GooglePermission;
use super::super::writes::{self, EventContent};
use super::{object, pairs, text_of};
use crate::clock;
use crate::store::{AuthenticatedCaller, ProviderStore, StoredEntryAction, WriteAuthor, standing};

/// What a delete answers. Google's servers say 204; its own contract knows no success but 200, and the traffic of the
/// sandbox is held against the contract. A client must take either.
const DELETED: StatusCode = StatusCode::OK;

pub(super) async fn list(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(calendar): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ReadEvents)?;
    let store = google.store();
    let (calendar, subscription) = store.visible(&caller.account, &calendar)?;
    let query = EventListQuery::read(&pairs(query), &calendar.info.id)?;
    listing::list(calendar, subscription, &query, &google.server.url, clock::now()).map(Json)
}

pub(super) async fn instances(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path((calendar, event)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ReadEvents)?;
    let store = google.store();
    let (calendar, subscription) = store.visible(&caller.account, &calendar)?;
    let query = EventListQuery::read(&pairs(query), &calendar.info.id)?;
    listing::instances(calendar, subscription, &event, &query, &google.server.url, clock::now()).map(Json)
}

/// `events.get`. A tombstone is read like any other event.
pub(super) async fn get(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, GoogleApiError> {
    caller.may(GooglePermission::ReadEvents)?;
    let store = google.store();
    let response = show(&store, &caller, &calendar, &event, &google.server.url)?;
    let known = text_of(&headers, header::IF_NONE_MATCH);
    if known.is_some() && known == text_of(response.headers(), header::ETAG) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    Ok(response)
}

pub(super) async fn insert(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(calendar): Path<String>,
    body: Bytes,
) -> Result<Response, GoogleApiError> {
    caller.may(GooglePermission::WriteEvents)?;
    let body = object(&body)?;
    let mut store = google.store();
    let id = store.writable(&caller.account, &calendar)?;
    let event = writes::insert(&mut store, &id, &body, author(&caller, StoredEntryAction::Insert))?;
    show(&store, &caller, &calendar, &event, &google.server.url)
}

/// `events.import`: a copy of an event that lives elsewhere, known by its `iCalUID`; the same one again replaces it.
pub(super) async fn import(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(calendar): Path<String>,
    body: Bytes,
) -> Result<Response, GoogleApiError> {
    caller.may(GooglePermission::WriteEvents)?;
    let mut body = object(&body)?;
    body.remove("id");
    let uid = body.get("iCalUID").and_then(Value::as_str).map(String::from);
    let uid = uid.ok_or_else(|| GoogleApiError::required("Missing iCalUID."))?;
    let mut store = google.store();
    let id = store.writable(&caller.account, &calendar)?;
    let (known, _) = store.visible(&caller.account, &calendar)?;
    let copy = known.entries.values().find(|entry| entry.ical_uid == uid && entry.occurrence_of.is_none());
    let event = match copy.map(|entry| entry.id.clone()) {
        None => writes::insert(&mut store, &id, &body, author(&caller, StoredEntryAction::Insert))?,
        Some(event) => {
            body.entry("status").or_insert_with(|| "confirmed".into());
            writes::change(
                &mut store,
                &id,
                &event,
                EventContent::Whole(&body),
                None,
                author(&caller, StoredEntryAction::Update),
            )?;
            event
        }
    };
    show(&store, &caller, &calendar, &event, &google.server.url)
}

pub(super) async fn update(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GoogleApiError> {
    let body = object(&body)?;
    change(
        &google,
        &caller,
        (&calendar, &event),
        &headers,
        EventContent::Whole(&body),
        StoredEntryAction::Update,
    )
}

pub(super) async fn patch(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GoogleApiError> {
    let body: Map<String, Value> = object(&body)?;
    change(
        &google,
        &caller,
        (&calendar, &event),
        &headers,
        EventContent::Patch(&body),
        StoredEntryAction::Patch,
    )
}

pub(super) async fn delete(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, GoogleApiError> {
    caller.may(GooglePermission::WriteEvents)?;
    let mut store = google.store();
    let calendar = store.writable(&caller.account, &calendar)?;
    let if_match = text_of(&headers, header::IF_MATCH);
    writes::delete(&mut store, &calendar, &event, if_match, author(&caller, StoredEntryAction::Delete))?;
    Ok(DELETED)
}

fn change(
    google: &GoogleSandbox,
    caller: &AuthenticatedCaller,
    (calendar, event): (&str, &str),
    headers: &HeaderMap,
    content: EventContent<'_>,
    action: StoredEntryAction,
) -> Result<Response, GoogleApiError> {
    caller.may(GooglePermission::WriteEvents)?;
    let mut store = google.store();
    let id = store.writable(&caller.account, calendar)?;
    let if_match = text_of(headers, header::IF_MATCH);
    writes::change(&mut store, &id, event, content, if_match, author(caller, action))?;
    show(&store, caller, calendar, event, &google.server.url)
}

fn author(caller: &AuthenticatedCaller, action: StoredEntryAction) -> WriteAuthor<'_> {
    WriteAuthor { account: &caller.account, action, now: clock::now() }
}

/// An event as its reader sees it, with its etag in the header too.
fn show(
    store: &ProviderStore,
    caller: &AuthenticatedCaller,
    calendar: &str,
    event: &str,
    base_url: &str,
) -> Result<Response, GoogleApiError> {
    let (calendar, _) = store.visible(&caller.account, calendar)?;
    let entry = standing(calendar, event).ok_or_else(GoogleApiError::not_found)?;
    let view = GoogleEventView {
        account: &caller.account,
        calendar: &calendar.info,
        zone: calendar.info.zone,
        base_url,
    };
    Ok(([(header::ETAG, etag(entry.seq))], Json(view.event(&entry))).into_response())
}

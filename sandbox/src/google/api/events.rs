//! Events: list, read, insert, update, patch, delete.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, RawQuery};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::super::GoogleSandbox;
use super::super::errors::GoogleApiError;
use super::super::list_query::EventListQuery;
use super::super::listing;
use super::super::resource::{GoogleEventView, etag};
use super::super::scopes::GooglePermission;
use super::super::writes::{self, EventContent};
use super::{object, pairs};
use crate::clock;
use crate::store::{AuthenticatedCaller, ProviderStore, StoredEntryAction, WriteAuthor, standing};

/// What a delete answers. Google's servers say 204; its own contract knows no success but 200, and the traffic of the
/// sandbox is held against the contract. A client must take either.
const DELETED: StatusCode = StatusCode::OK;

#[derive(Deserialize)]
struct EventPath {
    calendar: String,
    #[serde(default)]
    event: String,
}

/// A request about the events of a calendar, or about one of them.
pub(super) struct EventsRequest {
    google: Arc<GoogleSandbox>,
    caller: AuthenticatedCaller,
    path: EventPath,
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl FromRequestParts<Arc<GoogleSandbox>> for EventsRequest {
    type Rejection = GoogleApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        google: &Arc<GoogleSandbox>,
    ) -> Result<Self, GoogleApiError> {
        let Path(path) =
            Path::from_request_parts(parts, google).await.map_err(|_| GoogleApiError::not_found())?;
        let caller = parts.extensions.get::<AuthenticatedCaller>().cloned();
        let text = |name: HeaderName| parts.headers.get(name)?.to_str().ok().map(String::from);
        Ok(Self {
            google: Arc::clone(google),
            caller: caller.ok_or_else(GoogleApiError::unauthenticated)?,
            path,
            if_match: text(header::IF_MATCH),
            if_none_match: text(header::IF_NONE_MATCH),
        })
    }
}

impl EventsRequest {
    fn author(&self, action: StoredEntryAction) -> WriteAuthor<'_> {
        WriteAuthor { account: &self.caller.account, action, now: clock::now() }
    }

    fn change(
        &self,
        content: EventContent<'_>,
        action: StoredEntryAction,
    ) -> Result<Response, GoogleApiError> {
        self.caller.may(GooglePermission::WriteEvents)?;
        let mut store = self.google.store();
        let calendar = store.writable(&self.caller.account, &self.path.calendar)?;
        let event = &self.path.event;
        writes::change(&mut store, &calendar, event, content, self.if_match.as_deref(), self.author(action))?;
        self.show(&store, event)
    }

    /// An event as its reader sees it, with its etag in the header too.
    fn show(&self, store: &ProviderStore, event: &str) -> Result<Response, GoogleApiError> {
        let (calendar, _) = store.visible(&self.caller.account, &self.path.calendar)?;
        let entry = standing(calendar, event).ok_or_else(GoogleApiError::not_found)?;
        let base_url = &self.google.server.url;
        let view = GoogleEventView { account: &self.caller.account, calendar: &calendar.info, base_url };
        Ok(([(header::ETAG, etag(entry.seq))], Json(view.event(&entry))).into_response())
    }
}

pub(super) async fn list(
    asked: EventsRequest,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GoogleApiError> {
    asked.caller.may(GooglePermission::ReadEvents)?;
    let store = asked.google.store();
    let (calendar, subscription) = store.visible(&asked.caller.account, &asked.path.calendar)?;
    let query = EventListQuery::read(&pairs(query), &calendar.info.id)?;
    listing::list(calendar, subscription, &query, &asked.google.server.url, clock::now()).map(Json)
}

/// `events.get`. A tombstone is read like any other event.
pub(super) async fn get(asked: EventsRequest) -> Result<Response, GoogleApiError> {
    asked.caller.may(GooglePermission::ReadEvents)?;
    let response = asked.show(&asked.google.store(), &asked.path.event)?;
    let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok());
    if asked.if_none_match.is_some() && asked.if_none_match.as_deref() == etag {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    Ok(response)
}

pub(super) async fn insert(asked: EventsRequest, body: Bytes) -> Result<Response, GoogleApiError> {
    asked.caller.may(GooglePermission::WriteEvents)?;
    let body = object(&body)?;
    let mut store = asked.google.store();
    let id = store.writable(&asked.caller.account, &asked.path.calendar)?;
    let event = writes::insert(&mut store, &id, &body, asked.author(StoredEntryAction::Insert))?;
    asked.show(&store, &event)
}

pub(super) async fn update(asked: EventsRequest, body: Bytes) -> Result<Response, GoogleApiError> {
    asked.change(EventContent::Whole(&object(&body)?), StoredEntryAction::Update)
}

pub(super) async fn patch(asked: EventsRequest, body: Bytes) -> Result<Response, GoogleApiError> {
    asked.change(EventContent::Patch(&object(&body)?), StoredEntryAction::Patch)
}

pub(super) async fn delete(asked: EventsRequest) -> Result<StatusCode, GoogleApiError> {
    asked.caller.may(GooglePermission::WriteEvents)?;
    let mut store = asked.google.store();
    let calendar = store.writable(&asked.caller.account, &asked.path.calendar)?;
    let author = asked.author(StoredEntryAction::Delete);
    writes::delete(&mut store, &calendar, &asked.path.event, asked.if_match.as_deref(), author)?;
    Ok(DELETED)
}

//! Events: list, read, insert, import, update, patch, delete.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Map, Value};

use super::super::errors::ApiError;
use super::super::list_query::ListQuery;
use super::super::listing;
use super::super::resource::{View, etag};
use super::super::scopes::Need;
use super::super::writes::{self, Content};
use super::{object, pairs, text_of};
use crate::app::App;
use crate::clock;
use crate::store::{Action, Author, Caller, World, standing};

/// What a delete answers. Google's servers say 204; its own contract knows no success but 200, and the traffic of the
/// sandbox is held against the contract. A client must take either.
const DELETED: StatusCode = StatusCode::OK;

/// `events.list`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(calendar): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    caller.may(Need::ReadEvents)?;
    let world = app.google.world();
    let (calendar, subscription) = world.visible(&caller.account, &calendar)?;
    let query = ListQuery::read(&pairs(query), &calendar.info.id)?;
    listing::list(calendar, subscription, &query, &app.url, clock::now()).map(Json)
}

/// `events.instances`.
pub(super) async fn instances(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((calendar, event)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    caller.may(Need::ReadEvents)?;
    let world = app.google.world();
    let (calendar, subscription) = world.visible(&caller.account, &calendar)?;
    let query = ListQuery::read(&pairs(query), &calendar.info.id)?;
    listing::instances(calendar, subscription, &event, &query, &app.url, clock::now()).map(Json)
}

/// `events.get`. A tombstone is read like any other event.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.may(Need::ReadEvents)?;
    let world = app.google.world();
    let response = show(&world, &caller, &calendar, &event, &app.url)?;
    let known = text_of(&headers, header::IF_NONE_MATCH);
    if known.is_some() && known == text_of(response.headers(), header::ETAG) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    Ok(response)
}

/// `events.insert`.
pub(super) async fn insert(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(calendar): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.may(Need::WriteEvents)?;
    let body = object(&body)?;
    let mut world = app.google.world();
    let id = world.writable(&caller.account, &calendar)?;
    let event = writes::insert(&mut world, &id, &body, author(&caller, Action::Insert))?;
    show(&world, &caller, &calendar, &event, &app.url)
}

/// `events.import`: a copy of an event that lives elsewhere, known by its `iCalUID`; the same one again replaces it.
pub(super) async fn import(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(calendar): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.may(Need::WriteEvents)?;
    let mut body = object(&body)?;
    body.remove("id");
    let uid = body.get("iCalUID").and_then(Value::as_str).map(String::from);
    let uid = uid.ok_or_else(|| ApiError::required("Missing iCalUID."))?;
    let mut world = app.google.world();
    let id = world.writable(&caller.account, &calendar)?;
    let (known, _) = world.visible(&caller.account, &calendar)?;
    let copy = known.entries.values().find(|entry| entry.ical_uid == uid && entry.occurrence_of.is_none());
    let event = match copy.map(|entry| entry.id.clone()) {
        None => writes::insert(&mut world, &id, &body, author(&caller, Action::Insert))?,
        Some(event) => {
            body.entry("status").or_insert_with(|| "confirmed".into());
            writes::change(
                &mut world,
                &id,
                &event,
                Content::Whole(&body),
                None,
                author(&caller, Action::Update),
            )?;
            event
        }
    };
    show(&world, &caller, &calendar, &event, &app.url)
}

/// `events.update`.
pub(super) async fn update(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = object(&body)?;
    change(&app, &caller, (&calendar, &event), &headers, Content::Whole(&body), Action::Update)
}

/// `events.patch`.
pub(super) async fn patch(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body: Map<String, Value> = object(&body)?;
    change(&app, &caller, (&calendar, &event), &headers, Content::Patch(&body), Action::Patch)
}

/// `events.delete`.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((calendar, event)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    caller.may(Need::WriteEvents)?;
    let mut world = app.google.world();
    let calendar = world.writable(&caller.account, &calendar)?;
    let if_match = text_of(&headers, header::IF_MATCH);
    writes::delete(&mut world, &calendar, &event, if_match, author(&caller, Action::Delete))?;
    Ok(DELETED)
}

fn change(
    app: &App,
    caller: &Caller,
    (calendar, event): (&str, &str),
    headers: &HeaderMap,
    content: Content<'_>,
    action: Action,
) -> Result<Response, ApiError> {
    caller.may(Need::WriteEvents)?;
    let mut world = app.google.world();
    let id = world.writable(&caller.account, calendar)?;
    let if_match = text_of(headers, header::IF_MATCH);
    writes::change(&mut world, &id, event, content, if_match, author(caller, action))?;
    show(&world, caller, calendar, event, &app.url)
}

fn author(caller: &Caller, action: Action) -> Author<'_> {
    Author { account: &caller.account, action, now: clock::now() }
}

/// An event as its reader sees it, with its etag in the header too.
fn show(
    world: &World,
    caller: &Caller,
    calendar: &str,
    event: &str,
    base_url: &str,
) -> Result<Response, ApiError> {
    let (calendar, _) = world.visible(&caller.account, calendar)?;
    let entry = standing(calendar, event).ok_or_else(ApiError::not_found)?;
    let view =
        View { account: &caller.account, calendar: &calendar.info, zone: calendar.info.zone, base_url };
    Ok(([(header::ETAG, etag(entry.seq))], Json(view.event(&entry))).into_response())
}

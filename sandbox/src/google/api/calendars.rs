//! Calendars, the list of them, colours and free/busy.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::super::GoogleSandbox;
use super::super::errors::GoogleApiError;
use super::super::free_busy;
use super::super::list_query::EventListParameters;
use super::super::resource::etag;
use super::super::scopes::GooglePermission;
use super::super::sync_token::{GooglePageToken, GoogleSyncToken};
use super::{object, pairs};
use crate::clock;
use crate::opaque::{encode, fingerprint};
use crate::store::{AuthenticatedCaller, CalendarAccessRole, CalendarListItem, StoredCalendar};

/// The event colours "1" to "11", background only; Google writes them all on #1d1d1d.
const COLORS: [&str; 11] = [
    "#a4bdfc", "#7ae7bf", "#dbadff", "#ff887c", "#fbd75b", "#ffb878", "#46d6db", "#e1e1e1", "#5484ed",
    "#51b749", "#dc2127",
];

pub(super) async fn list(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ListCalendars)?;
    let pairs = pairs(query);
    let parameters = EventListParameters(&pairs);
    let least = match parameters.get("minAccessRole") {
        None => None,
        Some(name) => {
            let role = serde_json::from_value::<CalendarAccessRole>(name.into());
            Some(role.map_err(|_| GoogleApiError::bad_parameter("minAccessRole", "Invalid access role."))?)
        }
    };
    let list_name = format!("list of {}", caller.account);
    let sync = parameters.sync(&list_name)?;
    if sync.is_some() && least.is_some() {
        return Err(GoogleApiError::bad_parameter(
            "syncToken",
            "Sync token cannot be used with minAccessRole.",
        ));
    }
    // https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/list: hidden ones are left out by
    // default, and always told beside a sync token.
    let show_hidden = parameters.switch("showHidden")?;
    if sync.is_some() && show_hidden == Some(false) {
        return Err(GoogleApiError::bad_parameter(
            "syncToken",
            "Hidden calendars cannot be left out of an incremental read.",
        ));
    }
    let store = google.store();
    let mut shown = store.list_of(&caller.account);
    shown.retain(|(_, one)| !one.hidden || sync.is_some() || show_hidden == Some(true));
    shown.retain(|(_, one)| least.is_none_or(|least| one.role >= least));
    shown.retain(|(_, one)| sync.as_ref().is_none_or(|sync| one.seq > sync.seq));
    let from = parameters.page()?.map_or(0, |page| usize::try_from(page.from).unwrap_or(usize::MAX));
    let end = from.saturating_add(parameters.max_results()?.min(250));
    let items: Vec<_> =
        shown.iter().skip(from).take(end - from).map(|(calendar, one)| list_item(calendar, one)).collect();
    let mut answer = json!({ "kind": "calendar#calendarList", "etag": etag(store.seq), "items": items });
    if shown.len() > end {
        let page = GooglePageToken { from: end as u64, index: 0, parameters: parameters.fingerprint() };
        answer["nextPageToken"] = encode(&page).into();
    } else if least.is_none() {
        let of = fingerprint(&list_name);
        let token =
            GoogleSyncToken { of, seq: store.seq, parameters: parameters.kept(), from: None, to: None };
        answer["nextSyncToken"] = encode(&token).into();
    }
    Ok(Json(answer))
}

pub(super) async fn list_entry(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ListCalendars)?;
    let store = google.store();
    let (calendar, subscription) = store.visible(&caller.account, &id)?;
    Ok(Json(list_item(calendar, subscription)))
}

pub(super) async fn get(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ReadCalendar)?;
    let store = google.store();
    let (calendar, _) = store.visible(&caller.account, &id)?;
    Ok(Json(json!({
        "kind": "calendar#calendar",
        "etag": etag(calendar.info.seq),
        "id": calendar.info.id,
        "summary": calendar.info.summary,
        "timeZone": calendar.info.zone.name(),
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    })))
}

pub(super) async fn colors(
    Extension(caller): Extension<AuthenticatedCaller>,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::Colors)?;
    let color = |(index, background): (usize, &&str)| {
        ((index + 1).to_string(), json!({ "background": background, "foreground": "#1d1d1d" }))
    };
    let event: serde_json::Map<_, _> = COLORS.iter().enumerate().map(color).collect();
    Ok(Json(json!({
        "kind": "calendar#colors", "updated": "2012-02-14T00:00:00.000Z", "calendar": {}, "event": event
    })))
}

pub(super) async fn free_busy(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    body: Bytes,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::FreeBusy)?;
    let body = Value::Object(object(&body)?);
    let answer = free_busy::query(&google.store(), &caller.account, &body, clock::now())?;
    Ok(Json(answer))
}

fn list_item(calendar: &StoredCalendar, subscription: &CalendarListItem) -> Value {
    let defaults =
        if subscription.primary { json!([{ "method": "popup", "minutes": 10 }]) } else { json!([]) };
    let mut item = json!({
        "kind": "calendar#calendarListEntry",
        "etag": etag(subscription.seq),
        "id": calendar.info.id,
        "summary": calendar.info.summary,
        "timeZone": calendar.info.zone.name(),
        "colorId": subscription.color_id,
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "selected": !subscription.hidden,
        "accessRole": subscription.role.as_str(),
        "defaultReminders": defaults,
        "conferenceProperties": { "allowedConferenceSolutionTypes": ["hangoutsMeet"] },
    });
    // Google leaves the members out where they are false.
    for (name, value) in [("primary", subscription.primary), ("hidden", subscription.hidden)] {
        if value {
            item[name] = true.into();
        }
    }
    item
}

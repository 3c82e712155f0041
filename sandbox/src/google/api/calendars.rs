//! The list of calendars, and free/busy.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::super::GoogleSandbox;
use super::super::errors::GoogleApiError;
use super::super::free_busy;
use super::super::list_query::EventListParameters;
use super::super::resource::etag;
use super::super::scopes::GooglePermission;
use super::super::sync_token::GooglePageToken;
use super::{object, pairs};
use crate::clock;
use crate::opaque::encode;
use crate::store::{AuthenticatedCaller, CalendarListItem, StoredCalendar};

pub(super) async fn list(
    State(google): State<Arc<GoogleSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GoogleApiError> {
    caller.may(GooglePermission::ListCalendars)?;
    let pairs = pairs(query);
    let parameters = EventListParameters(&pairs);
    parameters.check_known(&["maxResults", "pageToken", "showHidden"])?;
    // https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/list: hidden ones are left out by
    // default.
    let show_hidden = parameters.switch("showHidden")?.unwrap_or(false);
    let store = google.store();
    let mut shown = store.list_of(&caller.account);
    shown.retain(|(_, one)| show_hidden || !one.hidden);
    let from = parameters.page()?.map_or(0, |page| usize::try_from(page.from).unwrap_or(usize::MAX));
    let end = from.saturating_add(parameters.max_results()?.min(250));
    let items: Vec<_> =
        shown.iter().skip(from).take(end - from).map(|(calendar, one)| list_item(calendar, one)).collect();
    let mut answer = json!({ "kind": "calendar#calendarList", "etag": etag(store.seq), "items": items });
    if shown.len() > end {
        let page = GooglePageToken { from: end as u64, index: 0, parameters: parameters.fingerprint() };
        answer["nextPageToken"] = encode(&page).into();
    }
    Ok(Json(answer))
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
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "selected": !subscription.hidden,
        "accessRole": subscription.role,
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

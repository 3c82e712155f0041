//! The person, their calendars, and when people are busy.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::super::errors::GraphError;
use super::super::odata::{DEFAULT_PAGE, Options, page};
use super::super::prefer::Prefer;
use super::super::scopes::Need;
use super::super::{ids, resource, schedule, tenants};
use super::{answer, object, pairs};
use crate::app::App;
use crate::clock;
use crate::store::{Caller, PRIMARY, World};

/// `GET /me`.
pub(super) async fn me(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GraphError> {
    caller.can(Need::ReadUser)?;
    Options::read(&pairs(query.as_deref()), &[])?;
    let world = app.microsoft.world();
    let account = world.accounts.get(&caller.account).ok_or_else(GraphError::not_found)?;
    let (given, family) = account.name.split_once(' ').unwrap_or((account.name.as_str(), ""));
    Ok(Json(json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity",
        "id": account.sub,
        "displayName": account.name,
        "givenName": given,
        "surname": family,
        // A private person's account has no mail, but a name that looks like one.
        "mail": (!tenants::is_personal(&account.email)).then_some(&account.email),
        "userPrincipalName": account.email,
        "businessPhones": [],
        "jobTitle": null,
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": null,
    })))
}

/// `GET /me/calendars`. Ten a page if nothing is said.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    OriginalUri(uri): OriginalUri,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GraphError> {
    caller.can(Need::ReadCalendars)?;
    let options = Options::read(&pairs(query.as_deref()), &[])?;
    let world = app.microsoft.world();
    // What a person does not want to see is listed all the same: that is a setting of Outlook alone.
    let shown: Vec<_> = world.list_of(&caller.account);
    let size = options.top.unwrap_or(DEFAULT_PAGE);
    let end = options.skip.saturating_add(size);
    let name = name_of(&world, &caller.account);
    let items = shown.iter().skip(options.skip).take(size);
    let items = items.map(|(calendar, one)| resource::calendar(calendar, one, &name)).collect();
    let next = (shown.len() > end).then(|| format!("{}{}?$top={size}&$skip={end}", app.url, uri.path()));
    Ok(Json(page(items, next)))
}

/// `GET /me/calendar`.
pub(super) async fn own(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, GraphError> {
    show(&app, &caller, PRIMARY)
}

/// `GET /me/calendars/{id}`.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, GraphError> {
    if !ids::is_of_calendar(&id) {
        return Err(GraphError::malformed_id());
    }
    show(&app, &caller, &id)
}

fn show(app: &App, caller: &Caller, id: &str) -> Result<Json<Value>, GraphError> {
    caller.can(Need::ReadCalendars)?;
    let world = app.microsoft.world();
    let (calendar, one) = world.visible(&caller.account, id)?;
    Ok(Json(resource::calendar(calendar, one, &name_of(&world, &caller.account))))
}

fn name_of(world: &World, account: &str) -> String {
    world.accounts.get(account).map_or_else(String::new, |account| account.name.clone())
}

/// `POST /me/calendar/getSchedule`.
pub(super) async fn schedule(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, GraphError> {
    caller.can(Need::FreeBusy)?;
    let (prefer, body) = (Prefer::read(&headers)?, object(&headers, &body)?);
    let answered = schedule::query(&app.microsoft.world(), &caller.account, &body, &prefer, clock::now())?;
    Ok(answer(StatusCode::OK, &prefer, answered))
}

//! Accounts, calendars, and consents without a consent page.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlError, check_provider, read, read_query};
use crate::app::App;
use crate::clock;
use crate::google::{ACCESS_TOKEN_LIFE, AccessRole, Account, EVERYTHING, World};

/// All accounts with their calendars.
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let world = app.google.world();
    Json(world.accounts.values().map(|account| account_json(&world, account)).collect())
}

fn account_json(world: &World, account: &Account) -> Value {
    let calendar = |(calendar, one): (&crate::google::Calendar, &crate::google::Subscription)| {
        json!({
            "id": calendar.info.id,
            "name": calendar.info.summary,
            "zone": calendar.info.zone.name(),
            "primary": one.primary,
            "access_role": one.role.as_str(),
        })
    };
    json!({
        "provider": "google",
        "email": account.email,
        "name": account.name,
        "subject": account.sub,
        "zone": account.zone.name(),
        "calendars": world.list_of(&account.email).into_iter().map(calendar).collect::<Vec<_>>(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    provider: String,
    email: String,
    name: Option<String>,
    zone: Option<String>,
}

/// Makes an account with a primary calendar.
pub(super) async fn add(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let new: NewAccount = read(&body)?;
    check_provider(&new.provider)?;
    let email = new.email.trim().to_lowercase();
    if !email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()) {
        return Err(ControlError::bad(format!("{email:?} is no e-mail address")));
    }
    let zone = zone(new.zone.as_deref())?.unwrap_or(chrono_tz::Europe::Lisbon);
    let mut world = app.google.world();
    world.add_account(&email, new.name.as_deref().unwrap_or(&email), zone)?;
    let account = world.accounts.get(&email).ok_or_else(|| ControlError::not_found("the account is gone"))?;
    Ok((StatusCode::CREATED, Json(account_json(&world, account))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCalendar {
    provider: String,
    account: String,
    name: String,
    zone: Option<String>,
    access_role: Option<AccessRole>,
}

/// Makes a further calendar in an account's list.
pub(super) async fn add_calendar(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let new: NewCalendar = read(&body)?;
    check_provider(&new.provider)?;
    let zone = zone(new.zone.as_deref())?;
    let mut world = app.google.world();
    let role = new.access_role.unwrap_or(AccessRole::Owner);
    let id = world
        .add_calendar(&new.account, &new.name, zone, role)
        .map_err(|error| no_account(error, &new.account))?;
    let answer = json!({
        "provider": "google", "account": new.account, "id": id, "name": new.name, "access_role": role.as_str()
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedCalendar {
    provider: String,
    account: String,
    hidden: bool,
}

/// A person hides a calendar of their list, or shows it again.
pub(super) async fn change_calendar(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, ControlError> {
    let change: ChangedCalendar = read(&body)?;
    check_provider(&change.provider)?;
    app.google.world().hide_calendar(&change.account, &id, change.hidden)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    provider: Option<String>,
}

/// A person deletes a calendar of theirs, but not their primary one.
pub(super) async fn delete_calendar(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, ControlError> {
    let of: Of = read_query(query.as_deref())?;
    of.provider.as_deref().map_or(Ok(()), check_provider)?;
    app.google.world().delete_calendar(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGrant {
    provider: String,
    account: String,
    scope: Option<String>,
    client_id: Option<String>,
}

/// Gives tokens as if the person had consented.
pub(super) async fn grant(
    State(app): State<Arc<App>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let new: NewGrant = read(&body)?;
    check_provider(&new.provider)?;
    let client = match (&new.client_id, app.google.first_client()) {
        (Some(id), _) => id.clone(),
        (None, Some(client)) => client.client_id.clone(),
        (None, None) => return Err(ControlError::bad("no OAuth client is registered")),
    };
    let scope = new.scope.as_deref().unwrap_or(EVERYTHING);
    let mut world = app.google.world();
    if !world.accounts.contains_key(&new.account) {
        return Err(ControlError::not_found(format!("there is no account {}", new.account)));
    }
    let issued = world.issue(&new.account, &client, scope, true, None, clock::now())?;
    let answer = json!({
        "access_token": issued.access_token,
        "refresh_token": issued.grant.refresh_token,
        "expires_in": ACCESS_TOKEN_LIFE,
        "scope": scope,
        "token_type": "Bearer",
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

fn no_account(error: crate::google::ApiError, account: &str) -> ControlError {
    if error.status == StatusCode::NOT_FOUND {
        return ControlError::not_found(format!("there is no account {account}"));
    }
    error.into()
}

fn zone(name: Option<&str>) -> Result<Option<Tz>, ControlError> {
    let parse =
        |name: &str| name.parse().map_err(|_| ControlError::bad(format!("there is no zone {name:?}")));
    name.map(parse).transpose()
}

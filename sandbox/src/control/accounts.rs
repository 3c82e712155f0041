//! Accounts, calendars, and consents without a consent page.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlBody, ControlError, ControlQuery, ProviderQuery, provider, providers};
use crate::app::SandboxApp;
use crate::clock;
use crate::provider::Provider;
use crate::store::{
    CalendarAccessRole, CalendarListItem, ProviderStore, StoreError, StoredAccount, StoredCalendar,
};
use crate::{google, microsoft};

/// All accounts with their calendars, or those of one provider.
pub(super) async fn list(
    State(app): State<Arc<SandboxApp>>,
    ControlQuery(of): ControlQuery<ProviderQuery>,
) -> Result<Json<Value>, ControlError> {
    let mut accounts = Vec::new();
    for provider in providers(of.provider.as_deref())? {
        let store = app.store(provider);
        accounts.extend(store.accounts.values().map(|account| account_json(provider, &store, account)));
    }
    Ok(Json(accounts.into()))
}

fn account_json(provider: Provider, store: &ProviderStore, account: &StoredAccount) -> Value {
    let calendar = |(calendar, one): (&StoredCalendar, &CalendarListItem)| {
        json!({
            "id": calendar.info.id,
            "name": calendar.info.summary,
            "zone": calendar.info.zone.name(),
            "primary": one.primary,
            "access_role": one.role,
        })
    };
    json!({
        "provider": provider,
        "email": account.email,
        "name": account.name,
        "subject": account.sub,
        "zone": account.zone.name(),
        "calendars": store.list_of(&account.email).into_iter().map(calendar).collect::<Vec<_>>(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccountBody {
    provider: String,
    email: String,
    name: Option<String>,
    zone: Option<String>,
}

/// Makes an account with a primary calendar.
pub(super) async fn add(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<NewAccountBody>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let provider = provider(&new.provider)?;
    let email = new.email.trim().to_lowercase();
    if !email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()) {
        return Err(ControlError::bad(format!("{email:?} is no e-mail address")));
    }
    let zone = zone(new.zone.as_deref())?.unwrap_or(chrono_tz::Europe::Lisbon);
    let mut store = app.store(provider);
    store.add_account(&email, new.name.as_deref().unwrap_or(&email), zone)?;
    let account = store.accounts.get(&email).ok_or_else(|| ControlError::not_found("the account is gone"))?;
    Ok((StatusCode::CREATED, Json(account_json(provider, &store, account))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCalendarBody {
    provider: String,
    account: String,
    name: String,
    zone: Option<String>,
    access_role: Option<CalendarAccessRole>,
}

/// Makes a further calendar in an account's list.
pub(super) async fn add_calendar(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<NewCalendarBody>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let provider = provider(&new.provider)?;
    let zone = zone(new.zone.as_deref())?;
    let mut store = app.store(provider);
    let role = new.access_role.unwrap_or(CalendarAccessRole::Owner);
    let id = store
        .add_calendar(&new.account, &new.name, zone, role)
        .map_err(|error| no_account(error, &new.account))?;
    let answer = json!({
        "provider": provider, "account": new.account, "id": id, "name": new.name, "access_role": role
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SandboxCalendarPatch {
    provider: String,
    account: String,
    hidden: bool,
}

/// A person hides a calendar of their list, or shows it again.
pub(super) async fn change_calendar(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlBody(change): ControlBody<SandboxCalendarPatch>,
) -> Result<StatusCode, ControlError> {
    app.store(provider(&change.provider)?).hide_calendar(&change.account, &id, change.hidden)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A person deletes a calendar of theirs, but not their primary one.
pub(super) async fn delete_calendar(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlQuery(of): ControlQuery<ProviderQuery>,
) -> Result<StatusCode, ControlError> {
    app.store(provider_of(&app, &id, of.provider.as_deref())?).delete_calendar(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose calendar `id` is, of the provider that is named or of all.
fn provider_of(app: &SandboxApp, id: &str, name: Option<&str>) -> Result<Provider, ControlError> {
    let mut all = providers(name)?.into_iter();
    all.find(|one| app.store(*one).calendars.contains_key(id))
        .ok_or_else(|| ControlError::not_found(format!("there is no calendar {id}")))
}

/// The provider gives a calendar another id, as when a mailbox is moved; the ids of its entries stay.
pub(super) async fn renumber_calendar(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let provider = provider_of(&app, &id, None)?;
    let new = app.store(provider).renumber_calendar(&id)?;
    Ok(Json(json!({ "provider": provider, "id": new })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGrantBody {
    provider: String,
    account: String,
    scope: Option<String>,
    client_id: Option<String>,
}

/// Gives tokens as if the person had consented.
pub(super) async fn grant(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<NewGrantBody>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let provider = provider(&new.provider)?;
    // Without a name it is the first registered application that is consented to.
    let client = match (&new.client_id, app.clients(provider).first()) {
        (Some(id), _) => id.clone(),
        (None, Some(client)) => client.client_id.clone(),
        (None, None) => return Err(ControlError::bad("no OAuth client is registered")),
    };
    let scope = new.scope.as_deref().unwrap_or(match provider {
        Provider::Google => google::EVERYTHING,
        Provider::Microsoft => microsoft::EVERYTHING,
    });
    let mut store = app.store(provider);
    if !store.accounts.contains_key(&new.account) {
        return Err(ControlError::not_found(format!("there is no account {}", new.account)));
    }
    let issued = store.issue(&new.account, &client, scope, true, None, clock::now())?;
    let answer = json!({
        "access_token": issued.access_token,
        "refresh_token": issued.grant.refresh_token,
        "expires_in": store.dialect().tokens().access_life,
        "scope": scope,
        "token_type": "Bearer",
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

fn no_account(error: StoreError, account: &str) -> ControlError {
    if error == StoreError::NotFound {
        return ControlError::not_found(format!("there is no account {account}"));
    }
    error.into()
}

fn zone(name: Option<&str>) -> Result<Option<Tz>, ControlError> {
    let parse =
        |name: &str| name.parse().map_err(|_| ControlError::bad(format!("there is no zone {name:?}")));
    name.map(parse).transpose()
}

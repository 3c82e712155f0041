//! The person, and their calendars.

use std::sync::Arc;

use axum::extract::{OriginalUri, RawQuery, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::super::MicrosoftSandbox;
use super::super::errors::GraphApiError;
use super::super::odata::{DEFAULT_PAGE, ODataOptions, page};
use super::super::scopes::GraphPermission;
use super::super::{resource, tenants};
use super::pairs;
use crate::store::AuthenticatedCaller;

pub(super) async fn me(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GraphApiError> {
    caller.can(GraphPermission::ReadUser)?;
    ODataOptions::read(&pairs(query.as_deref()), &[])?;
    let store = microsoft.store();
    let account = store.accounts.get(&caller.account).ok_or_else(GraphApiError::not_found)?;
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
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Extension(caller): Extension<AuthenticatedCaller>,
    OriginalUri(uri): OriginalUri,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, GraphApiError> {
    caller.can(GraphPermission::ReadCalendars)?;
    let options = ODataOptions::read(&pairs(query.as_deref()), &[])?;
    let store = microsoft.store();
    // What a person does not want to see is listed all the same: that is a setting of Outlook alone.
    let shown: Vec<_> = store.list_of(&caller.account);
    let size = options.top.unwrap_or(DEFAULT_PAGE);
    let end = options.skip.saturating_add(size);
    let name = store.accounts.get(&caller.account).map_or("", |account| &account.name);
    let items = shown.iter().skip(options.skip).take(size);
    let items = items.map(|(calendar, one)| resource::calendar(calendar, one, name)).collect();
    let next = (shown.len() > end)
        .then(|| format!("{}{}?$top={size}&$skip={end}", microsoft.server.url, uri.path()));
    Ok(Json(page(items, next)))
}

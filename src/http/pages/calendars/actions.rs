//! What can be done with calendars: connect, test, bring up to date, pause, disconnect.

use std::str::FromStr;

use axum::response::{IntoResponse, Redirect, Response};
use concord_domain::{
    connection::ProviderKind,
    ids::{ConnectionId, StaffId},
};
use concord_services::{
    ServiceError,
    connect::{self, ConnectError, ConnectInitiator, ConnectRequest},
    connections as manage,
};
use concord_storage::people;
use serde::Deserialize;

use super::{find_connection, revoke_note};
use crate::http::pages::{
    CurrentUser, Flash, Manager, PageError, PageForm, PagePath, PageResult, pluralize, sentence,
};

#[derive(Deserialize)]
pub(super) struct ConnectCalendarForm {
    staff: StaffId,
}

/// On to the provider's consent page.
pub(super) async fn connect(
    user: CurrentUser,
    PagePath(provider): PagePath<String>,
    PageForm(form): PageForm<ConnectCalendarForm>,
) -> PageResult {
    let provider = ProviderKind::from_str(&provider).map_err(|_| PageError::NotFound("provider"))?;
    if !user.may_see(form.staff) {
        return Err(PageError::NotFound("staff member"));
    }
    let staff = people::find_staff(&user.app.context.db, user.business.id, form.staff)
        .await?
        .ok_or(PageError::NotFound("staff member"))?;
    let begin = ConnectRequest {
        business: user.business.id,
        staff: staff.id,
        provider,
        asker: ConnectInitiator::Session(user.token.digest()),
        return_to: "/calendars".to_owned(),
        login_hint: Some(staff.email).filter(|email| !email.is_empty()),
    };
    match connect::begin(&user.app.context, begin).await {
        Ok(consent_page) => Ok(Redirect::to(consent_page.as_str()).into_response()),
        Err(ConnectError::Storage(error)) => Err(error.into()),
        Err(other) => Err(PageError::NotPossible(sentence(&other))),
    }
}

/// Everything of the business, for managers.
pub(super) async fn sync_pending(user: Manager) -> PageResult {
    let number = manage::sync_all_pending(&user.app.context, user.business.id).await?;
    Ok(redirect_with_count(&user, number, |calendars| format!("Syncing {calendars} now.")))
}

/// Everything of the business, for managers.
pub(super) async fn import_availability(user: Manager) -> PageResult {
    let number = manage::import_all(&user.app.context, user.business.id).await?;
    Ok(redirect_with_count(&user, number, |calendars| format!("Importing busy times from {calendars} now.")))
}

/// Back to all calendars, with a line that says with how many of them something is done.
fn redirect_with_count(user: &CurrentUser, number: usize, words: impl FnOnce(String) -> String) -> Response {
    let calendars = pluralize(i64::try_from(number).unwrap_or(i64::MAX), "calendar", "calendars");
    user.redirect_with_flash("/calendars", &Flash::success(words(calendars)))
}

pub(super) async fn resync(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::resync(&user.app.context, user.business.id, id).await;
    let words = "Resync started: pending bookings are written, and the calendar is imported and checked.";
    redirect_with_outcome(&user, id, done.map(|()| Flash::success(words)))
}

pub(super) async fn compare(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::compare(&user.app.context, user.business.id, id).await;
    let words = "Compare started: the calendar is checked against your bookings.";
    redirect_with_outcome(&user, id, done.map(|()| Flash::success(words)))
}

pub(super) async fn test(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let report = manage::test(&user.app.context, user.business.id, id).await;
    let outcome = report.map(|report| {
        if report.ok {
            Flash::success(format!("Connection OK: {}.", report.message))
        } else {
            Flash::failure(format!("Connection failed: {}.", report.message))
        }
    });
    redirect_with_outcome(&user, id, outcome)
}

pub(super) async fn pause(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::pause(&user.app.context, &user.change(), id).await;
    let words = "Sync paused. Changes made in the meantime are synced when you resume.";
    let resume = format!("/calendars/{id}/resume");
    redirect_with_outcome(&user, id, done.map(|()| Flash::success(words).with_undo(resume, &[])))
}

pub(super) async fn resume(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::resume(&user.app.context, &user.change(), id).await;
    let words = "Sync resumed. Pending changes are being written now.";
    redirect_with_outcome(&user, id, done.map(|()| Flash::success(words)))
}

#[derive(Deserialize)]
pub(super) struct DisconnectForm {
    entries: String,
}

pub(super) async fn disconnect(
    user: CurrentUser,
    PagePath(id): PagePath<ConnectionId>,
    PageForm(form): PageForm<DisconnectForm>,
) -> PageResult {
    let connection = find_connection(&user, id).await?;
    let remove = match form.entries.as_str() {
        "remove" => true,
        "keep" => false,
        other => return Err(PageError::Malformed(format!("entries: {other}"))),
    };
    manage::disconnect(&user.app.context, &user.change(), id, remove).await?;
    let entries = if remove { "Its entries are being deleted." } else { "Its entries are kept." };
    let at_provider = revoke_note(connection.provider);
    let flash = Flash::success(format!(
        "{} ({}) is disconnected. {entries}{at_provider}",
        connection.provider.name(),
        connection.account_email
    ));
    Ok(user.redirect_with_flash("/calendars", &flash))
}

/// Back to the connection's page, with a line that says what came of it.
fn redirect_with_outcome(
    user: &CurrentUser,
    id: ConnectionId,
    outcome: Result<Flash, ServiceError>,
) -> PageResult {
    let flash = match outcome {
        Ok(flash) => flash,
        Err(ServiceError::NotPossible(reason) | ServiceError::Provider(reason)) => {
            Flash::failure(sentence(&reason))
        }
        Err(other) => return Err(other.into()),
    };
    Ok(user.redirect_with_flash(&format!("/calendars/{id}"), &flash))
}

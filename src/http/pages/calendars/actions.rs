//! What can be done with calendars: connect, test, bring up to date, pause, disconnect.

use std::str::FromStr;

use axum::response::{IntoResponse, Redirect};
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

use super::{
    super::{
        PageError, PageResult,
        components::{pluralize, sentence},
        extract::{PageForm, PagePath},
        flash::Flash,
        session::{CurrentUser, Manager},
    },
    find_connection, revoke_note,
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
    let calendars = pluralize(to_i64(number), "calendar", "calendars");
    Ok(user.redirect_with_flash("/calendars", &Flash::success(format!("Syncing {calendars} now."))))
}

/// Everything of the business, for managers.
pub(super) async fn import_availability(user: Manager) -> PageResult {
    let number = manage::import_all(&user.app.context, user.business.id).await?;
    let calendars = pluralize(to_i64(number), "calendar", "calendars");
    Ok(user.redirect_with_flash(
        "/calendars",
        &Flash::success(format!("Importing busy times from {calendars} now.")),
    ))
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn resync(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::resync(&user.app.context, user.business.id, id).await;
    redirect_with_outcome(
        &user,
        id,
        done,
        "Resync started: pending bookings are written, and the calendar is imported and checked.",
    )
}

pub(super) async fn compare(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::compare(&user.app.context, user.business.id, id).await;
    redirect_with_outcome(&user, id, done, "Compare started: the calendar is checked against your bookings.")
}

pub(super) async fn test(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let path = format!("/calendars/{id}");
    match manage::test(&user.app.context, user.business.id, id).await {
        Ok(report) if report.ok => {
            Ok(user
                .redirect_with_flash(&path, &Flash::success(format!("Connection OK: {}.", report.message))))
        }
        Ok(report) => Ok(user
            .redirect_with_flash(&path, &Flash::failure(format!("Connection failed: {}.", report.message)))),
        Err(error) => redirect_with_outcome(&user, id, Err(error), ""),
    }
}

pub(super) async fn pause(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::pause(&user.app.context, &user.change(), id).await;
    let path = format!("/calendars/{id}");
    match done {
        Ok(()) => {
            let flash =
                Flash::success("Sync paused. Changes made in the meantime are synced when you resume.")
                    .with_undo(format!("{path}/resume"), &[]);
            Ok(user.redirect_with_flash(&path, &flash))
        }
        failed => redirect_with_outcome(&user, id, failed, ""),
    }
}

pub(super) async fn resume(user: CurrentUser, PagePath(id): PagePath<ConnectionId>) -> PageResult {
    find_connection(&user, id).await?;
    let done = manage::resume(&user.app.context, &user.change(), id).await;
    redirect_with_outcome(&user, id, done, "Sync resumed. Pending changes are being written now.")
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
    done: Result<(), ServiceError>,
    words: &str,
) -> PageResult {
    let flash = match done {
        Ok(()) => Flash::success(words),
        Err(ServiceError::NotPossible(reason) | ServiceError::Provider(reason)) => {
            Flash::failure(sentence(&reason))
        }
        Err(other) => return Err(other.into()),
    };
    Ok(user.redirect_with_flash(&format!("/calendars/{id}"), &flash))
}

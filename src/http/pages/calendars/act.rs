//! What can be done with calendars: connect, test, bring up to date, pause, disconnect.

use std::str::FromStr;

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use concord_domain::{
    connection::ProviderKind,
    ids::{ConnectionId, StaffId},
};
use concord_jobs::{
    batch_sync,
    connect::{self, Asker, Begin, ConnectError},
    connections as manage,
};
use concord_storage::people;
use serde::Deserialize;

use super::{
    super::{
        PageError,
        asked::{Named, Sent},
        flash::Flash,
        pieces::count,
        session::CurrentUser,
    },
    MICROSOFT_ENDS_IT_ITSELF, found,
};
use crate::app::App;

#[derive(Deserialize)]
pub(super) struct Whose {
    staff: StaffId,
}

/// On to the provider's consent page.
pub(super) async fn connect(
    State(app): State<App>,
    user: CurrentUser,
    Named(provider): Named<String>,
    Sent(whose): Sent<Whose>,
) -> Result<Response, PageError> {
    let provider = ProviderKind::from_str(&provider).map_err(|_| PageError::NotFound("provider"))?;
    if !user.may_see(whose.staff) {
        return Err(PageError::NotFound("staff member"));
    }
    let staff = people::find_staff(&app.context.db, user.business.id, whose.staff)
        .await?
        .ok_or(PageError::NotFound("staff member"))?;
    let begin = Begin {
        business: user.business.id,
        staff: staff.id,
        provider,
        asker: Asker::Session(user.token.digest()),
        return_to: "/calendars".to_owned(),
        login_hint: Some(staff.email).filter(|email| !email.is_empty()),
    };
    match connect::begin(&app.context, begin).await {
        Ok(consent_page) => Ok(Redirect::to(consent_page.as_str()).into_response()),
        Err(ConnectError::Storage(error)) => Err(error.into()),
        Err(other) => Err(PageError::NotPossible(format!("{other}."))),
    }
}

/// Everything of the business, for managers.
pub(super) async fn sync_pending(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let number = batch_sync::sync_all_pending(&app.context, user.business.id).await?;
    let calendars = count(number_of(number), "calendar is", "calendars are");
    Ok(user.go(&app, "/calendars", &Flash::good(format!("{calendars} being brought up to date now."))))
}

/// Everything of the business, for managers.
pub(super) async fn import_availability(
    State(app): State<App>,
    user: CurrentUser,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let number = batch_sync::import_all(&app.context, user.business.id).await?;
    let calendars = count(number_of(number), "calendar are", "calendars are");
    Ok(user.go(&app, "/calendars", &Flash::good(format!("The busy times of {calendars} being read now."))))
}

fn number_of(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn resync(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ConnectionId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let done = manage::resync(&app.context, user.business.id, id).await;
    answer(
        &app,
        &user,
        id,
        done,
        "What waits is being written, and what stands in the calendar is being read and compared.",
    )
}

pub(super) async fn compare(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ConnectionId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let done = manage::compare(&app.context, user.business.id, id).await;
    answer(&app, &user, id, done, "What stands in it is being compared with what should.")
}

pub(super) async fn test(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ConnectionId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let path = format!("/calendars/{id}");
    match manage::test(&app.context, user.business.id, id).await {
        Ok(report) if report.ok => {
            Ok(user.go(&app, &path, &Flash::good(format!("The test passed: {}.", report.message))))
        }
        Ok(report) => {
            Ok(user.go(&app, &path, &Flash::wrong(format!("The test failed: {}.", report.message))))
        }
        Err(error) => answer(&app, &user, id, Err(error), ""),
    }
}

pub(super) async fn pause(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ConnectionId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let done = manage::pause(&app.context, &user.change(&app), id).await;
    let path = format!("/calendars/{id}");
    match done {
        Ok(()) => {
            let flash = Flash::good("Paused. What changes meanwhile is written when it is resumed.")
                .with_undo(format!("{path}/resume"), &[]);
            Ok(user.go(&app, &path, &flash))
        }
        failed => answer(&app, &user, id, failed, ""),
    }
}

pub(super) async fn resume(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ConnectionId>,
) -> Result<Response, PageError> {
    found(&app, &user, id).await?;
    let done = manage::resume(&app.context, &user.change(&app), id).await;
    answer(&app, &user, id, done, "Resumed. What waited is being written now.")
}

#[derive(Deserialize)]
pub(super) struct Fate {
    /// `remove` or `keep`.
    entries: String,
}

pub(super) async fn disconnect(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<ConnectionId>,
    Sent(fate): Sent<Fate>,
) -> Result<Response, PageError> {
    let connection = found(&app, &user, id).await?;
    let remove = match fate.entries.as_str() {
        "remove" => true,
        "keep" => false,
        other => return Err(PageError::Malformed(format!("entries: {other}"))),
    };
    manage::disconnect(&app.context, &user.change(&app), id, remove).await?;
    let entries = if remove { "Its entries are being removed." } else { "Its entries stay where they are." };
    let at_provider = match connection.provider {
        ProviderKind::Microsoft => format!(" {MICROSOFT_ENDS_IT_ITSELF}"),
        ProviderKind::Google | ProviderKind::Caldav => String::new(),
    };
    let flash = Flash::good(format!(
        "{} ({}) is disconnected. {entries}{at_provider}",
        connection.provider.name(),
        connection.account_email
    ));
    Ok(user.go(&app, "/calendars", &flash))
}

/// Back to the connection's page, with a line that says what came of it.
fn answer(
    app: &App,
    user: &CurrentUser,
    id: ConnectionId,
    done: Result<(), manage::ManageError>,
    words: &str,
) -> Result<Response, PageError> {
    use manage::ManageError::{NotPossible, Provider};
    let flash = match done {
        Ok(()) => Flash::good(words),
        Err(NotPossible(reason) | Provider(reason)) => {
            Flash::wrong(format!("That was not possible: {reason}."))
        }
        Err(other) => return Err(other.into()),
    };
    Ok(user.go(app, &format!("/calendars/{id}"), &flash))
}

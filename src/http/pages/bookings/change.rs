//! Cancelling a booking, and taking that back.

use askama::Template;
use axum::{extract::State, response::Response};
use concord_domain::booking::{BookingDraft, BookingStatus};
use concord_storage::{
    bookings::{self, PutError},
    entries, history,
};
use serde::Deserialize;
use serde_json::Value;

use super::super::{
    PageError,
    asked::{Named, Sent},
    flash::Flash,
    frame::{Frame, Place, page},
    session::CurrentUser,
    when::span,
};
use super::{
    detail::origin,
    edit::{taken_in_a_line, zone_of},
    found, name_of, path_of,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "booking_cancel.html")]
struct CancelPage {
    frame: Frame,
    path: String,
    name: String,
    when: String,
    /// In how many calendars it stands.
    calendars: usize,
    /// The platform that sold it, and still has it.
    sold_by: Option<String>,
    version: i64,
}

/// The question on a page of its own, for whoever has no script.
pub(super) async fn ask(
    State(app): State<App>,
    user: CurrentUser,
    Named(key): Named<String>,
) -> Result<Response, PageError> {
    let booking = found(&app.context.db, &user, &key).await?;
    let states = entries::sync_states(&app.context.db, user.business.id, booking.id).await?;
    let calendars = states.iter().filter(|entry| entry.is_kept_up()).count();
    let zone = zone_of(&app, &user, booking.draft.resource).await?;
    let question = CancelPage {
        frame: Frame::around(&app, &user, Place::Bookings, format!("Cancel {}", booking.reference)).await?,
        path: path_of(&booking),
        name: name_of(&booking, &app.context.platforms),
        when: span(&booking.draft.time, zone, app.now().with_timezone(&zone).date_naive()).text,
        calendars,
        sold_by: origin(&app, &user, &booking).await?.map(|origin| origin.platform),
        version: booking.version,
    };
    page(&app, &user, &question)
}

#[derive(Deserialize)]
pub(super) struct Version {
    version: Option<i64>,
}

pub(super) async fn cancel(
    State(app): State<App>,
    user: CurrentUser,
    Named(key): Named<String>,
    Sent(sent): Sent<Version>,
) -> Result<Response, PageError> {
    let before = found(&app.context.db, &user, &key).await?;
    let path = path_of(&before);
    if before.draft.status == BookingStatus::Cancelled {
        return Ok(user.go(&app, &path, &Flash::information("It was cancelled already.")));
    }
    let change = user.change(&app);
    match bookings::cancel(&app.context.db, &change, &before.reference, sent.version).await {
        Ok(put) => {
            app.context.push(&put.jobs).await;
            let there = match origin(&app, &user, &before).await? {
                Some(origin) => format!(" Cancel it at {} too.", origin.platform),
                None => String::new(),
            };
            let text = format!("Booking {} was cancelled.{there}", before.reference);
            let flash = Flash::good(text).with_undo(
                format!("{path}/restore"),
                &[
                    ("status", before.draft.status.as_str().to_owned()),
                    ("version", put.booking.version.to_string()),
                ],
            );
            Ok(user.go(&app, &path, &flash))
        }
        Err(PutError::Stale { .. }) => {
            let flash =
                Flash::wrong("Somebody changed the booking meanwhile, so it was not cancelled. Look again.");
            Ok(user.go(&app, &path, &flash))
        }
        Err(PutError::Storage(error)) => Err(error.into()),
        Err(other) => Err(PageError::Broken(other.to_string())),
    }
}

#[derive(Deserialize)]
pub(super) struct Former {
    status: BookingStatus,
    version: Option<i64>,
}

pub(super) async fn restore(
    State(app): State<App>,
    user: CurrentUser,
    Named(key): Named<String>,
    Sent(former): Sent<Former>,
) -> Result<Response, PageError> {
    let before = found(&app.context.db, &user, &key).await?;
    let path = path_of(&before);
    if before.draft.status != BookingStatus::Cancelled {
        return Ok(user.go(
            &app,
            &path,
            &Flash::information("The booking stands; there is nothing to take back."),
        ));
    }
    let status = if former.status.occupies() { former.status } else { BookingStatus::Confirmed };
    let draft = BookingDraft { status, ..before.draft.clone() };
    match bookings::put(&app.context.db, &user.change(&app), &before.reference, &draft, former.version).await
    {
        Ok(put) => {
            app.context.push(&put.jobs).await;
            let flash = Flash::good(format!(
                "Booking {} stands again: {}.",
                before.reference,
                status.label().to_lowercase()
            ));
            Ok(user.go(&app, &path, &flash))
        }
        Err(PutError::Taken(taken)) => {
            let taken = taken_in_a_line(&taken, &user, app.now());
            let text = format!("{taken}, so the booking stays cancelled. Edit it to choose another time.");
            Ok(user.go(&app, &path, &Flash::wrong(text)))
        }
        Err(PutError::Stale { .. }) => {
            let flash =
                Flash::wrong("Somebody changed the booking meanwhile, so it stays as it is. Look again.");
            Ok(user.go(&app, &path, &flash))
        }
        Err(PutError::Invalid(_)) => {
            let flash = Flash::wrong(
                "As it stands it can no longer be booked. Edit it to choose another resource or other people.",
            );
            Ok(user.go(&app, &path, &flash))
        }
        Err(PutError::Storage(error)) => Err(error.into()),
    }
}

/// What a cancelled booking was before.
pub(super) fn former_status(newest_first: &[history::Line]) -> BookingStatus {
    newest_first
        .iter()
        .find(|line| line.action == "cancelled")
        .and_then(|line| line.detail.pointer("/changes/status/0"))
        .and_then(Value::as_str)
        .and_then(|status| status.parse().ok())
        .unwrap_or(BookingStatus::Confirmed)
}

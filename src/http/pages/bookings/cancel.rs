//! Cancelling a booking, and taking that back.

use askama::Template;
use axum::{extract::State, response::Response};
use concord_domain::booking::{BookingDraft, BookingStatus};
use concord_services::bookings;
use concord_storage::{bookings::PutError, entries};
use serde::Deserialize;

use super::super::{
    PageError,
    booking_paths::booking_path,
    extract::{PageForm, PagePath},
    flash::Flash,
    format::span,
    layout::{Layout, NavItem, render_page},
    obstacles::conflict_summary,
    session::CurrentUser,
};
use super::{detail::booking_platform, edit::resource_zone, find_booking, guest_name};
use crate::app::App;

#[derive(Template)]
#[template(path = "booking_cancel.html")]
struct CancelBookingPage {
    frame: Layout,
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
pub(super) async fn confirm_cancel(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(key): PagePath<String>,
) -> Result<Response, PageError> {
    let booking = find_booking(&app.context.db, &user, &key).await?;
    let states = entries::sync_states(&app.context.db, user.business.id, booking.id).await?;
    let calendars = states.iter().filter(|entry| entry.is_kept_up()).count();
    let zone = resource_zone(&app, &user, booking.draft.resource).await?;
    let question = CancelBookingPage {
        frame: Layout::load(&app, &user, NavItem::Bookings, format!("Cancel {}", booking.reference)).await?,
        path: booking_path(&booking),
        name: guest_name(&booking, &app.context.platforms),
        when: span(&booking.draft.time, zone, app.now().with_timezone(&zone).date_naive()).text,
        calendars,
        sold_by: booking_platform(&app, &user, &booking).await?.map(|origin| origin.platform),
        version: booking.version,
    };
    render_page(&app, &user, &question)
}

#[derive(Deserialize)]
pub(super) struct CancelBookingForm {
    version: Option<i64>,
}

pub(super) async fn cancel(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(sent): PageForm<CancelBookingForm>,
) -> Result<Response, PageError> {
    let before = find_booking(&app.context.db, &user, &key).await?;
    let path = booking_path(&before);
    if before.draft.status == BookingStatus::Cancelled {
        return Ok(user.redirect_with_flash(
            &app,
            &path,
            &Flash::information("This booking was already cancelled."),
        ));
    }
    let change = user.change(&app);
    match bookings::cancel(&app.context, &change, &before.reference, sent.version).await {
        Ok(put) => {
            let there = match booking_platform(&app, &user, &before).await? {
                Some(origin) => format!(" Cancel it at {} too.", origin.platform),
                None => String::new(),
            };
            let text = format!("Booking {} was cancelled.{there}", before.reference);
            let flash = Flash::success(text).with_undo(
                format!("{path}/restore"),
                &[
                    ("status", before.draft.status.as_str().to_owned()),
                    ("version", put.booking.version.to_string()),
                ],
            );
            Ok(user.redirect_with_flash(&app, &path, &flash))
        }
        Err(PutError::Stale { .. }) => {
            let flash = Flash::failure(
                "Someone else changed this booking, so it was not cancelled. Check the current version.",
            );
            Ok(user.redirect_with_flash(&app, &path, &flash))
        }
        Err(PutError::Storage(error)) => Err(error.into()),
        Err(other) => Err(PageError::Broken(other.to_string())),
    }
}

#[derive(Deserialize)]
pub(super) struct RestoreBookingForm {
    status: BookingStatus,
    version: Option<i64>,
}

pub(super) async fn restore(
    State(app): State<App>,
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(former): PageForm<RestoreBookingForm>,
) -> Result<Response, PageError> {
    let before = find_booking(&app.context.db, &user, &key).await?;
    let path = booking_path(&before);
    if before.draft.status != BookingStatus::Cancelled {
        return Ok(user.redirect_with_flash(
            &app,
            &path,
            &Flash::information("This booking is not cancelled. There is nothing to undo."),
        ));
    }
    let status = if former.status.occupies() { former.status } else { BookingStatus::Confirmed };
    let draft = BookingDraft { status, ..before.draft.clone() };
    match bookings::put(&app.context, &user.change(&app), &before.reference, &draft, former.version).await {
        Ok(_) => {
            let flash = Flash::success(format!(
                "Booking {} was restored: {}.",
                before.reference,
                status.label().to_lowercase()
            ));
            Ok(user.redirect_with_flash(&app, &path, &flash))
        }
        Err(PutError::Taken(taken)) => {
            let taken = conflict_summary(&taken, &user, app.now());
            let text = format!("{taken}, so the booking is still cancelled. Edit it to choose another time.");
            Ok(user.redirect_with_flash(&app, &path, &Flash::failure(text)))
        }
        Err(PutError::Stale { .. }) => {
            let flash = Flash::failure(
                "Someone else changed this booking, so it was not restored. Check the current version.",
            );
            Ok(user.redirect_with_flash(&app, &path, &flash))
        }
        Err(PutError::Invalid(_)) => {
            let flash = Flash::failure(
                "This booking is no longer valid. Edit it to choose another resource or other staff.",
            );
            Ok(user.redirect_with_flash(&app, &path, &flash))
        }
        Err(PutError::Storage(error)) => Err(error.into()),
    }
}

//! Approving or declining a booking that waits for it.

use concord_domain::booking::BookingStatus;
use concord_services::bookings::{self, ApprovalError};
use concord_storage::bookings::{PutError, WrittenBooking};
use serde::Deserialize;

use super::find_booking;
use crate::http::pages::{
    CurrentUser, Flash, PageError, PageForm, PagePath, PageResult, booking_path, obstacles::conflict_summary,
};

#[derive(Deserialize)]
pub(super) struct ApprovalForm {
    version: Option<i64>,
}

pub(super) async fn approve(
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(form): PageForm<ApprovalForm>,
) -> PageResult {
    let before = find_booking(&user, &key).await?;
    let path = booking_path(&before);
    let approved =
        bookings::approve(&user.app.context, &user.change(), &before.reference, form.version).await;
    answer(&user, &path, approved, |version| {
        Flash::success(format!("Booking {} is confirmed.", before.reference))
            .with_undo(format!("{path}/approve/undo"), &[("version", version)])
    })
}

pub(super) async fn undo(
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(form): PageForm<ApprovalForm>,
) -> PageResult {
    let before = find_booking(&user, &key).await?;
    let reopened =
        bookings::undo_approval(&user.app.context, &user.change(), &before.reference, form.version).await;
    answer(&user, &booking_path(&before), reopened, |_| {
        Flash::success(format!("Booking {} is waiting for approval again.", before.reference))
    })
}

pub(super) async fn decline(
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(form): PageForm<ApprovalForm>,
) -> PageResult {
    let before = find_booking(&user, &key).await?;
    let path = booking_path(&before);
    let declined =
        bookings::decline(&user.app.context, &user.change(), &before.reference, form.version).await;
    answer(&user, &path, declined, |version| {
        let pending = BookingStatus::Pending.as_str().to_owned();
        Flash::success(format!("Booking {} was declined.", before.reference))
            .with_undo(format!("{path}/restore"), &[("status", pending), ("version", version)])
    })
}

/// Back to the booking at `path`, with what was done. `flash`: given the version that it has now.
fn answer(
    user: &CurrentUser,
    path: &str,
    decided: Result<WrittenBooking, ApprovalError>,
    flash: impl FnOnce(String) -> Flash,
) -> PageResult {
    match decided {
        Ok(written) => Ok(user.redirect_with_flash(path, &flash(written.booking.version.to_string()))),
        Err(error) => refused(user, path, error),
    }
}

fn refused(user: &CurrentUser, path: &str, error: ApprovalError) -> PageResult {
    let flash = match error {
        ApprovalError::Decided(status) => {
            let status = status.label().to_lowercase();
            Flash::information(format!("Someone has already decided: this booking is {status}."))
        }
        ApprovalError::Put(PutError::Stale { .. }) => {
            Flash::failure("Someone else changed this booking. Check the current version, then decide.")
        }
        ApprovalError::Put(PutError::Taken(taken)) => {
            let taken = conflict_summary(&taken, user, user.app.now());
            Flash::failure(format!("{taken}, so nothing was changed."))
        }
        ApprovalError::Put(PutError::Invalid(_)) => Flash::failure(
            "This booking is no longer valid. Edit it to choose another resource or other staff.",
        ),
        ApprovalError::Put(PutError::Storage(error)) => return Err(PageError::from(error)),
    };
    Ok(user.redirect_with_flash(path, &flash))
}

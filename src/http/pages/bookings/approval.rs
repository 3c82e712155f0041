//! Approving or declining a booking that waits for it.

use concord_domain::booking::BookingStatus;
use concord_services::bookings::{self, ApprovalError};
use concord_storage::bookings::PutError;
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
    let written = match approved {
        Ok(written) => written,
        Err(error) => return refused(&user, &path, error),
    };
    let flash = Flash::success(format!("Booking {} is confirmed.", before.reference))
        .with_undo(format!("{path}/approve/undo"), &[("version", written.booking.version.to_string())]);
    Ok(user.redirect_with_flash(&path, &flash))
}

pub(super) async fn undo(
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(form): PageForm<ApprovalForm>,
) -> PageResult {
    let before = find_booking(&user, &key).await?;
    let path = booking_path(&before);
    let reopened =
        bookings::undo_approval(&user.app.context, &user.change(), &before.reference, form.version).await;
    match reopened {
        Ok(_) => {
            let text = format!("Booking {} is waiting for approval again.", before.reference);
            Ok(user.redirect_with_flash(&path, &Flash::success(text)))
        }
        Err(error) => refused(&user, &path, error),
    }
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
    let written = match declined {
        Ok(written) => written,
        Err(error) => return refused(&user, &path, error),
    };
    let flash = Flash::success(format!("Booking {} was declined.", before.reference)).with_undo(
        format!("{path}/restore"),
        &[
            ("status", BookingStatus::Pending.as_str().to_owned()),
            ("version", written.booking.version.to_string()),
        ],
    );
    Ok(user.redirect_with_flash(&path, &flash))
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

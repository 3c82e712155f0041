//! The pages of bookings: list, form, detail, cancel and its undo.

mod approval;
mod cancel;
mod detail;
mod differences;
mod edit;
mod field_errors;
mod form;
mod form_page;
mod guest;
mod guests;
mod invitations;
mod list;
mod local_time;
mod platform;

use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::booking::Booking;
use concord_storage::{StorageError, bookings};

pub(super) use self::guest::{guest_name, overlap_pill, title_beside_name};
use super::{CurrentUser, PageError, PageResult};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/bookings", get(list::show).post(edit::create))
        .route("/bookings/new", get(edit::new_form))
        .route("/bookings/{key}", get(detail::show).post(edit::update))
        .route("/bookings/{key}/live", get(detail::live))
        .route("/bookings/{key}/invitations", get(invitations::live).post(invitations::send))
        .route("/bookings/{key}/customer-page", get(invitations::customer_page))
        .route("/bookings/{key}/invite.ics", get(invitations::file))
        .route("/bookings/{key}/edit", get(edit::show))
        .route("/bookings/{key}/cancel", get(cancel::confirm_cancel).post(cancel::cancel))
        .route("/bookings/{key}/restore", post(cancel::restore))
        .route("/bookings/{key}/approve", post(approval::approve))
        .route("/bookings/{key}/approve/undo", post(approval::undo))
        .route("/bookings/{key}/decline", post(approval::decline))
}

/// The booking that a path names: by its reference, or by its id.
async fn find_booking(user: &CurrentUser, key: &str) -> PageResult<Booking> {
    let (db, business) = (&user.app.context.db, user.business.id);
    let by_id = match key.parse() {
        Ok(id) => bookings::by_id(db, business, id).await?,
        Err(_) => None,
    };
    let booking: Result<_, StorageError> = match by_id {
        Some(booking) => Ok(Some(booking)),
        None => bookings::find(db, business, key).await,
    };
    booking?.ok_or(PageError::NotFound("booking"))
}

//! Cancelling a booking, and taking that back.

use concord_domain::booking::{Booking, BookingDraft, BookingStatus};
use concord_services::bookings;
use concord_storage::{bookings::PutError, entries};
use serde::Deserialize;

use super::{
    edit::resource_zone, find_booking, guest_name, invitations::BookingInvitations,
    platform::booking_platform,
};
use crate::app::App;
use crate::http::pages::{
    Confirmation, CurrentUser, Flash, NavItem, PageError, PageForm, PagePath, PageResult, booking_path,
    confirm_page, isolated, obstacles::conflict_summary, span,
};

/// What follows from a cancellation outside of the booking itself.
pub(super) struct CancelEffects<'a> {
    /// The calendars from which it goes, where there are any.
    pub places: Option<String>,
    /// The platform that still has it.
    pub sold_by: Option<&'a str>,
    /// Whether anybody is told of it by mail.
    pub is_anyone_invited: bool,
}

/// Asks before a booking is cancelled; `when` it takes place, as people read it.
pub(super) fn cancel_confirmation(
    app: &App,
    booking: &Booking,
    when: &str,
    effects: CancelEffects<'_>,
) -> Confirmation {
    let CancelEffects { places, sold_by, is_anyone_invited } = effects;
    let name = isolated(&guest_name(booking, &app.context.platforms));
    let deleted =
        places.map(|places| format!(", and the entry is deleted from {places}")).unwrap_or_default();
    let told = if is_anyone_invited {
        "Everyone who was invited gets a cancellation by email."
    } else {
        "The customer is not notified."
    };
    let elsewhere = sold_by.map(|platform| {
        format!(
            "\nCancel it at {platform} too. Otherwise it stays booked there while the time can be booked again here."
        )
    });
    let text = format!(
        "{name}, {when}\nThe time becomes available immediately{deleted}. {told} You can undo this while the time is \
         still free.{}",
        elsewhere.unwrap_or_default()
    );
    let action = format!("{}/cancel", booking_path(booking));
    Confirmation {
        fields: vec![("version", booking.version.to_string())],
        cancel_label: "Keep booking",
        ..Confirmation::danger(("cancel", action), "Cancel this booking?", text, "Cancel booking")
    }
}

/// The question on a page of its own, for whoever has no script.
pub(super) async fn confirm_cancel(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let booking = find_booking(&user, &key).await?;
    let states = entries::sync_states(&user.app.context.db, user.business.id, booking.id).await?;
    let places = match states.iter().filter(|entry| entry.is_kept_up()).count() {
        0 => None,
        1 => Some("its calendar".to_owned()),
        many => Some(format!("{many} calendars")),
    };
    let zone = resource_zone(&user, booking.draft.resource).await?;
    let when = span(&booking.draft.time, zone, user.app.now().with_timezone(&zone).date_naive()).text;
    let sold_by = booking_platform(&user, &booking).await?.map(|origin| origin.platform);
    let is_anyone_invited = BookingInvitations::load(&user, &booking, zone).await?.is_anyone_invited();
    let effects = CancelEffects { places, sold_by: sold_by.as_deref(), is_anyone_invited };
    let question = cancel_confirmation(&user.app, &booking, &when, effects);
    confirm_page(&user, (NavItem::Bookings, booking_path(&booking)), question).await
}

#[derive(Deserialize)]
pub(super) struct CancelBookingForm {
    version: Option<i64>,
}

pub(super) async fn cancel(
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(form): PageForm<CancelBookingForm>,
) -> PageResult {
    let before = find_booking(&user, &key).await?;
    let path = booking_path(&before);
    if before.draft.status == BookingStatus::Cancelled {
        return Ok(
            user.redirect_with_flash(&path, &Flash::information("This booking was already cancelled."))
        );
    }
    let change = user.change();
    match bookings::cancel(&user.app.context, &change, &before.reference, form.version).await {
        Ok(put) => {
            let there = match booking_platform(&user, &before).await? {
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
            Ok(user.redirect_with_flash(&path, &flash))
        }
        Err(PutError::Stale { .. }) => {
            let flash = Flash::failure(
                "Someone else changed this booking, so it was not cancelled. Check the current version.",
            );
            Ok(user.redirect_with_flash(&path, &flash))
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
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(form): PageForm<RestoreBookingForm>,
) -> PageResult {
    let before = find_booking(&user, &key).await?;
    let path = booking_path(&before);
    if before.draft.status != BookingStatus::Cancelled {
        return Ok(user.redirect_with_flash(
            &path,
            &Flash::information("This booking is not cancelled. There is nothing to undo."),
        ));
    }
    let status = if form.status.occupies() { form.status } else { BookingStatus::Confirmed };
    let draft = BookingDraft { status, ..before.draft.clone() };
    match bookings::put(&user.app.context, &user.change(), &before.reference, &draft, form.version).await {
        Ok(_) => {
            let flash = Flash::success(format!(
                "Booking {} was restored: {}.",
                before.reference,
                status.label().to_lowercase()
            ));
            Ok(user.redirect_with_flash(&path, &flash))
        }
        Err(PutError::Taken(taken)) => {
            let taken = conflict_summary(&taken, &user, user.app.now());
            let text = format!("{taken}, so the booking is still cancelled. Edit it to choose another time.");
            Ok(user.redirect_with_flash(&path, &Flash::failure(text)))
        }
        Err(PutError::Stale { .. }) => {
            let flash = Flash::failure(
                "Someone else changed this booking, so it was not restored. Check the current version.",
            );
            Ok(user.redirect_with_flash(&path, &flash))
        }
        Err(PutError::Invalid(_)) => {
            let flash = Flash::failure(
                "This booking is no longer valid. Edit it to choose another resource or other staff.",
            );
            Ok(user.redirect_with_flash(&path, &flash))
        }
        Err(PutError::Storage(error)) => Err(error.into()),
    }
}

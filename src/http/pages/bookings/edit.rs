//! A booking made or changed by its form; what is refused comes back with all that was typed.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect},
};
use chrono_tz::Tz;
use concord_domain::{
    booking::{Booking, BookingDraft, check_reference},
    ids::ResourceId,
};
use concord_services::bookings;
use concord_storage::bookings::{self as store, PutError};
use serde::Deserialize;

use super::form_page::{BookingFormError, BookingFormPage};
use super::{field_errors::field_message, find_booking, form::BookingFormFields};
use crate::app::App;
use crate::http::pages::{
    CurrentUser, Faults, Flash, PageError, PageForm, PagePath, PageQuery, PageResult, booking_path,
    render_page, render_refused,
};

/// What a link to the form may fill in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NewBookingQuery {
    resource: String,
    mode: String,
}

pub(super) async fn new_form(user: CurrentUser, PageQuery(query): PageQuery<NewBookingQuery>) -> PageResult {
    let mut fields = BookingFormFields::for_new(user.app.now(), user.business.zone);
    fields.resource = query.resource;
    if query.mode == "stay" {
        fields.mode = query.mode;
    }
    let form = BookingFormPage::of(&user, None, fields, None).await?;
    render_page(&user, &form)
}

pub(super) async fn show(user: CurrentUser, PagePath(key): PagePath<String>) -> PageResult {
    let booking = find_booking(&user, &key).await?;
    let zone = resource_zone(&user, booking.draft.resource).await?;
    let fields = BookingFormFields::from_booking(&booking, &user.app.context.platforms, zone);
    let form = BookingFormPage::of(&user, Some(&booking), fields, None).await?;
    render_page(&user, &form)
}

pub(super) async fn create(
    user: CurrentUser,
    PageForm(mut fields): PageForm<BookingFormFields>,
) -> PageResult {
    if fields.apply_alternative() {
        return show_with_slot(&user, None, fields).await;
    }
    let mut reference = match fields.reference.trim() {
        "" => fields.proposed.clone(),
        reference => reference.to_owned(),
    };
    let mut faults = Faults::default();
    if let Err(wrong) = check_reference(&reference) {
        faults.extend([field_message(&wrong)]);
    }
    let zone = form_zone(&user, &fields).await?;
    let parsed = fields.parse(zone, &user.app.context.platforms, None).map_err(|more| faults.extend(more));
    let (Ok(draft), true) = (parsed, faults.is_empty()) else {
        return refuse(&user, None, fields, BookingFormError::Faults(faults)).await;
    };
    let change = user.change();
    // Version 0: there must be none yet.
    let mut put = bookings::put(&user.app.context, &change, &reference, &draft, Some(0)).await;
    if matches!(put, Err(PutError::Stale { .. })) && reference == fields.proposed {
        // Our own reference: either the button was pressed twice, or somebody came back to the form with the next
        // booking in mind, which must not be lost in the first one.
        if let Some(first) = store::find(&user.app.context.db, user.business.id, &reference).await?
            && is_unchanged(&first.draft, &draft)
        {
            return Ok(Redirect::to(&booking_path(&first)).into_response());
        }
        reference = fields.regenerate_reference();
        put = bookings::put(&user.app.context, &change, &reference, &draft, Some(0)).await;
    }
    match put {
        Ok(put) => {
            let said = format!(
                "Booking {} was created.{}",
                put.booking.reference,
                past_booking_notice(&user.app, &put.booking)
            );
            Ok(user.redirect_with_flash(&booking_path(&put.booking), &Flash::success(said)))
        }
        Err(PutError::Stale { .. }) => {
            let text = "This reference is already used. Choose another one.";
            let faults = ("reference", text).into();
            refuse(&user, None, fields, BookingFormError::Faults(faults)).await
        }
        Err(error) => refuse(&user, None, fields, form_error(error)?).await,
    }
}

/// What is entered afterwards is taken, but a wrong year is seen at once.
fn past_booking_notice(app: &App, booking: &Booking) -> &'static str {
    if booking.interval.end <= app.now() { " This booking is in the past." } else { "" }
}

/// Whether two forms say the same; in which order people were ticked does not matter.
fn is_unchanged(one: &BookingDraft, other: &BookingDraft) -> bool {
    let ordered = |draft: &BookingDraft| {
        let mut draft = draft.clone();
        draft.staff.sort_unstable();
        draft.staff.dedup();
        draft
    };
    ordered(one) == ordered(other)
}

pub(super) async fn update(
    user: CurrentUser,
    PagePath(key): PagePath<String>,
    PageForm(mut fields): PageForm<BookingFormFields>,
) -> PageResult {
    let before = find_booking(&user, &key).await?;
    if fields.apply_alternative() {
        return show_with_slot(&user, Some(&before), fields).await;
    }
    let zone = form_zone(&user, &fields).await?;
    let draft = match fields.parse(zone, &user.app.context.platforms, Some(&before)) {
        Ok(draft) => draft,
        Err(faults) => {
            return refuse(&user, Some(&before), fields, BookingFormError::Faults(faults)).await;
        }
    };
    let expected = match fields.version.as_str() {
        "" => None,
        version => Some(version.parse().map_err(|_| PageError::Malformed(format!("a version: {version}")))?),
    };
    match bookings::put(&user.app.context, &user.change(), &before.reference, &draft, expected).await {
        Ok(put) => {
            let flash = if put.booking.version == before.version {
                Flash::information("No changes to save.")
            } else {
                let is_moved = put.booking.draft.time != before.draft.time;
                let past = if is_moved { past_booking_notice(&user.app, &put.booking) } else { "" };
                Flash::success(format!("Booking {} was changed.{past}", put.booking.reference))
            };
            Ok(user.redirect_with_flash(&booking_path(&put.booking), &flash))
        }
        Err(PutError::Stale { current }) => {
            // Sent once more, it is meant.
            fields.version = current.to_string();
            refuse(&user, Some(&before), fields, BookingFormError::Stale).await
        }
        Err(error) => refuse(&user, Some(&before), fields, form_error(error)?).await,
    }
}

/// The form again, with the free time that was chosen: one tap must not make a booking.
async fn show_with_slot(
    user: &CurrentUser,
    before: Option<&Booking>,
    fields: BookingFormFields,
) -> PageResult {
    let mut form = BookingFormPage::of(user, before, fields, None).await?;
    form.is_filled_in = true;
    render_page(user, &form)
}

/// What the form can say about a refusal; the rest is a page of its own.
fn form_error(error: PutError) -> PageResult<BookingFormError> {
    match error {
        PutError::Invalid(faults) => Ok(BookingFormError::Faults(faults.iter().map(field_message).collect())),
        PutError::Taken(taken) => Ok(BookingFormError::Taken(taken)),
        PutError::Stale { .. } => Ok(BookingFormError::Stale),
        PutError::Storage(error) => Err(error.into()),
    }
}

async fn refuse(
    user: &CurrentUser,
    before: Option<&Booking>,
    fields: BookingFormFields,
    refused: BookingFormError,
) -> PageResult {
    let is_faulty = matches!(refused, BookingFormError::Faults(_));
    let form = BookingFormPage::of(user, before, fields, Some(refused)).await?;
    if is_faulty {
        return render_refused(user, &form);
    }
    let mut response = render_page(user, &form)?;
    *response.status_mut() = StatusCode::CONFLICT;
    Ok(response)
}

/// The zone in which the form's times are meant.
async fn form_zone(user: &CurrentUser, fields: &BookingFormFields) -> PageResult<Tz> {
    match fields.resource.parse() {
        Ok(resource) => resource_zone(user, resource).await,
        Err(_) => Ok(user.business.zone),
    }
}

/// The zone in which times of a resource are told: its own, if it has one.
pub(super) async fn resource_zone(user: &CurrentUser, resource: ResourceId) -> PageResult<Tz> {
    let resource = concord_storage::resources::find(&user.app.context.db, user.business.id, resource).await?;
    Ok(resource.and_then(|resource| resource.zone).unwrap_or(user.business.zone))
}

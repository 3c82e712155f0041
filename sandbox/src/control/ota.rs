//! The booking platforms: what guests and hosts do there, and what goes wrong.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ControlBody, ControlError};
use crate::app::SandboxApp;
use crate::clock;
use crate::faults::FaultTarget;
use crate::ota::{ListingStay, NewListing, OtaListing, StayNights, read_now};

pub(super) async fn list(State(app): State<Arc<SandboxApp>>) -> Json<Value> {
    let listings = app.ota.all();
    Json(listings.iter().map(|listing| listing_json(&app, listing)).collect())
}

pub(super) async fn show(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ControlError> {
    Ok(Json(listing_json(&app, &find(&app, &id)?)))
}

/// A host offers something more.
pub(super) async fn add(
    State(app): State<Arc<SandboxApp>>,
    ControlBody(new): ControlBody<NewListing>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let listing = app.ota.add(new)?;
    Ok((StatusCode::CREATED, Json(listing_json(&app, &listing))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewStayBody {
    guest: String,
    check_in: NaiveDate,
    check_out: NaiveDate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockNightsBody {
    check_in: NaiveDate,
    check_out: NaiveDate,
}

/// What is not said stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StayDatesPatch {
    check_in: Option<NaiveDate>,
    check_out: Option<NaiveDate>,
}

/// A guest books. 409 where the platform knows the nights to be taken or closed.
pub(super) async fn book(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlBody(new): ControlBody<NewStayBody>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let nights = nights(new.check_in, new.check_out)?;
    let stay = app.ota.change(&id, |listing| listing.book(Some(&new.guest), nights, clock::now()))?;
    Ok((StatusCode::CREATED, Json(stay_json(&stay))))
}

/// The host blocks nights.
pub(super) async fn block(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlBody(new): ControlBody<BlockNightsBody>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let nights = nights(new.check_in, new.check_out)?;
    let stay = app.ota.change(&id, |listing| listing.book(None, nights, clock::now()))?;
    Ok((StatusCode::CREATED, Json(stay_json(&stay))))
}

/// A guest moves to other dates, or the host moves a block.
pub(super) async fn change(
    State(app): State<Arc<SandboxApp>>,
    Path((id, booking)): Path<(String, String)>,
    ControlBody(new): ControlBody<StayDatesPatch>,
) -> Result<Json<Value>, ControlError> {
    let listing = find(&app, &id)?;
    let stay = listing.standing().find(|stay| stay.id == booking);
    let current = stay.ok_or_else(|| ControlError::not_found("there is no such booking here"))?.nights;
    let (check_in, check_out) =
        (new.check_in.unwrap_or(current.check_in), new.check_out.unwrap_or(current.check_out));
    let nights = nights(check_in, check_out)?;
    let stay = app.ota.change(&id, |listing| listing.change(&booking, nights, clock::now()))?;
    Ok(Json(stay_json(&stay)))
}

/// A guest cancels, or the host opens a block again.
pub(super) async fn cancel(
    State(app): State<Arc<SandboxApp>>,
    Path((id, booking)): Path<(String, String)>,
) -> Result<StatusCode, ControlError> {
    app.ota.change(&id, |listing| listing.cancel(&booking, clock::now()))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewListingImportBody {
    url: String,
    /// The platform's own pace if it is not said.
    every_seconds: Option<u32>,
}

/// The host names the feed that the platform shall read.
pub(super) async fn import(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
    ControlBody(new): ControlBody<NewListingImportBody>,
) -> Result<Json<Value>, ControlError> {
    app.ota.change(&id, |listing| listing.read_from(&new.url, new.every_seconds))?;
    Ok(Json(listing_json(&app, &find(&app, &id)?)))
}

/// The host takes the feed away; what it closed is open again.
pub(super) async fn end_import(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
) -> Result<StatusCode, ControlError> {
    app.ota.change(&id, |listing| {
        listing.import = None;
        Ok(())
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// The platform reads the feed now; answers when it has.
pub(super) async fn read_feed(
    State(app): State<Arc<SandboxApp>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let outcome = read_now(&app.ota, &id).await?;
    let mut answer = listing_json(&app, &find(&app, &id)?);
    answer["outcome"] = json!({ "ok": outcome.is_ok(), "says": outcome.unwrap_or_else(|problem| problem) });
    Ok(Json(answer))
}

fn find(app: &SandboxApp, id: &str) -> Result<OtaListing, ControlError> {
    app.ota.find(id).ok_or_else(|| ControlError::not_found(format!("there is no listing {id}")))
}

fn nights(check_in: NaiveDate, check_out: NaiveDate) -> Result<StayNights, ControlError> {
    StayNights::new(check_in, check_out)
        .ok_or_else(|| ControlError::bad("check_out must be a later day than check_in"))
}

fn listing_json(app: &SandboxApp, listing: &OtaListing) -> Value {
    let seen = app.ota.seen(&listing.id);
    let mut told = json!(app.ota.address_of(listing));
    told["zone"] = listing.zone.name().into();
    told["window_months"] = listing.window_months.into();
    told["bookings"] = listing.stays.iter().map(stay_json).collect();
    told["import"] = listing.import.as_ref().map_or(Value::Null, |import| {
        let read = seen.read.as_ref().map(|(at, outcome)| {
            let (Ok(says) | Err(says)) = outcome;
            json!({ "at": at, "ok": outcome.is_ok(), "says": says })
        });
        json!({
            "url": import.url,
            "every_seconds": import.every_seconds,
            "closed": import.closed,
            "last_read": read,
        })
    });
    told["asked"] = json!(seen.asked);
    told["faults"] = json!(app.server.faults.list_of(FaultTarget::Ota, &listing.id));
    told
}

fn stay_json(stay: &ListingStay) -> Value {
    json!({
        "id": stay.id,
        "kind": if stay.guest.is_some() { "booking" } else { "block" },
        "guest": stay.guest,
        "check_in": stay.nights.check_in,
        "check_out": stay.nights.check_out,
        "cancelled": stay.cancelled,
        "made_at": stay.made_at,
        "changed_at": stay.changed_at,
    })
}

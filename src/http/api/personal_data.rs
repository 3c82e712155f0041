//! `/customers/export` and `/customers/erase`: what is kept of somebody who books. Whom it is about is said in the body, since
//! addresses of requests are logged.

use axum::{Json, http::StatusCode};
use chrono::{DateTime, Utc};
use concord_domain::{
    erasure::{ErasureReason, ErasureState},
    ids::ErasureId,
    settings::FieldErrors,
};
use concord_services::personal_data::{self, PersonQuery};
use concord_storage::erasures::{self, Erasure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    problem::{ApiError, ApiResult},
    request::{ApiJson, ApiPath},
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export)).routes(routes!(erase)).routes(routes!(find_erasure))
}

/// Whom it is about: exactly one of the two.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerQuery, example = json!({ "email": "maria@example.com" }))]
struct PersonBody {
    /// Everything that names this address, as a customer or a guest.
    email: Option<String>,
    /// The customer of this one booking.
    reference: Option<String>,
}

/// Whom to erase: exactly one of `email` and `reference`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerErasure, example = json!({ "email": "maria@example.com" }))]
struct ErasureBody {
    /// Everything that names this address, as a customer or a guest.
    email: Option<String>,
    /// The customer of this one booking.
    reference: Option<String>,
    /// Whether upcoming bookings stay in force, without the customer. Otherwise there must be none.
    #[serde(default)]
    keep_upcoming: bool,
}

fn query(email: Option<String>, reference: Option<String>) -> Result<PersonQuery, ApiError> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    match (filled(email), filled(reference)) {
        (Some(email), None) => Ok(PersonQuery::Email(email)),
        (None, Some(reference)) => Ok(PersonQuery::Reference(reference)),
        _ => {
            let mut faults = FieldErrors::default();
            faults.add("email", "must be given, or `reference`, but not both".to_owned());
            faults.into_result()?;
            Err(ApiError::not_found("customer"))
        }
    }
}

/// What is kept of somebody.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CustomerExport)]
struct ExportResponse {
    /// When it was gathered.
    exported_at: DateTime<Utc>,
    /// In lower case; null: found by a reference.
    email: Option<String>,
    /// One object a booking, with all that is kept of it: the invitations and answers, emails, reminders and history. Of
    /// bookings where they are a guest only what concerns them.
    #[schema(value_type = Vec<Object>)]
    bookings: Vec<serde_json::Value>,
}

/// Export a customer's data
///
/// As JSON that can be handed to them. Returns 404 if nothing is kept.
#[utoipa::path(post, path = "/customers/export", tag = "Customer data", operation_id = "export_customer_data",
    request_body = PersonBody,
    responses((status = 200, description = "All that is kept", body = ExportResponse)))]
async fn export(api: Api, ApiJson(body): ApiJson<PersonBody>) -> ApiResult<ExportResponse> {
    let query = query(body.email, body.reference)?;
    let personal_data::Export { exported_at, email, bookings } =
        personal_data::export(&api.context.db, &api.change(), &query).await?;
    Ok(Json(ExportResponse { exported_at, email, bookings }))
}

/// An erasure: ids and times, and nobody's data.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Erasure)]
struct ErasureResponse {
    /// Its id.
    id: Uuid,
    /// What it is done for.
    reason: ErasureReason,
    /// Whether it is done.
    state: ErasureState,
    /// How many bookings it concerns.
    bookings: i64,
    /// Of how many of these the person was taken out so far.
    erased: i64,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// Null while it is running.
    finished_at: Option<DateTime<Utc>>,
}

impl From<Erasure> for ErasureResponse {
    fn from(erasure: Erasure) -> Self {
        let Erasure { id, reason, state, bookings, erased, created_at, finished_at, .. } = erasure;
        Self { id: id.0, reason, state, bookings, erased, created_at, finished_at }
    }
}

/// Erase a customer's data
///
/// It cannot be undone. Name, address, phone, notes, guests, answers and messages are erased everywhere, also in connected
/// calendars, feeds and events; dates, resource, status and reference of each booking stay. Emails that were not sent are not
/// sent. Returns 409 with the references if there are upcoming bookings and `keep_upcoming` is not set, and 404 if nothing is
/// kept.
#[utoipa::path(post, path = "/customers/erase", tag = "Customer data", operation_id = "erase_customer_data",
    request_body = ErasureBody,
    responses((status = 202, description = "It is being erased", body = ErasureResponse)))]
async fn erase(
    api: Api,
    ApiJson(body): ApiJson<ErasureBody>,
) -> Result<(StatusCode, Json<ErasureResponse>), ApiError> {
    let query = query(body.email, body.reference)?;
    let erasure = personal_data::erase(&api.context, &api.change(), &query, body.keep_upcoming).await?;
    Ok((StatusCode::ACCEPTED, Json(erasure.into())))
}

/// Read an erasure
///
/// How far it is.
#[utoipa::path(get, path = "/customers/erasures/{id}", tag = "Customer data", operation_id = "get_erasure",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 200, description = "The erasure", body = ErasureResponse)))]
async fn find_erasure(api: Api, ApiPath(id): ApiPath<ErasureId>) -> ApiResult<ErasureResponse> {
    let found = erasures::find(&api.context.db, api.business, id).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("erasure"))?.into()))
}

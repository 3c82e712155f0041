//! `POST /api/ical/import`: takes over what a platform's feed or a file says, once.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request},
    http::header,
    middleware,
    routing::post,
};
use chrono::{DateTime, Utc};
use concord_domain::{channel::ItemKind, ids::ResourceId, platform::Platform};
use concord_jobs::channels::apply_snapshot::ChannelImportOutcome;
use concord_services::channels::{
    import::{self, ChannelImportRequest, ImportError, ImportSource as Source, only_resource},
    preview::{self, ImportPreview},
};
use concord_storage::idempotency::in_parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::{self, Api},
    channels::unknown_platform,
    idempotency,
    problem::{self, ApiError, ApiResult, Kind},
    request::{from_json, reserve_body_layer},
};
use crate::app::{App, admission::BodyClass};

/// What the names of parts of a form are.
const FILE: &str = "file";

/// The import, as other software and people's scripts know it.
pub(super) fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/api/ical/import", post(import))
        // What a repetition is answered is kept as it is sent, so errors are written before.
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::idempotent))
        .layer(DefaultBodyLimit::max(app.config.max_upload_bytes()))
        .layer(middleware::from_fn_with_state(
            (app.clone(), BodyClass::Uploads, app.config.max_upload_bytes()),
            reserve_body_layer,
        ))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), auth::require_key))
}

/// What to import.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IcalImport, example = json!({
    "ical_url": "https://www.airbnb.com/calendar/ical/123.ics?s=abc", "platform": "airbnb"
}))]
pub(in crate::http) struct IcalImportBody {
    /// Where the platform's feed is.
    ical_url: Option<String>,
    /// The platform; told by the address if it is not said.
    platform: Option<String>,
    /// The listing's resource id; optional if the business has one resource.
    #[schema(value_type = Option<uuid::Uuid>)]
    resource: Option<ResourceId>,
    /// Whether only to say what would be done.
    #[serde(default)]
    dry_run: bool,
    /// Whether it is meant although address or calendar are of another platform than `platform`.
    #[serde(default)]
    confirm: bool,
}

/// A calendar file to import.
#[derive(Debug, ToSchema)]
#[schema(as = IcalImportForm)]
#[expect(
    dead_code,
    reason = "it says in the document how the parts of a form are called; they are read one by one"
)]
pub(in crate::http) struct IcalImportUploadForm {
    /// The calendar; at most 10 MB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The platform.
    platform: Option<String>,
    /// The listing's resource id; optional if the business has one resource.
    #[schema(value_type = Option<uuid::Uuid>)]
    resource: Option<ResourceId>,
    /// Preview only: `true` or `false`.
    dry_run: Option<bool>,
    /// Import even if the calendar is from another platform than `platform`: `true` or `false`.
    confirm: Option<bool>,
}

/// The result, or a preview of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IcalImported)]
pub(in crate::http) struct IcalImportResponse {
    /// The result, in plain words.
    message: String,
    /// New bookings.
    imported: i64,
    /// Events without changes.
    skipped: i64,
    /// Bookings that were changed.
    updated: i64,
    /// Bookings that were cancelled.
    cancelled: i64,
    /// Imported or changed bookings that overlap others.
    conflicts: i64,
    /// Cancellations held for review, because so many events are missing that the feed may be incomplete.
    held: usize,
    /// Events that could not be read.
    warnings: Vec<String>,
    /// The change for each event, for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<IcalImportPreviewEvent>>,
}

/// The change for an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IcalForeseen)]
struct IcalImportPreviewEvent {
    /// `new`, `changed`, `cancelled`, `held`, `echo` (our own booking) or `ignored`.
    what: &'static str,
    /// What it is.
    kind: ItemKind,
    /// When it starts, in UTC.
    starts_at: DateTime<Utc>,
    /// When it ends, in UTC (exclusive).
    ends_at: DateTime<Utc>,
    /// The platform's own text.
    summary: String,
    /// Whether it overlaps another booking.
    conflict: bool,
}

/// Import a calendar once
///
/// From an address (JSON), or a file: as `multipart/form-data` with the parts `file`, `platform`, `resource` and
/// `dry_run`, or as the body itself with `Content-Type: text/calendar` and the rest in the query.
/// Events imported before are updated or skipped: no duplicates. A file cancels nothing. Returns 409
/// if `platform` is given and the URL or the calendar's PRODID belongs to another platform; send `confirm`
/// to import anyway. A dry run only warns.
#[utoipa::path(post, path = "/api/ical/import", tag = "Channels", operation_id = "import_ical",
    security(("key" = [])),
    params(
        ("platform" = Option<String>, Query, description = "With `text/calendar`: the platform"),
        ("resource" = Option<uuid::Uuid>, Query, description = "With `text/calendar`: the id of the listing's resource"),
        ("dry_run" = Option<bool>, Query, description = "With `text/calendar`: preview only"),
        ("confirm" = Option<bool>, Query,
            description = "With `text/calendar`: import although the calendar is from another platform"),
    ),
    request_body(content(
        (IcalImportBody = "application/json"),
        (IcalImportUploadForm = "multipart/form-data"),
        (String = "text/calendar"),
    )),
    responses(
        (status = 200, description = "The result, or a preview of it", body = IcalImportResponse),
        (status = "default", description = "Why nothing was imported", content_type = "application/problem+json",
            body = problem::ProblemDocument),
    ))]
pub(in crate::http) async fn import(api: Api, request: Request) -> ApiResult<IcalImportResponse> {
    let (wanted, file) = read_import(request, &api).await?;
    let from = match (wanted.ical_url.clone(), file) {
        (Some(url), None) => Source::Address(url.into()),
        (None, Some(bytes)) => Source::File(bytes),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("ical_url", "cannot be combined with a file: send one of them"));
        }
        (None, None) => {
            return Err(ApiError::invalid("ical_url", "is required: the calendar's URL, or a file"));
        }
    };
    let platform = platform_of(&api, &wanted)?.clone();
    let resource = match wanted.resource {
        Some(resource) => resource,
        None => only_resource(&api.context, api.business)
            .await?
            .ok_or_else(|| ApiError::invalid("resource", "is required: there is more than one resource"))?,
    };
    // Who names no platform has said nothing that could be wrong.
    let confirmed = wanted.confirm || wanted.named_platform().is_none();
    let request = ChannelImportRequest {
        business: api.business,
        resource,
        platform,
        from,
        actor: api.actor.clone(),
        confirmed,
    };
    let _place = api.admission.acquire_heavy().await?;
    if wanted.dry_run {
        let preview = preview::preview(&api.context, &request).await?;
        return Ok(Json(IcalImportResponse::from_preview(preview)));
    }
    let context = api.context.clone();
    let taken = in_parts(async move { import::import(&context, &request).await });
    let taken = api.run_to_completion(taken).await.map_err(ApiError::internal)??;
    Ok(Json(IcalImportResponse::from_import(taken)))
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Unread(failure) => Self::new(
                Kind::Invalid,
                format!("The calendar cannot be imported: {failure}. Nothing was changed."),
            ),
            ImportError::NeedsConfirmation(warning) => Self::new(
                Kind::NotPossible,
                format!("Nothing was imported: {warning}. Send `confirm: true` to import anyway."),
            ),
            ImportError::NoResource => Self::invalid("resource", "is not one of your resources"),
            ImportError::Stopped(words) => {
                tracing::error!(words, "an import stopped");
                Self::new(
                    Kind::Internal,
                    "The import stopped. Bookings imported so far are kept. You can run it again: no duplicates.",
                )
            }
            ImportError::Storage(error) => error.into(),
        }
    }
}

/// The platform that is named, or that the address tells; else a calendar like any other.
fn platform_of<'a>(app: &'a App, wanted: &IcalImportBody) -> Result<&'a Platform, ApiError> {
    let platforms = &app.context.platforms;
    if let Some(name) = wanted.named_platform() {
        return platforms.find(name).ok_or_else(|| unknown_platform(app));
    }
    let address = wanted.ical_url.as_deref().and_then(|url| concord_providers::feed_address(url).ok());
    let told = address.and_then(|url| platforms.of_address(&url));
    told.or_else(|| platforms.find("generic")).ok_or_else(|| unknown_platform(app))
}

async fn read_import(request: Request, app: &App) -> Result<(IcalImportBody, Option<Bytes>), ApiError> {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "multipart/form-data" => read_form(request, app).await,
        "text/calendar" => {
            let query = request.uri().query().unwrap_or_default();
            let wanted = from_pairs(url::form_urlencoded::parse(query.as_bytes()).into_owned())?;
            Ok((wanted, Some(read_bytes(request, app).await?)))
        }
        "" | "application/json" => Ok((from_json(&read_bytes(request, app).await?)?, None)),
        other => Err(ApiError::new(
            Kind::MediaType,
            format!(
                "The body has the content type \"{}\": send JSON, a form (multipart/form-data), or the calendar itself \
                 (text/calendar).",
                other.escape_debug()
            ),
        )),
    }
}

async fn read_bytes(request: Request, app: &App) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, app).await.map_err(|_| too_large())
}

fn too_large() -> ApiError {
    ApiError::new(Kind::TooLarge, "The calendar is larger than 10 MB or incomplete.")
}

async fn read_form(request: Request, app: &App) -> Result<(IcalImportBody, Option<Bytes>), ApiError> {
    let malformed = || ApiError::new(Kind::Malformed, "The form is not valid.");
    let mut form = Multipart::from_request(request, app).await.map_err(|_| malformed())?;
    let (mut pairs, mut file) = (Vec::new(), None);
    while let Some(part) = form.next_field().await.map_err(|_| too_large())? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == FILE {
            file = Some(part.bytes().await.map_err(|_| too_large())?);
        } else {
            pairs.push((name, part.text().await.map_err(|_| malformed())?));
        }
    }
    Ok((from_pairs(pairs)?, file))
}

fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<IcalImportBody, ApiError> {
    let mut wanted = IcalImportBody::default();
    for (name, value) in pairs {
        match name.as_str() {
            "ical_url" => wanted.ical_url = Some(value),
            "platform" => wanted.platform = Some(value),
            "resource" if value.is_empty() => {}
            "resource" => {
                let id = value.parse().map_err(|_| ApiError::invalid("resource", "is not an id"))?;
                wanted.resource = Some(id);
            }
            "dry_run" => wanted.dry_run = parse_bool("dry_run", &value)?,
            "confirm" => wanted.confirm = parse_bool("confirm", &value)?,
            other => {
                return Err(ApiError::new(
                    Kind::Malformed,
                    format!("Unknown field “{}”.", other.escape_debug()),
                ));
            }
        }
    }
    Ok(wanted)
}

fn parse_bool(field: &'static str, value: &str) -> Result<bool, ApiError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "" | "false" | "0" | "off" | "no" => Ok(false),
        _ => Err(ApiError::invalid(field, "must be true or false")),
    }
}

impl IcalImportBody {
    fn named_platform(&self) -> Option<&str> {
        self.platform.as_deref().filter(|name| !name.trim().is_empty())
    }
}

impl IcalImportResponse {
    fn from_import(taken: ChannelImportOutcome) -> Self {
        Self {
            message: format!("iCal import completed: {}", taken.message),
            imported: taken.counts.imported,
            skipped: taken.counts.skipped,
            updated: taken.counts.updated,
            cancelled: taken.counts.cancelled,
            conflicts: taken.counts.conflicts,
            held: taken.held.map_or(0, |held| held.items),
            warnings: taken.warnings,
            events: None,
        }
    }

    fn from_preview(preview: ImportPreview) -> Self {
        let events = preview.events.into_iter().map(|event| IcalImportPreviewEvent {
            what: event.what,
            kind: event.kind,
            starts_at: event.interval.start,
            ends_at: event.interval.end,
            summary: event.summary,
            conflict: event.conflict,
        });
        Self {
            message: "Nothing was changed: this is what an import would do".to_owned(),
            imported: preview.counts.imported,
            skipped: preview.counts.skipped,
            updated: preview.counts.updated,
            cancelled: preview.counts.cancelled,
            conflicts: preview.counts.conflicts,
            held: preview.held.map_or(0, |held| held.items),
            warnings: preview.warnings,
            events: Some(events.collect()),
        }
    }
}

//! `POST /api/ical/import`: takes over what a platform's feed or a file says, once.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State},
    http::header,
    middleware,
    routing::post,
};
use chrono::{DateTime, Utc};
use concord_domain::{channel::ItemKind, ids::ResourceId, platform::Platform};
use concord_jobs::channels::{
    import::{self, From as Source, ImportError, Wish, only_resource},
    preview::{self, Preview},
    take_over::Taken,
};
use concord_storage::idempotency::in_parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::{self, ApiCaller},
    channels::unknown_platform,
    idempotency,
    problem::{self, ApiError, Kind},
    request::from_json,
    schema,
};
use crate::{
    app::App,
    http::admission::{Bodies, hold_body},
};

/// A file is no larger than a feed may be.
const MOST_BYTES: usize = 11 * 1024 * 1024;

/// What the names of parts of a form are.
const FILE: &str = "file";

/// The import, as other software and people's scripts know it.
pub(super) fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/api/ical/import", post(import))
        // What a repetition is answered is kept as it is sent, so errors are written before.
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::replay))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(middleware::from_fn_with_state((app.clone(), Bodies::Uploads, MOST_BYTES), hold_body))
        .layer(middleware::from_fn_with_state(app.clone(), problem::render))
        .layer(middleware::from_fn_with_state(app.clone(), auth::require_key))
}

/// What to take over.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IcalImport, example = json!({
    "ical_url": "https://www.airbnb.com/calendar/ical/123.ics?s=abc", "platform": "airbnb"
}))]
pub(in crate::http) struct Wanted {
    /// Where the platform's feed is.
    ical_url: Option<String>,
    /// The platform; told by the address if it is not said.
    #[serde(default)]
    platform: Option<String>,
    /// What is sold there, by its id; may be left out by a business with one resource.
    #[serde(default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    resource: Option<ResourceId>,
    /// Whether only to say what would be done.
    #[serde(default)]
    dry_run: bool,
    /// Whether it is meant although address or calendar are of another platform than `platform`.
    #[serde(default)]
    confirm: bool,
}

/// A calendar as a file, with what is to be known of it.
#[derive(Debug, ToSchema)]
#[schema(as = IcalImportForm)]
#[expect(
    dead_code,
    reason = "it says in the document how the parts of a form are called; they are read one by one"
)]
pub(in crate::http) struct ImportForm {
    /// The calendar; at most 10 MB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The platform.
    platform: Option<String>,
    /// What is sold there, by its id; may be left out by a business with one resource.
    #[schema(value_type = Option<uuid::Uuid>)]
    resource: Option<ResourceId>,
    /// Whether only to say what would be done: `true` or `false`.
    dry_run: Option<bool>,
    /// Whether it is meant although the calendar is of another platform than `platform`: `true` or `false`.
    confirm: Option<bool>,
}

/// What was done, or would be.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IcalImported)]
pub(in crate::http) struct Answer {
    /// For people.
    message: String,
    /// New bookings.
    imported: i64,
    /// Events from which nothing followed.
    skipped: i64,
    /// Bookings that were changed.
    updated: i64,
    /// Bookings that were cancelled.
    cancelled: i64,
    /// Of what was imported or changed: what found no room.
    conflicts: i64,
    /// Cancellations that are held back, because so much is missing that the feed may be broken.
    held: usize,
    /// What of the calendar was not understood.
    warnings: Vec<String>,
    /// What would be done with each event, for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<Foreseen>>,
}

/// What would be done with an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IcalForeseen)]
struct Foreseen {
    /// `new`, `changed`, `cancelled`, `held`, `echo` (ours, given back) or `ignored`.
    what: &'static str,
    /// What it is.
    #[schema(value_type = schema::ItemKind)]
    kind: ItemKind,
    /// From when.
    starts_at: DateTime<Utc>,
    /// Until when.
    ends_at: DateTime<Utc>,
    /// As the platform writes it.
    summary: String,
    /// Whether there is no room for it.
    conflict: bool,
}

/// Import a calendar once
///
/// From an address (JSON), or a file: as `multipart/form-data` with the parts `file`, `platform`, `resource` and
/// `dry_run`, or as the body itself with `Content-Type: text/calendar` and the rest in the query.
/// What was imported before is changed or skipped, never doubled. A file cancels nothing: what it lacks may be elsewhere.
/// Refused with 409 where `platform` is named and the address or the calendar's PRODID is another's; with `confirm` it is
/// imported all the same. A dry run only warns.
#[utoipa::path(post, path = "/api/ical/import", tag = "Channels", operation_id = "import_ical",
    security(("key" = [])),
    params(
        ("platform" = Option<String>, Query, description = "With `text/calendar`: the platform"),
        ("resource" = Option<uuid::Uuid>, Query, description = "With `text/calendar`: what is sold there, by its id"),
        ("dry_run" = Option<bool>, Query, description = "With `text/calendar`: whether only to say what would be done"),
        ("confirm" = Option<bool>, Query,
            description = "With `text/calendar`: whether it is meant although it is of another platform"),
    ),
    request_body(content(
        (Wanted = "application/json"),
        (ImportForm = "multipart/form-data"),
        (String = "text/calendar"),
    )),
    responses(
        (status = 200, description = "What was done, or would be", body = Answer),
        (status = "default", description = "Why nothing was imported", content_type = "application/problem+json",
            body = problem::Document),
    ))]
pub(in crate::http) async fn import(
    State(app): State<App>,
    caller: ApiCaller,
    request: Request,
) -> Result<Json<Answer>, ApiError> {
    let (wanted, file) = read(request, &app).await?;
    let from = match (wanted.ical_url.clone(), file) {
        (Some(url), None) => Source::Address(url.into()),
        (None, Some(bytes)) => Source::File(bytes),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid("ical_url", "is given beside a file: send one of them"));
        }
        (None, None) => {
            return Err(ApiError::invalid("ical_url", "is missing: the address of the calendar, or a file"));
        }
    };
    let platform = platform_of(&app, &wanted)?.clone();
    let resource = match wanted.resource {
        Some(resource) => resource,
        None => only_resource(&app.context, caller.business).await?.ok_or_else(|| {
            ApiError::invalid(
                "resource",
                "is missing: there is more than one, so that it must be said for which it is",
            )
        })?,
    };
    // Who names no platform has said nothing that could be wrong.
    let confirmed = wanted.confirm || wanted.named_platform().is_none();
    let wish = Wish { business: caller.business, resource, platform, from, actor: caller.actor, confirmed };
    let _place = app.admission.heavy().await?;
    if wanted.dry_run {
        let preview = preview::preview(&app.context, &wish).await?;
        return Ok(Json(Answer::foreseen(preview)));
    }
    let context = app.context.clone();
    let taken = in_parts(async move { import::import(&context, &wish).await });
    let taken = app.to_the_end(taken).await.map_err(ApiError::internal)??;
    Ok(Json(Answer::done(taken)))
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Unread(failure) => Self::new(
                Kind::Invalid,
                format!("The calendar cannot be imported: {failure}. Nothing was changed."),
            ),
            ImportError::Doubtful(doubt) => Self::new(
                Kind::NotPossible,
                format!("Nothing was imported: {doubt}. Send `confirm: true` if it is meant."),
            ),
            ImportError::NoResource => Self::invalid("resource", "is not a resource of yours"),
            ImportError::Stopped(words) => {
                tracing::error!(words, "an import stopped");
                Self::new(
                    Kind::Internal,
                    "The import stopped on its way; what is done stands, and it can be repeated.",
                )
            }
            ImportError::Storage(error) => error.into(),
        }
    }
}

/// The platform that is named, or that the address tells; else a calendar like any other.
fn platform_of<'a>(app: &'a App, wanted: &Wanted) -> Result<&'a Platform, ApiError> {
    let platforms = &app.context.platforms;
    if let Some(name) = wanted.named_platform() {
        return platforms.find(name).ok_or_else(|| unknown_platform(app));
    }
    let address = wanted.ical_url.as_deref().and_then(|url| concord_providers::feed_address(url).ok());
    let told = address.and_then(|url| platforms.of_address(&url));
    told.or_else(|| platforms.find("generic")).ok_or_else(|| unknown_platform(app))
}

async fn read(request: Request, app: &App) -> Result<(Wanted, Option<Bytes>), ApiError> {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "multipart/form-data" => form(request, app).await,
        "text/calendar" => {
            let query = request.uri().query().unwrap_or_default();
            let wanted = of_pairs(url::form_urlencoded::parse(query.as_bytes()).into_owned())?;
            Ok((wanted, Some(bytes(request, app).await?)))
        }
        "" | "application/json" => Ok((from_json(&bytes(request, app).await?)?, None)),
        other => Err(ApiError::new(
            Kind::MediaType,
            format!(
                "The body calls itself \"{}\": send JSON, a form (multipart/form-data), or the calendar itself \
                 (text/calendar).",
                other.escape_debug()
            ),
        )),
    }
}

async fn bytes(request: Request, app: &App) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, app).await.map_err(|_| too_large())
}

fn too_large() -> ApiError {
    ApiError::new(Kind::TooLarge, "The calendar is larger than 10 MB, or ended before it was complete.")
}

async fn form(request: Request, app: &App) -> Result<(Wanted, Option<Bytes>), ApiError> {
    let malformed = || ApiError::new(Kind::Malformed, "The form cannot be read.");
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
    Ok((of_pairs(pairs)?, file))
}

fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Wanted, ApiError> {
    let mut wanted = Wanted::default();
    for (name, value) in pairs {
        match name.as_str() {
            "ical_url" => wanted.ical_url = Some(value),
            "platform" => wanted.platform = Some(value),
            "resource" if value.is_empty() => {}
            "resource" => {
                let id = value.parse().map_err(|_| ApiError::invalid("resource", "is not an id"))?;
                wanted.resource = Some(id);
            }
            "dry_run" => wanted.dry_run = yes_or_no("dry_run", &value)?,
            "confirm" => wanted.confirm = yes_or_no("confirm", &value)?,
            other => {
                return Err(ApiError::new(
                    Kind::Malformed,
                    format!("There is no field “{}”.", other.escape_debug()),
                ));
            }
        }
    }
    Ok(wanted)
}

fn yes_or_no(field: &'static str, value: &str) -> Result<bool, ApiError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "" | "false" | "0" | "off" | "no" => Ok(false),
        _ => Err(ApiError::invalid(field, "must be true or false")),
    }
}

impl Wanted {
    fn named_platform(&self) -> Option<&str> {
        self.platform.as_deref().filter(|name| !name.trim().is_empty())
    }
}

impl Answer {
    fn done(taken: Taken) -> Self {
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

    fn foreseen(preview: Preview) -> Self {
        let events = preview.events.into_iter().map(|event| Foreseen {
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

//! `/business`: the settings of the business that the key is of.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    ids::BusinessId,
    privacy::EntryPrivacy,
    settings::Faults,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeRules},
};
use concord_jobs::business::save;
use concord_storage::businesses::{self, Business, BusinessSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::ApiCaller,
    conditions::{Condition, entity_tag},
    problem::{ApiError, Kind},
    request::Body,
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(find, change))
}

/// A business and its settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Business)]
struct BusinessAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: BusinessId,
    /// For people.
    name: String,
    /// Its name in addresses.
    slug: String,
    /// An IANA name: in it times are shown, and stays begin and end, unless a resource has its own.
    #[schema(value_type = String, example = "Europe/Lisbon")]
    zone: &'static str,
    /// What entries in connected calendars tell.
    #[schema(value_type = schema::EntryPrivacy)]
    entry_privacy: EntryPrivacy,
    /// Whether the entry of a cancelled booking stays, marked as cancelled, instead of going.
    mark_cancelled: bool,
    /// What becomes of entries that are moved, resized or renamed in calendars, unless an integration has its own rule.
    #[schema(value_type = schema::RemoteChangePolicy)]
    remote_moves: RemoteChangePolicy,
    /// What becomes of entries that are deleted or brought back in calendars, unless an integration has its own rule.
    #[schema(value_type = schema::RemoteChangePolicy)]
    remote_deletions: RemoteChangePolicy,
    /// When it was made.
    created_at: DateTime<Utc>,
}

impl From<Business> for BusinessAnswer {
    fn from(business: Business) -> Self {
        Self {
            id: business.id,
            name: business.name,
            slug: business.slug,
            zone: business.zone.name(),
            entry_privacy: business.entry_privacy,
            mark_cancelled: business.mark_cancelled,
            remote_moves: business.outside.moves,
            remote_deletions: business.outside.deletions,
            created_at: business.created_at,
        }
    }
}

/// What changes of a business; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = BusinessChange, example = json!({ "remote_moves": "ask" }))]
struct ChangedBusiness {
    /// For people; at most 300 characters.
    #[schema(max_length = 300)]
    name: Option<String>,
    /// An IANA name. It cannot change while stays that have not ended are counted in its nights.
    zone: Option<String>,
    /// What entries in connected calendars tell. Those that tell more than they may from now on are written again.
    #[schema(value_type = Option<schema::EntryPrivacy>)]
    entry_privacy: Option<EntryPrivacy>,
    /// Whether the entry of a cancelled booking stays, marked as cancelled, instead of going.
    mark_cancelled: Option<bool>,
    /// What becomes of entries that are moved, resized or renamed in calendars.
    #[schema(value_type = Option<schema::RemoteChangePolicy>)]
    remote_moves: Option<RemoteChangePolicy>,
    /// What becomes of entries that are deleted or brought back in calendars.
    #[schema(value_type = Option<schema::RemoteChangePolicy>)]
    remote_deletions: Option<RemoteChangePolicy>,
}

impl ChangedBusiness {
    fn applied_to(self, before: BusinessSettings) -> Result<BusinessSettings, ApiError> {
        let mut faults = Faults::default();
        let name = self.name.map(|name| faults.name("name", &name));
        let zone: Option<Tz> = self.zone.as_deref().and_then(|zone| faults.zone("zone", zone));
        faults.into_result()?;
        Ok(BusinessSettings {
            name: name.unwrap_or(before.name),
            zone: zone.unwrap_or(before.zone),
            entry_privacy: self.entry_privacy.unwrap_or(before.entry_privacy),
            mark_cancelled: self.mark_cancelled.unwrap_or(before.mark_cancelled),
            outside: RemoteChangeRules {
                moves: self.remote_moves.unwrap_or(before.outside.moves),
                deletions: self.remote_deletions.unwrap_or(before.outside.deletions),
            },
        })
    }
}

/// With its version, by which a change can be made to depend on it.
fn tagged(business: Business) -> ([(HeaderName, HeaderValue); 1], Json<BusinessAnswer>) {
    ([(header::ETAG, entity_tag(business.revision))], Json(business.into()))
}

/// Read the business
///
/// The one that the key is of, with its settings.
#[utoipa::path(get, path = "/business", tag = "Business", operation_id = "get_business",
    responses((status = 200, description = "The business", body = BusinessAnswer,
        headers(("ETag" = String, description = "Its version")))))]
async fn find(State(app): State<App>, caller: ApiCaller) -> Result<impl IntoResponse, ApiError> {
    let found = businesses::find(&app.context.db, caller.business).await?;
    Ok(tagged(found.ok_or_else(|| ApiError::not_found("business"))?))
}

/// Change the business
///
/// What is left out stays. Entries in calendars follow, where what they are made of changes.
#[utoipa::path(patch, path = "/business", tag = "Business", operation_id = "change_business",
    params(("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`)")),
    request_body = ChangedBusiness,
    responses((status = 200, description = "Changed, or as it was", body = BusinessAnswer,
        headers(("ETag" = String, description = "Its version")))))]
async fn change(
    State(app): State<App>,
    caller: ApiCaller,
    condition: Condition,
    Body(body): Body<ChangedBusiness>,
) -> Result<impl IntoResponse, ApiError> {
    if condition == Condition::New {
        return Err(ApiError::new(Kind::Malformed, "If-None-Match makes no sense with PATCH."));
    }
    let change = caller.change(app.now());
    let mut tx = app.context.db.begin().await?;
    let before = businesses::lock(&mut tx, caller.business).await?;
    if condition.expected_version().is_some_and(|expected| expected != before.revision) {
        return Err(ApiError::stale("business", before.revision));
    }
    let settings = body.applied_to(before.settings())?;
    if settings == before.settings() {
        return Ok(tagged(before));
    }
    let (business, enqueued) = save(&mut tx, &app.context, &change, &before, &settings).await?;
    tx.commit().await?;
    app.context.push(&enqueued).await;
    Ok(tagged(business))
}

//! `/business`: the settings of the business that the key is of.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, header},
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    customer::CustomerRules,
    invitation::{InvitationMode, InvitationSettings},
    language::Language,
    privacy::EntryPrivacy,
    settings::FieldErrors,
    sync::remote_change::{RemoteChangePolicy, RemoteChangeRules},
};
use concord_services::business;
use concord_storage::businesses::{self, Business, BusinessSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    patch_field::PatchField,
    preconditions::{Precondition, entity_tag},
    problem::{ApiError, Kind},
    request::ApiJson,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(find, change))
}

/// A business and its settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Business)]
struct BusinessResponse {
    /// Concord's id of the business.
    id: Uuid,
    /// Display name.
    name: String,
    /// Its name in addresses.
    slug: String,
    /// An IANA name: in it times are shown, and stays begin and end, unless a resource has its own.
    #[schema(value_type = String, example = "Europe/Lisbon")]
    zone: &'static str,
    /// Privacy of entries in connected calendars.
    entry_privacy: EntryPrivacy,
    /// Whether the entry of a cancelled booking is kept, marked as cancelled, instead of deleted.
    mark_cancelled: bool,
    /// What to do when entries are moved, resized or renamed in calendars, unless an integration overrides it.
    remote_moves: RemoteChangePolicy,
    /// What to do when entries are deleted or restored in calendars, unless an integration overrides it.
    remote_deletions: RemoteChangePolicy,
    /// Which bookings customers are invited to.
    invitations: InvitationMode,
    /// How many minutes a change waits for others, so that they are sent in one email.
    invitation_delay_minutes: u32,
    /// The name that emails to customers come from; empty: that of the business.
    sender_name: String,
    /// The address that they come from; empty: that of the installation.
    sender_address: String,
    /// Where answers of people go; empty: to the sender.
    reply_address: String,
    /// The language of emails to customers who have none of their own.
    customer_language: Language,
    /// Until how many hours before the start customers may move a booking; null: they ask.
    move_notice_hours: Option<u32>,
    /// Until how many hours before the start customers may cancel a booking; null: they ask.
    cancel_notice_hours: Option<u32>,
    /// Whether declining an invitation cancels the booking, as far as the customer may cancel it.
    decline_cancels: bool,
    /// When it was created.
    created_at: DateTime<Utc>,
}

impl From<Business> for BusinessResponse {
    fn from(business: Business) -> Self {
        Self {
            id: business.id.0,
            name: business.name,
            slug: business.slug,
            zone: business.zone.name(),
            entry_privacy: business.entry_privacy,
            mark_cancelled: business.mark_cancelled,
            remote_moves: business.outside.moves,
            remote_deletions: business.outside.deletions,
            invitations: business.invitations.mode,
            invitation_delay_minutes: business.invitations.delay_minutes,
            sender_name: business.invitations.sender_name,
            sender_address: business.invitations.sender_address,
            reply_address: business.invitations.reply_address,
            customer_language: business.invitations.language,
            move_notice_hours: business.customers.move_notice_hours,
            cancel_notice_hours: business.customers.cancel_notice_hours,
            decline_cancels: business.customers.decline_cancels,
            created_at: business.created_at,
        }
    }
}

/// Changes to a business; omitted fields are unchanged.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BusinessChange, example = json!({ "remote_moves": "ask" }))]
struct BusinessPatch {
    /// Display name; at most 300 characters.
    #[schema(max_length = 300)]
    name: Option<String>,
    /// An IANA name. It cannot change while stays that have not ended are counted in its nights.
    zone: Option<String>,
    /// Privacy of entries in connected calendars. Entries that show too much are rewritten.
    entry_privacy: Option<EntryPrivacy>,
    /// Whether the entry of a cancelled booking is kept, marked as cancelled, instead of deleted.
    mark_cancelled: Option<bool>,
    /// What to do when entries are moved, resized or renamed in calendars.
    remote_moves: Option<RemoteChangePolicy>,
    /// What to do when entries are deleted or restored in calendars.
    remote_deletions: Option<RemoteChangePolicy>,
    /// Which bookings customers are invited to.
    invitations: Option<InvitationMode>,
    /// How many minutes a change waits for others, so that they are sent in one email: 0 to 60.
    #[schema(maximum = 60)]
    invitation_delay_minutes: Option<u32>,
    /// The name that emails to customers come from; empty: that of the business.
    #[schema(max_length = 300)]
    sender_name: Option<String>,
    /// The address that they come from, where answers of calendars go; empty: that of the installation.
    #[schema(max_length = 254)]
    sender_address: Option<String>,
    /// Where answers of people go; empty: to the sender.
    #[schema(max_length = 254)]
    reply_address: Option<String>,
    /// The language of emails to customers who have none of their own.
    customer_language: Option<Language>,
    /// Until how many hours before the start customers may move a booking; null: they ask.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    move_notice_hours: PatchField<u32>,
    /// Until how many hours before the start customers may cancel a booking; null: they ask.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    cancel_notice_hours: PatchField<u32>,
    /// Whether declining an invitation cancels the booking, as far as the customer may cancel it.
    decline_cancels: Option<bool>,
}

impl BusinessPatch {
    fn apply_to(self, before: BusinessSettings) -> Result<BusinessSettings, ApiError> {
        let mut faults = FieldErrors::default();
        let name = self.name.map(|name| faults.name("name", &name));
        let zone: Option<Tz> = self.zone.as_deref().and_then(|zone| faults.zone("zone", zone));
        let mut invitations = InvitationSettings {
            mode: self.invitations.unwrap_or(before.invitations.mode),
            delay_minutes: self.invitation_delay_minutes.unwrap_or(before.invitations.delay_minutes),
            sender_name: self.sender_name.unwrap_or(before.invitations.sender_name),
            sender_address: self.sender_address.unwrap_or(before.invitations.sender_address),
            reply_address: self.reply_address.unwrap_or(before.invitations.reply_address),
            language: self.customer_language.unwrap_or(before.invitations.language),
        };
        invitations.check(&mut faults);
        let customers = CustomerRules {
            move_notice_hours: self.move_notice_hours.apply_to(before.customers.move_notice_hours),
            cancel_notice_hours: self.cancel_notice_hours.apply_to(before.customers.cancel_notice_hours),
            decline_cancels: self.decline_cancels.unwrap_or(before.customers.decline_cancels),
        };
        customers.check(&mut faults);
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
            invitations,
            customers,
        })
    }
}

/// With its version, by which a change can be made to depend on it.
fn with_entity_tag(business: Business) -> ([(HeaderName, HeaderValue); 1], Json<BusinessResponse>) {
    ([(header::ETAG, entity_tag(business.revision))], Json(business.into()))
}

/// Read the business
///
/// The business of the API key, with its settings.
#[utoipa::path(get, path = "/business", tag = "Business", operation_id = "get_business",
    responses((status = 200, description = "The business", body = BusinessResponse,
        headers(("ETag" = String, description = "Its version")))))]
async fn find(api: Api) -> Result<impl IntoResponse, ApiError> {
    let found = businesses::find(&api.context.db, api.business).await?;
    Ok(with_entity_tag(found.ok_or_else(|| ApiError::not_found("business"))?))
}

/// Change the business
///
/// Omitted fields are unchanged. Calendar entries are updated where needed.
#[utoipa::path(patch, path = "/business", tag = "Business", operation_id = "change_business",
    params(("If-Match" = Option<String>, Header, description = "Only if it is at this version (an `ETag`)")),
    request_body = BusinessPatch,
    responses((status = 200, description = "Changed, or unchanged", body = BusinessResponse,
        headers(("ETag" = String, description = "Its version")))))]
async fn change(
    api: Api,
    condition: Precondition,
    ApiJson(body): ApiJson<BusinessPatch>,
) -> Result<impl IntoResponse, ApiError> {
    if condition == Precondition::New {
        return Err(ApiError::new(Kind::Malformed, "If-None-Match cannot be used with PATCH."));
    }
    let by = api.change();
    let changed = business::change(&api.context, &by, |before| {
        if condition.expected_version().is_some_and(|expected| expected != before.revision) {
            return Err(ApiError::stale("business", before.revision));
        }
        body.apply_to(before.settings())
    });
    Ok(with_entity_tag(changed.await?))
}

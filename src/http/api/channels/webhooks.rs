//! Webhooks of channel managers: the keys for them. The messages themselves meet `http/hooks`.

use axum::{Json, http::StatusCode};
use concord_domain::ids::ChannelId;
use concord_services::channels as manage;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    http::api::{auth::Api, problem::ApiError, request::ApiPath},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(enable_webhook, disable_webhook))
}

/// What a channel manager needs.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ChannelWebhook)]
struct ChannelWebhookResponse {
    /// Where to send messages. Shown this once.
    url: String,
    /// The key that signs them (Standard Webhooks). Shown this once.
    #[schema(example = "whsec_...")]
    secret: String,
}

/// Take webhooks for a channel
///
/// A channel manager may then tell of reservations at once, signed by Standard Webhooks 1.0.0. What was taken under
/// former keys is refused from now on.
#[utoipa::path(post, path = "/channels/{id}/webhook", tag = "Channels", operation_id = "allow_channel_webhooks",
    params(("id" = Uuid, Path, description = "The channel's id")),
    responses((status = 201, description = "Address and key", body = ChannelWebhookResponse)))]
async fn enable_webhook(
    api: Api,
    ApiPath(id): ApiPath<ChannelId>,
) -> Result<(StatusCode, Json<ChannelWebhookResponse>), ApiError> {
    let mut tx = api.context.db.begin().await?;
    let keys = manage::allow_webhooks(&mut tx, &api.context, &api.change(), id).await?;
    tx.commit().await?;
    let url = api.absolute_url(&format!("/hooks/channels/{}", keys.token.expose_secret()));
    Ok((
        StatusCode::CREATED,
        Json(ChannelWebhookResponse { url, secret: keys.secret.expose_secret().to_owned() }),
    ))
}

/// Take no more webhooks for a channel
#[utoipa::path(delete, path = "/channels/{id}/webhook", tag = "Channels", operation_id = "forbid_channel_webhooks",
    params(("id" = Uuid, Path, description = "The channel's id")),
    responses((status = 204, description = "Disabled")))]
async fn disable_webhook(api: Api, ApiPath(id): ApiPath<ChannelId>) -> Result<StatusCode, ApiError> {
    manage::forbid_webhooks(&api.context, &api.change(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! Connecting an account at a CalDAV server.

use axum::{Json, http::StatusCode};
use concord_domain::ids::StaffId;
use concord_providers::{DiscoveryError, caldav::CaldavLogin};
use concord_services::connect::{self, ConnectError};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{find_connection, integration_response, responses::IntegrationResponse};
use crate::{
    app::App,
    http::api::{auth::Api, problem::ApiError, request::ApiJson},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(connect_caldav))
}

/// An account at a CalDAV server.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectCaldavBody, example = json!({
    "staff": "0197f0c2-6b1e-7d3a-9a4e-2f6d2f1f8b10", "url": "https://cloud.example.org", "user": "ana",
    "password": "an-app-password" }))]
struct ConnectCaldavBody {
    /// The staff member.
    #[schema(value_type = uuid::Uuid)]
    staff: StaffId,
    /// The server's address or name. One of `url` and `email` must be given.
    url: Option<String>,
    /// An email address; its domain is used to find the server.
    email: Option<String>,
    /// The user name; defaults to the email address.
    user: Option<String>,
    /// An app password, where the server has such.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = "password")]
    password: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

/// Connect a CalDAV calendar
///
/// Finds the calendars by server or email address and connects them. To change the password, send the
/// same account again.
#[utoipa::path(post, path = "/calendar_integrations/caldav", tag = "Calendar integrations",
    operation_id = "connect_caldav", request_body = ConnectCaldavBody,
    responses((status = 201, description = "Connected", body = IntegrationResponse)))]
async fn connect_caldav(
    api: Api,
    ApiJson(body): ApiJson<ConnectCaldavBody>,
) -> Result<(StatusCode, Json<IntegrationResponse>), ApiError> {
    let Some(address) = body.url.clone().or_else(|| body.email.clone()) else {
        return Err(ApiError::invalid("url", "or email is required"));
    };
    let Some(user) = body.user.or(body.email) else {
        return Err(ApiError::invalid("user", "is required without email"));
    };
    let field = if body.url.is_some() { "url" } else { "email" };
    let login = CaldavLogin { address, user, password: body.password };
    let whose = (&api.change(), body.staff);
    match connect::connect_with_password(&api.context, whose, &login, "/calendars".to_owned()).await {
        Ok(finished) => {
            let connection = find_connection(&api, finished.connection).await?;
            Ok((StatusCode::CREATED, Json(integration_response(&api, connection).await?)))
        }
        Err(ConnectError::UnknownStaff) => Err(ApiError::invalid("staff", "is not one of your staff")),
        Err(ConnectError::Discovery(error)) => Err(match &error {
            // That is nobody's mistake here.
            DiscoveryError::Unreachable { .. } => ConnectError::from(error).into(),
            DiscoveryError::WrongPassword { .. } => ApiError::invalid("password", discovery_message(&error)),
            _ => ApiError::invalid(field, discovery_message(&error)),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Why no calendars were found, to be read after a field's name.
fn discovery_message(error: &DiscoveryError) -> String {
    format!("could not be connected: {error}")
}

//! `/mails`: what Concord wrote to people, and what became of it.

use axum::{Json, http::StatusCode};
use chrono::{DateTime, Utc};
use concord_domain::{
    ids::MailId,
    mail::{MailKind, MailState},
};
use concord_services::retries;
use concord_storage::mails::{self, StoredMail};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    auth::Api,
    problem::{ApiError, ApiResult},
    request::{ApiPath, ApiQuery},
    responses::{Listing, page_request},
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(retry))
}

/// Filters for emails.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListMailsQuery {
    /// With this status.
    #[param(inline)]
    state: Option<MailState>,
    /// Page size, 1 to 200; default 50.
    limit: Option<u32>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// An email to one person.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Mail)]
struct MailResponse {
    /// Its id, for `/mails/{id}/retry`.
    id: Uuid,
    /// What it is about.
    kind: MailKind,
    /// The recipient.
    to: String,
    /// One line.
    subject: String,
    /// The text body.
    text: String,
    /// By which mailboxes know it; with its angle brackets.
    message_id: String,
    /// Its status.
    state: MailState,
    /// When it was last tried.
    attempted_at: Option<DateTime<Utc>>,
    /// When a mail server accepted it.
    sent_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed or what it waits for, in plain words.
    last_error: Option<String>,
    /// When it was written.
    created_at: DateTime<Utc>,
}

impl From<StoredMail> for MailResponse {
    fn from(mail: StoredMail) -> Self {
        Self {
            id: mail.id.0,
            kind: mail.kind,
            to: mail.to_address,
            subject: mail.subject,
            text: mail.body_text,
            message_id: mail.message_id,
            state: mail.state,
            attempted_at: mail.attempted_at,
            sent_at: mail.sent_at,
            last_error: mail.last_error,
            created_at: mail.created_at,
        }
    }
}

/// List emails
///
/// Emails sent to people, newest first.
#[utoipa::path(get, path = "/mails", tag = "Sync", operation_id = "list_mails", params(ListMailsQuery),
    responses((status = 200, description = "A page of mails", body = Listing<MailResponse>)))]
async fn list(api: Api, ApiQuery(wanted): ApiQuery<ListMailsQuery>) -> ApiResult<Listing<MailResponse>> {
    let ask = page_request(wanted.limit, wanted.cursor)?;
    let page = mails::list(&api.context.db, api.business, wanted.state, &ask).await?;
    Ok(Json(Listing::from_page(page, MailResponse::from)))
}

/// Resend a failed email
#[utoipa::path(post, path = "/mails/{id}/retry", tag = "Sync", operation_id = "retry_mail",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "Resend started", body = MailResponse)))]
async fn retry(api: Api, ApiPath(id): ApiPath<MailId>) -> Result<(StatusCode, Json<MailResponse>), ApiError> {
    let mail = retries::retry_mail(&api.context, api.business, id).await?;
    Ok((StatusCode::ACCEPTED, Json(mail.into())))
}

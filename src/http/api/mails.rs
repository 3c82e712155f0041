//! `/mails`: what Concord wrote to people, and what became of it.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use concord_domain::{
    ids::MailId,
    mail::{MailKind, MailState},
};
use concord_storage::{
    StorageError,
    mails::{self, Mail},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::{Listing, page_ask},
    auth::ApiCaller,
    problem::ApiError,
    request::{PathOf, Search},
    schema,
};
use crate::app::App;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(retry))
}

/// Which mails are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Those that stand so.
    #[param(value_type = Option<schema::MailState>, inline)]
    state: Option<MailState>,
    /// How many at the most, 1 to 200; 50 if it is not said.
    limit: Option<u32>,
    /// What the page before said as `next_cursor`.
    cursor: Option<String>,
}

/// A mail to one person.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Mail)]
struct MailAnswer {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    id: MailId,
    /// What it is about.
    #[schema(value_type = schema::MailKind)]
    kind: MailKind,
    /// Whose mailbox.
    to: String,
    /// One line.
    subject: String,
    /// What it says, as text.
    text: String,
    /// By which mailboxes know it; with its angle brackets.
    message_id: String,
    /// Where it stands.
    #[schema(value_type = schema::MailState)]
    state: MailState,
    /// When it was last tried.
    attempted_at: Option<DateTime<Utc>>,
    /// When a mail server took it.
    sent_at: Option<DateTime<Utc>>,
    /// Why the last try failed, or what it waits for; for people.
    last_error: Option<String>,
    /// When it was written.
    created_at: DateTime<Utc>,
}

impl From<Mail> for MailAnswer {
    fn from(mail: Mail) -> Self {
        Self {
            id: mail.id,
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

/// List mails
///
/// What was written to people, the newest first.
#[utoipa::path(get, path = "/mails", tag = "Synchronisation", operation_id = "list_mails", params(Wanted),
    responses((status = 200, description = "A page of mails", body = Listing<MailAnswer>)))]
async fn list(
    State(app): State<App>,
    caller: ApiCaller,
    Search(wanted): Search<Wanted>,
) -> Result<Json<Listing<MailAnswer>>, ApiError> {
    let ask = page_ask(wanted.limit, wanted.cursor)?;
    let page = mails::list(&app.context.db, caller.business, wanted.state, &ask).await?;
    Ok(Json(Listing::of(page, MailAnswer::from)))
}

/// Send a failed mail again
#[utoipa::path(post, path = "/mails/{id}/retry", tag = "Synchronisation", operation_id = "retry_mail",
    params(("id" = Uuid, Path, description = "Its id")),
    responses((status = 202, description = "It will be sent again", body = MailAnswer)))]
async fn retry(
    State(app): State<App>,
    caller: ApiCaller,
    PathOf(id): PathOf<MailId>,
) -> Result<(StatusCode, Json<MailAnswer>), ApiError> {
    let missing = || ApiError::not_found("failed mail");
    let mut tx = app.context.db.begin().await?;
    let job = match mails::send_again(&mut tx, caller.business, id, app.now()).await {
        Err(StorageError::NotFound) => return Err(missing()),
        job => job?,
    };
    tx.commit().await?;
    let mail = mails::find(&app.context.db, caller.business, id).await?.ok_or_else(missing)?;
    app.context.push(&[job]).await;
    Ok((StatusCode::ACCEPTED, Json(mail.into())))
}

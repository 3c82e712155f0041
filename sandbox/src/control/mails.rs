//! The mails that arrived, and where they arrive.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::ControlError;
use crate::app::SandboxApp;
use crate::mailbox::ReceivedMail;

/// Where mail is sent to, and where it is read. Whoever reaches the sandbox by another name takes the port.
pub(super) async fn place(State(app): State<Arc<SandboxApp>>) -> Json<Value> {
    let page = format!("{}/mailbox", app.server.url);
    Json(json!({ "smtp_url": app.mailbox.url(), "smtp_port": app.mailbox.port(), "page": page }))
}

/// All mails, the oldest first; `from` and `to` are of the envelope.
pub(super) async fn list(State(app): State<Arc<SandboxApp>>) -> Json<Vec<Value>> {
    Json(app.mailbox.all().iter().map(|mail| shown(mail)).collect())
}

fn shown(mail: &ReceivedMail) -> Value {
    let letter = mail.letter();
    let attachments: Vec<Value> =
        letter.attachments.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    json!({
        "id": mail.id,
        "received_at": mail.received_at,
        "from": mail.from,
        "to": mail.to,
        "header_from": letter.from,
        "message_id": letter.message_id,
        "subject": letter.subject,
        "text": letter.text,
        "html": letter.html,
        "calendar": letter.calendar,
        "attachments": attachments,
        "raw": String::from_utf8_lossy(&mail.source()),
    })
}

/// Throws all mails away.
pub(super) async fn clear(State(app): State<Arc<SandboxApp>>) -> Result<StatusCode, ControlError> {
    app.mailbox.clear().map_err(|error| ControlError {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        message: error.to_string(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

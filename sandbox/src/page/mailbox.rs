//! The mailbox: what came, and each mail as its reader sees it.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};

use super::{AUTO_REFRESH, not_found};
use crate::app::SandboxApp;
use crate::html::{document, document_with_head, escape};
use crate::mailbox::ReceivedMail;

/// What came, the newest first.
pub(super) async fn list(State(app): State<Arc<SandboxApp>>) -> Html<String> {
    let mut body = format!(
        "<main><p class=\"mark\">Sandbox: simulated external services</p><p><a href=\"/\">All calendars</a></p>\
         <h1>Mailbox</h1><p>Every mail that is sent to <code>{}</code> comes here, whoever it is for, and goes no \
         further.</p>",
        escape(&app.mailbox.url())
    );
    let mails = app.mailbox.all();
    if mails.is_empty() {
        body.push_str("<p class=\"quiet\">No mail received yet.</p>");
    }
    body.push_str("<ul class=\"mails\">");
    for mail in mails.iter().rev() {
        body.push_str(&line(mail));
    }
    body.push_str("</ul></main>");
    Html(document_with_head("Mailbox", "home", AUTO_REFRESH, &body))
}

fn line(mail: &ReceivedMail) -> String {
    let letter = mail.letter();
    format!(
        "<li><a href=\"/mailbox/{}\">{}</a><small>to {}, {}</small></li>",
        mail.id,
        escape(subject(&letter.subject)),
        escape(&mail.to.join(", ")),
        mail.received_at.format("%-d %b %Y, %H:%M:%S UTC"),
    )
}

fn subject(subject: &str) -> &str {
    if subject.is_empty() { "(No subject)" } else { subject }
}

/// One mail: its HTML in a frame that may do nothing but follow links, its text, its attachments' names, its source.
pub(super) async fn read(State(app): State<Arc<SandboxApp>>, Path(id): Path<String>) -> Response {
    let Some(mail) = id.parse().ok().and_then(|id| app.mailbox.find(id)) else {
        return not_found("This mail does not exist or was deleted.");
    };
    let letter = mail.letter();
    let mut body = format!(
        "<main><p class=\"mark\">Sandbox: simulated external services</p><p><a href=\"/mailbox\">All mail</a></p>\
         <h1>{}</h1><p class=\"quiet\">From {} to {}, {}</p>",
        escape(subject(&letter.subject)),
        escape(if letter.from.is_empty() { &mail.from } else { &letter.from }),
        escape(&mail.to.join(", ")),
        mail.received_at.format("%-d %b %Y, %H:%M:%S UTC"),
    );
    if let Some(html) = &letter.html {
        let framed = format!("<base target=\"_blank\">{html}");
        let _infallible = write!(
            body,
            "<h2>HTML version</h2><iframe title=\"HTML version\" \
             sandbox=\"allow-popups allow-popups-to-escape-sandbox\" srcdoc=\"{}\"></iframe>",
            escape(&framed)
        );
    }
    if let Some(text) = &letter.text {
        let _infallible = write!(body, "<h2>Text version</h2><pre>{}</pre>", escape(text));
    }
    if !letter.attachments.is_empty() {
        body.push_str("<h2>Attachments</h2><ul>");
        for (name, kind) in &letter.attachments {
            let _infallible = write!(body, "<li>{} <small>{}</small></li>", escape(name), escape(kind));
        }
        body.push_str("</ul>");
    }
    let source = mail.source();
    let _infallible = write!(
        body,
        "<details><summary>Source</summary><pre>{}</pre></details></main>",
        escape(&String::from_utf8_lossy(&source))
    );
    Html(document(subject(&letter.subject), "home", &body)).into_response()
}

//! Mail: whether it is set up, what was sent lately, what was not and why, and a way to try.

use askama::Template;
use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::{
    ids::MailId,
    mail::{MailKind, MailState},
};
use concord_jobs::{mail::Recipient, notify::enqueue_test_mail};
use concord_services::retries;
use concord_storage::{
    PageRequest, mailboxes,
    mails::{self, MailCounts, StoredMail},
    notices,
};
use serde::Deserialize;

use super::{
    CurrentUser, Flash, Layout, Manager, NavItem, PagePath, PageQuery, PageResult, Pill, RelativeTime, Tone,
    capitalize, render_page,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/settings/mail", get(show))
        .route("/settings/mail/test", post(test))
        .route("/settings/mail/{id}/again", post(resend))
}

const PATH: &str = "/settings/mail";
const PAGE_SIZE: u32 = 50;

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage {
    layout: Layout,
    /// Host and port of the mail server, if there is one.
    server: Option<String>,
    /// What mails come from.
    from: String,
    /// The mailbox that customers' calendars answer to, if there is one.
    mailbox: Option<MailboxView>,
    counts: MailCounts,
    /// Notices that wait for a mail server.
    untold: i64,
    /// Where a test goes.
    own_address: String,
    rows: Vec<MailRow>,
    next: Option<String>,
    is_further: bool,
}

struct MailboxView {
    name: String,
    read: Option<RelativeTime>,
    /// Whether any answer is believed.
    is_believed: bool,
    /// Since when it cannot be read, and why.
    failing: Option<(RelativeTime, String)>,
}

impl MailboxView {
    async fn load(user: &CurrentUser) -> PageResult<Option<Self>> {
        let context = &user.app.context;
        let Some(mailbox) = &context.mail.mailbox else { return Ok(None) };
        let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
        let name = mailbox.name();
        let reading = mailboxes::find(&context.db, &name).await?;
        let reason = capitalize(&reading.last_error.unwrap_or_default());
        Ok(Some(Self {
            name,
            is_believed: context.mail.believes_replies(),
            read: reading.read_at.map(when),
            failing: reading.failing_since.map(|since| (when(since), reason)),
        }))
    }
}

struct MailRow {
    id: MailId,
    subject: String,
    kind: &'static str,
    to: String,
    state: Pill,
    /// Why it was not sent.
    reason: Option<String>,
    written: RelativeTime,
    sent: Option<RelativeTime>,
    has_failed: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MailPageQuery {
    after: Option<String>,
}

async fn show(user: Manager, PageQuery(query): PageQuery<MailPageQuery>) -> PageResult {
    let (db, business) = (&user.app.context.db, user.business.id);
    let is_further = query.after.is_some();
    let found =
        mails::list(db, business, None, &PageRequest { limit: PAGE_SIZE, after: query.after }).await?;
    let mail = &user.app.context.mail;
    let shown = MailPage {
        layout: Layout::load(&user, NavItem::Settings, "Email").await?,
        server: mail.mailer.as_ref().map(|mailer| mailer.server().to_owned()),
        from: format!("{} <{}>", mail.from_name, mail.from_address),
        mailbox: MailboxView::load(&user).await?,
        counts: mails::counts(db, business).await?,
        untold: notices::count_unsent(db, business).await?,
        own_address: user.user.email.clone(),
        next: found.next.map(|next| format!("{PATH}?after={next}")),
        rows: found.items.into_iter().map(|mail| mail_row(&user, mail)).collect(),
        is_further,
    };
    render_page(&user, &shown)
}

fn mail_row(user: &CurrentUser, mail: StoredMail) -> MailRow {
    let when = |at| RelativeTime::new(at, user.app.now(), user.business.zone);
    let state = match mail.state {
        MailState::Waiting => Pill::new(Tone::Waiting, "Pending"),
        MailState::Sending => Pill::new(Tone::Waiting, "Sending"),
        MailState::Sent => Pill::new(Tone::Good, "Sent"),
        MailState::Failed => Pill::new(Tone::Wrong, "Failed"),
    };
    let kind = match mail.kind {
        MailKind::Notice => "Notice",
        MailKind::Digest => "Notifications",
        MailKind::Test => "Test",
        MailKind::Invitation => "Invitation",
        MailKind::InvitationUpdate => "Updated invitation",
        MailKind::InvitationCancel => "Cancellation",
        MailKind::PortalLink => "Link to bookings",
        MailKind::SignIn => "Sign-in link",
        MailKind::UserInvitation => "User invitation",
        MailKind::Reminder => "Reminder",
    };
    MailRow {
        id: mail.id,
        // What is left of a mail to somebody who was erased is that it was sent.
        subject: if mail.to_address.is_empty() { "Erased".to_owned() } else { mail.subject },
        kind,
        to: mail.to_address,
        state,
        reason: mail.last_error.as_deref().map(capitalize),
        written: when(mail.created_at),
        sent: mail.sent_at.map(when),
        // An invitation is sent again from its booking.
        has_failed: mail.state == MailState::Failed && mail.attendee_id.is_none(),
    }
}

/// To whoever asks, and nobody else.
async fn test(user: Manager) -> PageResult {
    let to = Recipient { address: user.user.email.clone(), name: user.user.name.clone() };
    enqueue_test_mail(&user.app.context, user.business.id, &user.business.name, &to).await?;
    let text = if user.app.context.mail.mailer.is_some() {
        format!("Sending a test email to {}. Its status appears below.", to.address)
    } else {
        format!("The test email to {} is pending: no mail server is set up.", to.address)
    };
    Ok(user.redirect_with_flash(PATH, &Flash::information(text)))
}

async fn resend(user: Manager, PagePath(id): PagePath<MailId>) -> PageResult {
    retries::retry_mail(&user.app.context, user.business.id, id).await?;
    Ok(user.redirect_with_flash(PATH, &Flash::information("Sending again. The status appears below.")))
}

//! Mail: whether it is set up, what was sent lately, what was not and why, and a way to try.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use concord_domain::{
    ids::MailId,
    mail::{MailKind, MailState},
};
use concord_jobs::mail::{Recipient, write_test};
use concord_storage::{
    PageAsk, StorageError,
    mails::{self, Mail, MailCounts},
    notices,
};
use serde::Deserialize;

use super::{
    PageError,
    asked::{Asked, Named},
    flash::Flash,
    frame::{Frame, Place, page},
    pieces::{Pill, Tone, capital},
    session::CurrentUser,
    when::When,
};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/settings/mail", get(show))
        .route("/settings/mail/test", post(test))
        .route("/settings/mail/{id}/again", post(send_again))
}

const PATH: &str = "/settings/mail";
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage {
    frame: Frame,
    /// Host and port of the mail server, if there is one.
    server: Option<String>,
    /// What mails come from.
    from: String,
    counts: MailCounts,
    /// Notices that wait for a mail server.
    untold: i64,
    /// Where a test goes.
    own_address: String,
    rows: Vec<Row>,
    next: Option<String>,
    is_further: bool,
}

struct Row {
    id: MailId,
    subject: String,
    kind: &'static str,
    to: String,
    state: Pill,
    /// Why it was not sent.
    reason: Option<String>,
    written: When,
    sent: Option<When>,
    has_failed: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    after: Option<String>,
}

async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Asked(wish): Asked<Wish>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let (db, business) = (&app.context.db, user.business.id);
    let is_further = wish.after.is_some();
    let found = mails::list(db, business, None, &PageAsk { limit: ROWS, after: wish.after }).await?;
    let mail = &app.context.mail;
    let shown = MailPage {
        frame: Frame::around(&app, &user, Place::Settings, "Mail").await?,
        server: mail.mailer.as_ref().map(|mailer| mailer.server().to_owned()),
        from: format!("{} <{}>", mail.from_name, mail.from_address),
        counts: mails::counts(db, business).await?,
        untold: notices::count_untold(db, business).await?,
        own_address: user.user.email.clone(),
        next: found.next.map(|next| format!("{PATH}?after={next}")),
        rows: found.items.into_iter().map(|mail| row(&app, &user, mail)).collect(),
        is_further,
    };
    page(&app, &user, &shown)
}

fn row(app: &App, user: &CurrentUser, mail: Mail) -> Row {
    let when = |at| When::of(at, app.now(), user.business.zone);
    let state = match mail.state {
        MailState::Waiting => Pill::new(Tone::Waiting, "Waiting"),
        MailState::Sent => Pill::new(Tone::Good, "Sent"),
        MailState::Failed => Pill::new(Tone::Wrong, "Failed"),
    };
    let kind = match mail.kind {
        MailKind::Notice => "Notice",
        MailKind::Digest => "Several notices",
        MailKind::Test => "Test",
    };
    Row {
        id: mail.id,
        subject: mail.subject,
        kind,
        to: mail.to_address,
        state,
        reason: mail.last_error.as_deref().map(capital),
        written: when(mail.created_at),
        sent: mail.sent_at.map(when),
        has_failed: mail.state == MailState::Failed,
    }
}

/// To whoever asks, and nobody else.
async fn test(State(app): State<App>, user: CurrentUser) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let to = Recipient { address: user.user.email.clone(), name: user.user.name.clone() };
    write_test(&app.context, user.business.id, &user.business.name, &to).await?;
    let text = if app.context.mail.mailer.is_some() {
        format!("A test is on its way to {}. Here you see whether it was sent.", to.address)
    } else {
        format!("The test to {} waits: no mail server is set up.", to.address)
    };
    Ok(user.go(&app, PATH, &Flash::information(text)))
}

async fn send_again(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<MailId>,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let mut tx = app.context.db.begin().await?;
    let job = match mails::send_again(&mut tx, user.business.id, id, app.now()).await {
        Err(StorageError::NotFound) => return Err(PageError::NotFound("mail that has failed")),
        job => job?,
    };
    tx.commit().await?;
    app.context.push(&[job]).await;
    Ok(user.go(&app, PATH, &Flash::information("It is sent again. Here you see whether it was taken.")))
}

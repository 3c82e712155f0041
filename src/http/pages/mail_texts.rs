//! A business's own words in mails to its customers, its logo, and how the mails look with them.

use askama::Template;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, multipart::MultipartError},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use concord_domain::{
    language::Language,
    mail::MailKind,
    mail_text::{MailTexts, WORDED_KINDS, has_subject},
    settings::FieldErrors,
};
use concord_jobs::{invitations::logo_path, mail::Recipient, mail_preview::preview};
use concord_services::{ServiceError, mail_design as service};
use concord_storage::mail_design::{self, BusinessMailTexts, MailDesign};
use serde::Deserialize;

use super::{
    CurrentUser, Faults, Flash, Form, Layout, Manager, NavItem, PageError, PageForm, PageQuery, PageResult,
    SelectOption, language_options, render_page, render_refused, sentence, uploads,
};
use crate::app::App;

const PATH: &str = "/settings/emails";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show).post(save))
        .route("/settings/emails/preview", get(show_preview).post(preview_typed))
        .route("/settings/emails/test", post(send_test))
        // What is larger than a logo is refused by `mail_design`, in words.
        .route(uploads::LOGO, post(upload_logo).layer(DefaultBodyLimit::disable()))
        .route("/settings/emails/logo/delete", post(delete_logo))
}

#[derive(Template)]
#[template(path = "mail_texts.html")]
struct MailTextsPage {
    layout: Layout,
    form: Form<MailTextsForm>,
    kinds: Vec<SelectOption>,
    languages: Vec<SelectOption>,
    /// Whether mails of this kind may have a subject of their own.
    has_subject: bool,
    /// Whether they have a calendar file, which a test lacks.
    has_calendar: bool,
    /// The address of the logo; empty: there is none.
    logo: String,
    /// Of the mail as it is stored.
    preview: String,
    has_server: bool,
    /// Where a test goes.
    own_address: String,
}

/// Which mails, and their words.
#[derive(Clone, Deserialize)]
#[serde(default)]
struct MailTextsForm {
    kind: MailKind,
    language: Language,
    subject: String,
    intro: String,
    closing: String,
}

impl Default for MailTextsForm {
    fn default() -> Self {
        let language = Language::default();
        let [subject, intro, closing] = [const { String::new() }; 3];
        Self { kind: MailKind::Invitation, language, subject, intro, closing }
    }
}

impl MailTextsForm {
    fn texts(&self) -> Result<MailTexts, Faults> {
        let Self { subject, intro, closing, .. } = self.clone();
        let mut texts = MailTexts { subject, intro, closing };
        let mut wrong = FieldErrors::default();
        texts.check(self.kind, &mut wrong);
        let faults: Faults = wrong
            .into_result()
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|fault| (fault.field, sentence(&format!("this {}", fault.message))))
            .collect();
        faults.or(texts)
    }

    fn path(&self) -> String {
        format!("{PATH}?kind={}&language={}", self.kind, self.language)
    }
}

/// Which mails are shown; what is not said is the first invitation, in the business's language.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MailTextsQuery {
    kind: Option<MailKind>,
    language: Option<Language>,
}

impl MailTextsQuery {
    /// Of the page that shows these mails.
    fn path(&self) -> String {
        match (self.kind, self.language) {
            (Some(kind), Some(language)) => format!("{PATH}?kind={kind}&language={language}"),
            _ => PATH.to_owned(),
        }
    }

    fn form(&self, user: &CurrentUser, design: &MailDesign) -> PageResult<MailTextsForm> {
        let kind = self.kind.unwrap_or(MailKind::Invitation);
        if !WORDED_KINDS.contains(&kind) {
            return Err(PageError::NotFound("email"));
        }
        let language = self.language.unwrap_or(user.business.invitations.language);
        let MailTexts { subject, intro, closing } = design.texts(kind, language).cloned().unwrap_or_default();
        Ok(MailTextsForm { kind, language, subject, intro, closing })
    }
}

fn kind_label(kind: MailKind) -> &'static str {
    match kind {
        MailKind::InvitationUpdate => "Booking changed",
        MailKind::InvitationCancel => "Booking cancelled",
        MailKind::Reminder => "Reminder",
        _ => "Booking confirmed",
    }
}

async fn show(user: Manager, PageQuery(query): PageQuery<MailTextsQuery>) -> PageResult {
    let design = mail_design::find(&user.app.context.db, user.business.id).await?;
    let form = query.form(&user, &design)?;
    render_page(&user, &build_page(&user, design, form.into()).await?)
}

async fn build_page(
    user: &CurrentUser,
    design: MailDesign,
    form: Form<MailTextsForm>,
) -> PageResult<MailTextsPage> {
    let context = &user.app.context;
    let kind = form.kind.as_str();
    Ok(MailTextsPage {
        layout: Layout::load(user, NavItem::Settings, "Email texts").await?,
        kinds: WORDED_KINDS
            .iter()
            .map(|one| SelectOption::new(one.as_str(), kind_label(*one), kind))
            .collect(),
        languages: language_options(form.language.as_str()),
        has_subject: has_subject(form.kind),
        has_calendar: form.kind != MailKind::Reminder,
        logo: design.logo.map(|logo| logo_path(user.business.id, &logo)).unwrap_or_default(),
        preview: form.path().replacen(PATH, "/settings/emails/preview", 1),
        form,
        has_server: context.mail.mailer.is_some(),
        own_address: user.user.email.clone(),
    })
}

async fn save(user: Manager, PageForm(form): PageForm<MailTextsForm>) -> PageResult {
    let texts = match form.texts() {
        Ok(texts) => texts,
        Err(faults) => {
            let design = mail_design::find(&user.app.context.db, user.business.id).await?;
            return render_refused(&user, &build_page(&user, design, Form::refused(form, faults)).await?);
        }
    };
    service::set_texts(&user.app.context, &user.change(), (form.kind, form.language), &texts).await?;
    Ok(user.redirect_with_flash(&form.path(), &Flash::success("Texts saved. New emails use them.")))
}

async fn show_preview(user: Manager, PageQuery(query): PageQuery<MailTextsQuery>) -> PageResult {
    let design = mail_design::find(&user.app.context.db, user.business.id).await?;
    let form = query.form(&user, &design)?;
    Ok(preview_page(&user, design, &form))
}

/// Shows what is typed, and stores nothing.
async fn preview_typed(user: Manager, PageForm(form): PageForm<MailTextsForm>) -> PageResult {
    let MailDesign { mut texts, logo } = mail_design::find(&user.app.context.db, user.business.id).await?;
    let typed = match form.texts() {
        Ok(typed) => typed,
        Err(faults) => {
            let why: Vec<String> =
                faults.into_iter().map(|(field, text)| format!("{field}: {text}\n")).collect();
            return Ok(format!("There is no preview of these texts.\n\n{}", why.concat()).into_response());
        }
    };
    texts.retain(|row| (row.kind, row.language) != (form.kind, form.language));
    texts.push(BusinessMailTexts { kind: form.kind, language: form.language, texts: typed });
    Ok(preview_page(&user, MailDesign { texts, logo }, &form))
}

/// A mail has its styles in it, and stands in a frame of our own page.
fn preview_page(user: &CurrentUser, design: MailDesign, form: &MailTextsForm) -> Response {
    let mail = preview(&user.app.context, &user.business, design, (form.kind, form.language));
    // The logo is at the public address, by whatever name we were reached.
    let images = user.app.public_url.origin().ascii_serialization();
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' {images}; frame-ancestors 'self'"
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Html(mail.html)).into_response()
}

#[derive(Deserialize)]
struct TestForm {
    kind: MailKind,
    language: Language,
}

async fn send_test(user: Manager, PageForm(form): PageForm<TestForm>) -> PageResult {
    let to = Recipient { address: user.user.email.clone(), name: user.user.name.clone() };
    let sent =
        service::send_preview(&user.app.context, &user.business, (form.kind, form.language), &to).await;
    let flash = match sent {
        Ok(()) => Flash::information(format!("Sending the saved email to {}.", to.address)),
        Err(ServiceError::NotPossible(why)) => Flash::failure(format!("The email was not sent: {why}.")),
        Err(error) => return Err(error.into()),
    };
    let path = format!("{PATH}?kind={}&language={}", form.kind, form.language);
    Ok(user.redirect_with_flash(&path, &flash))
}

async fn upload_logo(
    user: Manager,
    PageQuery(query): PageQuery<MailTextsQuery>,
    request: Request,
) -> PageResult {
    let image = match read_logo(&user.app, request).await {
        Ok(image) => image,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let flash = Flash::failure("The logo was not saved: the file is larger than 50 kB.");
            return Ok(user.redirect_with_flash(&query.path(), &flash));
        }
        Err(_) => return Err(PageError::Malformed("a form that cannot be read".to_owned())),
    };
    let flash = match image.filter(|image| !image.is_empty()) {
        None => Flash::failure("Choose a picture first."),
        Some(image) => match service::set_logo(&user.app.context, &user.change(), Some(&image)).await {
            Ok(()) => Flash::success("Logo saved."),
            Err(ServiceError::NotPossible(why)) => Flash::failure(format!("The logo was not saved: {why}.")),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(user.redirect_with_flash(&query.path(), &flash))
}

/// The file of the form, if one was chosen.
async fn read_logo(app: &App, request: Request) -> Result<Option<Bytes>, MultipartError> {
    // `csrf` has read the form by now.
    let Ok(mut parts) = Multipart::from_request(request, app).await else { return Ok(None) };
    let mut image = None;
    while let Some(part) = parts.next_field().await? {
        if part.name() == Some("logo") {
            image = Some(part.bytes().await?);
        }
    }
    Ok(image)
}

async fn delete_logo(user: Manager, PageQuery(query): PageQuery<MailTextsQuery>) -> PageResult {
    service::set_logo(&user.app.context, &user.change(), None).await?;
    let flash = Flash::success("Logo removed. Emails that were sent no longer show it.");
    Ok(user.redirect_with_flash(&query.path(), &flash))
}

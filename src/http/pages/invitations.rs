//! How customers are written to: which bookings they are invited to, and from whom mails come.

use askama::Template;
use axum::{Router, routing::get};
use concord_domain::{
    customer::CustomerRules,
    invitation::{InvitationMode, InvitationSettings},
    language::Language,
    settings::FieldErrors,
};
use concord_services::business;
use concord_storage::{
    StorageError,
    businesses::{Business, BusinessSettings},
};
use serde::Deserialize;

use super::{
    CurrentUser, Faults, Flash, Form, Layout, Manager, NavItem, PageForm, PageResult, SelectOption,
    language_options, render_page, render_refused,
};
use crate::app::App;

const NOTICE_RULE: &str = "Enter a whole number of hours from 0 to 8784, or nothing.";

const PATH: &str = "/settings/invitations";

pub(super) fn router() -> Router<App> {
    Router::new().route(PATH, get(show).post(save))
}

#[derive(Template)]
#[template(path = "invitations.html")]
struct InvitationsPage {
    layout: Layout,
    form: Form<InvitationsForm>,
    languages: Vec<SelectOption>,
    /// What mails come from where nothing is entered.
    usual_name: String,
    usual_address: String,
    has_server: bool,
    /// Whether answers of calendars are taken in.
    has_replies: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct InvitationsForm {
    mode: String,
    delay: String,
    sender_name: String,
    sender_address: String,
    reply_address: String,
    language: String,
    /// Hours; empty: customers ask.
    move_notice: String,
    cancel_notice: String,
    /// Whether the box is ticked: `yes`, or nothing.
    decline_cancels: String,
}

async fn show(user: Manager) -> PageResult {
    let settings = &user.business.invitations;
    let form = InvitationsForm {
        mode: settings.mode.to_string(),
        delay: settings.delay_minutes.to_string(),
        sender_name: settings.sender_name.clone(),
        sender_address: settings.sender_address.clone(),
        reply_address: settings.reply_address.clone(),
        language: settings.language.to_string(),
        move_notice: hours(user.business.customers.move_notice_hours),
        cancel_notice: hours(user.business.customers.cancel_notice_hours),
        decline_cancels: if user.business.customers.decline_cancels { "yes" } else { "" }.to_owned(),
    };
    render_page(&user, &build_page(&user, form.into()).await?)
}

async fn build_page(user: &CurrentUser, form: Form<InvitationsForm>) -> PageResult<InvitationsPage> {
    let mail = &user.app.context.mail;
    Ok(InvitationsPage {
        layout: Layout::load(user, NavItem::Settings, "Customer emails").await?,
        languages: language_options(&form.language),
        form,
        usual_name: user.business.name.clone(),
        usual_address: mail.from_address.clone(),
        has_server: mail.mailer.is_some(),
        has_replies: (mail.mailbox.is_some() || user.app.config.mail.receive_secret.is_some())
            && mail.believes_replies(),
    })
}

async fn save(user: Manager, PageForm(form): PageForm<InvitationsForm>) -> PageResult {
    let (invitations, customers) = match parse_form(&form) {
        Ok(parsed) => parsed,
        Err(faults) => return render_refused(&user, &build_page(&user, Form::refused(form, faults)).await?),
    };
    let apply = |before: &Business| {
        Ok::<_, StorageError>(BusinessSettings { invitations, customers, ..before.settings() })
    };
    business::change(&user.app.context, &user.change(), apply).await?;
    Ok(user.redirect_with_flash(PATH, &Flash::success("Settings saved.")))
}

fn hours(hours: Option<u32>) -> String {
    hours.map(|hours| hours.to_string()).unwrap_or_default()
}

fn parse_form(form: &InvitationsForm) -> Result<(InvitationSettings, CustomerRules), Faults> {
    let mut faults = Faults::default();
    let mode: Option<InvitationMode> = form.mode.parse().ok();
    if mode.is_none() {
        faults.add("mode", "Choose an option.");
    }
    let language: Option<Language> = form.language.parse().ok();
    if language.is_none() {
        faults.add("language", "Choose a language from the list.");
    }
    let mut settings = InvitationSettings {
        mode: mode.unwrap_or(InvitationMode::Off),
        // What is no number is none that is allowed.
        delay_minutes: form.delay.trim().parse().unwrap_or(u32::MAX),
        sender_name: form.sender_name.clone(),
        sender_address: form.sender_address.clone(),
        reply_address: form.reply_address.clone(),
        language: language.unwrap_or_default(),
    };
    let mut wrong = FieldErrors::default();
    settings.check(&mut wrong);
    // What is no number is none that is allowed.
    let hours = |typed: &str| match typed.trim() {
        "" => None,
        number => Some(number.parse().unwrap_or(u32::MAX)),
    };
    let customers = CustomerRules {
        move_notice_hours: hours(&form.move_notice),
        cancel_notice_hours: hours(&form.cancel_notice),
        decline_cancels: form.decline_cancels == "yes",
    };
    customers.check(&mut wrong);
    for error in wrong.into_result().err().unwrap_or_default() {
        let (field, text) = match error.field {
            "invitation_delay_minutes" => {
                ("delay", "Enter a whole number of minutes from 0 to 60.".to_owned())
            }
            "move_notice_hours" => ("move_notice", NOTICE_RULE.to_owned()),
            "cancel_notice_hours" => ("cancel_notice", NOTICE_RULE.to_owned()),
            "sender_name" => ("sender_name", format!("The name {}.", error.message)),
            "sender_address" => ("sender_address", format!("The address {}.", error.message)),
            _ => ("reply_address", format!("The address {}.", error.message)),
        };
        faults.add(field, text);
    }
    faults.or((settings, customers))
}

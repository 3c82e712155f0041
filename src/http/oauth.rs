//! The way back from a provider's consent page.
//!
//! What somebody began at the pages is finished at once, in the session in which it began. What a program began is shown
//! first, and finished when the person says yes: a page that others can send somebody to must not connect anything.

use std::str::FromStr;

use askama::Template;
use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, header},
    middleware,
    response::{Html, IntoResponse},
    routing::get,
};
use concord_domain::connection::{ConnectionState, ProviderKind};
use concord_domain::ids::{BusinessId, StaffId};
use concord_services::connect::{self, CallbackBrowser, ConnectError, ConnectedAccount, OAuthCallback};
use concord_storage::{Db, businesses, connections, people};
use secrecy::SecretString;
use serde::Deserialize;

use super::pages::{
    Assets, CurrentUser, Flash, PageError, PageForm, PagePath, PageQuery, PageResult, SessionToken, Theme,
    join_names, refuse_forged, sentence,
};
use crate::{
    app::{App, admission::CredentialKind},
    http::request_origin::RequestOrigin,
};

/// Where providers redirect to: `/oauth/calendar/{google|microsoft}/callback`.
pub fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/oauth/calendar/{provider}/callback", get(callback).post(confirm))
        .layer(middleware::from_fn_with_state(app.clone(), refuse_forged))
}

#[derive(Clone, Default, Deserialize)]
struct OAuthCallbackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    /// Microsoft's, for an administrator who was sent a link by one of their people.
    admin_consent: Option<String>,
}

async fn callback(
    State(app): State<App>,
    PagePath(provider): PagePath<String>,
    PageQuery(answer): PageQuery<OAuthCallbackQuery>,
    user: Result<CurrentUser, PageError>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> PageResult {
    // It connects nothing and belongs to no state: whoever wanted to connect begins again.
    if answer.state.is_none() && answer.error.is_none() && answer.admin_consent.is_some() {
        provider_from_path(&provider)?;
        let said = "Your organisation now allows Concord. Calendars can be connected.";
        return connected_page(&headers, said, "/calendars");
    }
    finish(&app, &provider, answer, user.ok(), (&headers, &visit), false).await
}

/// The person has seen for whom the calendar is, and says yes.
async fn confirm(
    State(app): State<App>,
    PagePath(provider): PagePath<String>,
    user: Result<CurrentUser, PageError>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
    PageForm(answer): PageForm<OAuthCallbackQuery>,
) -> PageResult {
    finish(&app, &provider, answer, user.ok(), (&headers, &visit), true).await
}

fn provider_from_path(provider: &str) -> Result<ProviderKind, PageError> {
    ProviderKind::from_str(provider).map_err(|_| PageError::NotFound("provider"))
}

async fn finish(
    app: &App,
    provider: &str,
    answer: OAuthCallbackQuery,
    user: Option<CurrentUser>,
    (headers, visit): (&HeaderMap, &RequestOrigin),
    is_confirmed: bool,
) -> PageResult {
    let provider = provider_from_path(provider)?;
    app.admission.check_failures(CredentialKind::OAuthState, visit.network())?;
    let session = SessionToken::from_headers(headers).map(|token| token.digest());
    let browser = CallbackBrowser { session: session.as_deref(), is_confirmed };
    let callback = OAuthCallback {
        state: answer.state.clone(),
        code: answer.code.clone().map(SecretString::from),
        error: answer.error.clone(),
        error_description: answer.error_description.clone(),
    };
    let finished = match connect::finish(&app.context, provider, callback, browser).await {
        Ok(finished) => finished,
        Err(ConnectError::Unconfirmed { business, staff }) => {
            return confirm_page(app, headers, provider, answer, (business, staff)).await;
        }
        Err(error) => {
            if matches!(error, ConnectError::UnknownState) {
                app.admission.record_failure(CredentialKind::OAuthState, visit.network());
            }
            return connect_failed(user, provider, error);
        }
    };
    let staff = people::find_staff(&app.context.db, finished.business, finished.staff).await?;
    let whose = staff.map_or_else(|| "The".to_owned(), |staff| format!("{}'s", staff.name));
    let said = format!(
        "{whose} {} calendar ({}) is connected. Bookings are being written and busy times imported.{}{}",
        provider.name(),
        finished.account_email,
        reconnect_warning(&app.context.db, &finished).await?,
        shared_account_warning(&app.context.db, &finished).await?
    );
    match user {
        Some(user) => Ok(user.redirect_with_flash(&finished.return_to, &Flash::success(said))),
        None => connected_page(headers, &said, &finished.return_to),
    }
}

/// Shows for whom a calendar is about to be connected that a program asked for.
#[derive(Template)]
#[template(path = "confirm_calendar.html")]
struct ConfirmCalendarPage<'a> {
    theme: Theme,
    assets: Assets,
    provider: &'static str,
    business: &'a str,
    staff: &'a str,
    state: &'a str,
    code: &'a str,
}

async fn confirm_page(
    app: &App,
    headers: &HeaderMap,
    provider: ProviderKind,
    answer: OAuthCallbackQuery,
    (business, staff): (BusinessId, StaffId),
) -> PageResult {
    let db = &app.context.db;
    let staff = people::find_staff(db, business, staff).await?.ok_or(PageError::NotFound("staff member"))?;
    let business = businesses::find(db, business).await?.ok_or(PageError::NotFound("business"))?;
    let page = ConfirmCalendarPage {
        theme: Theme::from_headers(headers),
        assets: Assets::current(),
        provider: provider.name(),
        business: &business.name,
        staff: &staff.name,
        state: answer.state.as_deref().unwrap_or_default(),
        code: answer.code.as_deref().unwrap_or_default(),
    };
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((no_store, Html(page.render()?)).into_response())
}

/// That another account of the same person still waits to be connected again, as sentences; empty if none does. Who chose
/// another account on the consent page than the one that they wanted to reconnect must be told so.
async fn reconnect_warning(db: &Db, finished: &ConnectedAccount) -> Result<String, PageError> {
    let all = connections::of_staff(db, finished.business, finished.staff).await?;
    let Some(own) = all.iter().find(|one| one.id == finished.connection) else { return Ok(String::new()) };
    let waiting: Vec<String> = all
        .iter()
        .filter(|one| one.provider == own.provider && one.state == ConnectionState::NeedsReconnect)
        .map(|one| one.account_email.clone())
        .collect();
    if waiting.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        " This is a different account from {}, which still needs to be reconnected. Its pending bookings \
         wait for it. Reconnect it, or disconnect it to move its bookings here.",
        join_names(&waiting)
    ))
}

/// Who else of the business has connected the same account, as a sentence of warning; empty if nobody has.
async fn shared_account_warning(db: &Db, finished: &ConnectedAccount) -> Result<String, PageError> {
    let all = connections::list(db, finished.business).await?;
    let Some(own) = all.iter().find(|one| one.id == finished.connection) else { return Ok(String::new()) };
    let mut names = Vec::new();
    for other in &all {
        let is_same = (other.provider, &other.account_subject) == (own.provider, &own.account_subject);
        if is_same
            && other.staff_id != own.staff_id
            && let Some(staff) = people::find_staff(db, finished.business, other.staff_id).await?
        {
            names.push(staff.name);
        }
    }
    let use_it = match names.len() {
        0 => return Ok(String::new()),
        1 => "uses",
        _ => "use",
    };
    let names = join_names(&names);
    Ok(format!(" {names} {use_it} the same account, so their bookings and busy times are mixed."))
}

/// For a person who has no session here, since a program sent them to the consent page: every other page would ask them
/// to sign in.
#[derive(Template)]
#[template(path = "connected.html")]
struct CalendarConnectedPage<'a> {
    theme: Theme,
    assets: Assets,
    text: &'a str,
    /// Where the program wanted them to go.
    to: &'a str,
}

fn connected_page(headers: &HeaderMap, text: &str, to: &str) -> PageResult {
    let page =
        CalendarConnectedPage { theme: Theme::from_headers(headers), assets: Assets::current(), text, to };
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((no_store, Html(page.render()?)).into_response())
}

/// Whoever kept something back knows why, and is where they came from; whatever else went wrong is a page of its own.
fn connect_failed(user: Option<CurrentUser>, provider: ProviderKind, error: ConnectError) -> PageResult {
    let (return_to, words) = match &error {
        ConnectError::Denied { return_to } => (
            return_to,
            "Calendar not connected: access was not granted. Nothing was changed. You can try \
             again any time.",
        ),
        ConnectError::MissingScope { return_to } => (
            return_to,
            "Calendar not connected: some permissions were not granted. Nothing was changed. Connect \
             again and leave all boxes ticked.",
        ),
        _ => return Err(connect_page_error(provider, error)),
    };
    let Some(user) = user else { return Err(connect_page_error(provider, error)) };
    tracing::info!(%provider, reason = %error, "a calendar was not connected");
    Ok(user.redirect_with_flash(return_to, &Flash::information(words)))
}

/// What went wrong in words, and where to try again.
fn connect_page_error(provider: ProviderKind, error: ConnectError) -> PageError {
    if let ConnectError::Storage(error) = error {
        return error.into();
    }
    let message = match &error {
        // That the staff member does not exist would tell the person nothing.
        ConnectError::UnknownStaff => "You are no longer an active staff member.".to_owned(),
        error => sentence(error),
    };
    let advice = match &error {
        ConnectError::Denied { .. } => "Nothing was changed. Connect again and allow access.",
        ConnectError::MissingScope { .. } => {
            "Nothing was changed. Concord needs permission to view calendars and write entries."
        }
        ConnectError::ExpiredState | ConnectError::UsedState | ConnectError::UnknownState => {
            "Nothing was changed. If the calendar is already connected, you are done."
        }
        ConnectError::OtherSession => "Nothing was changed. Use the browser in which you started.",
        ConnectError::SignInFirst => {
            "Nothing was changed. Sign in with a link from a manager and reload this \
             page within 15 minutes, or start again."
        }
        ConnectError::KeyRevoked => {
            "Nothing was changed. Ask a manager of your business, or connect it under Calendars."
        }
        ConnectError::NoRight => {
            "Nothing was changed. Only the staff member and managers can connect this calendar. If you are \
             signed in as someone else, sign out first."
        }
        ConnectError::NotSetUp(_) => {
            "Nothing was changed. An administrator can set it up in the configuration."
        }
        ConnectError::UnknownStaff => "Nothing was changed. If this is wrong, ask a manager.",
        // Who has to do what is in the message, where anybody knows.
        ConnectError::Refused { .. } | ConnectError::Discovery(_) | ConnectError::Unconfirmed { .. } => {
            "Nothing was changed. Start again to connect the calendar."
        }
        ConnectError::Provider { .. } | ConnectError::Storage(_) => {
            "Nothing was changed. Try again in a moment."
        }
    };
    let is_providers = matches!(error, ConnectError::Provider { .. });
    let back = match &error {
        ConnectError::Denied { return_to }
        | ConnectError::MissingScope { return_to }
        | ConnectError::Refused { return_to, .. }
        | ConnectError::Provider { return_to, .. } => return_to.clone(),
        _ => "/calendars".to_owned(),
    };
    tracing::info!(%provider, reason = %message, "a calendar was not connected");
    PageError::Connect { message, advice, is_providers, back }
}

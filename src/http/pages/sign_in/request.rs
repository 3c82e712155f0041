//! The sign-in page: it takes an address, and has a link sent to whoever has it.

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Redirect, Response},
};
use concord_domain::mail::looks_like_mail_address;
use concord_jobs::language::Language;
use concord_services::users;
use serde::Deserialize;

use super::{
    Assets, CurrentUser, PageError, PageQuery, PageResult, Theme, browser::BrowserNonce, return_path,
};
use crate::{
    app::App,
    http::{
        accept_language::accept_language,
        pages::{Form, PageForm, cookies::with_cookie},
        request_origin::RequestOrigin,
    },
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    theme: Theme,
    assets: Assets,
    /// Whether links can be mailed.
    has_mail: bool,
    /// The issuer at which people may sign in, as they know it.
    issuer: Option<String>,
    form: Form<SignInForm>,
}

#[derive(Template)]
#[template(path = "sign_in_sent.html")]
struct LinkSentPage<'a> {
    theme: Theme,
    assets: Assets,
    email: &'a str,
    minutes: u64,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInForm {
    email: String,
}

#[derive(Deserialize)]
pub(super) struct SignInQuery {
    next: Option<String>,
}

/// `user`: somebody who is signed in already needs no link.
pub(super) async fn show(
    State(app): State<App>,
    user: Result<CurrentUser, PageError>,
    PageQuery(query): PageQuery<SignInQuery>,
    headers: HeaderMap,
) -> PageResult {
    let next = query.next.as_deref().filter(|next| return_path::is_return_path(next));
    if user.is_ok() {
        return Ok(Redirect::to(next.unwrap_or("/")).into_response());
    }
    let response = page(&app, &headers, StatusCode::UNAUTHORIZED, SignInForm::default().into())?;
    Ok(match next {
        Some(next) => with_cookie(response, return_path::leave(&app, next)),
        None => response,
    })
}

fn page(app: &App, headers: &HeaderMap, status: StatusCode, form: Form<SignInForm>) -> PageResult<Response> {
    let page = SignInPage {
        theme: Theme::from_headers(headers),
        assets: Assets::current(),
        has_mail: app.context.mail.mailer.is_some(),
        issuer: app.oidc.is_some().then(|| app.config.sign_in.oidc.name.clone()),
        form,
    };
    Ok((status, Html(page.render()?)).into_response())
}

/// The answer is the same whether anybody has the address or not, and so is the work that is done before it.
pub(super) async fn send_link(
    State(app): State<App>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
    PageForm(form): PageForm<SignInForm>,
) -> PageResult {
    if app.context.mail.mailer.is_none() {
        return page(&app, &headers, StatusCode::CONFLICT, form.into());
    }
    let email = form.email.trim();
    if !looks_like_mail_address(email) {
        let refused = Form::refused(form, ("email", "Enter a valid email address."));
        return page(&app, &headers, StatusCode::UNPROCESSABLE_ENTITY, refused);
    }
    app.admission.admit_sign_in_request(visit.network())?;
    let language = Language::choose(None, accept_language(&headers), None);
    let nonce = BrowserNonce::of(&headers);
    users::request_sign_in_link(&app.context, email, &nonce.digest(), language).await?;
    let page = LinkSentPage {
        theme: Theme::from_headers(&headers),
        assets: Assets::current(),
        email,
        minutes: app.config.security.sign_in_link.as_secs() / 60,
    };
    Ok(with_cookie(Html(page.render()?).into_response(), nonce.cookie(&app)))
}

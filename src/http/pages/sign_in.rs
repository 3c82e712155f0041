//! Signing in by a link, and out.
//!
//! A link that a person was sent works once. Opening it only asks: what scans mails and chats for links opens them too,
//! and would use it up. A link that works until it expires, as the demo prints, signs in at once.
//!
//! Who wanted to see a page and has to sign in first gets there in the end: the page that says how to sign in leaves
//! the way in a cookie, since the link comes from elsewhere.

use askama::Template;
use axum::{
    Extension, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use concord_domain::people::Actor;
use concord_services::users;
use concord_storage::{
    ChangeContext, businesses,
    people::User,
    secret,
    sign_in::{self, NewSession, ValidSignInLink},
};
use secrecy::SecretString;
use serde::Deserialize;

use super::cookies::{cookie, read_cookie, with_cookie};
use super::{
    Assets, CurrentUser, PageError, PagePath, PageQuery, PageResult, SessionToken, Theme, local_path,
};
use crate::{
    app::{App, admission::CredentialKind},
    http::request_origin::RequestOrigin,
};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/sign-in", get(show))
        .route("/sign-in/{token}", get(show_link).post(sign_in))
        .route("/sign-out", post(sign_out))
}

/// The cookie that holds where somebody wanted to go.
const RETURN_PATH_COOKIE: &str = "concord_next";

/// Longer ones are no page's; browsers keep cookies of up to 4096 bytes (RFC 6265, section 6.1).
const MAX_RETURN_PATH_LENGTH: usize = 2000;

/// The way that is left in the browser, for as long as a link works.
fn return_path_cookie(app: &App, next: &str) -> HeaderValue {
    cookie(app, RETURN_PATH_COOKIE, &URL_SAFE_NO_PAD.encode(next), app.config.security.sign_in_link.as_secs())
}

/// The way that was left. Not every cookie is ours, so it is looked at as closely as what stands in an address.
fn return_path(headers: &HeaderMap) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(read_cookie(headers, RETURN_PATH_COOKIE)?).ok()?;
    String::from_utf8(bytes).ok().filter(|next| is_return_path(next))
}

/// Whether somebody can have wanted to go there: a page of ours, and not a part that a script asked for.
fn is_return_path(next: &str) -> bool {
    let path = next.split('?').next().unwrap_or_default();
    let is_part = path.starts_with("/live/") || path.ends_with("/live");
    next.len() <= MAX_RETURN_PATH_LENGTH && !is_part && local_path(next).is_some()
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    theme: Theme,
    assets: Assets,
    /// Who would be signed in, and where; `None`: nobody has a link yet.
    person: Option<SignInPerson>,
}

struct SignInPerson {
    name: String,
    role: &'static str,
    business: String,
}

#[derive(Deserialize)]
struct SignInQuery {
    next: Option<String>,
}

/// `user`: somebody who is signed in already needs no explanation.
async fn show(
    State(app): State<App>,
    user: Result<CurrentUser, PageError>,
    PageQuery(query): PageQuery<SignInQuery>,
    headers: HeaderMap,
) -> PageResult {
    let next = query.next.as_deref().filter(|next| is_return_path(next));
    if user.is_ok() {
        return Ok(Redirect::to(next.unwrap_or("/")).into_response());
    }
    let page = SignInPage { theme: Theme::from_headers(&headers), assets: Assets::current(), person: None };
    let response = (StatusCode::UNAUTHORIZED, Html(page.render()?)).into_response();
    Ok(match next {
        Some(next) => with_cookie(response, return_path_cookie(&app, next)),
        None => response,
    })
}

async fn show_link(
    State(app): State<App>,
    PagePath(token): PagePath<String>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> PageResult {
    let digest = secret::digest(&SecretString::from(token));
    let ValidSignInLink { user, reusable } = find_link(&app, &visit, &digest).await?;
    if reusable {
        return begin_session(&app, &headers, &user).await;
    }
    let business = businesses::find(&app.context.db, user.business_id).await?.ok_or(PageError::DeadLink)?;
    let person = SignInPerson { name: user.name, role: user.role.as_str(), business: business.name };
    let page =
        SignInPage { theme: Theme::from_headers(&headers), assets: Assets::current(), person: Some(person) };
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(page.render()?)).into_response())
}

/// A link that works. It is looked for by a reader, so that one that opens nothing never waits for the database's writer.
async fn find_link(app: &App, visit: &RequestOrigin, digest: &str) -> PageResult<ValidSignInLink> {
    let lookup = sign_in::find_link(&app.context.db, digest, app.now());
    let found = app.admission.look_up(CredentialKind::Link, visit.network(), digest, lookup).await?;
    found.ok_or(PageError::DeadLink)
}

async fn sign_in(
    State(app): State<App>,
    PagePath(token): PagePath<String>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> PageResult {
    let digest = secret::digest(&SecretString::from(token));
    find_link(&app, &visit, &digest).await?;
    let mut tx = app.context.db.begin().await?;
    let user = sign_in::use_link(&mut tx, &digest, app.now()).await?.ok_or(PageError::DeadLink)?;
    tx.commit().await?;
    begin_session(&app, &headers, &user).await
}

/// Begins a session under a new token, whatever the browser had before.
async fn begin_session(app: &App, headers: &HeaderMap, user: &User) -> PageResult {
    let token = SessionToken::new();
    let now = app.now();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let new = NewSession {
        business: user.business_id,
        user: user.id,
        digest: &token.digest(),
        user_agent: &agent.chars().take(300).collect::<String>(),
        expires_at: now + app.config.security.session,
    };
    let actor = Actor::User { id: user.id, name: user.name.clone() };
    let by = ChangeContext { business: user.business_id, actor, now };
    let former = SessionToken::from_headers(headers).map(|before| before.digest());
    users::begin_session(&app.context, &by, &new, former.as_deref()).await?;
    app.admission.remember(new.digest).await;
    let next = return_path(headers);
    let mut response = Redirect::to(next.as_deref().unwrap_or("/")).into_response();
    if next.is_some() {
        response = with_cookie(response, cookie(app, RETURN_PATH_COOKIE, "", 0));
    }
    Ok(with_cookie(response, token.cookie(app)))
}

async fn sign_out(user: CurrentUser) -> PageResult {
    users::end_session(&user.app.context, &user.change(), user.user.id, &user.token.digest()).await?;
    Ok(with_cookie(Redirect::to("/sign-in").into_response(), SessionToken::removal_cookie(&user.app)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_leads_to_a_page_of_ours() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            let cookie = format!("{RETURN_PATH_COOKIE}={}", URL_SAFE_NO_PAD.encode(value));
            headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
            return_path(&headers)
        };
        assert_eq!(with("/bookings?q=maria silva").as_deref(), Some("/bookings?q=maria silva"));
        let long = format!("/bookings?q={}", "a".repeat(MAX_RETURN_PATH_LENGTH));
        for no_way in ["//evil.example", "https://evil.example", "/live/needs", "/bookings/B-1/live?x", &long]
        {
            assert_eq!(with(no_way), None, "{no_way}");
        }
        assert_eq!(return_path(&HeaderMap::new()), None);
    }
}

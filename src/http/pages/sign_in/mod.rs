//! Signing in by a link, and out.
//!
//! Whoever types an address is sent a link, and told the same whether anybody has that address or not (`request`). A link
//! works once, and only for what is sent by POST: what scans mails and chats for links opens them too, and would use it up.
//! In the browser that asked for it, which has a cookie, the page that it opens sends that by itself; in any other it asks
//! first (`link`). A link that works until it expires, as the demo prints, signs in at once.
//!
//! Who wanted to see a page and has to sign in first gets there in the end: the sign-in page leaves the way in a cookie
//! (`return_path`), since the link comes from elsewhere.

mod browser;
mod link;
mod oidc;
mod request;
mod return_path;

use axum::{
    Router,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use concord_domain::people::Actor;
use concord_services::users;
use concord_storage::{ChangeContext, people::User, sign_in::NewSession};

use super::cookies::with_cookie;
use super::{Assets, CurrentUser, PageError, PagePath, PageQuery, PageResult, SessionToken, Theme};
use crate::app::App;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/sign-in", get(request::show).post(request::send_link))
        .route("/oauth/sign-in", get(oidc::start))
        .route("/oauth/sign-in/callback", get(oidc::callback))
        .route("/sign-in/{token}", get(link::show).post(link::sign_in))
        .route("/sign-out", post(sign_out))
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
    let next = return_path::read(headers);
    let mut response = Redirect::to(next.as_deref().unwrap_or("/")).into_response();
    if next.is_some() {
        response = with_cookie(response, return_path::removal_cookie(app));
    }
    Ok(with_cookie(response, token.cookie(app)))
}

async fn sign_out(user: CurrentUser) -> PageResult {
    users::end_session(&user.app.context, &user.change(), user.user.id, &user.token.digest()).await?;
    Ok(with_cookie(Redirect::to("/sign-in").into_response(), SessionToken::removal_cookie(&user.app)))
}

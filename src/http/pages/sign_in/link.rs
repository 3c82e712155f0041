//! What a sign-in link opens: a question, and the answer that uses the link up.

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, header},
    response::{Html, IntoResponse},
};
use concord_storage::{
    businesses, secret,
    sign_in::{self, ValidSignInLink},
};
use secrecy::SecretString;
use serde::Deserialize;

use super::{Assets, PageError, PagePath, PageQuery, PageResult, Theme, begin_session, browser};
use crate::{
    app::{App, admission::CredentialKind},
    http::request_origin::RequestOrigin,
};

/// Which browser has opened a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkBrowser {
    /// The one that asked for it.
    Asked,
    /// Another one than that.
    Other,
    /// Nobody's browser asked: a manager made the link, or the command line.
    NotKnown,
}

impl LinkBrowser {
    fn of(headers: &HeaderMap, link: &ValidSignInLink) -> Self {
        match &link.browser {
            None => Self::NotKnown,
            Some(digest) if browser::is_same(headers, digest) => Self::Asked,
            Some(_) => Self::Other,
        }
    }
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct SignInLinkPage {
    theme: Theme,
    assets: Assets,
    browser: LinkBrowser,
    name: String,
    role: &'static str,
    business: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInAnswer {
    /// They have seen that they asked in another browser, and want to be signed in here.
    confirmed: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    PagePath(token): PagePath<String>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> PageResult {
    let digest = secret::digest(&SecretString::from(token));
    let link = find_link(&app, &visit, &digest).await?;
    if link.reusable {
        return begin_session(&app, &headers, &link.user).await;
    }
    ask(&app, &headers, link).await
}

async fn ask(app: &App, headers: &HeaderMap, link: ValidSignInLink) -> PageResult {
    let business = businesses::find(&app.context.db, link.user.business_id).await?;
    let page = SignInLinkPage {
        theme: Theme::from_headers(headers),
        assets: Assets::current(),
        browser: LinkBrowser::of(headers, &link),
        name: link.user.name,
        role: link.user.role.as_str(),
        business: business.ok_or(PageError::DeadLink)?.name,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(page.render()?)).into_response())
}

/// A link that works. It is looked for by a reader, so that one that opens nothing never waits for the database's writer.
async fn find_link(app: &App, visit: &RequestOrigin, digest: &str) -> PageResult<ValidSignInLink> {
    let lookup = sign_in::find_link(&app.context.db, digest, app.now());
    let found = app.admission.look_up(CredentialKind::Link, visit.network(), digest, lookup).await?;
    found.ok_or(PageError::DeadLink)
}

pub(super) async fn sign_in(
    State(app): State<App>,
    PagePath(token): PagePath<String>,
    PageQuery(answer): PageQuery<SignInAnswer>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> PageResult {
    let digest = secret::digest(&SecretString::from(token));
    let link = find_link(&app, &visit, &digest).await?;
    if LinkBrowser::of(&headers, &link) == LinkBrowser::Other && answer.confirmed.is_none() {
        return ask(&app, &headers, link).await;
    }
    let mut tx = app.context.db.begin().await?;
    let user = sign_in::use_link(&mut tx, &digest, app.now()).await?.ok_or(PageError::DeadLink)?;
    tx.commit().await?;
    begin_session(&app, &headers, &user).await
}

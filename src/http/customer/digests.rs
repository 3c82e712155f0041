//! Turning digests off without signing in: by a button, or by a mail program for its reader (RFC 8058). Their readers are people
//! of the business; all else about the page is as for customers.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use concord_domain::language::Language;
use concord_jobs::language::TextKey;
use concord_services::notifications::{self, DigestVisit};

use super::{CustomerPageError, CustomerResult, CustomerTexts, answer_with};
use crate::{
    app::{App, admission::CredentialKind},
    http::{accept_language::accept_language, pages::Assets, request_origin::RequestOrigin},
};

#[derive(Template)]
#[template(path = "customer/digests.html")]
struct DigestsPage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    heading: String,
    is_off: bool,
}

async fn open(app: &App, origin: &RequestOrigin, token: &str) -> Result<DigestVisit, CustomerPageError> {
    let digest = notifications::digest_of_token(token);
    let lookup = notifications::open_digest_link(&app.context, &digest);
    let found = app.admission.look_up(CredentialKind::Link, origin.network(), &digest, lookup).await?;
    found.ok_or(CustomerPageError::Gone)
}

/// Asks first: programs that look for viruses open every link of a mail.
pub(super) async fn confirm(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    page(&visit, &headers, visit.is_off)
}

/// What is sent with it does not matter: a mail program sends `List-Unsubscribe=One-Click`, and the button nothing.
pub(super) async fn turn_off(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let visit = open(&app, &origin, &token).await?;
    notifications::turn_digests_off(&app.context, &visit).await?;
    page(&visit, &headers, true)
}

fn page(visit: &DigestVisit, headers: &HeaderMap, is_off: bool) -> CustomerResult {
    let language = Language::choose(None, accept_language(headers), None);
    let texts = CustomerTexts { language, business: &visit.business.name };
    let heading = texts.text(if is_off { TextKey::DigestOff } else { TextKey::DigestOffHeading });
    let page = DigestsPage { texts: &texts, assets: Assets::current(), heading, is_off };
    Ok(answer_with(StatusCode::OK, page.render()?))
}

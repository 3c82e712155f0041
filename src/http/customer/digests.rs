//! Turning digests off, and on again, without signing in: by a button, or by a mail program for its reader (RFC 8058). Their readers are people
//! of the business; all else about the page is as for customers.

use askama::Template;
use axum::{
    extract::{FromRequestParts, Path},
    http::{StatusCode, request::Parts},
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
    /// Where the button leads.
    action: String,
    is_off: bool,
}

/// Somebody who has the link of a digest: the token in the path is known.
pub(super) struct DigestReader {
    app: App,
    token: String,
    visit: DigestVisit,
    language: Language,
}

impl FromRequestParts<App> for DigestReader {
    type Rejection = CustomerPageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, CustomerPageError> {
        let token = Path::<String>::from_request_parts(parts, app).await;
        let Path(token) = token.map_err(|_| CustomerPageError::Gone)?;
        let network = parts.extensions.get::<RequestOrigin>().and_then(RequestOrigin::network);
        let digest = notifications::digest_of_token(&token);
        let lookup = notifications::open_digest_link(&app.context, &digest);
        let found = app.admission.look_up(CredentialKind::Link, network, &digest, lookup).await?;
        let language = Language::choose(None, accept_language(&parts.headers), None);
        Ok(Self { app: app.clone(), token, visit: found.ok_or(CustomerPageError::Gone)?, language })
    }
}

/// Asks first: programs that look for viruses open every link of a mail.
pub(super) async fn confirm(reader: DigestReader) -> CustomerResult {
    page(&reader, reader.visit.is_off)
}

/// What is sent with it does not matter: a mail program sends `List-Unsubscribe=One-Click`, and the button nothing.
pub(super) async fn turn_off(reader: DigestReader) -> CustomerResult {
    notifications::set_digests_off(&reader.app.context, &reader.visit, true).await?;
    page(&reader, true)
}

pub(super) async fn turn_on(reader: DigestReader) -> CustomerResult {
    notifications::set_digests_off(&reader.app.context, &reader.visit, false).await?;
    page(&reader, false)
}

fn page(reader: &DigestReader, is_off: bool) -> CustomerResult {
    let texts = &CustomerTexts { language: reader.language, business: &reader.visit.business.name };
    let heading = texts.text(if is_off { TextKey::DigestOffDoneHeading } else { TextKey::DigestOffHeading });
    let action = format!("/digests/{}/{}", if is_off { "on" } else { "off" }, reader.token);
    let page = DigestsPage { texts, assets: Assets::current(), heading, action, is_off };
    Ok(answer_with(StatusCode::OK, page.render()?))
}

//! All bookings of one address with a business, by a link that is mailed to it.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use concord_domain::language::Language;
use concord_jobs::{invitations::BookingTexts, language::TextKey};
use concord_services::customers::{self, CustomerPortal};
use secrecy::ExposeSecret;

use super::{
    CompletedAction, CustomerPageError, CustomerResult, CustomerTexts, PageVisitor, answer_with,
    page::refused,
};
use crate::{
    app::{App, admission::CredentialKind},
    http::{accept_language::accept_language, pages::Assets, request_origin::RequestOrigin},
};

#[derive(Template)]
#[template(path = "customer/portal.html")]
struct PortalPage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    /// What is to come and what is past, each under its heading, as far as there is any.
    sections: Vec<(String, Vec<PortalRow>)>,
}

struct PortalRow {
    path: String,
    title: String,
    when: String,
    is_cancelled: bool,
}

pub(super) async fn send_link(visitor: PageVisitor) -> CustomerResult {
    match customers::send_portal_link(&visitor.app.context, &visitor.visit).await {
        Ok(()) => Ok(visitor.redirect(CompletedAction::LinkSent)),
        Err(error) => refused(&visitor, error),
    }
}

pub(super) async fn show(
    State(app): State<App>,
    Path(token): Path<String>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> CustomerResult {
    let digest = customers::digest(&token);
    let lookup = customers::portal(&app.context, &digest);
    let found = app.admission.look_up(CredentialKind::Link, origin.network(), &digest, lookup).await?;
    let CustomerPortal { business, bookings } = found.ok_or(CustomerPageError::Gone)?;
    let newest = bookings.first().and_then(|(visit, _)| visit.subject.booking.draft.customer.language);
    let language = Language::choose(newest, accept_language(&headers), Some(business.invitations.language));
    let texts = CustomerTexts { language, business: &business.name };
    let now = app.now();
    let (mut coming, mut past) = (Vec::new(), Vec::new());
    for (visit, token) in &bookings {
        let subject = &visit.subject;
        let own = BookingTexts::of(subject).in_language(language);
        let row = PortalRow {
            path: format!("/b/{}", token.expose_secret()),
            title: subject.named().content().title,
            when: own.time(&subject.booking.draft.time),
            is_cancelled: !subject.booking.draft.status.occupies(),
        };
        if subject.booking.interval.end > now { coming.push(row) } else { past.push(row) }
    }
    // The next one first.
    coming.reverse();
    let mut sections = vec![
        (texts.text(TextKey::CustomerPortalComing), coming),
        (texts.text(TextKey::CustomerPortalPast), past),
    ];
    sections.retain(|(_, rows)| !rows.is_empty());
    let page = PortalPage { texts: &texts, assets: Assets::current(), sections };
    Ok(answer_with(StatusCode::OK, page.render()?))
}

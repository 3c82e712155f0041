//! What a customer reads, in their language.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{customer::MAX_WISH, language::Language};
use concord_jobs::language::{TextKey, dates, text};
use concord_services::customers::CustomerVisit;

use crate::http::pages::Assets;

/// The texts of one page.
#[derive(Clone, Copy)]
pub(super) struct CustomerTexts<'a> {
    pub(super) language: Language,
    pub(super) business: &'a str,
}

#[derive(Template)]
#[template(path = "customer/message.html")]
struct MessagePage<'a> {
    texts: &'a CustomerTexts<'a>,
    assets: Assets,
    title: String,
    message: String,
}

impl<'a> CustomerTexts<'a> {
    /// Those of a visit: of the booking's language, or the browser's, or the business's.
    pub(super) fn of(visit: &'a CustomerVisit, accept_language: Option<&str>) -> Self {
        let business = &visit.subject.business;
        let own = visit.subject.booking.draft.customer.language;
        let language = Language::choose(own, accept_language, Some(business.invitations.language));
        Self { language, business: &business.name }
    }

    /// A text without variables.
    pub(super) fn text(&self, key: TextKey) -> String {
        text(self.language, key, [])
    }

    /// A text that names the business.
    pub(super) fn with_business(&self, key: TextKey) -> String {
        text(self.language, key, [("business", self.business.into())])
    }

    /// A text that names an instant, on the clocks of a zone.
    pub(super) fn with_time(&self, key: TextKey, at: DateTime<Utc>, zone: Tz) -> String {
        let time = dates::date_time(at, zone, self.language);
        text(self.language, key, [("time", time.into())])
    }

    pub(super) fn long_wish(&self) -> String {
        text(self.language, TextKey::CustomerAskLong, [("limit", MAX_WISH.into())])
    }

    /// The page of a token that opens nothing.
    pub(super) fn gone_page(&self) -> askama::Result<String> {
        self.message_page(TextKey::CustomerGoneTitle, TextKey::CustomerGoneText)
    }

    /// The page for when too much is asked.
    pub(super) fn busy_page(&self) -> askama::Result<String> {
        self.message_page(TextKey::CustomerBusyTitle, TextKey::CustomerBusyText)
    }

    fn message_page(&self, title: TextKey, message: TextKey) -> askama::Result<String> {
        let (title, message) = (self.text(title), self.text(message));
        MessagePage { texts: self, assets: Assets::current(), title, message }.render()
    }
}

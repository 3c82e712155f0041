//! What a customer reads, in their language.

use askama::Template;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{customer::MAX_WISH, language::Language};
use concord_jobs::language::{TextKey, dates, text};

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

impl CustomerTexts<'_> {
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

    /// The page for when it could not be made; with what status.
    pub(super) fn failed_page(&self, status: StatusCode) -> askama::Result<String> {
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                self.message_page(TextKey::CustomerBusyTitle, TextKey::CustomerBusyText)
            }
            _ if status.is_client_error() => {
                self.message_page(TextKey::CustomerFailedTitle, TextKey::CustomerMalformedText)
            }
            _ => self.message_page(TextKey::CustomerFailedTitle, TextKey::CustomerFailedText),
        }
    }

    fn message_page(&self, title: TextKey, message: TextKey) -> askama::Result<String> {
        let (title, message) = (self.text(title), self.text(message));
        MessagePage { texts: self, assets: Assets::current(), title, message }.render()
    }
}

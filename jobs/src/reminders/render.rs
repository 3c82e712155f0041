//! What a reminder says.

use askama::Template;
use concord_domain::mail::one_line;

use crate::{
    invitations::{BookingFact, BookingTexts},
    language::{TextKey, text},
    mail::{
        RenderedMail,
        render::{MailFrame, MailLink},
    },
};

#[derive(Template)]
#[template(path = "mail/reminder.txt", escape = "none")]
struct ReminderText<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    facts: &'a [BookingFact],
    zone: &'a str,
    link: &'a MailLink,
    /// Where reminders are turned off; empty: nowhere.
    off: &'a str,
}

#[derive(Template)]
#[template(path = "mail/reminder.html")]
struct ReminderHtml<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    facts: &'a [BookingFact],
    zone: &'a str,
    link: &'a MailLink,
    off: &'a str,
}

/// To the customer. `page`: their own page of the booking; `off`: where they turn reminders off.
pub(super) fn to_customer(texts: &BookingTexts<'_>, (page, off): (String, &str)) -> RenderedMail {
    let link = MailLink { url: page, label: text(texts.language, TextKey::CustomerManage, []) };
    render(texts, (TextKey::ReminderHeading, TextKey::InvitationFooter), (&link, off))
}

/// To a staff member. `page`: the page of the booking.
pub(super) fn to_staff(texts: &BookingTexts<'_>, page: String) -> RenderedMail {
    let link = MailLink { url: page, label: text(texts.language, TextKey::MailOpen, []) };
    render(texts, (TextKey::ReminderStaffHeading, TextKey::MailFooter), (&link, ""))
}

fn render(
    texts: &BookingTexts<'_>,
    (heading, footer): (TextKey, TextKey),
    (link, off): (&MailLink, &str),
) -> RenderedMail {
    let (language, subject) = (texts.language, texts.subject);
    let content = subject.named().content();
    let title = text(language, TextKey::ReminderSubject, [("title", content.title.as_str().into())]);
    let facts = &texts.facts(&content, None);
    let zone = &texts.zone_note();
    let heading = &text(language, heading, []);
    let frame = &MailFrame { language, business: &subject.business.name, footer };
    let plain = ReminderText { frame, heading, facts, zone, link, off };
    RenderedMail::new(one_line(&title), &plain, &ReminderHtml { frame, heading, facts, zone, link, off })
}

//! What a reminder says.

use askama::Template;
use concord_domain::{
    mail::{MailKind, one_line},
    mail_text::MailTexts,
};

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
    /// The business's own words.
    intro: &'a str,
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
    intro: &'a str,
    facts: &'a [BookingFact],
    zone: &'a str,
    link: &'a MailLink,
    off: &'a str,
}

/// To the customer of that name. `page`: their own page of the booking; `off`: where they turn reminders off.
pub(crate) fn to_customer(texts: &BookingTexts<'_>, name: &str, (page, off): (String, &str)) -> RenderedMail {
    let link = MailLink { url: page, label: text(texts.language, TextKey::CustomerManage, []) };
    let own = texts.own_words(MailKind::Reminder, &texts.subject.named().content(), name);
    let frame = MailFrame::new(texts.language, &texts.subject.business.name, TextKey::InvitationFooter)
        .designed(&texts.subject.logo, &own.closing);
    render(texts, (&frame, TextKey::ReminderHeading), &own, (&link, off))
}

/// To a staff member. `page`: the page of the booking.
pub(super) fn to_staff(texts: &BookingTexts<'_>, page: String) -> RenderedMail {
    let link = MailLink { url: page, label: text(texts.language, TextKey::MailOpen, []) };
    let frame = MailFrame::new(texts.language, &texts.subject.business.name, TextKey::MailFooter);
    render(texts, (&frame, TextKey::ReminderStaffHeading), &MailTexts::default(), (&link, ""))
}

fn render(
    texts: &BookingTexts<'_>,
    (frame, heading): (&MailFrame<'_>, TextKey),
    own: &MailTexts,
    (link, off): (&MailLink, &str),
) -> RenderedMail {
    let content = texts.subject.named().content();
    let usual = || text(texts.language, TextKey::ReminderSubject, [("title", content.title.as_str().into())]);
    let title = if own.subject.is_empty() { usual() } else { own.subject.clone() };
    let facts = &texts.facts(&content, None);
    let zone = &texts.zone_note();
    let heading = &text(texts.language, heading, []);
    let intro = own.intro.as_str();
    let plain = ReminderText { frame, heading, intro, facts, zone, link, off };
    RenderedMail::new(
        one_line(&title),
        &plain,
        &ReminderHtml { frame, heading, intro, facts, zone, link, off },
    )
}

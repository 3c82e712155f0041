//! What a reminder says.

use askama::Template;
use chrono_tz::Tz;
use concord_domain::mail::one_line;

use crate::{
    invitations::{BookingFact, CustomerText, Subject},
    language::{TextKey, text},
    mail::{
        RenderedMail,
        render::{MailFrame, shown},
    },
};

#[derive(Template)]
#[template(path = "mail/reminder.txt", escape = "none")]
struct ReminderText<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    facts: &'a [BookingFact],
    zone: &'a str,
    link: &'a Link<'a>,
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
    link: &'a Link<'a>,
    off: &'a str,
}

struct Link<'a> {
    url: &'a str,
    words: String,
}

/// To the customer. `page`: their own page of the booking; `off`: where they turn reminders off.
pub(super) fn to_customer(
    texts: &CustomerText<'_>,
    subject: &Subject,
    (page, off): (&str, &str),
) -> RenderedMail {
    let link = Link { url: page, words: text(texts.language, TextKey::CustomerManage, []) };
    render(texts, subject, (TextKey::ReminderHeading, TextKey::InvitationFooter), (&link, off))
}

/// To a staff member. `link`: the page of the booking.
pub(super) fn to_staff(texts: &CustomerText<'_>, subject: &Subject, link: &str) -> RenderedMail {
    let link = Link { url: link, words: text(texts.language, TextKey::MailOpen, []) };
    render(texts, subject, (TextKey::ReminderStaffHeading, TextKey::MailFooter), (&link, ""))
}

fn render(
    texts: &CustomerText<'_>,
    subject: &Subject,
    (heading, footer): (TextKey, TextKey),
    (link, off): (&Link<'_>, &str),
) -> RenderedMail {
    let language = texts.language;
    let content = subject.named().content();
    let title = text(language, TextKey::ReminderSubject, [("title", content.title.as_str().into())]);
    let title = one_line(&title);
    let facts = &texts.facts(&content, None);
    let zone = &text(language, TextKey::CustomerZone, [("zone", zone_name(subject.zone).into())]);
    let heading = &text(language, heading, []);
    let frame = &MailFrame { language, business: &subject.business.name, footer };
    RenderedMail {
        text: shown(&ReminderText { frame, heading, facts, zone, link, off }, &title),
        html: shown(&ReminderHtml { frame, heading, facts, zone, link, off }, &title),
        subject: title,
    }
}

fn zone_name(zone: Tz) -> String {
    zone.name().replace('_', " ")
}

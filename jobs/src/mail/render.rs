//! The mails: pure functions from values to a subject, a text and HTML, in a language.
//!
//! The templates stand beside those of the pages, in `templates/mail/`, one `.txt` and one `.html` each. They are rendered
//! here, not in the front, because it is workers that write mails, and a worker has no front.

use askama::Template;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use concord_domain::{
    mail::secret_placeholder,
    notice::{MAX_LISTED_NOTICES, NoticeKind},
};
use concord_storage::notices::Notice;

use super::MailSettings;
use crate::language::{Language, TextKey, dates::date_time, text};

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedMail {
    pub subject: String,
    /// The part for those who read text.
    pub text: String,
    /// The part for those who read HTML.
    pub html: String,
}

impl RenderedMail {
    pub(crate) fn new(subject: String, text: &impl Template, html: &impl Template) -> Self {
        Self { text: shown(text, &subject), html: shown(html, &subject), subject }
    }
}

/// A template's text. It fails only if what it shows cannot be shown, and these show texts; then `otherwise` is shown.
fn shown(template: &impl Template, otherwise: &str) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a mail's template failed");
        otherwise.to_owned()
    })
}

/// A text that was kept out of a template, as one would have put it in.
pub(crate) fn escape_html(text: &str) -> String {
    #[derive(Template)]
    #[template(source = "{{ text }}", ext = "html")]
    struct Escaped<'a> {
        text: &'a str,
    }
    Escaped { text }.render().unwrap_or_default()
}

/// What all mails have around what they say.
pub(crate) struct MailFrame<'a> {
    pub(crate) language: Language,
    pub(crate) business: &'a str,
    /// Says why the reader gets it.
    footer: TextKey,
    /// The absolute address of the business's logo; empty: none.
    pub(crate) logo: &'a str,
    /// The business's own words at the end, by line.
    pub(crate) closing: Vec<&'a str>,
}

impl<'a> MailFrame<'a> {
    /// `footer`: says why the reader gets it.
    pub(crate) fn new(language: Language, business: &'a str, footer: TextKey) -> Self {
        Self { language, business, footer, logo: "", closing: Vec::new() }
    }

    /// With the business's logo and words.
    pub(crate) fn designed(self, logo: &'a str, closing: &'a str) -> Self {
        Self { logo, closing: closing.lines().collect(), ..self }
    }

    /// A text without variables.
    pub(crate) fn text(&self, key: TextKey) -> String {
        text(self.language, key, [])
    }

    pub(crate) fn footer(&self) -> String {
        text(self.language, self.footer, [("business", self.business.into())])
    }
}

/// A notice as it stands in a mail.
struct MailNotice<'a> {
    headline: &'a str,
    lines: Vec<&'a str>,
    link: String,
}

#[derive(Template)]
#[template(path = "mail/notice.txt", escape = "none")]
struct NoticeText<'a> {
    frame: &'a MailFrame<'a>,
    notice: &'a MailNotice<'a>,
    /// Where digests are turned off; empty: it is none.
    off: &'a str,
}

#[derive(Template)]
#[template(path = "mail/notice.html")]
struct NoticeHtml<'a> {
    frame: &'a MailFrame<'a>,
    notice: &'a MailNotice<'a>,
    /// Where digests are turned off; empty: it is none.
    off: &'a str,
}

#[derive(Template)]
#[template(path = "mail/digest.txt", escape = "none")]
struct DigestText<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    counts: &'a [String],
    notices: &'a [MailNotice<'a>],
    more: &'a str,
    link: &'a str,
    /// Where digests are turned off; empty: it is none.
    off: &'a str,
}

#[derive(Template)]
#[template(path = "mail/digest.html")]
struct DigestHtml<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    counts: &'a [String],
    notices: &'a [MailNotice<'a>],
    more: &'a str,
    link: &'a str,
    /// Where digests are turned off; empty: it is none.
    off: &'a str,
}

/// What happened, to somebody of the business: a mail about it, or of several things their numbers and the first ones.
/// `off`: where its reader turns digests off, if it is one.
pub fn digest(
    language: Language,
    business: &str,
    mail: &MailSettings,
    notices: &[&Notice],
    off: Option<&str>,
) -> RenderedMail {
    let off = off.unwrap_or_default();
    let frame = &MailFrame::new(language, business, TextKey::MailFooter);
    let as_lines = |notice: &&'_ Notice| -> (String, Vec<String>, String) {
        let lines = notice.detail.lines().map(str::to_owned).collect();
        (notice.headline.clone(), lines, mail.address(&notice.link))
    };
    let owned: Vec<_> = notices.iter().take(MAX_LISTED_NOTICES).map(as_lines).collect();
    let shown: Vec<MailNotice<'_>> = owned
        .iter()
        .map(|(headline, lines, link)| MailNotice {
            headline,
            lines: lines.iter().map(String::as_str).collect(),
            link: link.clone(),
        })
        .collect();
    if let ([notice], 1) = (shown.as_slice(), notices.len()) {
        let subject = notice.headline.to_owned();
        return RenderedMail::new(
            subject,
            &NoticeText { frame, notice, off },
            &NoticeHtml { frame, notice, off },
        );
    }
    let all = [("count", notices.len().into()), ("business", business.into())];
    let heading = text(language, TextKey::DigestHeading, all);
    let counts: Vec<String> = NoticeKind::ALL
        .iter()
        .map(|kind| (kind, notices.iter().filter(|notice| notice.kind == *kind).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| {
            let counted = [("kind", kind.as_str().into()), ("count", count.into())];
            text(language, TextKey::DigestCounted, counted)
        })
        .collect();
    let more = match notices.len() - shown.len() {
        0 => String::new(),
        more => text(language, TextKey::DigestMore, [("count", more.into())]),
    };
    let (more, link) = (more.as_str(), mail.address("/"));
    let (heading, counts, notices, link) =
        (heading.as_str(), counts.as_slice(), shown.as_slice(), link.as_str());
    let plain = DigestText { frame, heading, counts, notices, more, link, off };
    let html = DigestHtml { frame, heading, counts, notices, more, link, off };
    RenderedMail::new(heading.to_owned(), &plain, &html)
}

#[derive(Template)]
#[template(path = "mail/test.txt", escape = "none")]
struct TestMailText<'a> {
    frame: &'a MailFrame<'a>,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/test.html")]
struct TestMailHtml<'a> {
    frame: &'a MailFrame<'a>,
    link: &'a str,
}

/// A mail that shows whether mail works. `link`: the page that it was asked for on.
pub fn test(language: Language, business: &str, link: &str) -> RenderedMail {
    let frame = &MailFrame::new(language, business, TextKey::MailFooter);
    let subject = text(language, TextKey::TestSubject, [("business", business.into())]);
    RenderedMail::new(subject, &TestMailText { frame, link }, &TestMailHtml { frame, link })
}

#[derive(Template)]
#[template(path = "mail/sign_in.txt", escape = "none")]
struct SignInText<'a> {
    frame: &'a MailFrame<'a>,
    intro: &'a str,
    links: &'a [MailLink],
    expires: &'a str,
}

#[derive(Template)]
#[template(path = "mail/sign_in.html")]
struct SignInHtml<'a> {
    frame: &'a MailFrame<'a>,
    intro: &'a str,
    links: &'a [MailLink],
    expires: &'a str,
}

/// A link in a mail, and what it says.
pub(crate) struct MailLink {
    pub(crate) label: String,
    pub(crate) url: String,
}

/// The address of a mail's link that signs in, with a placeholder for its token.
fn sign_in_url(mail: &MailSettings, number: usize) -> String {
    mail.address(&format!("/sign-in/{}", secret_placeholder(number)))
}

/// To somebody who wants to sign in: a link for each of `at`, the names of a user and of their business.
pub fn sign_in(language: Language, mail: &MailSettings, at: &[(&str, String)]) -> RenderedMail {
    let businesses: Vec<&str> = at.iter().map(|(_, business)| business.as_str()).collect();
    let all = businesses.join(", ");
    let frame = &MailFrame::new(language, &all, TextKey::MailFooter);
    let link = |(number, business): (usize, &&str)| MailLink {
        label: text(language, TextKey::SignInAt, [("business", (*business).into())]),
        url: sign_in_url(mail, number),
    };
    let links: Vec<MailLink> = businesses.iter().enumerate().map(link).collect();
    let intro = match at {
        [(name, business)] => {
            let named = [("name", (*name).into()), ("business", business.as_str().into())];
            text(language, TextKey::SignInBody, named)
        }
        _ => frame.text(TextKey::SignInSeveral),
    };
    let minutes = mail.sign_in_link.num_minutes();
    let valid = [("links", links.len().into()), ("minutes", minutes.into())];
    let expires = text(language, TextKey::SignInExpires, valid);
    let (intro, links, expires) = (intro.as_str(), links.as_slice(), expires.as_str());
    let plain = SignInText { frame, intro, links, expires };
    let html = SignInHtml { frame, intro, links, expires };
    RenderedMail::new(frame.text(TextKey::SignInHeading), &plain, &html)
}

#[derive(Template)]
#[template(path = "mail/user_invitation.txt", escape = "none")]
struct UserInvitationText<'a> {
    frame: &'a MailFrame<'a>,
    intro: &'a str,
    url: &'a str,
    expires: &'a str,
}

#[derive(Template)]
#[template(path = "mail/user_invitation.html")]
struct UserInvitationHtml<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    intro: &'a str,
    url: &'a str,
    expires: &'a str,
}

/// To somebody who was let in as `name`, with a link that works until then.
pub fn user_invitation(
    language: Language,
    mail: &MailSettings,
    (business, zone): (&str, Tz),
    name: &str,
    until: DateTime<Utc>,
) -> RenderedMail {
    let frame = &MailFrame::new(language, business, TextKey::MailFooter);
    let heading = text(language, TextKey::UserInvitationHeading, [("business", business.into())]);
    let named = [("name", name.into()), ("business", business.into())];
    let intro = text(language, TextKey::UserInvitationBody, named);
    let until = date_time(until, zone, language);
    let valid = [("until", until.into()), ("page", mail.address("/sign-in").into())];
    let expires = text(language, TextKey::UserInvitationExpires, valid);
    let url = sign_in_url(mail, 0);
    let (intro, url, expires) = (intro.as_str(), url.as_str(), expires.as_str());
    let plain = UserInvitationText { frame, intro, url, expires };
    let html = UserInvitationHtml { frame, heading: &heading, intro, url, expires };
    RenderedMail::new(heading.clone(), &plain, &html)
}

#[cfg(test)]
mod tests {
    use concord_domain::ids::NoticeId;
    use uuid::Uuid;

    use super::*;

    fn notice(kind: NoticeKind, headline: &str) -> Notice {
        Notice {
            id: NoticeId(Uuid::nil()),
            staff_id: None,
            alert_id: None,
            kind,
            headline: headline.to_owned(),
            is_named: false,
            detail: "Nothing is lost: bookings wait.\nOpen the calendar & select Reconnect.".to_owned(),
            link: "/calendars/7".to_owned(),
            dedupe_key: "a".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn shown(rendered: &RenderedMail) -> String {
        format!("Subject: {}\n\n{}\n----\n{}", rendered.subject, rendered.text, rendered.html)
    }

    fn mail() -> MailSettings {
        MailSettings::without_server("https://book.example.org/".parse().unwrap())
    }

    #[test]
    fn one_thing_is_told_in_a_mail_about_it() {
        let one = notice(NoticeKind::Reconnect, "Zoë <b>'s Google calendar needs to be reconnected");
        insta::assert_snapshot!(shown(&digest(Language::En, "Harbour & House", &mail(), &[&one], None)));
    }

    #[test]
    fn several_things_are_told_in_one_mail() {
        let many = [
            notice(NoticeKind::Reconnect, "Ana's Google calendar needs to be reconnected"),
            notice(NoticeKind::FailedSync, "Bookings are not reaching Rui's Google calendar"),
            notice(NoticeKind::Reconnect, "Rui's Google calendar needs to be reconnected"),
        ];
        insta::assert_snapshot!(shown(&digest(
            Language::En,
            "Harbour House",
            &mail(),
            &many.iter().collect::<Vec<_>>(),
            None
        )));
    }

    #[test]
    fn of_a_flood_the_first_are_told_and_the_others_counted() {
        let many: Vec<Notice> =
            (0..50).map(|number| notice(NoticeKind::Conflict, &format!("Number {number}"))).collect();
        let rendered = digest(Language::En, "Harbour House", &mail(), &many.iter().collect::<Vec<_>>(), None);
        for part in [&rendered.text, &rendered.html] {
            assert!(part.contains("50 conflicts") && part.contains("30 more"), "{part}");
            assert!(part.contains("Number 19") && !part.contains("Number 20"), "{part}");
        }
    }

    #[test]
    fn manual_imports_are_not_held_for_review() {
        let many = [NoticeKind::NotInFeed, NoticeKind::FeedQuarantined].map(|kind| notice(kind, "Sea View"));
        for language in [Language::En, Language::De] {
            let rendered = digest(language, "Harbour House", &mail(), &many.iter().collect::<Vec<_>>(), None);
            let counts = rendered.text.lines().filter(|line| line.starts_with("* 1 "));
            assert_eq!(counts.collect::<std::collections::BTreeSet<_>>().len(), 2, "{}", rendered.text);
        }
    }

    #[test]
    fn german_mails_are_german_around_what_happened() {
        let many: Vec<Notice> = (0..22).map(|_| notice(NoticeKind::Reconnect, "Ana")).collect();
        let rendered = digest(Language::De, "Hafenhaus", &mail(), &many.iter().collect::<Vec<_>>(), None);
        assert_eq!(rendered.subject, "22 Vorgänge bei Hafenhaus brauchen Aufmerksamkeit");
        for part in [&rendered.text, &rendered.html] {
            assert!(part.contains("22 Kalender, die neu zu verbinden sind"), "{part}");
            assert!(part.contains("Und 2 weitere.") && part.contains("auf demselben Stand."), "{part}");
        }
        assert!(rendered.html.contains("<html lang=\"de\">"));
    }

    #[test]
    fn sign_in_mail_has_one_link_for_each_business() {
        let at = [("Ana", "Harbour & House".to_owned()), ("Ana Costa", "[secret-4]".to_owned())];
        insta::assert_snapshot!(shown(&sign_in(Language::En, &mail(), &at)));
        let one = sign_in(Language::De, &mail(), &at[..1]);
        assert!(one.text.contains("als Ana bei Harbour & House anmelden"), "{}", one.text);
        assert!(one.text.contains("https://book.example.org/sign-in/[secret-1]\n"), "{}", one.text);
        assert!(!one.text.contains("[secret-2]"));
    }

    #[test]
    fn invitation_says_until_when_its_link_works() {
        let until = "2026-07-03T12:00:00Z".parse().unwrap();
        let business = ("Harbour <House>", chrono_tz::Europe::Lisbon);
        insta::assert_snapshot!(shown(&user_invitation(Language::En, &mail(), business, "Ana", until)));
        let german = user_invitation(Language::De, &mail(), business, "Ana", until);
        assert!(german.text.contains("bis Fr., 3. Juli 2026, 13:00 WEST."), "{}", german.text);
    }

    #[test]
    fn a_test_says_that_it_is_one() {
        insta::assert_snapshot!(shown(&test(
            Language::En,
            "Harbour House",
            "https://book.example.org/settings/mail"
        )));
    }
}

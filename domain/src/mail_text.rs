//! A business's own words in the mails to its customers: before and after what Concord says, and in some a subject.
//!
//! Words have variables in braces, such as `{title}`; what they stand for is put in when a mail is rendered. Nothing else in
//! them has a meaning: they are text, no markup.

use std::fmt;

use crate::{mail::MailKind, settings::FieldErrors, words};

words! {
    /// What a variable stands for.
    MailVariable {
        /// The name of the business.
        Business = "business",
        /// What the customer's calendar calls the booking.
        Title = "title",
        /// The name of whoever the mail is for; empty where nobody has said it.
        Name = "name",
        /// When it takes place, on the clocks of where it does.
        When = "when",
        /// The resource, or the place that the booking names.
        Place = "place",
        /// The reference of the booking.
        Reference = "reference",
    }
}

words! {
    /// What a logo is: what mail programs show without asking.
    LogoFormat {
        Png = "image/png",
        Jpeg = "image/jpeg",
        Gif = "image/gif",
    }
}

/// The largest logo, in bytes.
pub const MAX_LOGO_BYTES: usize = 50 * 1024;

impl LogoFormat {
    /// By the first bytes of a file; `None`: it is none of them.
    pub fn of(image: &[u8]) -> Option<Self> {
        match image {
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            _ => None,
        }
    }

    /// What its file's name ends with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Gif => "gif",
        }
    }
}

/// The kinds of mails that have words of the business.
pub const WORDED_KINDS: [MailKind; 4] =
    [MailKind::Invitation, MailKind::InvitationUpdate, MailKind::InvitationCancel, MailKind::Reminder];

/// The longest subject, in characters.
pub const MAX_SUBJECT: usize = 150;
/// The longest intro or closing, in characters.
pub const MAX_MAIL_TEXT: usize = 2_000;

/// A business's own words in mails of one kind and language; what is empty is left out, or as it is without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailTexts {
    /// In the place of the usual subject. One line.
    pub subject: String,
    /// Below the heading, before the facts.
    pub intro: String,
    /// At the end, above why the reader gets the mail.
    pub closing: String,
}

impl MailTexts {
    /// Brings them into the form that is stored, and adds what is wrong with them.
    pub fn check(&mut self, kind: MailKind, faults: &mut FieldErrors) {
        for (field, text, most) in [
            ("subject", &mut self.subject, MAX_SUBJECT),
            ("intro", &mut self.intro, MAX_MAIL_TEXT),
            ("closing", &mut self.closing, MAX_MAIL_TEXT),
        ] {
            text.replace("\r\n", "\n").trim().clone_into(text);
            if text.chars().count() > most {
                faults.add(field, format!("is longer than {most} characters"));
            }
            if text.chars().any(|c| c.is_control() && c != '\n') {
                faults.add(field, "has characters that cannot be shown");
            }
            if let Err(error) = MailTemplate::parse(text) {
                faults.add(field, error.to_string());
            }
        }
        if self.subject.contains('\n') {
            faults.add("subject", "must be one line");
        }
        if !self.subject.is_empty() && !has_subject(kind) {
            faults.add("subject", "is the title of the booking: calendars name the entry after it");
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether mails of this kind may have a subject other than the booking's title. Of an invitation and its updates Exchange
/// makes the title of the entry.
pub fn has_subject(kind: MailKind) -> bool {
    matches!(kind, MailKind::InvitationCancel | MailKind::Reminder)
}

/// A text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailTemplate<'a>(Vec<TemplatePart<'a>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart<'a> {
    Text(&'a str),
    Variable(MailVariable),
}

/// Why a text is no template; completes a sentence whose subject is the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("has an unknown variable {{{0}}}; there are {known}", known = VariableNames)]
    UnknownVariable(String),
    #[error("has a {{ without a }}")]
    Unclosed,
}

struct VariableNames;

impl fmt::Display for VariableNames {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, variable) in MailVariable::ALL.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(to, "{separator}{{{variable}}}")?;
        }
        Ok(())
    }
}

impl<'a> MailTemplate<'a> {
    /// Reads a text. A brace that closes nothing is text.
    pub fn parse(text: &'a str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, opened)) = rest.split_once('{') {
            let (name, after) = opened.split_once('}').ok_or(TemplateError::Unclosed)?;
            let variable = name.trim().parse();
            let variable = variable
                .map_err(|_| TemplateError::UnknownVariable(name.trim().chars().take(40).collect()))?;
            parts.extend([TemplatePart::Text(before), TemplatePart::Variable(variable)]);
            rest = after;
        }
        parts.push(TemplatePart::Text(rest));
        Ok(Self(parts))
    }

    /// The text, with `value` in the places of its variables. What a value holds is put in as it is, also where it looks like a
    /// variable.
    pub fn render(&self, value: impl Fn(MailVariable) -> String) -> String {
        let part = |part: &TemplatePart<'_>| match part {
            TemplatePart::Text(text) => (*text).to_owned(),
            TemplatePart::Variable(variable) => value(*variable),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(kind: MailKind, texts: &MailTexts) -> Vec<(&'static str, String)> {
        let mut faults = FieldErrors::default();
        texts.clone().check(kind, &mut faults);
        let wrong = faults.into_result().err().unwrap_or_default();
        wrong.into_iter().map(|fault| (fault.field, fault.message)).collect()
    }

    #[test]
    fn variables_are_filled_in_once() {
        let template = MailTemplate::parse("Hi { name }, {title} at {business}} {").unwrap_err();
        assert_eq!(template, TemplateError::Unclosed);
        let template = MailTemplate::parse("Hi { name }, {title}}").unwrap();
        let text = template.render(|variable| match variable {
            MailVariable::Name => "{title}".into(),
            other => format!("<{other}>"),
        });
        assert_eq!(text, "Hi {title}, <title>}");
    }

    #[test]
    fn what_is_wrong_is_said_of_its_field() {
        let texts = MailTexts {
            subject: "See you {tomorow}".into(),
            intro: "a".repeat(MAX_MAIL_TEXT + 1),
            closing: "bell\u{7}".into(),
        };
        let wrong = faults(MailKind::Reminder, &texts);
        assert_eq!(wrong[0].0, "subject");
        assert!(wrong[0].1.contains("{tomorow}") && wrong[0].1.contains("{title}, {name}"), "{wrong:?}");
        assert_eq!((wrong[1].0, wrong[2].0, wrong.len()), ("intro", "closing", 3));
        let named = MailTexts { subject: "Welcome".into(), ..MailTexts::default() };
        assert_eq!(faults(MailKind::Reminder, &named), []);
        assert_eq!(faults(MailKind::InvitationUpdate, &named)[0].0, "subject");
        let lines = MailTexts { subject: "a\r\nBcc: b@c.de".into(), ..MailTexts::default() };
        assert_eq!(faults(MailKind::Reminder, &lines), [("subject", "must be one line".into())]);
    }

    #[test]
    fn logo_is_known_by_its_first_bytes() {
        assert_eq!(LogoFormat::of(b"\x89PNG\r\n\x1a\n...."), Some(LogoFormat::Png));
        assert_eq!(LogoFormat::of(&[0xff, 0xd8, 0xff, 0xe0]), Some(LogoFormat::Jpeg));
        assert_eq!(LogoFormat::of(b"GIF89a"), Some(LogoFormat::Gif));
        assert_eq!(LogoFormat::of(b"<svg xmlns="), None);
        assert_eq!(LogoFormat::of(b""), None);
    }

    proptest! {
        #[test]
        fn text_without_braces_is_itself(text in "[^{]{0,60}") {
            prop_assert_eq!(MailTemplate::parse(&text).unwrap().render(|_| String::new()), text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[{}a-z ]{0,40}") {
            let read = MailTemplate::parse(&text);
            let is_open = text.rsplit('{').next().is_some_and(|rest| text.contains('{') && !rest.contains('}'));
            prop_assert!(!is_open || read.is_err(), "{text}");
        }
    }
}

//! A mail as people read it.

use mail_parser::{ContentType, MessageParser, MessagePart, MimeHeaders};

/// What a mail says; empty where it says nothing.
#[derive(Debug, Default)]
pub(crate) struct ParsedMail {
    pub(crate) subject: String,
    /// Of the headers: `Name <address>`, or the address.
    pub(crate) from: String,
    pub(crate) message_id: String,
    /// The part for those who read text.
    pub(crate) text: Option<String>,
    /// The part for those who read HTML.
    pub(crate) html: Option<String>,
    /// The part for those who read invitations (RFC 6047).
    pub(crate) calendar: Option<String>,
    /// Their names and types.
    pub(crate) attachments: Vec<(String, String)>,
}

impl ParsedMail {
    /// Whatever can be read of it.
    pub(crate) fn read(source: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse(source) else { return Self::default() };
        let from = message.from().and_then(|from| from.first()).map(|from| {
            let address = from.address().unwrap_or_default();
            from.name().map_or_else(|| address.to_owned(), |name| format!("{name} <{address}>"))
        });
        // The parser makes the one part of the other where a mail has only one; only what is there is shown.
        let text = message.text_part(0).filter(|part| part.is_text() && !part.is_text_html());
        let html = message.html_part(0).filter(|part| part.is_text_html());
        let is_calendar = |part: &&MessagePart<'_>| {
            let kind = part.content_type();
            // One that is a file is an attachment like any other.
            let is_file = part.content_disposition().is_some_and(ContentType::is_attachment);
            !is_file && kind.is_some_and(|kind| kind.ctype() == "text" && kind.subtype() == Some("calendar"))
        };
        let calendar = message.parts.iter().find(is_calendar);
        let attachments = message.attachments().filter(|part| !is_calendar(part)).map(|part| {
            let kind = part.content_type().map_or_else(
                || "application/octet-stream".to_owned(),
                |kind| match kind.subtype() {
                    Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                    None => kind.ctype().to_owned(),
                },
            );
            (part.attachment_name().unwrap_or("without a name").to_owned(), kind)
        });
        Self {
            subject: message.subject().unwrap_or_default().to_owned(),
            from: from.unwrap_or_default(),
            message_id: message.message_id().unwrap_or_default().to_owned(),
            text: text.and_then(|part| part.text_contents()).map(str::to_owned),
            html: html.and_then(|part| part.text_contents()).map(str::to_owned),
            calendar: calendar.map(|part| String::from_utf8_lossy(part.contents()).into_owned()),
            attachments: attachments.collect(),
        }
    }
}

//! A mail as it goes over the wire.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use concord_domain::mail::{MailAddress, MailAddressError};
use concord_storage::mails::StoredMail as Row;
use lettre::{
    Address, Message,
    message::{
        Attachment, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue},
    },
};

use super::{MailError, Recipient};

/// RFC 3834, section 5: no person wrote it, so no machine shall answer it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// RFC 2369, section 3.2: where its reader unsubscribes. RFC 8058: by one POST, which needs no cookie.
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), format!("<{}>", self.0))
    }
}

/// RFC 8058, section 3.1.
#[derive(Clone)]
struct OneClick;

impl Header for OneClick {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// The mail with its parts. Its Message-ID is that of the row, so that a copy of it is known as one.
///
/// `from`: whom it is from where the row names nobody.
///
/// # Errors
/// `Refused` for what is no mail address.
pub(crate) fn compose(row: &Row, from: &Recipient, now: DateTime<Utc>) -> Result<Message, MailError> {
    let from_name = row.from_name.as_ref().unwrap_or(&from.name);
    let from_address = row.from_address.as_ref().unwrap_or(&from.address);
    let mut builder = Message::builder()
        .from(mailbox(from_name, from_address)?)
        .to(mailbox(&row.to_name, &row.to_address)?)
        .subject(row.subject.as_str())
        .message_id(Some(row.message_id.clone()))
        .date(now.into())
        .header(AutoSubmitted);
    if let Some(reply_to) = &row.reply_to {
        builder = builder.reply_to(mailbox("", reply_to)?);
    }
    if let Some(url) = &row.unsubscribe_url {
        builder = builder.header(ListUnsubscribe(url.clone())).header(OneClick);
    }
    // RFC 2046, section 5.1.4: the best part comes last.
    let mut parts = MultiPart::alternative_plain_html(row.body_text.clone(), row.body_html.clone());
    if let (Some(invitation), Some(calendar)) = (&row.invitation, &row.calendar) {
        let method = invitation.method.itip().keyword();
        parts = parts.singlepart(calendar_part(method, calendar)?);
        // Who does not know the part above may at least open the file. Alone it shows no buttons.
        let file = Attachment::new("invite.ics".to_owned())
            .body(encoded(calendar), content_type("application/ics")?);
        parts = MultiPart::mixed().multipart(parts).singlepart(file);
    }
    builder
        .multipart(parts)
        .map_err(|error| MailError::Refused(format!("it could not be made a mail: {error}")))
}

/// RFC 6047, section 2.4: the method stands in the part's type too, and Exchange refuses one that differs.
fn calendar_part(method: &str, calendar: &str) -> Result<SinglePart, MailError> {
    let kind = content_type(&format!("text/calendar; method={method}; charset=UTF-8"))?;
    Ok(SinglePart::builder().header(kind).body(encoded(calendar)))
}

/// In base64: its lines are longer than a mail's may be, and some servers rewrite quoted-printable.
fn encoded(calendar: &str) -> Body {
    let bytes = calendar.as_bytes().to_vec();
    Body::new_with_encoding(bytes, ContentTransferEncoding::Base64).unwrap_or_else(Body::new)
}

fn content_type(text: &str) -> Result<ContentType, MailError> {
    ContentType::parse(text)
        .map_err(|error| MailError::Refused(format!("it could not be made a mail: {error}")))
}

fn mailbox(name: &str, address: &str) -> Result<Mailbox, MailError> {
    let refused = |error: &dyn Display| MailError::Refused(format!("“{address}” {error}"));
    let parsed = MailAddress::parse(address).map_err(|error| refused(&error))?;
    let parsed: Address = parsed.as_str().parse().map_err(|_| refused(&MailAddressError::Invalid))?;
    Ok(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), parsed))
}

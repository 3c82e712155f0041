//! A mail as it goes over the wire.

use chrono::{DateTime, Utc};
use concord_storage::mails::StoredMail as Row;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
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

/// The mail with both of its parts. Its Message-ID is that of the row, so that a copy of it is known as one.
///
/// # Errors
/// `Refused` for what is no mail address.
pub(crate) fn compose(row: &Row, from: &Recipient, now: DateTime<Utc>) -> Result<Message, MailError> {
    let builder = Message::builder()
        .from(mailbox(&from.name, &from.address)?)
        .to(mailbox(&row.to_name, &row.to_address)?)
        .subject(row.subject.as_str())
        .message_id(Some(row.message_id.clone()))
        .date(now.into())
        .header(AutoSubmitted);
    // RFC 2046, section 5.1.4: the best part comes last.
    let parts = MultiPart::alternative_plain_html(row.body_text.clone(), row.body_html.clone());
    builder
        .multipart(parts)
        .map_err(|error| MailError::Refused(format!("it could not be made a mail: {error}")))
}

fn mailbox(name: &str, address: &str) -> Result<Mailbox, MailError> {
    let refused = |_| MailError::Refused(format!("“{address}” is not a valid email address"));
    let address: Address = address.parse().map_err(refused)?;
    Ok(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address))
}

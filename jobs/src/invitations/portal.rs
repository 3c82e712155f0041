//! The mail with a link to all bookings of an address.

use askama::Template;
use chrono::Duration;
use concord_domain::{
    ids::new_uuid,
    mail::{MailAddress, MailKind, secret_placeholder},
};
use concord_storage::{
    StorageError, Tx,
    attendees::Attendee,
    jobs::JobRef,
    mails::{self, NewMail, NewMailSecrets},
};
use secrecy::SecretString;

use super::{Subject, attendee_mail, organizer_address};
use crate::{
    Context,
    language::{TextKey, text},
    mail::{RenderedMail, render::MailFrame},
};

#[derive(Template)]
#[template(path = "mail/portal.txt", escape = "none")]
struct PortalText<'a> {
    frame: &'a MailFrame<'a>,
    body: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/portal.html")]
struct PortalHtml<'a> {
    frame: &'a MailFrame<'a>,
    body: &'a str,
    link: &'a str,
}

/// Writes it to an attendee of a booking. The link with `token` works for so many `days`. The caller pushes what this returns after the
/// commit; `None`: they have no address that mails can be sent to.
pub async fn write_portal_mail(
    tx: &mut Tx,
    context: &Context,
    subject: &Subject,
    attendee: &Attendee,
    (token, days): (&SecretString, i64),
) -> Result<Option<JobRef>, StorageError> {
    let Ok(address) = MailAddress::parse(&attendee.address) else { return Ok(None) };
    let business = &subject.business;
    let language = subject.booking.draft.customer.language.unwrap_or(business.invitations.language);
    let named = [("business", business.name.as_str().into()), ("days", days.into())];
    let body = &text(language, TextKey::CustomerPortalBody, named.clone());
    let heading = text(language, TextKey::CustomerPortalSubject, named);
    let frame =
        &MailFrame::new(language, &business.name, TextKey::InvitationFooter).designed(&subject.logo, "");
    let link = &context.mail.address(&format!("/my/{}", secret_placeholder(0)));
    let rendered =
        RenderedMail::new(heading, &PortalText { frame, body, link }, &PortalHtml { frame, body, link });
    let to = (attendee, &address, organizer_address(context, business, Some(attendee)));
    let now = context.clock.now();
    let (key, expires_at) = (format!("portal:{}", new_uuid(now)), now + Duration::days(days));
    let new = NewMail {
        useful_until: Some(expires_at),
        ..attendee_mail(business, MailKind::PortalLink, to, &rendered, &key)
    };
    let secrets = NewMailSecrets { secrets: std::slice::from_ref(token), expires_at };
    mails::create_with_secrets(tx, &context.ring, &new, secrets, now).await
}

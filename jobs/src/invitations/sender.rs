//! What all mails to those who come to a booking have in common: whom they are from, and the page that they lead to.

use std::borrow::Cow;

use concord_domain::{
    ids::{AttendeeId, BusinessId},
    invitation::{ANSWER_TOKEN_BYTES, answer_address},
    mail::{MailAddress, MailKind},
};
use concord_storage::{
    StorageError, Tx,
    attendees::Attendee,
    businesses::Business,
    customer_links,
    mail_design::LogoName,
    mails::{MailSender, NewMail},
    secret,
};
use secrecy::ExposeSecret;

use crate::{
    Context,
    mail::{RenderedMail, domain_of},
};

/// The one of the first invitation, then that of the business, then that of the installation.
pub fn organizer_address<'a>(
    context: &'a Context,
    business: &'a Business,
    attendee: Option<&'a Attendee>,
) -> &'a str {
    let of_business =
        Some(business.invitations.sender_address.as_str()).filter(|address| !address.is_empty());
    let frozen = attendee.and_then(|attendee| attendee.organizer_address.as_deref());
    frozen.or(of_business).unwrap_or(&context.mail.from_address)
}

/// The same, as an attendee's invitations come from it for good: before the first one, it is given a secret by which the answer
/// is known, where the installation wants that. Not that of a business's own address: nobody knows whether its server delivers
/// such addresses, and answers go to a mailbox that is not read.
pub(super) fn lasting_organizer_address<'a>(
    context: &'a Context,
    business: &'a Business,
    attendee: &'a Attendee,
) -> Cow<'a, str> {
    let address = organizer_address(context, business, Some(attendee));
    let is_ours = address == context.mail.from_address;
    if attendee.organizer_address.is_some() || !context.mail.plus_addresses || !is_ours {
        return address.into();
    }
    let mut token = [0; ANSWER_TOKEN_BYTES];
    secret::fill_random(&mut token);
    answer_address(address, token).map_or(Cow::Borrowed(address), Cow::Owned)
}

/// The name that mails to customers come from.
pub(crate) fn sender_name(business: &Business) -> &str {
    Some(business.invitations.sender_name.as_str()).filter(|name| !name.is_empty()).unwrap_or(&business.name)
}

/// The absolute address of an attendee's own page, which is made where there is none.
pub async fn page_address(
    tx: &mut Tx,
    context: &Context,
    attendee: AttendeeId,
) -> Result<String, StorageError> {
    let token = customer_links::token(tx, &context.ring, attendee).await?;
    Ok(context.mail.address(&format!("/b/{}", token.expose_secret())))
}

/// Where a business's logo is, from the root of the installation.
pub fn logo_path(business: BusinessId, logo: &LogoName) -> String {
    let LogoName { digest, media_type } = logo;
    format!("/logos/{business}/{digest}.{}", media_type.extension())
}

/// A mail to an attendee. `organizer`: whom it is from, as [`organizer_address`] says.
pub(crate) fn attendee_mail<'a>(
    business: &'a Business,
    kind: MailKind,
    (attendee, address, organizer): (&'a Attendee, &'a MailAddress, &'a str),
    rendered: &'a RenderedMail,
    dedupe_key: &'a str,
) -> NewMail<'a> {
    let reply_to = Some(business.invitations.reply_address.as_str()).filter(|reply_to| !reply_to.is_empty());
    NewMail {
        business: business.id,
        kind,
        to_address: address.as_str(),
        to_name: &attendee.name,
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        from_domain: domain_of(organizer),
        dedupe_key,
        sender: Some(MailSender { name: sender_name(business), address: organizer, reply_to }),
        invitation: None,
        reminder: None,
        useful_until: None,
    }
}

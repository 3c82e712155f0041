//! Mails that are written and wait for the job that sends them; nothing is sent from anywhere else.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{BusinessId, new_uuid},
    mail::MailKind,
};
use concord_storage::{
    StorageError, Tx,
    businesses::Business,
    jobs::JobRef,
    mails::{self, NewMail, NewMailSecrets},
    people::User,
    seal::Keyring,
};
use secrecy::SecretString;

use crate::{
    Context,
    language::Language,
    mail::{MailSettings, Recipient, RenderedMail, render},
};

/// Writes a mail in the transaction that gives rise to it; the caller pushes what this returns after the commit. `None`: a
/// mail with this key was written before.
pub(crate) async fn write(
    tx: &mut Tx,
    context: &Context,
    (business, kind): (BusinessId, MailKind),
    to: &Recipient,
    rendered: &RenderedMail,
    dedupe_key: &str,
) -> Result<Option<JobRef>, StorageError> {
    let new = new_mail(&context.mail, (business, kind), to, rendered, dedupe_key);
    mails::create(tx, &new, context.clock.now()).await
}

/// The same for a mail with a digest in it, which its reader turns off at `url`.
pub(super) async fn write_digest(
    tx: &mut Tx,
    context: &Context,
    place: (BusinessId, MailKind),
    to: &Recipient,
    rendered: &RenderedMail,
    (dedupe_key, url): (&str, &str),
) -> Result<Option<JobRef>, StorageError> {
    let new = new_mail(&context.mail, place, to, rendered, dedupe_key);
    mails::create_digest(tx, &new, url, context.clock.now()).await
}

/// A mail from this installation.
pub(crate) fn new_mail<'a>(
    mail: &'a MailSettings,
    (business, kind): (BusinessId, MailKind),
    to: &'a Recipient,
    rendered: &'a RenderedMail,
    dedupe_key: &'a str,
) -> NewMail<'a> {
    NewMail {
        business,
        kind,
        to_address: &to.address,
        to_name: &to.name,
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        from_domain: mail.domain(),
        dedupe_key,
        sender: None,
        invitation: None,
        reminder: None,
        useful_until: None,
    }
}

/// Writes a mail with links that sign somebody in, in the transaction that makes them.
pub(super) async fn write_links(
    tx: &mut Tx,
    (mail, ring): (&MailSettings, &Keyring),
    (user, kind): (&User, MailKind),
    rendered: &RenderedMail,
    links: NewMailSecrets<'_>,
    now: DateTime<Utc>,
) -> Result<Option<JobRef>, StorageError> {
    let to = Recipient { address: user.email.clone(), name: user.name.clone() };
    let key = format!("{kind}:{}", new_uuid(now));
    let new = new_mail(mail, (user.business_id, kind), &to, rendered, &key);
    mails::create_with_secrets(tx, ring, &new, links, now).await
}

/// Writes to somebody who was let in, with the link by which they sign in until `expires_at`; the caller pushes what this
/// returns after the commit. `None`: there is no mail server, and the link would wait for one until it works no longer.
pub async fn invite(
    tx: &mut Tx,
    (mail, ring): (&MailSettings, &Keyring),
    (business, user): (&Business, &User),
    language: Language,
    (token, expires_at): (&SecretString, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Option<JobRef>, StorageError> {
    if mail.mailer.is_none() {
        return Ok(None);
    }
    let at = (business.name.as_str(), business.zone);
    let rendered = render::user_invitation(language, mail, at, &user.name, expires_at);
    let links = NewMailSecrets { secrets: std::slice::from_ref(token), expires_at };
    write_links(tx, (mail, ring), (user, MailKind::UserInvitation), &rendered, links, now).await
}

/// Writes a mail that shows whether mail works.
pub async fn enqueue_test_mail(
    context: &Context,
    business: BusinessId,
    business_name: &str,
    to: &Recipient,
) -> Result<(), StorageError> {
    let now = context.clock.now();
    let rendered = render::test(Language::default(), business_name, &context.mail.address("/settings/mail"));
    let key = format!("test:{}", new_uuid(now));
    let mut tx = context.db.begin().await?;
    let enqueued = write(&mut tx, context, (business, MailKind::Test), to, &rendered, &key).await?;
    context.commit(tx, enqueued.as_slice()).await?;
    Ok(())
}

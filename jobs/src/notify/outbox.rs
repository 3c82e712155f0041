//! Mails that are written and wait for the job that sends them; nothing is sent from anywhere else.

use concord_domain::{
    ids::{BusinessId, new_uuid},
    mail::MailKind,
};
use concord_storage::{
    StorageError, Tx,
    jobs::JobRef,
    mails::{self, NewMail},
};

use crate::{
    Context,
    language::Language,
    mail::{Recipient, RenderedMail, render},
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
    let new = NewMail {
        business,
        kind,
        to_address: &to.address,
        to_name: &to.name,
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        from_domain: context.mail.domain(),
        dedupe_key,
        sender: None,
        invitation: None,
        useful_until: None,
    };
    mails::create(tx, &new, context.clock.now()).await
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

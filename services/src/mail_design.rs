//! A business's own words in mails to its customers, and its logo.

use concord_domain::{
    ids::BusinessId,
    language::Language,
    mail::MailKind,
    mail_text::{LogoFormat, MAX_LOGO_BYTES, MailTexts, WORDED_KINDS},
};
use concord_jobs::{Context, mail::Recipient, mail_preview};
use concord_storage::{
    ChangeContext,
    businesses::{self, Business},
    mail_design,
};
use serde_json::json;

use crate::{ServiceError, error::OrNotFound, history};

/// Sets the words of mails of one kind and language, as [`MailTexts::check`] has brought them into form. Mails that are written
/// already stay as they are. `NotFound`: mails of this kind have no words of the business.
pub async fn set_texts(
    context: &Context,
    by: &ChangeContext,
    (kind, language): (MailKind, Language),
    texts: &MailTexts,
) -> Result<(), ServiceError> {
    if !WORDED_KINDS.contains(&kind) {
        return Err(ServiceError::NotFound("email text"));
    }
    let mut tx = context.db.begin().await?;
    // Another change of them waits: each compares with the one before it.
    businesses::lock(&mut tx, by.business).await?;
    let before = mail_design::find_in(&mut tx, by.business).await?;
    if before.texts(kind, language).cloned().unwrap_or_default() == *texts {
        return Ok(());
    }
    mail_design::put_texts(&mut tx, by.business, (kind, language), texts, by.now).await?;
    let MailTexts { subject, intro, closing } = texts;
    let detail = json!({
        "email_texts": { "kind": kind, "language": language, "subject": subject, "intro": intro, "closing": closing }
    });
    history::record(&mut tx, by, "changed", by.business, &detail).await?;
    context.commit(tx, &[]).await?;
    Ok(())
}

/// Sets the logo; `None`: removes it. `NotPossible`: the file is too large, or no picture that mail programs show.
pub async fn set_logo(
    context: &Context,
    by: &ChangeContext,
    image: Option<&[u8]>,
) -> Result<(), ServiceError> {
    let refused = |why: &str| ServiceError::NotPossible(why.to_owned());
    let mut tx = context.db.begin().await?;
    let logo = match image {
        Some(image) if image.len() > MAX_LOGO_BYTES => {
            return Err(refused("the file is larger than 50 kB"));
        }
        Some(image) => {
            let format =
                LogoFormat::of(image).ok_or_else(|| refused("the file is not a PNG, JPEG or GIF"))?;
            Some(mail_design::put_logo(&mut tx, by.business, (format, image), by.now).await?)
        }
        None if !mail_design::remove_logo(&mut tx, by.business).await? => return Ok(()),
        None => None,
    };
    history::record(&mut tx, by, "changed", by.business, &json!({ "logo": logo })).await?;
    context.commit(tx, &[]).await?;
    Ok(())
}

/// Sends somebody of the business a mail as customers would get it. `NotPossible`: there is no mail server.
pub async fn send_preview(
    context: &Context,
    business: &Business,
    kind: (MailKind, Language),
    to: &Recipient,
) -> Result<(), ServiceError> {
    if context.mail.mailer.is_none() {
        return Err(ServiceError::NotPossible("no mail server is set up".to_owned()));
    }
    let design = mail_design::find(&context.db, business.id).await?;
    Ok(mail_preview::send_preview(context, business, design, kind, to).await?)
}

/// The logo with that digest. `NotFound`: the business has another one, or none.
pub async fn logo(
    context: &Context,
    business: BusinessId,
    digest: &str,
) -> Result<(LogoFormat, Vec<u8>), ServiceError> {
    mail_design::find_logo(&context.db, business, digest).await?.or_not_found("logo")
}

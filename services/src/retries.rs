//! What has failed, tried again by hand at once.

use concord_domain::ids::{BusinessId, JobId, MailId};
use concord_jobs::Context;
use concord_storage::{
    jobs::{self, JobRef},
    mails::{self, StoredMail},
    reminders,
};

use crate::{ServiceError, error::OrNotFound};

/// Does a failed job again.
pub async fn retry_job(context: &Context, business: BusinessId, id: JobId) -> Result<JobRef, ServiceError> {
    let mut tx = context.db.begin().await?;
    let job = jobs::retry(&mut tx, business, id, context.clock.now()).await.or_not_found("failed job")?;
    context.commit(tx, &[job]).await?;
    Ok(job)
}

/// Sends a failed mail again; returns it as it waits for that. `NotPossible`: an invitation is sent as the booking is now, and
/// not as it was; a reminder may be of a time that is no longer so.
pub async fn retry_mail(
    context: &Context,
    business: BusinessId,
    id: MailId,
) -> Result<StoredMail, ServiceError> {
    const WHAT: &str = "failed mail";
    let failed = mails::find(&context.db, business, id).await?.or_not_found(WHAT)?;
    if failed.attendee_id.is_some() {
        return Err(ServiceError::NotPossible(
            "an invitation is sent again from its booking, as the booking is now".into(),
        ));
    }
    if let Some(reminder) = failed.reminder_id
        && !reminders::is_wanted(&context.db, reminder).await?
    {
        return Err(ServiceError::NotPossible(
            "the booking was moved or cancelled, or its customer was reminded since".into(),
        ));
    }
    let mut tx = context.db.begin().await?;
    let job = mails::send_again(&mut tx, business, id, context.clock.now()).await.or_not_found(WHAT)?;
    tx.commit().await?;
    let mail = mails::find(&context.db, business, id).await?.or_not_found(WHAT)?;
    context.push(&[job]).await;
    Ok(mail)
}

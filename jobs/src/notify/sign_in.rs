//! Writes to whoever has an address that somebody has typed in to sign in with.
//!
//! It is a job, and not part of the request: whoever typed the address must not learn by the time that it takes whether
//! anybody has it.

use chrono::Duration;
use concord_domain::{
    ids::SignInRequestId,
    mail::{MailKind, secret_placeholder},
};
use concord_storage::{
    StorageError, Tx, businesses,
    jobs::{ClaimedJob, JobOutcome, JobRef},
    mails::NewMailSecrets,
    people::{self, User},
    secret,
    sign_in::{self, NewSignInLink},
    sign_in_requests::{self, SignInRequest},
};
use secrecy::SecretString;

use super::outbox;
use crate::{Context, job::JobError, mail::render};

/// Nobody waits any more for what was asked for so long ago.
const MAX_AGE: Duration = Duration::hours(1);

pub(crate) async fn run(context: &Context, job: &ClaimedJob) -> Result<JobOutcome, JobError> {
    let id = SignInRequestId(job.subject_id);
    let Some(request) = sign_in_requests::find(&context.db, id).await? else { return Ok(JobOutcome::Done) };
    let is_late = request.created_at + MAX_AGE < context.clock.now();
    let users =
        if is_late { vec![] } else { people::find_users_by_email(&context.db, &request.email).await? };
    let names = business_names(context, &users).await?;
    let mut tx = context.db.begin().await?;
    // Another worker has taken this for abandoned, and written.
    if !sign_in_requests::delete(&mut tx, id).await? {
        return Ok(JobOutcome::Done);
    }
    let mail = write(&mut tx, context, &request, &users, &names).await?;
    context.commit(tx, mail.as_slice()).await?;
    Ok(JobOutcome::Done)
}

/// Of the business of each.
async fn business_names(context: &Context, users: &[User]) -> Result<Vec<String>, StorageError> {
    let mut names = Vec::new();
    for user in users {
        let business = businesses::find(&context.db, user.business_id).await?;
        names.push(business.ok_or(StorageError::NotFound)?.name);
    }
    Ok(names)
}

/// One mail with a link for each user. A mail is of one business, here that of the first user: who may read its mails must
/// not learn where else somebody works, so the names of several are as secret as the links.
async fn write(
    tx: &mut Tx,
    context: &Context,
    request: &SignInRequest,
    users: &[User],
    businesses: &[String],
) -> Result<Option<JobRef>, StorageError> {
    let Some(first) = users.first() else { return Ok(None) };
    let now = context.clock.now();
    let expires_at = now + context.mail.sign_in_link;
    let mut secrets = Vec::new();
    for user in users {
        let token = secret::new_token("cl_");
        let link = NewSignInLink {
            user: user.id,
            digest: &secret::digest(&token),
            reusable: false,
            browser: Some(&request.browser),
            expires_at,
        };
        sign_in::create_link(tx, &link, now).await?;
        secrets.push(token);
    }
    let at: Vec<(&str, String)> = match businesses {
        [only] => vec![(&first.name, only.clone())],
        several => {
            secrets.extend(several.iter().map(|name| SecretString::from(name.as_str())));
            let placeholders = (users.len()..).map(secret_placeholder);
            users.iter().map(|user| user.name.as_str()).zip(placeholders).collect()
        }
    };
    let language = request.language.parse().unwrap_or_default();
    let rendered = render::sign_in(language, &context.mail, &at);
    let links = NewMailSecrets { secrets: &secrets, expires_at };
    let sealed_by = (&*context.mail, &*context.ring);
    outbox::write_links(tx, sealed_by, (first, MailKind::SignIn), &rendered, links, now).await
}

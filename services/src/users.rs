//! Those who sign in: let in, given a link, made something else, shut out; and when they come and go.
//!
//! The command line lets people in before anything else runs, so what it calls takes a transaction and no `Context`.

use chrono::{DateTime, Duration, Utc};
use concord_domain::ids::{BusinessId, SessionId, UserId};
use concord_jobs::{Context, language::Language, mail::MailSettings, notify};
use concord_storage::{
    ChangeContext, StorageError, Tx,
    businesses::{self, Business},
    jobs::JobRef,
    limits::{self, BucketRate, RateDecision},
    people::{self, NewUser, User, UserSettings},
    seal::Keyring,
    secret,
    sign_in::{self, NewSession, NewSignInLink},
    sign_in_requests::{self, NewSignInRequest},
};
use secrecy::SecretString;
use serde_json::json;

use crate::{ServiceError, error::OrNotFound, history};

/// Lets somebody in. `Exists`: the business has a user with that address. `NotFound`: the staff member is not of the
/// business.
pub async fn create(tx: &mut Tx, by: &ChangeContext, new: &NewUser) -> Result<User, StorageError> {
    let user = people::create_user(tx, new, by.now).await?;
    history::record(tx, by, "created", user.id, &json!({ "name": user.name })).await?;
    Ok(user)
}

/// Makes a link that signs a user of the business in once before `expires_at`, in the transaction of whoever shows its
/// token.
pub async fn create_sign_in_link(
    tx: &mut Tx,
    by: &ChangeContext,
    user: &User,
    expires_at: DateTime<Utc>,
) -> Result<SecretString, StorageError> {
    let token = secret::new_token("cl_");
    let digest = &secret::digest(&token);
    let link = NewSignInLink { user: user.id, digest, reusable: false, browser: None, expires_at };
    sign_in::create_link(tx, &link, by.now).await?;
    history::record(tx, by, "given a sign-in link", user.id, &json!({ "name": user.name })).await?;
    Ok(token)
}

/// A link by which somebody who was let in signs in for the first time.
#[derive(Debug)]
pub struct Invitation {
    /// To be shown to whoever invites them.
    pub token: SecretString,
    /// To be pushed after the commit. `None`: no mail was written, since there is no mail server.
    pub mail: Option<JobRef>,
}

/// Makes a link for somebody who was just let in, and mails it to them where there is a mail server.
pub async fn invite(
    tx: &mut Tx,
    by: &ChangeContext,
    sealed_by: (&MailSettings, &Keyring),
    (business, user): (&Business, &User),
    language: Language,
    expires_at: DateTime<Utc>,
) -> Result<Invitation, StorageError> {
    let token = create_sign_in_link(tx, by, user, expires_at).await?;
    let link = (&token, expires_at);
    let mail = notify::invite(tx, sealed_by, (business, user), language, link, by.now).await?;
    Ok(Invitation { token, mail })
}

/// Mails to one address, on average: at most five in any hour, whoever asks for them. A link works until the next one can be
/// sent, or nearly so: whoever asks in somebody's name keeps them neither from signing in nor from reading their mails.
const LINK_MAIL_RATE: BucketRate = BucketRate { interval: Duration::minutes(20), burst: 2 };

/// Somebody, in the browser with this digest, wants to sign in with an address: whoever has it is written to. What this does
/// and how long it takes is the same for every address, known or not.
pub async fn request_sign_in_link(
    context: &Context,
    email: &str,
    browser: &str,
    language: Language,
) -> Result<(), StorageError> {
    let now = context.clock.now();
    let bucket = format!("sign-in:{}", secret::digest_bytes(email.trim().to_lowercase().as_bytes()));
    let mut tx = context.db.begin().await?;
    if let RateDecision::Wait(_) =
        limits::take(&mut tx, &bucket, now, LINK_MAIL_RATE, Duration::zero()).await?
    {
        return Ok(());
    }
    let request = NewSignInRequest { email, browser, language: language.tag() };
    sign_in_requests::create(&mut tx, &request, now).await?;
    tx.commit().await
}

/// Changes what somebody is and may do, from their next request on. `NotPossible`: nobody would be a manager.
pub async fn change(
    context: &Context,
    by: &ChangeContext,
    id: UserId,
    settings: &UserSettings,
) -> Result<User, ServiceError> {
    let mut tx = context.db.begin().await?;
    businesses::lock(&mut tx, by.business).await?;
    let user = people::update_user(&mut tx, by.business, id, settings).await?;
    ensure_manager(&mut tx, by.business).await?;
    history::record(&mut tx, by, "changed", id, &json!({ "name": user.name })).await?;
    tx.commit().await?;
    Ok(user)
}

/// There is always one who can give a role back. Whoever takes one away has locked the business, so that two managers
/// cannot do it to each other at the same time.
async fn ensure_manager(tx: &mut Tx, business: BusinessId) -> Result<(), ServiceError> {
    if people::has_manager(tx, business).await? {
        return Ok(());
    }
    Err(ServiceError::NotPossible(
        "the last manager cannot be removed; make somebody else a manager first".into(),
    ))
}

/// Shuts somebody out: they can no longer sign in, and are signed out everywhere. `NotPossible`: nobody would be a manager.
pub async fn archive(context: &Context, by: &ChangeContext, id: UserId) -> Result<User, ServiceError> {
    let user = people::find_user(&context.db, by.business, id).await?.or_not_found("person")?;
    let mut tx = context.db.begin().await?;
    businesses::lock(&mut tx, by.business).await?;
    people::archive_user(&mut tx, by.business, id, by.now).await?;
    ensure_manager(&mut tx, by.business).await?;
    sign_in::end_all_sessions(&mut tx, by.business, id).await?;
    history::record(&mut tx, by, "archived", id, &json!({ "name": user.name })).await?;
    tx.commit().await?;
    Ok(user)
}

/// Begins a session of whoever `by` is, in the place of the one with the digest `former`.
pub async fn begin_session(
    context: &Context,
    by: &ChangeContext,
    new: &NewSession<'_>,
    former: Option<&str>,
) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    if let Some(former) = former {
        sign_in::end_session(&mut tx, former).await?;
    }
    sign_in::create_session(&mut tx, new, by.now).await?;
    history::record(&mut tx, by, "signed in", new.user, &json!({ "name": by.actor.label() })).await?;
    tx.commit().await
}

/// Ends the session of `user`, who `by` is, with this digest.
pub async fn end_session(
    context: &Context,
    by: &ChangeContext,
    user: UserId,
    digest: &str,
) -> Result<(), StorageError> {
    let mut tx = context.db.begin().await?;
    sign_in::end_session(&mut tx, digest).await?;
    history::record(&mut tx, by, "signed out", user, &json!({ "name": by.actor.label() })).await?;
    tx.commit().await
}

/// Ends one session of the person who `by` is. `NotFound`: they have no such session.
pub async fn end_session_by_id(
    context: &Context,
    by: &ChangeContext,
    user: UserId,
    id: SessionId,
) -> Result<(), ServiceError> {
    let mut tx = context.db.begin().await?;
    sign_in::end_session_of_user(&mut tx, by.business, user, id).await.or_not_found("session")?;
    history::record(&mut tx, by, "signed out", user, &json!({ "name": by.actor.label() })).await?;
    Ok(tx.commit().await?)
}

/// Ends every session of the person who `by` is, but for the one with this digest. Returns how many.
pub async fn end_other_sessions(
    context: &Context,
    by: &ChangeContext,
    user: UserId,
    kept: &str,
) -> Result<usize, StorageError> {
    let mut tx = context.db.begin().await?;
    let ended = sign_in::end_other_sessions(&mut tx, by.business, user, kept).await?;
    if ended > 0 {
        let detail = json!({ "name": by.actor.label(), "sessions": ended });
        history::record(&mut tx, by, "signed out elsewhere", user, &detail).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Signs somebody out everywhere: they may sign in again. `NotFound`: the business has no such user.
pub async fn end_sessions_of(
    context: &Context,
    by: &ChangeContext,
    id: UserId,
) -> Result<User, ServiceError> {
    let user = people::find_user(&context.db, by.business, id).await?.or_not_found("person")?;
    let mut tx = context.db.begin().await?;
    let ended = sign_in::end_all_sessions(&mut tx, by.business, id).await?;
    if ended > 0 {
        let detail = json!({ "name": user.name, "sessions": ended });
        history::record(&mut tx, by, "signed out everywhere", id, &detail).await?;
    }
    tx.commit().await?;
    Ok(user)
}

/// Where somebody with an address can sign in.
#[derive(Clone, Debug)]
pub struct SignInChoice {
    pub user: User,
    /// The name of their business.
    pub business: String,
}

/// Where whoever has an address can sign in: empty if nobody has it.
pub async fn choices_of(context: &Context, email: &str) -> Result<Vec<SignInChoice>, StorageError> {
    let mut choices = Vec::new();
    for user in people::find_users_by_email(&context.db, email).await? {
        let business =
            businesses::find(&context.db, user.business_id).await?.ok_or(StorageError::NotFound)?;
        choices.push(SignInChoice { user, business: business.name });
    }
    Ok(choices)
}

/// How long somebody may take to choose.
const CHOICE_TTL: Duration = Duration::minutes(5);

/// A link for each choice of somebody who has proven who they are, for the page on which they choose.
pub async fn offer_sign_in(
    context: &Context,
    choices: &[SignInChoice],
) -> Result<Vec<SecretString>, StorageError> {
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let mut tokens = Vec::new();
    for choice in choices {
        let token = secret::new_token("cl_");
        let link = NewSignInLink {
            user: choice.user.id,
            digest: &secret::digest(&token),
            reusable: false,
            browser: None,
            expires_at: now + CHOICE_TTL,
        };
        sign_in::create_link(&mut tx, &link, now).await?;
        tokens.push(token);
    }
    tx.commit().await?;
    Ok(tokens)
}

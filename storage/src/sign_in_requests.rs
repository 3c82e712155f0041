//! Addresses that somebody has typed in to sign in with, until a job has looked up who has them.
//!
//! Whoever typed one must not learn whether anybody has it: so every address becomes a row and a job alike, and only the job
//! looks.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::SignInRequestId,
    job::{JobKind, QueueClass},
};

use crate::{
    Db, Result, Tx,
    jobs::{self, NewJob},
    people::normalize_email,
};

/// An address that was typed in.
#[derive(Clone, Copy, Debug)]
pub struct NewSignInRequest<'a> {
    /// In any case of letters.
    pub email: &'a str,
    /// A digest of what the cookie of the browser holds that asks.
    pub browser: &'a str,
    /// The tag of the language to be written to in.
    pub language: &'a str,
}

/// An address that was typed in, as the job finds it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct SignInRequest {
    pub id: SignInRequestId,
    /// In lower case, as those of users are.
    pub email: String,
    /// A digest of what the cookie of the browser holds that asks.
    #[sqlx(rename = "browser_hash")]
    pub browser: String,
    /// The tag of the language to be written to in.
    pub language: String,
    pub created_at: DateTime<Utc>,
}

const CREATE: &str = "
    INSERT INTO sign_in_requests (id, email, browser_hash, language, created_at) VALUES ($1, $2, $3, $4, $5)";

/// Notes an address, and enqueues the job that looks up who has it. There is nothing to push: the sweep brings it in its own
/// time, so that whoever asks cannot tell by how long the next request waits for the database what the job had to write.
pub async fn create(tx: &mut Tx, new: &NewSignInRequest<'_>, now: DateTime<Utc>) -> Result<()> {
    let id = SignInRequestId::new(now);
    exec!(tx, CREATE, id, normalize_email(new.email), new.browser, new.language, now)?;
    let job = NewJob {
        business: None,
        kind: JobKind::MailSignInLinks,
        subject: id.0,
        queue: QueueClass::Interactive,
        due_at: now,
    };
    jobs::enqueue(tx, job, now).await.map(drop)
}

const FIND: &str = "SELECT id, email, browser_hash, language, created_at FROM sign_in_requests WHERE id = $1";

/// The address; `None`: it was looked up before.
pub async fn find(db: &Db, id: SignInRequestId) -> Result<Option<SignInRequest>> {
    optional!(db, FIND, id)
}

const DELETE: &str = "DELETE FROM sign_in_requests WHERE id = $1";

/// Forgets the address. Returns whether it was still there: of two who look at once, one writes.
pub async fn delete(tx: &mut Tx, id: SignInRequestId) -> Result<bool> {
    Ok(changed!(tx, DELETE, id)? == 1)
}

//! What a mail says that nobody may read but whom it is for: above all the links that sign them in.
//!
//! Whoever may read the mails of a business must not sign in with what stands in them, so a mail's text has placeholders
//! (`domain::mail`). What stands for them waits here, sealed, until the mail is sent or is good for nothing.

use chrono::{DateTime, Utc};
use concord_domain::ids::MailId;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Db, Result, StorageError, Tx,
    seal::{AssociatedData, Keyring},
};

fn place(mail: MailId) -> AssociatedData {
    AssociatedData { column: "mail_secrets.sealed", row: mail.0 }
}

const KEEP: &str = "INSERT INTO mail_secrets (mail_id, sealed, expires_at) VALUES ($1, $2, $3)";

/// Keeps the secrets of a mail, in the order of their placeholders, in the transaction that writes it.
pub(crate) async fn keep(
    tx: &mut Tx,
    ring: &Keyring,
    mail: MailId,
    secrets: &[SecretString],
    expires_at: DateTime<Utc>,
) -> Result<()> {
    let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
    let text = serde_json::Value::from(secrets).to_string();
    exec!(tx, KEEP, mail, ring.seal(&text.into(), place(mail)), expires_at)
}

const OPEN: &str = "SELECT sealed FROM mail_secrets WHERE mail_id = $1 AND expires_at > $2";

/// The secrets of a mail. `None`: it has none, or its links no longer work.
pub async fn open(
    db: &Db,
    ring: &Keyring,
    mail: MailId,
    now: DateTime<Utc>,
) -> Result<Option<Vec<SecretString>>> {
    let sealed: Option<String> = optional_scalar!(db, OPEN, mail, now)?;
    let Some(sealed) = sealed else { return Ok(None) };
    let text = ring.open(&sealed, place(mail))?;
    let secrets: Vec<String> = serde_json::from_str(text.expose_secret())
        .map_err(|_| StorageError::Inconsistent { what: "secrets of a mail" })?;
    Ok(Some(secrets.into_iter().map(SecretString::from).collect()))
}

const DELETE: &str = "DELETE FROM mail_secrets WHERE mail_id = $1";

/// Forgets the secrets of a mail that was sent.
pub async fn delete(tx: &mut Tx, mail: MailId) -> Result<()> {
    exec!(tx, DELETE, mail)
}

const LIST: &str = "SELECT mail_id, sealed FROM mail_secrets ORDER BY mail_id";
const RESEAL: &str = "UPDATE mail_secrets SET sealed = $2 WHERE mail_id = $1";

/// Seals again, with the current key, what an older key sealed. What no key opens is left: it is over in days. Returns how
/// many mails it was.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    let rows: Vec<(MailId, String)> = all!(tx, LIST)?;
    let mut changed = 0;
    for (mail, sealed) in rows {
        match ring.reseal(&sealed, place(mail)) {
            Ok(Some(again)) => {
                exec!(tx, RESEAL, mail, again)?;
                changed += 1;
            }
            Ok(None) | Err(StorageError::Sealed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(changed)
}

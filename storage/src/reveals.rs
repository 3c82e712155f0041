//! Secrets that are shown once: on the page to which a browser is sent after the request that made them, so that the
//! page can be loaded again without making another. Sealed, for minutes, for one session; gone when they are shown.

use chrono::{DateTime, Duration, Utc};
use concord_domain::ids::{BusinessId, RevealId};
use secrecy::SecretString;

use crate::{
    Db, Result, Tx,
    seal::{AssociatedData, Keyring},
};

/// A browser comes for it at once, or never.
pub const KEPT_FOR: Duration = Duration::minutes(5);

/// To whom something is shown, and where.
#[derive(Clone, Copy, Debug)]
pub struct RevealViewer<'a> {
    pub business: BusinessId,
    /// The digest of the session's token.
    pub session: &'a str,
    /// The page that shows it.
    pub page: &'a str,
}

fn place(id: RevealId) -> AssociatedData {
    AssociatedData { column: "reveals.sealed", row: id.0 }
}

const STORE: &str = "
    INSERT INTO reveals (id, business_id, session_hash, page, sealed, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";

/// Keeps `text` until it is shown; in the transaction that makes what it tells of.
pub async fn keep(
    tx: &mut Tx,
    ring: &Keyring,
    viewer: RevealViewer<'_>,
    text: &SecretString,
    now: DateTime<Utc>,
) -> Result<RevealId> {
    let id = RevealId::new(now);
    exec!(tx, STORE;
        id, viewer.business, viewer.session, viewer.page, ring.seal(text, place(id)), now + KEPT_FOR
    )?;
    Ok(id)
}

macro_rules! sealed {
    ($place:expr, $text:expr, $viewer:expr, $id:expr, $now:expr) => {{
        let RevealViewer { business, session, page } = $viewer;
        optional_scalar!($place, dynamic($text), $id, business, session, page, $now)
    }};
}

// To read it is to delete it: of two who ask at once, one is shown it.
const CONSUME: &str = "
    DELETE FROM reveals
    WHERE id = $1 AND business_id = $2 AND session_hash = $3 AND page = $4 AND expires_at > $5
    RETURNING sealed";

/// What was kept, which is then kept no more. `None`: it was shown, its time is over, or it is not for this viewer.
pub async fn take(
    db: &Db,
    ring: &Keyring,
    viewer: RevealViewer<'_>,
    id: RevealId,
    now: DateTime<Utc>,
) -> Result<Option<SecretString>> {
    let sealed: Option<String> = in_tx!(db, tx => sealed!(tx, CONSUME, viewer, id, now))?;
    sealed.map(|sealed| ring.open(&sealed, place(id))).transpose()
}

const PEEK: &str = "
    SELECT sealed FROM reveals
    WHERE id = $1 AND business_id = $2 AND session_hash = $3 AND page = $4 AND expires_at > $5";

/// What was kept, which stays until its time is over: for what may be shown again, and is nobody else's.
pub async fn look(
    db: &Db,
    ring: &Keyring,
    viewer: RevealViewer<'_>,
    id: RevealId,
    now: DateTime<Utc>,
) -> Result<Option<SecretString>> {
    let sealed: Option<String> = sealed!(db, PEEK, viewer, id, now)?;
    sealed.map(|sealed| ring.open(&sealed, place(id))).transpose()
}

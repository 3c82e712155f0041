//! What is the same for the whole installation, and stays so.

use crate::{Db, Result};

const KEEP: &str = "INSERT INTO installation (id, uid_host) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
const UID_HOST: &str = "SELECT uid_host FROM installation WHERE id = 1";

/// The host in the UIDs of bookings: that of the first start. Calendars that hold a booking know it by its UID, so that an
/// installation that gets another address keeps it. `host`: what it is if this is the first start.
pub async fn uid_host(db: &Db, host: &str) -> Result<String> {
    if let Some(kept) = optional_scalar!(db, UID_HOST)? {
        return Ok(kept);
    }
    let mut tx = db.begin().await?;
    exec!(tx, KEEP, host)?;
    let kept = scalar!(tx, UID_HOST)?;
    tx.commit().await?;
    Ok(kept)
}

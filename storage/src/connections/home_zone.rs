//! Where the owner of a connection lives: in what zone their calendars tell what they tell in none.

use chrono_tz::Tz;
use concord_domain::ids::{BusinessId, ConnectionId};

use crate::{
    Db, Result,
    column::{ZoneName, sqlx},
};

#[derive(sqlx_macros::FromRow)]
struct HomeZones {
    own: Option<String>,
    #[sqlx(try_from = "ZoneName")]
    business: Tz,
}

/// Of the account's own calendars first, then of the person's other accounts, the main one first. Calendars that they may
/// not write are other people's: those of holidays are often in UTC.
const HOME_ZONE: &str = "
    SELECT b.zone AS business, k.zone AS own
    FROM connections c
    JOIN businesses b ON b.id = c.business_id
    LEFT JOIN connections o ON o.business_id = c.business_id AND o.staff_id = c.staff_id AND o.state <> 'disconnected'
    LEFT JOIN calendars k ON k.connection_id = o.id AND k.zone IS NOT NULL AND k.writable AND k.missing_since IS NULL
    WHERE c.business_id = $1 AND c.id = $2
    ORDER BY k.zone IS NULL, o.id <> c.id, NOT k.is_primary, k.id LIMIT 1";

/// The zone of the person whose account it is: that of a calendar of theirs that tells one, or else of the business.
pub async fn home_zone(db: &Db, business: BusinessId, id: ConnectionId) -> Result<Tz> {
    let zones: HomeZones = one!(db, HOME_ZONE, business, id)?;
    Ok(zones.own.and_then(|name| name.parse().ok()).unwrap_or(zones.business))
}

//! Bookings are given their target connections while connections come, change and go.
//!
//! Whoever changes a connection looks, when that is committed, which bookings it concerns. A booking that is being
//! written at that moment is not among them yet, and was given the connections as they were before. So a change of
//! connections waits for the bookings of its business that are being targeted, and lets no other one begin. SQLite has one
//! writer, who is alone anyway. For PostgreSQL the rows that either of them locks are not enough: a connection may get
//! every booking, also those of people whose calendar it is not, and a new one has no row yet.

use concord_domain::ids::BusinessId;

use crate::{Open, Result, Tx};

/// Whether the connection of that name gets bookings of that kind whoever is assigned to them; `staff` is the name of its
/// person's row. The kinds are those of `Trade::kind`.
macro_rules! covers {
    ($connection:literal, $staff:literal, $kind:literal) => {
        concat!(
            "(",
            $connection,
            ".coverage = 'everything' OR (",
            $connection,
            ".coverage = 'trade' AND CASE ",
            $staff,
            ".trade WHEN 'technician' THEN 'maintenance' WHEN 'driver' THEN 'delivery' ELSE '' END = ",
            $kind,
            "))"
        )
    };
}
pub(crate) use covers;

const LOCK_SHARED: &str = "SELECT pg_advisory_xact_lock_shared($1)";
const LOCK_EXCLUSIVE: &str = "SELECT pg_advisory_xact_lock($1)";

/// Until the end of the transaction no connection of the business changes. Any number of bookings are targeted at a time.
pub(crate) async fn lock_targets_shared(tx: &mut Tx, business: BusinessId) -> Result<()> {
    lock(tx, LOCK_SHARED, business).await
}

/// Until the end of the transaction no booking of the business is targeted but by it.
pub(crate) async fn lock_targets_exclusive(tx: &mut Tx, business: BusinessId) -> Result<()> {
    lock(tx, LOCK_EXCLUSIVE, business).await
}

async fn lock(tx: &mut Tx, statement: &'static str, business: BusinessId) -> Result<()> {
    if let Open::Postgres(c) = tx.open() {
        // The end of an id is random. Two businesses with the same would wait for each other, and no more than that.
        let (_, name) = business.0.as_u64_pair();
        sqlx::query(statement).bind(name.cast_signed()).execute(c).await?;
    }
    Ok(())
}

//! How often the outside may be called, counted in the database, so that all workers share it.
//!
//! GCRA, a leaky bucket in one number: the theoretical arrival time of the next call. A call that comes no earlier
//! than `burst - 1` intervals before it goes, and moves it on by one interval.

use chrono::{DateTime, Duration, Utc};

use crate::{StorageError, Tx, on_db};

/// Whether a call may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Make it; it is counted.
    Go,
    /// Not before this instant; it is not counted.
    Wait(DateTime<Utc>),
}

const TAKE: &str = "
    INSERT INTO rate_limits (bucket, next_at_micros) VALUES ($1, $2 + $3)
    ON CONFLICT (bucket) DO UPDATE SET next_at_micros = $3
        + CASE WHEN rate_limits.next_at_micros > $2 THEN rate_limits.next_at_micros ELSE $2 END
    WHERE rate_limits.next_at_micros <= $4";
const NEXT_AT: &str = "SELECT next_at_micros FROM rate_limits WHERE bucket = $1";

/// Counts a call against `bucket`, if it may be made: `burst` at once (at least one), and one each `interval`
/// thereafter. Commit soon: the bucket is locked until then. If
/// the transaction is dropped instead, nothing was counted.
pub async fn take(
    tx: &mut Tx,
    bucket: &str,
    now: DateTime<Utc>,
    interval: Duration,
    burst: u32,
) -> Result<Take, StorageError> {
    let interval = interval.num_microseconds().unwrap_or(i64::MAX / 4).max(0);
    let ahead = interval.saturating_mul(i64::from(burst.max(1)) - 1).min(i64::MAX / 4);
    let now = now.timestamp_micros();
    let counted = on_db!(tx, c => sqlx::query(TAKE)
        .bind(bucket)
        .bind(now)
        .bind(interval)
        .bind(now + ahead)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if counted == 1 {
        return Ok(Take::Go);
    }
    let next_at: i64 = on_db!(tx, c => sqlx::query_scalar(NEXT_AT).bind(bucket).fetch_one(c).await)?;
    DateTime::from_timestamp_micros(next_at - ahead)
        .map(Take::Wait)
        .ok_or(StorageError::Inconsistent { what: "rate limit" })
}

const HOLD: &str = "
    INSERT INTO rate_limits (bucket, next_at_micros) VALUES ($1, $2)
    ON CONFLICT (bucket) DO UPDATE SET next_at_micros = excluded.next_at_micros
    WHERE rate_limits.next_at_micros < excluded.next_at_micros";

/// Lets no call pass before `until`, as a provider's Retry-After asks; `interval` and `burst` as in `take`.
pub async fn hold_until(
    tx: &mut Tx,
    bucket: &str,
    until: DateTime<Utc>,
    interval: Duration,
    burst: u32,
) -> Result<(), StorageError> {
    let interval = interval.num_microseconds().unwrap_or(i64::MAX / 4).max(0);
    let ahead = interval.saturating_mul(i64::from(burst.max(1)) - 1).min(i64::MAX / 4);
    on_db!(tx, c => sqlx::query(HOLD)
        .bind(bucket)
        .bind(until.timestamp_micros() + ahead)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

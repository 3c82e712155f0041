//! How often the outside may be called, counted in the database, so that all workers share it.
//!
//! GCRA, a leaky bucket in one number: the theoretical arrival time of the next call. A call that comes no earlier
//! than `burst - 1` intervals before it goes, and moves it on by one interval. One that comes a little earlier than that may
//! take its turn in advance and wait for it.

use chrono::{DateTime, Duration, Utc};

use crate::{StorageError, Tx, on_db};

/// When a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Make it at this instant, or now if that has passed; it is counted.
    At(DateTime<Utc>),
    /// Not before this instant; it is not counted.
    Wait(DateTime<Utc>),
}

const TAKE: &str = "
    INSERT INTO rate_limits (bucket, next_at_micros) VALUES ($1, $2 + $3)
    ON CONFLICT (bucket) DO UPDATE SET next_at_micros = $3
        + CASE WHEN rate_limits.next_at_micros > $2 THEN rate_limits.next_at_micros ELSE $2 END
    WHERE rate_limits.next_at_micros <= $4
    RETURNING next_at_micros";
const NEXT_AT: &str = "SELECT next_at_micros FROM rate_limits WHERE bucket = $1";

/// How much a bucket gives.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// One call each.
    pub interval: Duration,
    /// So many at once after a rest; at least one.
    pub burst: u32,
}

impl Rate {
    /// The interval, and how far the calls of a burst run ahead of it; in microseconds.
    fn micros(self) -> (i64, i64) {
        let interval = self.interval.num_microseconds().unwrap_or(i64::MAX / 4).max(0);
        (interval, interval.saturating_mul(i64::from(self.burst.max(1)) - 1).min(i64::MAX / 4))
    }
}

/// Counts a call against `bucket`, if it may be made within `patience` from now: whoever waits so long has a turn of
/// their own, and need not race the others for it. Commit soon: the bucket is locked until then. If the transaction is
/// dropped instead, nothing was counted.
pub async fn take(
    tx: &mut Tx,
    bucket: &str,
    now: DateTime<Utc>,
    rate: Rate,
    patience: Duration,
) -> Result<Take, StorageError> {
    let (interval, ahead) = rate.micros();
    let patience = patience.num_microseconds().unwrap_or(0).max(0);
    let micros = now.timestamp_micros();
    let counted: Option<i64> = on_db!(tx, c => sqlx::query_scalar(TAKE)
        .bind(bucket)
        .bind(micros)
        .bind(interval)
        .bind(micros + ahead + patience)
        .fetch_optional(c)
        .await)?;
    let instant = |micros| {
        DateTime::from_timestamp_micros(micros).ok_or(StorageError::Inconsistent { what: "rate limit" })
    };
    if let Some(next_at) = counted {
        return Ok(Take::At(instant(next_at - interval - ahead)?.max(now)));
    }
    let next_at: i64 = on_db!(tx, c => sqlx::query_scalar(NEXT_AT).bind(bucket).fetch_one(c).await)?;
    Ok(Take::Wait(instant(next_at - ahead)?))
}

const HOLD: &str = "
    INSERT INTO rate_limits (bucket, next_at_micros) VALUES ($1, $2)
    ON CONFLICT (bucket) DO UPDATE SET next_at_micros = excluded.next_at_micros
    WHERE rate_limits.next_at_micros < excluded.next_at_micros";

/// Lets no call pass before `until`, as a provider's Retry-After asks; `rate` as in `take`.
pub async fn hold_until(
    tx: &mut Tx,
    bucket: &str,
    until: DateTime<Utc>,
    rate: Rate,
) -> Result<(), StorageError> {
    let (_, ahead) = rate.micros();
    on_db!(tx, c => sqlx::query(HOLD)
        .bind(bucket)
        .bind(until.timestamp_micros() + ahead)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

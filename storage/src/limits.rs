//! How often the outside may be called, counted in the database, so that all workers share it.
//!
//! GCRA, a leaky bucket in one number: the theoretical arrival time of the next call. A call that comes no earlier
//! than `burst - 1` intervals before it goes, and moves it on by one interval. One that comes a little earlier than that may
//! take its turn in advance and wait for it.
//!
//! A provider that refuses without saying for how long opens a circuit: calls wait, the longer the more it has refused in a
//! row; then one tries whether it still does, and the first answer lets all of them through.

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
    ON CONFLICT (bucket) DO UPDATE SET
        next_at_micros = $3
            + CASE WHEN rate_limits.next_at_micros > $2 THEN rate_limits.next_at_micros ELSE $2 END,
        try_at_micros = $2 + $5,
        try_later_at_micros = CASE WHEN rate_limits.try_later_at_micros > $2 + $5
            THEN rate_limits.try_later_at_micros ELSE $2 + $5 END
    WHERE rate_limits.next_at_micros <= $4 AND (rate_limits.refusals = 0
        OR CASE WHEN $6 THEN rate_limits.try_at_micros ELSE rate_limits.try_later_at_micros END <= $2)
    RETURNING next_at_micros, refusals > 0";
const NEXT_AT: &str = "
    SELECT next_at_micros,
        CASE WHEN refusals = 0 THEN 0 WHEN $2 THEN try_at_micros ELSE try_later_at_micros END
    FROM rate_limits WHERE bucket = $1";

/// While a bucket's provider refuses, one call tries whether it still does. When it has not been heard of for so long, the
/// next one tries.
const TRIAL: Duration = Duration::seconds(5);

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

/// Whose call it is.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// How long it would wait for a turn of its own, rather than race the others for one.
    pub patience: Duration,
    /// Whether somebody waits for it: such a call tries sooner whether a provider still refuses.
    pub is_waited_for: bool,
}

/// Counts a call against `bucket`, if it may be made within the caller's patience from now. Commit soon: the bucket is locked
/// until then. If the transaction is dropped instead, nothing was counted. Says also whether the call is the one that tries
/// if the provider still refuses.
pub async fn take_turn(
    tx: &mut Tx,
    bucket: &str,
    now: DateTime<Utc>,
    rate: Rate,
    caller: Caller,
) -> Result<(Take, bool), StorageError> {
    let (interval, ahead) = rate.micros();
    let patience = caller.patience.num_microseconds().unwrap_or(0).max(0);
    let micros = now.timestamp_micros();
    let counted: Option<(i64, bool)> = on_db!(tx, c => sqlx::query_as(TAKE)
        .bind(bucket)
        .bind(micros)
        .bind(interval)
        .bind(micros + ahead + patience)
        .bind(TRIAL.num_microseconds().unwrap_or_default())
        .bind(caller.is_waited_for)
        .fetch_optional(c)
        .await)?;
    if let Some((next_at, is_trial)) = counted {
        return Ok((Take::At(instant(next_at - interval - ahead)?.max(now)), is_trial));
    }
    let (next_at, try_at): (i64, i64) = on_db!(tx, c => sqlx::query_as(NEXT_AT)
        .bind(bucket)
        .bind(caller.is_waited_for)
        .fetch_one(c)
        .await)?;
    Ok((Take::Wait(instant((next_at - ahead).max(try_at))?), false))
}

/// The same for a bucket of which nobody counts refusals.
pub async fn take(
    tx: &mut Tx,
    bucket: &str,
    now: DateTime<Utc>,
    rate: Rate,
    patience: Duration,
) -> Result<Take, StorageError> {
    let caller = Caller { patience, is_waited_for: true };
    take_turn(tx, bucket, now, rate, caller).await.map(|(take, _)| take)
}

fn instant(micros: i64) -> Result<DateTime<Utc>, StorageError> {
    DateTime::from_timestamp_micros(micros).ok_or(StorageError::Inconsistent { what: "rate limit" })
}

/// How long to wait after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// With a call that somebody waits for.
    pub waited_for: Duration,
    /// With any other.
    pub others: Duration,
}

// A call that began before the last refusal was counted tells nothing new.
const REFUSED: &str = "
    INSERT INTO rate_limits (bucket, next_at_micros, refusals, refused_at_micros) VALUES ($1, $2, 1, $2)
    ON CONFLICT (bucket) DO UPDATE SET refusals = rate_limits.refusals + 1, refused_at_micros = $2
    WHERE rate_limits.refusals = 0 OR rate_limits.refused_at_micros <= $3
    RETURNING refusals";
const TRY_AT: &str = "
    UPDATE rate_limits SET try_at_micros = $2, try_later_at_micros = $3 WHERE bucket = $1";

/// A provider has refused a call that began at `began`, without saying for how long. `waits`: what follows from so many
/// refusals in a row. Returns when a call that somebody waits for may try again.
pub async fn refused(
    tx: &mut Tx,
    bucket: &str,
    (began, now): (DateTime<Utc>, DateTime<Utc>),
    waits: impl Fn(i64) -> Waits + Send,
) -> Result<DateTime<Utc>, StorageError> {
    let refusals: Option<i64> = on_db!(tx, c => sqlx::query_scalar(REFUSED)
        .bind(bucket)
        .bind(now.timestamp_micros())
        .bind(began.timestamp_micros())
        .fetch_optional(c)
        .await)?;
    let Some(refusals) = refusals else {
        let (_, try_at): (i64, i64) =
            on_db!(tx, c => sqlx::query_as(NEXT_AT).bind(bucket).bind(true).fetch_one(c).await)?;
        return Ok(instant(try_at)?.max(now));
    };
    let Waits { waited_for, others } = waits(refusals);
    on_db!(tx, c => sqlx::query(TRY_AT)
        .bind(bucket)
        .bind((now + waited_for).timestamp_micros())
        .bind((now + others).timestamp_micros())
        .execute(c)
        .await
        .map(drop))?;
    Ok(now + waited_for)
}

const ANSWERED: &str = "
    UPDATE rate_limits SET refusals = 0,
        next_at_micros = CASE WHEN next_at_micros > $2 THEN $2 ELSE next_at_micros END
    WHERE bucket = $1 AND refusals > 0";

/// The provider has answered: nobody waits any more, and a burst may go as after a rest. `false`: nobody waited.
pub async fn answered(tx: &mut Tx, bucket: &str, now: DateTime<Utc>) -> Result<bool, StorageError> {
    let rows = on_db!(tx, c => sqlx::query(ANSWERED)
        .bind(bucket)
        .bind(now.timestamp_micros())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
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

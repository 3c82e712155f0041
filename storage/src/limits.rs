//! How often the outside may be called, counted in the database, so that all workers share it.
//!
//! GCRA, a leaky bucket in one number: the theoretical arrival time of the next call. A call that comes no earlier
//! than `burst - 1` intervals before it goes, and moves it on by one interval. One that comes a little earlier than that may
//! take its turn in advance and wait for it.
//!
//! A provider that refuses without saying for how long opens a circuit: calls wait, the longer the more it has refused in a
//! row; then one tries whether it still does, and the first answer lets all of them through.

use std::iter;

use chrono::{DateTime, Duration, Utc};

use crate::{Result, StorageError, Tx};

/// When a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateDecision {
    /// Make it at this instant, or now if that has passed; it is counted.
    At(DateTime<Utc>),
    /// Not before this instant; it is not counted.
    Wait(DateTime<Utc>),
}

/// Counts a call at `$1` against each bucket of `$rows`, if it may be made by the instant that `$latest` says for it.
macro_rules! take {
    ($rows:literal, $latest:literal) => {
        concat!(
            "INSERT INTO rate_limits (bucket, next_at_micros) VALUES ",
            $rows,
            " ON CONFLICT (bucket) DO UPDATE SET
                next_at_micros = excluded.next_at_micros - $1
                    + CASE WHEN rate_limits.next_at_micros > $1 THEN rate_limits.next_at_micros ELSE $1 END,
                try_at_micros = $1 + $2,
                try_later_at_micros = CASE WHEN rate_limits.try_later_at_micros > $1 + $2
                    THEN rate_limits.try_later_at_micros ELSE $1 + $2 END
            WHERE rate_limits.next_at_micros <= CASE rate_limits.bucket ",
            $latest,
            " END AND (rate_limits.refusals = 0
                OR CASE WHEN $3 THEN rate_limits.try_at_micros ELSE rate_limits.try_later_at_micros END <= $1)
            RETURNING bucket, next_at_micros, refusals > 0"
        )
    };
}
const TAKE: &str = take!("($4, $1 + $5)", "WHEN $4 THEN $6");
const TAKE_BOTH: &str = take!("($4, $1 + $5), ($7, $1 + $8)", "WHEN $4 THEN $6 WHEN $7 THEN $9");
const NEXT_AT: &str = "
    SELECT next_at_micros,
        CASE WHEN refusals = 0 THEN 0 WHEN $2 THEN try_at_micros ELSE try_later_at_micros END
    FROM rate_limits WHERE bucket = $1";

/// While a bucket's provider refuses, one call tries whether it still does. When it has not been heard of for so long, the
/// next one tries.
const TRIAL: Duration = Duration::seconds(5);

/// How much a bucket gives.
#[derive(Clone, Copy, Debug)]
pub struct BucketRate {
    pub interval: Duration,
    /// So many at once after a rest; at least one.
    pub burst: u32,
}

impl BucketRate {
    /// The interval, and how far the calls of a burst run ahead of it; in microseconds.
    fn micros(self) -> (i64, i64) {
        let interval = self.interval.num_microseconds().unwrap_or(i64::MAX / 4).max(0);
        (interval, interval.saturating_mul(i64::from(self.burst.max(1)) - 1).min(i64::MAX / 4))
    }
}

/// A bucket as a call sees it.
#[derive(Clone, Copy, Debug)]
pub struct RateBucket<'a> {
    pub name: &'a str,
    /// How much of it the call may use.
    pub rate: BucketRate,
    /// How long the call would wait for a turn of its own, rather than race the others for one.
    pub patience: Duration,
}

impl RateBucket<'_> {
    /// How far a burst runs ahead, and until when the call may be put off; in microseconds.
    fn bounds(&self, now: i64) -> (i64, i64) {
        let (_, ahead) = self.rate.micros();
        (ahead, now + ahead + self.patience.num_microseconds().unwrap_or(0).max(0))
    }
}

/// Counts a call against a bucket, and against another one with it, if it may be made within its patience from now. Commit
/// soon: the buckets are locked until then. If the transaction is dropped instead, as it must be after a `Wait`, nothing was
/// counted. `is_waited_for`: somebody waits for it, so that it tries sooner whether a provider still refuses. Says also whether
/// the call is the one that tries.
pub async fn take_turn(
    tx: &mut Tx,
    (bucket, other): (RateBucket<'_>, Option<RateBucket<'_>>),
    is_waited_for: bool,
    now: DateTime<Utc>,
) -> Result<(RateDecision, bool)> {
    let micros = now.timestamp_micros();
    let text = if other.is_some() { TAKE_BOTH } else { TAKE };
    let buckets = || iter::once(bucket).chain(other);
    let counted: Vec<(String, i64, bool)> = on_db!(tx, c => {
        let mut query = sqlx::query_as(text)
            .bind(micros)
            .bind(TRIAL.num_microseconds().unwrap_or_default())
            .bind(is_waited_for);
        for bucket in buckets() {
            query = query.bind(bucket.name.to_owned()).bind(bucket.rate.micros().0).bind(bucket.bounds(micros).1);
        }
        query.fetch_all(c).await
    })?;
    let (mut turn, mut is_trial, mut wait) = (now, false, None);
    for bucket in buckets() {
        let ahead = bucket.bounds(micros).0;
        if let Some((_, next_at, tries)) = counted.iter().find(|(name, ..)| name == bucket.name) {
            turn = turn.max(instant(next_at - bucket.rate.micros().0 - ahead)?);
            is_trial |= tries;
            continue;
        }
        let (next_at, try_at): (i64, i64) = one!(tx, NEXT_AT, bucket.name, is_waited_for)?;
        wait = wait.max(Some(instant((next_at - ahead).max(try_at))?));
    }
    match wait {
        Some(until) => Ok((RateDecision::Wait(until), false)),
        None => Ok((RateDecision::At(turn), is_trial)),
    }
}

/// The same for a bucket of which nobody counts refusals.
pub async fn take(
    tx: &mut Tx,
    bucket: &str,
    now: DateTime<Utc>,
    rate: BucketRate,
    patience: Duration,
) -> Result<RateDecision> {
    let bucket = RateBucket { name: bucket, rate, patience };
    take_turn(tx, (bucket, None), true, now).await.map(|(take, _)| take)
}

fn instant(micros: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or(StorageError::Inconsistent { what: "rate limit" })
}

/// How long to wait after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalBackoff {
    /// With a call that somebody waits for.
    pub waited_for: Duration,
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
    waits: impl Fn(i64) -> RefusalBackoff + Send,
) -> Result<DateTime<Utc>> {
    let refusals: Option<i64> =
        optional_scalar!(tx, REFUSED, bucket, now.timestamp_micros(), began.timestamp_micros())?;
    let Some(refusals) = refusals else {
        let (_, try_at): (i64, i64) = one!(tx, NEXT_AT, bucket, true)?;
        return Ok(instant(try_at)?.max(now));
    };
    let RefusalBackoff { waited_for, others } = waits(refusals);
    exec!(tx, TRY_AT, bucket, (now + waited_for).timestamp_micros(), (now + others).timestamp_micros())?;
    Ok(now + waited_for)
}

const ANSWERED: &str = "
    UPDATE rate_limits SET refusals = 0,
        next_at_micros = CASE WHEN next_at_micros > $2 THEN $2 ELSE next_at_micros END
    WHERE bucket = $1 AND refusals > 0";

/// The provider has answered: nobody waits any more, and a burst may go as after a rest. `false`: nobody waited.
pub async fn answered(tx: &mut Tx, bucket: &str, now: DateTime<Utc>) -> Result<bool> {
    Ok(changed!(tx, ANSWERED, bucket, now.timestamp_micros())? == 1)
}

const HOLD: &str = "
    INSERT INTO rate_limits (bucket, next_at_micros) VALUES ($1, $2)
    ON CONFLICT (bucket) DO UPDATE SET next_at_micros = excluded.next_at_micros
    WHERE rate_limits.next_at_micros < excluded.next_at_micros";

/// Lets no call pass before `until`, as a provider's Retry-After asks; `rate` as in `take`.
pub async fn hold_until(tx: &mut Tx, bucket: &str, until: DateTime<Utc>, rate: BucketRate) -> Result<()> {
    let (_, ahead) = rate.micros();
    exec!(tx, HOLD, bucket, until.timestamp_micros() + ahead)
}

//! One time for all: limits, leases and due times are instants in a database that many machines share, so that a machine
//! whose clock is ahead would stop the others, and take what they hold for abandoned. Each process goes by the clock of the
//! database's server instead.

use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use concord_domain::clock::Clock;
use concord_storage::{Db, StorageError, time};

/// How often the two are compared.
const CHECK_INTERVAL: StdDuration = StdDuration::from_secs(15);
/// Of an answer that took longer nobody knows when it was given, on the way of it.
const MAX_ROUND_TRIP: Duration = Duration::seconds(1);
/// Less than this is no difference: the answer was on its way, too.
const IGNORED_SKEW: Duration = Duration::milliseconds(100);
/// More than this is worth a word to whoever runs the machine.
const LOGGED_SKEW: Duration = Duration::seconds(2);

/// Compares the clock with the database's, and corrects it by the difference. Returns by how much it is corrected. A clock
/// that was set, and one beside a file of SQLite, are right as they are.
pub async fn correct(db: &Db, clock: &Clock) -> Result<Duration, StorageError> {
    let Some(correction) = clock.correction() else { return Ok(Duration::zero()) };
    let sent = clock.now();
    let Some(theirs) = time::now(db).await? else { return Ok(correction) };
    let off = skew(sent, clock.now(), theirs);
    if off.abs() < IGNORED_SKEW {
        return Ok(correction);
    }
    let corrected = correction + off;
    clock.correct_by(corrected);
    if (corrected - correction).abs() > LOGGED_SKEW {
        tracing::warn!(
            seconds = corrected.num_seconds(),
            "this machine's clock is not the database's; it is corrected by so much"
        );
    }
    Ok(corrected)
}

/// By how much our clock is behind the database's, which had `theirs` at some moment between `sent` and `received`. A quick
/// answer was given halfway (Cristian, 1989); of a slow one it is only known that it was given in between, so the clock moves
/// no further than to where both may be right.
fn skew(sent: DateTime<Utc>, received: DateTime<Utc>, theirs: DateTime<Utc>) -> Duration {
    let round_trip = received - sent;
    if round_trip <= MAX_ROUND_TRIP {
        theirs - (sent + round_trip / 2)
    } else if theirs < sent {
        theirs - sent
    } else {
        (theirs - received).max(Duration::zero())
    }
}

/// Goes on correcting the clock. Does not end.
pub async fn keep_corrected(db: Db, clock: Clock) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        if let Err(error) = correct(&db, &clock).await {
            tracing::debug!(%error, "the clock could not be compared with the database's");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_answer_corrects_as_far_as_it_tells() {
        let at = |milliseconds: i64| DateTime::UNIX_EPOCH + Duration::milliseconds(milliseconds);
        for (received, theirs, off) in [
            // Quick: halfway.
            (200, 100, 0),
            (200, 90_100, 90_000),
            (1_000, -89_500, -90_000),
            // Slow: a clock 90 s ahead is so by at most the round trip afterwards.
            (10_000, -90_000, -90_000),
            (10_000, -80_000, -80_000),
            (10_000, 95_000, 85_000),
            // Slow, and both may be right.
            (10_000, 0, 0),
            (10_000, 9_999, 0),
        ] {
            assert_eq!(
                skew(at(0), at(received), at(theirs)),
                Duration::milliseconds(off),
                "{received} {theirs}"
            );
        }
    }
}

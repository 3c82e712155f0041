//! One time for all: limits, leases and due times are instants in a database that many machines share, so that a machine
//! whose clock is ahead would stop the others, and take what they hold for abandoned. Each process goes by the clock of the
//! database's server instead.

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::clock::Clock;
use concord_storage::{Db, StorageError, time};

/// How often the two are compared.
const EVERY: StdDuration = StdDuration::from_secs(15);
/// An answer that took longer says too little.
const SLOWEST_ANSWER: Duration = Duration::seconds(1);
/// Less than this is no difference: the answer was on its way, too.
const NO_DIFFERENCE: Duration = Duration::milliseconds(100);
/// More than this is worth a word to whoever runs the machine.
const WORTH_A_WORD: Duration = Duration::seconds(2);

/// Compares the clock with the database's, and corrects it by the difference. Returns by how much it is corrected. A clock
/// that was set, and one beside a file of SQLite, are right as they are.
pub async fn correct(db: &Db, clock: &Clock) -> Result<Duration, StorageError> {
    let Some(correction) = clock.correction() else { return Ok(Duration::zero()) };
    let asked = clock.now();
    let Some(theirs) = time::now(db).await? else { return Ok(correction) };
    let took = clock.now() - asked;
    let off = theirs - (asked + took / 2);
    if took > SLOWEST_ANSWER || off.abs() < NO_DIFFERENCE {
        return Ok(correction);
    }
    let corrected = correction + off;
    clock.correct_by(corrected);
    if (corrected - correction).abs() > WORTH_A_WORD {
        tracing::warn!(
            seconds = corrected.num_seconds(),
            "this machine's clock is not the database's; it is corrected by so much"
        );
    }
    Ok(corrected)
}

/// Goes on correcting the clock. Does not end.
pub async fn keep_right(db: Db, clock: Clock) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = correct(&db, &clock).await {
            tracing::debug!(%error, "the clock could not be compared with the database's");
        }
    }
}

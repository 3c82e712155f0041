//! Deletes what is kept for a time only: old log lines, ended sessions, answered consents. Then PostgreSQL looks how much is
//! left, and SQLite is told again what to assume.
//!
//! Claims nothing but itself; comes back every hour.

use chrono::Duration;
use concord_domain::duty::{DutyKind, QueueClass};
use concord_storage::{
    StorageError,
    duties::{self, ClaimedDuty, NewDuty, Outcome},
    retention, statistics,
};
use uuid::Uuid;

use crate::{Context, duty::JobError};

pub(crate) async fn run(context: &Context, _duty: &ClaimedDuty) -> Result<Outcome, JobError> {
    let now = context.clock.now();
    let deleted = retention::delete_old(&context.db, context.settings.keep, now).await?;
    tracing::debug!(?deleted, "deleted what had been kept long enough");
    statistics::refresh(&context.db).await?;
    Ok(Outcome::Again(now + Duration::hours(1)))
}

/// Sees to it that the duty exists; called when a process starts.
pub async fn ensure(context: &Context) -> Result<(), StorageError> {
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let duty = NewDuty {
        business: None,
        kind: DutyKind::Retention,
        subject: Uuid::nil(),
        queue: QueueClass::Poll,
        due_at: now + Duration::minutes(1),
    };
    duties::raise(&mut tx, duty, now).await?;
    tx.commit().await
}

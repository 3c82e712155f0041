//! What the last full compare of a connection's calendars found.

use chrono::{DateTime, Utc};
use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, ConnectionId},
};

use crate::{Db, Result, Tx};

/// How calendar and rows agreed when they were last compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct DriftFigures {
    /// When; `None`: not yet.
    #[sqlx(rename = "drift_checked_at")]
    pub checked_at: Option<DateTime<Utc>>,
    /// Entries that stood as they should.
    #[sqlx(rename = "drift_matching")]
    pub standing: i64,
    /// Entries that should have stood and did not.
    #[sqlx(rename = "drift_missing")]
    pub missing: i64,
    /// What stood there, carried our mark and should not have stood or is not known.
    #[sqlx(rename = "drift_extra")]
    pub extra: i64,
    /// Entries that were not as we had left them.
    #[sqlx(rename = "drift_different")]
    pub different: i64,
    /// Since when a loss of many waits to be seen a second time.
    #[sqlx(rename = "drift_quarantined_since")]
    pub held_since: Option<DateTime<Utc>>,
}

impl DriftFigures {
    /// How many should have stood.
    pub fn wanted(&self) -> i64 {
        self.standing + self.missing + self.different
    }

    /// Whether all was as it should be.
    pub fn is_clean(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.different == 0
    }
}

const RECORD: &str = "
    UPDATE connections SET drift_checked_at = $3, drift_matching = $4, drift_missing = $5, drift_extra = $6,
        drift_different = $7, drift_quarantined_since = $8
    WHERE business_id = $1 AND id = $2";

/// Notes what a compare found.
pub async fn record_drift(
    tx: &mut Tx,
    (business, id): (BusinessId, ConnectionId),
    figures: &DriftFigures,
) -> Result<()> {
    exec!(tx, RECORD;
        business, id, figures.checked_at, figures.standing, figures.missing, figures.extra,
        figures.different, figures.held_since
    )
}

/// What the last compares of all connections to a provider found together.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct DriftTotal {
    pub provider: ProviderKind,
    /// Entries that stood as they should.
    pub standing: i64,
    /// Entries that should have stood and did not.
    pub missing: i64,
    /// What stood there and should not have.
    pub extra: i64,
    /// Entries that were not as we had left them.
    pub different: i64,
    /// When the one that was compared longest ago was.
    pub oldest: DateTime<Utc>,
}

const TOTALS: &str = "
    SELECT provider, CAST(SUM(drift_matching) AS BIGINT) AS standing, CAST(SUM(drift_missing) AS BIGINT) AS missing,
           CAST(SUM(drift_extra) AS BIGINT) AS extra, CAST(SUM(drift_different) AS BIGINT) AS different,
           MIN(drift_checked_at) AS oldest
    FROM connections WHERE state = 'active' AND drift_checked_at IS NOT NULL GROUP BY provider ORDER BY provider";

/// What the last compares of the connections that are served found, for the metrics.
pub async fn drift_totals(db: &Db) -> Result<Vec<DriftTotal>> {
    all!(db, TOTALS)
}

const NEVER_COMPARED: &str = "
    SELECT c.business_id, c.id FROM connections c
    WHERE c.state = 'active' AND NOT EXISTS (
        SELECT 1 FROM jobs d WHERE d.kind = 'compare_drift' AND d.subject_id = c.id AND d.state <> 'done')
    ORDER BY c.id";

/// The connections that are served and that nobody is to compare, such as those of an older version of the program.
pub async fn list_never_compared(db: &Db) -> Result<Vec<(BusinessId, ConnectionId)>> {
    all!(db, NEVER_COMPARED)
}

//! What a task does for an idempotency key: the transaction that does it marks the key.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use concord_domain::{audit::HistorySubject, ids::BusinessId};
use uuid::Uuid;

use super::Tx;
use crate::{Result, StorageError};

const MARK: &str = "
    UPDATE idempotency_keys SET done_at = $5, subject_kind = $6, subject_id = $7
    WHERE business_id = $1 AND key = $2 AND request_hash = $3 AND created_at = $4 AND status IS NULL";

tokio::task_local! {
    static CURRENT_WORK: IdempotentWork;
}

/// What the current task does for a key, if anything; to be carried into a task that goes on with it.
#[derive(Clone, Debug, Default)]
pub struct IdempotentWork {
    keyed: Option<Arc<IdempotencyMark>>,
    in_parts: bool,
}

/// One request of a caller who gave a key.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    pub business: BusinessId,
    /// What the caller gave.
    pub key: String,
    /// A digest of method, path and body.
    pub request_hash: String,
    /// When this attempt began: it tells the attempts of one request apart.
    pub began_at: DateTime<Utc>,
}

#[derive(Debug)]
struct IdempotencyMark {
    request: KeyedRequest,
    is_marked: AtomicBool,
    subject: Mutex<Option<(HistorySubject, Uuid)>>,
}

impl IdempotentWork {
    /// That of the current task.
    pub fn current() -> Self {
        CURRENT_WORK.try_with(Clone::clone).unwrap_or_default()
    }

    /// Goes on with it.
    pub async fn go_on<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT_WORK.scope(self, work).await
    }

    /// That of a key, for this attempt.
    pub(crate) fn for_key(request: &KeyedRequest) -> Self {
        let keyed = IdempotencyMark {
            request: request.clone(),
            is_marked: AtomicBool::new(false),
            subject: Mutex::default(),
        };
        Self { keyed: Some(Arc::new(keyed)), in_parts: false }
    }

    /// The same, of which no transaction marks the key.
    pub(crate) fn in_parts(self) -> Self {
        Self { in_parts: true, ..self }
    }

    fn unmarked(&self) -> Option<&Arc<IdempotencyMark>> {
        self.keyed.as_ref().filter(|keyed| !self.in_parts && !keyed.is_marked.load(Ordering::Acquire))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn key(&self) -> Option<&str> {
        self.keyed.as_ref().map(|keyed| keyed.request.key.as_str())
    }
}

/// What is being done to whom: the first that is noted in the history counts.
pub(crate) fn names(kind: HistorySubject, subject: Uuid) {
    if let Some(keyed) = IdempotentWork::current().unmarked() {
        keyed.subject.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((kind, subject));
    }
}

/// Marks the key of the current task as done, in the transaction that does it. `false`: there is nothing to be marked.
/// `Busy`: the attempt was taken for dead and another has taken over.
pub(crate) async fn mark(tx: &mut Tx) -> Result<bool> {
    let work = IdempotentWork::current();
    let Some(keyed) = work.unmarked() else { return Ok(false) };
    let subject = *keyed.subject.lock().unwrap_or_else(PoisonError::into_inner);
    let request = &keyed.request;
    if changed!(tx, MARK;
        request.business, &request.key, &request.request_hash, request.began_at, request.began_at,
        subject.map(|(kind, _)| kind), subject.map(|(_, id)| id)
    )? == 0
    {
        Err(StorageError::Busy)
    } else {
        Ok(true)
    }
}

/// The transaction that marked it is committed.
pub(crate) fn marked() {
    if let Some(keyed) = IdempotentWork::current().keyed {
        keyed.is_marked.store(true, Ordering::Release);
    }
}

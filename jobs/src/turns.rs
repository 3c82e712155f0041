//! Whose turn it is to write to a connection, within one process.
//!
//! Only an accelerator: the lease in the database decides. But those who queue here need not find it taken and come
//! back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use concord_domain::ids::ConnectionId;
use tokio::sync::OwnedMutexGuard;

/// The queues of one process, one a connection; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Mutex<Queues>>);

type Queues = HashMap<ConnectionId, Weak<tokio::sync::Mutex<()>>>;

impl Turns {
    /// Waits for the turn, but no longer than that.
    pub(crate) async fn wait(
        &self,
        connection: ConnectionId,
        longest: Duration,
    ) -> Option<OwnedMutexGuard<()>> {
        tokio::time::timeout(longest, self.queue(connection).lock_owned()).await.ok()
    }

    fn queue(&self, connection: ConnectionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(&connection).and_then(Weak::upgrade) {
            return queue;
        }
        queues.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(tokio::sync::Mutex::new(()));
        queues.insert(connection, Arc::downgrade(&queue));
        queue
    }
}

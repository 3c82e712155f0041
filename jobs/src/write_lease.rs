//! The right to be the one writer of a connection, across processes. A worker that dies loses it by time.

use std::{pin::Pin, sync::Arc, time::Duration as StdDuration};

use chrono::{DateTime, Duration, Utc};
use concord_domain::ids::ConnectionId;
use concord_storage::{
    StorageError, Tx, connections,
    duties::{self, ClaimedDuty},
};
use tokio::runtime::Handle;

use crate::{
    Context,
    duty::JobError,
    turns::{Line, Turn},
};

/// Longer than this nobody holds a worker's place only to wait.
const LONGEST_WAIT: StdDuration = StdDuration::from_secs(3);
/// How soon those come back for whom it was too long.
const COME_BACK: Duration = Duration::milliseconds(150);

/// The right to be the one writer of a connection.
pub(crate) struct WriteLease<'a> {
    context: &'a Context,
    duty: &'a ClaimedDuty,
    connection: ConnectionId,
    renew_at: DateTime<Utc>,
    turn: Turn,
}

impl<'a> WriteLease<'a> {
    /// Waits a little for it. `NotNow`: somebody else has it.
    pub(crate) async fn take(
        context: &'a Context,
        duty: &'a ClaimedDuty,
        connection: ConnectionId,
    ) -> Result<Self, JobError> {
        let turn = context.turns.wait(connection, duty.reference(), LONGEST_WAIT).await;
        let taken = |reason| JobError::not_now(context, COME_BACK, reason);
        let turn = turn.ok_or_else(|| taken("other writes to this calendar come first"))?;
        let now = context.clock.now();
        let until = now + context.settings.lease;
        if !connections::take_write_lease(&context.db, connection, &duty.leased_by, until, now).await? {
            return Err(taken("another worker writes to this calendar"));
        }
        // Soon enough for the duty's own lease too, which began up to `LONGEST_WAIT` before.
        let renew_at = now + context.settings.lease / 3;
        Ok(Self { context, duty, connection, renew_at, turn })
    }

    /// Makes sure, before a call, that this lease and the duty's own hold. `NotNow`: one of them was lost, and somebody else
    /// is at work.
    pub(crate) async fn keep(&mut self) -> Result<(), JobError> {
        if self.context.clock.now() >= self.renew_at && !self.renew().await? {
            return Err(JobError::not_now(self.context, COME_BACK, "another worker has taken over"));
        }
        Ok(())
    }

    /// Makes a call, after `keep`, and keeps both leases alive for as long as it takes. Lost during the call, they do not
    /// end it, since nobody could tell what it had done: `release_in` will say so.
    pub(crate) async fn during<T>(&mut self, mut call: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> T {
        let every = (self.context.settings.lease / 3).to_std().unwrap_or(LONGEST_WAIT);
        loop {
            tokio::select! {
                answer = &mut call => return answer,
                () = tokio::time::sleep(every) => {
                    if let Err(error) = self.renew().await {
                        tracing::debug!(connection = %self.connection, %error, "a lease could not be renewed");
                    }
                }
            }
        }
    }

    async fn renew(&mut self) -> Result<bool, StorageError> {
        let context = self.context;
        let now = context.clock.now();
        let until = now + context.settings.lease;
        let holder = &self.duty.leased_by;
        let ours = connections::extend_write_lease(&context.db, self.connection, holder, until).await?
            && duties::extend(&context.db, self.duty, until).await?;
        if ours {
            self.renew_at = now + context.settings.lease / 3;
        }
        Ok(ours)
    }

    /// Lets the next writer in. `false`: somebody else has become it meanwhile.
    pub(crate) async fn release_in(&self, tx: &mut Tx) -> Result<bool, StorageError> {
        connections::release_write_lease(tx, self.connection, &self.duty.leased_by).await
    }

    /// The same in a transaction of its own. If even that fails, it runs out.
    pub(crate) async fn release(&self) {
        give_back(self.context, self.connection, &self.duty.leased_by).await;
    }
}

async fn give_back(context: &Context, connection: ConnectionId, holder: &str) {
    let released = async {
        let mut tx = context.db.begin_forgettable().await?;
        connections::release_write_lease(&mut tx, connection, holder).await?;
        tx.commit().await
    };
    if let Err(error) = released.await {
        tracing::debug!(%connection, %error, "a lease could not be given back");
    }
}

impl Drop for WriteLease<'_> {
    fn drop(&mut self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if !self.turn.line().is_empty() {
            runtime.spawn(call_back(self.context.clone(), Arc::clone(self.turn.line())));
        }
        // A job that panics cannot give it back, and others need not wait until it runs out.
        if std::thread::panicking() {
            let (context, connection) = (self.context.clone(), self.connection);
            let holder = self.duty.leased_by.clone();
            runtime.spawn(async move { give_back(&context, connection, &holder).await });
        }
    }
}

/// Lets one of those who were sent away be the next who waits: they would come by themselves, but later.
async fn call_back(context: Context, line: Arc<Line>) {
    while let Some(duty) = line.call_back() {
        match duties::hasten(&context.db, duty, context.clock.now()).await {
            Ok(true) => return context.push(&[duty]).await,
            // Done by now, or still on its way back.
            Ok(false) => {}
            Err(error) => return tracing::debug!(duty = %duty.id, %error, "a duty could not be called back"),
        }
    }
}

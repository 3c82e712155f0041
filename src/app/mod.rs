//! What every request handler is given.

mod address_shares;
pub(crate) mod admission;
pub(crate) mod feed_access;
pub(crate) mod rate_limiter;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use concord_jobs::Context;
use concord_providers::oidc::OidcClient;
use concord_storage::{WriteCaller, idempotency::IdempotentWork, on_behalf_of, probe::DatabaseProbe};
use tokio::task::JoinError;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use url::Url;

use self::{admission::Admission, feed_access::FeedAccessLog};
use crate::config::Config;

/// What every request handler is given, as axum's state.
#[derive(Clone, Debug)]
pub struct App {
    /// Database, clock, providers, queue: what jobs are given too.
    pub context: Context,
    pub config: Arc<Config>,
    /// Where people and programs reach this installation; no trailing slash.
    pub public_url: Url,
    /// Who has read which feed, until it is written down.
    pub access: FeedAccessLog,
    /// Whether the database works.
    pub probe: Arc<DatabaseProbe>,
    /// The OpenID Connect issuer at which people may sign in; `None`: none is set up.
    pub oidc: Option<Arc<OidcClient>>,
    /// Who is let in, and how much of the process they may take.
    pub admission: Arc<Admission>,
    /// What goes on when the request that began it has ended; a process that stops waits for it.
    pub in_hand: TaskTracker,
}

impl App {
    /// The current instant, in UTC.
    pub fn now(&self) -> DateTime<Utc> {
        self.context.clock.now()
    }

    /// Does what must not be given up midway: a caller who hangs up and a request that takes too long end the future of
    /// their request, and this goes on, for the same idempotency key. Fails only where the whole process ends.
    pub fn run_to_completion<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Result<T, JoinError>> {
        // On the heap, so that whoever waits for it does not hold it as well.
        let task = Box::pin(on_behalf_of(WriteCaller::Request, IdempotentWork::current().go_on(task)));
        let ended = self.in_hand.spawn(task.in_current_span());
        async {
            ended.await.map_err(|ended| match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(ended) => ended,
            })
        }
    }

    /// An absolute address for a path that begins with a slash.
    pub fn absolute_url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Whether people reach this installation over https: then cookies are marked `Secure`.
    pub fn is_secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }
}

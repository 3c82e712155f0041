//! How many calls go to one mailbox at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use http::HeaderValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ProviderError;

/// Microsoft refuses the fifth with a 429 (<https://learn.microsoft.com/graph/throttling-limits>, Outlook service
/// limits: four concurrent requests an app and mailbox).
const MAX_CONCURRENT: usize = 4;

/// The calls under way in this process, by mailbox. A mailbox is known by its access token, which changes each hour:
/// the few calls of an old token beside those of the new one may be one too many, and come back as a 429.
#[derive(Clone, Debug, Default)]
pub(super) struct MailboxLimiter(Arc<MailboxSemaphores>);

#[derive(Debug, Default)]
struct MailboxSemaphores {
    /// Keyed by a hash of the token, never by the token. Two mailboxes of one hash only wait for each other.
    open: Mutex<HashMap<u64, Weak<Semaphore>>>,
    hasher: RandomState,
}

impl MailboxLimiter {
    /// Waits for a place; it is given back when the permit is dropped.
    pub(super) async fn place(&self, bearer: &HeaderValue) -> Result<OwnedSemaphorePermit, ProviderError> {
        let places = self.of(bearer);
        let place = places.acquire_owned().await;
        place.map_err(|_| ProviderError::Transient("the process is being stopped".to_owned()))
    }

    fn of(&self, bearer: &HeaderValue) -> Arc<Semaphore> {
        let key = self.0.hasher.hash_one(bearer.as_bytes());
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = open.get(&key).and_then(Weak::upgrade) {
            return places;
        }
        // Tokens that are no longer used would pile up.
        open.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(MAX_CONCURRENT));
        open.insert(key, Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::join_all};

    use super::*;

    #[tokio::test]
    async fn the_fifth_waits_until_one_is_done_and_others_do_not() {
        let mailboxes = MailboxLimiter::default();
        let (ana, ben) = (HeaderValue::from_static("Bearer ana"), HeaderValue::from_static("Bearer ben"));
        let mut places = join_all((0..MAX_CONCURRENT).map(|_| mailboxes.place(&ana))).await;
        assert!(mailboxes.place(&ana).now_or_never().is_none());
        assert!(mailboxes.place(&ben).now_or_never().is_some());
        places.pop();
        assert!(mailboxes.place(&ana).now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_is_no_longer_used_is_forgotten() {
        let mailboxes = MailboxLimiter::default();
        for token in 0..100 {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            drop(mailboxes.place(&bearer).await.unwrap());
        }
        assert!(mailboxes.0.open.lock().unwrap().len() <= 1);
    }
}

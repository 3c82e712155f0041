//! Waiting for what nobody announces.

use std::time::Duration;

use tokio::time::Instant;

/// How long anything may take; a loaded machine is slow, what is broken never gets there.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again until there is something, a few hundredths of a second apart. Panics after [`PATIENCE`].
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! What must hold with every provider: Google and Microsoft as the sandbox plays them, and CalDAV at a Radicale behind a
//! proxy.
//!
//! A case is a function of a database and a provider; `everywhere!` makes a test of it for each of them. What people do
//! there, and what goes wrong there, is in `provider_sandbox`: the cases do not know which provider it is.

mod bad_answers;
mod deleted;
mod edits;
mod faults;
mod grants;
mod moved_away;
mod own_events;
mod secrets;
mod zone_cases;
mod zones;

use concord_domain::connection::ProviderKind;
use concord_storage::testing::{TestDb, monday};

use crate::fixture::{PATIENCE, SyncFixture, unhurried};

/// A test of each case for each provider.
macro_rules! everywhere {
    ($($case:ident),+ $(,)?) => {
        $crate::everywhere::everywhere! { @of google Google; $($case,)+ }
        $crate::everywhere::everywhere! { @of microsoft Microsoft; $($case,)+ }
        $crate::everywhere::everywhere! { @of caldav Caldav; $($case,)+ }
    };
    (@of $module:ident $kind:ident; $($case:ident,)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let db = concord_storage::testing::sqlite().await;
                    super::$case(&db, concord_domain::connection::ProviderKind::$kind).await;
                }
            )+
        }
    };
}
use everywhere;

impl<'a> SyncFixture<'a> {
    /// One whose people have their calendars with that provider.
    async fn with_provider(db: &'a TestDb, kind: ProviderKind) -> Self {
        Self::of(db, kind, unhurried(), PATIENCE, monday()).await
    }
}

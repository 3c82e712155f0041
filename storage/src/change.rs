//! Whose change it is.

use chrono::{DateTime, Utc};
use concord_domain::{ids::BusinessId, people::Actor};

/// Who changes something, where and when.
#[derive(Clone, Debug)]
pub struct ChangeContext {
    pub business: BusinessId,
    pub actor: Actor,
    /// The instant of the change.
    pub now: DateTime<Utc>,
}

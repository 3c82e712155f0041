//! The account that a job is about.

use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, ConnectionId},
};

/// Which connection a call is made for.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionAccount {
    pub business: BusinessId,
    pub connection: ConnectionId,
    /// Where its calendars are.
    pub provider: ProviderKind,
}

//! The account that a job is about.

use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, ConnectionId},
};

/// Which connection a call is made for.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionAccount {
    /// The tenant.
    pub business: BusinessId,
    /// Which connection.
    pub connection: ConnectionId,
    /// Where its calendars are.
    pub provider: ProviderKind,
}

//! From Concord to calendars: the entries of bookings are written and removed.

pub(crate) mod batch_sync;
pub(crate) mod disconnect;
pub(crate) mod entry;
mod pending_write;

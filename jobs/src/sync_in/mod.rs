//! From calendars to Concord: what stands there is read and compared, and what people did there is followed, asked about or
//! reverted.

pub(crate) mod close_remote_change;
pub(crate) mod desired_booking;
pub(crate) mod drift;
pub(crate) mod entry_search;
pub(crate) mod found_entries;
pub(crate) mod import_availability;
pub(crate) mod remote_change;

//! The accounts behind connections: access to them, how fast they are called, their calendars, and being told of changes.

pub mod access;
pub mod calendar_list;
pub mod limits;
pub mod push;

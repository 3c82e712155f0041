//! What must be done so that a calendar and the bookings agree: values in, actions out.
//!
//! `entry_content` says what an entry should read like, `plan` what must be called so that it does, `remote_change` what
//! follows from what a person did to it (`unknown_writes`: while the outcome of a write of ours is not known) and
//! `remote_change_text` how people are told of that, `read_sequence` which of the two is newer, what was read or what is known,
//! `busy_times` what a read of a calendar changes in what we know of its owner's time, `entry_moves` whether what is not in its
//! calendar any more is in another one, `drift` how far what is in a calendar is from what should be.
//! None of them calls anybody; `jobs` carries the actions out with a provider and stores what came of it.

pub mod busy_times;
pub mod drift;
#[cfg(test)]
mod edit_model;
pub mod entry_content;
pub mod entry_moves;
pub mod plan;
pub mod read_sequence;
pub mod remote_change;
pub mod remote_change_text;
pub mod synced_fields;
pub mod unknown_writes;

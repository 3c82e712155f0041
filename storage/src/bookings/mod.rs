//! Bookings: found by the caller's own reference, changed in one transaction with all that follows from the change.

mod allocation;
mod follow;
mod import;
mod in_context;
mod read;
mod taken;
mod write;

pub use follow::{Along, follow, hold};
pub use import::{ItemWrite, cancel_imported, import};
pub use in_context::{InContext, in_context};
pub(crate) use read::TimeColumns;
pub use read::{
    BookingFilter, FeedAsk, by_id, by_ids, concerning, find, for_channel, list, of_business, of_resource,
    of_staff, round, which_exist,
};
pub use taken::{Obstacle, Taken};
pub use write::{Change, Put, PutError, aim_again, cancel, put};

use crate::secret::fill_random;

/// A reference for a booking whose caller gave none: easy to read out, without letters that look or sound alike.
pub fn new_reference() -> String {
    const DIGITS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut bytes = [0; 7];
    fill_random(&mut bytes);
    bytes.iter().fold(String::from("B-"), |mut text, byte| {
        text.push(char::from(DIGITS[usize::from(byte & 31)]));
        text
    })
}

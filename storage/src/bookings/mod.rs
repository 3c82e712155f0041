//! Bookings: found by the caller's own reference, changed in one transaction with all that follows from the change.

mod allocation;
mod context;
mod follow;
mod import;
mod read;
mod unavailability;
mod write;

pub use context::{BookingContext, in_context};
pub use follow::{LinkedWrite, follow, hold};
pub use import::{ChannelItemWrite, cancel_imported, import};
pub(crate) use read::TimeColumns;
pub use read::{
    BookingFilter, FeedRange, by_id, concerning, existing_ids, find, find_by_ids, list,
    list_for_channel_feed, list_for_resource_feed, of_business, of_staff, round,
};
pub use unavailability::{Obstacle, Unavailability};
pub use write::{ChangeContext, PutError, WrittenBooking, aim_again, cancel, put};

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

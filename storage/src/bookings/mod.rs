//! Bookings: found by the caller's own reference, changed in one transaction with all that follows from the change.

mod allocation;
mod approval;
mod concerning;
mod context;
mod erase;
mod events;
mod feed;
mod invitations;
mod linked;
mod list;
mod outcome;
mod read;
mod rows;
mod unavailability;
mod write;

pub use concerning::{concerning, round};
pub use context::{BookingContext, in_context};
pub use erase::{erase, lock_by_id};
pub use feed::{FeedRange, list_for_channel_feed, list_for_resource_feed, of_business, of_staff};
pub use linked::{ChannelItemWrite, LinkedWrite};
pub use list::{BookingFilter, list};
pub use outcome::{PutError, WrittenBooking};
pub(crate) use read::IDS_AT_ONCE;
pub use read::{by_id, existing_ids, find, find_by_ids};
pub use unavailability::{Unavailability, alternatives_of};
pub use write::{cancel, cancel_imported, cancel_linked, follow, hold, import, put, retarget};

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

//! What is asked of a booking, and what comes of it.

use concord_domain::{
    booking::{Booking, BookingDraft, FieldError},
    ids::{BookingId, ChannelId},
    sync::remote_change,
    webhook::Event,
};

use super::unavailability::Unavailability;
use crate::{StorageError, jobs::JobRef};

/// What a booking is to say.
#[derive(Clone, Copy)]
pub(super) enum BookingCommand<'a> {
    Put(&'a BookingDraft),
    /// This, which came by the feed of a channel and stands whether there is room or not.
    Import(&'a BookingDraft, ChannelId),
    /// What it says by then, but cancelled: somebody may be changing it at this moment.
    Cancel,
}

/// A booking that was written.
#[derive(Clone, Debug)]
pub struct WrittenBooking {
    /// As it stands now.
    pub booking: Booking,
    /// Whether it is new.
    pub created: bool,
    /// Whether all that it newly takes has a unit; only what a platform has sold may have none.
    pub allocated: bool,
    /// What to push to the queue, now that it is committed.
    pub jobs: Vec<JobRef>,
    /// Why whatever is asked about it is no question any more; `None`: it says what it said.
    pub(super) overtakes: Option<remote_change::Refusal>,
    /// What other systems are told, last in the transaction.
    pub(super) events: Option<BookingEvents>,
}

/// What other systems are told of a booking that was written.
#[derive(Clone, Debug)]
pub(super) struct BookingEvents {
    pub(super) event: Event,
    /// Whether something of it was without a unit before.
    pub(super) was_conflict: bool,
    /// Other bookings, which have found the units that they lacked.
    pub(super) resolved: Vec<BookingId>,
}

/// Why a booking was not written. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// What it says cannot be.
    #[error("{}", .0.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// There is no room.
    #[error("the time is taken")]
    Taken(Box<Unavailability>),
    /// It was changed since the caller read it.
    #[error("the booking is at version {current} by now")]
    Stale {
        /// The version that it is at.
        current: i64,
    },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

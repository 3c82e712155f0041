//! Channels: a resource on a platform, kept in step by the feeds of both sides.
//!
//! `snapshot` is what a platform's feed says now, `echo` tells what of it is only our own feed given back, `plan`
//! compares it with what is known and says what follows (all as `items`), the import guard included: `classify` decides what each event is,
//! `matching` which of those that were known it is. `simulation_tests` lives whole days of three platforms against all of it.
//!
//! Three things a plan must never do: cancel by what may be a fault of the feed, book what is an echo, and forget what
//! a platform has sold. Where it cannot tell, nights stay taken: a night that is not sold is a smaller loss than one
//! that is sold twice.
//!
//! What no feed can tell, and what follows:
//! - One event for nights that we freed and the platform has read to be free, where UIDs change: our echo, shown late, or
//!   a sale. It is unconfirmed: the nights stay taken until the event goes, a day is over, or somebody settles it.
//! - Two events alike for nights that we published there, on a platform that writes all alike: one is ours. The other is
//!   a booking, marked as contested, and the overlap is shown; which of them it was shows when one goes. A single event
//!   within nights that we published and the platform has read is ours, unless it was seen as a sale before.
//! - A sale and our echo that trade places at once, with a new UID on the same dates: it stays sold until the next reading.
//! - A block over nights that another platform's booking closes there as well, where blocks are joined: it is hidden until
//!   that booking has gone and the platform has read so; for as long as an echo may linger where the block was not seen before.
//! - A stay that is called off, of which we read only when its first day has begun: it stays until it is over.
//! - A block that begins where the platform's selling time ends, before that was seen by itself or while it moves past: all
//!   of it counts as closed, a year if need be. Where it is first seen within two days of that, it is the end itself until
//!   the days have moved on.
//! - A feed that lacks half of its events or less is believed.
//! - An event with a new UID and the very time of a booking that a feed of ours has shown which is no channel's: a copy by
//!   whoever subscribes to that feed, or something else. In a calendar where nothing is sold it is a copy; elsewhere a
//!   booking, in conflict. A copy of what a copy brought here, after ours has moved, is not known.

mod classify;
pub mod echo;
pub mod exposure;
mod items;
mod matching;
mod missing_ends;
pub mod plan;
#[cfg(test)]
mod simulation_tests;
pub mod snapshot;

use crate::words;

words! {
    /// Whether a channel is kept in step.
    ChannelState "Channel status." {
        Active = "active",
        /// Not until somebody says so.
        Paused = "paused",
    }
}

words! {
    /// Whose booking gives way where a channel's meets another one: what people are advised to do.
    Preference "Which booking to keep in a conflict." {
        /// Somebody decides each time.
        Ask = "ask",
        Keep = "keep",
        /// The channel's gives way.
        Yield = "yield",
    }
}

words! {
    /// What becomes of nights that a platform only closes.
    BlockRule "How blocked dates are handled." {
        /// They are taken here too, and so on every other platform.
        Occupy = "occupy",
        /// They are the platform's own affair.
        Ignore = "ignore",
    }
}

words! {
    /// What an event of a platform's feed is.
    ItemKind "Event type in a platform's feed." {
        Reservation = "reservation",
        /// The owner wants nobody to come.
        Block = "block",
        /// A block that is none of ours to keep, by the channel's rule.
        Ignored = "ignored",
        /// The end of the time that the platform sells at all. It moves on by a day each day.
        Window = "window",
        /// What we published there, given back.
        Echo = "echo",
        /// What we published there and have freed since, shown late; or sold there meanwhile.
        Unconfirmed = "unconfirmed",
    }
}

impl ItemKind {
    /// Whether it takes its time here, as a booking.
    pub fn takes(self) -> bool {
        matches!(self, Self::Reservation | Self::Block | Self::Unconfirmed)
    }

    /// Whether it holds its time as a block does: nobody is known to come.
    pub fn blocks(self) -> bool {
        matches!(self, Self::Block | Self::Unconfirmed)
    }

    /// Whether it is, or may be, ours.
    pub(crate) fn may_be_ours(self) -> bool {
        matches!(self, Self::Echo | Self::Unconfirmed)
    }
}

words! {
    /// What somebody said of an event that was unconfirmed.
    Settled "Decision about an unconfirmed event." {
        /// It was sold there.
        Booking = "booking",
        /// It is what we published, given back.
        Ours = "ours",
    }
}

words! {
    /// Why cancellations are held back.
    ImportGuard "Why cancellations are held for review." {
        /// The feed has no event at all.
        Empty = "empty",
        /// It lacks more than half of what it had.
        Shrunk = "shrunk",
    }
}

words! {
    /// What made us read a feed.
    RunOrigin "What started a sync." {
        /// Its time had come.
        Poll = "poll",
        /// Somebody asked for it.
        Person = "person",
        /// A single import of an address.
        Url = "url",
        /// A single import of a file.
        File = "file",
        /// A channel manager told us.
        Webhook = "webhook",
    }
}

words! {
    /// How a reading of a feed ended.
    RunOutcome "Sync result." {
        /// Something followed from it.
        Applied = "applied",
        /// It says what it said.
        Unchanged = "unchanged",
        /// Cancellations wait to be seen again, or for somebody's word.
        Held = "held",
        /// Nothing could be read, and nothing was changed.
        Failed = "failed",
        /// Somebody let through what was held.
        Released = "released",
        /// What it did was undone.
        Undone = "undone",
    }
}

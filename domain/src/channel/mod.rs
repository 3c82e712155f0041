//! Channels: a resource on a platform, kept in step by the feeds of both sides.
//!
//! `snapshot` is what a platform's feed says now, `echo` tells what of it is only our own feed given back, `plan`
//! compares it with what is known and says what follows, brakes included.
//!
//! Three things a plan must never do: cancel by what may be a fault of the feed, book what is an echo, and forget what
//! a platform has sold. Where it cannot tell, nights stay taken: a night that is not sold is a smaller loss than one
//! that is sold twice.

pub mod echo;
pub mod plan;
pub mod snapshot;

use crate::words;

words! {
    /// Whether a channel is kept in step.
    ChannelState {
        /// It is.
        Active = "active",
        /// Not until somebody says so.
        Paused = "paused",
    }
}

words! {
    /// Whose booking gives way where a channel's meets another one.
    Preference {
        /// Somebody decides each time.
        Ask = "ask",
        /// The channel's stays.
        Keep = "keep",
        /// The channel's gives way.
        Yield = "yield",
    }
}

words! {
    /// What becomes of nights that a platform only closes.
    BlockRule {
        /// They are taken here too, and so on every other platform.
        Occupy = "occupy",
        /// They are the platform's own affair.
        Ignore = "ignore",
    }
}

words! {
    /// What an event of a platform's feed is.
    ItemKind {
        /// Somebody comes.
        Reservation = "reservation",
        /// The owner wants nobody to come.
        Block = "block",
        /// A block that is none of ours to keep, by the channel's rule.
        Ignored = "ignored",
        /// The end of the time that the platform sells at all. It moves on by a day each day.
        Window = "window",
        /// What we published there, given back.
        Echo = "echo",
    }
}

impl ItemKind {
    /// Whether it takes its time here, as a booking.
    pub fn takes(self) -> bool {
        matches!(self, Self::Reservation | Self::Block)
    }
}

words! {
    /// Why cancellations are held back.
    Brake {
        /// The feed has no event at all.
        Empty = "empty",
        /// It lacks more than half of what it had.
        Shrunk = "shrunk",
    }
}

words! {
    /// What made us read a feed.
    RunOrigin {
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
    RunOutcome {
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

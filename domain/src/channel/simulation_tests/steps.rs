//! What may happen in the simulation, and how often it did.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeedFault {
    /// Cut before its end.
    Incomplete,
    Empty,
    /// More than half of the events are missing: which, begins with this one.
    Shrunk(u8),
    /// All UIDs are new, and stay so.
    Renamed,
    Reordered,
    /// Every event stands in it twice.
    Twice,
}

/// Nights, as people choose them: so many days from today.
#[derive(Clone, Copy, Debug)]
pub(super) struct NightsChoice {
    pub(super) ahead: u8,
    pub(super) length: u8,
}

/// What happens. `at` is a platform; `which` one of those that there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum SimulationStep {
    Wait,
    Book {
        at: usize,
        nights: NightsChoice,
    },
    /// A guest books the very nights that were closed there because of us, and are free by now.
    Resell {
        at: usize,
        which: u8,
    },
    Move {
        at: usize,
        which: u8,
        nights: NightsChoice,
    },
    Cancel {
        at: usize,
        which: u8,
    },
    Close {
        at: usize,
        nights: NightsChoice,
    },
    Open {
        at: usize,
        which: u8,
    },
    Direct {
        nights: NightsChoice,
    },
    CancelDirect {
        which: u8,
    },
    Read {
        at: usize,
    },
    Poll {
        at: usize,
    },
    Fail {
        at: usize,
        fault: FeedFault,
        minutes: u16,
    },
}

/// What has happened at a platform, or between it and Concord.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlatformTally {
    pub(super) bookings: usize,
    pub(super) changes: usize,
    pub(super) cancellations: usize,
    pub(super) blocks: usize,
    pub(super) reads: usize,
    pub(super) polls: usize,
    pub(super) faults: usize,
    pub(super) held: usize,
    pub(super) echoes: usize,
    /// Events that were unconfirmed.
    pub(super) unconfirmed: usize,
    /// Which of two events was ours could not be told.
    pub(super) undecided: usize,
    pub(super) actions: usize,
}

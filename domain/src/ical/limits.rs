//! How much of a calendar is read, why nothing can be, and what was not understood.

/// How much of anything is read. The defaults hold every honest calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Octets of the whole.
    pub bytes: usize,
    /// Lines, folded ones counted each.
    pub lines: usize,
    /// Octets of one logical line; a longer one is left out.
    pub line: usize,
    /// Values in lists, in the whole.
    pub values: usize,
    pub depth: usize,
    pub events: usize,
    /// What one expansion may find.
    pub occurrences: usize,
    /// What one expansion may cost: a step is about a tenth of a microsecond.
    pub steps: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            lines: 500_000,
            line: 256 << 10,
            values: 1_000_000,
            depth: 32,
            events: 50_000,
            occurrences: 50_000,
            steps: 3_000_000,
        }
    }
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Perhaps a page that asks to sign in; never an empty calendar.
    #[error("this is no calendar: it has no BEGIN:VCALENDAR")]
    NotCalendar,
    #[error("the calendar is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the calendar has more than {limit} lines")]
    TooManyLines { limit: usize },
    #[error("the calendar has more than {limit} values in its lists")]
    TooManyValues { limit: usize },
    #[error("line {line}: components stand more than {limit} deep in each other")]
    TooDeep {
        /// Where it became too much.
        line: u32,
        limit: usize,
    },
    #[error("the calendar has more than {limit} events")]
    TooManyEvents { limit: usize },
    #[error("more takes place in this time than is read")]
    TooManyOccurrences,
    #[error("the recurring events of this calendar take too long to work out")]
    TooMuchWork,
}

/// Something that was not understood, or was understood otherwise than it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The line of the file, from 1; 0 where it is about the whole.
    pub line: u32,
    /// For a person; holds nothing of what the calendar says but names of zones.
    pub what: String,
}

impl Warning {
    pub(super) fn new(line: u32, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

pub(super) const MAX_WARNINGS: usize = 50;

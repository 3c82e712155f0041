//! The order in which records that name no booking are searched for what is left of a person.

use uuid::Uuid;

use crate::words;

words! {
    /// A table with texts in which somebody may be named.
    SweptTable {
        /// Before the mails, some of which are made from them anew.
        Notices = "notices",
        Mails = "mails",
        History = "history",
        SyncLog = "sync_log",
        ChannelRuns = "channel_runs",
        ChannelItems = "channel_items",
        Jobs = "jobs",
        Events = "events",
        Deliveries = "deliveries",
        Alerts = "alerts",
        Connections = "connections",
        Channels = "channels",
    }
}

/// How far the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepCursor {
    pub table: SweptTable,
    /// The last of its rows that was looked at; the nil UUID: none.
    pub after: Uuid,
}

impl SweepCursor {
    /// Before the first row of the first table.
    pub fn first() -> Self {
        Self { table: SweptTable::ALL[0], after: Uuid::nil() }
    }

    /// Where it goes on after a slice that ended with the row `last`, or after the end of the table; `None`: all is searched.
    pub fn next(self, last: Option<Uuid>) -> Option<Self> {
        if let Some(after) = last {
            return Some(Self { after, ..self });
        }
        let table = SweptTable::ALL.iter().skip_while(|table| **table != self.table).nth(1)?;
        Some(Self { table: *table, after: Uuid::nil() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweep_goes_through_each_table_once() {
        let row = Uuid::from_u128(7);
        let mut visited = Vec::new();
        let mut cursor = Some(SweepCursor::first());
        while let Some(at) = cursor {
            visited.push(at.table);
            let within = at.next(Some(row)).unwrap();
            assert_eq!(within, SweepCursor { table: at.table, after: row });
            cursor = within.next(None);
        }
        assert_eq!(visited, SweptTable::ALL);
    }
}

//! A mailbox that customers' calendars answer to: which of its mails are read next, and when it is looked at again.

use chrono::{Days, Duration, NaiveDate};

/// How far a mailbox has been read (RFC 9051, 2.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxCursor {
    /// With another one, the numbers of its mails mean other mails.
    pub uid_validity: u32,
    /// The last mail that was read; 0: none yet.
    pub last_uid: u32,
}

/// What a mailbox says of itself when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxStatus {
    pub uid_validity: u32,
    /// The number of the next mail that comes, where the server says it.
    pub uid_next: Option<u32>,
}

/// Which mails are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxSearch {
    /// None: nothing has come.
    Nothing,
    /// Those with a higher number.
    After(u32),
    /// Those that came on that day or later: nothing is known of the others.
    Since(NaiveDate),
}

/// How far back a mailbox is read that was not read before. An answer to an older invitation is too late to matter, and there
/// may be the mails of years.
const FIRST_READ_DAYS: u64 = 14;

/// So many mails are read before the others of the installation have their turn.
pub const MAX_MAILS_PER_READ: usize = 200;

/// Decides which mails are looked for. `today`: in UTC.
pub fn plan_search(cursor: Option<MailboxCursor>, found: MailboxStatus, today: NaiveDate) -> MailboxSearch {
    match cursor {
        Some(cursor) if cursor.uid_validity == found.uid_validity && !was_restored(cursor, found) => {
            if found.uid_next == cursor.last_uid.checked_add(1) {
                MailboxSearch::Nothing
            } else {
                MailboxSearch::After(cursor.last_uid)
            }
        }
        // Servers go by their own zone (RFC 9051, 6.4.4), which may be a day behind.
        _ => MailboxSearch::Since(today.checked_sub_days(Days::new(FIRST_READ_DAYS)).unwrap_or(today)),
    }
}

/// Whether the mailbox knows less mails than were read: it comes from a backup, and gives their numbers to others now.
pub fn was_restored(cursor: MailboxCursor, found: MailboxStatus) -> bool {
    found.uid_next.is_some_and(|next| next <= cursor.last_uid)
}

/// The mails to read of those that were found, in the order in which they came; at most [`MAX_MAILS_PER_READ`].
///
/// A server that is asked for all after the last one names the last one too, if there is none (RFC 9051, 9 under
/// `seq-range`).
pub fn select_mails(search: MailboxSearch, found: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let after = match search {
        MailboxSearch::After(last) => last,
        MailboxSearch::Nothing | MailboxSearch::Since(_) => 0,
    };
    let mut uids: Vec<u32> = found.into_iter().filter(|uid| *uid > after).collect();
    uids.sort_unstable();
    uids.dedup();
    uids.truncate(MAX_MAILS_PER_READ);
    uids
}

/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::minutes(15);

/// How long a mailbox is left alone that cannot be read, and has not been for `failing`. `is_refused`: the server does not let
/// us in; who knocks too often is locked out for good.
pub fn pause_after_failure(failing: Duration, is_refused: bool, every: Duration) -> Duration {
    if is_refused {
        return MAX_PAUSE.max(every);
    }
    // As long again as it has failed already.
    failing.clamp(every, MAX_PAUSE.max(every))
}

/// So often reading fails at one mail before it is passed over ...
const MAX_TRIES: u32 = 5;
/// ... but not before it has done so for this long: the server may be in trouble, and not the mail.
const MIN_TROUBLE: Duration = Duration::hours(1);

/// Whether a mail is passed over at which reading has failed so often, in a mailbox that cannot be read for so long. Anybody
/// can send one that a server or a reader falls over, and what came after it would wait for ever.
pub fn is_given_up(tries: u32, failing: Duration) -> bool {
    tries >= MAX_TRIES && failing >= MIN_TROUBLE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 26).unwrap()
    }

    fn status(uid_validity: u32, uid_next: Option<u32>) -> MailboxStatus {
        MailboxStatus { uid_validity, uid_next }
    }

    #[test]
    fn a_mailbox_is_read_on_from_where_it_was() {
        let cursor = Some(MailboxCursor { uid_validity: 7, last_uid: 41 });
        assert_eq!(plan_search(cursor, status(7, Some(42)), today()), MailboxSearch::Nothing);
        assert_eq!(plan_search(cursor, status(7, Some(43)), today()), MailboxSearch::After(41));
        assert_eq!(plan_search(cursor, status(7, None), today()), MailboxSearch::After(41));
        let since = MailboxSearch::Since(NaiveDate::from_ymd_opt(2026, 11, 12).unwrap());
        assert_eq!(plan_search(cursor, status(8, Some(42)), today()), since, "made anew");
        assert_eq!(plan_search(None, status(7, Some(42)), today()), since);
        assert_eq!(plan_search(cursor, status(7, Some(41)), today()), since, "restored from a backup");
    }

    #[test]
    fn the_last_mail_is_not_read_again_though_servers_name_it() {
        assert_eq!(select_mails(MailboxSearch::After(41), [41]), Vec::<u32>::new());
        assert_eq!(select_mails(MailboxSearch::After(41), [44, 42, 41, 42]), [42, 44]);
        assert_eq!(select_mails(MailboxSearch::Since(today()), [3, 1]), [1, 3]);
    }

    #[test]
    fn pauses_grow_with_the_outage_and_end_at_a_quarter_of_an_hour() {
        let minutes = Duration::minutes;
        assert_eq!(pause_after_failure(Duration::zero(), false, minutes(1)), minutes(1));
        assert_eq!(pause_after_failure(minutes(4), false, minutes(1)), minutes(4));
        assert_eq!(pause_after_failure(minutes(400), false, minutes(1)), minutes(15));
        assert_eq!(pause_after_failure(Duration::zero(), true, minutes(1)), minutes(15));
        assert_eq!(pause_after_failure(Duration::zero(), true, minutes(30)), minutes(30));
    }

    #[test]
    fn mail_is_passed_over_only_after_an_hour_of_failures() {
        assert!(is_given_up(5, Duration::hours(1)));
        assert!(!is_given_up(4, Duration::hours(9)));
        assert!(!is_given_up(50, Duration::minutes(59)));
    }

    proptest! {
        /// Whatever has come, and in however many reads: each mail is read once, in its order.
        #[test]
        fn each_mail_is_read_once(mails in proptest::collection::btree_set(1_u32..100_000, 0..900)) {
            let mut read = Vec::new();
            let mut search = MailboxSearch::After(0);
            loop {
                let next = select_mails(search, mails.iter().copied());
                let Some(last) = next.last() else { break };
                search = MailboxSearch::After(*last);
                read.extend(next);
            }
            prop_assert_eq!(read, mails.into_iter().collect::<Vec<_>>());
        }
    }
}

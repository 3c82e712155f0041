//! When a piece of work is tried again.

use chrono::{DateTime, Duration, Utc};

use crate::words;

words! {
    /// The kinds of work. `jobs::dispatch` names the handler of each.
    JobKind "Job type." {
        /// Bring one calendar's entry of a booking up to date. Subject: the entry.
        SyncBooking = "sync_booking",
        /// Take one calendar's entry of a booking away. Subject: the entry.
        DeleteBooking = "delete_booking",
        /// Raise the jobs of everything that a connection should hold. Subject: the connection.
        BatchSync = "batch_sync",
        /// Read the busy times of a calendar. Subject: the calendar.
        ImportAvailability = "import_availability",
        /// Compare what stands in a connection's calendars with what should. Subject: the connection.
        CompareDrift = "compare_drift",
        /// Finish a disconnection: remove what is to be removed, end the grant. Subject: the connection.
        Disconnect = "disconnect",
        /// Write to whoever has an address that was typed in to sign in with. Subject: the request.
        MailSignInLinks = "mail_sign_in_links",
        /// Send a mail. Subject: the mail.
        SendMail = "send_mail",
        /// Read the mailbox that customers' calendars answer to. Subject: the nil UUID.
        FetchMail = "fetch_mail",
        /// Send those who come to a booking what has changed of it. Subject: the booking.
        Invite = "invite",
        /// Send the reminders of a booking that are due. Subject: the booking.
        Remind = "remind",
        /// Plan the reminders of all bookings to come anew. Subject: the business.
        PlanReminders = "plan_reminders",
        /// Tell the people of a business what happened, in one mail each. Subject: the business.
        Notify = "notify",
        /// See what has become of something that fails. Subject: the alert.
        CheckAlert = "check_alert",
        /// See to it that a provider tells of the changes of a calendar. Subject: the calendar.
        RenewPush = "renew_push",
        /// Read a platform's feed. Subject: the channel.
        PollChannel = "poll_channel",
        /// See whether platforms still read our feeds. Subject: the nil UUID.
        CheckFeedReads = "check_feed_reads",
        /// Close a question about what a person did in their calendar, once its booking is over. Subject: the change.
        CloseRemoteChange = "close_remote_change",
        /// Deliver what is due to a webhook endpoint. Subject: the endpoint.
        DeliverWebhooks = "deliver_webhooks",
        /// Take a person out of all that is kept of them. Subject: the erasure.
        Erase = "erase",
        /// Delete what is kept for a time only. Subject: the nil UUID.
        Retention = "retention",
    }
}

words! {
    QueueClass "Job priority." {
        /// What a person waits for.
        Interactive = "interactive",
        /// Batches and first imports.
        Bulk = "bulk",
        Poll = "poll",
    }
}

words! {
    /// Where a job stands.
    JobState "Job status." {
        /// Due at its time.
        Waiting = "waiting",
        /// Nothing to do until it is enqueued again.
        Done = "done",
        /// Its tries are used up; tried again slowly, or by hand.
        Failed = "failed",
    }
}

/// How often and how late something is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Tries before a job counts as failed.
    pub tries: u32,
    /// The wait after the first failure; it doubles each time.
    pub base: Duration,
    /// The wait after it counts as failed, which then doubles up to `slow_cap`.
    pub slow: Duration,
    /// The longest wait, however it is spread: what is due later waits for no outage to end.
    pub slow_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 3,
            base: Duration::seconds(1),
            slow: Duration::seconds(15),
            slow_cap: Duration::minutes(15),
        }
    }
}

/// What follows a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// One of the quick tries.
    Retry(DateTime<Utc>),
    /// It has failed; the sweep tries it again at this time.
    FailedUntil(DateTime<Utc>),
}

impl RetryPolicy {
    /// What to do after the `attempts`-th try (1 is the first) failed at `now`. `jitter` in `[0, 1)` spreads what
    /// failed together over half of the wait.
    pub fn after_failure(&self, attempts: u32, now: DateTime<Utc>, jitter: f64) -> NextAttempt {
        if attempts < self.tries {
            return NextAttempt::Retry(
                now + with_jitter(exponential_backoff(self.base, attempts.saturating_sub(1)), jitter),
            );
        }
        // The first slow tries come at one pace, so that a short outage is over soon after it ends.
        let doublings = (attempts - self.tries).saturating_sub(8);
        // Spread, it is at most half as long again.
        let wait = exponential_backoff(self.slow, doublings).min(self.slow_cap / 3 * 2);
        NextAttempt::FailedUntil(now + with_jitter(wait, jitter))
    }
}

/// The longest wait after a refusal.
const MAX_REJECTION_DELAY: Duration = Duration::days(1);

/// How long after its end a booking is given up whose entry is refused.
pub const ABANDON_AFTER: Duration = Duration::days(31);

impl RetryPolicy {
    /// When to try again what was refused, the `attempts`-th time at `now`: it is no use soon, and less and less, but a
    /// wrong setting may have been put right.
    pub fn after_rejection(&self, attempts: u32, now: DateTime<Utc>, jitter: f64) -> DateTime<Utc> {
        let wait = exponential_backoff(self.slow_cap, attempts.saturating_sub(1)).min(MAX_REJECTION_DELAY);
        now + with_jitter(wait, jitter / 5.0)
    }
}

/// Whether nobody cares any more that the entry of a booking that ended at `end` is refused.
pub fn is_past_care(end: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    end + ABANDON_AFTER < now
}

fn exponential_backoff(base: Duration, times: u32) -> Duration {
    base * 2_i32.pow(times.min(16))
}

/// Between one and one and a half times `wait`.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds of minutes")]
fn with_jitter(wait: Duration, jitter: f64) -> Duration {
    let extra = wait.num_milliseconds() as f64 * 0.5 * jitter.clamp(0.0, 1.0);
    wait + Duration::milliseconds(extra as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_tries_then_slow() {
        let policy = RetryPolicy::default();
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(policy.after_failure(1, now, 0.0), NextAttempt::Retry(now + Duration::seconds(1)));
        assert_eq!(policy.after_failure(2, now, 0.0), NextAttempt::Retry(now + Duration::seconds(2)));
        assert_eq!(policy.after_failure(3, now, 0.0), NextAttempt::FailedUntil(now + Duration::seconds(15)));
        assert_eq!(policy.after_failure(11, now, 0.0), NextAttempt::FailedUntil(now + Duration::seconds(15)));
        assert_eq!(policy.after_failure(12, now, 0.0), NextAttempt::FailedUntil(now + Duration::seconds(30)));
    }

    #[test]
    fn what_is_refused_is_tried_less_and_less() {
        let policy = RetryPolicy::default();
        let now = DateTime::UNIX_EPOCH;
        let waits: Vec<i64> = (1..=9)
            .map(|attempts| (policy.after_rejection(attempts, now, 0.0) - now).num_minutes())
            .collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
        assert_eq!(policy.after_rejection(u32::MAX, now, 0.0), now + Duration::days(1));
    }

    #[test]
    fn a_month_after_its_end_a_refusal_is_final() {
        let end = DateTime::UNIX_EPOCH;
        assert!(!is_past_care(end, end + Duration::days(31)));
        assert!(is_past_care(end, end + Duration::days(32)));
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_cap(attempts in 1_u32..1000, jitter in 0.0..1.0) {
            let policy = RetryPolicy::default();
            let now = DateTime::UNIX_EPOCH;
            let (NextAttempt::Retry(at) | NextAttempt::FailedUntil(at)) = policy.after_failure(attempts, now, jitter);
            prop_assert!(at > now);
            prop_assert!(at - now <= policy.slow_cap);
        }
    }
}

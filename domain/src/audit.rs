//! The words in which it is written down what happened: the sync log and the history.

use crate::words;

words! {
    /// How one attempt to bring a calendar and the bookings into agreement ended.
    SyncOutcome "Result of an attempt." {
        Ok = "ok",
        /// It failed and is tried again soon, or it had to wait.
        Retry = "retry",
        /// It failed and its tries are used up.
        Failed = "failed",
        /// It was held back because it looked like damage, such as a calendar that is suddenly empty.
        Held = "held",
        /// There was nothing to do.
        Nothing = "nothing",
    }
}

words! {
    /// What a line of the history is about.
    HistorySubject {
        /// The business's own settings.
        Business = "business",
        Resource = "resource",
        Staff = "staff",
        /// A person who signs in.
        User = "user",
        Booking = "booking",
        Connection = "connection",
        Feed = "feed",
        Channel = "channel",
        /// A platform, as the business treats it.
        Platform = "platform",
        ApiKey = "api_key",
        WebhookEndpoint = "webhook_endpoint",
        ReminderRule = "reminder_rule",
    }
}

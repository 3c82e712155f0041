//! What a published feed is about.

use crate::words;

words! {
    /// Whose bookings a feed shows.
    FeedScope "Which bookings a feed contains." {
        /// All of the business.
        Business = "business",
        /// Those on one resource.
        Resource = "resource",
        /// Those that one staff member is assigned to.
        Staff = "staff",
        /// The deliveries that one driver makes, each as a stop of their day.
        Driver = "driver",
        /// What takes a channel's resource, without what came from the channel itself.
        Channel = "channel",
    }
}

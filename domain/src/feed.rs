//! What a published feed is about.

use crate::words;

words! {
    /// Whose bookings a feed shows.
    FeedScope {
        /// All of the business.
        Business = "business",
        /// Those on one resource.
        Resource = "resource",
        /// Those that one staff member is assigned to.
        Staff = "staff",
    }
}

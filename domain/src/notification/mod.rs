//! What people are told of by mail, and when: what they choose, when a digest is due, and what goes out now.
//!
//! A notice is raised once for all whom it concerns (`crate::notice`). Each of them is sent it once, at once or in a digest,
//! or not at all.

mod digest;
mod plan;
#[cfg(test)]
mod plan_tests;
mod preferences;

pub use self::{
    digest::{DigestDay, DigestSchedule},
    plan::{NotificationPlan, OpenNotice, RecipientState, WaitingDigest, plan},
    preferences::{NoticeDelivery, NotificationChoices, NotificationPreferences},
};

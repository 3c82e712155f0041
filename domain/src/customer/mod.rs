//! What customers do by themselves, from the page of their booking: answer, move, cancel, and ask for a change.

mod calendar_links;
mod rules;

pub use self::{
    calendar_links::{CalendarLink, LinkedEvent, calendar_links},
    rules::{CustomerAnswer, CustomerPermission, CustomerRules, MAX_NOTICE_HOURS, MAX_WISH},
};

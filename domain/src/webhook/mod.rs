//! Outbound webhooks: what other systems are told of, in which form, and when, by Standard Webhooks 1.0.0.
//!
//! `event` says what there is to tell and how it is written, `endpoint` what may be told to whom and when an address is given
//! up, `schedule` when a delivery is tried again, `order` which deliveries go next. What comes in from channel managers is
//! another matter (`jobs::channels::webhook`).
//!
//! To add a type of event:
//! 1. a word in [`EventType`], with what it is about (`subject`) and what people read of it (`summary`);
//! 2. its payload, a struct in `payload` that derives `Serialize`, and `ToSchema` under the feature `openapi`, or one that is
//!    there already, and its name in `payload` of `src/http/api/document/webhooks.rs`;
//! 3. a constructor of [`Event`], and `storage::events::publish` in the transaction of what it tells of.

mod endpoint;
mod event;
mod order;
mod payload;
mod schedule;
#[cfg(test)]
mod simulation_tests;

pub use self::{
    endpoint::{
        DisabledReason, EndpointHealth, EndpointSettings, EndpointState, EndpointUpdate, MAX_ENDPOINTS,
        host_of,
    },
    event::{Event, EventSubject, EventType, MAX_BODY, body},
    order::{OVERTAKE_AFTER, WAVE, WaitingDelivery, ready, wave},
    payload::{
        AlertPayload, BookingPayload, BookingReminderPayload, ChannelPayload, ConflictPayload,
        ConnectionPayload, CustomerPayload, InvitationAnswerPayload, ReminderPayload, TestPayload,
        WebhookEndpointPayload,
    },
    schedule::{Answer, DeliveryState, NextStep, after_attempt},
};

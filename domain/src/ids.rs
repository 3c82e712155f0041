//! Identities: one type each, so that a staff member's id cannot be handed over as a resource's.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id that sorts by the instant of its making (UUID version 7).
            pub fn new(now: DateTime<Utc>) -> Self {
                Self(new_uuid(now))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }

        crate::column::column!('v, $name as Uuid, |id| id.0, |id| Ok(Self(id)));
    )*};
}

ids! {
    /// A tenant: one business with its resources, people and bookings.
    BusinessId;
    /// A person who signs in.
    UserId;
    /// A person who does the work and may connect calendars.
    StaffId;
    /// What can be booked: a room, a machine, a chair.
    ResourceId;
    /// Identifies one booking of a business.
    BookingId;
    /// One interval on one resource or staff member.
    OccupancyId;
    /// A piece of work that must be done.
    JobId;
    /// What jobs are done one at a time for: a connection, a webhook endpoint, a lane of mails.
    JobKey;
    /// A staff member's account at a calendar provider.
    ConnectionId;
    /// One calendar of a connection.
    CalendarId;
    /// A booking's entry in one connection's calendar.
    EntryId;
    /// A busy time that was read from a connected calendar.
    BusyTimeId;
    /// What a person did to an entry of ours in their own calendar.
    RemoteChangeId;
    /// An agreement with a provider to be told of a calendar's changes.
    PushSubscriptionId;
    /// A published iCalendar feed.
    FeedId;
    /// A resource on a platform.
    ChannelId;
    /// An event of a platform's feed, as it was last seen.
    ChannelItemId;
    /// One reading of a platform's feed.
    ChannelRunId;
    /// Identifies an API key.
    ApiKeyId;
    /// A line of the sync log.
    SyncLogId;
    /// A line of the history.
    HistoryId;
    /// A mail to one person.
    MailId;
    /// Somebody who comes to a booking.
    AttendeeId;
    /// When somebody is reminded of which bookings.
    ReminderRuleId;
    /// The reminder of one booking by one rule.
    ReminderId;
    /// Something that a person is told.
    NoticeId;
    /// Something that fails for longer than a moment.
    AlertId;
    /// A secret that is shown once.
    RevealId;
    /// A browser that is signed in.
    SessionId;
    /// The taking out of a person from what is kept.
    ErasureId;
    /// Somebody who has typed an address to sign in with.
    SignInRequestId;
    /// Something that happened, as other systems are told of it.
    EventId;
    /// An address of another system to which events are delivered.
    WebhookEndpointId;
}

impl From<ConnectionId> for JobKey {
    fn from(connection: ConnectionId) -> Self {
        Self(connection.0)
    }
}

impl From<WebhookEndpointId> for JobKey {
    fn from(endpoint: WebhookEndpointId) -> Self {
        Self(endpoint.0)
    }
}

/// A UUID of version 7 for `now`: ordered by time, so that indexes stay compact.
pub fn new_uuid(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

//! What a job is about: for whoever has to be told of one that was given up.

use concord_domain::{
    booking::Booking,
    ids::{BookingId, BusinessId, CalendarId, ConnectionId, EntryId, RemoteChangeId, StaffId},
    job::JobKind,
};
use concord_storage::{
    Db, StorageError, bookings, calendars, connections, entries, jobs::JobBoardRow, remote_changes,
};

/// What a job is about.
pub(super) struct JobSubject {
    pub staff: StaffId,
    pub connection: ConnectionId,
    /// Which booking, if one.
    pub booking: Option<BookingId>,
    /// Which calendar's name, if one.
    pub calendar: Option<String>,
}

impl JobSubject {
    /// `None`: what it was about is gone, or it is about nobody's calendar.
    pub(crate) async fn of(
        db: &Db,
        business: BusinessId,
        job: &JobBoardRow,
    ) -> Result<Option<Self>, StorageError> {
        match job.kind {
            JobKind::SyncBooking | JobKind::DeleteBooking => {
                let entry = entries::find(db, business, EntryId(job.subject_id)).await?;
                Ok(entry.map(|entry| Self {
                    staff: entry.staff_id,
                    connection: entry.connection_id,
                    booking: Some(entry.booking_id),
                    calendar: None,
                }))
            }
            JobKind::ImportAvailability | JobKind::RenewPush => {
                let Some(calendar) = calendars::find(db, business, CalendarId(job.subject_id)).await? else {
                    return Ok(None);
                };
                let about = Self::of_connection(db, business, calendar.connection_id).await?;
                Ok(about.map(|about| Self { calendar: Some(calendar.name), ..about }))
            }
            JobKind::BatchSync | JobKind::CompareDrift | JobKind::Disconnect => {
                Self::of_connection(db, business, ConnectionId(job.subject_id)).await
            }
            JobKind::CloseRemoteChange => {
                let change = remote_changes::find(db, business, RemoteChangeId(job.subject_id)).await?;
                Ok(change.map(|change| Self {
                    staff: change.staff_id,
                    connection: change.connection_id,
                    booking: Some(change.booking_id),
                    calendar: None,
                }))
            }
            JobKind::SendMail
            | JobKind::FetchMail
            | JobKind::Invite
            | JobKind::MailSignInLinks
            | JobKind::Remind
            | JobKind::CheckAlert
            | JobKind::PlanReminders
            | JobKind::Notify
            | JobKind::PollChannel
            | JobKind::CheckFeedReads
            | JobKind::DeliverWebhooks
            | JobKind::Erase
            | JobKind::Retention => Ok(None),
        }
    }

    async fn of_connection(
        db: &Db,
        business: BusinessId,
        id: ConnectionId,
    ) -> Result<Option<Self>, StorageError> {
        let connection = connections::find(db, business, id).await?;
        Ok(connection.map(|connection| Self {
            staff: connection.staff_id,
            connection: id,
            booking: None,
            calendar: None,
        }))
    }

    /// The booking's reference and title.
    pub(crate) async fn booking(
        &self,
        db: &Db,
        business: BusinessId,
    ) -> Result<Option<Booking>, StorageError> {
        match self.booking {
            Some(id) => bookings::by_id(db, business, id).await,
            None => Ok(None),
        }
    }
}

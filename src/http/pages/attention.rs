//! What a person has to see to: changes in calendars that ask for a decision, calendars whose grant is dead, work that was
//! given up, what a platform seems to have cancelled, double bookings. Everything else that is not yet in agreement comes
//! right by itself.

use std::collections::{BTreeMap, BTreeSet};

use askama::{Template, filters::HtmlSafe};
use concord_domain::{
    channel::ChannelState,
    connection::ConnectionState,
    ids::{BookingId, BusinessId, CalendarId, ChannelId, ConnectionId, EntryId, RemoteChangeId, StaffId},
    job::JobKind,
    occupancy::SubjectKind,
};
use concord_jobs::channels::exposure::exposed_nights_by_channel;
use concord_storage::{
    Db, StorageError, bookings, calendars,
    channels::{self, Channel, exposure},
    connections::{self, Connection},
    entries::{self, EntryCounts},
    jobs::{self, JobBoardRow},
    occupancy::{self, DoubleBooking},
    remote_changes::{self, RemoteChange},
};

use super::{
    PageError,
    components::{Icon, Tone, pluralize},
    session::CurrentUser,
};
use crate::app::App;

/// More than this are not counted one by one.
const MAX_FAILURES: u32 = 100;

/// What a person has to see to.
pub(super) struct Attention {
    /// All connections that they may see.
    pub connections: Vec<Connection>,
    /// Work that was given up.
    pub failures: Vec<JobBoardRow>,
    /// Facts from outside that overlap something of ours.
    pub conflicts: Vec<DoubleBooking>,
    /// What people did in their calendars that somebody has to decide about.
    pub questions: Vec<RemoteChange>,
    /// All channels, for managers.
    pub channels: Vec<Channel>,
    /// How many nights their platforms may sell although they are taken, where there are any.
    pub exposed: BTreeMap<ChannelId, i64>,
    /// Channels whose platform should read our feed and never has.
    pub unread: BTreeSet<ChannelId>,
    /// How the entries stand in the calendars that they may see and that are not as they should be.
    pub entries: EntryCounts,
}

impl Attention {
    /// Looks at all that the person may see.
    pub(crate) async fn of(app: &App, user: &CurrentUser) -> Result<Self, PageError> {
        let (db, business) = (&app.context.db, user.business.id);
        let (connections, failures, conflicts, questions, channels, entries) = futures::try_join!(
            connections::list(db, business),
            jobs::failed(db, business, MAX_FAILURES),
            occupancy::double_bookings(db, business, app.now()),
            open_remote_changes(app, user),
            channels::list(db, business),
            entries::count_unsettled(db, business, None),
        )?;
        let (exposed, unread) = (BTreeMap::new(), BTreeSet::new());
        let mut all =
            Self { connections, failures, conflicts, questions, channels, exposed, unread, entries };
        if user.is_manager() {
            all.load_exposure(app, user).await?;
        } else {
            all.restrict_to_own(db, user).await?;
        }
        Ok(all)
    }

    /// What the platforms of the business do not know.
    async fn load_exposure(&mut self, app: &App, user: &CurrentUser) -> Result<(), StorageError> {
        if self.channels.is_empty() {
            return Ok(());
        }
        let (db, business) = (&app.context.db, user.business.id);
        let (mut nights, never_read) = futures::try_join!(
            exposed_nights_by_channel(db, business, app.now()),
            exposure::never_read(db, business),
        )?;
        let reads_ours = |id: &ChannelId| {
            let channel = self.channels.iter().find(|channel| channel.id == *id);
            channel.is_some_and(|channel| {
                app.context.platforms.find(&channel.platform).is_none_or(|platform| platform.imports)
            })
        };
        nights.retain(|id, _| reads_ours(id));
        self.unread = never_read.into_iter().filter(reads_ours).collect();
        self.exposed = nights;
        Ok(())
    }

    /// Leaves what is the person's own.
    async fn restrict_to_own(&mut self, db: &Db, user: &CurrentUser) -> Result<(), StorageError> {
        self.channels.clear();
        self.connections.retain(|connection| user.may_see(connection.staff_id));
        self.conflicts.retain(|conflict| {
            conflict.subject_kind == SubjectKind::Resource || user.may_see(StaffId(conflict.subject_id))
        });
        let mut own = Vec::new();
        for job in std::mem::take(&mut self.failures) {
            if let Some(about) = JobSubject::of(db, user.business.id, &job).await?
                && user.may_see(about.staff)
            {
                own.push(job);
            }
        }
        self.failures = own;
        self.entries = match user.user.staff_id {
            Some(staff) => entries::count_unsettled(db, user.business.id, Some(staff)).await?,
            None => EntryCounts::default(),
        };
        Ok(())
    }

    /// Those whose person must connect again.
    pub(crate) fn disconnected(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(|connection| connection.state == ConnectionState::NeedsReconnect)
    }

    /// Those whose platform seems to have cancelled much at once: somebody says whether that is so.
    pub(crate) fn quarantined(&self) -> impl Iterator<Item = &Channel> {
        self.channels
            .iter()
            .filter(|channel| channel.import_guard.is_some() && channel.state == ChannelState::Active)
    }

    /// Those that should be read and could not be the last time.
    fn failing(&self) -> impl Iterator<Item = &Channel> {
        self.channels
            .iter()
            .filter(|channel| channel.failing_since.is_some() && channel.state == ChannelState::Active)
    }

    /// How many things wait for a person.
    pub(crate) fn count(&self) -> usize {
        self.questions.len()
            + self.disconnected().count()
            + self.quarantined().count()
            + self.failures.len()
            + self.conflicts.len()
    }

    /// All of it in a word.
    pub(crate) fn indicator(&self) -> SyncIndicator {
        let wrong = self.count();
        if wrong > 0 {
            let text = if wrong >= MAX_FAILURES as usize {
                format!("{MAX_FAILURES}+ items need attention")
            } else if wrong == 1 {
                "1 item needs attention".to_owned()
            } else {
                format!("{wrong} items need attention")
            };
            return SyncIndicator { tone: Tone::Wrong, text, is_under_way: false };
        }
        if self.connections.is_empty() && self.channels.is_empty() {
            return SyncIndicator {
                tone: Tone::Neutral,
                text: "No calendars yet".to_owned(),
                is_under_way: false,
            };
        }
        if self.entries.pending > 0 {
            let text = format!("{} pending", pluralize(self.entries.pending, "entry", "entries"));
            return SyncIndicator { tone: Tone::Waiting, text, is_under_way: true };
        }
        if !self.exposed.is_empty() {
            let nights = self.exposed.values().sum::<i64>();
            let text = format!("{} exposed", pluralize(nights, "night", "nights"));
            return SyncIndicator { tone: Tone::Waiting, text, is_under_way: false };
        }
        if !self.unread.is_empty() {
            let feeds = i64::try_from(self.unread.len()).unwrap_or(i64::MAX);
            let text = format!("{} not read yet", pluralize(feeds, "feed", "feeds"));
            return SyncIndicator { tone: Tone::Waiting, text, is_under_way: false };
        }
        let failing = self.failing().count();
        if failing > 0 {
            // What fails for a while, such as a platform that asks to come later, is never given up as work.
            let feeds = i64::try_from(failing).unwrap_or(i64::MAX);
            let text = format!("{} failed to sync", pluralize(feeds, "feed", "feeds"));
            return SyncIndicator { tone: Tone::Waiting, text, is_under_way: false };
        }
        if self.entries.waiting > 0 {
            // Not until somebody resumes the calendar.
            let text = format!("{} on hold", pluralize(self.entries.waiting, "entry", "entries"));
            return SyncIndicator { tone: Tone::Neutral, text, is_under_way: false };
        }
        SyncIndicator { tone: Tone::Good, text: "In sync".to_owned(), is_under_way: false }
    }
}

/// Those that are the person's to decide.
async fn open_remote_changes(app: &App, user: &CurrentUser) -> Result<Vec<RemoteChange>, StorageError> {
    let own = user.user.staff_id;
    if !user.is_manager() && own.is_none() {
        return Ok(Vec::new());
    }
    remote_changes::open(&app.context.db, user.business.id, own.filter(|_| !user.is_manager())).await
}

/// The state of sync in a word, which leads to what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"<a class="sync-word {{ tone.class() }}" href="/"{% if is_under_way %} data-under-way{% endif %}>{{ icon() }}{{ text }}</a>"#
)]
pub(super) struct SyncIndicator {
    pub tone: Tone,
    pub text: String,
    /// Whether it will soon be another.
    pub is_under_way: bool,
}
impl HtmlSafe for SyncIndicator {}

impl SyncIndicator {
    fn icon(&self) -> Icon {
        self.tone.icon()
    }
}

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
            JobKind::SendMail | JobKind::Notify | JobKind::PollChannel | JobKind::Retention => Ok(None),
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
    ) -> Result<Option<concord_domain::booking::Booking>, StorageError> {
        match self.booking {
            Some(id) => bookings::by_id(db, business, id).await,
            None => Ok(None),
        }
    }
}

//! What a person has to see to: changes in calendars that ask for a decision, calendars whose grant is dead, work that was
//! given up, what a platform seems to have cancelled, double bookings. Everything else that is not yet in agreement comes
//! right by itself.

use std::collections::{BTreeMap, BTreeSet};

use askama::{Template, filters::HtmlSafe};
use concord_domain::{
    alert::AlertKind,
    channel::ChannelState,
    connection::ConnectionState,
    ids::{ChannelId, StaffId},
    job::JobKind,
    occupancy::SubjectKind,
};
use concord_jobs::channels::exposure::exposed_nights_by_channel;
use concord_storage::{
    StorageError,
    alerts::{self, Alert},
    channels::{self, Channel, exposure},
    connections::{self, Connection},
    entries::{self, EntryCounts},
    jobs::{self, JobBoardRow},
    occupancy::{self, DoubleBooking},
    remote_changes::{self, RemoteChange},
};

use super::{CurrentUser, PageResult, Tone, components::Icon, pluralize};

/// More than this are not counted one by one.
const MAX_FAILURES: u32 = 100;

/// What a person has to see to.
#[derive(Default)]
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
    /// What people were told of and is not over.
    pub alerts: Vec<Alert>,
    /// How the entries stand in the calendars that they may see and that are not as they should be.
    pub entries: EntryCounts,
}

impl Attention {
    /// Looks at all that the person may see.
    pub(crate) async fn of(user: &CurrentUser) -> PageResult<Self> {
        let (db, business) = (&user.app.context.db, user.business.id);
        let mut conflicts = occupancy::double_bookings(db, business, user.app.now()).await?;
        conflicts.retain(|conflict| {
            conflict.subject_kind == SubjectKind::Resource || user.may_see(StaffId(conflict.subject_id))
        });
        let Some(staff) = user.calendar_scope() else { return Ok(Self { conflicts, ..Self::default() }) };
        let connections = async {
            match staff {
                Some(staff) => connections::of_staff(db, business, staff).await,
                None => connections::list(db, business).await,
            }
        };
        let channels =
            async { if user.is_manager() { channels::list(db, business).await } else { Ok(Vec::new()) } };
        let (connections, failures, questions, channels, alerts, entries) = futures::try_join!(
            connections,
            jobs::failed(db, business, staff, MAX_FAILURES),
            remote_changes::open(db, business, staff),
            channels,
            alerts::open(db, business, staff),
            entries::count_unsettled(db, business, staff),
        )?;
        let found = Self {
            connections,
            failures,
            conflicts,
            questions,
            channels,
            // What works again is only watched for a while.
            alerts: alerts.into_iter().filter(|alert| alert.failure.healthy_since.is_none()).collect(),
            entries,
            ..Self::default()
        };
        Ok(found.with_exposure(user).await?)
    }

    /// With what the platforms of the business do not know.
    async fn with_exposure(self, user: &CurrentUser) -> Result<Self, StorageError> {
        if self.channels.is_empty() {
            return Ok(self);
        }
        let (db, business) = (&user.app.context.db, user.business.id);
        let (mut exposed, never_read) = futures::try_join!(
            exposed_nights_by_channel(db, business, user.app.now()),
            exposure::never_read(db, business),
        )?;
        let reads_ours = |id: &ChannelId| {
            let channel = self.channels.iter().find(|channel| channel.id == *id);
            channel.is_some_and(|channel| {
                user.app.context.platforms.find(&channel.platform).is_none_or(|platform| platform.imports)
            })
        };
        exposed.retain(|id, _| reads_ours(id));
        let unread = never_read.into_iter().filter(reads_ours).collect();
        Ok(Self { exposed, unread, ..self })
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
            + self.alerts.iter().filter(|alert| !self.is_given_up(alert)).count()
    }

    /// Whether what an alert is of is among the work that was given up: that counts already.
    pub(crate) fn is_given_up(&self, alert: &Alert) -> bool {
        self.failures.iter().any(|job| match alert.kind {
            AlertKind::CalendarExport => matches!(job.kind, JobKind::SyncBooking | JobKind::DeleteBooking),
            AlertKind::CalendarImport => {
                job.kind == JobKind::ImportAvailability && job.subject_id == alert.subject_id
            }
            AlertKind::ChannelFeed => job.kind == JobKind::PollChannel && job.subject_id == alert.subject_id,
            AlertKind::ChannelExport | AlertKind::Mailbox | AlertKind::Webhook => false,
        })
    }

    /// All of it in a word.
    pub(crate) fn indicator(&self) -> SyncIndicator {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let wrong = count(self.count());
        let feeds = |number: usize| pluralize(count(number), "feed", "feeds");
        let entries = |number: i64| pluralize(number, "entry", "entries");
        let nights = self.exposed.values().sum::<i64>();
        // What fails for a while, such as a platform that asks to come later, is never given up as work.
        let failing = self.failing().count();
        let (tone, text) = if wrong >= i64::from(MAX_FAILURES) {
            (Tone::Wrong, format!("{MAX_FAILURES}+ items need attention"))
        } else if wrong > 0 {
            (Tone::Wrong, pluralize(wrong, "item needs attention", "items need attention"))
        } else if self.connections.is_empty() && self.channels.is_empty() {
            (Tone::Neutral, "No calendars yet".to_owned())
        } else if self.entries.pending > 0 {
            (Tone::Waiting, format!("{} pending", entries(self.entries.pending)))
        } else if nights > 0 {
            (Tone::Waiting, exposed_nights(nights))
        } else if !self.unread.is_empty() {
            (Tone::Waiting, format!("{} not read yet", feeds(self.unread.len())))
        } else if failing > 0 {
            (Tone::Waiting, format!("{} failed to sync", feeds(failing)))
        } else if self.entries.waiting > 0 {
            // Not until somebody resumes the calendar.
            (Tone::Neutral, format!("{} on hold", entries(self.entries.waiting)))
        } else {
            (Tone::Good, "In sync".to_owned())
        };
        SyncIndicator { tone, text, is_under_way: wrong == 0 && self.entries.pending > 0 }
    }
}

/// "3 nights exposed": their platforms may sell them although they are taken.
pub(super) fn exposed_nights(nights: i64) -> String {
    format!("{} exposed", pluralize(nights, "night", "nights"))
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

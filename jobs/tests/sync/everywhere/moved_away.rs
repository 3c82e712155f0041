//! Entries that their owner puts into another calendar of the account: they are followed there, neither cancelled nor taken
//! for their owner's own; and those that are gone before anybody has read them.

use concord_domain::{
    booking::{Booking, BookingStatus},
    connection::{EntryState, ProviderKind},
    ids::ConnectionId,
    sync::remote_change::{RemoteChangeKind, RemoteChangePolicy, RemoteChangeState},
};
use concord_services::connections as manage;
use concord_storage::{
    calendars::Calendar,
    testing::{TestDb, at},
};
use http::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::everywhere;
use crate::{
    connection_choices,
    fixture::{ANA, SyncFixture, titled},
    provider_sandbox::{ProviderSandbox, SeenEvent},
    two_way::minutes,
};

/// What an application does to put an entry elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MoveMethod {
    /// It stays the same entry.
    Moves,
    /// It makes another one, which says the same, and takes the first away.
    Remakes,
}

impl MoveMethod {
    /// Whether the provider's applications do it so that its entry can be known again: a copy at Google carries nothing by
    /// which it could be told from one beside the original.
    fn is_known_to(self, kind: ProviderKind) -> bool {
        self == Self::Moves || kind != ProviderKind::Google
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

impl ProviderSandbox {
    /// A person puts an entry of their main calendar, or of `from`, into another calendar of theirs.
    async fn person_moves_away(&self, way: MoveMethod, id: &str, to: &str) {
        if self.kind() == ProviderKind::Caldav {
            let person = self.person(ANA);
            return match way {
                MoveMethod::Moves => person.moves(id, &format!("{to}{}", name_of(id))).await,
                MoveMethod::Remakes => {
                    person.puts(&format!("{to}pasted-{}", name_of(id)), &person.gets(id).await).await;
                    person.deletes(id).await;
                }
            };
        }
        let from = self.calendar_with(id).await;
        let path = format!("events/{id}/move?provider={}&calendar={from}", self.kind());
        let to = json!({ "calendar": to, "anew": way == MoveMethod::Remakes });
        self.control(Method::POST, &path, Some(to)).await;
    }

    /// A person puts a copy of an entry beside it into another calendar of theirs.
    async fn person_copies(&self, id: &str, to: &str) {
        if self.kind() == ProviderKind::Caldav {
            let object = self.person(ANA).gets(id).await;
            return self.person(ANA).puts(&format!("{to}{}", name_of(id)), &object).await;
        }
        let path = format!("events/{id}/duplicate?provider={}&account={ANA}", self.kind());
        let copy = self.control(Method::POST, &path, None).await;
        self.person_moves_away(MoveMethod::Moves, copy["id"].as_str().unwrap(), to).await;
    }

    /// The calendar in which an entry stands now, as a part of an address: where it stood there is a tombstone.
    async fn calendar_with(&self, id: &str) -> String {
        let seen = self.seen_by(ANA).await;
        let calendar = &seen.iter().find(|one| one.id == id).expect("it stands").calendar;
        form_urlencoded::byte_serialize(calendar.as_bytes()).collect()
    }

    async fn person_edits(&self, id: &str, change: Value) {
        let path = format!("events/{id}?provider={}&calendar={}", self.kind(), self.calendar_with(id).await);
        self.control(Method::PATCH, &path, Some(change)).await;
    }

    async fn seen_in(&self, calendar: &str) -> Vec<SeenEvent> {
        if self.kind() == ProviderKind::Caldav {
            let objects = self.person(ANA).sees(calendar).await;
            return objects.into_iter().map(|object| SeenEvent::of_object(calendar, object)).collect();
        }
        let mut seen = self.seen_by(ANA).await;
        seen.retain(|one| one.calendar == calendar);
        seen
    }

    async fn person_moves_in_time(&self, id: &str, (from, to): (i64, i64)) {
        if self.kind() == ProviderKind::Caldav {
            let object = self.person(ANA).gets(id).await;
            let time = |minutes| at(minutes).format("%Y%m%dT%H%M%SZ").to_string();
            let lines = object.lines().map(|line| match line.split([':', ';']).next() {
                Some("DTSTART") => format!("DTSTART:{}", time(from)),
                Some("DTEND") => format!("DTEND:{}", time(to)),
                _ => line.to_owned(),
            });
            let lines: Vec<String> = lines.collect();
            return self.person(ANA).puts(id, &lines.join("\r\n")).await;
        }
        self.person_edits(id, json!({ "starts_at": at(from), "ends_at": at(to) })).await;
    }
}

/// Ana, with two calendars and a booking that stands in the main one.
struct MovedEntryFixture<'a> {
    fixture: SyncFixture<'a>,
    connection: ConnectionId,
    main: String,
    rota: String,
    booking: Booking,
    /// Of the booking's entry.
    id: String,
}

async fn calendar(fixture: &SyncFixture<'_>, connection: ConnectionId, id: &str) -> Calendar {
    let all = fixture.calendars(connection).await;
    all.into_iter().find(|one| one.external_id.replace("%40", "@") == id).unwrap()
}

impl<'a> MovedEntryFixture<'a> {
    /// `reads`: whether the busy times of the other calendar are read.
    async fn set(db: &'a TestDb, kind: ProviderKind, reads: bool) -> Self {
        let fixture = SyncFixture::with_provider(db, kind).await;
        let rota = fixture.outside.further_calendar(ANA).await;
        let connection = fixture.connected(&fixture.ana).await;
        let main = match kind {
            ProviderKind::Caldav => fixture.outside.radicale().calendar_of(ANA),
            ProviderKind::Google | ProviderKind::Microsoft => {
                let all = fixture.calendars(connection).await;
                all.into_iter().find(|one| one.is_primary).unwrap().external_id
            }
        };
        // A deletion would cancel the booking.
        fixture.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
        // Of two calendars at CalDAV either may be taken for the main one.
        let calendar = calendar(&fixture, connection, &main).await;
        connection_choices::set_written(&fixture.context, &fixture.change(), connection, calendar.id)
            .await
            .unwrap();
        let booking = fixture.put("A-1", &titled(&fixture.hour(), "Massage")).await;
        let mut scene = Self { fixture, connection, main, rota, booking, id: String::new() };
        scene.read(&calendar, true).await;
        let rota = scene.calendar(true).await;
        scene.read(&rota, reads).await;
        scene.fixture.poll().await;
        scene.id = scene.fixture.outside.one_seen_by(ANA).await.id;
        scene.fixture.poll().await;
        scene
    }

    /// The other calendar, or the main one.
    async fn calendar(&self, is_rota: bool) -> Calendar {
        calendar(&self.fixture, self.connection, if is_rota { &self.rota } else { &self.main }).await
    }

    async fn read(&self, calendar: &Calendar, reads: bool) {
        let fixture = &self.fixture;
        let change = fixture.change();
        connection_choices::set_reads(&fixture.context, &change, self.connection, calendar.id, reads)
            .await
            .unwrap();
        fixture.settle().await;
    }

    /// The titles in both calendars.
    async fn standing(&self) -> (Vec<String>, Vec<String>) {
        let titles = |seen: Vec<SeenEvent>| seen.into_iter().map(|one| one.title).collect::<Vec<_>>();
        let rota = self.fixture.outside.seen_in(&self.rota).await;
        let mut main = self.fixture.outside.seen_by(ANA).await;
        main.retain(|one| one.calendar != self.rota);
        (titles(main), titles(rota))
    }

    /// Nobody was asked, the booking stands as it was, and its owner is not taken by their own calendar.
    async fn is_followed(&self, title: &str) {
        let Self { fixture, booking, .. } = self;
        let now = fixture.now(booking).await;
        assert_eq!((now.draft.status, minutes(&now)), (BookingStatus::Confirmed, (6_000, 6_060)));
        assert_eq!(fixture.changes(booking).await.len(), 0, "{:#?}", fixture.log_lines().await);
        let (main, rota) = self.standing().await;
        assert_eq!((main.len(), rota.len()), (0, 1), "{main:?} {rota:?}");
        assert!(rota[0].contains(title), "{rota:?}");
        self.is_not_busy().await;
        assert_eq!(fixture.entry_state(booking).await, EntryState::Synced);
        assert_eq!(fixture.sync(booking).await[0].calendar, self.calendar(true).await.name);
    }

    async fn is_not_busy(&self) {
        let taken = self.fixture.taken(&self.fixture.ana).await;
        assert!(!taken.iter().any(|one| one.starts_with("busy")), "{taken:?}");
    }
}

async fn moved_entry_is_kept_in_step_where_it_stands(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_kept_in_step_where_it_stands(db, kind, MoveMethod::Moves)).await;
}

async fn remade_entry_is_kept_in_step_where_it_stands(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_kept_in_step_where_it_stands(db, kind, MoveMethod::Remakes)).await;
}

async fn is_kept_in_step_where_it_stands(db: &TestDb, kind: ProviderKind, way: MoveMethod) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let fixture = &scene.fixture;
    fixture.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    fixture.poll().await;
    scene.is_followed("Massage").await;
    // Nothing of it comes back, and what either side does is done there.
    fixture.poll().await;
    scene.is_followed("Massage").await;
    fixture.put("A-1", &titled(&fixture.hour(), "Sauna")).await;
    fixture.settle().await;
    fixture.poll().await;
    scene.is_followed("Sauna").await;
    let id = fixture.outside.seen_in(&scene.rota).await[0].id.clone();
    fixture.outside.person_moves_in_time(&id, (7_000, 7_060)).await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&scene.booking).await), (7_000, 7_060));
    fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(scene.standing().await, (vec![], vec![]));
    fixture.poll().await;
    scene.is_not_busy().await;
}

/// Into a calendar that its owner has made since the account was connected: nobody has asked for it yet.
async fn moved_entry_is_followed_into_a_new_calendar(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    let connection = fixture.connected(&fixture.ana).await;
    fixture.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booking = fixture.put("A-1", &titled(&fixture.hour(), "Massage")).await;
    fixture.settle().await;
    fixture.poll().await;
    let id = fixture.outside.one_seen_by(ANA).await.id;
    let rota = fixture.outside.further_calendar(ANA).await;
    fixture.outside.person_moves_away(MoveMethod::Moves, &id, &rota).await;
    fixture.poll().await;
    let main = String::new();
    MovedEntryFixture { fixture, connection, main, rota, booking, id }.is_followed("Massage").await;
}

/// Into a calendar that is not read, and back.
async fn moved_entry_is_followed_into_an_unread_calendar(db: &TestDb, kind: ProviderKind) {
    let scene = MovedEntryFixture::set(db, kind, false).await;
    let fixture = &scene.fixture;
    fixture.outside.person_moves_away(MoveMethod::Moves, &scene.id, &scene.rota).await;
    fixture.poll().await;
    scene.is_followed("Massage").await;
    let main = scene.calendar(false).await.external_id.replace("%40", "@");
    let id = fixture.outside.seen_in(&scene.rota).await[0].id.clone();
    fixture.outside.person_moves_away(MoveMethod::Moves, &id, &main).await;
    fixture.poll().await;
    let (here, there) = scene.standing().await;
    assert_eq!((here.len(), there.len()), (1, 0));
    assert_eq!(fixture.sync(&scene.booking).await[0].calendar, scene.calendar(false).await.name);
    assert_eq!(fixture.changes(&scene.booking).await.len(), 0);
    scene.is_not_busy().await;
}

/// The calendar that it came from is not read at all: the one that it came to tells of it.
async fn moved_entry_is_known_where_it_arrives(db: &TestDb, kind: ProviderKind) {
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let fixture = &scene.fixture;
    scene.read(&scene.calendar(false).await, false).await;
    fixture.outside.person_moves_away(MoveMethod::Moves, &scene.id, &scene.rota).await;
    fixture.poll().await;
    scene.is_followed("Massage").await;
}

/// What was made anew cannot be known where it arrives: it counts as its owner's until it is missed where it was.
async fn remade_entry_is_no_busy_time_once_it_is_missed(db: &TestDb, kind: ProviderKind) {
    if !MoveMethod::Remakes.is_known_to(kind) {
        return;
    }
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let main = scene.calendar(false).await;
    scene.read(&main, false).await;
    let fixture = &scene.fixture;
    fixture.outside.person_moves_away(MoveMethod::Remakes, &scene.id, &scene.rota).await;
    fixture.poll().await;
    assert_eq!(fixture.now(&scene.booking).await.draft.status, BookingStatus::Confirmed);
    scene.read(&main, true).await;
    fixture.poll().await;
    scene.is_followed("Massage").await;
}

async fn entry_moved_in_time_as_well_moves_its_booking(db: &TestDb, kind: ProviderKind) {
    Box::pin(in_time_as_well_moves_its_booking(db, kind, MoveMethod::Moves)).await;
}

async fn entry_remade_in_time_as_well_moves_its_booking(db: &TestDb, kind: ProviderKind) {
    Box::pin(in_time_as_well_moves_its_booking(db, kind, MoveMethod::Remakes)).await;
}

async fn in_time_as_well_moves_its_booking(db: &TestDb, kind: ProviderKind, way: MoveMethod) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let fixture = &scene.fixture;
    fixture.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    let id = fixture.outside.seen_in(&scene.rota).await[0].id.clone();
    fixture.outside.person_moves_in_time(&id, (7_000, 7_060)).await;
    fixture.poll().await;
    assert_eq!(minutes(&fixture.now(&scene.booking).await), (7_000, 7_060));
    let change = fixture.change_of(&scene.booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Moved, RemoteChangeState::Followed));
    let (main, rota) = scene.standing().await;
    assert_eq!((main.len(), rota.len()), (0, 1));
    scene.is_not_busy().await;
}

async fn moved_entry_goes_with_its_booking_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(goes_with_its_booking_before_any_read(db, kind, MoveMethod::Moves)).await;
}

async fn remade_entry_goes_with_its_booking_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(goes_with_its_booking_before_any_read(db, kind, MoveMethod::Remakes)).await;
}

async fn goes_with_its_booking_before_any_read(db: &TestDb, kind: ProviderKind, way: MoveMethod) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let fixture = &scene.fixture;
    fixture.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(scene.standing().await, (vec![], vec![]), "{:#?}", fixture.log_lines().await);
    assert_eq!(fixture.entry_state(&scene.booking).await, EntryState::Removed);
    fixture.poll().await;
    scene.is_not_busy().await;
    assert_eq!(fixture.changes(&scene.booking).await.len(), 0);
}

async fn moved_entry_is_written_where_it_stands_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_written_where_it_stands_before_any_read(db, kind, MoveMethod::Moves)).await;
}

async fn remade_entry_is_written_where_it_stands_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_written_where_it_stands_before_any_read(db, kind, MoveMethod::Remakes)).await;
}

async fn is_written_where_it_stands_before_any_read(db: &TestDb, kind: ProviderKind, way: MoveMethod) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let fixture = &scene.fixture;
    fixture.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    fixture.put("A-1", &titled(&fixture.hour(), "Sauna")).await;
    fixture.settle().await;
    scene.is_followed("Sauna").await;
    fixture.poll().await;
    scene.is_followed("Sauna").await;
}

async fn moved_entry_is_found_by_a_disconnection(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_found_by_a_disconnection(db, kind, MoveMethod::Moves)).await;
}

async fn remade_entry_is_found_by_a_disconnection(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_found_by_a_disconnection(db, kind, MoveMethod::Remakes)).await;
}

async fn is_found_by_a_disconnection(db: &TestDb, kind: ProviderKind, way: MoveMethod) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let fixture = &scene.fixture;
    fixture.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    manage::disconnect(&fixture.context, &fixture.change(), scene.connection, true).await.unwrap();
    fixture.settle().await;
    assert_eq!(scene.standing().await, (vec![], vec![]));
}

async fn copy_beside_the_entry_is_its_makers(db: &TestDb, kind: ProviderKind) {
    let scene = MovedEntryFixture::set(db, kind, true).await;
    let fixture = &scene.fixture;
    fixture.outside.person_copies(&scene.id, &scene.rota).await;
    fixture.poll().await;
    let taken = fixture.taken(&fixture.ana).await;
    assert!(taken.contains(&"busy: 6000 - 6060".to_owned()), "{taken:?}");
    assert_eq!(fixture.sync(&scene.booking).await[0].calendar, scene.calendar(false).await.name);
    // It stays when ours goes.
    fixture.cancel("A-1").await;
    fixture.settle().await;
    fixture.poll().await;
    let (main, rota) = scene.standing().await;
    assert_eq!((main.len(), rota.len()), (0, 1));
    assert_eq!(fixture.changes(&scene.booking).await.len(), 0);
}

/// A calendar's list, or its server's report, names what is there and what is gone since, and this was in neither.
async fn entry_deleted_before_it_was_read_is_noticed(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    fixture.connected(&fixture.ana).await;
    let kept = fixture.put("A-2", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;
    fixture.poll().await;
    let booking = fixture.put("A-1", &titled(&fixture.hour(), "Massage")).await;
    fixture.settle().await;
    let seen = fixture.outside.seen_by(ANA).await;
    let ours = seen.iter().find(|one| one.title.contains("Massage") && one.starts_at.contains("T12:00"));
    let ours = ours.unwrap_or_else(|| panic!("{seen:#?}"));
    fixture.outside.person_deletes(ANA, &ours.id).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    fixture.poll().await;
    assert_eq!((fixture.changes(&booking).await.len(), fixture.changes(&kept).await.len()), (1, 0));
}

everywhere!(
    moved_entry_is_kept_in_step_where_it_stands,
    remade_entry_is_kept_in_step_where_it_stands,
    moved_entry_is_followed_into_a_new_calendar,
    moved_entry_is_followed_into_an_unread_calendar,
    moved_entry_is_known_where_it_arrives,
    remade_entry_is_no_busy_time_once_it_is_missed,
    entry_moved_in_time_as_well_moves_its_booking,
    entry_remade_in_time_as_well_moves_its_booking,
    moved_entry_goes_with_its_booking_before_any_read,
    remade_entry_goes_with_its_booking_before_any_read,
    moved_entry_is_written_where_it_stands_before_any_read,
    remade_entry_is_written_where_it_stands_before_any_read,
    moved_entry_is_found_by_a_disconnection,
    remade_entry_is_found_by_a_disconnection,
    copy_beside_the_entry_is_its_makers,
    entry_deleted_before_it_was_read_is_noticed,
);

//! Entries that their owner puts into another calendar of the account: they are followed there, neither cancelled nor taken
//! for their owner's own; and those that are gone before anybody has read them.

use concord_domain::{
    booking::{Booking, BookingStatus},
    connection::{EntryState, ProviderKind},
    ids::ConnectionId,
    sync::remote_change::{RemoteChangeKind, RemoteChangePolicy, RemoteChangeState},
};
use concord_jobs::connections as manage;
use concord_storage::{
    calendars::Calendar,
    testing::{TestDb, at},
};
use http::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::everywhere;
use crate::{
    outside::{Outside, Seen},
    two_way::minutes,
    world::{ANA, World, titled},
};

/// What an application does to put an entry elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It stays the same entry.
    Moves,
    /// It makes another one, which says the same, and takes the first away.
    Remakes,
}

impl Way {
    /// Whether the provider's applications do it so that its entry can be known again: a copy at Google carries nothing by
    /// which it could be told from one beside the original.
    fn is_known_to(self, kind: ProviderKind) -> bool {
        self == Self::Moves || kind != ProviderKind::Google
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

impl Outside {
    /// A person puts an entry of their main calendar, or of `from`, into another calendar of theirs.
    async fn person_moves_away(&self, way: Way, id: &str, to: &str) {
        if self.kind() == ProviderKind::Caldav {
            let person = self.person(ANA);
            return match way {
                Way::Moves => person.moves(id, &format!("{to}{}", name_of(id))).await,
                Way::Remakes => {
                    person.puts(&format!("{to}pasted-{}", name_of(id)), &person.gets(id).await).await;
                    person.deletes(id).await;
                }
            };
        }
        let from = self.calendar_with(id).await;
        let path = format!("events/{id}/move?provider={}&calendar={from}", self.kind());
        let to = json!({ "calendar": to, "anew": way == Way::Remakes });
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
        self.person_moves_away(Way::Moves, copy["id"].as_str().unwrap(), to).await;
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

    async fn seen_in(&self, calendar: &str) -> Vec<Seen> {
        if self.kind() == ProviderKind::Caldav {
            let objects = self.person(ANA).sees(calendar).await;
            return objects.into_iter().map(|object| Seen::of_object(calendar, object)).collect();
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
struct Scene<'a> {
    world: World<'a>,
    connection: ConnectionId,
    main: String,
    rota: String,
    booking: Booking,
    /// Of the booking's entry.
    id: String,
}

async fn calendar(world: &World<'_>, connection: ConnectionId, id: &str) -> Calendar {
    let all = world.calendars(connection).await;
    all.into_iter().find(|one| one.external_id.replace("%40", "@") == id).unwrap()
}

impl<'a> Scene<'a> {
    /// `reads`: whether the busy times of the other calendar are read.
    async fn set(db: &'a TestDb, kind: ProviderKind, reads: bool) -> Self {
        let world = World::with_provider(db, kind).await;
        let rota = world.outside.further_calendar(ANA).await;
        let connection = world.connected(&world.ana).await;
        let main = match kind {
            ProviderKind::Caldav => world.outside.radicale().calendar_of(ANA),
            ProviderKind::Google | ProviderKind::Microsoft => {
                let all = world.calendars(connection).await;
                all.into_iter().find(|one| one.is_primary).unwrap().external_id
            }
        };
        // A deletion would cancel the booking.
        world.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
        // Of two calendars at CalDAV either may be taken for the main one.
        let calendar = calendar(&world, connection, &main).await;
        manage::set_written(&world.context, &world.change(), connection, calendar.id).await.unwrap();
        let booking = world.put("A-1", &titled(&world.hour(), "Massage")).await;
        let mut scene = Self { world, connection, main, rota, booking, id: String::new() };
        scene.read(&calendar, true).await;
        let rota = scene.calendar(true).await;
        scene.read(&rota, reads).await;
        scene.world.poll().await;
        scene.id = scene.world.outside.one_seen_by(ANA).await.id;
        scene.world.poll().await;
        scene
    }

    /// The other calendar, or the main one.
    async fn calendar(&self, is_rota: bool) -> Calendar {
        calendar(&self.world, self.connection, if is_rota { &self.rota } else { &self.main }).await
    }

    async fn read(&self, calendar: &Calendar, reads: bool) {
        let world = &self.world;
        let change = world.change();
        manage::set_reads(&world.context, &change, self.connection, calendar.id, reads).await.unwrap();
        world.settle().await;
    }

    /// The titles in both calendars.
    async fn standing(&self) -> (Vec<String>, Vec<String>) {
        let titles = |seen: Vec<Seen>| seen.into_iter().map(|one| one.title).collect::<Vec<_>>();
        let rota = self.world.outside.seen_in(&self.rota).await;
        let mut main = self.world.outside.seen_by(ANA).await;
        main.retain(|one| one.calendar != self.rota);
        (titles(main), titles(rota))
    }

    /// Nobody was asked, the booking stands as it was, and its owner is not taken by their own calendar.
    async fn is_followed(&self, title: &str) {
        let Self { world, booking, .. } = self;
        let now = world.now(booking).await;
        assert_eq!((now.draft.status, minutes(&now)), (BookingStatus::Confirmed, (6_000, 6_060)));
        assert_eq!(world.changes(booking).await.len(), 0, "{:#?}", world.log_lines().await);
        let (main, rota) = self.standing().await;
        assert_eq!((main.len(), rota.len()), (0, 1), "{main:?} {rota:?}");
        assert!(rota[0].contains(title), "{rota:?}");
        self.is_not_busy().await;
        assert_eq!(world.entry_state(booking).await, EntryState::Synced);
        assert_eq!(world.sync(booking).await[0].calendar, self.calendar(true).await.name);
    }

    async fn is_not_busy(&self) {
        let taken = self.world.taken(&self.world.ana).await;
        assert!(!taken.iter().any(|one| one.starts_with("busy")), "{taken:?}");
    }
}

async fn moved_entry_is_kept_in_step_where_it_stands(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_kept_in_step_where_it_stands(db, kind, Way::Moves)).await;
}

async fn remade_entry_is_kept_in_step_where_it_stands(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_kept_in_step_where_it_stands(db, kind, Way::Remakes)).await;
}

async fn is_kept_in_step_where_it_stands(db: &TestDb, kind: ProviderKind, way: Way) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = Scene::set(db, kind, true).await;
    let world = &scene.world;
    world.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    world.poll().await;
    scene.is_followed("Massage").await;
    // Nothing of it comes back, and what either side does is done there.
    world.poll().await;
    scene.is_followed("Massage").await;
    world.put("A-1", &titled(&world.hour(), "Sauna")).await;
    world.settle().await;
    world.poll().await;
    scene.is_followed("Sauna").await;
    let id = world.outside.seen_in(&scene.rota).await[0].id.clone();
    world.outside.person_moves_in_time(&id, (7_000, 7_060)).await;
    world.poll().await;
    assert_eq!(minutes(&world.now(&scene.booking).await), (7_000, 7_060));
    world.cancel("A-1").await;
    world.settle().await;
    assert_eq!(scene.standing().await, (vec![], vec![]));
    world.poll().await;
    scene.is_not_busy().await;
}

/// Into a calendar that its owner has made since the account was connected: nobody has asked for it yet.
async fn moved_entry_is_followed_into_a_new_calendar(db: &TestDb, kind: ProviderKind) {
    let world = World::with_provider(db, kind).await;
    let connection = world.connected(&world.ana).await;
    world.set_rules(RemoteChangePolicy::Follow, RemoteChangePolicy::Follow).await;
    let booking = world.put("A-1", &titled(&world.hour(), "Massage")).await;
    world.settle().await;
    world.poll().await;
    let id = world.outside.one_seen_by(ANA).await.id;
    let rota = world.outside.further_calendar(ANA).await;
    world.outside.person_moves_away(Way::Moves, &id, &rota).await;
    world.poll().await;
    let main = String::new();
    Scene { world, connection, main, rota, booking, id }.is_followed("Massage").await;
}

/// Into a calendar that is not read, and back.
async fn moved_entry_is_followed_into_an_unread_calendar(db: &TestDb, kind: ProviderKind) {
    let scene = Scene::set(db, kind, false).await;
    let world = &scene.world;
    world.outside.person_moves_away(Way::Moves, &scene.id, &scene.rota).await;
    world.poll().await;
    scene.is_followed("Massage").await;
    let main = scene.calendar(false).await.external_id.replace("%40", "@");
    let id = world.outside.seen_in(&scene.rota).await[0].id.clone();
    world.outside.person_moves_away(Way::Moves, &id, &main).await;
    world.poll().await;
    let (here, there) = scene.standing().await;
    assert_eq!((here.len(), there.len()), (1, 0));
    assert_eq!(world.sync(&scene.booking).await[0].calendar, scene.calendar(false).await.name);
    assert_eq!(world.changes(&scene.booking).await.len(), 0);
    scene.is_not_busy().await;
}

/// The calendar that it came from is not read at all: the one that it came to tells of it.
async fn moved_entry_is_known_where_it_arrives(db: &TestDb, kind: ProviderKind) {
    let scene = Scene::set(db, kind, true).await;
    let world = &scene.world;
    scene.read(&scene.calendar(false).await, false).await;
    world.outside.person_moves_away(Way::Moves, &scene.id, &scene.rota).await;
    world.poll().await;
    scene.is_followed("Massage").await;
}

/// What was made anew cannot be known where it arrives: it counts as its owner's until it is missed where it was.
async fn remade_entry_is_no_busy_time_once_it_is_missed(db: &TestDb, kind: ProviderKind) {
    if !Way::Remakes.is_known_to(kind) {
        return;
    }
    let scene = Scene::set(db, kind, true).await;
    let main = scene.calendar(false).await;
    scene.read(&main, false).await;
    let world = &scene.world;
    world.outside.person_moves_away(Way::Remakes, &scene.id, &scene.rota).await;
    world.poll().await;
    assert_eq!(world.now(&scene.booking).await.draft.status, BookingStatus::Confirmed);
    scene.read(&main, true).await;
    world.poll().await;
    scene.is_followed("Massage").await;
}

async fn entry_moved_in_time_as_well_moves_its_booking(db: &TestDb, kind: ProviderKind) {
    Box::pin(in_time_as_well_moves_its_booking(db, kind, Way::Moves)).await;
}

async fn entry_remade_in_time_as_well_moves_its_booking(db: &TestDb, kind: ProviderKind) {
    Box::pin(in_time_as_well_moves_its_booking(db, kind, Way::Remakes)).await;
}

async fn in_time_as_well_moves_its_booking(db: &TestDb, kind: ProviderKind, way: Way) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = Scene::set(db, kind, true).await;
    let world = &scene.world;
    world.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    let id = world.outside.seen_in(&scene.rota).await[0].id.clone();
    world.outside.person_moves_in_time(&id, (7_000, 7_060)).await;
    world.poll().await;
    assert_eq!(minutes(&world.now(&scene.booking).await), (7_000, 7_060));
    let change = world.change_of(&scene.booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Moved, RemoteChangeState::Followed));
    let (main, rota) = scene.standing().await;
    assert_eq!((main.len(), rota.len()), (0, 1));
    scene.is_not_busy().await;
}

async fn moved_entry_goes_with_its_booking_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(goes_with_its_booking_before_any_read(db, kind, Way::Moves)).await;
}

async fn remade_entry_goes_with_its_booking_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(goes_with_its_booking_before_any_read(db, kind, Way::Remakes)).await;
}

async fn goes_with_its_booking_before_any_read(db: &TestDb, kind: ProviderKind, way: Way) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = Scene::set(db, kind, true).await;
    let world = &scene.world;
    world.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    world.cancel("A-1").await;
    world.settle().await;
    assert_eq!(scene.standing().await, (vec![], vec![]), "{:#?}", world.log_lines().await);
    assert_eq!(world.entry_state(&scene.booking).await, EntryState::Removed);
    world.poll().await;
    scene.is_not_busy().await;
    assert_eq!(world.changes(&scene.booking).await.len(), 0);
}

async fn moved_entry_is_written_where_it_stands_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_written_where_it_stands_before_any_read(db, kind, Way::Moves)).await;
}

async fn remade_entry_is_written_where_it_stands_before_any_read(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_written_where_it_stands_before_any_read(db, kind, Way::Remakes)).await;
}

async fn is_written_where_it_stands_before_any_read(db: &TestDb, kind: ProviderKind, way: Way) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = Scene::set(db, kind, true).await;
    let world = &scene.world;
    world.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    world.put("A-1", &titled(&world.hour(), "Sauna")).await;
    world.settle().await;
    scene.is_followed("Sauna").await;
    world.poll().await;
    scene.is_followed("Sauna").await;
}

async fn moved_entry_is_found_by_a_disconnection(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_found_by_a_disconnection(db, kind, Way::Moves)).await;
}

async fn remade_entry_is_found_by_a_disconnection(db: &TestDb, kind: ProviderKind) {
    Box::pin(is_found_by_a_disconnection(db, kind, Way::Remakes)).await;
}

async fn is_found_by_a_disconnection(db: &TestDb, kind: ProviderKind, way: Way) {
    if !way.is_known_to(kind) {
        return;
    }
    let scene = Scene::set(db, kind, true).await;
    let world = &scene.world;
    world.outside.person_moves_away(way, &scene.id, &scene.rota).await;
    manage::disconnect(&world.context, &world.change(), scene.connection, true).await.unwrap();
    world.settle().await;
    assert_eq!(scene.standing().await, (vec![], vec![]));
}

async fn copy_beside_the_entry_is_its_makers(db: &TestDb, kind: ProviderKind) {
    let scene = Scene::set(db, kind, true).await;
    let world = &scene.world;
    world.outside.person_copies(&scene.id, &scene.rota).await;
    world.poll().await;
    let taken = world.taken(&world.ana).await;
    assert!(taken.contains(&"busy: 6000 - 6060".to_owned()), "{taken:?}");
    assert_eq!(world.sync(&scene.booking).await[0].calendar, scene.calendar(false).await.name);
    // It stays when ours goes.
    world.cancel("A-1").await;
    world.settle().await;
    world.poll().await;
    let (main, rota) = scene.standing().await;
    assert_eq!((main.len(), rota.len()), (0, 1));
    assert_eq!(world.changes(&scene.booking).await.len(), 0);
}

/// A calendar's list, or its server's report, names what is there and what is gone since, and this was in neither.
async fn entry_deleted_before_it_was_read_is_noticed(db: &TestDb, kind: ProviderKind) {
    let world = World::with_provider(db, kind).await;
    world.connected(&world.ana).await;
    let kept = world.put("A-2", &world.draft(&[&world.ana], 7_000, 7_060)).await;
    world.settle().await;
    world.poll().await;
    let booking = world.put("A-1", &titled(&world.hour(), "Massage")).await;
    world.settle().await;
    let seen = world.outside.seen_by(ANA).await;
    let ours = seen.iter().find(|one| one.title.contains("Massage") && one.starts_at.contains("T12:00"));
    let ours = ours.unwrap_or_else(|| panic!("{seen:#?}"));
    world.outside.person_deletes(ANA, &ours.id).await;
    world.poll().await;
    let change = world.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    world.poll().await;
    assert_eq!((world.changes(&booking).await.len(), world.changes(&kept).await.len()), (1, 0));
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

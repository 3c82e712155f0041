//! What CalDAV servers do that others do not: calendars that are gone behind a refusal, faults that pass, no versions.

use concord_domain::{
    booking::BookingStatus,
    connection::{EntryState, ProviderKind},
    ids::ConnectionId,
    sync::remote_change::{RemoteChangeKind, RemoteChangeState},
};
use concord_foreign::ProxyFault;
use concord_jobs::{
    connect::{self, ConnectError},
    connections as manage,
    remote_change::Answer,
};
use concord_providers::{DiscoveryError, caldav::Asked};
use concord_storage::{
    on_both_databases,
    testing::{TestDb, monday},
};

use crate::{
    two_way::minutes,
    world::{ANA, PATIENCE, World, titled, unhurried, with_status},
};

async fn with_radicale(db: &TestDb) -> World<'_> {
    World::of(db, ProviderKind::Caldav, unhurried(), PATIENCE, monday()).await
}

fn answer(status: &str, headers: &str, body: &str) -> ProxyFault {
    ProxyFault::Answer { status: status.to_owned(), headers: headers.to_owned(), body: body.to_owned() }
}

impl World<'_> {
    /// Ana's second calendar, by its path.
    async fn clinic(&self) -> String {
        let path = self.outside.radicale().calendar_of(ANA).replace("/calendar/", "/clinic/");
        self.outside.person(ANA).makes_a_calendar(&path).await;
        path
    }

    /// The calendar of a connection at that path, in whichever way its id is written.
    async fn at_path(&self, id: ConnectionId, path: &str) -> concord_storage::calendars::Calendar {
        let calendars = self.calendars(id).await;
        let found = calendars.into_iter().find(|one| one.external_id.replace("%40", "@") == path);
        found.expect("the calendar is there")
    }

    /// Ana deletes a calendar at a server that says of it what Cyrus says.
    async fn deletes_at_cyrus(&self, path: &str) {
        self.outside.person(ANA).deletes(path).await;
        let page = "<!DOCTYPE html><html><body>Mailbox does not exist</body></html>";
        let gone = answer("403 Forbidden", "Content-Type: text/html; charset=utf-8\r\n", page);
        self.outside.radicale().proxy.always_answers(&format!(" {path}"), gone);
    }

    async fn titles_in(&self, path: &str) -> Vec<String> {
        let seen = self.outside.person(ANA).sees(path).await;
        let mut titles: Vec<String> = seen.into_iter().map(|one| one.title).collect();
        titles.sort();
        titles
    }
}

async fn a_calendar_that_is_gone_behind_a_refusal_is_noticed(db: &TestDb) {
    let world = with_radicale(db).await;
    let clinic = world.clinic().await;
    let id = world.connected(&world.ana).await;
    let known = world.at_path(id, &clinic).await;
    manage::set_reads(&world.context, &world.change(), id, known.id, true).await.unwrap();
    world.settle().await;
    let busy = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n\
        DTSTART:20270301T180000Z\r\nDTEND:20270301T190000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    world.outside.person(ANA).puts(&format!("{clinic}a.ics"), busy).await;
    world.poll().await;
    assert_eq!(world.taken(&world.ana).await, ["busy: 600 - 660"]);

    world.deletes_at_cyrus(&clinic).await;
    world.poll().await;
    assert!(world.at_path(id, &clinic).await.missing_since.is_some());
    assert_eq!(world.taken(&world.ana).await, [""; 0]);
    assert_eq!(world.failed().await.len(), 0);
}

async fn another_calendar_gets_at_once_what_stood_in_one_that_is_gone(db: &TestDb) {
    let world = with_radicale(db).await;
    let clinic = world.clinic().await;
    let id = world.connected(&world.ana).await;
    let known = world.at_path(id, &clinic).await;
    manage::set_written(&world.context, &world.change(), id, known.id).await.unwrap();
    let draft = world.draft(&[&world.ana], 60, 120);
    let booking = world.put("A-1", &draft).await;
    world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    assert_eq!(world.titles_in(&clinic).await.len(), 2);

    world.deletes_at_cyrus(&clinic).await;
    // Before anything has been read or written there.
    let main = world.at_path(id, &world.outside.radicale().calendar_of(ANA)).await;
    manage::set_written(&world.context, &world.change(), id, main.id).await.unwrap();
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, ["Sea View — Maria (Massage)", "Sea View — Maria (Massage)"]);
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    assert_eq!((world.failed().await.len(), world.changes(&booking).await.len()), (0, 0));
}

async fn a_write_to_a_calendar_that_is_gone_behind_a_refusal_says_so(db: &TestDb) {
    let world = with_radicale(db).await;
    let clinic = world.clinic().await;
    let id = world.connected(&world.ana).await;
    let known = world.at_path(id, &clinic).await;
    manage::set_written(&world.context, &world.change(), id, known.id).await.unwrap();
    let draft = world.draft(&[&world.ana], 60, 120);
    world.put("A-1", &draft).await;
    world.settle().await;
    world.deletes_at_cyrus(&clinic).await;
    let booking = world.put("A-1", &titled(&draft, "Changed")).await;
    let other = world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    assert!(world.at_path(id, &clinic).await.missing_since.is_some());
    for booking in [&booking, &other] {
        let reason = world.sync(booking).await[0].last_error.clone().unwrap_or_default();
        assert!(reason.contains("choose another one"), "{reason}");
        assert_eq!(world.changes(booking).await.len(), 0, "nobody deleted an entry");
    }
}

async fn the_calendar_whose_address_is_given_is_the_one_that_is_written(db: &TestDb) {
    let world = with_radicale(db).await;
    let clinic = world.clinic().await;
    let asked = world.outside.asked(ANA);
    let whose = (world.business.id, world.ana.id);
    let to = |path: &str| Asked { address: format!("{}{path}", asked.address), ..asked.clone() };
    let finished = connect::connect_with_password(&world.context, whose, &to(&clinic), "/".to_owned()).await;
    let id = finished.unwrap().connection;
    world.put("A-1", &world.draft(&[&world.ana], 60, 120)).await;
    world.settle().await;
    let chosen = world.at_path(id, &clinic).await;
    assert!(chosen.reads && chosen.writes, "{chosen:?}");
    assert_eq!(world.titles_in(&clinic).await, ["Sea View — Maria (Massage)"]);
    assert_eq!(world.outside.titles(ANA).await, [""; 0]);

    // One that can only be read is none to write to, and nothing changes.
    let holidays = clinic.replace("/clinic/", "/holidays/");
    let refused = connect::connect_with_password(&world.context, whose, &to(&holidays), "/".to_owned()).await;
    assert!(
        matches!(refused, Err(ConnectError::Discovery(DiscoveryError::NotWritable { .. }))),
        "{refused:?}"
    );
    assert!(world.at_path(id, &clinic).await.writes);
}

async fn what_passes_is_tried_again(db: &TestDb) {
    let world = with_radicale(db).await;
    world.connected(&world.ana).await;
    for (number, fault) in [
        answer("507 Insufficient Storage", "", ""),
        answer("302 Found", "Location: /sign-in\r\n", ""),
        answer("307 Temporary Redirect", "Location: /elsewhere\r\n", ""),
        answer("503 Service Unavailable", "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        world.outside.radicale().proxy.next_holding_fails("PUT ", fault);
        let from = 60 + 60 * i64::try_from(number).unwrap();
        let booking = world.put(&format!("A-{number}"), &world.draft(&[&world.ana], from, from + 60)).await;
        world.settle().await;
        assert_eq!(world.entry_state(&booking).await, EntryState::Synced, "{number}");
        assert_eq!(world.outside.seen_by(ANA).await.len(), number + 1);
    }
    let log = world.log().await;
    assert_eq!(log.iter().filter(|line| line.as_str() == "write retry").count(), 4, "{log:?}");
    assert!(!log.iter().any(|line| line.ends_with("failed")), "{log:?}");
}

async fn a_server_without_versions_is_kept_in_step(db: &TestDb) {
    let world = with_radicale(db).await;
    world.outside.radicale().proxy.hide_versions();
    world.outside.radicale().proxy.replace("<sync-token/>", "<no-sync-token/>");
    world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 6_000, 6_060);
    let booking = world.put("A-1", &draft).await;
    world.settle().await;
    world.poll().await;
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    let path = world.outside.one_seen_by(ANA).await.id;
    // Ours is changed by us, and then by a person.
    world.put("A-1", &titled(&draft, "Changed")).await;
    world.settle().await;
    world.poll().await;
    assert_eq!(world.outside.titles(ANA).await, ["Sea View — Maria (Changed)"]);
    assert_eq!(world.changes(&booking).await.len(), 0, "nobody else changed it");
    let object = world.outside.person(ANA).gets(&path).await;
    let object = object.replace("Sea View — Maria (Changed)", "Sea View — Maria (Feet)");
    world.outside.person(ANA).puts(&path, &object).await;
    world.poll().await;
    assert_eq!(world.now(&booking).await.draft.title, "Feet");
    assert_eq!(minutes(&world.now(&booking).await), (6_000, 6_060));
    world.cancel("A-1").await;
    world.settle().await;
    assert_eq!(world.outside.titles(ANA).await, [""; 0]);
    assert_eq!(world.failed().await.len(), 0);
}

/// Guests, files, words and alarms of their own: a later write of ours leaves them as they are, and changes what is ours.
async fn what_people_add_outlives_our_next_write(db: &TestDb) {
    let world = with_radicale(db).await;
    world.connected(&world.ana).await;
    let draft = world.draft(&[&world.ana], 60, 120);
    let booking = world.put("A-1", &draft).await;
    world.settle().await;
    let ours = world.outside.one_seen_by(ANA).await;
    let added =
        ["ATTENDEE;CN=Rui:mailto:rui@example.com", "ATTACH:https://files.example/plan.pdf", "COLOR:tomato"];
    let alarm = "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n";
    let object = world.outside.person(ANA).gets(&ours.id).await.replace("\r\n ", "");
    let object = object
        .replace("\r\nDESCRIPTION:", "\r\nDESCRIPTION:Bring two towels.\\n")
        .replace("END:VEVENT", &format!("{}\r\n{alarm}END:VEVENT", added.join("\r\n")));
    world.outside.person(ANA).puts(&ours.id, &object).await;
    world.poll().await;

    let pending = with_status(&titled(&draft, "Changed"), BookingStatus::Pending);
    for next in [pending.clone(), titled(&pending, "Changed again")] {
        world.put("A-1", &next).await;
        world.settle().await;
    }
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);
    let seen = world.outside.one_seen_by(ANA).await;
    assert!(seen.title.contains("Changed again"), "{seen:#?}");
    assert!(seen.description.contains("Status: Pending"), "{}", seen.description);
    assert!(!seen.description.contains("Status: Confirmed"), "{}", seen.description);
    assert_eq!(seen.description.matches("Bring two towels.").count(), 1, "{}", seen.description);
    let text = world.outside.person(ANA).gets(&ours.id).await;
    for line in added.into_iter().chain(["TRIGGER:-PT5M"]) {
        assert_eq!(text.matches(&format!("\r\n{line}\r\n")).count(), 1, "{line}: {text}");
    }
}

/// What stands there is compared with what stood there at the last read, and this stood there at neither.
async fn entry_deleted_before_it_was_listed_is_noticed(db: &TestDb) {
    let world = with_radicale(db).await;
    world.outside.radicale().proxy.replace("<sync-token/>", "<no-sync-token/>");
    world.connected(&world.ana).await;
    let kept = world.put("A-1", &world.draft(&[&world.ana], 6_000, 6_060)).await;
    world.settle().await;
    let path = world.outside.one_seen_by(ANA).await.id;
    world.poll().await;
    let booking = world.put("A-2", &world.draft(&[&world.ana], 7_000, 7_060)).await;
    world.settle().await;
    let seen = world.outside.seen_by(ANA).await;
    let other = seen.iter().find(|one| one.id != path).unwrap();
    world.outside.person(ANA).deletes(&other.id).await;
    world.poll().await;
    let change = world.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    assert_eq!(world.changes(&kept).await.len(), 0);
}

/// A report may name nothing of it, either; what stands is asked for once and not at each read.
async fn entry_that_no_report_names_is_looked_for_once(db: &TestDb) {
    let world = with_radicale(db).await;
    world.connected(&world.ana).await;
    world.poll().await;
    let gone = world.put("A-1", &world.draft(&[&world.ana], 6_000, 6_060)).await;
    world.settle().await;
    let path = world.outside.one_seen_by(ANA).await.id;
    let kept = world.put("A-2", &world.draft(&[&world.ana], 7_000, 7_060)).await;
    world.settle().await;
    world.outside.person(ANA).deletes(&path).await;
    let nothing = r#"<multistatus xmlns="DAV:"><sync-token>http://radicale.org/ns/sync/none</sync-token></multistatus>"#;
    let says = answer("207 Multi-Status", "Content-Type: application/xml\r\n", nothing);
    world.outside.radicale().proxy.always_answers("<sync-collection", says);
    world.poll().await;
    assert_eq!(world.change_of(&gone).await.kind, RemoteChangeKind::Deleted);
    assert_eq!(world.changes(&kept).await.len(), 0);
    let before = world.outside.radicale().proxy.seen();
    world.poll().await;
    assert_eq!(world.outside.radicale().proxy.seen() - before, 1, "the report alone");
}

/// RFC 6638, 3.2.4.1: such an entry stands in another calendar of the account.
async fn entry_that_stands_elsewhere_is_looked_for_and_not_refused(db: &TestDb) {
    let world = with_radicale(db).await;
    let clinic = world.clinic().await;
    let id = world.connected(&world.ana).await;
    let main = world.at_path(id, &world.outside.radicale().calendar_of(ANA)).await;
    manage::set_written(&world.context, &world.change(), id, main.id).await.unwrap();
    manage::set_reads(&world.context, &world.change(), id, main.id, true).await.unwrap();
    world.settle().await;
    let conflict = || {
        let named = r#"<error xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:unique-scheduling-object-resource><href>/x</href></C:unique-scheduling-object-resource></error>"#;
        answer("403 Forbidden", "Content-Type: application/xml\r\n", named)
    };
    let proxy = &world.outside.radicale().proxy;
    // Refused once, and found nowhere: it is written all the same.
    proxy.next_holding_fails("PUT ", conflict());
    let draft = world.draft(&[&world.ana], 60, 120);
    let booking = world.put("A-1", &draft).await;
    world.settle().await;
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);

    // Its owner has deleted it, and pasted it into another calendar under another name before it is put back.
    let path = world.outside.one_seen_by(ANA).await.id;
    let object = world.outside.person(ANA).gets(&path).await;
    world.poll().await;
    world.outside.person(ANA).deletes(&path).await;
    world.poll().await;
    let change = world.change_of(&booking).await;
    world.outside.person(ANA).puts(&format!("{clinic}pasted.ics"), &object).await;
    proxy.next_holding_fails("PUT ", conflict());
    world.decide(&change, Answer::Revert).await.unwrap();
    world.settle().await;
    assert_eq!(world.titles_in(&clinic).await.len(), 1);
    assert_eq!(world.outside.titles(ANA).await, [""; 0], "{:#?}", world.log_lines().await);
    assert_eq!(world.entry_state(&booking).await, EntryState::Synced);

    // One that stands where we cannot see it is told of, once.
    proxy.always_answers("PUT ", conflict());
    let unseen = world.put("A-2", &world.draft(&[&world.ana], 120, 180)).await;
    world.settle().await;
    let reason = world.sync(&unseen).await[0].last_error.clone().unwrap_or_default();
    assert!(reason.contains("another calendar of the account"), "{reason}");
}

/// What was asked about is taken back, if only elsewhere.
async fn entry_pasted_after_a_question_answers_it(db: &TestDb) {
    let world = with_radicale(db).await;
    let clinic = world.clinic().await;
    let id = world.connected(&world.ana).await;
    let main = world.at_path(id, &world.outside.radicale().calendar_of(ANA)).await;
    let other = world.at_path(id, &clinic).await;
    let change = world.change();
    manage::set_written(&world.context, &change, id, main.id).await.unwrap();
    for calendar in [&main, &other] {
        manage::set_reads(&world.context, &change, id, calendar.id, true).await.unwrap();
    }
    let booking = world.put("A-1", &world.draft(&[&world.ana], 6_000, 6_060)).await;
    world.settle().await;
    world.poll().await;
    let path = world.outside.one_seen_by(ANA).await.id;
    let object = world.outside.person(ANA).gets(&path).await;
    world.outside.person(ANA).deletes(&path).await;
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Open);
    let name = path.rsplit('/').next().unwrap();
    world.outside.person(ANA).puts(&format!("{clinic}{name}"), &object).await;
    world.poll().await;
    assert_eq!(world.change_of(&booking).await.state, RemoteChangeState::Overtaken);
    assert_eq!(world.taken(&world.ana).await.len(), 1, "{:?}", world.taken(&world.ana).await);
    assert_eq!(world.sync(&booking).await[0].calendar, other.name);
}

/// Of more than half of what should stand a loss is seen twice before it is believed.
async fn entry_moved_away_is_found_by_a_compare(db: &TestDb) {
    let world = with_radicale(db).await;
    let clinic = world.clinic().await;
    let id = world.connected(&world.ana).await;
    let main = world.at_path(id, &world.outside.radicale().calendar_of(ANA)).await;
    manage::set_written(&world.context, &world.change(), id, main.id).await.unwrap();
    let booking = world.put("A-1", &world.draft(&[&world.ana], 6_000, 6_060)).await;
    world.put("A-2", &world.draft(&[&world.ana], 7_000, 7_060)).await;
    world.settle().await;
    world.poll().await;
    let seen = world.outside.seen_by(ANA).await;
    let path = seen.iter().find(|one| one.starts_at.contains("T12:00")).unwrap().id.clone();
    let name = path.rsplit('/').next().unwrap();
    // Another entry of ours stands there already, so that all of it is compared.
    manage::set_written(&world.context, &world.change(), id, world.at_path(id, &clinic).await.id)
        .await
        .unwrap();
    world.put("A-3", &world.draft(&[&world.ana], 8_000, 8_060)).await;
    world.settle().await;
    world.outside.person(ANA).moves(&path, &format!("{clinic}{name}")).await;
    manage::compare(&world.context, world.business.id, id).await.unwrap();
    world.drain().await;
    assert_eq!(world.changes(&booking).await.len(), 0);
    assert_eq!(world.sync(&booking).await[0].calendar, world.at_path(id, &clinic).await.name);
    assert_eq!(world.titles_in(&clinic).await.len(), 2);
}

on_both_databases!(
    entry_deleted_before_it_was_listed_is_noticed,
    entry_that_no_report_names_is_looked_for_once,
    entry_that_stands_elsewhere_is_looked_for_and_not_refused,
    entry_pasted_after_a_question_answers_it,
    entry_moved_away_is_found_by_a_compare,
    what_people_add_outlives_our_next_write,
    a_calendar_that_is_gone_behind_a_refusal_is_noticed,
    another_calendar_gets_at_once_what_stood_in_one_that_is_gone,
    a_write_to_a_calendar_that_is_gone_behind_a_refusal_says_so,
    the_calendar_whose_address_is_given_is_the_one_that_is_written,
    what_passes_is_tried_again,
    a_server_without_versions_is_kept_in_step,
);

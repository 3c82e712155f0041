//! What CalDAV servers do that others do not: calendars that are gone behind a refusal, faults that pass, no versions.

use concord_domain::{
    booking::BookingStatus,
    connection::{EntryState, ProviderKind},
    ids::ConnectionId,
    sync::remote_change::{RemoteChangeKind, RemoteChangeState},
};
use concord_providers::{DiscoveryError, caldav::CaldavLogin};
use concord_services::{
    connect::{self, ConnectError},
    connections as manage,
    remote_changes::RemoteChangeAnswer,
};
use concord_storage::{
    on_both_databases,
    testing::{TestDb, monday},
};
use concord_testing::ProxyFault;

use crate::{
    connection_choices,
    fixture::{ANA, PATIENCE, SyncFixture, titled, unhurried, with_status},
    two_way::minutes,
};

async fn with_radicale(db: &TestDb) -> SyncFixture<'_> {
    SyncFixture::of(db, ProviderKind::Caldav, unhurried(), PATIENCE, monday()).await
}

fn answer(status: &str, headers: &str, body: &str) -> ProxyFault {
    ProxyFault::Answer { status: status.to_owned(), headers: headers.to_owned(), body: body.to_owned() }
}

impl SyncFixture<'_> {
    /// Ana's second calendar, by its path.
    async fn clinic(&self) -> String {
        let path = self.outside.radicale().calendar_of(ANA).replace("/calendar/", "/clinic/");
        self.outside.person(ANA).make_calendar(&path).await;
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
        self.outside.radicale().proxy.always_respond(&format!(" {path}"), gone);
    }

    async fn titles_in(&self, path: &str) -> Vec<String> {
        let seen = self.outside.person(ANA).sees(path).await;
        let mut titles: Vec<String> = seen.into_iter().map(|one| one.title).collect();
        titles.sort();
        titles
    }
}

async fn a_calendar_that_is_gone_behind_a_refusal_is_noticed(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let clinic = fixture.clinic().await;
    let id = fixture.connected(&fixture.ana).await;
    let known = fixture.at_path(id, &clinic).await;
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, known.id, true).await.unwrap();
    fixture.settle().await;
    let busy = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n\
        DTSTART:20270301T180000Z\r\nDTEND:20270301T190000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    fixture.outside.person(ANA).puts(&format!("{clinic}a.ics"), busy).await;
    fixture.poll().await;
    assert_eq!(fixture.taken(&fixture.ana).await, ["busy: 600 - 660"]);

    fixture.deletes_at_cyrus(&clinic).await;
    fixture.poll().await;
    assert!(fixture.at_path(id, &clinic).await.missing_since.is_some());
    assert_eq!(fixture.taken(&fixture.ana).await, [""; 0]);
    assert_eq!(fixture.failed().await.len(), 0);
}

async fn another_calendar_gets_at_once_what_stood_in_one_that_is_gone(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let clinic = fixture.clinic().await;
    let id = fixture.connected(&fixture.ana).await;
    let known = fixture.at_path(id, &clinic).await;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, known.id).await.unwrap();
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    let booking = fixture.put("A-1", &draft).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    assert_eq!(fixture.titles_in(&clinic).await.len(), 2);

    fixture.deletes_at_cyrus(&clinic).await;
    // Before anything has been read or written there.
    let main = fixture.at_path(id, &fixture.outside.radicale().calendar_of(ANA)).await;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, main.id).await.unwrap();
    fixture.settle().await;
    assert_eq!(
        fixture.outside.titles(ANA).await,
        ["Sea View — Maria (Massage)", "Sea View — Maria (Massage)"]
    );
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    assert_eq!((fixture.failed().await.len(), fixture.changes(&booking).await.len()), (0, 0));
}

async fn a_write_to_a_calendar_that_is_gone_behind_a_refusal_says_so(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let clinic = fixture.clinic().await;
    let id = fixture.connected(&fixture.ana).await;
    let known = fixture.at_path(id, &clinic).await;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, known.id).await.unwrap();
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    fixture.put("A-1", &draft).await;
    fixture.settle().await;
    fixture.deletes_at_cyrus(&clinic).await;
    let booking = fixture.put("A-1", &titled(&draft, "Changed")).await;
    let other = fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    assert!(fixture.at_path(id, &clinic).await.missing_since.is_some());
    for booking in [&booking, &other] {
        let reason = fixture.sync(booking).await[0].last_error.clone().unwrap_or_default();
        assert!(reason.contains("choose another one"), "{reason}");
        assert_eq!(fixture.changes(booking).await.len(), 0, "nobody deleted an entry");
    }
}

async fn calendar_named_by_address_is_written_to(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let clinic = fixture.clinic().await;
    let asked = fixture.outside.asked(ANA);
    let by = fixture.change();
    let whose = (&by, fixture.ana.id);
    let to = |path: &str| CaldavLogin { address: format!("{}{path}", asked.address), ..asked.clone() };
    let finished =
        connect::connect_with_password(&fixture.context, whose, &to(&clinic), "/".to_owned()).await;
    let id = finished.unwrap().connection;
    fixture.put("A-1", &fixture.draft(&[&fixture.ana], 60, 120)).await;
    fixture.settle().await;
    let chosen = fixture.at_path(id, &clinic).await;
    assert!(chosen.reads && chosen.writes, "{chosen:?}");
    assert_eq!(fixture.titles_in(&clinic).await, ["Sea View — Maria (Massage)"]);
    assert_eq!(fixture.outside.titles(ANA).await, [""; 0]);

    // One that can only be read is none to write to, and nothing changes.
    let holidays = clinic.replace("/clinic/", "/holidays/");
    let refused =
        connect::connect_with_password(&fixture.context, whose, &to(&holidays), "/".to_owned()).await;
    assert!(
        matches!(refused, Err(ConnectError::Discovery(DiscoveryError::NotWritable { .. }))),
        "{refused:?}"
    );
    assert!(fixture.at_path(id, &clinic).await.writes);
}

async fn what_passes_is_tried_again(db: &TestDb) {
    let fixture = with_radicale(db).await;
    fixture.connected(&fixture.ana).await;
    for (number, fault) in [
        answer("507 Insufficient Storage", "", ""),
        answer("302 Found", "Location: /sign-in\r\n", ""),
        answer("307 Temporary Redirect", "Location: /elsewhere\r\n", ""),
        answer("503 Service Unavailable", "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        fixture.outside.radicale().proxy.fail_next_containing("PUT ", fault);
        let from = 60 + 60 * i64::try_from(number).unwrap();
        let booking =
            fixture.put(&format!("A-{number}"), &fixture.draft(&[&fixture.ana], from, from + 60)).await;
        fixture.settle().await;
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced, "{number}");
        assert_eq!(fixture.outside.seen_by(ANA).await.len(), number + 1);
    }
    let log = fixture.log().await;
    assert_eq!(log.iter().filter(|line| line.as_str() == "write retry").count(), 4, "{log:?}");
    assert!(!log.iter().any(|line| line.ends_with("failed")), "{log:?}");
}

async fn a_server_without_versions_is_kept_in_step(db: &TestDb) {
    let fixture = with_radicale(db).await;
    fixture.outside.radicale().proxy.hide_etags();
    fixture.outside.radicale().proxy.replace("<sync-token/>", "<no-sync-token/>");
    fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 6_000, 6_060);
    let booking = fixture.put("A-1", &draft).await;
    fixture.settle().await;
    fixture.poll().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    let path = fixture.outside.one_seen_by(ANA).await.id;
    // Ours is changed by us, and then by a person.
    fixture.put("A-1", &titled(&draft, "Changed")).await;
    fixture.settle().await;
    fixture.poll().await;
    assert_eq!(fixture.outside.titles(ANA).await, ["Sea View — Maria (Changed)"]);
    assert_eq!(fixture.changes(&booking).await.len(), 0, "nobody else changed it");
    let object = fixture.outside.person(ANA).gets(&path).await;
    let object = object.replace("Sea View — Maria (Changed)", "Sea View — Maria (Feet)");
    fixture.outside.person(ANA).puts(&path, &object).await;
    fixture.poll().await;
    assert_eq!(fixture.now(&booking).await.draft.title, "Feet");
    assert_eq!(minutes(&fixture.now(&booking).await), (6_000, 6_060));
    fixture.cancel("A-1").await;
    fixture.settle().await;
    assert_eq!(fixture.outside.titles(ANA).await, [""; 0]);
    assert_eq!(fixture.failed().await.len(), 0);
}

/// Guests, files, words and alarms of their own: a later write of ours leaves them as they are, and changes what is ours.
async fn what_people_add_outlives_our_next_write(db: &TestDb) {
    let fixture = with_radicale(db).await;
    fixture.connected(&fixture.ana).await;
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    let booking = fixture.put("A-1", &draft).await;
    fixture.settle().await;
    let ours = fixture.outside.one_seen_by(ANA).await;
    let added =
        ["ATTENDEE;CN=Rui:mailto:rui@example.com", "ATTACH:https://files.example/plan.pdf", "COLOR:tomato"];
    let alarm = "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n";
    let object = fixture.outside.person(ANA).gets(&ours.id).await.replace("\r\n ", "");
    let object = object
        .replace("\r\nDESCRIPTION:", "\r\nDESCRIPTION:Bring two towels.\\n")
        .replace("END:VEVENT", &format!("{}\r\n{alarm}END:VEVENT", added.join("\r\n")));
    fixture.outside.person(ANA).puts(&ours.id, &object).await;
    fixture.poll().await;

    let pending = with_status(&titled(&draft, "Changed"), BookingStatus::Pending);
    for next in [pending.clone(), titled(&pending, "Changed again")] {
        fixture.put("A-1", &next).await;
        fixture.settle().await;
    }
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);
    let seen = fixture.outside.one_seen_by(ANA).await;
    assert!(seen.title.contains("Changed again"), "{seen:#?}");
    assert!(seen.description.contains("Status: Pending"), "{}", seen.description);
    assert!(!seen.description.contains("Status: Confirmed"), "{}", seen.description);
    assert_eq!(seen.description.matches("Bring two towels.").count(), 1, "{}", seen.description);
    let text = fixture.outside.person(ANA).gets(&ours.id).await;
    for line in added.into_iter().chain(["TRIGGER:-PT5M"]) {
        assert_eq!(text.matches(&format!("\r\n{line}\r\n")).count(), 1, "{line}: {text}");
    }
}

/// What stands there is compared with what stood there at the last read, and this stood there at neither.
async fn entry_deleted_before_it_was_listed_is_noticed(db: &TestDb) {
    let fixture = with_radicale(db).await;
    fixture.outside.radicale().proxy.replace("<sync-token/>", "<no-sync-token/>");
    fixture.connected(&fixture.ana).await;
    let kept = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 6_000, 6_060)).await;
    fixture.settle().await;
    let path = fixture.outside.one_seen_by(ANA).await.id;
    fixture.poll().await;
    let booking = fixture.put("A-2", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;
    let seen = fixture.outside.seen_by(ANA).await;
    let other = seen.iter().find(|one| one.id != path).unwrap();
    fixture.outside.person(ANA).deletes(&other.id).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    assert_eq!((change.kind, change.state), (RemoteChangeKind::Deleted, RemoteChangeState::Open));
    assert_eq!(fixture.changes(&kept).await.len(), 0);
}

/// A report may name nothing of it, either; what stands is asked for once and not at each read.
async fn entry_that_no_report_names_is_looked_for_once(db: &TestDb) {
    let fixture = with_radicale(db).await;
    fixture.connected(&fixture.ana).await;
    fixture.poll().await;
    let gone = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 6_000, 6_060)).await;
    fixture.settle().await;
    let path = fixture.outside.one_seen_by(ANA).await.id;
    let kept = fixture.put("A-2", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;
    fixture.outside.person(ANA).deletes(&path).await;
    let nothing = r#"<multistatus xmlns="DAV:"><sync-token>http://radicale.org/ns/sync/none</sync-token></multistatus>"#;
    let says = answer("207 Multi-Status", "Content-Type: application/xml\r\n", nothing);
    fixture.outside.radicale().proxy.always_respond("<sync-collection", says);
    fixture.poll().await;
    assert_eq!(fixture.change_of(&gone).await.kind, RemoteChangeKind::Deleted);
    assert_eq!(fixture.changes(&kept).await.len(), 0);
    let before = fixture.outside.radicale().proxy.seen();
    fixture.poll().await;
    assert_eq!(fixture.outside.radicale().proxy.seen() - before, 1, "the report alone");
}

/// RFC 6638, 3.2.4.1: such an entry stands in another calendar of the account.
async fn entry_that_stands_elsewhere_is_looked_for_and_not_refused(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let clinic = fixture.clinic().await;
    let id = fixture.connected(&fixture.ana).await;
    let main = fixture.at_path(id, &fixture.outside.radicale().calendar_of(ANA)).await;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, main.id).await.unwrap();
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, main.id, true).await.unwrap();
    fixture.settle().await;
    let conflict = || {
        let named = r#"<error xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:unique-scheduling-object-resource><href>/x</href></C:unique-scheduling-object-resource></error>"#;
        answer("403 Forbidden", "Content-Type: application/xml\r\n", named)
    };
    let proxy = &fixture.outside.radicale().proxy;
    // Refused once, and found nowhere: it is written all the same.
    proxy.fail_next_containing("PUT ", conflict());
    let draft = fixture.draft(&[&fixture.ana], 60, 120);
    let booking = fixture.put("A-1", &draft).await;
    fixture.settle().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);

    // Its owner has deleted it, and pasted it into another calendar under another name before it is put back.
    let path = fixture.outside.one_seen_by(ANA).await.id;
    let object = fixture.outside.person(ANA).gets(&path).await;
    fixture.poll().await;
    fixture.outside.person(ANA).deletes(&path).await;
    fixture.poll().await;
    let change = fixture.change_of(&booking).await;
    fixture.outside.person(ANA).puts(&format!("{clinic}pasted.ics"), &object).await;
    proxy.fail_next_containing("PUT ", conflict());
    fixture.decide(&change, RemoteChangeAnswer::Revert).await.unwrap();
    fixture.settle().await;
    assert_eq!(fixture.titles_in(&clinic).await.len(), 1);
    assert_eq!(fixture.outside.titles(ANA).await, [""; 0], "{:#?}", fixture.log_lines().await);
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);

    // One that stands where we cannot see it is told of, once.
    proxy.always_respond("PUT ", conflict());
    let unseen = fixture.put("A-2", &fixture.draft(&[&fixture.ana], 120, 180)).await;
    fixture.settle().await;
    let reason = fixture.sync(&unseen).await[0].last_error.clone().unwrap_or_default();
    assert!(reason.contains("another calendar of the account"), "{reason}");
}

/// What was asked about is taken back, if only elsewhere.
async fn entry_pasted_after_a_question_answers_it(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let clinic = fixture.clinic().await;
    let id = fixture.connected(&fixture.ana).await;
    let main = fixture.at_path(id, &fixture.outside.radicale().calendar_of(ANA)).await;
    let other = fixture.at_path(id, &clinic).await;
    let change = fixture.change();
    connection_choices::set_written(&fixture.context, &change, id, main.id).await.unwrap();
    for calendar in [&main, &other] {
        connection_choices::set_reads(&fixture.context, &change, id, calendar.id, true).await.unwrap();
    }
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 6_000, 6_060)).await;
    fixture.settle().await;
    fixture.poll().await;
    let path = fixture.outside.one_seen_by(ANA).await.id;
    let object = fixture.outside.person(ANA).gets(&path).await;
    fixture.outside.person(ANA).deletes(&path).await;
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Open);
    let name = path.rsplit('/').next().unwrap();
    fixture.outside.person(ANA).puts(&format!("{clinic}{name}"), &object).await;
    fixture.poll().await;
    assert_eq!(fixture.change_of(&booking).await.state, RemoteChangeState::Overtaken);
    assert_eq!(fixture.taken(&fixture.ana).await.len(), 1, "{:?}", fixture.taken(&fixture.ana).await);
    assert_eq!(fixture.sync(&booking).await[0].calendar, other.name);
}

/// Of more than half of what should stand a loss is seen twice before it is believed.
async fn entry_moved_away_is_found_by_a_compare(db: &TestDb) {
    let fixture = with_radicale(db).await;
    let clinic = fixture.clinic().await;
    let id = fixture.connected(&fixture.ana).await;
    let main = fixture.at_path(id, &fixture.outside.radicale().calendar_of(ANA)).await;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, main.id).await.unwrap();
    let booking = fixture.put("A-1", &fixture.draft(&[&fixture.ana], 6_000, 6_060)).await;
    fixture.put("A-2", &fixture.draft(&[&fixture.ana], 7_000, 7_060)).await;
    fixture.settle().await;
    fixture.poll().await;
    let seen = fixture.outside.seen_by(ANA).await;
    let path = seen.iter().find(|one| one.starts_at.contains("T12:00")).unwrap().id.clone();
    let name = path.rsplit('/').next().unwrap();
    // Another entry of ours stands there already, so that all of it is compared.
    connection_choices::set_written(
        &fixture.context,
        &fixture.change(),
        id,
        fixture.at_path(id, &clinic).await.id,
    )
    .await
    .unwrap();
    fixture.put("A-3", &fixture.draft(&[&fixture.ana], 8_000, 8_060)).await;
    fixture.settle().await;
    fixture.outside.person(ANA).moves(&path, &format!("{clinic}{name}")).await;
    manage::compare(&fixture.context, fixture.business.id, id).await.unwrap();
    fixture.drain().await;
    assert_eq!(fixture.changes(&booking).await.len(), 0);
    assert_eq!(fixture.sync(&booking).await[0].calendar, fixture.at_path(id, &clinic).await.name);
    assert_eq!(fixture.titles_in(&clinic).await.len(), 2);
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
    calendar_named_by_address_is_written_to,
    what_passes_is_tried_again,
    a_server_without_versions_is_kept_in_step,
);

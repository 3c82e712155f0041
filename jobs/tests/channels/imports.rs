use concord_domain::{
    channel::{BlockRule, Preference},
    people::Actor,
    platform::PlatformId,
};
use concord_jobs::channels::quarantine::{self, ReviewError, UndoCounts};
use concord_services::channels::{
    self as manage,
    import::{self, ChannelImportRequest, ImportError, ImportSource, only_resource},
    preview::preview,
};
use concord_storage::{
    PageRequest,
    channels::{self, runs},
    platform_settings::PlatformSettings,
    testing::{self, TestDb},
};
use secrecy::SecretString;

use crate::{
    feed_server::{nights, reserved},
    fixture::ChannelFixture,
};

impl ChannelFixture<'_> {
    pub(crate) fn wish(&self, platform: &str, from: ImportSource) -> ChannelImportRequest {
        ChannelImportRequest {
            confirmed: false,
            business: self.business.id,
            resource: self.resource.id,
            platform: self.context.platforms.find(platform).unwrap().clone(),
            from,
            actor: Actor::System,
        }
    }
}

async fn an_address_is_imported_once_and_again(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let url = SecretString::from(fixture.site.url.clone());
    let wish = fixture.wish("airbnb", ImportSource::Address(url.clone()));
    fixture.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9), reserved("past", 1, 2)]);
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.imported, foreseen.events.len()), (3, 3));
    assert_eq!(fixture.standing().await, Vec::<String>::new(), "it was only looked at");

    let taken = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!((taken.counts.imported, taken.counts.skipped), (3, 0));
    let again = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!((again.counts.imported, again.counts.skipped, again.changed()), (0, 3, false));
    fixture.site.events(&[reserved("a", 4, 6), reserved("b", 7, 9)]);
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.updated, foreseen.counts.cancelled), (1, 1));
    let changed = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!((changed.counts.updated, changed.counts.cancelled), (1, 1));
    // It is read when somebody asks, and not by itself.
    let asked = fixture.site.asked();
    fixture.later(48).await;
    assert_eq!(fixture.site.asked(), asked);
    assert_eq!(channels::list(db, fixture.business.id).await.unwrap().len(), 1);
}

async fn what_is_too_far_ahead_is_counted_and_told(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let far = reserved("far", 3, 5).replace("202612", "203112");
    let further = reserved("further", 7, 9).replace("202612", "203212");
    fixture.site.events(&[reserved("a", 3, 5), far, further]);
    let wish = fixture.wish("airbnb", ImportSource::Address(fixture.site.url.as_str().to_owned().into()));
    let told = "2 events begin after 23 Nov 2029, too far ahead";
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    assert!(foreseen.warnings[0].contains(told), "{:?}", foreseen.warnings);
    let taken = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!(taken.counts.imported, 1);
    assert!(taken.remark().unwrap().contains(told), "{:?}", taken.remark());
}

/// Nobody reads a file again: who hands it in hears until when it stands.
async fn import_says_until_when_a_series_stands(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let closed = |uid: &str, rule: &str| {
        nights(uid, "Airbnb (Not available)", 7, 8).replace("SUMMARY", &format!("RRULE:{rule}\r\nSUMMARY"))
    };
    let weekly = closed("mondays", "FREQ=WEEKLY");
    let ends = closed("ends", "FREQ=WEEKLY;COUNT=3;BYDAY=TU");
    let far = reserved("far", 3, 5).replace("202612", "203112");
    let said =
        "1 event repeats after 23 Nov 2029: imported up to then; import the calendar again before that";
    let far_said = "too far ahead: not imported; import the calendar again";
    let wish = fixture.wish("airbnb", file(&[weekly.clone(), ends, far.clone()]));
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    let has = |warnings: &[String], part: &str| warnings.iter().any(|warning| warning.contains(part));
    assert!(has(&foreseen.warnings, said) && has(&foreseen.warnings, far_said), "{:?}", foreseen.warnings);
    let taken = import::import(&fixture.context, &wish).await.unwrap();
    assert!(taken.message.ends_with(said), "{}", taken.message);
    assert!(has(&taken.warnings, said), "{:?}", taken.warnings);
    // What is read at its times goes on with the days.
    fixture.site.events(&[weekly, far]);
    let channel = fixture.on("airbnb").await;
    let error = fixture.channel(channel).await.last_error.unwrap_or_default();
    assert!(error.contains("imported closer to the date") && !error.contains("repeats"), "{error}");
}

async fn undo_says_that_changes_stay(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let first = [nights("a", "Reserved - Maria", 3, 5)];
    import::import(&fixture.context, &fixture.wish("vrbo", file(&first))).await.unwrap();
    let second = [nights("a", "Reserved - Maria", 4, 6), nights("b", "Reserved - Ana", 8, 9)];
    let taken = import::import(&fixture.context, &fixture.wish("vrbo", file(&second))).await.unwrap();
    assert_eq!(taken.message, "1 new, 1 changed; changes cannot be undone");
    let undone =
        quarantine::undo(&fixture.context, fixture.business.id, taken.run.unwrap(), &Actor::System).await;
    assert_eq!(undone.unwrap(), UndoCounts { taken_back: 1, left_changed: 1, ..UndoCounts::default() });
    assert_eq!(fixture.standing().await, ["4-6 vrbo: Reserved - Maria"]);
    let channel = channels::list(db, fixture.business.id).await.unwrap().remove(0).id;
    let runs = fixture.runs(channel).await;
    assert!(runs.iter().any(|run| run.message == "1 undone, 1 changes kept"), "{runs:?}");
    // Where there are only changes, nothing offers to undo them.
    let third = [nights("a", "Reserved - Maria", 12, 14)];
    let taken = import::import(&fixture.context, &fixture.wish("vrbo", file(&third))).await.unwrap();
    assert_eq!(taken.message, "1 changed; changes cannot be undone");
    let run = runs::find(db, fixture.business.id, taken.run.unwrap()).await.unwrap().unwrap();
    assert!(!run.can_be_undone(fixture.clock.now()));
}

async fn imported_booking_keeps_its_nights_beside_the_feed(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let by_hand = nights("file", "Family", 1, 10);
    import::import(&fixture.context, &fixture.wish("booking_com", file(&[by_hand]))).await.unwrap();
    fixture.site.events(&[nights("feed", "CLOSED - Not available", 5, 8)]);
    fixture.on("booking_com").await;
    fixture.later(48).await;
    assert_eq!(
        fixture.standing().await,
        ["1-10 booking_com: Family", "5-8 booking_com: CLOSED - Not available"]
    );
}

async fn a_file_adds_and_changes_and_cancels_nothing(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let file = |events: &[String]| {
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.concat());
        ImportSource::File(text.into())
    };
    let first = fixture.wish("vrbo", file(&[nights("a", "Reserved - Maria", 3, 5), reserved("b", 7, 9)]));
    assert_eq!(import::import(&fixture.context, &first).await.unwrap().counts.imported, 2);
    assert_eq!(fixture.standing().await, ["3-5 vrbo: Reserved - Maria", "7-9 vrbo: Reserved"]);
    let second = fixture.wish("vrbo", file(&[nights("a", "Reserved - Maria", 4, 6)]));
    let taken = import::import(&fixture.context, &second).await.unwrap();
    assert_eq!((taken.counts.updated, taken.counts.cancelled, taken.held), (1, 0, None));
    assert_eq!(fixture.standing().await.len(), 2);
}

async fn an_import_is_taken_back_and_brought_back(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let (business, actor) = (fixture.business.id, Actor::System);
    let events = [nights("a", "Reserved - Maria", 3, 5), reserved("b", 7, 9)].concat();
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
    let wish = fixture.wish("vrbo", ImportSource::File(text.into()));
    let standing = ["3-5 vrbo: Reserved - Maria", "7-9 vrbo: Reserved"];
    let first = import::import(&fixture.context, &wish).await.unwrap().run.unwrap();
    assert_eq!(fixture.standing().await, standing);
    let undone = quarantine::undo(&fixture.context, business, first, &actor).await.unwrap();
    assert_eq!(undone, UndoCounts { taken_back: 2, ..UndoCounts::default() });
    assert_eq!(fixture.standing().await, Vec::<String>::new());
    let twice = quarantine::undo(&fixture.context, business, first, &actor).await;
    assert!(matches!(twice, Err(ReviewError::TooLate)), "{twice:?}");

    // What was taken back by mistake is brought back, and what was taken back for good can be imported again.
    let channel = channels::list(db, business).await.unwrap().remove(0).id;
    let ask = PageRequest { limit: 9, after: None };
    let mut all = runs::list_for_channel(db, business, channel, &ask).await.unwrap().items;
    all.retain(|run| run.message == "2 undone");
    let latest = all.remove(0);
    assert_eq!((latest.counts.cancelled, all.len()), (2, 0));
    let back = quarantine::undo(&fixture.context, business, latest.id, &actor).await.unwrap();
    assert_eq!(back, UndoCounts { brought_back: 2, ..UndoCounts::default() });
    assert_eq!(fixture.standing().await, standing);
    let second = import::import(&fixture.context, &wish).await.unwrap();
    assert!(!second.changed(), "{second:?}");
}

pub(crate) fn file(events: &[String]) -> ImportSource {
    ImportSource::File(
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.concat()).into(),
    )
}

async fn what_came_by_a_file_is_known_when_it_comes_by_its_address(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let events = [nights("a", "Reserved - Maria", 3, 5), nights("b", "Reserved - Ana", 7, 9)];
    fixture.site.events(&events);
    import::import(&fixture.context, &fixture.wish("vrbo", file(&events))).await.unwrap();
    // Once, ...
    let once = fixture.wish("vrbo", ImportSource::Address(fixture.site.url.clone().into()));
    assert_eq!(preview(&fixture.context, &once).await.unwrap().events, []);
    assert!(!import::import(&fixture.context, &once).await.unwrap().changed());
    // ... and from now on.
    fixture.on("vrbo").await;
    assert_eq!((fixture.standing().await.len(), fixture.conflicts().await), (2, 0));
    // Another address of the same may be a part of it.
    let other = fixture.wish("vrbo", ImportSource::Address(format!("{}?x=1", fixture.site.url).into()));
    fixture.site.events(&events[..1]);
    assert!(!import::import(&fixture.context, &other).await.unwrap().changed());
    assert_eq!(
        (fixture.standing().await.len(), channels::list(db, fixture.business.id).await.unwrap().len()),
        (2, 1)
    );
}

async fn what_came_by_a_file_and_is_not_in_the_feed_stands(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let of_old = [nights("a", "Reserved - Maria", 3, 5), nights("old", "Reserved - Ana", 7, 9)];
    import::import(&fixture.context, &fixture.wish("vrbo", file(&of_old))).await.unwrap();
    fixture.site.events(&[of_old[0].clone(), nights("b", "Reserved - Rui", 20, 22), reserved("c", 24, 26)]);
    fixture.on("vrbo").await;
    fixture.later(72).await;
    assert_eq!((fixture.standing().await.len(), fixture.conflicts().await), (4, 0));
    // What the feed has had, it can call off.
    fixture.site.events(&[nights("b", "Reserved - Rui", 20, 22), reserved("c", 24, 26)]);
    fixture.later(8).await;
    let standing = fixture.standing().await;
    assert_eq!(standing, ["7-9 vrbo: Reserved - Ana", "20-22 vrbo: Reserved - Rui", "24-26 vrbo: Reserved"]);
}

async fn file_import_leaves_the_feed_of_a_channel_alone(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let all: Vec<String> = (1..=6)
        .map(|n| nights(&format!("u{n}"), &format!("Reserved - Guest {n}"), n * 4, n * 4 + 2))
        .collect();
    fixture.site.events(&all[..3]);
    let channel = fixture.on("vrbo").await;
    // Three of six are gone by the next reading: not more than half.
    let wish = fixture.wish("vrbo", file(&all));
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    assert_eq!(foreseen.counts.imported, 3);
    assert!(foreseen.warnings[0].contains("does not contain 3 of these bookings"), "{:?}", foreseen.warnings);
    let run = import::import(&fixture.context, &wish).await.unwrap().run.unwrap();
    fixture.later(72).await;
    assert_eq!((fixture.standing().await.len(), fixture.conflicts().await), (6, 0));
    let told = fixture.notices().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("on Vrbo is missing 3 bookings that were imported manually"), "{told:?}");
    // One arrives there, and can be called off there from then on; another is changed by a second file, and stands.
    fixture.site.events(&[&all[..3], &all[4..5]].concat());
    fixture.later(2).await;
    fixture.site.events(&all[..3]);
    let moved = nights("u4", "Reserved - Guest 4", 17, 19);
    import::import(&fixture.context, &fixture.wish("vrbo", file(&[moved]))).await.unwrap();
    fixture.later(24).await;
    assert_eq!(fixture.standing().await.len(), 5);
    // What the feed never had is taken back.
    let undone = quarantine::undo(&fixture.context, fixture.business.id, run, &Actor::System).await.unwrap();
    assert_eq!((undone.taken_back, fixture.standing().await.len()), (2, 3));
    fixture.later(24).await;
    assert_eq!((fixture.standing().await.len(), fixture.notices().await), (3, vec![]));
    assert_eq!(fixture.channel(channel).await.import_guard, None);
}

async fn a_second_file_puts_nobody_in_anothers_place(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    for platform in ["generic", "booking_com"] {
        let from = if platform == "generic" { 1 } else { 15 };
        let alpha = fixture.wish(platform, file(&[nights("k1", "Family Alpha", from, from + 9)]));
        let beta = fixture.wish(platform, file(&[nights("k2", "Family Beta", from + 8, from + 11)]));
        assert_eq!(import::import(&fixture.context, &alpha).await.unwrap().counts.imported, 1);
        let foreseen = preview(&fixture.context, &beta).await.unwrap().counts;
        let taken = import::import(&fixture.context, &beta).await.unwrap().counts;
        assert_eq!((taken.imported, taken.updated, taken.conflicts), (1, 0, 1), "{platform}");
        assert_eq!((foreseen.imported, foreseen.conflicts), (1, 1), "{platform}");
    }
    assert_eq!(fixture.standing().await.len(), 4);
}

async fn a_preview_sees_what_meets_within_the_file(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let wish = fixture.wish("vrbo", file(&[reserved("a", 5, 8), reserved("b", 7, 9), reserved("c", 9, 10)]));
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    let taken = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.conflicts, taken.counts.conflicts), (1, 1));
}

/// A block as calendars write what is closed for good.
fn closed_for_good(from: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:good\r\nDTSTAMP:20261101T000000Z\r\nDTSTART;VALUE=DATE:{from}\r\n\
         DTEND;VALUE=DATE:99991231\r\nSUMMARY:Airbnb (Not available)\r\nEND:VEVENT\r\n"
    )
}

async fn what_is_closed_for_good_stays_closed(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let wish = fixture.wish("airbnb", file(&[closed_for_good("20261210")]));
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    assert_eq!(foreseen.counts.imported, 1);
    assert!(foreseen.warnings[0].contains("taken until 1 Jan 2200"), "{:?}", foreseen.warnings);
    import::import(&fixture.context, &wish).await.unwrap();
    assert!(!fixture.book("second-night", 11, 13).await, "only its first night was closed");
}

async fn a_preview_says_what_would_be_refused(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let wish = fixture.wish("airbnb", file(&[closed_for_good("19000101"), reserved("a", 3, 5)]));
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    let taken = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.imported, taken.counts.imported), (1, 1));
    let said = foreseen.warnings.iter().any(|warning| {
        warning.contains("1 Jan 1900 is not imported") && warning.contains("outside the years 1970 to 9998")
    });
    assert!(said, "{:?}", foreseen.warnings);
    assert!(taken.message.contains("not imported"), "{}", taken.message);
}

async fn a_calendar_of_another_platform_is_pointed_out(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//HomeAway.com\\, Inc.//EN\r\n{}END:VCALENDAR\r\n",
        reserved("a", 3, 5)
    );
    let said = "this calendar was created by Vrbo, not by Airbnb";
    fixture.site.bytes(text.clone());
    let url = SecretString::from(fixture.site.url.clone());
    for from in [ImportSource::File(text.clone().into()), ImportSource::Address(url)] {
        let wish = fixture.wish("airbnb", from.clone());
        let foreseen = preview(&fixture.context, &wish).await.unwrap();
        assert_eq!(foreseen.told.as_ref().map(PlatformId::as_str), Some("vrbo"));
        assert_eq!(foreseen.warnings.first().map(String::as_str), Some(said));
        let as_vrbo = preview(&fixture.context, &fixture.wish("vrbo", from.clone())).await.unwrap();
        assert_eq!((as_vrbo.told, as_vrbo.warnings), (None, vec![]));
        let refused = import::import(&fixture.context, &wish).await;
        assert!(matches!(refused, Err(ImportError::NeedsConfirmation(_))), "{refused:?}");
        let taken = import::import(&fixture.context, &ChannelImportRequest { confirmed: true, ..wish })
            .await
            .unwrap();
        assert_eq!(taken.warnings.first().map(String::as_str), Some(said));
    }
}

async fn what_has_begun_and_what_is_read_again_is_not_taken_back(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let (business, actor) = (fixture.business.id, Actor::System);
    let url = SecretString::from(fixture.site.url.clone());
    fixture.site.events(&[reserved("a", 1, 9), reserved("b", 20, 22)]);
    fixture.clock.advance(chrono::Duration::days(8));
    let wish = fixture.wish("airbnb", ImportSource::Address(url));
    let run = import::import(&fixture.context, &wish).await.unwrap().run.unwrap();
    let can_be_undone =
        async || runs::find(db, business, run).await.unwrap().unwrap().can_be_undone(fixture.clock.now());
    assert!(can_be_undone().await);
    fixture.clock.advance(chrono::Duration::days(4));
    let undone = quarantine::undo(&fixture.context, business, run, &actor).await.unwrap();
    assert_eq!((undone.taken_back, fixture.standing().await), (1, vec!["1-9 airbnb: Reserved".to_owned()]));

    // Read at its times, it would bring again what is taken back.
    let run = import::import(&fixture.context, &wish).await.unwrap().run.unwrap();
    fixture.on("airbnb").await;
    let undone = quarantine::undo(&fixture.context, business, run, &actor).await;
    assert!(matches!(undone, Err(ReviewError::TooLate)), "{undone:?}");
    assert_eq!(fixture.standing().await.len(), 2);
}

async fn an_import_heeds_what_is_said_of_the_platform(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let said = PlatformSettings {
        platform: "airbnb".to_owned(),
        interval_minutes: None,
        preference: Preference::Keep,
        blocks: BlockRule::Ignore,
    };
    manage::save_platform(&fixture.context, &fixture.change(), &said).await.unwrap();
    fixture.site.events(&[reserved("a", 3, 5), nights("b", "Airbnb (Not available)", 7, 9)]);
    let wish = fixture.wish("airbnb", ImportSource::Address(fixture.site.url.clone().into()));
    assert_eq!(preview(&fixture.context, &wish).await.unwrap().counts.imported, 1);
    assert_eq!(import::import(&fixture.context, &wish).await.unwrap().counts.imported, 1);
    assert_eq!(fixture.standing().await, ["3-5 airbnb: Reserved"]);
}

async fn what_a_removed_channel_knew_is_not_imported_again(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[nights("a", "CLOSED - Not available", 3, 5)]);
    let channel = fixture.on("booking_com").await;
    manage::remove(&fixture.context, &fixture.change(), channel).await.unwrap();
    // Its UIDs are others each time.
    fixture.site.events(&[nights("z", "CLOSED - Not available", 3, 5)]);
    let wish = fixture.wish("booking_com", ImportSource::Address(fixture.site.url.clone().into()));
    let taken = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!((taken.counts.imported, fixture.conflicts().await, fixture.standing().await.len()), (0, 0, 1));
}

async fn an_import_says_what_finds_no_room(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    assert!(fixture.book("ours", 3, 6).await);
    let url = SecretString::from(fixture.site.url.clone());
    let wish = fixture.wish("airbnb", ImportSource::Address(url.clone()));
    fixture.site.events(&[reserved("a", 4, 7), reserved("b", 8, 9)]);
    let foreseen = preview(&fixture.context, &wish).await.unwrap();
    assert_eq!((foreseen.counts.imported, foreseen.counts.conflicts), (2, 1));
    let taken = import::import(&fixture.context, &wish).await.unwrap();
    assert_eq!((taken.counts.imported, taken.counts.conflicts), (2, 1));
}

async fn what_cannot_be_read_leaves_nothing(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let url = SecretString::from(fixture.site.url.clone());
    fixture.site.answers(404, "text/plain", "no");
    let wish = fixture.wish("airbnb", ImportSource::Address(url.clone()));
    let refused = import::import(&fixture.context, &wish).await.unwrap_err();
    assert!(matches!(refused, ImportError::Unread(_)), "{refused}");
    assert!(channels::list(db, fixture.business.id).await.unwrap().is_empty());
    let strange =
        ChannelImportRequest { resource: concord_domain::ids::ResourceId::new(fixture.clock.now()), ..wish };
    let refused = import::import(&fixture.context, &strange).await.unwrap_err();
    assert!(matches!(refused, ImportError::NoResource), "{refused}");
}

async fn one_resource_need_not_be_named(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let only = only_resource(&fixture.context, fixture.business.id).await.unwrap();
    assert_eq!(only, Some(fixture.resource.id));
    testing::resource(db, &fixture.business, 1).await;
    assert_eq!(only_resource(&fixture.context, fixture.business.id).await.unwrap(), None);
}

concord_storage::on_both_databases!(
    an_address_is_imported_once_and_again,
    what_is_too_far_ahead_is_counted_and_told,
    import_says_until_when_a_series_stands,
    undo_says_that_changes_stay,
    imported_booking_keeps_its_nights_beside_the_feed,
    a_file_adds_and_changes_and_cancels_nothing,
    an_import_is_taken_back_and_brought_back,
    what_came_by_a_file_is_known_when_it_comes_by_its_address,
    what_came_by_a_file_and_is_not_in_the_feed_stands,
    file_import_leaves_the_feed_of_a_channel_alone,
    a_second_file_puts_nobody_in_anothers_place,
    a_preview_sees_what_meets_within_the_file,
    a_calendar_of_another_platform_is_pointed_out,
    what_is_closed_for_good_stays_closed,
    a_preview_says_what_would_be_refused,
    what_has_begun_and_what_is_read_again_is_not_taken_back,
    an_import_heeds_what_is_said_of_the_platform,
    what_a_removed_channel_knew_is_not_imported_again,
    an_import_says_what_finds_no_room,
    what_cannot_be_read_leaves_nothing,
    one_resource_need_not_be_named,
);

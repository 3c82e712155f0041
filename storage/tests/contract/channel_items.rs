//! The items of a channel, each in one transaction with its booking.

use std::collections::{HashMap, HashSet};

use chrono::Duration;
use concord_domain::{
    booking::{BookingDraft, BookingKind, BookingStatus, BookingTime},
    channel::{ItemKind, RunOrigin, RunOutcome, Settled, plan::FeedItem},
    ids::{BookingId, ChannelId, ChannelItemId, ChannelRunId},
    interval::Interval,
    people::Actor,
};
use concord_storage::{
    ChangeContext, Db, StorageError,
    bookings::{self, ChannelItemWrite, PutError, WrittenBooking},
    businesses::Business,
    channels::{self, Channel, items, runs},
    occupancy,
    resources::Resource,
    retention::{self, RetentionPeriods},
    testing::{self, TestDb, at, begin, commit},
};

use crate::{channels::channel, retention::rows_of};

pub(crate) struct ChannelItemFixture {
    pub(crate) business: Business,
    pub(crate) resource: Resource,
    channel: Channel,
    /// The reading that brings everything.
    run: ChannelRunId,
}

pub(crate) async fn fixture(db: &Db) -> ChannelItemFixture {
    let business = testing::business(db).await;
    let resource = testing::resource(db, &business, 1).await;
    let channel = channel(db, &business, &resource).await;
    let run = reading(db, &channel, RunOrigin::File).await;
    ChannelItemFixture { business, resource, channel, run }
}

fn item(key: &str, kind: ItemKind, draft: &BookingDraft) -> FeedItem {
    let interval = draft.time.interval(chrono_tz::UTC).unwrap();
    FeedItem {
        key: key.to_owned(),
        time: draft.time,
        interval,
        kind,
        summary: "Reserved".to_owned(),
        description: String::new(),
        guest: None,
        contested: false,
        tentative: false,
    }
}

async fn reading(db: &Db, channel: &Channel, origin: RunOrigin) -> ChannelRunId {
    let new = runs::NewChannelRun {
        id: ChannelRunId::new(at(1)),
        business: channel.business_id,
        channel: channel.id,
        origin,
        actor: &Actor::System,
        outcome: RunOutcome::Applied,
        message: "",
        counts: runs::RunCounts::default(),
        duration_ms: 0,
    };
    let mut tx = begin(db).await;
    runs::record(&mut tx, &new, at(4)).await.unwrap();
    commit(tx).await;
    new.id
}

impl ChannelItemFixture {
    fn change(&self, minute: i64) -> ChangeContext {
        ChangeContext { business: self.business.id, actor: Actor::System, now: at(minute) }
    }

    pub(crate) async fn import(
        &self,
        db: &Db,
        key: &str,
        draft: &BookingDraft,
    ) -> (ChannelItemId, WrittenBooking) {
        let (id, item) = (ChannelItemId::new(at(1)), item(key, ItemKind::Reservation, draft));
        let write = ChannelItemWrite::Add(self.new_item(id, &item));
        let put = bookings::import(db, &self.change(1), key, (draft, self.channel.id), &write, None).await;
        (id, put.unwrap())
    }

    fn new_item<'a>(&self, id: ChannelItemId, item: &'a FeedItem) -> items::NewChannelItem<'a> {
        items::NewChannelItem { id, channel: self.channel.id, run: self.run, item, by_hand: false }
    }

    async fn known(&self, db: &Db) -> Vec<items::ChannelItem> {
        items::to_come(db, self.business.id, self.channel.id, at(0)).await.unwrap()
    }

    async fn conflicts(&self, db: &Db) -> Vec<String> {
        let conflicts = occupancy::conflicts(db, self.business.id, at(0)).await.unwrap();
        conflicts.into_iter().filter_map(|row| row.reference).collect()
    }
}

async fn what_was_sold_stands_though_there_is_no_room(db: &TestDb) {
    let fixture = fixture(db).await;
    let draft = testing::draft(&fixture.resource, 100, 160);
    testing::booking(db, &fixture.business, "ours", &draft).await;
    let (id, put) = fixture.import(db, "theirs", &draft).await;
    assert!(put.created && !put.allocated);
    assert_eq!(put.booking.channel, Some(fixture.channel.id));
    let known = fixture.known(db).await;
    assert_eq!((known.len(), known[0].id, known[0].reference.as_deref()), (1, id, Some("theirs")));
    assert_eq!(known[0].booking_id, Some(put.booking.id));
    assert_eq!(fixture.conflicts(db).await, ["theirs"]);
    let found = items::find(db, fixture.business.id, id).await.unwrap().unwrap();
    assert_eq!(found, known[0]);
    let (others, is_allocated) = occupancy::beside(db, &put.booking).await.unwrap();
    let named: Vec<_> = others.iter().map(|row| row.reference.as_deref()).collect();
    assert_eq!((named, is_allocated), (vec![Some("ours")], false));
    let ours = bookings::find(db, fixture.business.id, "ours").await.unwrap().unwrap();
    let ids = [ours.id, put.booking.id];
    let of_both =
        async |minute| occupancy::overlaps_of(db, fixture.business.id, &ids, at(minute)).await.unwrap();
    let said = of_both(0).await;
    let others = |id| said[&id].iter().map(|other| other.reference.as_str()).collect::<Vec<_>>();
    assert_eq!((others(ours.id), others(put.booking.id)), (vec!["theirs"], vec!["ours"]));
    assert!(of_both(160).await.is_empty(), "what is over is nobody's trouble");
    let another = testing::business(db).await;
    assert!(occupancy::overlaps_of(db, another.id, &ids, at(0)).await.unwrap().is_empty());
    // Ours goes: theirs has room.
    bookings::cancel(db, &fixture.change(2), "ours", None).await.unwrap();
    assert_eq!(fixture.conflicts(db).await, Vec::<String>::new());
    assert!(of_both(0).await.is_empty());
    let mine = bookings::put(db, &fixture.change(3), "mine", &draft, None).await;
    assert!(matches!(mine, Err(PutError::Taken(_))), "{mine:?}");
}

async fn a_block_takes_the_nights_that_are_free(db: &TestDb) {
    let fixture = fixture(db).await;
    let hours = |from: i64, to: i64| BookingTime::Timed {
        starts_at: at(0) + Duration::hours(from),
        ends_at: at(0) + Duration::hours(to),
    };
    let plain = testing::draft(&fixture.resource, 0, 60);
    let ours = BookingDraft { time: hours(24, 48), ..plain.clone() };
    bookings::put(db, &fixture.change(0), "ours", &ours, None).await.unwrap();
    let block = BookingDraft { kind: BookingKind::Block, time: hours(0, 72), ..plain.clone() };
    let (_, put) = fixture.import(db, "block", &block).await;
    assert!(put.allocated, "a block is never in conflict");
    assert_eq!(fixture.conflicts(db).await, Vec::<String>::new());
    for (name, from, free) in [("before", 0, false), ("after", 48, false), ("later", 72, true)] {
        let draft = BookingDraft { time: hours(from, from + 24), ..plain.clone() };
        let put = bookings::put(db, &fixture.change(2), name, &draft, None).await;
        assert_eq!(put.is_ok(), free, "{name}");
    }
    // What ours leaves, the block has.
    bookings::cancel(db, &fixture.change(3), "ours", None).await.unwrap();
    let again = bookings::put(db, &fixture.change(4), "again", &ours, None).await;
    assert!(matches!(again, Err(PutError::Taken(_))), "{again:?}");
    // Somebody who comes all the same is no conflict with a block.
    let (_, put) = fixture.import(db, "guest", &BookingDraft { time: hours(2, 20), ..plain }).await;
    assert!(!put.allocated);
    let ids = [put.booking.id];
    assert!(occupancy::overlaps_of(db, fixture.business.id, &ids, at(0)).await.unwrap().is_empty());
    assert_eq!(fixture.conflicts(db).await, Vec::<String>::new());
}

async fn an_item_is_missed_found_lost_and_kept(db: &TestDb) {
    let fixture = fixture(db).await;
    let draft = testing::draft(&fixture.resource, 100, 160);
    let (id, _) = fixture.import(db, "a", &draft).await;
    let business = fixture.business.id;
    let mut tx = begin(db).await;
    items::miss(&mut tx, business, id, at(2)).await.unwrap();
    items::miss(&mut tx, business, id, at(3)).await.unwrap();
    commit(tx).await;
    assert_eq!(fixture.known(db).await[0].missing_since, Some(at(2)));
    let mut tx = begin(db).await;
    items::back(&mut tx, business, id).await.unwrap();
    commit(tx).await;
    assert_eq!(fixture.known(db).await[0].missing_since, None);

    let run = reading(db, &fixture.channel, RunOrigin::Poll).await;
    let echo = ChannelItemId::new(at(2));
    let mut tx = begin(db).await;
    let of_ours = item("echo", ItemKind::Echo, &draft);
    items::add(&mut tx, business, fixture.new_item(echo, &of_ours), None, at(2)).await.unwrap();
    let loss = items::ChannelItemLoss { run, if_missing: false, status: Some(draft.status) };
    items::lose(&mut tx, business, echo, items::ChannelItemLoss { status: None, ..loss }, at(4))
        .await
        .unwrap();
    commit(tx).await;
    let found = items::found_by(db, business, fixture.run).await.unwrap();
    assert_eq!(found.iter().map(|item| item.id).collect::<Vec<_>>(), [id]);
    let seen_again = ChannelItemWrite::Lose { id, loss: items::ChannelItemLoss { if_missing: true, ..loss } };
    let kept = bookings::cancel_imported(db, &fixture.change(4), "a", &seen_again).await;
    assert!(matches!(kept, Err(PutError::Storage(StorageError::Exists))), "the feed has it: {kept:?}");
    let lose = ChannelItemWrite::Lose { id, loss };
    let lost = bookings::cancel_imported(db, &fixture.change(4), "a", &lose).await.unwrap();
    assert_eq!(lost.booking.draft.status, BookingStatus::Cancelled);
    assert_eq!(fixture.known(db).await, []);
    assert_eq!(items::found_by(db, business, fixture.run).await.unwrap(), [], "it is gone again");
    let gone = items::list_lost_in_run(db, business, run).await.unwrap();
    assert_eq!(gone.iter().map(|item| item.removed_at).collect::<Vec<_>>(), [Some(at(4)); 2]);
    assert!(gone.iter().any(|item| item.id == id));

    let found = runs::find(db, business, run).await.unwrap().unwrap();
    assert!(found.has_effects && found.can_be_undone(at(5)));
    assert!(items::was_lost(db, (business, fixture.channel.id), "a", at(3)).await.unwrap());
    assert!(!items::was_lost(db, (business, fixture.channel.id), "a", at(4)).await.unwrap());
    let mut tx = begin(db).await;
    assert!(!items::keep(&mut tx, business, id).await.unwrap(), "what is gone is only brought back");
    commit(tx).await;
    let keep = ChannelItemWrite::Revive { id };
    let kept = bookings::import(db, &fixture.change(5), "a", (&draft, fixture.channel.id), &keep, None)
        .await
        .unwrap();
    assert_eq!(kept.booking.draft.status, draft.status);
    let known = fixture.known(db).await;
    assert_eq!((known.len(), known[0].pinned, known[0].removed_at), (1, true, None));
    assert!(!runs::find(db, business, run).await.unwrap().unwrap().has_effects, "it was brought back");
    let mut tx = begin(db).await;
    assert!(matches!(items::revive(&mut tx, business, id).await, Err(StorageError::Exists)), "it is there");
    items::back(&mut tx, business, id).await.unwrap();
    items::pin_all(&mut tx, business, fixture.channel.id).await.unwrap();
    commit(tx).await;
    assert!(fixture.known(db).await[0].pinned);
    let again =
        bookings::import(db, &fixture.change(6), "a", (&draft, fixture.channel.id), &keep, None).await;
    assert!(matches!(again, Err(PutError::Storage(StorageError::Exists))), "once: {again:?}");
}

async fn an_item_becomes_something_else(db: &TestDb) {
    let fixture = fixture(db).await;
    let draft = testing::draft(&fixture.resource, 100, 160);
    let (id, put) = fixture.import(db, "a", &draft).await;
    let was = Some(put.booking.id);
    let later = testing::draft(&fixture.resource, 200, 260);
    let moved = item("a", ItemKind::Reservation, &later);
    let stale = ChannelItemWrite::Change { id, was: None, item: &moved, by_hand: false };
    let with = (&later, fixture.channel.id);
    let late = bookings::import(db, &fixture.change(2), "b", with, &stale, None).await;
    assert!(matches!(late, Err(PutError::Storage(StorageError::Exists))), "another stands for it: {late:?}");
    assert!(bookings::find(db, fixture.business.id, "b").await.unwrap().is_none());
    let write = ChannelItemWrite::Change { id, was, item: &moved, by_hand: false };
    let put = bookings::import(db, &fixture.change(2), "a", (&later, fixture.channel.id), &write, None)
        .await
        .unwrap();
    assert_eq!(put.booking.interval, moved.interval);
    assert_eq!(Interval { start: at(200), end: at(260) }, moved.interval);
    assert_eq!(fixture.known(db).await[0].starts_at, at(200));
    let echo = item("b", ItemKind::Echo, &later);
    let free = ChannelItemWrite::Free { id, item: &echo, by_hand: false };
    bookings::cancel_imported(db, &fixture.change(3), "a", &free).await.unwrap();
    let known = fixture.known(db).await;
    assert_eq!((known[0].kind, known[0].booking_id, known[0].item_key.as_str()), (ItemKind::Echo, None, "b"));
}

async fn what_came_by_hand_stands_until_the_feed_has_it(db: &TestDb) {
    let fixture = fixture(db).await;
    let draft = testing::draft(&fixture.resource, 100, 160);
    let (id, sold) = (ChannelItemId::new(at(1)), item("a", ItemKind::Reservation, &draft));
    let write = ChannelItemWrite::Add(items::NewChannelItem { by_hand: true, ..fixture.new_item(id, &sold) });
    let with = (&draft, fixture.channel.id);
    let put = bookings::import(db, &fixture.change(1), "a", with, &write, None).await.unwrap();
    let pinned = async || items::find(db, fixture.business.id, id).await.unwrap().unwrap().pinned;
    assert!(pinned().await);
    for by_hand in [true, false] {
        let mut tx = begin(db).await;
        let booking = Some(put.booking.id);
        items::change(&mut tx, fixture.business.id, id, (&sold, by_hand), (booking, booking)).await.unwrap();
        commit(tx).await;
        assert_eq!(pinned().await, by_hand);
    }
}

async fn an_answer_to_an_unconfirmed_event_holds_for_its_nights(db: &TestDb) {
    let fixture = fixture(db).await;
    let [draft, later] =
        [(100, 160), (200, 260)].map(|(from, to)| testing::draft(&fixture.resource, from, to));
    let (id, put) = fixture.import(db, "a", &draft).await;
    let booking = Some(put.booking.id);
    let settle = async |settled| {
        let mut tx = begin(db).await;
        let done = items::settle(&mut tx, fixture.business.id, id, settled).await.unwrap();
        commit(tx).await;
        done
    };
    assert!(!settle(Settled::Ours).await, "it is not unconfirmed");
    let becomes = async |item: &FeedItem| {
        let mut tx = begin(db).await;
        items::change(&mut tx, fixture.business.id, id, (item, false), (booking, booking)).await.unwrap();
        commit(tx).await;
        let item = items::find(db, fixture.business.id, id).await.unwrap().unwrap();
        (item.kind, item.settled, item.tentative)
    };
    assert_eq!(
        becomes(&item("a", ItemKind::Unconfirmed, &draft)).await,
        (ItemKind::Unconfirmed, None, false)
    );
    let unconfirmed =
        async || items::unconfirmed(db, fixture.business.id, fixture.channel.id, at(0)).await.unwrap();
    let closed = async || items::closed(db, fixture.business.id, fixture.channel.id, at(0)).await.unwrap();
    assert_eq!((unconfirmed().await, closed().await), (fixture.known(db).await, vec![]));
    assert!(settle(Settled::Ours).await);
    let echo = item("b", ItemKind::Echo, &draft);
    assert_eq!(becomes(&echo).await, (ItemKind::Echo, Some(Settled::Ours), false));
    let moved = FeedItem { tentative: true, ..item("b", ItemKind::Reservation, &later) };
    assert_eq!(becomes(&moved).await, (ItemKind::Reservation, None, true));
    assert_eq!((unconfirmed().await, closed().await), (vec![], vec![moved.interval]));
}

async fn bookings_of_a_business_are_known_by_their_ids(db: &TestDb) {
    let fixture = fixture(db).await;
    let (_, put) = fixture.import(db, "a", &testing::draft(&fixture.resource, 100, 160)).await;
    let id = put.booking.id;
    let strange = (0..700).map(|_| BookingId::new(at(1)));
    let asked: Vec<BookingId> = strange.chain([id]).collect();
    assert_eq!(bookings::existing_ids(db, fixture.business.id, &asked).await.unwrap(), HashSet::from([id]));
    let other = testing::business(db).await;
    assert!(bookings::existing_ids(db, other.id, &asked).await.unwrap().is_empty());
    assert!(bookings::existing_ids(db, fixture.business.id, &[]).await.unwrap().is_empty());
    let whole = bookings::find_by_ids(db, fixture.business.id, &asked).await.unwrap();
    let only = bookings::by_id(db, fixture.business.id, id).await.unwrap().unwrap();
    assert_eq!(whole, HashMap::from([(id, only)]));
    assert!(bookings::find_by_ids(db, other.id, &asked).await.unwrap().is_empty());
}

async fn a_key_is_taken_once_in_a_channel(db: &TestDb) {
    let fixture = fixture(db).await;
    let draft = testing::draft(&fixture.resource, 100, 160);
    let (first, _) = fixture.import(db, "a", &draft).await;
    let business = fixture.business.id;
    let another = item("a", ItemKind::Echo, &draft);
    let add = async || {
        let mut tx = begin(db).await;
        let added =
            items::add(&mut tx, business, fixture.new_item(ChannelItemId::new(at(2)), &another), None, at(2))
                .await;
        if added.is_ok() {
            commit(tx).await;
        }
        added
    };
    assert!(matches!(add().await, Err(StorageError::Exists)));
    let mut tx = begin(db).await;
    items::park_key(&mut tx, business, first).await.unwrap();
    commit(tx).await;
    add().await.unwrap();
    let mut tx = begin(db).await;
    assert!(items::keep(&mut tx, business, first).await.unwrap());
    let known = items::find(db, business, first).await.unwrap().unwrap().booking_id;
    let back = items::change(&mut tx, business, first, (&another, false), (known, None)).await;
    assert!(matches!(back, Err(StorageError::Exists)), "{back:?}");
}

/// A platform is told what it has not sold itself, through this channel or one that was removed.
async fn a_platform_is_told_what_it_has_not_sold(db: &TestDb) {
    let fixture = fixture(db).await;
    let (ours, theirs) =
        (testing::draft(&fixture.resource, 100, 160), testing::draft(&fixture.resource, 200, 260));
    testing::booking(db, &fixture.business, "ours", &ours).await;
    let theirs = BookingDraft { source: "airbnb".to_owned(), ..theirs };
    fixture.import(db, "theirs", &theirs).await;
    let told = async |channel: &Channel| {
        let ask = bookings::FeedRange { from: at(0), most: 10 };
        let told = bookings::list_for_channel_feed(db, channel, ask).await.unwrap();
        told.into_iter().map(|booking| booking.reference).collect::<Vec<_>>()
    };
    assert_eq!(told(&fixture.channel).await, ["ours"]);
    let vrbo = Channel { id: ChannelId::new(at(1)), platform: "vrbo".to_owned(), ..fixture.channel.clone() };
    assert_eq!(told(&vrbo).await, ["ours", "theirs"]);
    let mut tx = begin(db).await;
    channels::remove(&mut tx, fixture.business.id, fixture.channel.id, at(2)).await.unwrap();
    commit(tx).await;
    let again = Channel { id: ChannelId::new(at(3)), ..fixture.channel.clone() };
    assert_eq!(told(&again).await, ["ours"]);
}

const DAY: i64 = 24 * 60;

/// A stay is known long before it is over: what came of reading it goes before.
async fn what_came_of_a_reading_goes_after_its_time(db: &TestDb) {
    let fixture = fixture(db).await;
    let draft = testing::draft(&fixture.resource, 300 * DAY, 301 * DAY);
    let (id, _) = fixture.import(db, "a", &draft).await;
    let keep = RetentionPeriods {
        sync_log: Duration::days(90),
        mails: Duration::days(90),
        done_jobs: Duration::days(7),
        history: Duration::days(730),
        customers: None,
    };
    let none = retention::delete_old(db, keep, at(80 * DAY)).await.unwrap();
    assert_eq!((rows_of(&none, "channel_runs"), rows_of(&none, "channel_items")), (0, 0));
    let gone = retention::delete_old(db, keep, at(100 * DAY)).await.unwrap();
    assert_eq!((rows_of(&gone, "channel_runs"), rows_of(&gone, "channel_items")), (1, 0));
    assert_eq!(fixture.known(db).await.iter().map(|item| item.id).collect::<Vec<_>>(), [id]);
    let over = retention::delete_old(db, keep, at(340 * DAY)).await.unwrap();
    assert_eq!(rows_of(&over, "channel_items"), 1);
}

concord_storage::on_both_databases!(
    a_platform_is_told_what_it_has_not_sold,
    what_was_sold_stands_though_there_is_no_room,
    a_block_takes_the_nights_that_are_free,
    an_item_is_missed_found_lost_and_kept,
    an_item_becomes_something_else,
    what_came_by_hand_stands_until_the_feed_has_it,
    an_answer_to_an_unconfirmed_event_holds_for_its_nights,
    bookings_of_a_business_are_known_by_their_ids,
    a_key_is_taken_once_in_a_channel,
    what_came_of_a_reading_goes_after_its_time,
);

use std::sync::LazyLock;

use chrono::Duration;
use concord_domain::{
    channel::{BlockRule, ChannelState, ImportGuard, Preference, RunOrigin, RunOutcome, plan::Quarantine},
    ids::{ChannelRunId, FeedId},
    job::{JobKind, QueueClass},
    people::Actor,
};
use concord_storage::{
    Db, StorageError,
    businesses::Business,
    channels::{
        self, Channel, ChannelSettings, FeedReadOutcome, ImportAddress, ListingKey, NewChannel, runs,
        webhooks,
    },
    feeds, jobs,
    resources::Resource,
    seal::Keyring,
    secret,
    testing::{self, TestDb, at, begin, commit, monday},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{first, is_not_found};

pub(crate) const ADDRESS: &str = "https://www.airbnb.com/calendar/ical/7.ics?s=secret";

static RING: LazyLock<Keyring> = LazyLock::new(testing::keyring);

fn import(url: &SecretString) -> ImportAddress<'_> {
    ImportAddress { url, host: "www.airbnb.com" }
}

/// A channel of a new resource.
pub(crate) async fn channel(db: &Db, business: &Business, resource: &Resource) -> Channel {
    let url = SecretString::from(ADDRESS);
    let new = NewChannel {
        business: business.id,
        resource: resource.id,
        platform: "airbnb",
        preference: Preference::Ask,
        blocks: BlockRule::Occupy,
        import: Some(import(&url)),
        polled: true,
    };
    let mut tx = begin(db).await;
    let channel = channels::create(&mut tx, &RING, &new, monday()).await.unwrap();
    commit(tx).await;
    channel
}

async fn fixture(db: &Db) -> (Business, Channel) {
    let business = testing::business(db).await;
    let resource = testing::resource(db, &business, 1).await;
    let channel = channel(db, &business, &resource).await;
    (business, channel)
}

async fn an_address_is_sealed_and_read_once_for_a_resource(db: &TestDb) {
    let (business, channel) = fixture(db).await;
    assert_eq!((channel.state, channel.has_import, channel.polled), (ChannelState::Active, true, true));
    assert!(!db.rows_as_text().await.contains("s=secret"));
    let opened = channels::import_url(db, &RING, business.id, channel.id).await.unwrap().unwrap();
    assert_eq!(opened.expose_secret(), ADDRESS);
    assert_eq!(channels::list(db, business.id).await.unwrap(), std::slice::from_ref(&channel));
    assert_eq!(channels::find(db, business.id, channel.id).await.unwrap().as_ref(), Some(&channel));
    let files =
        ListingKey { business: business.id, resource: channel.resource_id, platform: "airbnb", url: None };
    let same = channels::by_address(db, ListingKey { url: Some(&opened), ..files }).await.unwrap();
    assert_eq!(same.as_ref(), Some(&channel));
    let none = channels::by_address(db, files).await.unwrap();
    let readers = channels::of_address(db, business.id, &opened).await.unwrap();
    assert_eq!(readers.iter().map(|one| one.id).collect::<Vec<_>>(), [channel.id]);
    let stranger = testing::business(db).await;
    assert_eq!(channels::of_address(db, stranger.id, &opened).await.unwrap(), []);
    assert_eq!(none, None, "what takes files is another channel");

    let again = NewChannel {
        business: business.id,
        resource: channel.resource_id,
        platform: "airbnb",
        preference: Preference::Ask,
        blocks: BlockRule::Occupy,
        import: Some(import(&opened)),
        polled: false,
    };
    let mut tx = begin(db).await;
    let twice = channels::create(&mut tx, &RING, &again, monday()).await;
    assert!(matches!(twice, Err(StorageError::Exists)), "{twice:?}");
}

async fn a_removed_channel_is_taken_up_again(db: &TestDb) {
    let (business, before) = fixture(db).await;
    let url = SecretString::from(ADDRESS);
    let new = NewChannel {
        business: business.id,
        resource: before.resource_id,
        platform: "airbnb",
        preference: Preference::Keep,
        blocks: BlockRule::Ignore,
        import: Some(import(&url)),
        polled: true,
    };
    let mut tx = begin(db).await;
    channels::remove(&mut tx, business.id, before.id, at(1)).await.unwrap();
    let again = channels::create(&mut tx, &RING, &new, at(2)).await.unwrap();
    commit(tx).await;
    assert_eq!((again.id, again.preference, again.polled), (before.id, Preference::Keep, true));
    let opened = channels::import_url(db, &RING, business.id, again.id).await.unwrap().unwrap();
    assert_eq!(opened.expose_secret(), ADDRESS);
    // Another address is another channel.
    let mut tx = begin(db).await;
    channels::remove(&mut tx, business.id, before.id, at(3)).await.unwrap();
    let other = SecretString::from("https://www.airbnb.com/calendar/ical/8.ics");
    let new = NewChannel { import: Some(import(&other)), ..new };
    assert_ne!(channels::create(&mut tx, &RING, &new, at(4)).await.unwrap().id, before.id);
}

async fn settings_and_addresses_change(db: &TestDb) {
    let (business, channel) = fixture(db).await;
    let settings = ChannelSettings {
        state: ChannelState::Paused,
        preference: Preference::Keep,
        blocks: BlockRule::Ignore,
        interval_minutes: Some(45),
    };
    let mut tx = begin(db).await;
    let whole = FeedReadOutcome::Whole {
        etag: Some("e"),
        last_modified: None,
        digest: Some("d"),
        changed: true,
        remark: None,
    };
    channels::note_read(&mut tx, channel.id, whole, at(1)).await.unwrap();
    assert_eq!(channels::lock(&mut tx, business.id, channel.id).await.unwrap().etag.as_deref(), Some("e"));
    let set = channels::set(&mut tx, business.id, channel.id, &settings).await.unwrap();
    assert_eq!(
        (set.settings(), set.etag, set.body_digest),
        (settings, None, None),
        "other rules, other items"
    );
    let other = SecretString::from("https://www.airbnb.com/calendar/ical/8.ics");
    let moved =
        channels::set_import(&mut tx, &RING, (business.id, channel.id), Some(import(&other)), true).await;
    assert!(moved.unwrap().has_import);
    let gone = channels::set_import(&mut tx, &RING, (business.id, channel.id), None, false).await.unwrap();
    assert_eq!((gone.has_import, gone.polled, gone.import_host.as_str()), (false, false, ""));
    channels::remove(&mut tx, business.id, channel.id, at(2)).await.unwrap();
    commit(tx).await;
    assert_eq!(channels::find(db, business.id, channel.id).await.unwrap(), None);
    assert!(channels::import_url(db, &RING, business.id, channel.id).await.unwrap().is_none());
    let mut tx = begin(db).await;
    is_not_found(channels::remove(&mut tx, business.id, channel.id, at(3)).await);
    is_not_found(channels::set(&mut tx, business.id, channel.id, &settings).await);
    is_not_found(channels::lock(&mut tx, business.id, channel.id).await);
    is_not_found(channels::set_feed(&mut tx, business.id, channel.id, FeedId::new(at(3))).await);
}

async fn a_reading_leaves_its_marks(db: &TestDb) {
    let (business, channel) = fixture(db).await;
    let note = async |read: FeedReadOutcome<'_>, minute| {
        let mut tx = begin(db).await;
        channels::note_read(&mut tx, channel.id, read, at(minute)).await.unwrap();
        commit(tx).await;
        channels::find(db, business.id, channel.id).await.unwrap().unwrap()
    };
    let failed = note(FeedReadOutcome::Failed { error: "404" }, 1).await;
    assert_eq!((failed.polled_at, failed.read_at, failed.failing_since), (Some(at(1)), None, Some(at(1))));
    let still = note(FeedReadOutcome::Failed { error: "500" }, 2).await;
    assert_eq!((still.failing_since, still.last_error.as_deref()), (Some(at(1)), Some("500")));
    let whole = FeedReadOutcome::Whole {
        etag: None,
        last_modified: Some("yesterday"),
        digest: Some("d"),
        changed: true,
        remark: Some("line 7"),
    };
    let read = note(whole, 3).await;
    assert_eq!((read.read_at, read.changed_at, read.failing_since), (Some(at(3)), Some(at(3)), None));
    assert_eq!((read.last_modified.as_deref(), read.body_digest.as_deref()), (Some("yesterday"), Some("d")));
    let mut tx = begin(db).await;
    channels::look_again(&mut tx, business.id, channel.id).await.unwrap();
    let again = channels::lock(&mut tx, business.id, channel.id).await.unwrap();
    assert_eq!((again.etag, again.last_modified, again.body_digest), (None, None, None));
    drop(tx);
    assert_eq!(read.last_error.as_deref(), Some("line 7"));
    let same = note(FeedReadOutcome::Same, 4).await;
    assert_eq!(same.last_error.as_deref(), Some("line 7"), "it says what it said");
    assert_eq!((same.read_at, same.changed_at), (Some(at(4)), Some(at(3))));

    let holding = Quarantine { import_guard: ImportGuard::Empty, items: 3, of: 4, until: at(9) };
    let mut tx = begin(db).await;
    channels::hold(&mut tx, channel.id, Some(holding)).await.unwrap();
    commit(tx).await;
    let held = channels::find(db, business.id, channel.id).await.unwrap().unwrap();
    assert_eq!(
        (held.import_guard, held.quarantined_items, held.quarantined_total),
        (Some(ImportGuard::Empty), 3, 4)
    );
    assert_eq!(held.quarantined_until, Some(at(9)));
    let mut tx = begin(db).await;
    channels::hold(&mut tx, channel.id, None).await.unwrap();
    let job = channels::enqueue_poll(&mut tx, &held, QueueClass::Interactive, at(5), at(5)).await.unwrap();
    commit(tx).await;
    assert_eq!((job.kind, job.queue), (JobKind::PollChannel, QueueClass::Interactive));
    let next =
        async |business| jobs::next_due_at(db, business, JobKind::PollChannel, channel.id.0).await.unwrap();
    assert_eq!(next(business.id).await, Some(at(5)));
    assert_eq!(next(testing::business(db).await.id).await, None);
    assert_eq!(channels::find(db, business.id, channel.id).await.unwrap().unwrap().import_guard, None);
}

async fn a_run_is_listed_and_undone_once(db: &TestDb) {
    let (business, channel) = fixture(db).await;
    let record = async |minute, cancelled| {
        let run = runs::NewChannelRun {
            id: ChannelRunId::new(at(minute)),
            business: business.id,
            channel: channel.id,
            origin: RunOrigin::Poll,
            actor: &Actor::System,
            outcome: RunOutcome::Applied,
            message: "2 new",
            counts: runs::RunCounts { imported: 2, cancelled, ..runs::RunCounts::default() },
            duration_ms: 7,
        };
        let mut tx = begin(db).await;
        runs::record(&mut tx, &run, at(minute)).await.unwrap();
        runs::record(&mut tx, &run, at(minute)).await.unwrap();
        commit(tx).await;
        run.id
    };
    let (older, newer) = (record(1, 0).await, record(2, 3).await);
    let page = runs::list_for_channel(db, business.id, channel.id, &first(1)).await.unwrap();
    assert_eq!((page.items[0].id, page.next.is_some()), (newer, true));
    let all = runs::of_business(db, business.id, &first(10)).await.unwrap().items;
    assert_eq!(all.iter().map(|run| run.id).collect::<Vec<_>>(), [newer, older]);
    let run = runs::find(db, business.id, newer).await.unwrap().unwrap();
    assert_eq!((run.counts.imported, run.counts.cancelled, run.actor), (2, 3, Actor::System));
    assert!(!all[0].can_be_undone(at(3)), "nothing names it");
    let with_effects = runs::ChannelRun { has_effects: true, ..all[0].clone() };
    let week = at(2) + Duration::days(7);
    assert!(with_effects.can_be_undone(week - Duration::days(1)) && !with_effects.can_be_undone(week));
    let mut tx = begin(db).await;
    assert!(runs::undo(&mut tx, business.id, newer, at(4)).await.unwrap());
    assert!(!runs::undo(&mut tx, business.id, newer, at(5)).await.unwrap());
    commit(tx).await;
    let other = testing::business(db).await;
    assert_eq!(runs::find(db, other.id, newer).await.unwrap(), None);
}

async fn a_webhook_is_known_by_its_token_and_taken_once(db: &TestDb) {
    let (business, channel) = fixture(db).await;
    let (token, key) = (secret::new_token("cw_"), SecretString::from("whsec_c2VjcmV0"));
    let mut tx = begin(db).await;
    webhooks::allow(&mut tx, &RING, (business.id, channel.id), &token, &key).await.unwrap();
    assert!(webhooks::take(&mut tx, channel.id, "m-1", at(1)).await.unwrap());
    assert!(!webhooks::take(&mut tx, channel.id, "m-1", at(2)).await.unwrap());
    assert_eq!(channels::rotate_keys(&mut tx, &RING).await.unwrap(), 0);
    commit(tx).await;
    assert!(webhooks::is_taken(db, channel.id, "m-1").await.unwrap());
    assert!(!webhooks::is_taken(db, channel.id, "m-2").await.unwrap());
    let (found, found_key) = webhooks::find_by_token(db, &RING, &token).await.unwrap().unwrap();
    assert_eq!((found.id, found.has_webhook), (channel.id, true));
    assert_eq!(found_key.expose_secret(), key.expose_secret());
    assert!(!db.rows_as_text().await.contains("c2VjcmV0"));
    let mut tx = begin(db).await;
    webhooks::forbid(&mut tx, business.id, channel.id).await.unwrap();
    commit(tx).await;
    assert!(webhooks::find_by_token(db, &RING, &token).await.unwrap().is_none());
}

async fn another_business_finds_no_channel(db: &TestDb) {
    let (_, channel) = fixture(db).await;
    let other = testing::business(db).await;
    assert_eq!(channels::find(db, other.id, channel.id).await.unwrap(), None);
    assert_eq!(channels::list(db, other.id).await.unwrap(), []);
    assert!(channels::import_url(db, &RING, other.id, channel.id).await.unwrap().is_none());
    let mut tx = begin(db).await;
    is_not_found(channels::lock(&mut tx, other.id, channel.id).await);
    is_not_found(channels::remove(&mut tx, other.id, channel.id, at(1)).await);
    is_not_found(channels::set_import(&mut tx, &RING, (other.id, channel.id), None, false).await);
    let token = secret::new_token("");
    is_not_found(webhooks::allow(&mut tx, &RING, (other.id, channel.id), &token, &token).await);
    is_not_found(webhooks::forbid(&mut tx, other.id, channel.id).await);
    let new = feeds::NewFeed {
        business: other.id,
        subject: feeds::FeedSubject::Channel(channel.id),
        name: "Theirs".to_owned(),
        privacy: concord_domain::privacy::FeedPrivacy::Busy,
    };
    is_not_found(feeds::create(&mut tx, &new, &token, monday()).await);
}

concord_storage::on_both_databases!(
    an_address_is_sealed_and_read_once_for_a_resource,
    a_removed_channel_is_taken_up_again,
    settings_and_addresses_change,
    a_reading_leaves_its_marks,
    a_run_is_listed_and_undone_once,
    a_webhook_is_known_by_its_token_and_taken_once,
    another_business_finds_no_channel,
);

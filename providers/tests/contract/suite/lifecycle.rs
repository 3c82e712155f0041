//! The life of an entry that is ours.

use concord_domain::entry::EntryContent;
use concord_providers::RemoveOutcome;

use super::{at, code, content};
use crate::fixture::ProviderFixture;

pub(crate) async fn an_entry_is_created_found_changed_and_removed(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (token, calendar, id) = (&place.credentials, &place.calendar, fixture.external_id(content.entry));
    assert_eq!(provider.find(token, calendar, &id).await.unwrap(), None);

    let created = provider.create(token, calendar, &id, &content).await.unwrap();
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert_eq!(found.external_id, created.external_id);
    let id = created.external_id;
    assert_eq!(found.etag.as_ref(), Some(&created.etag));
    assert_eq!(found.entry, Some(content.entry));
    assert_eq!(found.title, "Massage");
    assert_eq!(found.time.as_ref(), Some(&content.time));
    assert!(found.busy && !found.deleted && !found.tentative && found.updated_at.is_some());

    let changed = EntryContent { title: "Massage, long".to_owned(), ..content.clone() };
    let updated = provider.update(token, calendar, &id, &changed, Some(&created.etag)).await.unwrap();
    assert_ne!(updated.etag, created.etag);
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert_eq!((found.title.as_str(), found.etag.as_ref()), ("Massage, long", Some(&updated.etag)));
    assert_eq!(fixture.person_sees(&place).await.len(), 1);

    provider.remove(token, calendar, &id).await.unwrap();
    assert!(provider.find(token, calendar, &id).await.unwrap().is_none_or(|entry| entry.deleted));
    assert_eq!(fixture.person_sees(&place).await, []);
}

pub(crate) async fn creating_twice_is_noticed(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (token, calendar, id) = (&place.credentials, &place.calendar, fixture.external_id(content.entry));
    let created = provider.create(token, calendar, &id, &content).await.unwrap();
    match provider.create(token, calendar, &id, &content).await {
        Ok(again) => assert_eq!(again, created),
        refused => assert_eq!(code(refused), "precondition"),
    }
    assert_eq!(fixture.person_sees(&place).await.len(), 1);
}

/// Some providers keep a tombstone, others know nothing of it any more.
pub(crate) async fn what_a_person_deleted_comes_back_to_life(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (token, calendar, id) = (&place.credentials, &place.calendar, fixture.external_id(content.entry));
    let id = provider.create(token, calendar, &id, &content).await.unwrap().external_id;
    fixture.person_deletes(&place, &id).await;

    let back = if let Some(tombstone) = provider.find(token, calendar, &id).await.unwrap() {
        assert!(tombstone.deleted && !tombstone.busy);
        assert_eq!(code(provider.create(token, calendar, &id, &content).await), "precondition");
        provider.update(token, calendar, &id, &content, tombstone.etag.as_deref()).await.unwrap()
    } else {
        assert_eq!(code(provider.update(token, calendar, &id, &content, None).await), "not_found");
        let back = provider.create(token, calendar, &id, &content).await.unwrap();
        // As when its answer had been lost.
        if let Ok(again) = provider.create(token, calendar, &id, &content).await {
            assert_eq!(again.external_id, back.external_id);
        }
        back
    };
    let found = provider.find(token, calendar, &back.external_id).await.unwrap().unwrap();
    assert!(!found.deleted && found.busy);
    assert_eq!(found.entry, Some(content.entry));
    assert_eq!(found.time.as_ref(), Some(&content.time));
    assert_eq!(fixture.person_sees(&place).await.len(), 1);
}

pub(crate) async fn a_stale_version_is_noticed(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (token, calendar, id) = (&place.credentials, &place.calendar, fixture.external_id(content.entry));
    let created = provider.create(token, calendar, &id, &content).await.unwrap();
    let id = created.external_id;
    fixture.person_moves(&place, &id, at("2026-03-11T09:00:00Z"), at("2026-03-11T10:00:00Z")).await;

    let stale = Some(created.etag.as_str());
    assert_eq!(code(provider.update(token, calendar, &id, &content, stale).await), "precondition");
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert_ne!(found.time.as_ref(), Some(&content.time), "the person's move was overwritten");
    provider.update(token, calendar, &id, &content, found.etag.as_deref()).await.unwrap();
    provider.update(token, calendar, &id, &content, None).await.unwrap();
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert_eq!(found.time.as_ref(), Some(&content.time));
}

pub(crate) async fn removing_twice_succeeds(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (token, calendar, id) = (&place.credentials, &place.calendar, fixture.external_id(content.entry));
    let removed = async |id: &str| provider.remove(token, calendar, id).await.unwrap();
    assert_eq!(removed(&id).await, RemoveOutcome::Before);
    let id = provider.create(token, calendar, &id, &content).await.unwrap().external_id;
    assert_eq!(removed(&id).await, RemoveOutcome::Now);
    // Where deleted items keep their id, they are removed a second time.
    removed(&id).await;
    assert_eq!(fixture.person_sees(&place).await, []);
    assert_eq!(code(provider.update(token, calendar, "neverwasthere", &content, None).await), "not_found");
}

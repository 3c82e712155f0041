//! What goes wrong, and that nothing is lost or doubled by it.

use concord_domain::ids::EntryId;
use concord_providers::ProviderError;

use super::{code, content, read, window};
use crate::fixture::{ProviderFault, ProviderFixture};

pub(crate) async fn too_many_requests_names_a_wait(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    // Twice: a provider can say it in more than one way.
    for _ in 0..2 {
        fixture.next_call_fails(&place, ProviderFault::RateLimit).await;
        let error = read(&*provider, &place, None).await.unwrap_err();
        assert!(matches!(error, ProviderError::RateLimited { .. }), "{error:?}");
        fixture.next_call_fails(&place, ProviderFault::RateLimit).await;
        let error = provider.remove(&place.credentials, &place.calendar, "someentry").await.unwrap_err();
        assert!(matches!(error, ProviderError::RateLimited { retry_after: Some(_) }), "{error:?}");
    }
    assert_eq!(code(read(&*provider, &place, None).await), "ok");
}

pub(crate) async fn a_server_error_is_passing(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let id = fixture.external_id(content.entry);
    fixture.next_call_fails(&place, ProviderFault::ServerError).await;
    assert_eq!(code(provider.create(&place.credentials, &place.calendar, &id, &content).await), "transient");
    fixture.next_call_fails(&place, ProviderFault::ServerError).await;
    assert_eq!(code(provider.find(&place.credentials, &place.calendar, &id).await), "transient");
    assert_eq!(code(provider.create(&place.credentials, &place.calendar, &id, &content).await), "ok");
}

pub(crate) async fn silence_is_passing(fixture: &dyn ProviderFixture) {
    let (hasty, place, content) = (fixture.hasty_provider(), fixture.place().await, content("Massage"));
    let id = fixture.external_id(content.entry);
    fixture.next_call_fails(&place, ProviderFault::Timeout).await;
    assert_eq!(code(hasty.create(&place.credentials, &place.calendar, &id, &content).await), "transient");
    fixture.next_call_fails(&place, ProviderFault::Timeout).await;
    assert_eq!(code(hasty.calendars(&place.credentials).await), "transient");
}

pub(crate) async fn a_lost_answer_leaves_one_entry(fixture: &dyn ProviderFixture) {
    let (provider, place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (token, calendar, id) = (&place.credentials, &place.calendar, fixture.external_id(content.entry));
    fixture.next_call_fails(&place, ProviderFault::ApplyThenDrop).await;
    assert_eq!(code(provider.create(token, calendar, &id, &content).await), "transient");
    assert!(["precondition", "ok"].contains(&code(provider.create(token, calendar, &id, &content).await)));
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert_eq!(found.entry, Some(content.entry));
    let id = found.external_id;

    fixture.next_call_fails(&place, ProviderFault::ApplyThenDrop).await;
    let etag = found.etag.as_deref();
    assert_eq!(code(provider.update(token, calendar, &id, &content, etag).await), "transient");
    // Where a version is a digest of what was written, it is the same as before.
    assert!(
        ["precondition", "ok"].contains(&code(provider.update(token, calendar, &id, &content, etag).await))
    );
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    provider.update(token, calendar, &id, &content, found.etag.as_deref()).await.unwrap();
    assert_eq!(fixture.person_sees(&place).await.len(), 1);

    fixture.next_call_fails(&place, ProviderFault::ApplyThenDrop).await;
    assert_eq!(code(provider.remove(token, calendar, &id).await), "transient");
    provider.remove(token, calendar, &id).await.unwrap();
    assert_eq!(fixture.person_sees(&place).await, []);
}

pub(crate) async fn an_unknown_calendar_is_not_found(fixture: &dyn ProviderFixture) {
    let (provider, mut place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let id = fixture.external_id(content.entry);
    place.calendar = fixture.unknown_calendar(&place);
    let (token, calendar) = (&place.credentials, &place.calendar);
    assert_eq!(code(provider.create(token, calendar, &id, &content).await), "not_found");
    assert_eq!(code(provider.update(token, calendar, &id, &content, None).await), "not_found");
    assert_eq!(code(read(&*provider, &place, None).await), "not_found");
    assert_eq!(code(provider.busy(token, calendar, window()).await), "not_found");
    assert_eq!(provider.find(token, calendar, &id).await.unwrap(), None);
}

pub(crate) async fn a_strange_id_reaches_nothing_else(fixture: &dyn ProviderFixture) {
    let (provider, place, ours) = (fixture.provider(), fixture.place().await, content("Massage"));
    let (token, calendar) = (&place.credentials, &place.calendar);
    let id = fixture.external_id(ours.entry);
    let id = provider.create(token, calendar, &id, &ours).await.unwrap().external_id;

    let other = content("Other");
    let unused = fixture.external_id(EntryId(uuid::Uuid::nil()));
    for strange in [
        format!("{id}/instances"),
        format!("{unused}/../{id}"),
        format!("{id}?x"),
        format!("{id}#x"),
        format!("{id}%20"),
        "ümläut-予約".to_owned(),
    ] {
        assert_eq!(provider.find(token, calendar, &strange).await.unwrap(), None, "{strange}");
        assert_ne!(code(provider.update(token, calendar, &strange, &other, None).await), "ok", "{strange}");
        // Whether it is refused or taken for gone: what matters is that nothing else goes.
        let _ = provider.remove(token, calendar, &strange).await;
        let strange_calendar = format!("{calendar}/events/{id}?{strange}");
        assert_ne!(code(provider.create(token, &strange_calendar, &unused, &other).await), "ok", "{strange}");
    }
    let found = provider.find(token, calendar, &id).await.unwrap().unwrap();
    assert!(!found.deleted && found.title == "Massage", "{found:?}");
    assert_eq!(fixture.person_sees(&place).await.len(), 1);
}

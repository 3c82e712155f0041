//! Consent, tokens and their end.

use concord_providers::{ProviderCredentials, ProviderError};
use secrecy::{ExposeSecret, SecretString};

use super::{code, content, read};
use crate::fixture::{ProviderFault, ProviderFixture};

fn parameter(url: &url::Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(crate) async fn consent_becomes_a_grant(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let request = fixture.oauth().authorize("state-with-&-and-=", Some(&place.email));
    let callback = fixture.consent(&request.url, &place.email, true).await;
    assert_eq!(parameter(&callback, "state").as_deref(), Some("state-with-&-and-="));
    let code: SecretString = parameter(&callback, "code").unwrap().into();

    let grant = fixture.oauth().exchange(&code, &request.pkce_verifier).await.unwrap();
    assert_eq!(fixture.oauth().missing_scopes(&grant), Vec::<String>::new());
    assert!(grant.expires_in.is_some());
    let account = provider.account(&ProviderCredentials::Bearer(grant.access_token)).await.unwrap();
    assert_eq!(account.email, place.email);

    let refreshed = fixture.oauth().refresh(&grant.refresh_token.unwrap()).await.unwrap();
    let again = provider.account(&ProviderCredentials::Bearer(refreshed.access_token)).await.unwrap();
    assert_eq!(again, account);
}

pub(crate) async fn a_denied_consent_comes_back_as_such(fixture: &dyn ProviderFixture) {
    let place = fixture.place().await;
    let request = fixture.oauth().authorize("s", None);
    let callback = fixture.consent(&request.url, &place.email, false).await;
    assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&callback, "state").as_deref(), Some("s"));
    assert_eq!(parameter(&callback, "code"), None);
}

pub(crate) async fn a_code_is_good_once(fixture: &dyn ProviderFixture) {
    let place = fixture.place().await;
    let oauth = fixture.oauth();
    let request = oauth.authorize("s", None);
    let callback = fixture.consent(&request.url, &place.email, true).await;
    let secret: SecretString = parameter(&callback, "code").unwrap().into();
    let wrong = SecretString::from("a-verifier-that-somebody-else-made-up-0123456789");
    assert_eq!(code(oauth.exchange(&secret, &wrong).await), "grant_dead");

    let request = oauth.authorize("s", None);
    let callback = fixture.consent(&request.url, &place.email, true).await;
    let secret: SecretString = parameter(&callback, "code").unwrap().into();
    oauth.exchange(&secret, &request.pkce_verifier).await.unwrap();
    let error = oauth.exchange(&secret, &request.pkce_verifier).await.unwrap_err();
    assert_eq!(error.code(), "grant_dead");
    assert!(!format!("{error:?}").contains(secret.expose_secret()));
}

pub(crate) async fn an_expired_token_is_said_and_refreshed(fixture: &dyn ProviderFixture) {
    let (provider, mut place) = (fixture.provider(), fixture.place().await);
    fixture.next_call_fails(&place, ProviderFault::ExpireToken).await;
    assert_eq!(code(provider.calendars(&place.credentials).await), "unauthorized");
    assert_eq!(code(provider.remove(&place.credentials, &place.calendar, "someentry").await), "unauthorized");

    let grant = fixture.oauth().refresh(&place.refresh_token).await.unwrap();
    place.credentials = ProviderCredentials::Bearer(grant.access_token);
    assert_eq!(code(read(&*provider, &place, None).await), "ok");
}

pub(crate) async fn a_revoked_grant_is_dead(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    fixture.next_call_fails(&place, ProviderFault::RevokeGrant).await;
    assert_eq!(code(provider.calendars(&place.credentials).await), "unauthorized");
    assert_eq!(code(fixture.oauth().refresh(&place.refresh_token).await), "grant_dead");
    assert_eq!(code(fixture.oauth().refresh(&"never-was-a-token".into()).await), "grant_dead");
}

pub(crate) async fn we_can_end_it_ourselves_and_twice(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    fixture.oauth().revoke(&place.refresh_token).await.unwrap();
    fixture.oauth().revoke(&place.refresh_token).await.unwrap();
    if !fixture.lets_us_end_it() {
        assert_eq!(code(provider.calendars(&place.credentials).await), "ok");
        return;
    }
    assert_eq!(code(fixture.oauth().refresh(&place.refresh_token).await), "grant_dead");
    assert_eq!(code(provider.calendars(&place.credentials).await), "unauthorized");
}

pub(crate) async fn the_account_and_its_calendars_are_told(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let account = provider.account(&place.credentials).await.unwrap();
    assert_eq!(account.email, place.email);
    assert!(!account.subject.is_empty());

    let calendars = provider.calendars(&place.credentials).await.unwrap();
    let main: Vec<_> = calendars.iter().filter(|calendar| calendar.primary).collect();
    assert_eq!(main.len(), 1, "{calendars:?}");
    assert_eq!(main[0].external_id, place.calendar);
    assert!(main[0].writable && !main[0].name.is_empty());
}

/// Left out, it would be taken for gone, and its busy times and entries with it.
pub(crate) async fn a_hidden_calendar_is_told_too(fixture: &dyn ProviderFixture) {
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let hidden = fixture.person_hides_a_calendar(&place).await;
    let calendars = provider.calendars(&place.credentials).await.unwrap();
    assert!(calendars.iter().any(|calendar| calendar.external_id == hidden), "{calendars:?}");
}

pub(crate) async fn a_read_only_calendar_is_read_and_not_written(fixture: &dyn ProviderFixture) {
    let (provider, mut place, content) = (fixture.provider(), fixture.place().await, content("Massage"));
    let calendars = provider.calendars(&place.credentials).await.unwrap();
    let holidays = calendars.into_iter().find(|calendar| !calendar.writable).unwrap();
    place.calendar = holidays.external_id;
    let (entries, _, _) = read(&*provider, &place, None).await.unwrap();
    assert!(entries.iter().all(|entry| !entry.busy && !entry.title.is_empty()), "{entries:?}");

    let (token, calendar, id) = (&place.credentials, &place.calendar, fixture.external_id(content.entry));
    let error = provider.create(token, calendar, &id, &content).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Rejected(text) if text.contains("may not")), "{error:?}");
    assert_eq!(provider.find(token, calendar, &id).await.unwrap(), None);
}

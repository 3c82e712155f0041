//! No secret shows, wherever one looks.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, OnceLock},
    thread::{self, ThreadId},
};

use concord_providers::{ProviderCredentials, ProviderError};
use concord_sandbox::OAuthClient;
use secrecy::ExposeSecret;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    fixture::{ProviderFault, ProviderFixture},
    google::google,
    microsoft::microsoft,
    sandbox::SandboxFixture,
    suite::{content, read},
};

/// Everything that was logged, by the thread on which it was.
#[derive(Clone, Default)]
struct CapturedThreadLogs(Arc<Mutex<HashMap<ThreadId, Vec<u8>>>>);

impl io::Write for CapturedThreadLogs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut threads = self.0.lock().unwrap();
        threads.entry(thread::current().id()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for CapturedThreadLogs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With every library at its most talkative. The subscriber is the process's: what one of a thread's own misses depends on
/// which thread met a callsite first.
fn log() -> CapturedThreadLogs {
    static LOG: OnceLock<CapturedThreadLogs> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = CapturedThreadLogs::default();
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).init();
        log
    })
    .clone()
}

#[tokio::test]
async fn google_secrets_never_reach_logs_errors_or_debug() {
    let log = log();
    no_secret_shows(&log, &google().await, OAuthClient::default().client_secret, 10).await;
}

/// It repeats what was created without complaint, and lets nobody but the person end a grant.
#[tokio::test]
async fn microsoft_secrets_never_reach_logs_errors_or_debug() {
    let log = log();
    no_secret_shows(&log, &microsoft().await, OAuthClient::microsoft().client_secret, 8).await;
}

/// The runtime has one thread, and all of it is looked at.
async fn no_secret_shows(
    log: &CapturedThreadLogs,
    fixture: &SandboxFixture,
    client_secret: String,
    failures: usize,
) {
    let mut shown = Vec::new();
    let mut secrets = vec![client_secret];

    // A whole life with consent, refresh, calls on both ways, each kind of failure, and revocation.
    let (provider, place) = (fixture.provider(), fixture.place().await);
    let request = fixture.oauth().authorize("s", None);
    let callback = fixture.consent(&request.url, &place.email, true).await;
    let code = callback.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let grant = fixture.oauth().exchange(&code.clone().into(), &request.pkce_verifier).await.unwrap();
    let refresh_token = grant.refresh_token.clone().unwrap();
    let refreshed = fixture.oauth().refresh(&refresh_token).await.unwrap();
    shown.push(format!("{grant:?} {refreshed:?} {:?} {:?}", request.pkce_verifier, fixture.oauth()));
    let ProviderCredentials::Bearer(token) = &place.credentials else { panic!("{place:?}") };
    secrets.extend(
        [&request.pkce_verifier, &grant.access_token, &refresh_token, &refreshed.access_token, token]
            .map(|secret| secret.expose_secret().to_owned()),
    );
    secrets.push(place.refresh_token.expose_secret().to_owned());

    let mut errors: Vec<ProviderError> = Vec::new();
    errors.extend(fixture.oauth().exchange(&code.clone().into(), &request.pkce_verifier).await.err());
    secrets.push(code);
    let content = content("Massage");
    let id = fixture.external_id(content.entry);
    provider.create(&place.credentials, &place.calendar, &id, &content).await.unwrap();
    errors.extend(provider.create(&place.credentials, &place.calendar, &id, &content).await.err());
    for fault in [
        ProviderFault::RateLimit,
        ProviderFault::ServerError,
        ProviderFault::ApplyThenDrop,
        ProviderFault::Timeout,
        ProviderFault::ExpireToken,
    ] {
        fixture.next_call_fails(&place, fault).await;
        errors.extend(fixture.hasty_provider().calendars(&place.credentials).await.err());
    }
    errors.extend(read(&*provider, &place, None).await.err());
    errors.extend(provider.remove(&place.credentials, &place.calendar, &id).await.err());
    fixture.oauth().revoke(&refresh_token).await.unwrap();
    errors.extend(fixture.oauth().refresh(&refresh_token).await.err());
    assert_eq!(errors.len(), failures, "{errors:?}");

    shown.push(format!("{:?} {place:?}", place.credentials));
    shown.extend(errors.iter().map(|error| format!("{error} {error:?}")));
    let shown = shown.join("\n");
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()[&thread::current().id()]).into_owned();
    assert!(logged.contains("called a provider"), "nothing was logged");
    for secret in secrets {
        assert!(secret.len() > 10, "{secret:?} is no secret");
        assert!(!shown.contains(&secret), "a secret shows in {shown}");
        let line = logged.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "a secret was logged: {line:?}");
    }
}

//! No secret shows, wherever one looks.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, OnceLock},
    thread::{self, ThreadId},
};

use concord_providers::{Credentials, ProviderError};
use concord_sandbox::OAuthClient;
use secrecy::ExposeSecret;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    google::google,
    microsoft::microsoft,
    sandbox::SandboxWorld,
    suite::{content, read},
    world::{Fault, World},
};

/// Everything that was logged, by the thread on which it was.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<HashMap<ThreadId, Vec<u8>>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut threads = self.0.lock().unwrap();
        threads.entry(thread::current().id()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With every library at its most talkative. The subscriber is the process's: what one of a thread's own misses depends on
/// which thread met a callsite first.
fn log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).init();
        log
    })
    .clone()
}

#[tokio::test]
async fn a_secret_of_google_is_in_no_log_line_no_error_and_no_debug_text() {
    let log = log();
    no_secret_shows(&log, &google().await, OAuthClient::default().client_secret, 10).await;
}

/// It repeats what was created without complaint, and lets nobody but the person end a grant.
#[tokio::test]
async fn a_secret_of_microsoft_is_in_no_log_line_no_error_and_no_debug_text() {
    let log = log();
    no_secret_shows(&log, &microsoft().await, OAuthClient::microsoft().client_secret, 8).await;
}

/// The runtime has one thread, and all of it is looked at.
async fn no_secret_shows(log: &Log, world: &SandboxWorld, client_secret: String, failures: usize) {
    let mut shown = Vec::new();
    let mut secrets = vec![client_secret];

    // A whole life with consent, refresh, calls on both ways, each kind of failure, and revocation.
    let (provider, place) = (world.provider(), world.place().await);
    let request = world.oauth().authorize("s", None);
    let callback = world.consent(&request.url, &place.email, true).await;
    let code = callback.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let grant = world.oauth().exchange(&code.clone().into(), &request.pkce_verifier).await.unwrap();
    let refresh_token = grant.refresh_token.clone().unwrap();
    let refreshed = world.oauth().refresh(&refresh_token).await.unwrap();
    shown.push(format!("{grant:?} {refreshed:?} {:?} {:?}", request.pkce_verifier, world.oauth()));
    let Credentials::Bearer(token) = &place.credentials else { panic!("{place:?}") };
    secrets.extend(
        [&request.pkce_verifier, &grant.access_token, &refresh_token, &refreshed.access_token, token]
            .map(|secret| secret.expose_secret().to_owned()),
    );
    secrets.push(place.refresh_token.expose_secret().to_owned());

    let mut errors: Vec<ProviderError> = Vec::new();
    errors.extend(world.oauth().exchange(&code.clone().into(), &request.pkce_verifier).await.err());
    secrets.push(code);
    let content = content("Massage");
    let id = world.external_id(content.entry);
    provider.create(&place.credentials, &place.calendar, &id, &content).await.unwrap();
    errors.extend(provider.create(&place.credentials, &place.calendar, &id, &content).await.err());
    for fault in
        [Fault::RateLimit, Fault::ServerError, Fault::ApplyThenDrop, Fault::Timeout, Fault::ExpireToken]
    {
        world.next_call_fails(&place, fault).await;
        errors.extend(world.hasty_provider().calendars(&place.credentials).await.err());
    }
    errors.extend(read(&*provider, &place, None).await.err());
    errors.extend(provider.remove(&place.credentials, &place.calendar, &id).await.err());
    world.oauth().revoke(&refresh_token).await.unwrap();
    errors.extend(world.oauth().refresh(&refresh_token).await.err());
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

//! What those providers must do who tell of changes.

use std::convert::Infallible;

use bytes::Bytes;
use concord_domain::{clock::Clock, connection::ProviderKind, ids::PushSubscriptionId};
use concord_providers::{
    ActivePushSubscription, PushNotification, PushNotificationKind, PushSubscriptionRequest, WebhookContent,
    WebhookRequest, webhook_reader,
};
use http::{HeaderMap, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, sync::mpsc};
use url::{Url, form_urlencoded};

use crate::{
    fixture::{ProviderFixture, TestAccount},
    google::google,
    microsoft::microsoft,
    sandbox::SandboxFixture,
    suite::{appointment, code},
};

/// Where a provider sends its notifications; it ends with the test.
struct NotificationHook {
    address: Url,
    heard: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
}

impl NotificationHook {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let tell = tell.clone();
                let service = service_fn(move |request| answer(request, tell.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, heard }
    }

    /// The next notification that is about a change.
    async fn change(&mut self, kind: ProviderKind) -> PushNotification {
        let read = webhook_reader(kind).unwrap();
        loop {
            let (headers, body) = self.heard.recv().await.unwrap();
            let request = WebhookRequest { query: "", headers: &headers, body: &body };
            let WebhookContent::Notifications(mut notices) = read(request).unwrap() else {
                panic!("it asks whether there is anybody");
            };
            let notice = notices.remove(0).unwrap();
            if notice.kind == PushNotificationKind::Changed {
                return notice;
            }
        }
    }
}

/// Echoes what asks whether there is anybody, and tells of everything else.
async fn answer(
    request: Request<Incoming>,
    tell: mpsc::UnboundedSender<(HeaderMap, Bytes)>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    if let Some((_, token)) = pairs.find(|(name, _)| name == "validationToken") {
        let echo = Response::builder().header(CONTENT_TYPE, "text/plain");
        return Ok(echo.body(Full::from(token.into_owned())).unwrap());
    }
    let body = body.collect().await.unwrap().to_bytes();
    let _ = tell.send((parts.headers, body));
    Ok(Response::builder().status(202).body(Full::default()).unwrap())
}

fn wanted(hook: &NotificationHook) -> PushSubscriptionRequest {
    let id = PushSubscriptionId::new(Clock::system().now());
    PushSubscriptionRequest { id, secret: "a-word-of-the-channel".into(), address: hook.address.clone() }
}

async fn open(
    fixture: &SandboxFixture,
    place: &TestAccount,
    wanted: &PushSubscriptionRequest,
) -> ActivePushSubscription {
    fixture.push().open(&place.credentials, &place.calendar, wanted).await.unwrap()
}

async fn a_channel_tells_of_changes_until_it_is_closed(fixture: SandboxFixture) {
    let (mut hook, place, push) = (NotificationHook::start().await, fixture.place().await, fixture.push());
    let wanted = wanted(&hook);
    let opened = open(&fixture, &place, &wanted).await;
    let life = opened.expires_at - Clock::system().now();
    assert!((1..=7).contains(&life.num_days()), "{life}");
    fixture
        .person_adds(&place, &appointment("Dentist", "2026-03-12T09:00:00Z", "2026-03-12T10:00:00Z"))
        .await;
    let told = hook.change(fixture.kind()).await;
    assert_eq!((told.subscription, told.provider), (wanted.id, fixture.kind()));
    assert_eq!(told.secret.expose_secret(), wanted.secret.expose_secret());
    for (ours, theirs) in [
        (told.remote_id, Some(opened.subscription.remote_id.clone())),
        (told.resource_id, opened.subscription.resource_id.clone()),
    ] {
        assert!(ours.is_none() || ours == theirs, "{ours:?} {theirs:?}");
    }
    for _ in 0..2 {
        push.close(&place.credentials, &opened.subscription).await.unwrap();
        assert!(fixture.channels().await.is_empty());
    }
}

async fn a_channel_is_renewed_or_replaced(fixture: SandboxFixture) {
    let (hook, place, push) = (NotificationHook::start().await, fixture.place().await, fixture.push());
    let opened = open(&fixture, &place, &wanted(&hook)).await;
    if push.renews() {
        let renewed = push.renew(&place.credentials, &opened.subscription).await.unwrap();
        assert_eq!(renewed.subscription, opened.subscription);
        assert!(renewed.expires_at >= opened.expires_at);
        push.close(&place.credentials, &opened.subscription).await.unwrap();
    } else {
        let next = open(&fixture, &place, &wanted(&hook)).await;
        assert_eq!(fixture.channels().await.len(), 2, "both stand for a while");
        push.close(&place.credentials, &opened.subscription).await.unwrap();
        assert_eq!(fixture.channels().await[0]["id"], next.subscription.remote_id.as_str());
    }
    assert_eq!(code(push.renew(&place.credentials, &opened.subscription).await), "not_found");
}

async fn what_cannot_be_told_is_refused(fixture: SandboxFixture) {
    let (hook, place, push) = (NotificationHook::start().await, fixture.place().await, fixture.push());
    let nowhere =
        PushSubscriptionRequest { address: "http://hook.example/".parse().unwrap(), ..wanted(&hook) };
    assert_eq!(code(push.open(&place.credentials, &place.calendar, &nowhere).await), "rejected");
    let unknown = fixture.unknown_calendar(&place);
    assert_eq!(code(push.open(&place.credentials, &unknown, &wanted(&hook)).await), "not_found");
    assert!(fixture.channels().await.is_empty());
}

macro_rules! of_both {
    ($($case:ident),+ $(,)?) => {
        mod at_google {
            $( #[tokio::test] async fn $case() { super::$case(super::google().await).await; } )+
        }
        mod at_microsoft {
            $( #[tokio::test] async fn $case() { super::$case(super::microsoft().await).await; } )+
        }
    };
}

of_both!(
    a_channel_tells_of_changes_until_it_is_closed,
    a_channel_is_renewed_or_replaced,
    what_cannot_be_told_is_refused,
);

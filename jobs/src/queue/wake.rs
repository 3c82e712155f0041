//! How a worker learns that a message waits in Redis, without asking all the time.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use apalis::prelude::{PollSnapshot, PollStrategy};
use concord_domain::job::QueueClass;
use futures::{StreamExt, task::AtomicWaker};
use redis::Client;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::PerClass;

/// The longest that a message waits when its signal was lost.
const TICK: Duration = Duration::from_millis(50);
/// A signal that arrives while an answer is under way is heard, but the answer may be older than the message: look
/// again after this, and after three times as long each time, up to the tick.
const ECHO_DELAY: Duration = Duration::from_millis(2);
/// The pause before subscribing again.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// What wakes the one worker of a class in this process.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    rung: AtomicBool,
    waker: AtomicWaker,
}

impl Notifier {
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn heard(&self, cx: &Context<'_>) -> bool {
        // Registered first: a ring between the two is seen by the one or the other.
        self.waker.register(cx.waker());
        self.rung.swap(false, Ordering::AcqRel)
    }
}

/// When an apalis worker asks Redis for messages: as soon as the notifier rings, and at every tick.
///
/// apalis' own interval can lose its waker (it makes the next timer without polling it), and its own subscription
/// never fires, so both are here.
#[derive(Debug)]
pub(crate) struct NotifiedPoll {
    notifier: Arc<Notifier>,
    tick: Pin<Box<Sleep>>,
    pause: Duration,
}

impl NotifiedPoll {
    pub(super) fn new(notifier: Arc<Notifier>) -> Self {
        Self { notifier, tick: Box::pin(sleep(TICK)), pause: TICK }
    }

    fn tick_after(&mut self, pause: Duration) {
        self.pause = pause;
        self.tick.as_mut().reset(Instant::now() + pause);
    }
}

impl PollStrategy for NotifiedPoll {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let mut due = self.notifier.heard(cx);
        if due {
            self.tick_after(ECHO_DELAY);
        }
        // Until it is pending: only then will it wake us.
        while self.tick.as_mut().poll(cx).is_ready() {
            due = true;
            self.tick_after(TICK.min(self.pause * 3));
        }
        if due { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}

/// Rings the notifiers for what other processes push. Does not end; a lost connection is made again.
pub(super) async fn listen(client: Client, channel: String, notifiers: PerClass<Arc<Notifier>>) {
    loop {
        if let Err(error) = listen_once(&client, &channel, &notifiers).await {
            tracing::debug!(%error, "no signals from Redis; workers look every {TICK:?}");
        }
        sleep(RECONNECT_DELAY).await;
    }
}

async fn listen_once(
    client: &Client,
    channel: &str,
    notifiers: &PerClass<Arc<Notifier>>,
) -> Result<(), redis::RedisError> {
    let connecting = async {
        let mut subscription = client.get_async_pubsub().await?;
        subscription.subscribe(channel).await?;
        Ok::<_, redis::RedisError>(subscription)
    };
    let Ok(subscription) = timeout(Duration::from_secs(5), connecting).await else { return Ok(()) };
    let mut signals = subscription?.into_on_message();
    for class in QueueClass::ALL {
        notifiers.of(*class).ring(); // For what was pushed while nobody listened.
    }
    while let Some(signal) = signals.next().await {
        let class = signal.get_payload::<String>().ok().and_then(|word| word.parse::<QueueClass>().ok());
        if let Some(class) = class {
            notifiers.of(class).ring();
        }
    }
    Ok(())
}

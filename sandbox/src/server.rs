//! What all that the sandbox stands for shares: faults, the recorder, the way out, and where it listens.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::faults::{FaultInjector, FaultKind, FaultRequest};
use crate::push::{OutgoingNotification, PushSender};
use crate::recorder::TrafficRecorder;

/// The server, whoever it stands for.
#[derive(Debug)]
pub(crate) struct SandboxServer {
    pub(crate) faults: FaultInjector,
    pub(crate) recorder: TrafficRecorder,
    pub(crate) push: PushSender,
    /// The base address, without a slash at its end.
    pub(crate) url: String,
    /// Ends what would otherwise hold an answer back.
    pub(crate) shutdown: CancellationToken,
}

impl SandboxServer {
    /// Waits, unless the sandbox is to stop.
    pub(crate) async fn hold(&self, time: Duration) -> Result<(), ()> {
        if time.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.shutdown.cancelled() => Err(()),
        }
    }

    /// Sends a notification, unless a fault takes it.
    pub(crate) fn notify(&self, notification: OutgoingNotification) {
        let request = FaultRequest {
            is_notification: true,
            ..FaultRequest::of(notification.provider.into(), Some(&notification.account))
        };
        let fault = self.faults.strike(request).fault;
        if fault.is_none_or(|strike| strike.kind != FaultKind::DropWebhook) {
            self.push.send(notification);
        }
    }
}

//! Connections: taking them, and ending them.
//!
//! What `axum::serve` does, with limits that it has not: for a caller who begins a request and never ends it, for how
//! many connections there are, and for a process that is told to stop while somebody holds a request open.

mod drain;
mod slots;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, serve::Listener};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

pub(crate) use self::slots::ConnectionSlots;
use self::{drain::DrainedBody, slots::ConnectionSlot};

/// For the head of a request, and between two requests of a connection. The body is within the time of the request.
/// Longer than reverse proxies keep a connection that nobody uses, so that they don't use one that we are closing.
const HEADER_TIMEOUT: Duration = Duration::from_secs(150);

/// The longest head of a request; hyper alone would keep four times as much of each connection.
const MAX_HEADER_BYTES: usize = 96 * 1024;

/// Answers requests until `shutdown`, then gives those in hand, and what goes on beside them, `patience` to end.
pub(crate) async fn serve(
    router: Router,
    mut listener: TcpListener,
    places: ConnectionSlots,
    in_hand: &TaskTracker,
    patience: Duration,
    shutdown: CancellationToken,
) {
    let mut open = JoinSet::new();
    let places = Arc::new(places);
    loop {
        tokio::select! {
            (stream, peer) = Listener::accept(&mut listener) => {
                // Who finds no place is hung up on: there is nobody who could answer.
                if let Some(place) = places.acquire(peer.ip()) {
                    open.spawn(serve_connection(router.clone(), stream, peer, place, shutdown.clone()));
                }
            }
            Some(_) = open.join_next() => {}
            () = shutdown.cancelled() => break,
        }
    }
    drop(listener);
    // One time for both: a stop is not to take twice as long because of what comes after the requests.
    let deadline = Instant::now() + patience;
    if timeout_at(deadline, async { while open.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(connections = open.len(), "requests that had not ended were given up");
        open.shutdown().await;
    }
    in_hand.close();
    if timeout_at(deadline, in_hand.wait()).await.is_err() {
        tracing::warn!(requests = in_hand.len(), "requests whose callers have gone were given up");
    }
}

async fn serve_connection(
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    place: ConnectionSlot,
    shutdown: CancellationToken,
) {
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request.map(|body| Body::new(DrainedBody::new(body))));
        let asking = place.begin_request();
        async move {
            let answer = answer.await;
            drop(asking);
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADER_BYTES);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = place.evicted() => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Callers hang up; that is their right.
        tracing::trace!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use axum::routing::get;
    use tokio::{io::AsyncWriteExt, sync::Notify};

    use super::*;

    #[tokio::test]
    async fn a_stop_takes_no_longer_than_its_patience_whatever_is_in_hand() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        caller.write_all(b"GET /never HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        let begun = Arc::new(Notify::new());
        let asked = Arc::clone(&begun);
        let never = || async move {
            asked.notify_one();
            pending::<()>().await;
        };
        let in_hand = TaskTracker::new();
        let _never = in_hand.spawn(pending::<()>());
        let (router, shutdown) = (Router::new().route("/never", get(never)), CancellationToken::new());
        let patience = Duration::from_secs(1);
        let places = ConnectionSlots::new(10, 10, Vec::new());
        let serving = serve(router, listener, places, &in_hand, patience, shutdown.clone());
        let stopping = async {
            begun.notified().await;
            shutdown.cancel();
            Instant::now()
        };
        let ((), began) = tokio::join!(serving, stopping);
        let took = began.elapsed();
        assert!(took >= patience, "they had their time, and not {took:?}");
        assert!(took < 2 * patience, "each of them had a time of its own: {took:?}");
    }
}

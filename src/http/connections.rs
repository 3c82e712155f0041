//! Connections: taking them, and ending them.
//!
//! What `axum::serve` does, with two limits that it has not: for a caller who begins a request and never ends it, and for
//! a process that is told to stop while somebody holds a request open.

use std::{net::SocketAddr, pin::pin, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, serve::Listener};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// For the head of a request, and between two requests of a connection. The body is within the time of the request.
/// Longer than reverse proxies keep a connection that nobody uses, so that they don't use one that we are closing.
const HEAD_WITHIN: Duration = Duration::from_secs(150);

/// Answers requests until `shutdown`, then gives those in hand `patience` to end.
pub(crate) async fn serve(
    router: Router,
    mut listener: TcpListener,
    patience: Duration,
    shutdown: CancellationToken,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            (stream, peer) = Listener::accept(&mut listener) => {
                open.spawn(answer(router.clone(), stream, peer, shutdown.clone()));
            }
            Some(_) = open.join_next() => {}
            () = shutdown.cancelled() => break,
        }
    }
    drop(listener);
    if timeout(patience, async { while open.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(connections = open.len(), "requests that had not ended were given up");
        open.shutdown().await;
    }
}

async fn answer(router: Router, stream: TcpStream, peer: SocketAddr, shutdown: CancellationToken) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
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

//! Lets Google's hub call through the shared client.
//!
//! The hub insists on a hyper-util client. One of its own would be a second pool and a second TLS set-up, without a
//! limit on the size of an answer, without time-outs, proxy and tracing. So what it takes for a connection is a pipe in
//! memory, and at the pipe's far end the shared client makes the call.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    Request, Response, Uri,
    header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tower::Service;
use tracing::Instrument;

use super::errors::GoogleCallError;
use crate::{
    error::ProviderError,
    http::{HttpCallError, HttpClient},
};

/// Bytes that a pipe holds before its writer waits.
const PIPE_BYTES: usize = 64 * 1024;

/// Why the shared client could not bring an answer; the hub itself only sees its connection end.
#[derive(Clone, Debug, Default)]
pub(super) struct PipeFailure(Arc<Mutex<Option<GoogleCallError>>>);

impl PipeFailure {
    /// What went wrong, once.
    pub(super) fn take(&self) -> Option<GoogleCallError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, trouble: GoogleCallError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }
}

/// "Connects" the hub to the shared client, for one call.
#[derive(Clone, Debug)]
pub(super) struct PipeConnector {
    pub(super) http: HttpClient,
    pub(super) failure: PipeFailure,
}

impl Service<Uri> for PipeConnector {
    type Response = TokioIo<HttpPipe>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let connector = self.clone();
        let service = service_fn(move |request| connector.clone().forward(origin.clone(), request));
        let serving = async move {
            // An error is the hub hanging up, or one that `failure` has already.
            let _ =
                http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(far), service).await;
        };
        // It ends with its end of the pipe: a call that is dropped is dropped here too.
        tokio::spawn(serving.in_current_span());
        ready(Ok(TokioIo::new(HttpPipe(near))))
    }
}

impl PipeConnector {
    async fn forward(
        self,
        origin: Uri,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, io::Error> {
        let outcome = match to_absolute_request(&origin, request).await {
            Ok(request) => self.http.attempt(request).await.map_err(|error| match error {
                HttpCallError::Timeout(_) => GoogleCallError::Slow(error.into()),
                error => GoogleCallError::Other(error.into()),
            }),
            Err(error) => Err(GoogleCallError::Other(ProviderError::Rejected(error))),
        };
        let mut answer = outcome.map_err(|trouble| {
            self.failure.keep(trouble);
            io::Error::other("the shared client has no answer")
        })?;
        // They describe the answer as it came over the wire, which is not how it goes through the pipe.
        for header in [CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_ENCODING, CONNECTION] {
            answer.headers.remove(header);
        }
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// The request as it was before the hub's client cut it down to path and query.
async fn to_absolute_request(origin: &Uri, request: Request<Incoming>) -> Result<Request<Bytes>, String> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let mut uri = parts.uri.into_parts();
    uri.scheme = origin.scheme().cloned();
    uri.authority = origin.authority().cloned();
    parts.uri = Uri::from_parts(uri).map_err(|error| error.to_string())?;
    for header in [HOST, CONNECTION, CONTENT_LENGTH] {
        parts.headers.remove(header);
    }
    if let Some(token) = parts.headers.get_mut(AUTHORIZATION) {
        token.set_sensitive(true);
    }
    Ok(Request::from_parts(parts, body))
}

#[derive(Debug)]
pub(super) struct HttpPipe(DuplexStream);

impl Connection for HttpPipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for HttpPipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for HttpPipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

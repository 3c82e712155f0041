//! What is known of a request before anybody has answered it: where it comes from, and who is signed in.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::extract::{ConnectInfo, Request};
use concord_storage::{businesses::Business, people::User};
use tokio::sync::OnceCell;

use super::limits::{client_address, network_of};
use crate::config::ServerConfig;

/// In the extensions of every request of the front but those for feeds.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct RequestOrigin {
    address: Option<IpAddr>,
    signed_in: Arc<OnceCell<Option<SessionUser>>>,
}

/// Whom a session belongs to.
#[derive(Clone, Debug)]
pub(in crate::http) struct SessionUser {
    pub user: User,
    pub business: Business,
}

impl RequestOrigin {
    /// Of a request as it came in.
    pub(in crate::http) fn from_request(request: &Request, config: &ServerConfig) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|ConnectInfo(peer)| client_address(request.headers(), peer.ip(), config));
        Self { address, signed_in: Arc::default() }
    }

    /// Who asks, as far as our own proxies say.
    pub(in crate::http) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// What is counted by.
    pub(in crate::http) fn network(&self) -> Option<IpAddr> {
        self.address.map(network_of)
    }

    /// Who is signed in; looked up once a request, however many ask.
    pub(in crate::http) fn signed_in(&self) -> &OnceCell<Option<SessionUser>> {
        &self.signed_in
    }
}

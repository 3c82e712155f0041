//! The way to a mail server: SMTP by lettre, over a pool of connections.

use std::{
    error::Error as _,
    fmt,
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};

use super::server_address::{MailProtocol, MailServerAddress, TlsMode};
use concord_domain::mail::one_line;
use concord_providers::{install_crypto_provider, root_cause};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{
        Error as SmtpError, PoolConfig,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Not now: the server is away, busy, or does not let us in. It has not taken the mail, which may go later.
    #[error("{0}")]
    Transient(String),
    /// The connection broke or the server was too slow: whether it has taken the mail is not known.
    #[error("{0}")]
    Unknown(String),
    /// The server refuses this mail, or it can never be one; in the server's words, where it has said any.
    #[error("{0}")]
    Refused(String),
}

/// Where the mail server is that mails are handed to, and how it lets us in. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct SmtpServerAddress(MailServerAddress);

impl SmtpServerAddress {
    /// Reads `smtp://USER:PASSWORD@HOST:PORT?tls=required|opportunistic|none`, or `smtps://...`, which is TLS from the
    /// first byte. If `tls` is not said, a password goes over TLS only; without one, TLS is used where it is offered.
    ///
    /// # Errors
    /// What is wrong with it, without the address itself: it may hold a password.
    pub fn parse(address: &SecretString) -> Result<Self, String> {
        MailServerAddress::parse(address, MailProtocol::Smtp).map(Self)
    }
}

/// Sends mails. Clones share its connections.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// lettre's pool makes as many connections as are asked for, and keeps no more than so many.
    free: Arc<Semaphore>,
    server: String,
    timeout: Duration,
}

impl Mailer {
    /// Nothing is connected yet. `hello`: the name by which we greet, if we have one. `timeout`: for a whole mail.
    ///
    /// # Errors
    /// `Refused` when TLS cannot be set up for such a host.
    pub fn new(
        address: &SmtpServerAddress,
        hello: Option<&str>,
        connections: u32,
        timeout: Duration,
    ) -> Result<Self, MailError> {
        // The process has one crypto provider; who came first does not matter.
        install_crypto_provider();
        let SmtpServerAddress(address) = address;
        let tls = || {
            TlsParameters::new(address.host.clone())
                .map_err(|error| MailError::Refused(format!("TLS cannot be set up: {error}")))
        };
        let tls = match address.tls {
            TlsMode::Wrapped => Tls::Wrapper(tls()?),
            TlsMode::Required => Tls::Required(tls()?),
            TlsMode::Opportunistic => Tls::Opportunistic(tls()?),
            TlsMode::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.host.as_str())
            .port(address.port)
            .tls(tls)
            .timeout(Some(timeout))
            .pool_config(PoolConfig::new().max_size(connections));
        if let Some((user, password)) = &address.credentials {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        if let Some(hello) = hello {
            builder = builder.hello_name(ClientId::Domain(hello.to_owned()));
        }
        let free = Arc::new(Semaphore::new(usize::try_from(connections.max(1)).unwrap_or(1)));
        Ok(Self { transport: builder.build(), free, server: address.to_string(), timeout })
    }

    /// For people: its host and port.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Connects, greets and signs in. No mail is sent.
    ///
    /// # Errors
    /// Why the server cannot be used, for people.
    pub async fn greet(&self) -> Result<(), MailError> {
        match tokio::time::timeout(self.timeout, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(MailError::Transient(format!(
                "the mail server {} greets, but takes no commands",
                self.server
            ))),
            Ok(Err(error)) => Err(classify_error(&error, &self.server)),
            Err(_) => Err(MailError::Transient(format!("the mail server {} took too long", self.server))),
        }
    }

    /// A connection for one mail, as soon as one is free; `None`: none was for so long.
    pub(crate) async fn connection(&self, patience: Duration) -> Option<MailConnection> {
        let free = Arc::clone(&self.free);
        tokio::time::timeout(patience, free.acquire_owned()).await.ok()?.ok().map(MailConnection)
    }

    /// Hands a mail over to the server.
    ///
    /// # Errors
    /// Whether it may have left is told by the error.
    pub(crate) async fn send(&self, mail: Message, connection: MailConnection) -> Result<(), MailError> {
        // Nobody stops it halfway: its connection would go back to the others with an answer that nobody has read, and the
        // next mail would take that for its own.
        let transport = self.transport.clone();
        let sending = tokio::spawn(async move {
            let sent = transport.send(mail).await;
            drop(connection);
            sent
        });
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(error))) => Err(classify_error(&error, &self.server)),
            Ok(Err(error)) => Err(MailError::Unknown(format!("sending by {} ended: {error}", self.server))),
            Err(_) => Err(MailError::Unknown(format!("the mail server {} took too long", self.server))),
        }
    }
}

/// The right to use one of the connections.
#[derive(Debug)]
pub(crate) struct MailConnection(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailer").field(&self.server).finish()
    }
}

/// What says of us that we may not come in, and nothing of the mail (RFC 4954, section 6; RFC 5321, section 4.2.3).
const AUTHENTICATION_CODES: [u16; 5] = [530, 534, 535, 538, 421];

fn classify_error(error: &SmtpError, server: &str) -> MailError {
    let code = error.status().map(u16::from);
    let words = error_message(error);
    match code {
        Some(code) if AUTHENTICATION_CODES.contains(&code) => {
            MailError::Transient(format!("the mail server {server} does not let Concord in: {code} {words}"))
        }
        Some(code) if error.is_permanent() => {
            MailError::Refused(format!("the mail server refused it: {code} {words}"))
        }
        Some(code) => {
            MailError::Transient(format!("the mail server {server} cannot take it now: {code} {words}"))
        }
        None if error.is_tls() => MailError::Transient(format!(
            "the mail server {server} offers no TLS that can be trusted: {words}"
        )),
        None if was_connected(error) => {
            MailError::Unknown(format!("the connection to the mail server {server} broke: {words}"))
        }
        None => MailError::Transient(format!("the mail server {server} cannot be reached: {words}")),
    }
}

/// Whether the mail may have been on its way. What fails before a connection stands says so by the kind of its cause.
fn was_connected(error: &SmtpError) -> bool {
    let mut cause = error.source();
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>() {
            return matches!(
                io.kind(),
                ErrorKind::BrokenPipe
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::ConnectionReset
                    | ErrorKind::TimedOut
                    | ErrorKind::UnexpectedEof
            );
        }
        cause = one.source();
    }
    // The client itself says that the server's answer ended early.
    error.is_timeout() || error.is_response()
}

/// On one line and not too many.
fn error_message(error: &SmtpError) -> String {
    one_line(&root_cause(error).unwrap_or_else(|| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mails_share_the_connections_that_are_set() {
        let address = SmtpServerAddress::parse(&"smtp://mail.example.org?tls=none".into()).unwrap();
        let mailer = Mailer::new(&address, None, 2, Duration::from_secs(1)).unwrap();
        let at_once = Duration::ZERO;
        let (one, other) = (mailer.connection(at_once).await, mailer.connection(at_once).await);
        assert!(one.is_some() && other.is_some());
        assert!(mailer.clone().connection(at_once).await.is_none());
        drop(one);
        assert!(mailer.connection(at_once).await.is_some());
    }
}

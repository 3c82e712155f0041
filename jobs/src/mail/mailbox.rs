//! The way to a mailbox: IMAP by async-imap, which reads and changes nothing there.

use std::{collections::BTreeSet, fmt, future::Future, sync::Arc, time::Duration};

use async_imap::{Authenticator, Client, Session, error::Error as ImapError};
use concord_domain::{
    mail::one_line,
    mailbox::{MailboxSearch, MailboxStatus},
};
use concord_providers::install_crypto_provider;
use futures::TryStreamExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

use super::{
    incoming::MAX_INCOMING_BYTES,
    server_address::{MailProtocol, MailServerAddress, TlsMode},
};

/// Why a mailbox was not read. None of its mails is lost by it.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// Not now: the server is away or busy, or the connection broke.
    #[error("{0}")]
    Transient(String),
    /// The server does not let us in, or has no such folder: somebody must change something.
    #[error("{0}")]
    Refused(String),
}

/// Which folder of which mailbox is read, and how we are let in. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct MailboxAddress(MailServerAddress);

impl MailboxAddress {
    /// Reads `imaps://USER:PASSWORD@HOST:PORT/FOLDER`, or `imap://...`, which is STARTTLS unless it says `?tls=none`. Without a
    /// folder, it is `INBOX`.
    ///
    /// # Errors
    /// What is wrong with it, without the address itself: it holds a password.
    pub fn parse(address: &SecretString) -> Result<Self, String> {
        let mut parsed = MailServerAddress::parse(address, MailProtocol::Imap)?;
        if parsed.credentials.is_none() {
            return Err("must hold the user and the password of the mailbox".to_owned());
        }
        if parsed.tls == TlsMode::Opportunistic {
            return Err("must say tls=required or tls=none".to_owned());
        }
        if parsed.path.is_empty() {
            "INBOX".clone_into(&mut parsed.path);
        }
        // IMAP sends names of folders in a form of its own; only that of ASCII is the name itself (RFC 3501, 5.1.3).
        if !parsed.path.chars().all(|c| c.is_ascii_graphic() && c != '&' || c == ' ') {
            return Err("names a folder with characters other than those of ASCII".to_owned());
        }
        Ok(Self(parsed))
    }
}

impl fmt::Display for MailboxAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.0.credentials.as_ref().map_or("", |(user, _)| user.as_str());
        write!(f, "{user} at {}, {}", self.0, self.0.path)
    }
}

/// A mailbox that can be opened.
#[derive(Clone)]
pub struct Mailbox {
    address: MailboxAddress,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailbox").field(&self.address.to_string()).finish()
    }
}

/// A connection, guarded or not.
trait Connection: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Connection for T {}

/// A mailbox as long as the connection to it stands.
pub struct OpenMailbox {
    session: Session<Box<dyn Connection>>,
    status: MailboxStatus,
    timeout: Duration,
    server: String,
}

impl Mailbox {
    /// Nothing is connected yet. `timeout`: for each command.
    pub fn new(address: &MailboxAddress, timeout: Duration) -> Self {
        install_crypto_provider();
        let tls = (address.0.tls != TlsMode::None).then(|| {
            let mut roots = RootCertStore::empty();
            // One that cannot be read is as if the system did not trust it.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        });
        Self { address: address.clone(), tls, timeout }
    }

    /// Whose it is and where, for people and as its name in the database; it holds no password.
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// Connects, signs in and opens the folder for reading only, so that no mail is marked as read (RFC 9051, 6.3.3).
    pub async fn open(&self) -> Result<OpenMailbox, MailboxError> {
        let MailboxAddress(address) = &self.address;
        let server = address.to_string();
        let client = within(self.timeout, &server, self.connect()).await?;
        let mut session = within(self.timeout, &server, sign_in(client, address)).await?;
        let folder = &address.path;
        let found = within(self.timeout, &server, async {
            session.examine(folder).await.map_err(|error| match error {
                ImapError::No(words) | ImapError::Bad(words) => MailboxError::Refused(format!(
                    "{server} has no folder {folder}: {}",
                    server_words(&words)
                )),
                error => broken(&error, &server),
            })
        })
        .await?;
        let uid_validity = found.uid_validity.ok_or_else(|| {
            MailboxError::Refused(format!("{server} does not number the mails of {folder} (UIDVALIDITY)"))
        })?;
        let status = MailboxStatus { uid_validity, uid_next: found.uid_next };
        Ok(OpenMailbox { session, status, timeout: self.timeout, server })
    }

    async fn connect(&self) -> Result<Client<Box<dyn Connection>>, MailboxError> {
        let MailboxAddress(address) = &self.address;
        let server = address.to_string();
        let reached = TcpStream::connect((address.host.as_str(), address.port)).await;
        let tcp = reached
            .map_err(|error| MailboxError::Transient(format!("{server} cannot be reached: {error}")))?;
        if address.tls == TlsMode::Wrapped {
            let mut client = Client::new(self.wrap(tcp).await?);
            greeting(&mut client, &server).await?;
            return Ok(client);
        }
        let mut client = Client::new(Box::new(tcp) as Box<dyn Connection>);
        greeting(&mut client, &server).await?;
        if address.tls == TlsMode::None {
            return Ok(client);
        }
        let upgraded = client.run_command_and_check_ok("STARTTLS", None).await;
        upgraded
            .map_err(|error| MailboxError::Refused(format!("{server} offers no TLS: {}", reason(&error))))?;
        // What came unguarded before TLS stood is thrown away with the buffer: nobody puts words into the server's mouth.
        Ok(Client::new(self.wrap(client.into_inner()).await?))
    }

    async fn wrap(&self, stream: impl Connection + 'static) -> Result<Box<dyn Connection>, MailboxError> {
        let MailboxAddress(address) = &self.address;
        let refused = |error: String| {
            MailboxError::Transient(format!(
                "{address} offers no TLS that can be trusted: {}",
                one_line(&error)
            ))
        };
        let tls = self.tls.clone().ok_or_else(|| refused("it is turned off".to_owned()))?;
        let name = ServerName::try_from(address.host.clone()).map_err(|error| refused(error.to_string()))?;
        let guarded = TlsConnector::from(tls).connect(name, stream).await;
        Ok(Box::new(guarded.map_err(|error| refused(error.to_string()))?))
    }
}

async fn greeting(client: &mut Client<Box<dyn Connection>>, server: &str) -> Result<(), MailboxError> {
    match client.read_response().await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(MailboxError::Transient(format!("{server} closes the connection at once"))),
        Err(error) => {
            Err(MailboxError::Transient(format!("{server} does not speak IMAP: {}", reason(&error.into()))))
        }
    }
}

async fn sign_in(
    client: Client<Box<dyn Connection>>,
    address: &MailServerAddress,
) -> Result<Session<Box<dyn Connection>>, MailboxError> {
    let credentials = address.credentials.as_ref();
    let (user, password) = credentials.map_or(("", ""), |(user, password)| (user, password.expose_secret()));
    // Every server knows LOGIN, which takes ASCII only (RFC 3501, 6.2.3).
    let signed_in = if user.is_ascii() && password.is_ascii() {
        client.login(user, password).await
    } else {
        client.authenticate("PLAIN", PlainPassword(format!("\0{user}\0{password}").into())).await
    };
    signed_in.map_err(|(error, _)| match error {
        ImapError::No(words) | ImapError::Bad(words) => {
            MailboxError::Refused(format!("{address} does not let {user} in: {}", server_words(&words)))
        }
        error => broken(&error, &address.to_string()),
    })
}

/// User and password as SASL sends them (RFC 4616).
struct PlainPassword(SecretString);

impl Authenticator for PlainPassword {
    type Response = Vec<u8>;

    fn process(&mut self, _challenge: &[u8]) -> Vec<u8> {
        self.0.expose_secret().as_bytes().to_vec()
    }
}

impl OpenMailbox {
    /// What it has said of itself.
    pub fn status(&self) -> MailboxStatus {
        self.status
    }

    /// The numbers of the mails that are looked for, as the server names them.
    pub async fn search(&mut self, search: MailboxSearch) -> Result<Vec<u32>, MailboxError> {
        let query = match search {
            MailboxSearch::Nothing => return Ok(Vec::new()),
            MailboxSearch::After(last) => format!("UID {}:*", u64::from(last) + 1),
            // The names of months are English (RFC 9051, 9 under `date-month`), as chrono's are.
            MailboxSearch::Since(date) => format!("SINCE {}", date.format("%-d-%b-%Y")),
        };
        let (session, server) = (&mut self.session, &self.server);
        within(self.timeout, server, async {
            let found = session.uid_search(query).await.map_err(|error| broken(&error, server))?;
            Ok(found.into_iter().collect())
        })
        .await
    }

    /// Those of these mails that are not too large to be a reply.
    pub async fn readable(&mut self, uids: &[u32]) -> Result<BTreeSet<u32>, MailboxError> {
        if uids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let set = uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let (session, server) = (&mut self.session, &self.server);
        within(self.timeout, server, async {
            let mut found =
                session.uid_fetch(set, "(UID RFC822.SIZE)").await.map_err(|error| broken(&error, server))?;
            let mut small = BTreeSet::new();
            while let Some(mail) = found.try_next().await.map_err(|error| broken(&error, server))? {
                let is_small = mail.size.is_some_and(|bytes| bytes as usize <= MAX_INCOMING_BYTES);
                small.extend(mail.uid.filter(|_| is_small));
            }
            Ok(small)
        })
        .await
    }

    /// A mail as it came; `None`: somebody has deleted it meanwhile.
    pub async fn fetch(&mut self, uid: u32) -> Result<Option<Vec<u8>>, MailboxError> {
        let (session, server) = (&mut self.session, &self.server);
        within(self.timeout, server, async {
            let mut found = session
                .uid_fetch(uid.to_string(), "(UID BODY.PEEK[])")
                .await
                .map_err(|error| broken(&error, server))?;
            let mut body = None;
            // Servers tell of other mails, too, whenever they like (RFC 9051, 7.5.2).
            while let Some(mail) = found.try_next().await.map_err(|error| broken(&error, server))? {
                if mail.uid == Some(uid) {
                    body = body.or(mail.body().map(<[u8]>::to_vec));
                }
            }
            Ok(body)
        })
        .await
    }

    /// Says goodbye; a server that does not answer is left all the same.
    pub async fn close(mut self) {
        let _ = within(self.timeout, &self.server, async {
            self.session.logout().await.map_err(|error| broken(&error, &self.server))
        })
        .await;
    }
}

async fn within<T>(
    timeout: Duration,
    server: &str,
    command: impl Future<Output = Result<T, MailboxError>>,
) -> Result<T, MailboxError> {
    tokio::time::timeout(timeout, command)
        .await
        .unwrap_or_else(|_| Err(MailboxError::Transient(format!("{server} took too long"))))
}

fn broken(error: &ImapError, server: &str) -> MailboxError {
    MailboxError::Transient(format!("{server} cannot be read: {}", reason(error)))
}

/// What the server has said, of which the client tells as `code: None, info: Some("...")`.
fn server_words(told: &str) -> String {
    let said = told.split_once("info: Some(\"").and_then(|(_, said)| said.strip_suffix("\")"));
    one_line(said.unwrap_or(told))
}

/// For people. What could not be understood may be a customer's mail, so it is not repeated.
fn reason(error: &ImapError) -> String {
    match error {
        ImapError::No(words) | ImapError::Bad(words) => server_words(words),
        ImapError::Io(error) if error.kind() == std::io::ErrorKind::Other => {
            "its answer is no IMAP".to_owned()
        }
        ImapError::Io(error) => one_line(&error.to_string()),
        ImapError::ConnectionLost => "the connection broke".to_owned(),
        _ => "its answer is not understood".to_owned(),
    }
}

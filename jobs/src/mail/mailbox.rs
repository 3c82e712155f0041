//! The way to a mailbox: IMAP by async-imap, which reads and changes nothing there.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use async_imap::{
    Authenticator, Client, Session,
    error::Error as ImapError,
    imap_proto::{AttributeValue, MailboxDatum, Response, ResponseCode, Status},
};
use concord_domain::{
    mail::one_line,
    mailbox::{MailboxSearch, MailboxStatus},
};
use concord_providers::install_crypto_provider;
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
        let session = within(self.timeout, &server, sign_in(client, address)).await?;
        let mut open =
            OpenMailbox { session, status: MailboxStatus::default(), timeout: self.timeout, server };
        open.examine(&address.path).await?;
        Ok(open)
    }

    /// The longest that it may take to open it, and then to read one mail.
    pub fn patience(&self) -> Duration {
        // Connecting, signing in and opening the folder; looking for mails, the size of one, and the mail.
        self.timeout * 6
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
    let greeted = client.read_response().await.map_err(|error| {
        MailboxError::Transient(format!("{server} does not speak IMAP: {}", reason(&error.into())))
    })?;
    match greeted.as_ref().map(|greeted| greeted.parsed()) {
        None => Err(MailboxError::Transient(format!("{server} closes the connection at once"))),
        Some(Response::Data { status: Status::Bye, outcome }) => {
            Err(goodbye(server, outcome.information.as_deref()))
        }
        Some(_) => Ok(()),
    }
}

fn goodbye(server: &str, words: Option<&str>) -> MailboxError {
    MailboxError::Transient(format!(
        "{server} ends the connection: {}",
        one_line(words.unwrap_or("no reason"))
    ))
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

    /// Has the server do a command, and shows `heard` what it says until it has done it. The client's own readers take an end of
    /// the connection, and a refusal, for an end of the list.
    async fn command(
        &mut self,
        command: &str,
        mut heard: impl FnMut(&Response<'_>) + Send,
    ) -> Result<(), CommandError> {
        let (session, server) = (&mut self.session, &self.server);
        let run = async {
            let id = session.run_command(command).await.map_err(|error| broken(&error, server))?;
            loop {
                let response =
                    session.read_response().await.map_err(|error| broken(&error.into(), server))?;
                let response = response.ok_or_else(|| broken(&ImapError::ConnectionLost, server))?;
                match response.parsed() {
                    Response::Done { tag, status: Status::Ok, .. } if *tag == id => return Ok(Ok(())),
                    Response::Done { tag, outcome, .. } if *tag == id => {
                        return Ok(Err(one_line(outcome.information.as_deref().unwrap_or("no reason"))));
                    }
                    Response::Data { status: Status::Bye, outcome } => {
                        return Err(goodbye(server, outcome.information.as_deref()));
                    }
                    other => heard(other),
                }
            }
        };
        match within(self.timeout, server, run).await {
            Ok(done) => done.map_err(CommandError::Refused),
            Err(error) => Err(CommandError::Broken(error)),
        }
    }

    /// Opens the folder for reading only.
    async fn examine(&mut self, folder: &str) -> Result<(), MailboxError> {
        let (mut uid_validity, mut uid_next) = (None, None);
        let command = format!("EXAMINE {}", quoted(folder));
        let examined = self.command(&command, |response| {
            let Response::Data { outcome, .. } = response else { return };
            match outcome.code {
                Some(ResponseCode::UidValidity(number)) => uid_validity = Some(number),
                Some(ResponseCode::UidNext(number)) => uid_next = Some(number),
                _ => {}
            }
        });
        let examined = examined.await;
        let server = &self.server;
        examined.map_err(|error| match error {
            CommandError::Refused(words) => {
                MailboxError::Refused(format!("{server} does not open the folder {folder}: {words}"))
            }
            CommandError::Broken(error) => error,
        })?;
        let uid_validity = uid_validity.ok_or_else(|| {
            MailboxError::Refused(format!("{server} does not number the mails of {folder} (UIDVALIDITY)"))
        })?;
        self.status = MailboxStatus { uid_validity, uid_next };
        Ok(())
    }

    /// The numbers of the mails that are looked for, as the server names them.
    pub async fn search(&mut self, search: MailboxSearch) -> Result<Vec<u32>, MailboxError> {
        let query = match search {
            MailboxSearch::Nothing => return Ok(Vec::new()),
            MailboxSearch::After(last) => format!("UID {}:*", u64::from(last) + 1),
            // The names of months are English (RFC 9051, 9 under `date-month`), as chrono's are.
            MailboxSearch::Since(date) => format!("SINCE {}", date.format("%-d-%b-%Y")),
        };
        let mut found = Vec::new();
        let command = format!("UID SEARCH {query}");
        let searched = self.command(&command, |response| {
            if let Response::MailboxData(MailboxDatum::Search(uids)) = response {
                found.extend(uids);
            }
        });
        searched.await.map_err(|error| error.unread(&self.server))?;
        Ok(found)
    }

    /// A mail as it came; `None`: it is too large to be a reply, or somebody has deleted it meanwhile.
    pub async fn fetch(&mut self, uid: u32) -> Result<Option<Vec<u8>>, MailboxError> {
        let size = self.attribute(uid, "RFC822.SIZE", |value| match value {
            AttributeValue::Rfc822Size(bytes) => Some(*bytes as usize),
            _ => None,
        });
        if size.await?.is_none_or(|bytes| bytes > MAX_INCOMING_BYTES) {
            return Ok(None);
        }
        self.attribute(uid, "BODY.PEEK[]", |value| match value {
            AttributeValue::BodySection { section: None, data: Some(data), .. } => Some(data.to_vec()),
            _ => None,
        })
        .await
    }

    /// One thing of a mail. Servers tell of other mails, too, whenever they like (RFC 9051, 7.5.2).
    async fn attribute<T: Send>(
        &mut self,
        uid: u32,
        name: &str,
        pick: impl Fn(&AttributeValue<'_>) -> Option<T> + Send + Sync,
    ) -> Result<Option<T>, MailboxError> {
        let mut found = None;
        let command = format!("UID FETCH {uid} (UID {name})");
        let fetched = self.command(&command, |response| {
            let Response::Fetch(_, values) = response else { return };
            if values.iter().any(|value| matches!(value, AttributeValue::Uid(of) if *of == uid)) {
                found = found.take().or_else(|| values.iter().find_map(&pick));
            }
        });
        fetched.await.map_err(|error| error.unread(&self.server))?;
        Ok(found)
    }

    /// Says goodbye; a server that does not answer is left all the same.
    pub async fn close(mut self) {
        let _ = self.command("LOGOUT", |_| ()).await;
    }
}

/// Why a command was not done.
enum CommandError {
    /// In the server's words.
    Refused(String),
    Broken(MailboxError),
}

impl CommandError {
    /// What was refused of a folder that is open may be done another time.
    fn unread(self, server: &str) -> MailboxError {
        match self {
            Self::Refused(words) => MailboxError::Transient(format!("{server} cannot be read: {words}")),
            Self::Broken(error) => error,
        }
    }
}

/// RFC 9051, 4.3; it holds no line break (`MailboxAddress::parse`).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
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

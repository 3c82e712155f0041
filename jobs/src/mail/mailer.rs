//! The way to a mail server: SMTP by lettre, over a pool of connections.

use std::{
    error::Error as _,
    fmt,
    io::{self, ErrorKind},
    time::Duration,
};

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
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

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

/// How much a connection is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SmtpTls {
    /// TLS from the first byte.
    Wrapped,
    /// STARTTLS, or nothing is sent.
    Required,
    /// STARTTLS where the server offers it.
    Opportunistic,
    None,
}

/// Where a mail server is and how it lets us in. Its `Debug` shows no password.
#[derive(Clone)]
pub struct SmtpServerAddress {
    host: String,
    port: u16,
    guard: SmtpTls,
    credentials: Option<(String, SecretString)>,
}

impl SmtpServerAddress {
    /// Reads `smtp://USER:PASSWORD@HOST:PORT?tls=required|opportunistic|none`, or `smtps://...`, which is TLS from the
    /// first byte. If `tls` is not said, a password goes over TLS only; without one, TLS is used where it is offered.
    ///
    /// # Errors
    /// What is wrong with it, without the address itself: it may hold a password.
    pub fn parse(address: &SecretString) -> Result<Self, &'static str> {
        let url: Url = address
            .expose_secret()
            .parse()
            .map_err(|_| "is not an address such as smtp://user:password@mail.example.org:587")?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no mail server")?;
        let text = |text| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(String::from).map_err(|_| "holds a user or a password that is no text")
        };
        let credentials = match url.password() {
            Some(password) => Some((text(url.username())?, text(password)?.into())),
            None => None,
        };
        if credentials.is_none() && !url.username().is_empty() {
            return Err("holds a user, but no password");
        }
        let mut tls = None;
        for (name, value) in url.query_pairs() {
            if name != "tls" {
                return Err("holds something behind the ? that is not known; there is tls=");
            }
            tls = Some(value.into_owned());
        }
        let guard = match (url.scheme(), tls.as_deref()) {
            ("smtps", None | Some("required")) => SmtpTls::Wrapped,
            ("smtps", _) => return Err("begins with smtps://, which is always TLS"),
            ("smtp", Some("required")) => SmtpTls::Required,
            ("smtp", Some("none")) => SmtpTls::None,
            ("smtp", None) if credentials.is_some() => SmtpTls::Required,
            ("smtp", None | Some("opportunistic")) => SmtpTls::Opportunistic,
            ("smtp", Some(_)) => return Err("must say tls=required, tls=opportunistic or tls=none"),
            _ => return Err("must begin with smtp:// or smtps://"),
        };
        // RFC 8314 (submission over TLS), RFC 6409 (submission), RFC 5321 (relay).
        let usual = match guard {
            SmtpTls::Wrapped => 465,
            SmtpTls::Required => 587,
            SmtpTls::Opportunistic | SmtpTls::None => 25,
        };
        let port = url.port().unwrap_or(usual);
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port, guard, credentials })
    }
}

impl fmt::Display for SmtpServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for SmtpServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServerAddress")
            .field("server", &self.to_string())
            .field("guard", &self.guard)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .finish_non_exhaustive()
    }
}

/// Sends mails. Clones share its connections.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
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
        let tls = || {
            TlsParameters::new(address.host.clone())
                .map_err(|error| MailError::Refused(format!("TLS cannot be set up: {error}")))
        };
        let tls = match address.guard {
            SmtpTls::Wrapped => Tls::Wrapper(tls()?),
            SmtpTls::Required => Tls::Required(tls()?),
            SmtpTls::Opportunistic => Tls::Opportunistic(tls()?),
            SmtpTls::None => Tls::None,
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
        Ok(Self { transport: builder.build(), server: address.to_string(), timeout })
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

    /// Hands a mail over to the server.
    ///
    /// # Errors
    /// Whether it may have left is told by the error.
    pub(crate) async fn send(&self, mail: Message) -> Result<(), MailError> {
        // Nobody stops it halfway: its connection would go back to the others with an answer that nobody has read, and the
        // next mail would take that for its own.
        let transport = self.transport.clone();
        let sending = tokio::spawn(async move { transport.send(mail).await });
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err(error))) => Err(classify_error(&error, &self.server)),
            Ok(Err(error)) => Err(MailError::Unknown(format!("sending by {} ended: {error}", self.server))),
            Err(_) => Err(MailError::Unknown(format!("the mail server {} took too long", self.server))),
        }
    }
}

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

    fn parsed(address: &str) -> Result<String, &'static str> {
        SmtpServerAddress::parse(&address.into()).map(|it| format!("{it} {:?}", it.guard))
    }

    #[test]
    fn a_password_goes_over_tls_unless_it_is_said_otherwise() {
        for (address, expected) in [
            ("smtp://mail.example.org", "mail.example.org:25 Opportunistic"),
            ("smtp://u:p@mail.example.org", "mail.example.org:587 Required"),
            ("smtp://u:p@mail.example.org:2525?tls=none", "mail.example.org:2525 None"),
            ("smtp://mail.example.org?tls=required", "mail.example.org:587 Required"),
            ("smtps://u:p@mail.example.org", "mail.example.org:465 Wrapped"),
            ("smtp://[::1]:25?tls=none", "::1:25 None"),
        ] {
            assert_eq!(parsed(address).as_deref(), Ok(expected), "{address}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told_without_it() {
        for address in [
            "mail.example.org:25",
            "http://mail.example.org",
            "smtp://u@mail.example.org",
            "smtp://mail.example.org?tls=maybe",
            "smtp://mail.example.org?timeout=3",
            "smtps://mail.example.org?tls=none",
            "smtp://",
            "",
        ] {
            assert!(parsed(address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        let address =
            SmtpServerAddress::parse(&"smtp://ana%40x.example:a+b%2Fc=&%40@mail.example.org".into()).unwrap();
        let (user, password) = address.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("ana@x.example", "a+b/c=&@"));
        assert!(!format!("{address:?} {address}").contains("a+b"));
    }
}

//! The address of a mail server as it is configured: where it is, how the connection is guarded, and how it lets us in.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// By what we speak to a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailProtocol {
    /// Mails are handed over.
    Smtp,
    /// A mailbox is read.
    Imap,
}

impl MailProtocol {
    /// What the address begins with; with an `s` behind it, TLS from the first byte.
    fn scheme(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
        }
    }

    /// RFC 8314 (over TLS), RFC 6409 (submission), RFC 5321 (relay), RFC 9051 (IMAP).
    fn usual_port(self, tls: TlsMode) -> u16 {
        match (self, tls) {
            (Self::Smtp, TlsMode::Wrapped) => 465,
            (Self::Smtp, TlsMode::Required) => 587,
            (Self::Smtp, TlsMode::Opportunistic | TlsMode::None) => 25,
            (Self::Imap, TlsMode::Wrapped) => 993,
            (Self::Imap, TlsMode::Required | TlsMode::Opportunistic | TlsMode::None) => 143,
        }
    }
}

/// How much a connection is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsMode {
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
pub(super) struct MailServerAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: TlsMode,
    /// The user and the password; `None`: anybody may come.
    pub(super) credentials: Option<(String, SecretString)>,
    /// What stands behind the host, without its first slash.
    pub(super) path: String,
}

impl MailServerAddress {
    /// Reads `SCHEME://USER:PASSWORD@HOST:PORT/PATH?tls=required|opportunistic|none`, or with an `s` behind the scheme, which
    /// is TLS from the first byte. If `tls` is not said, a password goes over TLS only; without one, TLS is used where it is
    /// offered.
    ///
    /// # Errors
    /// What is wrong with it, without the address itself: it may hold a password.
    pub(super) fn parse(address: &SecretString, protocol: MailProtocol) -> Result<Self, String> {
        let scheme = protocol.scheme();
        let url: Url = address
            .expose_secret()
            .parse()
            .map_err(|_| format!("is not an address such as {scheme}s://user:password@mail.example.org"))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no mail server")?;
        let credentials = match url.password() {
            Some(password) => Some((decode(url.username())?, decode(password)?.into())),
            None => None,
        };
        if credentials.is_none() && !url.username().is_empty() {
            return Err("holds a user, but no password".to_owned());
        }
        let tls = tls_mode(&url, scheme, credentials.is_some())?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(protocol.usual_port(tls)),
            tls,
            credentials,
            path: decode(url.path().trim_start_matches('/'))?,
        })
    }
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| "holds a % that stands for no text".to_owned())
}

fn tls_mode(url: &Url, scheme: &str, has_password: bool) -> Result<TlsMode, String> {
    let mut tls = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" {
            return Err("holds something behind the ? that is not known; there is tls=".to_owned());
        }
        tls = Some(value.into_owned());
    }
    let is_wrapped = url.scheme().strip_prefix(scheme).ok_or_else(|| unknown_scheme(scheme))?;
    match (is_wrapped, tls.as_deref()) {
        ("s", None | Some("required")) => Ok(TlsMode::Wrapped),
        ("s", _) => Err(format!("begins with {scheme}s://, which is always TLS")),
        ("", Some("required")) => Ok(TlsMode::Required),
        ("", Some("none")) => Ok(TlsMode::None),
        ("", None) if has_password => Ok(TlsMode::Required),
        ("", None | Some("opportunistic")) => Ok(TlsMode::Opportunistic),
        ("", Some(_)) => Err("must say tls=required, tls=opportunistic or tls=none".to_owned()),
        _ => Err(unknown_scheme(scheme)),
    }
}

fn unknown_scheme(scheme: &str) -> String {
    format!("must begin with {scheme}:// or {scheme}s://")
}

impl fmt::Display for MailServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for MailServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServerAddress")
            .field("server", &self.to_string())
            .field("tls", &self.tls)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str, protocol: MailProtocol) -> Result<String, String> {
        MailServerAddress::parse(&address.into(), protocol).map(|it| format!("{it} {:?}", it.tls))
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
            assert_eq!(parsed(address, MailProtocol::Smtp).as_deref(), Ok(expected), "{address}");
        }
        for (address, expected) in [
            ("imaps://u:p@mail.example.org", "mail.example.org:993 Wrapped"),
            ("imap://u:p@mail.example.org", "mail.example.org:143 Required"),
            ("imap://u:p@[::1]:1143/INBOX?tls=none", "::1:1143 None"),
        ] {
            assert_eq!(parsed(address, MailProtocol::Imap).as_deref(), Ok(expected), "{address}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told_without_it() {
        for address in [
            "mail.example.org:25",
            "http://mail.example.org",
            "imap://u:p@mail.example.org",
            "smtpss://mail.example.org",
            "smtp://u@mail.example.org",
            "smtp://mail.example.org?tls=maybe",
            "smtp://mail.example.org?timeout=3",
            "smtps://mail.example.org?tls=none",
            "smtp://",
            "",
        ] {
            let error = parsed(address, MailProtocol::Smtp).unwrap_err();
            assert!(!error.contains("u:p"), "{address}: {error}");
        }
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        let text = "imaps://ana%40x.example:a+b%2Fc=&%40@mail.example.org/Answers%20here";
        let address = MailServerAddress::parse(&text.into(), MailProtocol::Imap).unwrap();
        let (user, password) = address.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("ana@x.example", "a+b/c=&@"));
        assert_eq!(address.path, "Answers here");
        assert!(!format!("{address:?} {address}").contains("a+b"));
    }
}

//! `[mail]`: how people are written to.

use std::{net::SocketAddr, time::Duration};

use concord_domain::{invitation::MAX_SENDER_LOCAL_PART, settings::FieldErrors};
use concord_jobs::mail::{MailboxAddress, SmtpServerAddress};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{check::SectionFaults, units};

/// What can be guessed is no secret.
const MIN_SECRET_LENGTH: usize = 24;

/// How people are written to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server, with its password. Without one, what is to be mailed waits.
    #[serde(deserialize_with = "units::optional")]
    pub url: Option<SecretString>,
    /// The name that mails come from.
    pub from_name: String,
    /// The address that they come from; empty: `concord` at the host of `server.public_url`.
    pub from_address: String,
    /// For a whole mail.
    #[serde(rename = "timeout_seconds", deserialize_with = "units::seconds")]
    pub timeout: Duration,
    /// Connections to the mail server of one process.
    pub connections: u32,
    /// Mails a minute, of all processes together.
    pub per_minute: u32,
    /// For how long what happened is gathered into one mail.
    #[serde(rename = "digest_minutes", deserialize_with = "units::minutes")]
    pub digest: Duration,
    /// What `/hooks/mail` asks for. Without it, no mail is taken in.
    #[serde(deserialize_with = "units::optional")]
    pub receive_secret: Option<SecretString>,
    /// The mailbox that customers' calendars answer to, with its password. Without one, none is read.
    #[serde(deserialize_with = "units::optional")]
    pub imap_url: Option<SecretString>,
    /// The pause between two looks at it.
    #[serde(rename = "imap_seconds", deserialize_with = "units::seconds")]
    pub imap_every: Duration,
    /// Whether invitations come from an address with a secret behind a plus sign.
    pub plus_addresses: bool,
    /// The name by which the mail server that mails come in by signs what it has found out about their senders (RFC 8601, 2.5);
    /// empty: no sender is believed.
    pub authserv_id: String,
    /// The selector with which the mail server signs (DKIM), for `concord doctor`; empty: the usual ones are tried.
    pub dkim_selector: String,
    /// Address and port of who is asked for the records of senders, for `concord doctor`; empty: whom the system asks.
    pub dns_server: String,
}

impl MailConfig {
    /// Who is asked for the records of senders; `None`: whom the system asks.
    pub fn dns_server(&self) -> Option<SocketAddr> {
        self.dns_server.parse().ok()
    }

    pub(super) fn validate(&self, check: &mut SectionFaults) {
        if let Some(Err(problem)) = self.url.as_ref().map(SmtpServerAddress::parse) {
            check.add("url", problem);
        }
        if let Some(Err(problem)) = self.imap_url.as_ref().map(MailboxAddress::parse) {
            check.add("imap_url", problem);
        }
        if self.from_name.chars().any(char::is_control) || self.from_name.chars().count() > 100 {
            check.add("from_name", "must be one line of at most 100 characters");
        }
        let mut faults = FieldErrors::default();
        if !self.from_address.is_empty() {
            faults.mail_address("from_address", &self.from_address);
        }
        for fault in faults.into_result().err().unwrap_or_default() {
            check.add("from_address", fault.message);
        }
        let local = self.from_address.rsplit_once('@').map_or("", |(local, _)| local);
        if self.plus_addresses && local.len() > MAX_SENDER_LOCAL_PART {
            check.add(
                "plus_addresses",
                format!("needs a from_address of at most {MAX_SENDER_LOCAL_PART} characters before the @"),
            );
        }
        if self.receive_secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < MIN_SECRET_LENGTH)
        {
            check.add(
                "receive_secret",
                "must have at least 24 characters; `openssl rand -base64 32` prints one",
            );
        }
        if self.authserv_id.chars().any(|c| c.is_whitespace() || c.is_control() || c == ';') {
            check.add("authserv_id", "must be a host name, such as mx.example.org");
        }
        let is_selector = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !self.dkim_selector.chars().all(is_selector) {
            check.add("dkim_selector", "must be a name, such as s1");
        }
        if !self.dns_server.is_empty() && self.dns_server().is_none() {
            check.add("dns_server", "must be an address with a port, such as 192.0.2.1:53");
        }
        check.check_range("timeout_seconds", self.timeout.as_secs(), 1..=300);
        check.check_range("imap_seconds", self.imap_every.as_secs(), 10..=3_600);
        check.check_range("connections", self.connections, 1..=50);
        check.check_range("per_minute", self.per_minute, 1..=100_000);
        check.check_range("digest_minutes", self.digest.as_secs() / 60, 0..=1_440);
    }
}

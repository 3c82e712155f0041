//! Mail: what one says, and the way of it to a mail server.
//!
//! `render` makes texts from values, `message` makes a mail of them as it goes over the wire, `mailer` is the way to the
//! server; `incoming` reads what comes back, and `mailbox` is where it is fetched from. The jobs are elsewhere: `notify::send` sends, as
//! whoever in `notify` has something to say wants it, and `fetch_mail` fetches.
//!
//! To add a mail: a word in `domain::mail::MailKind`, its two templates in `templates/mail/`, its texts in `locales/`, a
//! function in `render`.

pub mod incoming;
mod mailbox;
mod mailer;
mod message;
pub mod render;
mod server_address;

use std::time::Duration as StdDuration;

use chrono::Duration;
use url::{Host, Url};

pub use self::{
    mailbox::{Mailbox, MailboxAddress, MailboxError},
    mailer::{MailError, Mailer, SmtpServerAddress},
    render::RenderedMail,
};
pub(crate) use self::{mailer::MailConnection, message::compose};

/// Mail, as it is set up.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The way to the mail server; `None`: none is set up, and what is to be mailed waits.
    pub mailer: Option<Mailer>,
    /// The name that mails come from.
    pub from_name: String,
    /// The address that they come from.
    pub from_address: String,
    /// Where people reach this installation: for the links in mails.
    pub public_url: Url,
    /// The host in the UIDs of bookings (`storage::installation`).
    pub uid_host: String,
    /// Mails of the whole installation: this far apart on average.
    pub interval: Duration,
    /// ... with this many at once.
    pub burst: u32,
    /// How long what happened waits for more of it, to be told in one mail.
    pub digest: Duration,
    /// How long one mail may take.
    pub timeout: StdDuration,
    /// How long the link works of somebody who wants to sign in.
    pub sign_in_link: Duration,
    /// The mailbox that customers' calendars answer to; `None`: none is read.
    pub mailbox: Option<Mailbox>,
    /// The pause between two looks at it.
    pub mailbox_every: Duration,
    /// The name by which the mail server that mails come from signs what it has found out about their senders (RFC 8601,
    /// 2.5); empty: none is believed.
    pub authserv_id: String,
    /// Whether invitations come from an address with a secret behind a plus sign, to which only who has one can answer.
    pub plus_addresses: bool,
}

impl MailSettings {
    /// Without a mail server: all waits.
    pub fn without_server(public_url: Url) -> Self {
        Self {
            mailer: None,
            from_name: "Concord".to_owned(),
            from_address: default_from_address(&public_url),
            uid_host: host_of(&public_url),
            public_url,
            interval: Duration::seconds(1),
            burst: 10,
            digest: Duration::minutes(2),
            timeout: StdDuration::from_secs(20),
            sign_in_link: Duration::minutes(15),
            mailbox: None,
            mailbox_every: Duration::minutes(1),
            authserv_id: String::new(),
            plus_addresses: false,
        }
    }

    /// Whether there is anything by which the sender of a reply can be believed.
    pub fn believes_replies(&self) -> bool {
        !self.authserv_id.is_empty() || self.plus_addresses
    }

    /// An absolute address for a path that begins with a slash.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// The part of our address that Message-IDs end with.
    pub(crate) fn domain(&self) -> &str {
        domain_of(&self.from_address)
    }
}

/// What stands behind the `@` of an address.
pub(crate) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

/// The public name of this installation.
pub fn host_of(public_url: &Url) -> String {
    public_url.host_str().unwrap_or("localhost").to_owned()
}

/// The address that mails come from where none is set: at the host that people know.
pub fn default_from_address(public_url: &Url) -> String {
    match public_url.host() {
        Some(Host::Domain(domain)) => format!("concord@{domain}"),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => "concord@localhost".to_owned(),
    }
}

/// Whom a mail is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    pub address: String,
    pub name: String,
}

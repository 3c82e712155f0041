//! Mail: what is written to people, and the way of it to a mail server.
//!
//! `render` makes texts from values, `message` makes a mail of them as it goes over the wire, `mailer` is the way to the
//! server, `send` the job. Whoever has something to say writes a mail by `write`, in the transaction that gives rise to
//! it; nothing is sent from anywhere else.
//!
//! To add a mail: a word in `domain::mail::MailKind`, its two templates in `templates/mail/`, a function in `render`.

mod mailer;
mod message;
pub mod render;
pub(crate) mod send;

use std::time::Duration as StdDuration;

use chrono::Duration;
use concord_domain::{
    ids::{BusinessId, new_uuid},
    mail::MailKind,
};
use concord_storage::{
    StorageError, Tx,
    jobs::JobRef,
    mails::{self, NewMail},
};
use url::{Host, Url};

pub use self::{
    mailer::{MailError, Mailer, SmtpServerAddress},
    render::RenderedMail,
};
use crate::Context;

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
    /// Mails of the whole installation: this far apart on average.
    pub interval: Duration,
    /// ... with this many at once.
    pub burst: u32,
    /// How long what happened waits for more of it, to be told in one mail.
    pub digest: Duration,
    /// How long one mail may take.
    pub timeout: StdDuration,
}

impl MailSettings {
    /// Without a mail server: all waits.
    pub fn without_server(public_url: Url) -> Self {
        Self {
            mailer: None,
            from_name: "Concord".to_owned(),
            from_address: default_from_address(&public_url),
            public_url,
            interval: Duration::seconds(1),
            burst: 10,
            digest: Duration::minutes(2),
            timeout: StdDuration::from_secs(20),
        }
    }

    /// An absolute address for a path that begins with a slash.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }

    /// The part of our address that Message-IDs end with.
    fn domain(&self) -> &str {
        self.from_address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }
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
    /// The mailbox.
    pub address: String,
    /// For people.
    pub name: String,
}

/// Writes a mail in the transaction that gives rise to it; the caller pushes what this returns after the commit. `None`: a
/// mail with this key was written before.
pub(crate) async fn write(
    tx: &mut Tx,
    context: &Context,
    (business, kind): (BusinessId, MailKind),
    to: &Recipient,
    rendered: &RenderedMail,
    dedupe_key: &str,
) -> Result<Option<JobRef>, StorageError> {
    let new = NewMail {
        business,
        kind,
        to_address: &to.address,
        to_name: &to.name,
        subject: &rendered.subject,
        text: &rendered.text,
        html: &rendered.html,
        from_domain: context.mail.domain(),
        dedupe_key,
    };
    mails::create(tx, &new, context.clock.now()).await
}

/// Writes a mail that shows whether mail works.
///
/// # Errors
/// What the database says.
pub async fn enqueue_test_mail(
    context: &Context,
    business: BusinessId,
    business_name: &str,
    to: &Recipient,
) -> Result<(), StorageError> {
    let now = context.clock.now();
    let rendered = render::test(business_name, &context.mail.address("/settings/mail"));
    let key = format!("test:{}", new_uuid(now));
    let mut tx = context.db.begin().await?;
    let enqueued = write(&mut tx, context, (business, MailKind::Test), to, &rendered, &key).await?;
    tx.commit().await?;
    context.push(enqueued.as_slice()).await;
    Ok(())
}

//! A mailbox that takes every mail: a mail server over real SMTP, and what came.
//!
//! `smtp` listens and leads one conversation a connection, `command` reads what a client says, `letter` reads a mail for
//! people; here is what is kept. State survives a kill, the port too: whoever was told where it is finds it there again.

mod command;
mod parsed_mail;
mod smtp;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

pub(crate) use parsed_mail::ParsedMail;
pub(crate) use smtp::serve;

use crate::journal::Journal;
use crate::{SandboxError, clock};

/// The oldest go when there are more.
const MAX_MAILS: usize = 2_000;

/// A mail as it came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReceivedMail {
    pub(crate) id: u64,
    pub(crate) received_at: DateTime<Utc>,
    /// Of the envelope; empty for a bounce.
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// In base64: mails may hold any bytes.
    source: String,
}

impl ReceivedMail {
    /// As it went over the wire, dots unstuffed.
    pub(crate) fn source(&self) -> Vec<u8> {
        STANDARD.decode(&self.source).unwrap_or_default()
    }

    /// As people read it.
    pub(crate) fn letter(&self) -> ParsedMail {
        ParsedMail::read(&self.source())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum MailRecord {
    Port {
        port: u16,
    },
    /// The next mail gets this id; written when all are deleted, so that no id comes twice.
    Next {
        id: u64,
    },
    Mail {
        mail: ReceivedMail,
    },
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    inner: Mutex<MailboxState>,
    address: SocketAddr,
    path: PathBuf,
}

#[derive(Debug)]
struct MailboxState {
    mails: VecDeque<Arc<ReceivedMail>>,
    next_id: u64,
    port: u16,
    journal: Journal<MailRecord>,
}

impl MailboxState {
    fn records(&self) -> Vec<MailRecord> {
        let mails = self.mails.iter().map(|mail| MailRecord::Mail { mail: ReceivedMail::clone(mail) });
        let head = [MailRecord::Port { port: self.port }, MailRecord::Next { id: self.next_id }];
        head.into_iter().chain(mails).collect()
    }
}

impl Mailbox {
    /// Reads the journal at `path` and listens at `ip`: at the port of last time if that is free, otherwise at any.
    ///
    /// # Errors
    /// If the file cannot be used, or nothing can be listened on.
    pub(crate) async fn open(path: PathBuf, ip: IpAddr) -> Result<(Self, TcpListener), SandboxError> {
        let (mut mails, mut next_id, mut last_port) = (VecDeque::new(), 1, 0);
        for record in Journal::<MailRecord>::read(&path)? {
            match record {
                MailRecord::Port { port } => last_port = port,
                MailRecord::Next { id } => next_id = next_id.max(id),
                MailRecord::Mail { mail } => {
                    next_id = next_id.max(mail.id + 1);
                    mails.push_back(Arc::new(mail));
                }
            }
        }
        let wanted = SocketAddr::new(ip, last_port);
        let listener = match TcpListener::bind(wanted).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind(SocketAddr::new(ip, 0)).await,
        };
        let listener = listener.map_err(|source| SandboxError::Listen { address: wanted, source })?;
        let address =
            listener.local_addr().map_err(|source| SandboxError::Listen { address: wanted, source })?;
        mails.drain(..mails.len().saturating_sub(MAX_MAILS));
        let journal = Journal::rewrite(&path, &[])?;
        let mut inner = MailboxState { mails, next_id, port: address.port(), journal };
        inner.journal = Journal::rewrite(&path, &inner.records())?;
        Ok((Self { inner: Mutex::new(inner), address, path }, listener))
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address by which it is reached, `smtp://127.0.0.1:PORT?tls=none`.
    pub(crate) fn url(&self) -> String {
        let ip = self.address.ip();
        let loopback: IpAddr = [127, 0, 0, 1].into();
        let ip = if ip.is_unspecified() { loopback } else { ip };
        format!("smtp://{}?tls=none", SocketAddr::new(ip, self.port()))
    }

    /// Keeps a mail. Returns its id.
    fn take(&self, from: String, to: Vec<String>, source: &[u8]) -> std::io::Result<u64> {
        let mut inner = self.lock();
        let id = inner.next_id;
        let mail = ReceivedMail { id, received_at: clock::now(), from, to, source: STANDARD.encode(source) };
        inner.journal.append(&[MailRecord::Mail { mail: mail.clone() }])?;
        inner.next_id += 1;
        inner.mails.push_back(Arc::new(mail));
        if inner.mails.len() > MAX_MAILS {
            inner.mails.pop_front();
        }
        Ok(id)
    }

    /// All that came, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<ReceivedMail>> {
        self.lock().mails.iter().map(Arc::clone).collect()
    }

    pub(crate) fn find(&self, id: u64) -> Option<Arc<ReceivedMail>> {
        self.lock().mails.iter().find(|mail| mail.id == id).map(Arc::clone)
    }

    /// Throws all mails away.
    ///
    /// # Errors
    /// If that cannot be written down; then they are still there.
    pub(crate) fn clear(&self) -> Result<(), SandboxError> {
        let mut inner = self.lock();
        let mails = std::mem::take(&mut inner.mails);
        match Journal::rewrite(&self.path, &inner.records()) {
            Ok(journal) => inner.journal = journal,
            Err(error) => {
                inner.mails = mails;
                return Err(error);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, MailboxState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The mail server: one conversation a connection, as RFC 5321 has it, with SIZE, 8BITMIME and PIPELINING.
//!
//! It takes mail for everybody and asks for no password, but takes one. Faults hit when a mail has been given: that is
//! where they hurt.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Mailbox;
use super::command::{SmtpCommand, SmtpCommandError, read};
use crate::faults::{FaultKind, FaultRequest, FaultTarget};
use crate::server::SandboxServer;

/// The largest mail, in bytes.
const MAX_MESSAGE_BYTES: usize = 25 * 1024 * 1024;
/// RFC 5321, section 4.5.3.1.4 asks for 512 at least.
const MAX_LINE_BYTES: u64 = 2_048;
/// RFC 5321, section 4.5.3.1.8.
const MAX_RECIPIENTS: usize = 100;
/// Who says nothing for so long is gone (RFC 5321, section 4.5.3.2.7).
const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);
const MAX_SESSIONS: usize = 200;
/// How long a client is left without an answer; it gives up sooner.
const MAX_DELAY: Duration = Duration::from_mins(1);

const TOO_LARGE: &str = "552 5.3.4 the mail is too large";

/// Takes connections until the sandbox stops.
pub(crate) async fn serve(mailbox: Arc<Mailbox>, server: Arc<SandboxServer>, listener: TcpListener) {
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = server.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((mut stream, _)) if conversations.len() >= MAX_SESSIONS => {
                let _gone = stream.write_all(b"421 4.7.0 too many connections\r\n").await;
            }
            Ok((stream, _)) => {
                let session = SmtpSession::new(Arc::clone(&mailbox), Arc::clone(&server), stream);
                conversations.spawn(async move {
                    if let Err(error) = session.lead().await {
                        tracing::debug!(%error, "a mail client went away");
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a mail client could not connect");
                // Out of file descriptors, most likely: others must close first.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Who a mail is from and for, as far as it was said.
#[derive(Default)]
struct SmtpEnvelope {
    from: Option<String>,
    to: Vec<String>,
}

struct SmtpSession {
    mailbox: Arc<Mailbox>,
    server: Arc<SandboxServer>,
    stream: BufReader<TcpStream>,
    greeted: bool,
    envelope: SmtpEnvelope,
}

/// What follows an answer.
enum SmtpStep {
    Line,
    End,
}

fn refusal(refusal: SmtpCommandError) -> &'static str {
    match refusal {
        SmtpCommandError::Unknown => "500 5.5.1 there is no such command",
        SmtpCommandError::Syntax => "501 5.5.4 the command cannot be read",
        SmtpCommandError::Parameter => "504 5.5.4 that is not a known field",
    }
}

impl SmtpSession {
    fn new(mailbox: Arc<Mailbox>, server: Arc<SandboxServer>, stream: TcpStream) -> Self {
        let (stream, envelope) = (BufReader::new(stream), SmtpEnvelope::default());
        Self { mailbox, server, stream, greeted: false, envelope }
    }

    async fn lead(mut self) -> io::Result<()> {
        self.say("220 sandbox.invalid ESMTP: mail that comes here goes no further").await?;
        loop {
            let Some(line) = self.line().await? else { return Ok(()) };
            let Ok(line) = line else {
                self.say("500 5.5.6 the line is too long, or no text").await?;
                return Ok(());
            };
            let next = match read(&line) {
                Ok(command) => self.obey(command).await?,
                Err(refused) => {
                    self.say(refusal(refused)).await?;
                    SmtpStep::Line
                }
            };
            if matches!(next, SmtpStep::End) {
                return self.stream.get_mut().shutdown().await;
            }
        }
    }

    async fn obey(&mut self, command: SmtpCommand) -> io::Result<SmtpStep> {
        let answer: &str = match command {
            SmtpCommand::Hello { extended } => {
                (self.greeted, self.envelope) = (true, SmtpEnvelope::default());
                if extended {
                    &format!(
                        "250-sandbox.invalid\r\n250-SIZE {MAX_MESSAGE_BYTES}\r\n250-8BITMIME\r\n250-PIPELINING\r\n\
                         250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN"
                    )
                } else {
                    "250 sandbox.invalid"
                }
            }
            SmtpCommand::Mail { .. } if !self.greeted => "503 5.5.1 say EHLO first",
            SmtpCommand::Mail { .. } if self.envelope.from.is_some() => "503 5.5.1 a mail is under way",
            SmtpCommand::Mail { size: Some(size), .. } if size > MAX_MESSAGE_BYTES => TOO_LARGE,
            SmtpCommand::Mail { from, .. } => {
                self.envelope.from = Some(from);
                "250 2.1.0 ok"
            }
            SmtpCommand::Recipient(_) if self.envelope.from.is_none() => "503 5.5.1 say MAIL first",
            SmtpCommand::Recipient(_) if self.envelope.to.len() >= MAX_RECIPIENTS => {
                "452 4.5.3 too many recipients"
            }
            SmtpCommand::Recipient(to) => {
                self.envelope.to.push(to);
                "250 2.1.5 ok"
            }
            SmtpCommand::Data if self.envelope.to.is_empty() => "503 5.5.1 say MAIL and RCPT first",
            SmtpCommand::Data => return self.data().await,
            SmtpCommand::Reset => {
                self.envelope = SmtpEnvelope::default();
                "250 2.0.0 forgotten"
            }
            SmtpCommand::Nothing => "250 2.0.0 ok",
            SmtpCommand::AuthPlain(first) => self.auth(first).await?,
            SmtpCommand::Quit => {
                self.say("221 2.0.0 bye").await?;
                return Ok(SmtpStep::End);
            }
        };
        self.say(answer).await?;
        Ok(SmtpStep::Line)
    }

    /// RFC 4616: any user with any password is right, and something that is neither is wrong.
    async fn auth(&mut self, first: Option<String>) -> io::Result<&'static str> {
        let answer = if let Some(first) = first {
            first
        } else {
            self.say("334 ").await?;
            self.line().await?.and_then(Result::ok).unwrap_or_default()
        };
        let decoded = STANDARD.decode(answer.trim()).unwrap_or_default();
        let is_plain = decoded.split(|byte| *byte == 0).count() == 3;
        Ok(if is_plain { "235 2.7.0 welcome" } else { "501 5.5.2 that is no PLAIN" })
    }

    /// Takes the mail itself.
    async fn data(&mut self) -> io::Result<SmtpStep> {
        self.say("354 go on").await?;
        let Some(source) = self.body().await? else { return Ok(SmtpStep::End) };
        let SmtpEnvelope { from, to } = std::mem::take(&mut self.envelope);
        if source.len() > MAX_MESSAGE_BYTES {
            self.say(TOO_LARGE).await?;
            return Ok(SmtpStep::Line);
        }
        let target = FaultRequest::of(FaultTarget::Mailbox, to.first().map(String::as_str));
        let verdict = self.server.faults.strike(target);
        let _ended = self.server.hold(verdict.latency).await;
        let kind = verdict.fault.map(|strike| strike.kind);
        let answer: &str = match kind {
            Some(FaultKind::RateLimit) => "451 4.7.1 too much mail; try again later",
            Some(FaultKind::ServerError) => "554 5.7.1 the mail is not wanted",
            Some(FaultKind::Timeout) => {
                let _ended = self.server.hold(MAX_DELAY).await;
                return Ok(SmtpStep::End);
            }
            _ => match self.mailbox.take(from.unwrap_or_default(), to, &source) {
                Ok(_) if kind == Some(FaultKind::ApplyThenDrop) => return Ok(SmtpStep::End),
                Ok(id) => &format!("250 2.0.0 kept as {id}"),
                Err(error) => {
                    tracing::error!(%error, "the sandbox cannot write its mails");
                    "451 4.3.0 it cannot be kept"
                }
            },
        };
        self.say(answer).await?;
        Ok(SmtpStep::Line)
    }

    /// Up to the line that holds one dot alone; a dot that begins a line was doubled on the way (RFC 5321, section
    /// 4.5.2). What is too large is read to its end and not kept. `None`: the client went away.
    async fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut source = Vec::new();
        loop {
            let line = self.bytes(MAX_MESSAGE_BYTES as u64).await?;
            if line.is_empty() {
                return Ok(None);
            }
            if line == b".\r\n" {
                return Ok(Some(source));
            }
            if source.len() <= MAX_MESSAGE_BYTES {
                source.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
    }

    /// The next line without its end. `None`: there is none any more; `Err` inside: it is no line that can be read.
    async fn line(&mut self) -> io::Result<Option<Result<String, ()>>> {
        let line = self.bytes(MAX_LINE_BYTES).await?;
        if line.is_empty() {
            return Ok(None);
        }
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(Some(Err(()))) };
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Ok(Some(String::from_utf8(text.to_vec()).map_err(|_| ())))
    }

    /// The bytes up to the end of a line, or so many of them; none when the client has gone.
    async fn bytes(&mut self, most: u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut part = (&mut self.stream).take(most);
        let reading = part.read_until(b'\n', &mut line);
        tokio::time::timeout(COMMAND_TIMEOUT, reading).await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(line)
    }

    async fn say(&mut self, words: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{words}\r\n").as_bytes()).await
    }
}

//! What goes wrong with a provider, whichever it is.

use base64::{Engine, engine::general_purpose::STANDARD};
use concord_domain::connection::ProviderKind;
use concord_testing::ProxyFault;
use http::Method;
use serde_json::{Value, json};

use crate::provider_sandbox::ProviderSandbox;

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadResponse {
    /// A page for a browser, with a status that all is well.
    Html,
    /// Half of it, as if it were all.
    Half,
    /// It says that it is plain text.
    WrongType,
    /// More than anybody wants to read.
    Huge,
    /// It sends us to another host.
    Elsewhere,
    /// Its list goes on at another host.
    NextElsewhere,
}

impl BadResponse {
    /// Those that a provider can give.
    pub(super) fn all(kind: ProviderKind) -> Vec<Self> {
        let mut all = vec![Self::Html, Self::Half, Self::WrongType, Self::Huge, Self::Elsewhere];
        // Its lists alone name whole addresses.
        all.extend((kind == ProviderKind::Microsoft).then_some(Self::NextElsewhere));
        all
    }
}

/// How a single call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFault {
    /// The server is busy, and says so.
    Busy,
    /// Nothing of it arrives, and no answer comes.
    Lost,
    /// It is carried out, and the answer is lost.
    AnswerLost,
}

/// More than the client is ready to read.
const HUGE: usize = 33 << 20;

impl ProviderSandbox {
    /// The next answer to a call is a bad one.
    pub(super) async fn answers_badly(&self, bad: BadResponse) {
        if self.kind() == ProviderKind::Caldav {
            return self.radicale().proxy.fail_next(self.proxy_fault(bad));
        }
        let kind = match bad {
            BadResponse::Html => "html_answer",
            BadResponse::Half => "truncated_json",
            BadResponse::WrongType => "wrong_content_type",
            BadResponse::Huge => "huge_answer",
            BadResponse::Elsewhere => "redirect_elsewhere",
            BadResponse::NextElsewhere => "foreign_next_link",
        };
        self.fault(json!({ "kind": kind, "count": 1 })).await;
    }

    fn proxy_fault(&self, bad: BadResponse) -> ProxyFault {
        let answer = |status: &str, headers: String, body: String| ProxyFault::Answer {
            status: status.to_owned(),
            headers,
            body,
        };
        match bad {
            BadResponse::Html => {
                let page = "<!doctype html><title>Sign in to the network</title><p>Accept the terms of use.";
                answer("200 OK", "Content-Type: text/html\r\nETag: \"page\"\r\n".to_owned(), page.to_owned())
            }
            BadResponse::Half => ProxyFault::Halve,
            BadResponse::WrongType => ProxyFault::PlainText,
            BadResponse::Huge => {
                let mut body = r#"<multistatus xmlns="DAV:"><!--"#.to_owned();
                body.extend(std::iter::repeat_n('x', HUGE));
                body.push_str("--></multistatus>");
                answer("207 Multi-Status", "Content-Type: application/xml\r\n".to_owned(), body)
            }
            BadResponse::Elsewhere | BadResponse::NextElsewhere => {
                let elsewhere = self.address("/elsewhere/next").replace("127.0.0.1", "localhost");
                answer("302 Found", format!("Location: {elsewhere}\r\n"), String::new())
            }
        }
    }

    /// The call after so many others goes wrong.
    pub(super) async fn fails_after(&self, skip: u64, fault: CallFault) {
        if self.kind() == ProviderKind::Caldav {
            let fault = match fault {
                CallFault::Busy => ProxyFault::Answer {
                    status: "503 Service Unavailable".to_owned(),
                    headers: String::new(),
                    body: String::new(),
                },
                CallFault::Lost => ProxyFault::Drop,
                CallFault::AnswerLost => ProxyFault::ApplyThenDrop,
            };
            return self.radicale().proxy.fails_after(skip, fault);
        }
        let kind = match fault {
            CallFault::Busy => "server_error",
            CallFault::Lost => "timeout",
            CallFault::AnswerLost => "apply_then_drop",
        };
        self.fault(json!({ "kind": kind, "count": 1, "skip": skip })).await;
    }

    /// A person gives an entry of ours another title, in the place of `title`.
    pub(super) async fn person_renames(&self, email: &str, id: &str, (title, other): (&str, &str)) {
        if self.kind() == ProviderKind::Caldav {
            let object = self.person(email).gets(id).await;
            let renamed = object.replacen(title, other, 1);
            assert_ne!(object, renamed, "it does not say {title}");
            return self.person(email).puts(id, &renamed).await;
        }
        let seen = self.one_seen_by(email).await;
        self.person_changes(email, id, json!({ "title": seen.title.replace(title, other) })).await;
    }

    /// How many of the bad answers have been given.
    pub(super) async fn bad_answers(&self) -> u64 {
        match self.kind() {
            ProviderKind::Caldav => self.radicale().proxy.failed(),
            ProviderKind::Google | ProviderKind::Microsoft => self.hits().await,
        }
    }

    /// Who has come to where nobody has any business.
    pub(crate) async fn visits_elsewhere(&self) -> Vec<Value> {
        self.exchanges_of("elsewhere").await
    }

    /// Counts the calls from now on, those to the token endpoint too.
    pub(super) async fn begin_to_count(&self) -> CallCount {
        if self.kind() == ProviderKind::Caldav {
            return CallCount(self.radicale().proxy.seen());
        }
        self.no_faults().await;
        // Recorded traffic knows nothing of tokens. A delay of no time strikes every call.
        self.fault(json!({ "kind": "latency_ms", "value": 0 })).await;
        CallCount(0)
    }

    /// How many calls have come since.
    pub(super) async fn counted(&self, since: &CallCount) -> u64 {
        match self.kind() {
            ProviderKind::Caldav => self.radicale().proxy.seen() - since.0,
            ProviderKind::Google | ProviderKind::Microsoft => self.hits().await - since.0,
        }
    }

    /// The owner of the account takes back what they have given: the consent, or the password.
    pub(super) async fn shut_out(&self, email: &str) {
        if self.kind() == ProviderKind::Caldav {
            return self.radicale().set_password(email, "another-pass-word-5678");
        }
        let fault = json!({ "kind": "revoke_grant", "account": email, "count": 1 });
        self.fault(fault).await;
    }

    /// The owner of the account makes a further calendar; the provider's id of it.
    pub(super) async fn further_calendar(&self, email: &str) -> String {
        if self.kind() == ProviderKind::Caldav {
            let path = self.radicale().calendar_of(email).replace("/calendar/", "/rota/");
            self.person(email).make_calendar(&path).await;
            return path;
        }
        self.calendar(email, "Rota").await
    }

    /// The owner of the account deletes that for good.
    pub(super) async fn further_calendar_is_deleted(&self, email: &str, id: &str) {
        match self.kind() {
            ProviderKind::Caldav => self.person(email).deletes(id).await,
            ProviderKind::Google | ProviderKind::Microsoft => self.delete_calendar(id).await,
        }
    }

    /// What must never be shown: every secret that was ever given out, as it is and as it travels.
    pub(super) fn all_secrets(&self) -> Vec<String> {
        if self.kind() != ProviderKind::Caldav {
            return self.secrets();
        }
        let passwords = self.radicale().all_passwords();
        let travelling =
            |(user, password): (String, String)| [STANDARD.encode(format!("{user}:{password}")), password];
        passwords.into_iter().flat_map(travelling).collect()
    }

    async fn exchanges_of(&self, provider: &str) -> Vec<Value> {
        let url = self.address(&format!("/control/requests?provider={provider}"));
        let request = http::Request::builder().method(Method::GET).uri(url).body(bytes::Bytes::new());
        let lines = self.send(request.expect("a request")).await.body;
        let lines = std::str::from_utf8(&lines).expect("text");
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// Where a count began.
#[derive(Debug)]
pub(super) struct CallCount(u64);

//! What a mail client says, line by line (RFC 5321, section 4.1.1).

/// A command that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SmtpCommand {
    /// `EHLO`; `HELO`, which gets no list of extensions.
    Hello {
        extended: bool,
    },
    /// `MAIL FROM:<...>`, with the size that was announced.
    Mail {
        from: String,
        size: Option<usize>,
    },
    Recipient(String),
    Data,
    Reset,
    Nothing,
    Quit,
    /// `AUTH PLAIN`, with its first answer if it came along.
    AuthPlain(Option<String>),
}

/// What a line is refused with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmtpCommandError {
    /// There is no such command.
    Unknown,
    /// It is known, but not with these words.
    Syntax,
    /// It says something of the mail that we do not know.
    Parameter,
}

/// Reads a line without its end.
pub(super) fn read(line: &str) -> Result<SmtpCommand, SmtpCommandError> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" | "HELO" if rest.is_empty() => Err(SmtpCommandError::Syntax),
        "EHLO" => Ok(SmtpCommand::Hello { extended: true }),
        "HELO" => Ok(SmtpCommand::Hello { extended: false }),
        "MAIL" => mail(rest),
        "RCPT" => match path_after(rest, "TO:") {
            Some((address, "")) if !address.is_empty() => Ok(SmtpCommand::Recipient(address)),
            Some((_, parameters)) if !parameters.is_empty() => Err(SmtpCommandError::Parameter),
            _ => Err(SmtpCommandError::Syntax),
        },
        "DATA" if rest.is_empty() => Ok(SmtpCommand::Data),
        "RSET" if rest.is_empty() => Ok(SmtpCommand::Reset),
        "QUIT" if rest.is_empty() => Ok(SmtpCommand::Quit),
        "DATA" | "RSET" | "QUIT" => Err(SmtpCommandError::Syntax),
        "NOOP" => Ok(SmtpCommand::Nothing),
        "AUTH" => auth(rest),
        _ => Err(SmtpCommandError::Unknown),
    }
}

fn mail(rest: &str) -> Result<SmtpCommand, SmtpCommandError> {
    let (from, parameters) = path_after(rest, "FROM:").ok_or(SmtpCommandError::Syntax)?;
    let mut size = None;
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" => size = Some(value.parse().map_err(|_| SmtpCommandError::Syntax)?),
            "BODY" if matches!(value.to_ascii_uppercase().as_str(), "7BIT" | "8BITMIME") => {}
            _ => return Err(SmtpCommandError::Parameter),
        }
    }
    Ok(SmtpCommand::Mail { from, size })
}

fn auth(rest: &str) -> Result<SmtpCommand, SmtpCommandError> {
    let (mechanism, first) = rest.split_once(' ').unwrap_or((rest, ""));
    if !mechanism.eq_ignore_ascii_case("PLAIN") {
        return Err(SmtpCommandError::Parameter);
    }
    Ok(SmtpCommand::AuthPlain((!first.is_empty()).then(|| first.to_owned())))
}

/// The address between the brackets behind `prefix`, and what follows it.
fn path_after<'a>(rest: &'a str, prefix: &str) -> Option<(String, &'a str)> {
    let head = rest.get(..prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) {
        return None;
    }
    let (address, rest) = rest[prefix.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    let plain = address.chars().all(|c| !c.is_control() && !matches!(c, '<' | ' '));
    (plain && (address.is_empty() || address.contains('@'))).then(|| (address.to_owned(), rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_clients_write_them() {
        let mail = |from: &str, size| Ok(SmtpCommand::Mail { from: from.into(), size });
        for (line, expected) in [
            ("EHLO me.example", Ok(SmtpCommand::Hello { extended: true })),
            ("helo [127.0.0.1]", Ok(SmtpCommand::Hello { extended: false })),
            ("EHLO", Err(SmtpCommandError::Syntax)),
            ("MAIL FROM:<a@b.example> SIZE=12 BODY=8BITMIME", mail("a@b.example", Some(12))),
            ("mail from: <>", mail("", None)),
            ("MAIL FROM:<a@b.example> SMTPUTF8", Err(SmtpCommandError::Parameter)),
            ("MAIL FROM:a@b.example", Err(SmtpCommandError::Syntax)),
            ("RCPT TO:<c@d.example>", Ok(SmtpCommand::Recipient("c@d.example".into()))),
            ("RCPT TO:<>", Err(SmtpCommandError::Syntax)),
            ("RCPT TO:<c@d.example> NOTIFY=NEVER", Err(SmtpCommandError::Parameter)),
            ("DATA", Ok(SmtpCommand::Data)),
            ("DATA now", Err(SmtpCommandError::Syntax)),
            ("AUTH PLAIN AGEAYg==", Ok(SmtpCommand::AuthPlain(Some("AGEAYg==".into())))),
            ("AUTH CRAM-MD5", Err(SmtpCommandError::Parameter)),
            ("VRFY ana", Err(SmtpCommandError::Unknown)),
            ("", Err(SmtpCommandError::Unknown)),
        ] {
            assert_eq!(read(line), expected, "{line:?}");
        }
    }
}

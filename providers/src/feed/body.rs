//! Reads what comes, packed or not, and stops as soon as it is too much: a small answer can unpack to a very large one.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};

use super::error::FeedError;
use crate::http::HttpCallError;

/// How far into a body a calendar may begin, behind what a careless script put before it.
const PREAMBLE: usize = 64 * 1024;

/// A body that is coming.
pub(super) struct FeedBodyReader {
    form: BodyDecoder,
    /// Bytes that came over the wire.
    came: usize,
    limit: usize,
}

enum BodyDecoder {
    Plain(LimitedBuffer),
    Gzip(Box<MultiGzDecoder<LimitedBuffer>>),
}

/// Takes no more than a number of bytes.
struct LimitedBuffer {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for LimitedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FeedBodyReader {
    /// One of at most `limit` bytes, on the wire and unpacked.
    pub(super) fn of(headers: &HeaderMap, limit: usize) -> Result<Self, FeedError> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
            return Err(FeedError::TooLarge { limit });
        }
        let bounded = LimitedBuffer { bytes: Vec::new(), limit };
        let form = if is_gzip(headers)? {
            BodyDecoder::Gzip(Box::new(MultiGzDecoder::new(bounded)))
        } else {
            BodyDecoder::Plain(bounded)
        };
        Ok(Self { form, came: 0, limit })
    }

    /// Reads it to its end.
    pub(super) async fn read(mut self, mut response: reqwest::Response) -> Result<Bytes, FeedError> {
        while let Some(chunk) = response.chunk().await.map_err(HttpCallError::from)? {
            self.came += chunk.len();
            if self.came > self.limit {
                return Err(FeedError::TooLarge { limit: self.limit });
            }
            let taken = match &mut self.form {
                BodyDecoder::Plain(bounded) => bounded.write_all(&chunk),
                BodyDecoder::Gzip(decoder) => decoder.write_all(&chunk),
            };
            taken.map_err(|error| self.fault(&error))?;
        }
        self.finish()
    }

    fn finish(self) -> Result<Bytes, FeedError> {
        let (came, limit) = (self.came, self.limit);
        let bounded = match self.form {
            BodyDecoder::Plain(bounded) => bounded,
            // Nothing at all is an empty body, whatever was said of it.
            BodyDecoder::Gzip(_) if came == 0 => LimitedBuffer { bytes: Vec::new(), limit },
            BodyDecoder::Gzip(decoder) => decoder.finish().map_err(|error| fault(&error, limit))?,
        };
        if bounded.bytes.starts_with(&[0x1F, 0x8B]) {
            return Err(FeedError::Packed("gzip"));
        }
        if bounded.bytes.starts_with(b"PK\x03\x04") {
            return Err(FeedError::Packed("zip"));
        }
        Ok(bounded.bytes.into())
    }

    fn fault(&self, error: &io::Error) -> FeedError {
        fault(error, self.limit)
    }
}

fn fault(error: &io::Error, limit: usize) -> FeedError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => FeedError::TooLarge { limit },
        _ => FeedError::CutShort,
    }
}

/// Only gzip is asked for; some pack as they like all the same.
fn is_gzip(headers: &HeaderMap) -> Result<bool, FeedError> {
    let mut packed = false;
    for value in headers.get_all(CONTENT_ENCODING) {
        for coding in value.to_str().unwrap_or("unknown").split(',') {
            match coding.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" if !packed => packed = true,
                "gzip" | "x-gzip" => return Err(FeedError::Packed("twice")),
                "br" => return Err(FeedError::Packed("br")),
                "deflate" => return Err(FeedError::Packed("deflate")),
                "zstd" => return Err(FeedError::Packed("zstd")),
                _ => return Err(FeedError::Packed("unknown")),
            }
        }
    }
    Ok(packed)
}

/// Whether it is a page for people. A calendar is one whatever it is called, and though a warning of the script that made
/// it stands before it.
pub(super) fn is_web_page(content_type: &str, bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(PREAMBLE)];
    let begins = b"BEGIN:VCALENDAR";
    if start.windows(begins.len()).any(|window| window.eq_ignore_ascii_case(begins)) {
        return false;
    }
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml") {
        return true;
    }
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    ["<!doctype html", "<html", "<head", "<body", "<!--", "<script"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_from_a_calendar_by_what_it_says() {
        for (content_type, bytes, expected) in [
            ("text/html; charset=utf-8", "Sign in", true),
            ("application/xhtml+xml", "<?xml version='1.0'?><html/>", true),
            ("text/calendar", "\u{feff}\n<!DOCTYPE html><title>Sign in</title>", true),
            ("", "<HTML>", true),
            ("text/plain", "", false),
            ("text/html", "", true),
            ("text/html", "BEGIN:VCALENDAR\r\n", false),
            ("text/html", "<br />\n<b>Warning</b>: date()\nbegin:vcalendar\r\n", false),
            ("application/octet-stream", "\u{feff}BEGIN:VCALENDAR", false),
            ("text/plain", "no calendar, but no page either", false),
        ] {
            assert_eq!(is_web_page(content_type, bytes.as_bytes()), expected, "{content_type} {bytes}");
        }
    }
}

//! What a person sends to be taken over: an address, or a file.
//!
//! Between the preview and the import the browser keeps the file for us, packed: no server has to remember it, and the
//! import does what was shown.

use std::io::{Read, Write};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Multipart, Request},
    http::{HeaderMap, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::super::{PageError, cookies::SessionToken, csrf::FIELD};
use crate::app::App;

/// A file is no larger than a feed may be; what is around it in a form is small.
pub(in crate::http::pages) const MAX_UPLOAD_BYTES: usize = 11 * 1024 * 1024;

/// A page stays small: a file that is larger when it is packed has to be chosen once more.
const MAX_INLINE_BYTES: usize = 40 * 1024;

/// What a person wants to be taken over.
#[derive(Clone, Debug, Default)]
pub(super) struct CalendarImportForm {
    pub platform: String,
    pub resource: String,
    pub address: String,
    pub file: Option<Bytes>,
    /// Ticked: it is of that platform, whatever it seems to be.
    pub confirmed: bool,
}

pub(super) async fn read_form(app: &App, request: Request) -> Result<CalendarImportForm, PageError> {
    let malformed = |_| PageError::Malformed("a form that cannot be read".to_owned());
    let mut form = Multipart::from_request(request, app)
        .await
        .map_err(|rejection| PageError::Malformed(rejection.body_text()))?;
    let mut wish = CalendarImportForm::default();
    // What comes in parts and ends in the middle was too long.
    while let Some(part) = form.next_field().await.map_err(|_| PageError::TooLarge)? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "platform" => wish.platform = part.text().await.map_err(malformed)?,
            "resource" => wish.resource = part.text().await.map_err(malformed)?,
            "address" => part.text().await.map_err(malformed)?.trim().clone_into(&mut wish.address),
            "file" => {
                let bytes = part.bytes().await.map_err(|_| PageError::TooLarge)?;
                // Browsers send a field without a file as an empty one.
                wish.file = Some(bytes).filter(|bytes| !bytes.is_empty()).or(wish.file);
            }
            "confirmed" => wish.confirmed = part.text().await.map_err(malformed)? == "yes",
            "kept" => wish.file = wish.file.or(decode_file(&part.text().await.map_err(malformed)?)?),
            _ => {}
        }
    }
    Ok(wish)
}

/// A file as a page can keep it; `None`: it is too large for that.
pub(super) fn encode_file(file: &[u8]) -> Option<String> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(file).ok()?;
    let text = STANDARD.encode(packer.finish().ok()?);
    (text.len() <= MAX_INLINE_BYTES).then_some(text)
}

fn decode_file(text: &str) -> Result<Option<Bytes>, PageError> {
    if text.is_empty() {
        return Ok(None);
    }
    let malformed = || PageError::Malformed("a file that no page of ours has kept".to_owned());
    let bytes = STANDARD.decode(text).map_err(|_| malformed())?;
    let mut file = Vec::new();
    let most = u64::try_from(MAX_UPLOAD_BYTES).unwrap_or(u64::MAX);
    GzDecoder::new(bytes.as_slice()).take(most).read_to_end(&mut file).map_err(|_| malformed())?;
    Ok(Some(file.into()))
}

/// The token of the session is the first part of a form; no more of it is looked at.
const LOOKED_AT: usize = 4096;

/// Whether a form in parts carries the token of the session, as its first part.
pub(in crate::http::pages) async fn carries_token(
    headers: &HeaderMap,
    form: &Bytes,
    token: &SessionToken,
) -> bool {
    let mut start = Request::new(Body::from(form.slice(..form.len().min(LOOKED_AT))));
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return false };
    start.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    let Ok(mut parts) = Multipart::from_request(start, &()).await else { return false };
    let Ok(Some(first)) = parts.next_field().await else { return false };
    first.name() == Some(FIELD) && first.text().await.is_ok_and(|sent| token.is_form_token(&sent))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_file_comes_back_as_it_was_kept() {
        let file = "BEGIN:VCALENDAR\r\nSUMMARY:Gäste\r\n".repeat(500);
        let kept = encode_file(file.as_bytes()).unwrap();
        assert_eq!(decode_file(&kept).unwrap().unwrap(), file.as_bytes());
        assert_eq!(decode_file("").unwrap(), None);
        assert!(decode_file("no such thing").is_err());
        let noise: Vec<u8> =
            (0..60_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(encode_file(&noise), None);
    }

    #[tokio::test]
    async fn the_token_is_the_first_part() {
        let token = SessionToken::new();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=edge"));
        let part = |name: &str, value: &str| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let right = part(FIELD, &token.form_token());
        let file = part("file", &"x".repeat(100_000));
        for (form, is_ours) in [
            (format!("{right}{file}--edge--\r\n"), true),
            (format!("{file}{right}--edge--\r\n"), false),
            (format!("{}{file}--edge--\r\n", part(FIELD, "guessed")), false),
            ("--edge--\r\n".to_owned(), false),
        ] {
            assert_eq!(carries_token(&headers, &form.into(), &token).await, is_ours);
        }
        assert!(!carries_token(&HeaderMap::new(), &right.into(), &token).await);
    }
}

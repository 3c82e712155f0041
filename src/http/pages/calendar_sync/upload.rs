//! What a person sends to be taken over: an address, or a file.
//!
//! Between the preview and the import the browser keeps the file for us, packed: no server has to remember it, and the
//! import does what was shown.

use std::io::{Read, Write};

use axum::{
    body::Bytes,
    extract::{FromRequest, Multipart, Request},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::app::App;
use crate::http::pages::{PageError, PageResult};

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

pub(super) async fn read_form(app: &App, request: Request) -> PageResult<CalendarImportForm> {
    let malformed = |_| PageError::Malformed("a form that cannot be read".to_owned());
    let mut parts = Multipart::from_request(request, app)
        .await
        .map_err(|rejection| PageError::Malformed(rejection.body_text()))?;
    let most = app.config.max_upload_bytes();
    let mut form = CalendarImportForm::default();
    // What comes in parts and ends in the middle was too long.
    while let Some(part) = parts.next_field().await.map_err(|_| PageError::TooLarge)? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "platform" => form.platform = part.text().await.map_err(malformed)?,
            "resource" => form.resource = part.text().await.map_err(malformed)?,
            "address" => part.text().await.map_err(malformed)?.trim().clone_into(&mut form.address),
            "file" => {
                let bytes = part.bytes().await.map_err(|_| PageError::TooLarge)?;
                // Browsers send a field without a file as an empty one.
                form.file = Some(bytes).filter(|bytes| !bytes.is_empty()).or(form.file);
            }
            "confirmed" => form.confirmed = part.text().await.map_err(malformed)? == "yes",
            "kept" => form.file = form.file.or(decode_file(&part.text().await.map_err(malformed)?, most)?),
            _ => {}
        }
    }
    Ok(form)
}

/// A file as a page can keep it; `None`: it is too large for that.
pub(super) fn encode_file(file: &[u8]) -> Option<String> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(file).ok()?;
    let text = STANDARD.encode(packer.finish().ok()?);
    (text.len() <= MAX_INLINE_BYTES).then_some(text)
}

/// `most`: bytes of the file.
fn decode_file(text: &str, most: usize) -> PageResult<Option<Bytes>> {
    if text.is_empty() {
        return Ok(None);
    }
    let malformed = || PageError::Malformed("a file that no page of ours has kept".to_owned());
    let bytes = STANDARD.decode(text).map_err(|_| malformed())?;
    let mut file = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    GzDecoder::new(bytes.as_slice()).take(most).read_to_end(&mut file).map_err(|_| malformed())?;
    Ok(Some(file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_as_it_was_kept() {
        let file = "BEGIN:VCALENDAR\r\nSUMMARY:Gäste\r\n".repeat(500);
        let kept = encode_file(file.as_bytes()).unwrap();
        assert_eq!(decode_file(&kept, 100_000).unwrap().unwrap(), file.as_bytes());
        assert_eq!(decode_file("", 1).unwrap(), None);
        assert!(decode_file("no such thing", 1).is_err());
        let noise: Vec<u8> =
            (0..60_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(encode_file(&noise), None);
    }
}

//! Which forms may carry a file, and how large it may be.

/// A file is no larger than a feed may be; what is around it in a form is small.
pub(super) const MAX_UPLOAD_BYTES: usize = 11 * 1024 * 1024;

/// What an import would do.
pub(super) const PREVIEW: &str = "/calendar-sync/preview";
pub(super) const IMPORT: &str = "/calendar-sync/import";

/// Whether what is sent there may be as large as a calendar, in parts.
pub(super) fn accepts_upload(path: &str) -> bool {
    [PREVIEW, IMPORT].contains(&path)
}

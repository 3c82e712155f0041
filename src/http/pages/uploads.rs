//! Which forms may carry a file.

/// What an import would do.
pub(super) const PREVIEW: &str = "/calendar-sync/preview";
pub(super) const IMPORT: &str = "/calendar-sync/import";
/// Where a business gives its logo.
pub(super) const LOGO: &str = "/settings/emails/logo";

/// Whether what is sent there may be as large as a calendar, in parts.
pub(super) fn accepts_upload(path: &str) -> bool {
    [PREVIEW, IMPORT, LOGO].contains(&path)
}

//! How mails to a business's customers look: its own words, and its logo.

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::BusinessId,
    language::Language,
    mail::MailKind,
    mail_text::{LogoFormat, MailTexts},
};

use crate::{Db, Result, Tx, column::sqlx, secret};

/// The words for mails of one kind and language.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct BusinessMailTexts {
    pub kind: MailKind,
    pub language: Language,
    #[sqlx(flatten, try_from = "TextColumns")]
    pub texts: MailTexts,
}

#[derive(sqlx_macros::FromRow)]
pub(crate) struct TextColumns {
    subject: String,
    intro: String,
    closing: String,
}

impl From<TextColumns> for MailTexts {
    fn from(columns: TextColumns) -> Self {
        Self { subject: columns.subject, intro: columns.intro, closing: columns.closing }
    }
}

/// A picture, without itself.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct LogoName {
    /// The SHA-256 of the picture, in hexadecimal: its address changes with it.
    pub digest: String,
    pub media_type: LogoFormat,
}

/// All that a business has chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailDesign {
    pub texts: Vec<BusinessMailTexts>,
    /// `None`: there is none.
    pub logo: Option<LogoName>,
}

impl MailDesign {
    /// The words for mails of that kind and language, if the business has any.
    pub fn texts(&self, kind: MailKind, language: Language) -> Option<&MailTexts> {
        let found = self.texts.iter().find(|row| (row.kind, row.language) == (kind, language));
        found.map(|row| &row.texts)
    }
}

const TEXTS: &str = "
    SELECT kind, language, subject, intro, closing FROM mail_texts WHERE business_id = $1 ORDER BY kind, language";
const LOGO_NAME: &str = "SELECT digest, media_type FROM logos WHERE business_id = $1";

/// What a business has chosen.
pub async fn find(db: &Db, business: BusinessId) -> Result<MailDesign> {
    Ok(MailDesign { texts: all!(db, TEXTS, business)?, logo: optional!(db, LOGO_NAME, business)? })
}

/// The same for whoever has a transaction in hand.
pub async fn find_in(tx: &mut Tx, business: BusinessId) -> Result<MailDesign> {
    Ok(MailDesign { texts: all!(tx, TEXTS, business)?, logo: optional!(tx, LOGO_NAME, business)? })
}

const PUT_TEXTS: &str = "
    INSERT INTO mail_texts (business_id, kind, language, subject, intro, closing, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (business_id, kind, language) DO UPDATE SET subject = excluded.subject, intro = excluded.intro,
        closing = excluded.closing, changed_at = excluded.changed_at";

/// Stores the words for mails of one kind and language, in the form that [`MailTexts::check`] gives them.
pub async fn put_texts(
    tx: &mut Tx,
    business: BusinessId,
    (kind, language): (MailKind, Language),
    texts: &MailTexts,
    now: DateTime<Utc>,
) -> Result<()> {
    exec!(tx, PUT_TEXTS; business, kind, language, &texts.subject, &texts.intro, &texts.closing, now)
}

const PUT_LOGO: &str = "
    INSERT INTO logos (business_id, digest, media_type, image, changed_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (business_id) DO UPDATE SET digest = excluded.digest, media_type = excluded.media_type,
        image = excluded.image, changed_at = excluded.changed_at";

/// Stores the logo in the place of the one before. Returns its digest.
pub async fn put_logo(
    tx: &mut Tx,
    business: BusinessId,
    (media_type, image): (LogoFormat, &[u8]),
    now: DateTime<Utc>,
) -> Result<String> {
    let digest = secret::digest_bytes(image);
    exec!(tx, PUT_LOGO, business, &digest, media_type, image.to_vec(), now)?;
    Ok(digest)
}

const REMOVE_LOGO: &str = "DELETE FROM logos WHERE business_id = $1";

/// Removes the logo; whether there was one.
pub async fn remove_logo(tx: &mut Tx, business: BusinessId) -> Result<bool> {
    Ok(changed!(tx, REMOVE_LOGO, business)? > 0)
}

const LOGO: &str = "SELECT media_type, image FROM logos WHERE business_id = $1 AND digest = $2";

/// The logo of a business, if it still is the one with that digest.
pub async fn find_logo(db: &Db, business: BusinessId, digest: &str) -> Result<Option<(LogoFormat, Vec<u8>)>> {
    optional!(db, LOGO, business, digest)
}

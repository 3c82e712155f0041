//! The address that a channel is read at, which is a secret: whoever has it reads who comes.

use concord_domain::ids::{BusinessId, ChannelId, ResourceId};
use secrecy::SecretString;

use super::{Channel, columns, webhooks};
use crate::{
    Db, Result, Tx,
    seal::{AssociatedData, Keyring},
    secret,
};

/// An address to read.
#[derive(Clone, Copy, Debug)]
pub struct ImportAddress<'a> {
    /// The address; whoever has it reads who comes.
    pub url: &'a SecretString,
    pub host: &'a str,
}

impl ImportAddress<'_> {
    pub(super) fn digest(&self) -> String {
        secret::digest(self.url)
    }
}

pub(super) fn place(id: ChannelId) -> AssociatedData {
    AssociatedData { column: "channels.import_url", row: id.0 }
}

const BY_ADDRESS: &str = select!(
    "FROM channels WHERE business_id = $1 AND resource_id = $2 AND platform = $3 AND removed_at IS NULL
      AND (import_digest = $4 OR ($4 IS NULL AND import_digest IS NULL AND NOT polled))
      ORDER BY created_at, id LIMIT 1"
);

/// What reads an address for a resource.
#[derive(Clone, Copy, Debug)]
pub struct ListingKey<'a> {
    pub business: BusinessId,
    /// What is sold there.
    pub resource: ResourceId,
    pub platform: &'a str,
    /// The address, in its one spelling; `None`: files are taken.
    pub url: Option<&'a SecretString>,
}

macro_rules! by_address {
    ($place:expr, $listing:expr) => {{
        let ListingKey { business, resource, platform, url } = $listing;
        optional!($place, BY_ADDRESS, business, resource, platform, url.map(secret::digest))
    }};
}

/// The channel of a listing.
pub async fn by_address(db: &Db, listing: ListingKey<'_>) -> Result<Option<Channel>> {
    by_address!(db, listing)
}

/// The same for whoever has a transaction in hand; nothing is locked.
pub async fn find_by_listing_in(tx: &mut Tx, listing: ListingKey<'_>) -> Result<Option<Channel>> {
    by_address!(tx, listing)
}

const OF_ADDRESS: &str = select!(
    "FROM channels WHERE business_id = $1 AND import_digest = $2 AND removed_at IS NULL ORDER BY created_at, id"
);

/// The channels that read this address, for whatever resource.
pub async fn of_address(db: &Db, business: BusinessId, url: &SecretString) -> Result<Vec<Channel>> {
    let digest = secret::digest(url);
    all!(db, OF_ADDRESS, business, digest)
}

const SET_IMPORT: &str = returning!(
    "UPDATE channels SET import_url = $3, import_host = $4, import_digest = $5, polled = $6, etag = NULL,
         last_modified = NULL, body_digest = NULL, failing_since = NULL, last_error = NULL
     WHERE business_id = $1 AND id = $2 AND removed_at IS NULL"
);

/// Gives it another address to read, or none. What is known of the old one stays known, so that what the new one lacks
/// is seen to be missing. `Exists`: the same address is read for its resource already.
pub async fn set_import(
    tx: &mut Tx,
    ring: &Keyring,
    (business, id): (BusinessId, ChannelId),
    import: Option<ImportAddress<'_>>,
    polled: bool,
) -> Result<Channel> {
    one!(tx, SET_IMPORT;
        business, id, import.map(|import| ring.seal(import.url, place(id))),
        import.map_or("", |import| import.host), import.map(|import| import.digest()), polled
    )
}

const IMPORT_URL: &str = "
    SELECT import_url FROM channels
    WHERE business_id = $1 AND id = $2 AND removed_at IS NULL AND import_url IS NOT NULL";

/// The address that is read; `None`: there is none. `Sealed`: no key opens it.
pub async fn import_url(
    db: &Db,
    ring: &Keyring,
    business: BusinessId,
    id: ChannelId,
) -> Result<Option<SecretString>> {
    let sealed: Option<String> = optional_scalar!(db, IMPORT_URL, business, id)?;
    sealed.map(|sealed| ring.open(&sealed, place(id))).transpose()
}

const SEALED: &str = "SELECT id, import_url, webhook_secret FROM channels WHERE removed_at IS NULL";
const SEAL_URL: &str = "UPDATE channels SET import_url = $3 WHERE id = $1 AND import_url = $2";
const SEAL_SECRET: &str = "UPDATE channels SET webhook_secret = $3 WHERE id = $1 AND webhook_secret = $2";

/// Seals again, with the current key, what another one has sealed. Returns how many secrets those were.
pub async fn rotate_keys(tx: &mut Tx, ring: &Keyring) -> Result<u64> {
    let rows: Vec<(ChannelId, Option<String>, Option<String>)> = all!(tx, SEALED)?;
    let mut sealed = 0;
    for (id, url, secret) in rows {
        for (old, place, text) in [(url, place(id), SEAL_URL), (secret, webhooks::place(id), SEAL_SECRET)] {
            let Some(old) = old else { continue };
            let Some(new) = ring.reseal(&old, place)? else { continue };
            exec!(tx, dynamic(text), id, &old, &new)?;
            sealed += 1;
        }
    }
    Ok(sealed)
}

//! How a business wants platforms to be treated, where it differs from the platforms' files.

use concord_domain::{
    channel::{BlockRule, Preference},
    ids::BusinessId,
};

use crate::{Db, Result, Tx};

/// What a business says of a platform.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::FromRow)]
pub struct PlatformSettings {
    pub platform: String,
    /// Between two readings of a feed; `None`: as the platform's file has it.
    pub interval_minutes: Option<i64>,
    /// Whose booking gives way, for channels that are made from now on.
    pub preference: Preference,
    /// What becomes of blocks, likewise.
    pub blocks: BlockRule,
}

impl PlatformSettings {
    /// What holds as long as nobody has said anything.
    pub fn unsaid(platform: &str) -> Self {
        Self {
            platform: platform.to_owned(),
            interval_minutes: None,
            preference: Preference::Ask,
            blocks: BlockRule::Occupy,
        }
    }
}

const LIST: &str = "
    SELECT platform, interval_minutes, preference, blocks FROM platform_settings
    WHERE business_id = $1 ORDER BY platform";

/// All that a business has said.
pub async fn of_business(db: &Db, business: BusinessId) -> Result<Vec<PlatformSettings>> {
    all!(db, LIST, business)
}

const FIND: &str = "
    SELECT platform, interval_minutes, preference, blocks FROM platform_settings
    WHERE business_id = $1 AND platform = $2";

/// What a business says of one platform.
pub async fn find(db: &Db, business: BusinessId, platform: &str) -> Result<PlatformSettings> {
    let found: Option<PlatformSettings> = optional!(db, FIND, business, platform)?;
    Ok(found.unwrap_or_else(|| PlatformSettings::unsaid(platform)))
}

const SAVE: &str = "
    INSERT INTO platform_settings (business_id, platform, interval_minutes, preference, blocks)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (business_id, platform) DO UPDATE SET interval_minutes = excluded.interval_minutes,
        preference = excluded.preference, blocks = excluded.blocks";

/// Saves what a business set of a platform.
pub async fn save(tx: &mut Tx, business: BusinessId, settings: &PlatformSettings) -> Result<()> {
    exec!(tx, SAVE;
        business, &settings.platform, settings.interval_minutes, settings.preference, settings.blocks
    )
}

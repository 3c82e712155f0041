//! Why an address is perhaps not meant: what a person or a program is asked before a platform is connected by it.

use concord_domain::{
    ids::{ChannelId, ResourceId},
    platform::{Platform, PlatformId},
};
use concord_providers::feed_address;
use concord_storage::{StorageError, bookings::ChangeContext, channels, resources};
use secrecy::{ExposeSecret, SecretString};

use super::{
    import::{self, ImportError},
    manage::{self, ChannelError},
    poll::FeedReadError,
};
use crate::Context;

/// Why an address is perhaps not meant.
#[derive(Debug, thiserror::Error)]
pub enum AddressWarning {
    /// Its host is another platform's.
    #[error("this is a calendar link from {name}, not from {chosen}")]
    OtherAddress {
        /// The platform that the host tells.
        told: PlatformId,
        /// Its name.
        name: String,
        /// What the one is called that was chosen.
        chosen: String,
    },
    /// The calendar says by its PRODID that another platform wrote it.
    #[error("this calendar was created by {name}, not by {chosen}")]
    OtherAuthor {
        /// The platform that wrote it.
        told: PlatformId,
        /// Its name.
        name: String,
        /// What the one is called that was chosen.
        chosen: String,
    },
    /// It is read for the same resource, as another platform's: each booking would come twice.
    #[error(
        "this link is already imported for {resource} as a calendar of {name}: each booking would be imported twice"
    )]
    ReadAs {
        /// The resource's name.
        resource: String,
        /// What the platform is called.
        name: String,
    },
    /// It is read for another resource.
    #[error("this link is already imported for {resource}. A listing belongs to one resource")]
    ReadFor {
        /// The resource's name.
        resource: String,
    },
    /// The platform is read for the resource, by another address.
    #[error(
        "{name} is already connected to {resource}. If its link has changed, update it in that channel's settings"
    )]
    SecondListing {
        /// The resource's name.
        resource: String,
        /// What the platform is called.
        name: String,
    },
    /// It cannot be read now.
    #[error(transparent)]
    Unread(#[from] FeedReadError),
}

impl AddressWarning {
    /// Whether a program is asked too, which may well connect what cannot be read yet, or two listings of one resource.
    pub fn applies_to_api(&self) -> bool {
        !matches!(self, Self::Unread(_) | Self::SecondListing { .. })
    }

    /// The question that it asks, in a word: to answer one is not to answer another.
    pub fn question(&self) -> &'static str {
        match self {
            Self::OtherAddress { .. } | Self::OtherAuthor { .. } => "platform",
            Self::ReadAs { .. } => "twice",
            Self::ReadFor { .. } => "shared",
            Self::SecondListing { .. } => "second",
            Self::Unread(_) => "unread",
        }
    }

    /// The platform that it is of by all that can be told, with its name, if that is another one.
    pub fn told(&self) -> Option<(&PlatformId, &str)> {
        match self {
            Self::OtherAddress { told, name, .. } | Self::OtherAuthor { told, name, .. } => {
                Some((told, name))
            }
            _ => None,
        }
    }
}

/// What is to be connected.
#[derive(Clone, Copy, Debug)]
pub struct AddressCandidate<'a> {
    /// What is sold there.
    pub resource: ResourceId,
    /// Where.
    pub platform: &'a Platform,
    /// The channel that gets another address; `None`: a new one.
    pub channel: Option<ChannelId>,
    /// The address, as it was typed.
    pub address: &'a SecretString,
}

/// All that speaks against an address. Nothing where it cannot be an address at all, which is said by whoever makes the
/// channel.
pub async fn doubts(
    context: &Context,
    change: &ChangeContext,
    asked: &AddressCandidate<'_>,
) -> Result<Vec<AddressWarning>, ChannelError> {
    let Ok(spelled) = manage::checked(context, asked.address, Some(asked.platform)).await else {
        return Ok(Vec::new());
    };
    let mut doubts = Vec::from_iter(of_another_host(context, asked.platform, &spelled));
    let mut readers = channels::of_address(&context.db, change.business, &spelled).await?;
    readers.retain(|one| Some(one.id) != asked.channel);
    let is_beside = |one: &channels::Channel| {
        one.resource_id == asked.resource && one.platform == asked.platform.id.as_str()
    };
    if readers.iter().any(is_beside) {
        // The very channel again, which is refused by whoever makes it.
        return Ok(doubts);
    }
    if let Some(other) = readers.iter().find(|one| one.resource_id == asked.resource) {
        let resource = resource_name(context, change, other.resource_id).await?;
        let platform = context.platforms.find(&other.platform);
        let name = platform.map_or_else(|| other.platform.clone(), |platform| platform.name.clone());
        doubts.push(AddressWarning::ReadAs { resource, name });
    }
    if let Some(other) = readers.iter().find(|one| one.resource_id != asked.resource) {
        doubts.push(AddressWarning::ReadFor {
            resource: resource_name(context, change, other.resource_id).await?,
        });
    }
    let all = channels::list(&context.db, change.business).await?;
    if asked.channel.is_none() && all.iter().any(|one| is_beside(one) && one.polled && one.has_import) {
        let resource = resource_name(context, change, asked.resource).await?;
        doubts.push(AddressWarning::SecondListing { resource, name: asked.platform.name.clone() });
    }
    let read = warning_from_content(context, change, asked, spelled).await?;
    doubts.extend(read.filter(|read| doubts.iter().all(|doubt| doubt.question() != read.question())));
    Ok(doubts)
}

/// What the calendar itself says.
async fn warning_from_content(
    context: &Context,
    change: &ChangeContext,
    asked: &AddressCandidate<'_>,
    spelled: SecretString,
) -> Result<Option<AddressWarning>, ChannelError> {
    let wish = import::ChannelImportRequest {
        business: change.business,
        resource: asked.resource,
        platform: asked.platform.clone(),
        from: import::ImportSource::Address(spelled),
        actor: change.actor.clone(),
        confirmed: false,
    };
    let product = match import::check_readable(context, &wish).await {
        Ok(product) => product,
        Err(ImportError::Unread(failure)) => return Ok(Some(AddressWarning::Unread(failure))),
        Err(ImportError::Storage(error)) => return Err(error.into()),
        Err(ImportError::NoResource | ImportError::Stopped(_) | ImportError::Doubtful(_)) => return Ok(None),
    };
    Ok(another_author(context, asked.platform, &product))
}

/// What speaks against a calendar's being of the platform that was chosen: its address, or who wrote it.
pub(super) fn another_platform(
    context: &Context,
    chosen: &Platform,
    address: Option<&SecretString>,
    product: &str,
) -> Option<AddressWarning> {
    let by_address = address.and_then(|address| of_another_host(context, chosen, address));
    by_address.or_else(|| another_author(context, chosen, product))
}

fn another_author(context: &Context, chosen: &Platform, product: &str) -> Option<AddressWarning> {
    let told = context.platforms.iter().find(|platform| platform.matches_product(product));
    let told = told.filter(|told| told.id != chosen.id && !chosen.matches_product(product))?;
    Some(AddressWarning::OtherAuthor {
        told: told.id.clone(),
        name: told.name.clone(),
        chosen: chosen.name.clone(),
    })
}

fn of_another_host(context: &Context, chosen: &Platform, address: &SecretString) -> Option<AddressWarning> {
    let address = feed_address(address.expose_secret()).ok()?;
    let told = context.platforms.of_address(&address);
    let told = told.filter(|told| told.id != chosen.id && !chosen.recognises(&address))?;
    Some(AddressWarning::OtherAddress {
        told: told.id.clone(),
        name: told.name.clone(),
        chosen: chosen.name.clone(),
    })
}

async fn resource_name(
    context: &Context,
    change: &ChangeContext,
    resource: ResourceId,
) -> Result<String, StorageError> {
    let found = resources::find(&context.db, change.business, resource).await?;
    Ok(found.map_or_else(|| "another resource".to_owned(), |resource| resource.name))
}

//! Texts by key and language. The one place that knows how they are kept and put together.

use std::sync::LazyLock;

use super::Language;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

/// Every text that is said, by its name in the resources in kebab case (`MailFooter` is `mail-footer`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum TextKey {
    AlertClosedDetail,
    AlertClosedHeadline,
    AlertSince,
    AlertWorseHeadline,
    BookingHours,
    BookingLabelled,
    BookingLong,
    BookingMeeting,
    BookingParty,
    BookingReference,
    BookingStaff,
    BookingStay,
    BookingWhat,
    BookingWhen,
    BookingWhere,
    ChannelName,
    ConflictDetail,
    ConflictHeadline,
    CustomerAccept,
    CustomerAcceptedHeadline,
    CustomerAcceptedNamed,
    CustomerAdd,
    CustomerAll,
    CustomerAllSend,
    CustomerAllSent,
    CustomerAnswer,
    CustomerAnswerThanks,
    CustomerAnswered,
    CustomerAsk,
    CustomerAskEmpty,
    CustomerAskLabel,
    CustomerAskLong,
    CustomerAskNote,
    CustomerAskSend,
    CustomerAsked,
    CustomerAskedDetail,
    CustomerAskedHeadline,
    CustomerAskedNamed,
    CustomerBack,
    CustomerBusyText,
    CustomerBusyTitle,
    CustomerFailedText,
    CustomerFailedTitle,
    CustomerMalformedText,
    CustomerCancel,
    CustomerCancelHeading,
    CustomerCancelUntil,
    CustomerCancelWarning,
    CustomerCancelled,
    CustomerCancelledHeadline,
    CustomerCancelledNamed,
    CustomerChange,
    CustomerChangedMeanwhile,
    CustomerClosed,
    CustomerDecline,
    CustomerDeclineCancels,
    CustomerDeclineNote,
    CustomerDeclinedDetail,
    CustomerDeclinedHeadline,
    CustomerDeclinedNamed,
    CustomerDeedDetail,
    CustomerFile,
    CustomerGoneText,
    CustomerGoneTitle,
    CustomerKeep,
    CustomerManage,
    CustomerManageGuest,
    CustomerMaybe,
    CustomerMove,
    CustomerMoveHeading,
    CustomerMoveNone,
    CustomerMoveUntil,
    CustomerMoved,
    CustomerMovedDetail,
    CustomerMovedHeadline,
    CustomerMovedNamed,
    CustomerPortalBody,
    CustomerPortalComing,
    CustomerPortalNone,
    CustomerPortalOpen,
    CustomerPortalPast,
    CustomerPortalSubject,
    CustomerPortalTitle,
    CustomerStateCancelled,
    CustomerStateConfirmed,
    CustomerStateOver,
    CustomerStatePending,
    CustomerTaken,
    CustomerTentativeHeadline,
    CustomerTentativeNamed,
    CustomerTitle,
    CustomerWhenHere,
    CustomerZone,
    Date,
    DateTime,
    DigestAll,
    DigestCounted,
    DigestHeading,
    DigestMore,
    DigestOff,
    DigestOffDone,
    DigestOffDoneHeading,
    DigestOffHeading,
    DigestOffText,
    DigestOn,
    ExportUnreadDetail,
    ExportUnreadHeadline,
    FailedImportDetail,
    FailedImportHeadline,
    FailedSyncDetail,
    FailedSyncHeadline,
    FeedQuarantinedDetail,
    FeedQuarantinedHeadline,
    FeedUnreadDetail,
    FeedUnreadHeadline,
    InvitationCalendarNote,
    InvitationCancelNote,
    InvitationCancelledHeading,
    InvitationCancelledSubject,
    InvitationConfirmedHeading,
    InvitationFooter,
    InvitationRemovedHeading,
    InvitationRequestCancelledHeading,
    InvitationRequestedHeading,
    InvitationRequestedNote,
    InvitationUpdateNote,
    InvitationUpdatedHeading,
    InvitationWas,
    MailFooter,
    MailOpen,
    MailboxUnreadDetail,
    MailboxUnreadHeadline,
    Month,
    Nights,
    NotInFeedDetail,
    NotInFeedHeadline,
    ReconnectDetail,
    ReconnectHeadline,
    ReminderFailedDetail,
    ReminderFailedHeadline,
    ReminderHeading,
    ReminderOff,
    ReminderOffDone,
    ReminderOffHeading,
    ReminderOffText,
    ReminderStaffHeading,
    ReminderSubject,
    RemoteChangeFollowed,
    RemoteChangeOpen,
    SampleName,
    SampleResource,
    SampleTitle,
    SignInAt,
    SignInBody,
    SignInExpires,
    SignInHeading,
    SignInIgnore,
    SignInSeveral,
    TestBody,
    TestHeading,
    TestNoAction,
    TestSent,
    TestSubject,
    TestViewSent,
    UserInvitationBody,
    UserInvitationButton,
    UserInvitationExpires,
    UserInvitationHeading,
    WebhookDisabledHeadline,
    WebhookFailingDetail,
    WebhookFailsDetail,
    WebhookFailsHeadline,
    WebhookGoneDetail,
    Weekday,
}

/// The resources of a language.
fn sources(language: Language) -> [&'static str; 7] {
    match language {
        Language::En => [
            include_str!("../../../locales/en/customer.ftl"),
            include_str!("../../../locales/en/dates.ftl"),
            include_str!("../../../locales/en/invitations.ftl"),
            include_str!("../../../locales/en/mail.ftl"),
            include_str!("../../../locales/en/notices.ftl"),
            include_str!("../../../locales/en/notifications.ftl"),
            include_str!("../../../locales/en/reminders.ftl"),
        ],
        Language::De => [
            include_str!("../../../locales/de/customer.ftl"),
            include_str!("../../../locales/de/dates.ftl"),
            include_str!("../../../locales/de/invitations.ftl"),
            include_str!("../../../locales/de/mail.ftl"),
            include_str!("../../../locales/de/notices.ftl"),
            include_str!("../../../locales/de/notifications.ftl"),
            include_str!("../../../locales/de/reminders.ftl"),
        ],
    }
}

type Bundle = FluentBundle<FluentResource>;

/// In the order of [`Language`].
static BUNDLES: LazyLock<Vec<Bundle>> =
    LazyLock::new(|| Language::ALL.iter().map(|language| bundle(*language)).collect());

fn bundle(language: Language) -> Bundle {
    let mut bundle =
        FluentBundle::new_concurrent(language.tag().parse().map_or_else(|_| Vec::new(), |tag| vec![tag]));
    // Marks around what is put in would be for mixed directions of writing, and no language here is written from the right.
    bundle.set_use_isolating(false);
    for source in sources(language) {
        // What cannot be read in them, a test finds.
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
        let _ = bundle.add_resource(resource);
    }
    bundle
}

/// What `key` says in a language, with `arguments` in the places of its variables.
pub fn text<'a>(
    language: Language,
    key: TextKey,
    arguments: impl IntoIterator<Item = (&'a str, FluentValue<'a>)>,
) -> String {
    let name: &str = key.into();
    let bundle = &BUNDLES[language as usize];
    let Some(pattern) = bundle.get_message(name).and_then(|message| message.value()) else {
        tracing::error!(name, ?language, "a text is missing");
        return name.to_owned();
    };
    let arguments: FluentArgs<'_> = arguments.into_iter().collect();
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(&arguments), &mut errors).into_owned();
    debug_assert!(errors.is_empty(), "{name}: {errors:?}");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use strum::VariantArray;

    use super::*;

    /// Each message of a language with the variables in it.
    fn messages(language: Language) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let mut name = "";
        for line in sources(language).into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#')) {
            let mut rest = line;
            if line.starts_with(|letter: char| letter.is_ascii_lowercase()) {
                (name, rest) = line.split_once(" =").unwrap();
                assert!(!found.contains_key(name), "{name} stands twice");
                found.entry(name).or_default();
            }
            for part in rest.split('$').skip(1) {
                let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
                found.entry(name).or_default().insert(&part[..end]);
            }
        }
        found
    }

    #[test]
    fn resources_can_be_read() {
        for language in Language::ALL {
            for source in sources(*language) {
                let read = FluentResource::try_new(source.to_owned());
                assert!(read.is_ok(), "{:?}", read.err().map(|(_, errors)| errors));
            }
        }
    }

    #[test]
    fn every_language_has_every_text_with_the_same_variables() {
        let english = messages(Language::En);
        for language in Language::ALL {
            assert_eq!(messages(*language), english, "{language:?}");
        }
    }

    #[test]
    fn keys_in_code_are_the_texts_that_there_are() {
        let keys: BTreeSet<&str> = TextKey::VARIANTS.iter().map(<&str>::from).collect();
        assert_eq!(keys, messages(Language::En).into_keys().collect());
    }

    #[test]
    fn every_text_can_be_put_together() {
        // A text may stand in another one, which is given what both take.
        let names: BTreeSet<_> = messages(Language::En).into_values().flatten().collect();
        for (key, language) in
            TextKey::VARIANTS.iter().flat_map(|key| Language::ALL.iter().map(move |to| (*key, *to)))
        {
            for count in [1, 2] {
                let arguments = names.iter().map(|name| (*name, FluentValue::from(count)));
                let text = text(language, key, arguments);
                assert!(!text.is_empty() && !text.contains(['{', '}']), "{key:?}: {text}");
            }
        }
    }
}

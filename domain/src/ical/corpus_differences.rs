//! Where real calendars are read otherwise than by others, and why.

/// Files with an event of which libical says another UID, start, end or summary.
pub(super) const EVENTS: &[(&str, &str)] = &[
    ("ics/allenporter+ical/tests__compat__testdata__calendar_labs_same_day_dtend.ics", SAME_DAY),
    ("ics/allenporter+ical/tests__testdata__rrule-exdate-mismatch.ics", SAME_DAY),
    ("ics/collective+icalendar/src__icalendar__tests__calendars__example.ics", SAME_DAY),
    ("ics/hoodie+icalendar/fixtures__icalendar-rb__nondefault_values.ics", SAME_DAY),
    ("ics/hoodie+icalendar/fixtures__icalendar-rb__recurrence.ics", SAME_DAY),
    ("ics/hoodie+icalendar/tests__example_write.ics", SAME_DAY),
    (
        "ics/niccokunzmann+python-recurring-ical-events/recurring_ical_events__test__calendars__Germany_Holidays.ics",
        SAME_DAY,
    ),
    ("ics/hoodie+icalendar/fixtures__icalendar-rb__single_event_bad_dtstart.ics", MIXED),
    ("ics/jens-maus+node-ical/test__fixtures__multi-event-basic.ics", MIXED),
    (
        "ics/niccokunzmann+python-recurring-ical-events/recurring_ical_events__test__calendars__issue_201_mixed_datetime_and_date.ics",
        MIXED,
    ),
    (
        "ics/niccokunzmann+python-recurring-ical-events/recurring_ical_events__test__calendars__issue_201_test_matrix.ics",
        MIXED,
    ),
    ("ics/jens-maus+node-ical/test__fixtures__daily-count-exdate-recurrence-id.ics", BEFORE),
    ("ics/libical+libical/src__Net-ICal-Libical__test-data__rfc2446.ics", BEFORE),
    ("ics/libical+libical/test-data__2446.ics", BEFORE),
    (
        "ics/niccokunzmann+python-recurring-ical-events/recurring_ical_events__test__calendars__end_before_start_event.ics",
        BEFORE,
    ),
    (
        "ics/niccokunzmann+python-recurring-ical-events/recurring_ical_events__test__calendars__issue_132_swapped_start_and_end.ics",
        BEFORE,
    ),
    (
        "ics/collective+icalendar/src__icalendar__tests__calendars__multiple_calendar_components.ics",
        "empty lines stand between lines and their folds: libical loses the event, here it is read",
    ),
    (
        "ics/arran4+golang-ical/testdata__timeparsing.ics",
        "`20210527Z` is no form of RFC 5545 (3.3.4, 3.3.5): libical gives up the start, here it is the day",
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__ms_timezones.ics",
        "the quotes of a TZID go on to the end of the line: libical finds no value, here the last colon begins it",
    ),
];

/// RFC 5545, 3.8.2.2: DTEND is exclusive and must be later.
const SAME_DAY: &str = "an end on the day of the start: the writer means that day, and here it takes it";
const MIXED: &str = "one of DTSTART and DTEND is a date, the other a time (3.8.2.2 forbids it): here the end is of the start's \
                     kind, a begun day whole, a day's beginning at midnight";
const BEFORE: &str =
    "an end before the start: libical hands it out, here it has no length, and a warning says so";

/// What agrees although the occurrences differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// What clocks show, so that only the zone is read otherwise.
    Walls,
    /// All but what is cancelled.
    Held,
    /// Nothing that could be checked.
    None,
}

/// Files with a series of which recurring-ical-events finds other occurrences.
pub(super) const OCCURRENCES: &[(&str, Agreement, &str)] = &[
    (
        "ics/jens-maus+node-ical/test__fixtures__Office-2012-owa.ics",
        Agreement::Walls,
        "it does not know `(UTC-05:00) Eastern Time (US & Canada)`, as Outlook calls it, and takes it for floating (3.2.19 \
         leaves names to the writer)",
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__bad_ms_tz.ics",
        Agreement::Walls,
        "its VTIMEZONE says -0400 in August (3.6.5), which 14:35 UTC is",
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__music-school-weekly-until.ics",
        Agreement::Walls,
        "it does not know `(GMT +01:00)` and takes it for floating",
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__yearly-recurring-unicode.ics",
        Agreement::Walls,
        "TZID has no effect on a DATE (3.2.19): a day, not the hours from midnight to midnight in Berlin",
    ),
    (
        "ics/niccokunzmann+python-recurring-ical-events/recurring_ical_events__test__calendars__issue_18_cancel_status.ics",
        Agreement::Held,
        CANCELLED,
    ),
    ("ics/py-vobject+vobject/test_files__radicale-0827.ics", Agreement::Held, CANCELLED),
    ("ics/jens-maus+node-ical/test__fixtures__biweekly-exdate-until.ics", Agreement::None, IN_UTC),
    (
        "ics/niccokunzmann+x-wr-timezone/test__calendars__moved-event-RECURRENCE-ID.in.ics",
        Agreement::None,
        IN_UTC,
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__windows-quoted-tz-rrule.ics",
        Agreement::None,
        "it does not know `(UTC-05:00) Eastern Time (US and Canada)`, so that EXDATEs on the clock of Los Angeles seem to name \
         instances in New York; as instants (3.8.5.1) they name none",
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__daily-count-exdate-recurrence-id.ics",
        Agreement::None,
        "an instance ends before it starts: it begins the instance at its end, here it begins at DTSTART",
    ),
    (
        "ics/jens-maus+node-ical/test__fixtures__non-utc-until-ny.ics",
        Agreement::None,
        "UNTIL must be in UTC where DTSTART has a zone (3.3.10) and is not: here it is on the clock of the series, there in UTC",
    ),
    (
        "ics/niccokunzmann+python-recurring-ical-events/recurring_ical_events__test__calendars__issue_75_range_parameter.ics",
        Agreement::None,
        "UNTIL is a date where DTSTART is a time (3.3.10 forbids it): here the series lasts to the end of that day, there to \
         its beginning",
    ),
];

const CANCELLED: &str = "it hands out what STATUS:CANCELLED calls off; here it takes up no time";
const IN_UTC: &str = "a series that starts in UTC recurs in UTC (3.3.5, 3.8.5.3): X-WR-TIMEZONE is no part of RFC 5545 and says in \
                      what zone to show, not in what zone to recur";

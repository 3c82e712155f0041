//! The week as HTML: bars above, hours below. Where everything stands is in style attributes.

use std::fmt::Write;

use chrono::{Datelike, Timelike, Weekday};

use super::calendar::SandboxCalendarPage;
use super::week::{AllDayBar, WeekBlock, WeekDay, WeekView};
use crate::html::escape;

impl SandboxCalendarPage<'_> {
    pub(super) fn grid(&self, week: &WeekView) -> String {
        let hours = week.last_hour - week.first_hour;
        let mut grid =
            format!("<div class=\"grid\" style=\"--first:{};--hours:{hours}\">", week.first_hour * 60);
        grid.push_str("<div class=\"gutter\" aria-hidden=\"true\"><div></div><div class=\"label\">all day</div><div class=\"hours\">");
        for hour in week.first_hour..week.last_hour {
            let _infallible = write!(grid, "<span>{hour:02}:00</span>");
        }
        grid.push_str("</div></div>");
        grid.push_str("<div class=\"bars\">");
        for bar in &week.bars {
            grid.push_str(&self.bar(bar));
        }
        grid.push_str("</div>");
        for (number, day) in week.days.iter().enumerate() {
            grid.push_str(&self.day(day, number, week));
        }
        grid.push_str("</div>");
        grid
    }

    fn bar(&self, bar: &AllDayBar) -> String {
        let edges = [(bar.begins_before, "begins-before"), (bar.ends_after, "ends-after")];
        let classes = with_set(&classes(&bar.block), &edges);
        format!(
            "<a class=\"{classes}\" href=\"{}\" style=\"grid-area:{}/{}/auto/{}\" title=\"{}\">\
             <b dir=\"auto\">{}</b> <time>{}</time> <small>{}</small></a>",
            self.link(self.first, Some(&bar.block.id)),
            bar.row + 1,
            bar.days.start + 1,
            bar.days.end + 1,
            escape(&full_text(&bar.when, &bar.block)),
            escape(&bar.block.title),
            escape(&bar.when),
            escape(&details(&bar.block)),
        )
    }

    fn day(&self, day: &WeekDay, number: usize, week: &WeekView) -> String {
        let covered = week.bars.iter().any(|bar| bar.days.contains(&number));
        let marks = [
            (day.date == self.today, "today"),
            (matches!(day.date.weekday(), Weekday::Sat | Weekday::Sun), "weekend"),
            (day.timed.is_empty() && !covered, "empty"),
        ];
        let classes = with_set("day", &marks);
        let mut timed: String = day.timed.iter().map(|block| self.block(block)).collect();
        if day.date == self.today {
            let local = self.now.with_timezone(&self.calendar.info.zone);
            let minute = i64::from(local.hour() * 60 + local.minute());
            if (week.first_hour * 60..week.last_hour * 60).contains(&minute) {
                let _infallible = write!(timed, "<div class=\"now\" style=\"--from:{minute}\"></div>");
            }
        }
        format!(
            "<section class=\"{classes}\" style=\"grid-column:{}\"><h3>{} <b>{}</b></h3><div class=\"allday\"></div><div class=\"hours\">{timed}</div></section>",
            number + 2,
            day.date.format("%a"),
            day.date.format("%-d"),
        )
    }

    fn block(&self, block: &WeekBlock) -> String {
        let (from, to) = block.minutes.unwrap_or_default();
        let length = to - from;
        let classes =
            with_set(&classes(block), &[(length < 45, "short"), (block.lanes > 1, "beside-others")]);
        let time = format!("{:02}:{:02}–{:02}:{:02}", from / 60, from % 60, to / 60 % 24, to % 60);
        format!(
            "<a class=\"{classes}\" href=\"{}\" style=\"--from:{from};--for:{length};--lane:{};--lanes:{};--lines:{}\" \
             title=\"{}\"><b dir=\"auto\">{}</b> <time>{time}</time> <small>{}</small></a>",
            self.link(self.first, Some(&block.id)),
            block.lane,
            block.lanes,
            lines_of_title(length, block.lanes > 1),
            escape(&full_text(&time, block)),
            escape(&block.title),
            escape(&details(block)),
        )
    }
}

/// The classes of an entry, wherever it stands.
fn classes(block: &WeekBlock) -> String {
    let marks = [(block.tentative, "tentative"), (block.free, "free"), (block.by_application, "application")];
    with_set("entry", &marks)
}

/// `classes`, and those names that are set.
fn with_set(classes: &str, names: &[(bool, &str)]) -> String {
    let set = names.iter().filter_map(|(set, name)| set.then_some(*name));
    std::iter::once(classes).chain(set).collect::<Vec<_>>().join(" ")
}

/// Where it is and what is special about it.
fn details(block: &WeekBlock) -> String {
    let marks = [
        (block.tentative, "tentative"),
        (block.free, "shown as free"),
        (block.recurring, "repeats"),
        (block.by_application, "from an app"),
    ];
    let marks = marks.into_iter().filter_map(|(set, word)| set.then_some(word));
    let parts: Vec<_> =
        [block.location.as_str()].into_iter().filter(|text| !text.is_empty()).chain(marks).collect();
    parts.join(" · ")
}

/// All that may be cut off where there is little room.
fn full_text(time: &str, block: &WeekBlock) -> String {
    let details = details(block);
    let rest = if details.is_empty() { String::new() } else { format!(" ({details})") };
    format!("{time} {}{rest}", block.title)
}

/// How many lines of an entry are for its title, as long as an hour is 56 pixels high and a line 17; from three lines on
/// the last one is for the time, which entries beside others do not show.
fn lines_of_title(minutes: i64, is_beside_others: bool) -> i64 {
    let lines = (minutes * 56 / 60 - 4) / 17;
    if lines >= 3 && !is_beside_others { lines - 1 } else { lines.max(1) }
}

//! A driver's day: the deliveries of one calendar in the order in which they are driven.
//!
//! Whose deliveries they are is for the caller to know. The order is that of their starts, and of their references
//! where two start together, so that every calendar and every run numbers them alike.

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;

use crate::{
    booking::{Booking, BookingKind},
    ids::BookingId,
    interval::{Interval, start_of_day},
};

/// The day in `zone` to which an instant belongs, from midnight to midnight.
pub fn day_of(at: DateTime<Utc>, zone: Tz) -> Interval {
    let date = at.with_timezone(&zone).date_naive();
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    Interval { start: start_of_day(date, zone), end: start_of_day(next, zone) }
}

/// The stops of a day, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRoute {
    zone: Tz,
    stops: Vec<Booking>,
}

impl DeliveryRoute {
    /// The round of a day that is read in `zone`. What is no delivery, does not take place or starts on another day is
    /// left out.
    pub fn new(day: Interval, zone: Tz, mut deliveries: Vec<Booking>) -> Self {
        deliveries
            .retain(|booking| is_stop(booking) && day.start <= starts(booking) && starts(booking) < day.end);
        deliveries.sort_by(|a, b| (starts(a), &a.reference).cmp(&(starts(b), &b.reference)));
        Self { zone, stops: deliveries }
    }

    /// A booking as one of its stops; `None`: it is not.
    pub fn stop(&self, booking: BookingId) -> Option<RouteStop<'_>> {
        let index = self.stops.iter().position(|stop| stop.id == booking)?;
        Some(RouteStop { round: self, index })
    }

    /// All of them, in order.
    pub fn stops(&self) -> &[Booking] {
        &self.stops
    }

    /// The zone in which its times are read.
    pub fn zone(&self) -> Tz {
        self.zone
    }
}

/// Whether it is driven to.
pub fn is_stop(booking: &Booking) -> bool {
    booking.draft.kind == BookingKind::Delivery && booking.draft.status.occupies()
}

fn starts(booking: &Booking) -> DateTime<Utc> {
    booking.interval.start
}

/// One stop of a round.
#[derive(Clone, Copy, Debug)]
pub struct RouteStop<'a> {
    round: &'a DeliveryRoute,
    index: usize,
}

impl<'a> RouteStop<'a> {
    /// The booking of this delivery.
    pub fn booking(&self) -> &'a Booking {
        &self.round.stops[self.index]
    }

    /// Its place in the order, from 1.
    pub fn number(&self) -> usize {
        self.index + 1
    }

    /// The route that the day's deliveries belong to.
    pub fn round(&self) -> &'a DeliveryRoute {
        self.round
    }

    /// Where the driver comes from.
    pub fn previous(&self) -> Option<Self> {
        self.index.checked_sub(1).map(|index| Self { index, ..*self })
    }

    /// Where the driver goes on to.
    pub fn next(&self) -> Option<Self> {
        let index = self.index + 1;
        (index < self.round.stops.len()).then_some(Self { index, ..*self })
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;

    use super::*;
    use crate::{booking::BookingStatus, ical::fixtures};

    const LISBON: Tz = chrono_tz::Europe::Lisbon;

    fn delivery(number: u128, minute: i64) -> Booking {
        let start = "2026-12-05T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + Duration::minutes(minute);
        let mut booking = fixtures::booking();
        booking.id = BookingId(uuid::Uuid::from_u128(number));
        booking.reference = format!("D-{number}");
        booking.interval = Interval { start, end: start + Duration::minutes(20) };
        booking.draft.kind = BookingKind::Delivery;
        booking
    }

    fn saturday() -> Interval {
        day_of("2026-12-05T12:00:00Z".parse().unwrap(), LISBON)
    }

    #[test]
    fn a_day_is_as_long_as_the_clocks_make_it() {
        let at = "2026-03-29T12:00:00Z".parse().unwrap();
        assert_eq!(day_of(at, LISBON).length(), Duration::hours(23));
        assert_eq!(day_of(at, chrono_tz::UTC).length(), Duration::hours(24));
    }

    #[test]
    fn only_deliveries_that_take_place_on_the_day_are_stops() {
        let mut cancelled = delivery(2, 60);
        cancelled.draft.status = BookingStatus::Cancelled;
        let mut repair = delivery(3, 70);
        repair.draft.kind = BookingKind::Maintenance;
        let round = DeliveryRoute::new(
            saturday(),
            LISBON,
            vec![delivery(1, 80), cancelled, repair, delivery(4, -1), delivery(5, 1440)],
        );
        assert_eq!(round.stops().iter().map(|stop| stop.reference.as_str()).collect::<Vec<_>>(), ["D-1"]);
        assert!(round.stop(BookingId(uuid::Uuid::from_u128(2))).is_none());
    }

    proptest! {
        #[test]
        fn delivery_route_numbers_stops_once_in_order_of_start(
            minutes in proptest::collection::vec(0_i64..1440, 0..20), turn in 0_usize..20
        ) {
            let mut deliveries: Vec<Booking> =
                (1_u128..).zip(&minutes).map(|(number, minute)| delivery(number, *minute)).collect();
            let round = DeliveryRoute::new(saturday(), LISBON, deliveries.clone());
            let by = turn.min(deliveries.len());
            deliveries.rotate_left(by);
            prop_assert_eq!(&round, &DeliveryRoute::new(saturday(), LISBON, deliveries.clone()), "in whichever order they come");
            let mut numbers: Vec<usize> = Vec::new();
            for delivery in &deliveries {
                let stop = round.stop(delivery.id).unwrap();
                numbers.push(stop.number());
                prop_assert_eq!(stop.booking().id, delivery.id);
                prop_assert_eq!(stop.previous().is_none(), stop.number() == 1);
                prop_assert_eq!(stop.next().is_none(), stop.number() == deliveries.len());
                if let Some(next) = stop.next() {
                    prop_assert!(next.booking().interval.start >= delivery.interval.start);
                    prop_assert_eq!(next.previous().unwrap().booking().id, delivery.id);
                }
            }
            numbers.sort_unstable();
            prop_assert_eq!(numbers, (1..=deliveries.len()).collect::<Vec<_>>());
        }
    }
}

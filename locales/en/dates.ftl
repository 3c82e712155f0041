# Dates and lengths. Weekdays count from 1, Monday, and months from 1, January.

weekday = { $weekday ->
    [1] Mon
    [2] Tue
    [3] Wed
    [4] Thu
    [5] Fri
    [6] Sat
   *[7] Sun
}
month = { $month ->
    [1] Jan
    [2] Feb
    [3] Mar
    [4] Apr
    [5] May
    [6] Jun
    [7] Jul
    [8] Aug
    [9] Sep
    [10] Oct
    [11] Nov
   *[12] Dec
}
date = { weekday } { $day } { month } { $year }
date-time = { date }, { $time }
nights = { $count ->
    [one] { $count } night
   *[other] { $count } nights
}

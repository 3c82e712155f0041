# Daten und Längen. Wochentage zählen ab 1, Montag, und Monate ab 1, Januar.

weekday = { $weekday ->
    [1] Mo.
    [2] Di.
    [3] Mi.
    [4] Do.
    [5] Fr.
    [6] Sa.
   *[7] So.
}
month = { $month ->
    [1] Januar
    [2] Februar
    [3] März
    [4] April
    [5] Mai
    [6] Juni
    [7] Juli
    [8] August
    [9] September
    [10] Oktober
    [11] November
   *[12] Dezember
}
date = { weekday }, { $day }. { month } { $year }
date-time = { date }, { $time }
nights = { $count ->
    [one] { $count } Nacht
   *[other] { $count } Nächte
}

package devops

// SQLTime is the rounding of dates, for its own tests.
var SQLTime = sqlTime

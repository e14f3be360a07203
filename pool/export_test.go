package pool

// RaceEnabled tells tests whether the invariant checks are on.
const RaceEnabled = raceEnabled

// Package tuning answers one question: is this host fit for what it is to hold?
//
// [Read] and [ReadTree] read a host's limits into a [Host], [Judge] judges them
// for a number of connections, and a [Verdict] says what binds first, what every
// limit is, what is needed, why, and how to set it. Nothing is judged that has no
// documented effect: each [Finding] names its source.
//
// Reading and judging change nothing. [RaiseOpenFiles] raises this process's own
// soft limit, a [Plan] shows what would be changed on the host, [Plan.Apply] does
// it, never lowering a value, and [Undo] takes it back.
package tuning

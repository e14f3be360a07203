// Package report answers one question: what did a run find, and how is that
// shown?
//
// A Report is plain data, which loadgen fills and JSON carries. Everything that
// shows one (the table on a terminal, the page with charts, the comparison of
// several, an expectation such as p99<50ms) works on the same named figures and
// series, so a new scenario needs no code here.
package report

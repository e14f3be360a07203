// Package tuning answers one question: is this host fit for what it is to hold?
//
// It reads limits and judges them; it changes nothing but the process's own soft
// limit of open files.
package tuning

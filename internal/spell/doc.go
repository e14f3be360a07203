// Package spell answers one question: how far is a word from the one that may
// have been meant?
package spell

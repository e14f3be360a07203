package main

import "time"

var (
	WriteInitramfs = writeInitramfs
	Rewrite        = rewrite
	Parse          = parse
)

// Judged reads what a machine told, and says what is missing from n connections and what the document would show.
func Judged(path string, n int) (text string, err error) {
	r, err := readResult(path)
	if err != nil {
		return "", err
	}
	return r.markdown(&options{n: n}, 2048, time.Minute), r.judge(n)
}

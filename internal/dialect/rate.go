package dialect

import (
	"strconv"

	"github.com/pushd/pushd/broadcast"
)

// ParseRate reads how often a subscriber wants a value of each key at most, per
// second: a JSON number, the lowest rate or more. Above the highest it is 0:
// nothing lower than what the topic has. The error is a bad_request.
func ParseRate(s string) (float64, error) {
	lowest, highest := broadcast.Rates[0], broadcast.Rates[len(broadcast.Rates)-1]
	number := scanner{b: []byte(s)}
	number.value()
	rate, err := strconv.ParseFloat(s, 64)
	if number.end() != nil || err != nil && rate == 0 || !(rate >= lowest) {
		return 0, refuse(CodeBadRequest, "max_rate %s: expected a number of values a second, at least %v", excerpt(s), lowest)
	}
	if rate > highest { // 1e999 too
		return 0, nil
	}
	return rate, nil
}

package main

import "strings"

var (
	Run    = run
	Covers = covers

	CgroupLimit = cgroupLimit
	Connections = connections
	Shards      = shards
)

// PrintedRules reads a file of topics alone and returns its rules as they are
// printed.
func PrintedRules(file []byte) (string, error) {
	f := configFile{name: "pushd.yaml"}
	if err := f.parse(file, nil); err != nil {
		return "", err
	}
	rules, err := f.rules(&settings{LogLimit: 4 << 20, LogTotal: 256 << 20})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = printTopics(&b, rules)
	return b.String(), err
}

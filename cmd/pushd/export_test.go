package main

var (
	Run      = run
	Distance = distance
	Covers   = covers

	CgroupLimit = cgroupLimit
	Connections = connections
	Shards      = shards
)

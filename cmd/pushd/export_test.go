package main

var (
	Run      = run
	Distance = distance

	CgroupLimit = cgroupLimit
	Connections = connections
	Shards      = shards
)

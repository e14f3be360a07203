package main

var (
	Run      = run
	Distance = distance
)

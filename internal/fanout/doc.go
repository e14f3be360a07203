// Command fanout measures bin/pushd beside a floor, in one run, and writes the tables of docs/BENCHMARKS.md.
//
// The floor is what a fan-out costs when the program around it costs nothing: a bare loop of write(2) over the same number of
// sockets, one goroutine a processor, one write a message a subscriber. Floor and server take turns (floor, server, floor, …,
// floor). Each ratio is a turn of the server against the mean of the floor's turns around it, the median of those is printed,
// and beside it the floor's turns against each other: a difference inside that spread is noise.
//
// Three kinds of process take part, so that each has its own CPU time and its own open files: the server, the floor, and a
// crowd of subscribers for each of the two. Floor and crowd are this program again, started with their role as argument; they
// take requests as JSON on standard input and answer on standard output, and end when standard input does.
//
// A message's payload begins with its number in its topic, its topic and the time of its publishing. A subscriber counts what
// comes, once and in order, by the number; the latency of a delivery is from that time to the crowd's read.
//
//	make bench-fanout
//	go run ./internal/fanout -scenario one,portfolio -rounds 5
//	go run ./internal/fanout -write docs/BENCHMARKS.md
//
// CPU seconds and memory are read from /proc, and system calls are counted by perf where it is installed: Linux is where this
// runs. It builds elsewhere.
package main

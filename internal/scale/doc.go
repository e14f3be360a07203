// Command scale shows how many connections one pushd holds: it boots a virtual machine of its own, whose limits it may set as it
// likes, and writes what was measured there into docs/BENCHMARKS.md.
//
// The machine is qemu's, in software: it needs neither KVM nor root, and neither a disk nor a network. It has Debian's cloud
// kernel and an initramfs of three files: pushd, a directory, and internal/scale/init, which is its process 1. That tells what it
// measures on the second serial port, which is a file here. Nothing is left behind: the machine ends by itself, or with this
// program.
//
//	make scale N=1000000
//	go run ./internal/scale -n 20000
//	go run ./internal/scale -n 1000000 -write docs/BENCHMARKS.md
//
// Times are those of an emulated processor, many times slower than a real one. Memory and counts are as anywhere.
package main

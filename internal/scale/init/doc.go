//go:build linux

// Command init is process 1 of the virtual machine that internal/scale boots. It raises the limits, runs one pushd and a crowd of
// clients beside it, tells on the second serial port what both cost and what came, and switches the machine off.
//
// The kernel gives it SCALE_N, SCALE_MESSAGES, SCALE_APART and SCALE_DEADLINE from its command line.
package main

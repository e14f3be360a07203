// Package observe answers one question: what does the server cost while it is
// loaded, and what does its host say?
//
// A Watch samples, once a second or so, the server's processes, its metrics, the
// kernel that this process runs on, and this process itself. A figure that cannot
// be had is nil, never a zero, and Watch.Problems says why, once.
//
// Processes and the kernel are read from Linux's /proc. Elsewhere the server's
// figures come from its metrics alone, and the kernel's are absent. What is
// under /proc/net is of this process's network namespace: a server in a container
// of its own has others.
package observe

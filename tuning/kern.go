package tuning

// kern judges what binds on macOS and FreeBSD. What a connection takes of memory
// there was not measured, so it is not judged.
func (j *judgement) kern() {
	source, backlog := "tuning(7)", "kern.ipc.soacceptqueue"
	open := "kern.openfiles"
	if j.h.System == "darwin" {
		source, backlog, open = "sysctl(3)", "kern.ipc.somaxconn", "kern.num_files"
	}
	j.files("kern.maxfilesperproc")
	if now, ok := j.value("kern.maxfilesperproc"); ok && !j.client {
		j.add("kern.maxfilesperproc", now, forConnections(j.n), Held, fromFiles(now), "No process may have more files open, whatever its RLIMIT_NOFILE.", source)
	}
	if now, ok := j.value("kern.maxfiles"); ok {
		taken, _ := j.value(open)
		j.add("kern.maxfiles", now, plus(plus(taken, j.n), reservedFiles), Held, left(now, taken), "All open files of the host together.", source)
	}
	if now, ok := j.value("kern.ipc.maxsockets"); ok {
		taken, _ := j.value("kern.ipc.numopensockets")
		j.add("kern.ipc.maxsockets", now, plus(taken, j.n), Held, left(now, taken), "All sockets of the host together.", "sysctl -d kern.ipc.maxsockets")
	}
	if now, ok := j.value(backlog); ok && !j.client {
		j.add(backlog, now, min(burst, 32767), Waiting, now, "Bounds how many connections may wait to be accepted. No limit of how many are held.", "listen(2)")
	}
}

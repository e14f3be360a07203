// Package rawio answers one question: how are bytes read and written without
// Go's scheduler being told?
//
// The calls end in microseconds, for the descriptors are non-blocking; being
// told costs more than the call where it starts the runtime's monitor, whose
// naps were more than half of all system calls of a pass that were not writes.
package rawio

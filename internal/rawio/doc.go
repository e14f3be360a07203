// Package rawio answers one question: how are bytes written without Go's
// scheduler being told?
package rawio

package sys

// Call names a system call that may be made to fail.
type Call uint8

// What may fail. The comments say which errors make sense.
const (
	CallRead        Call = iota // EAGAIN, EINTR, Short; ECONNRESET, ETIMEDOUT, ENOBUFS and ENOMEM end a connection
	CallWrite                   // the same, and EPIPE
	CallAccept                  // EAGAIN, EINTR, ECONNABORTED; EMFILE, ENFILE, ENOBUFS, ENOMEM
	CallEpollAdd                // ENOMEM, ENOSPC
	CallEpollModify             // ENOMEM
	CallEpollWait               // EINTR
	CallWake                    // write(2) to a poller's eventfd: EINTR
	CallClose                   // EINTR: the descriptor is closed all the same, as on Linux
	CallShutdown                // ENOBUFS, ENOTCONN
	CallSetsockopt              // ENOBUFS, ENOMEM
	CallSocket                  // EMFILE, ENFILE, ENOBUFS, ENOMEM
	CallListen                  // ENOBUFS
	CallEpollCreate             // EMFILE, ENFILE, ENOMEM
	CallEventfd                 // EMFILE, ENFILE, ENOMEM
	calls
)

func (c Call) String() string {
	return [calls]string{"read", "write", "accept", "epoll add", "epoll modify", "epoll_wait", "wake", "close", "shutdown",
		"setsockopt", "socket", "listen", "epoll_create", "eventfd"}[c]
}

package tuning

import "os"

// Read reads this host. pid is the process to ask about, 0 for this one; the
// error is about the process alone.
func Read(pid int) (Host, error) {
	h, err := ReadTree(os.DirFS("/"), pid)
	if own := ownOpenFiles(); own != (Limit{}) {
		h.Own = own
		if pid == 0 {
			h.OpenFiles = own
		}
	}
	h.PageSize = uint64(os.Getpagesize())
	return h, err
}

//go:build darwin || freebsd

package tuning

func processFiles(int) (Limit, error) { return Limit{}, errNoProcess }

func setProcessFiles(int, Limit) error { return errNoProcess }

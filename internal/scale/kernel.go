package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kernelPackage depends on the package of the newest kernel.
const kernelPackage = "linux-image-cloud-amd64"

// fetchKernel has apt-get fetch Debian's kernel for virtual machines, and returns the path of the kernel in dir. It is unpacked,
// not installed: the host keeps its own.
func fetchKernel(ctx context.Context, dir string) (string, error) {
	const advice = "; apt-get update may help, or -kernel FILE with another Linux for x86-64"
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", "--important", kernelPackage).Output()
	if err != nil {
		return "", fmt.Errorf("apt-cache depends %s: %w%s", kernelPackage, err, advice)
	}
	_, name, ok := strings.Cut(string(out), "Depends: ")
	if !ok {
		return "", fmt.Errorf("apt-cache knows no package that %s depends on%s", kernelPackage, advice)
	}
	name, _, _ = strings.Cut(name, "\n")
	fetch := exec.CommandContext(ctx, "apt-get", "download", "-q", name)
	fetch.Dir = dir
	if out, err := fetch.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apt-get download %s: %w%s\n%s", name, err, advice, out)
	}
	fetched, err := one(dir, name+"_*.deb")
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, "kernel")
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", fetched, root).CombinedOutput(); err != nil {
		return "", fmt.Errorf("dpkg-deb -x %s: %w\n%s", filepath.Base(fetched), err, out)
	}
	return one(filepath.Join(root, "boot"), "vmlinuz-*")
}

// one returns the only file of dir that has such a name.
func one(dir, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d files %s: expected one", len(found), pattern)
	}
	if err != nil {
		return "", err
	}
	_, err = os.Stat(found[0])
	return found[0], err
}

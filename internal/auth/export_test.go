package auth

// SameRights reports whether two grants share what their claims say.
func SameRights(a, b *Grant) bool { return a.rights == b.rights }

// Shared returns how many claims are remembered.
func Shared(v *Verifier) int {
	v.rights.mu.Lock()
	defer v.rights.mu.Unlock()
	return len(v.rights.m)
}

// Keys returns how many keys there are.
func Keys(v *Verifier) int { return len(*v.files.Load()) + len(*v.fetched.Load()) }

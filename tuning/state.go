package tuning

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// state is what Undo goes by: the file tune-undo.json.
type state struct {
	Entries []entry  `json:"entries"`
	Made    []string `json:"made,omitempty"` // folders that were not there, the outer first
}

// entry is one value: what it was, and all that we wrote over it since.
type entry struct {
	Path   string   `json:"path,omitempty"`
	PID    int      `json:"pid,omitempty"`
	Start  string   `json:"start,omitempty"`
	Before *string  `json:"before"`
	Wrote  []string `json:"wrote"`
}

func (e entry) change() Change { return Change{Path: e.Path, PID: e.PID, Start: e.Start} }

// loadState reads the state; where there is none it is empty.
func loadState(root string) (s state, err error) {
	b, err := os.ReadFile(filepath.Join(root, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", stateFile, err)
	}
	return s, err
}

// save writes the state, whole or not at all.
func (s *state) save(root string) error {
	s.making(root, filepath.Dir(stateFile))
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(root, stateFile)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return replace(name, append(b, '\n'), 0o600)
}

// note adds a change that is about to be made. Of a value that was changed by us
// before, and still is ours, the first Before stays.
func (s *state) note(root string, c Change) {
	if c.Path != "" && !c.isSysctl() {
		s.making(root, filepath.Dir(c.Path))
	}
	i := slices.IndexFunc(s.Entries, func(e entry) bool {
		return e.Path == c.Path && e.PID == c.PID && e.Start == c.Start
	})
	if i >= 0 && s.Entries[i].ours(c.Before) {
		s.Entries[i].Wrote = append(s.Entries[i].Wrote, c.After)
		return
	}
	if i >= 0 {
		s.Entries = slices.Delete(s.Entries, i, i+1)
	}
	s.Entries = append(s.Entries, entry{c.Path, c.PID, c.Start, c.Before, []string{c.After}})
}

// ours reports whether a value is one that we wrote, or that was there before.
func (e entry) ours(value *string) bool { return same(value, e.Before) || e.wrote(value) }

func (e entry) wrote(value *string) bool { return value != nil && slices.Contains(e.Wrote, *value) }

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// making notes the folders on the way to one that are not there yet.
func (s *state) making(root, folder string) {
	var missing []string
	for ; folder != "/" && !slices.Contains(s.Made, folder); folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(root, folder)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, folder)
		}
	}
	slices.Reverse(missing)
	s.Made = append(s.Made, missing...)
}

// undo restores the value that was before, if it still is one that we wrote.
func (e entry) undo(root string, dry bool) Undone {
	c := e.change()
	now, err := c.read(root)
	u := Undone{Change: c, Err: err}
	u.Before = e.Before
	if now != nil {
		u.After = *now
	}
	switch {
	case err != nil || same(now, e.Before): // it never came to it, or was taken back before
	case now == nil && c.Path == "":
		u.Gone = true
	case !e.wrote(now):
		u.Foreign = true
	default:
		u.Restored = true
		if !dry {
			u.Err = c.write(root, e.Before)
		}
	}
	return u
}

// remove takes away the state, and the folders that were made, as far as they
// are empty.
func (s *state) remove(root string) error {
	err := os.Remove(filepath.Join(root, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, folder := range slices.Backward(s.Made) {
		os.Remove(filepath.Join(root, folder))
	}
	return err
}

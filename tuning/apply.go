package tuning

import (
	"errors"
	"fmt"
)

// Apply makes the changes. What was before is on disk before the first of them,
// so that Undo can take back a plan that was broken off. Each that fails is part
// of the error, and the others are made all the same.
func (p *Plan) Apply() error { return p.apply(func(int) error { return nil }) }

// apply asks before each change whether to go on.
func (p *Plan) apply(before func(i int) error) error {
	if len(p.Changes) == 0 {
		return nil
	}
	s, err := loadState(p.root)
	if err == nil {
		for _, c := range p.Changes {
			s.note(p.root, c)
		}
		err = s.save(p.root)
	}
	if err != nil {
		return fmt.Errorf("nothing was changed, for it could not be noted what was before: %w", err)
	}
	var failed error
	for i, c := range p.Changes {
		if err := before(i); err != nil {
			return err
		}
		if err := c.write(p.root, &c.After); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.Name(), err))
		}
	}
	return failed
}

// Undone is what became of one value that had been changed.
type Undone struct {
	Change        // Before is what it was, After what it is now (or was until it was restored)
	Gone     bool // there is nothing left to restore: the process has ended
	Foreign  bool // somebody else has changed it since: it is left as it is
	Restored bool // it was changed back, or would be
	Err      error
}

// ErrNothingToUndo says that nothing was applied, or all of it is taken back.
var ErrNothingToUndo = errors.New("nothing to undo: " + stateFile + " is not there")

// Undo takes back what Apply did, the last first. Only values that still are
// what was written are changed. What fails is kept to be tried again. dry tells
// what would be done and does nothing.
func Undo(root string, dry bool) (all []Undone, err error) {
	s, err := loadState(root)
	if err != nil {
		return nil, err
	}
	if len(s.Entries) == 0 && len(s.Made) == 0 {
		return nil, ErrNothingToUndo
	}
	kept := state{Made: s.Made}
	for i := len(s.Entries) - 1; i >= 0; i-- {
		u := s.Entries[i].undo(root, dry)
		if u.Err != nil {
			kept.Entries = append([]entry{s.Entries[i]}, kept.Entries...)
			err = errors.Join(err, fmt.Errorf("%s: %w", u.Name(), u.Err))
		}
		all = append(all, u)
	}
	if dry {
		return all, err
	}
	if len(kept.Entries) > 0 {
		return all, errors.Join(err, kept.save(root))
	}
	return all, errors.Join(err, s.remove(root))
}

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pushd/pushd/internal/auth"
)

type tokenCmd struct {
	Create  tokenCreateCmd  `cmd:"" help:"Sign a token and print it."`
	Inspect tokenInspectCmd `cmd:"" help:"Print what a token says, and whether it is good."`
	Keygen  tokenKeygenCmd  `cmd:"" help:"Make a key: the private half in a file, the public one beside it."`
}

// readToken reads a token from file, from standard input where it is - or
// nothing is given, or takes the argument itself.
func (w *world) readToken(argument, file string) ([]byte, error) {
	switch {
	case file != "" && argument != "":
		return nil, usagef("--token-file: expected no TOKEN beside it")
	case file != "":
		token, err := w.secret(file, "")
		return []byte(token), err
	case argument != "" && argument != "-":
		return []byte(argument), nil
	}
	b, err := io.ReadAll(io.LimitReader(w.stdin, 2*auth.MaxToken))
	return []byte(strings.TrimSpace(string(b))), err
}

// signingKey finds the one key of a file that is to sign.
func signingKey(file, alg, kid string) (auth.Key, error) {
	keys, err := auth.ReadKeys(file)
	if err != nil {
		return auth.Key{}, fmt.Errorf("--key: %w", err)
	}
	var found []auth.Key
	for _, k := range keys {
		if k.CanSign() && (alg == "" || k.Alg == alg) && (kid == "" || k.ID == "" || k.ID == kid) {
			found = append(found, k)
		}
	}
	switch {
	case len(found) == 1:
		if found[0].ID == "" {
			found[0].ID = kid
		}
		return found[0], nil
	case len(found) > 1:
		return auth.Key{}, fmt.Errorf("--key: %s: %d keys could sign: expected --kid or --alg to name one", file, len(found))
	}
	return auth.Key{}, fmt.Errorf("--key: %s: expected a key that can sign, with the --kid and --alg where these are given; it has: %v", file, keys)
}

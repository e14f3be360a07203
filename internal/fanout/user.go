package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// userSecret signs the tokens of the subscribers that are users. It guards nothing.
const userSecret = "the-subscribers-of-one-measurement"

// userToken returns subscriber i's token.
func userToken(i int) (string, error) {
	claims := jwt.MapClaims{"sub": fmt.Sprintf("u%d", i), "exp": time.Now().Add(24 * time.Hour).Unix()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(userSecret))
}

// userKey writes the key that a server checks these tokens by into a folder, and returns the flag for it.
func userKey(folder string) (flag string, err error) {
	name := filepath.Join(folder, "secret")
	return "--auth-key=" + name, os.WriteFile(name, []byte(userSecret), 0o600)
}

// Command pushd runs a push server and talks to one.
//
// The package is flags, settings and exit codes; what the commands do stands
// in internal/server and internal/client. Each setting is a flag, an
// environment variable (--ping-interval is PUSHD_PING_INTERVAL) and, for
// serve, a key of a YAML file, in that order of precedence.
//
// Exit codes: 0; 1 failed; 2 usage or configuration; 3 no server was reached.
// Data goes to standard output, talk to standard error, neither in colour.
package main

// Package peers answers one question: where does a connection come from, and how
// many come from there?
//
// A [Table] counts connections by address, an IPv4 address or an IPv6 /64, and
// says who comes beyond a limit. Whom a connection is from where proxies stand in
// between [ParseProxy] reads from a PROXY header and [Networks.Client] from
// X-Forwarded-For or Forwarded; whether to believe it is a question of who says
// so: [Networks] are the addresses that are trusted.
package peers

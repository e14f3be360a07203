// Package leak fails a package's tests when they leave something behind. Only
// tests import it.
package leak

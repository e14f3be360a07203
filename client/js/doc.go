// Package js holds pushd.js, the browser's client for the dialect pushd.v1, so that a server can serve it.
//
// The file is an ES module with no dependency and no build step; its own comments say how to use it. Its tests run with
// `node --test client/js`.
package js

package js

import _ "embed"

// Source is pushd.js, to be served as text/javascript. Read only.
//
//go:embed pushd.js
var Source []byte

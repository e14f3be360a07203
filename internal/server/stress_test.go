package server_test

import (
	"flag"
	"time"
)

var stress = flag.Duration("server.stress", 2*time.Second, "how long TestStress takes; from 1m on other tests are long too")

// inLongRun reports whether tests are to be as long as they are meant to be.
func inLongRun() bool { return *stress >= time.Minute }

# GNU make. `make` builds bin/pushd, `make run` shows the demo; Go and make are all that either needs, and `make test` too.

GO      ?= go
PREFIX  ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc

# Settings of single targets: make fuzz FUZZTIME=10s, make run ARGS='--listen :9000',
# make bench-fanout ARGS='-scenario one -rounds 7'.
ARGS     ?=
N        ?= 1000000
PKGS     ?= ./...
COUNT    ?= 1
TIMEOUT  ?= 5m
BENCH    ?= .
FUZZTIME ?= 60s
STRESS   ?= 10m
HOSTILE  ?= 1m

# Whose tests have a part in which system calls fail (internal/sys). A seed that failed: -args -conn.seed=N, -server.seed=N.
FAULTY := ./internal/sys ./netpoll ./conn ./internal/server

# Pinned here and not in go.mod, which lists only what is compiled into pushd and its tests.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS   := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 freebsd/amd64 freebsd/arm64

# Without git, or outside a repository, there is no version to ask for and no revision for Go to stamp.
DESCRIBED := $(shell git describe --tags --always --dirty 2>/dev/null)
VERSION   := $(or $(DESCRIBED),dev)
BUILD     := build -trimpath $(if $(DESCRIBED),,-buildvcs=false) -ldflags '-s -w -X main.version=$(VERSION)'

.PHONY: build install install-systemd run test stress hostile bench bench-fanout scale fuzz lint fmt cross test-foreign clean

# Always asked for: Go's build cache knows better than make whether anything changed.
build:
	CGO_ENABLED=0 $(GO) $(BUILD) -o bin/pushd ./cmd/pushd

# pushd is a builtin of bash and zsh, which wins over a binary of that name; pushctl is the same binary, for typing.
install: build
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 0755 bin/pushd '$(DESTDIR)$(PREFIX)/bin/pushd'
	ln -sf pushd '$(DESTDIR)$(PREFIX)/bin/pushctl'

# A unit in /usr/local/lib/systemd/system is found like one in /etc. Settings that are there already stay.
install-systemd: install
	install -d '$(DESTDIR)$(PREFIX)/lib/systemd/system' '$(DESTDIR)$(SYSCONFDIR)/pushd'
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|; s|/etc/pushd/|$(SYSCONFDIR)/pushd/|' deploy/pushd.service \
		>'$(DESTDIR)$(PREFIX)/lib/systemd/system/pushd.service'
	[ -e '$(DESTDIR)$(SYSCONFDIR)/pushd/pushd.yaml' ] || \
		install -m 0644 docs/pushd.yaml '$(DESTDIR)$(SYSCONFDIR)/pushd/pushd.yaml'

run: build
	exec bin/pushd serve --demo $(ARGS)

# The race detector needs cgo, and cgo a C compiler that finds its headers.
test:
	@cc=$$($(GO) env CC); why=; \
	if ! command -v "$${cc%% *}" >/dev/null 2>&1; then why="no C compiler ($$cc) was found"; \
	elif [ "$$($(GO) env CGO_ENABLED)" != 1 ]; then why="cgo is switched off (CGO_ENABLED=0)"; \
	elif ! echo '#include <stdlib.h>' | $$cc -E - >/dev/null 2>&1; then why="$$cc finds no C headers (libc6-dev)"; fi; \
	if [ -z "$$why" ]; then race=-race; \
	else race=; export CGO_ENABLED=0; echo "make test: the race detector is left out: $$why"; fi; \
	set -ex; $(GO) vet $(PKGS); $(GO) test $$race -count=$(COUNT) -timeout=$(TIMEOUT) $(PKGS); \
	$(GO) vet -tags faults $(FAULTY); $(GO) test $$race -tags faults -run Faults -count=$(COUNT) -timeout=$(TIMEOUT) $(FAULTY)

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) $(PKGS)

# The server beside a bare loop of write(2). ARGS='-write docs/BENCHMARKS.md' renews the tables there.
bench-fanout: build
	$(GO) run ./internal/fanout $(ARGS)

# N connections in one pushd, in a virtual machine that needs Debian's qemu-system-x86 and neither KVM nor root.
# ARGS='-write docs/BENCHMARKS.md' renews the table there.
scale: build
	$(GO) run ./internal/scale -n $(N) $(ARGS)

# Everything at once against a model, then the random tests of the core, each for as long as STRESS says, and the join storm of
# 10,000. A seed that failed: -args -server.seed=N, -broadcast.seed=N.
stress:
	$(GO) test -race -count=1 -v -timeout=1h -run '^(TestStress|TestStallOnATicker)$$' ./internal/server -args -server.stress=$(STRESS)
	$(GO) test -race -count=1 -v -timeout=1h -run 'Random|Conflation' ./broadcast -args -broadcast.stress=$(STRESS)
	$(GO) test -count=1 -v -timeout=1h -run '^TestJoinStorm$$' ./internal/server -args -server.stress=$(STRESS)

# Attackers by the thousand against a server of its own, and for HOSTILE beside 5,000 subscribers: 20,000 open files. `make test`
# has some tens of each.
hostile:
	$(GO) test -count=1 -v -timeout=1h ./internal/hostile -args -hostile.siege=$(HOSTILE)

# go test -fuzz takes one target of one package at a time.
fuzz:
	@listed=$$($(GO) test -list '^Fuzz' $(PKGS)) || { echo "$$listed"; exit 1; }; \
	targets=$$(echo "$$listed" | awk '/^Fuzz/ { names[n++] = $$1 } \
		/^ok/ { for (i = 0; i < n; i++) print $$2 "=" names[i]; n = 0 }'); \
	[ -n "$$targets" ] || { echo "make fuzz: no fuzz target in $(PKGS)" >&2; exit 1; }; \
	set -ex; for t in $$targets; do \
		$(GO) test -run '^$$' -fuzz "^$${t#*=}$$" -fuzztime $(FUZZTIME) "$${t%%=*}"; \
	done

lint:
	@unformatted=$$(gofmt -l .) && [ -z "$$unformatted" ] || \
		{ echo "make lint: not formatted (make fmt):" >&2; echo "$$unformatted" >&2; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) run $(STATICCHECK) $(PKGS)

fmt:
	gofmt -w .

# What cannot be run here must at least build and vet: kqueue's side has no other test on Linux.
cross:
	@set -e; for p in $(PLATFORMS); do \
		export CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/}; \
		$(GO) vet $(PKGS); $(GO) build $(PKGS); echo "$$p vetted and built"; \
	done

# Clients that others wrote, against bin/pushd: ws, Python's websockets, curl, Chromium; and deploy/ as systemd, Docker Compose
# and a container see it, which needs root. .ci/run installs them.
test-foreign: build
	@[ -d test/foreign/node_modules ] || { echo "make test-foreign: run (cd test/foreign && npm ci) first" >&2; exit 1; }
	cd test/foreign && node --test --test-concurrency=1

clean:
	rm -rf bin

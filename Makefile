# Leveret: `make run` starts a broker, `make test` runs all that CI runs.
GO ?= go
FUZZTIME ?= 30s
# All but the suites that start the plain binary, or look at the sources.
UNIT = $(shell $(GO) list ./... | grep -vE '/test/(clients|crash|deploy|lint)$$')

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/leveret ./cmd/leveret

run: build ## start a broker on ./data, AMQP on 5672
	bin/leveret server --data-dir ./data

test: setup check lint race allocs clients kill ## all that CI runs, after installing what it needs

setup: ## install what the tests need (root for Debian packages)
	test/setup.sh

check: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'gofmt would change the files above'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

lint: ## the house's own rules: imports, sizes, documentation
	$(GO) test -count=1 -timeout 3m ./test/lint

race: ## every package under the race detector, the conformance suite included
	$(GO) test -race -timeout 8m $(UNIT)

allocs: ## the tests of memory use, which the race detector would disturb
	$(GO) test -count=1 -timeout 3m -run 'Allocat|IsSmall|IsCheap' $(UNIT)

conformance: ## recorded dialogues with RabbitMQ, against our broker
	$(GO) test -count=1 -timeout 5m ./test/conformance

oracle: ## the same against an installed RabbitMQ
	test/conformance/oracle.sh -timeout 10m

clients: ## real client libraries against the binary, and the image's contents
	$(GO) test -count=1 -timeout 5m ./test/clients ./test/deploy

kill: ## SIGKILL under load, 20 rounds, and the table of restarts
	$(GO) test -count=1 -timeout 5m ./test/crash

crash: ## the long ones: 1,000 kills, power failures at every call
	LEVERET_CRASH=all $(GO) test -count=1 -timeout 60m -run Crash ./persistence ./server
	LEVERET_KILL_ROUNDS=1000 $(GO) test -count=1 -v -timeout 120m -run TestKill ./test/crash

fuzz: ## every fuzz target for FUZZTIME
	@grep -rno --include=*_test.go '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|/[^/]*:[0-9]+:func | |' | while read -r dir target; do \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null || exit 1; done

bench: build ## the table of figures, with RabbitMQ beside us when it is installed
	$(GO) run ./test/bench

generate: ## write the generated code again
	$(GO) generate ./...

clean: ## remove what was built
	rm -rf bin test/clients/node/node_modules

.NOTPARALLEL:
.PHONY: help build run test setup check lint race allocs conformance oracle clients kill crash fuzz bench generate clean

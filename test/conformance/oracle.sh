#!/usr/bin/env bash
# Plays the whole suite, the scenarios the broker does not pass yet included,
# against an installed RabbitMQ: proof that the runner and the added dialogues
# say what RabbitMQ does. The node lives in a scratch directory on free ports
# and is stopped at the end. Arguments are passed on to go test.
#
# The recordings are of 3.10.8; other versions differ here and there.
set -euo pipefail

server=${RABBITMQ_SERVER:-/usr/lib/rabbitmq/bin/rabbitmq-server}
[ -x "$server" ] || server=$(command -v rabbitmq-server) || {
	echo "oracle: rabbitmq-server is not installed (apt-get install rabbitmq-server, or set RABBITMQ_SERVER)" >&2
	exit 1
}

# A free TCP port on loopback, from below the range the system hands out.
free_port() {
	while :; do
		port=$((10000 + RANDOM % 20000))
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
}

here=$(cd "$(dirname "$0")" && pwd)
home=$HOME
dir=$(mktemp -d)
amqp=$(free_port)
http=$(free_port)
export HOME="$dir" ERL_EPMD_PORT="$(free_port)" ERL_CRASH_DUMP_SECONDS=0
export RABBITMQ_NODENAME="oracle$amqp@localhost" RABBITMQ_NODE_PORT="$amqp" RABBITMQ_DIST_PORT="$(free_port)"
export RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_PID_FILE="$dir/pid"
export RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_CONFIG_FILE="$dir/rabbitmq"
echo '[rabbitmq_management,rabbitmq_consistent_hash_exchange,rabbitmq_random_exchange,rabbitmq_recent_history_exchange,rabbitmq_sharding].' >"$dir/plugins"
printf 'management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %s\n' "$http" >"$dir/rabbitmq.conf"

stop() {
	trap - EXIT INT TERM
	if [ -s "$dir/pid" ]; then
		pid=$(cat "$dir/pid")
		kill "$pid" 2>/dev/null || true
		while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
	fi
	epmd -port "$ERL_EPMD_PORT" -kill >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' INT TERM

cd "$dir"
"$server" >"$dir/out" 2>&1 &
for _ in $(seq 300); do
	grep -q 'completed with' "$dir/out" && break
	sleep 0.2
done
grep -q 'completed with' "$dir/out" || {
	cat "$dir/out" >&2
	echo "oracle: RabbitMQ did not start within 60 s" >&2
	exit 1
}

cd "$here"
HOME="$home" LEVERET_ORACLE=1 LEVERET_TARGET="127.0.0.1:$amqp" LEVERET_TARGET_HTTP="http://127.0.0.1:$http" \
	go test -count=1 "$@" .

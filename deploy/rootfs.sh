#!/bin/sh
# rootfs.sh BINARY TREE: put all that the image holds into TREE.
set -eu
binary=$1 tree=$2
mkdir -p "$tree/usr/local/bin" "$tree/etc/rabbitmq/conf.d" "$tree/var/lib/rabbitmq" "$tree/tmp"
chmod 1777 "$tree/tmp"
cp "$binary" "$tree/usr/local/bin/leveret"
"$binary" names | while read -r name; do
	ln -sf leveret "$tree/usr/local/bin/$name"
done
cp "$(dirname "$0")/10-defaults.conf" "$tree/etc/rabbitmq/conf.d/10-defaults.conf"
echo '[].' >"$tree/etc/rabbitmq/enabled_plugins"

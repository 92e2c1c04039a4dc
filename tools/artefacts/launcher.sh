#!/bin/sh
# Runs the command with the Node beside it, also through a symbolic link.
home=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$home/lib/node" "$home/lib/main.js" "$@"

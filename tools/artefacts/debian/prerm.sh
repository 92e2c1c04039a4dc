#!/bin/sh
# Before the files are removed. An upgrade restarts the service in postinst.
set -e
[ "$1" = remove ] || exit 0
[ -d /run/systemd/system ] || exit 0
for unit in /usr/lib/systemd/system/countersign*; do
  systemctl disable --now "${unit##*/}"
done

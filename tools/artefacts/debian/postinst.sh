#!/bin/sh
# After the files are in place: the user, the folders, and a restart if the service runs.
set -e
[ "$1" = configure ] || exit 0

if ! getent passwd countersign > /dev/null; then
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin countersign
fi

# The service reads its files and changes none. An upgrade changes no mode.
if [ ! -e /etc/countersign/identities ]; then
  chown root:countersign /etc/countersign
  chmod 750 /etc/countersign
  install -d -o root -g countersign -m 750 /etc/countersign/identities
fi

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  # Only if it runs.
  [ -z "$2" ] || systemctl try-restart countersign.service
fi

#!/bin/sh
# Private keys cannot be made again, so no step of dpkg removes them.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
[ "$1" = purge ] || exit 0
for folder in /etc/countersign/identities /etc/countersign; do
  [ ! -d $folder ] || rmdir --ignore-fail-on-non-empty $folder
done
if [ -d /etc/countersign ]; then
  echo "The identities and their private keys in /etc/countersign are kept, with the user countersign. To remove them:"
  echo "  rm -r /etc/countersign && userdel countersign"
elif getent passwd countersign > /dev/null; then
  userdel countersign
fi

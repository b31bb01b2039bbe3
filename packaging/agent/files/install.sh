#!/bin/sh
# Installs fms-agent on a Linux machine with systemd that takes no Debian packages, or upgrades it:
#   sudo ./install.sh
# Takes it away again; configuration and readings that wait stay, unless --purge is said:
#   sudo ./install.sh --remove | --purge
set -e
cd "$(dirname "$0")"

is_running() { [ -d /run/systemd/system ]; }

if [ "$1" = --remove ] || [ "$1" = --purge ]; then
  if is_running; then systemctl disable --now fms-agent.service || true; fi
  rm -rf /usr/lib/fms-agent /usr/bin/fms-agent /usr/lib/systemd/system/fms-agent.service \
    /usr/lib/sysusers.d/fms-agent.conf /usr/share/man/man8/fms-agent.8 /usr/share/fms-agent
  if [ "$1" = --purge ]; then rm -rf /etc/fms-agent /var/lib/fms-agent; fi
  if is_running; then systemctl daemon-reload; fi
  exit 0
fi

first=
if [ ! -e /etc/fms-agent/agent.yaml ]; then first=--first; fi
# As a whole beside the old one, then in its place: the old one may run.
rm -rf /usr/lib/fms-agent.new
cp -R lib /usr/lib/fms-agent.new
chown -R 0:0 /usr/lib/fms-agent.new
rm -rf /usr/lib/fms-agent
mv /usr/lib/fms-agent.new /usr/lib/fms-agent
ln -sf ../lib/fms-agent/fms-agent /usr/bin/fms-agent
install -D -m 0644 fms-agent.service /usr/lib/systemd/system/fms-agent.service
install -D -m 0644 sysusers.conf /usr/lib/sysusers.d/fms-agent.conf
install -D -m 0644 devices.yaml /usr/share/fms-agent/devices.yaml
install -D -m 0644 serial.conf /usr/share/fms-agent/serial.conf
install -D -m 0644 fms-agent.8 /usr/share/man/man8/fms-agent.8
if [ -n "$first" ]; then
  install -D -m 0640 agent.yaml /etc/fms-agent/agent.yaml
  install -D -m 0644 conf.d-README /etc/fms-agent/conf.d/README
fi
/usr/lib/fms-agent/set-up $first
if is_running; then
  systemctl daemon-reload
  systemctl enable fms-agent.service
  systemctl restart fms-agent.service
fi
echo 'fms-agent is installed. What is to be done next tells: sudo fms-agent check'

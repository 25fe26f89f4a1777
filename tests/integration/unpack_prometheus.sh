#!/usr/bin/env bash
# Unpacks Prometheus and promtool of a newer Debian beside the system; the arguments are the suite
# and the folder to put them in. Nothing is installed, and the system's own lists stay as they are.
set -euo pipefail
suite=$1
target=$2

# The mirror that this system's packages come from, as apt has it; its keyring must know the suite.
mirror=$(apt-get indextargets --format '$(SITE)|$(ORIGIN)|$(LABEL)' |
    sed -n '/|Debian|Debian$/{s/|.*//p;q}')
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$(dirname "$target")/unpack.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"
echo "deb [signed-by=$keyring] ${mirror:?no Debian mirror among the sources of apt} $suite main" \
    >"$work/sources.list"
: >"$work/status"

apt_get() {
    apt-get --quiet --quiet \
        --option Dir::Etc::sourcelist="$work/sources.list" \
        --option Dir::Etc::sourceparts=/dev/null \
        --option Dir::State::lists="$work/lists" \
        --option Dir::State::status="$work/status" \
        --option Dir::Cache="$work/cache" \
        --option APT::Sandbox::User=root \
        "$@"
}

apt_get update
(cd "$work" && apt_get download prometheus promtool)
for package in "$work"/*.deb; do
    dpkg-deb --extract "$package" "$work/root"
done
mkdir "$work/bin"
cp "$work/root/usr/bin/prometheus" "$work/root/usr/bin/promtool" "$work/bin/"
"$work/bin/prometheus" --version | head -n 1
rm -rf "$target"
mv "$work/bin" "$target"

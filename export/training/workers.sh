#!/bin/sh
# Trains on several machines, one worker each (docs/multi_machine.md). On two hosts that both see the
# folder /shared, run on the first and on the second:
#
#   sh workers.sh 0 host1:2222,host2:2222 --data=/shared/data --workdir=/shared/run
#   sh workers.sh 1 host1:2222,host2:2222 --data=/shared/data --workdir=/shared/run
#
# A worker that was stopped, and those that lost it, start again and go on from the last checkpoint,
# RESTARTS times at most (20), PAUSE seconds after (10).
set -eu

index=$1
workers=$(printf '%s' "$2" | sed 's/,/", "/g')
shift 2
export TF_CONFIG="{\"cluster\": {\"worker\": [\"$workers\"]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"

left=${RESTARTS:-20}
until rankpose train --strategy=multiworker "$@"; do
  if [ "$left" -le 0 ]; then
    echo "worker $index: failed again, and is not started any more" >&2
    exit 1
  fi
  left=$((left - 1))
  sleep "${PAUSE:-10}"
done

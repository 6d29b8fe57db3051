#!/usr/bin/env bash
# Evaluates a checkpoint with several processes on one or more machines: GPUs with nccl, CPUs with gloo.
set -euo pipefail

if [ $# -lt 3 ] || [ "$1" = "--help" ] || [ "$1" = "-h" ]; then
    cat >&2 <<'USAGE'
usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
  GPUS       processes on this machine, one per GPU (on a machine without a GPU: CPU processes)
  variables  NNODES (1), NODE_RANK (0), MASTER_ADDR (127.0.0.1), PORT (29500), PYTHON (python)
example: bash tools/dist_test.sh configs/NAME.py work_dirs/NAME/epoch_6.pth 8
USAGE
    [ $# -eq 1 ] && [ "$1" != "${1#-}" ] && exit 0
    exit 2
fi

CONFIG=$1
CHECKPOINT=$2
GPUS=$3
TOOLS=$(cd "$(dirname "$0")" && pwd)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

exec "${PYTHON:-python}" -m geminifusion3d.commands.launch \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$GPUS" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"

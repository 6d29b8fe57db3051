#!/usr/bin/env bash
# Trains on a SLURM cluster, one task per GPU.
set -euo pipefail

if [ $# -lt 4 ]; then
    cat >&2 <<'USAGE'
usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of tools/train.py]
  variables  GPUS (8, all tasks), GPUS_PER_NODE (8; 0 for a CPU partition), TASKS_PER_NODE (GPUS_PER_NODE),
             CPUS_PER_TASK (5), SRUN_ARGS (), MASTER_PORT (29500), PYTHON (python)
example: GPUS=16 bash tools/slurm_train.sh gpu fusion configs/NAME.py work_dirs/NAME --resume auto
USAGE
    [ $# -eq 1 ] && [ "$1" != "${1#-}" ] && exit 0
    exit 2
fi

PARTITION=$1
JOB_NAME=$2
CONFIG=$3
WORK_DIR=$4
TOOLS=$(cd "$(dirname "$0")" && pwd)
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
TASKS_PER_NODE=${TASKS_PER_NODE:-$GPUS_PER_NODE}
read -r -a SRUN_EXTRA <<< "${SRUN_ARGS:-}"
[ "$GPUS_PER_NODE" -gt 0 ] && SRUN_EXTRA+=("--gres=gpu:$GPUS_PER_NODE")

exec srun -p "$PARTITION" --job-name="$JOB_NAME" --ntasks="$GPUS" --ntasks-per-node="$TASKS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 "${SRUN_EXTRA[@]}" \
    "${PYTHON:-python}" -u "$TOOLS/train.py" "$CONFIG" --work-dir "$WORK_DIR" --launcher slurm "${@:5}"

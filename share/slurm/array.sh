#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One task of the job array of `vise sweep --engine slurm`: some trials, one after the other.
# usage: sbatch --array=0-N ... array.sh VISE DIRECTORY BATCH
# Sites add what their nodes need (modules, scratch folders) before the last line, in a copy that
# --script names. SLURM_CPUS_PER_TASK is set where --cpus is given.
export VISE_THREADS="${SLURM_CPUS_PER_TASK:-1}"
exec "$1" _worker "$2" 0 "@$2/slurm/$3/$SLURM_ARRAY_TASK_ID"

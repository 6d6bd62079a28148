#!/usr/bin/env bash
# The scan of the action: SARIF for the upload, text for the log, the exit code for the last step.
set -euo pipefail

options=(--fail-on "$INPUT_FAIL_ON")
[ -z "$INPUT_BASELINE" ] || options+=(--baseline "$INPUT_BASELINE")
[ -z "$INPUT_POLICY" ] || options+=(--policy "$INPUT_POLICY")

paths=()
while IFS= read -r path; do
    [ -z "$path" ] || paths+=("$path")
done <<< "$INPUT_PATHS"

sarif="$RUNNER_TEMP/safemodel.sarif"
code=0
"$SAFEMODEL_BIN/safemodel" scan "${options[@]}" --format sarif -o "$sarif" -- "${paths[@]}" || code=$?
if [ "$code" != 0 ]; then
    "$SAFEMODEL_BIN/safemodel" scan "${options[@]}" -- "${paths[@]}" || true
fi
echo "code=$code" >> "$GITHUB_OUTPUT"
if [ -s "$sarif" ]; then
    echo "sarif=$sarif" >> "$GITHUB_OUTPUT"
fi
